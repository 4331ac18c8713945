//! The metrics, read by an independent reader of OpenMetrics text.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

use labsim_control::{MetricsSource, metrics};
use labsim_dataplane::SocketCounters;
use labsim_dataplane::forwarder::Snapshot;
use labsim_forwarder::{Config, Counters, MemberCounters, ServerCounters, Tally};
use labsim_monitor::{Health, HealthByPool, State};
use openmetrics_parser::openmetrics::parse_openmetrics;
use openmetrics_parser::{MetricNumber, OpenMetricsValue};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn config(pool: &str) -> Config {
    let mut config: Config = labsim_yaml::read(&labsim_yaml::Source::new(
        "test",
        r#"{"interface": "eth0", "virtual_servers": {},
            "pools": {"p": {"members": [{"address": "10.1.1.51:49", "ratio": 3}]}}}"#,
    ))
    .unwrap();
    let members = config.balancer.pools.remove("p").unwrap();
    config.balancer.pools.insert(pool.to_owned(), members);
    config
}

fn counted(server: &str, pool: &str) -> Snapshot {
    let tally = |packets| Tally { packets, bytes: packets * 100 };
    let mut engine = Counters::default();
    engine.outcomes.insert("forwarded".to_owned(), tally(12));
    engine.outcomes.insert("no_flow".to_owned(), tally(3));
    let one =
        ServerCounters { received: tally(7), flows_opened: 2, flows: 1, ..Default::default() };
    engine.virtual_servers.insert(server.to_owned(), one);
    let one =
        MemberCounters { sent: tally(u64::MAX / 1000), reachable: true, ..Default::default() };
    let members = BTreeMap::from([("10.1.1.51:49".to_owned(), one)]);
    engine.members.insert(pool.to_owned(), members);
    engine.flows.offloaded = 1;
    engine.flows.timed_out = 4;
    engine.flows.reset_on_timeout = 2;
    engine.fragments.waiting = 6;
    engine.answers.icmp_host_unreachable = 8;
    Snapshot {
        ingress_drop: labsim_dataplane::forwarder::IngressDrop::Waiting,
        engine: Box::new(engine),
        socket: SocketCounters { dropped: 5, ..Default::default() },
        ..Default::default()
    }
}

fn health(pool: &str) -> HealthByPool {
    let reason = "nobody listens".to_owned();
    let one = Health { state: State::Down, since_ms: 1, reason, probes: 9, failed: 4 };
    BTreeMap::from([(pool.to_owned(), BTreeMap::from([("10.1.1.51:49".to_owned(), one)]))])
}

fn exposed<'a>(
    config: &'a Config,
    counted: &'a Snapshot,
    health: &'a HealthByPool,
    (applied, refused): (u64, u64),
) -> MetricsSource<'a> {
    MetricsSource { config, counted, health, applied, refused }
}

/// All samples by family, and by labels in the order of their names.
fn read(text: &str) -> BTreeMap<String, BTreeMap<Vec<(String, String)>, u64>> {
    let exposition = parse_openmetrics(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let mut families = BTreeMap::new();
    for (name, family) in exposition.families {
        let names: Vec<String> = family.get_label_names().to_vec();
        let mut samples = BTreeMap::new();
        for sample in family.iter_samples() {
            let labels = sample.get_labelset().unwrap();
            let labels = labels.iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
            let value = match &sample.value {
                OpenMetricsValue::Counter(counter) => &counter.value,
                OpenMetricsValue::Gauge(value) => value,
                other => panic!("{other:?}"),
            };
            let MetricNumber::Int(value) = value else { panic!("{value:?}") };
            let mut labels: Vec<_> = labels.collect();
            labels.sort();
            samples.insert(labels, u64::try_from(*value).unwrap());
        }
        assert!(!names.is_empty() || samples.len() <= 1, "{name}");
        families.insert(name, samples);
    }
    families
}

fn labels(labels: &[(&str, &str)]) -> Vec<(String, String)> {
    let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    labels.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
}

#[test]
fn an_independent_reader_finds_every_figure() {
    let (config, counted) = (config("p"), counted("vs", "p"));
    let text = metrics(&exposed(&config, &counted, &health("p"), (2, 1)));
    assert!(text.ends_with("# EOF\n"));
    let all = read(&text);
    let figure = |family: &str, of: &[(&str, &str)]| {
        all[&format!("labsim_forwarder_{family}")].get(&labels(of)).copied()
    };
    let member = [("pool", "p"), ("member", "10.1.1.51:49")];
    let to_member = [member[0], member[1], ("direction", "to_member")];
    for (family, of, value) in [
        ("packets", &[("outcome", "no_flow")][..], 3),
        ("bytes", &[("outcome", "forwarded")], 1200),
        ("virtual_server_packets", &[("virtual_server", "vs"), ("direction", "to_member")], 7),
        ("virtual_server_flows", &[("virtual_server", "vs")], 1),
        ("member_packets", &to_member, u64::MAX / 1000),
        ("member_bytes", &to_member, u64::MAX / 1000 * 100),
        ("member_reachable", &member, 1),
        ("member_ratio", &member, 3),
        ("member_state", &[member[0], member[1], ("state", "down")], 1),
        ("member_state", &[member[0], member[1], ("state", "up")], 0),
        ("member_state", &[member[0], member[1], ("state", "unmonitored")], 0),
        ("member_probes", &[member[0], member[1], ("result", "passed")], 5),
        ("member_probes", &[member[0], member[1], ("result", "failed")], 4),
        ("flows_offloaded", &[], 1),
        ("flows_limit", &[], 1_000_000),
        ("flows_ended", &[("reason", "idle")], 4),
        ("flows_reset_on_timeout", &[], 2),
        ("fragments_waiting", &[], 6),
        ("answers", &[("kind", "icmp_host_unreachable")], 8),
        ("socket_frames", &[("result", "dropped")], 5),
        ("config_changes", &[("result", "refused")], 1),
    ] {
        assert_eq!(figure(family, of), Some(value), "{family}{of:?} in {text}");
    }
}

// The reader refuses a carriage return, which the specification lets a value have.
proptest! {
    #[test]
    fn names_of_any_characters_are_read_back(server in "[^\r\n]{0,12}", pool in "[a\\\\\"\n{}= ]{0,8}") {
        let (config, counted) = (config(&pool), counted(&server, &pool));
        let text = metrics(&exposed(&config, &counted, &health(&pool), (0, 0)));
        // The reader takes labels as they are written.
        let written = |name: &str| {
            name.replace('\\', "\\\\").replace('\n', "\\n").replace('"', "\\\"")
        };
        let all = read(&text);
        let flows = &all["labsim_forwarder_virtual_server_flows"];
        let (key, _) = flows.first_key_value().unwrap();
        prop_assert!(key[0].1 == server || key[0].1 == written(&server), "{key:?}");
        let (key, _) = all["labsim_forwarder_member_ratio"].first_key_value().unwrap();
        prop_assert!(key[1].1 == pool || key[1].1 == written(&pool), "{key:?}");
    }
}

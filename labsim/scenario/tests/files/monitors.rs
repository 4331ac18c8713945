//! Monitors and the steps that wait for what they find: what can be written, and every error.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{ActionOnDown, MemberState, MonitorKind, Scenario, StepAction};
use std::time::Duration;

/// The small lab's scenario, its pool watched, and a step that waits for a member.
fn scenario(pool: &str) -> String {
    changed(
        SCENARIO,
        &[
            ("p: {profile: ipip, ", &format!("p: {{{pool}, profile: ipip, ")),
            (
                "password: p}}\nconv",
                "password: p}}\n  \
                   wait: {await_member: {node: lb, pool: p, member: 10.1.1.51:49, state: down}}\n\
                 conv",
            ),
        ],
    )
}

fn read(pool: &str) -> Scenario {
    let files = Files::new(TOPOLOGY, &scenario(pool));
    files.load().unwrap_or_else(|diagnostics| panic!("{pool}: {:?}", shown(&diagnostics)))
}

#[test]
fn a_word_has_f5s_defaults_and_the_built_in_servers_secret() {
    for (text, kind, secret) in [
        ("monitor: tcp", MonitorKind::Tcp, None),
        ("monitor: {tacacs: null}", MonitorKind::Tacacs, Some("s")),
        ("monitor: {tacacs: {secret: other}}", MonitorKind::Tacacs, Some("other")),
        ("monitor: icmp", MonitorKind::Icmp, None),
    ] {
        let scenario = read(text);
        let pool = scenario.load_balancers.values().next().unwrap().pools.values().next().unwrap();
        let monitor = pool.monitor.as_ref().unwrap();
        assert_eq!((monitor.kind, monitor.rise, monitor.fall), (kind, 1, 3), "{text}");
        assert_eq!(monitor.interval, Duration::from_secs(5));
        assert_eq!(monitor.timeout, Duration::from_secs(1));
        assert_eq!(
            monitor.secret.as_ref().map(|secret| secret.expose_text()).as_deref(),
            secret,
            "{text}"
        );
        assert_eq!(pool.action_on_down, ActionOnDown::None);
    }
}

#[test]
fn options_are_read_and_a_step_waits_for_a_member() {
    let options = "{interval: 200ms, rise: 2, fall: 4, transparent: true, port: 50}";
    let scenario = read(&format!("action_on_down: reselect, monitor: {{tcp: {options}}}"));
    let pool = scenario.load_balancers.values().next().unwrap().pools.values().next().unwrap();
    let monitor = pool.monitor.clone().unwrap();
    assert_eq!(pool.action_on_down, ActionOnDown::Reselect);
    assert_eq!((monitor.interval, monitor.timeout), {
        let interval = Duration::from_millis(200);
        (interval, interval)
    });
    assert_eq!((monitor.rise, monitor.fall, monitor.port), (2, 4, Some(50)));
    assert!(monitor.transparent);
    let StepAction::AwaitMember { pool, member, state, timeout, .. } = &scenario.steps[1].action
    else {
        panic!("{:?}", scenario.steps[1])
    };
    assert_eq!((pool.as_str(), member.to_string().as_str()), ("p", "10.1.1.51:49"));
    assert_eq!((*state, *timeout), (MemberState::Down, Duration::from_secs(5)));
}

#[test]
fn every_error_has_its_place_and_says_what_to_do() {
    let unwatched = "case.yaml:17:41: the pool `p` has no `monitor`; add one";
    for (pool, expected) in [
        ("monitor: none", vec![unwatched]),
        (
            "monitor: ping",
            vec![
                "case.yaml:7:20: expected one of `none`, `tcp`, `tacacs`, `radius` or `icmp`, found `ping`",
            ],
        ),
        (
            "monitor: {tcp: {}, icmp: {}}",
            vec![
                "case.yaml:7:30: only one of `none`, `tcp`, `tacacs`, `radius` or `icmp` may stand here, and `tcp` does; take this one out",
            ],
        ),
        (
            "monitor: radius",
            vec![
                "case.yaml:7:20: there is no RADIUS server whose secret this monitor could use; write its `secret`",
            ],
        ),
        (
            "action_on_down: reset",
            vec!["case.yaml:7:27: `action_on_down` needs a `monitor`; write one too", unwatched],
        ),
        (
            "monitor: {tcp: {interval: 9ms, rise: 0, fall: 1001, port: 65536, secret: s}}",
            vec![
                "case.yaml:7:37: 9ms is out of range; write 10ms to 86400s, in whole ms",
                "case.yaml:7:48: 0 in a row; write 1 to 1000",
                "case.yaml:7:57: 1001 in a row; write 1 to 1000",
                "case.yaml:7:69: `65536` is out of range; write a whole number from 0 to 65535",
                "case.yaml:7:84: a `tcp` monitor uses no secret; remove this",
            ],
        ),
        (
            "monitor: {icmp: {interval: 1s, timeout: 2, port: 7}}",
            vec![
                "case.yaml:7:51: 2s is out of range; write 1ms to 1s, in whole ms",
                "case.yaml:7:60: ICMP has no ports; remove this",
            ],
        ),
        (
            "monitor: {tcp: {interval: soon, every: 2}}",
            vec![
                "case.yaml:7:37: `soon` is not a time; write one such as `20ms`, in `us`, `ms` or `s`",
                "case.yaml:7:43: …",
            ],
        ),
        (
            "monitor: {radius: {transparent: true, secret: s}}",
            vec![
                "case.yaml:7:43: no UDP virtual server uses the pool, so there is no VIP to probe; remove this",
            ],
        ),
    ] {
        let files = Files::new(TOPOLOGY, &scenario(pool));
        let found = files.load().map_or_else(|diagnostics| shown(&diagnostics), |_| Vec::new());
        assert!(is_as_expected(&found, &expected), "{pool}: {found:#?}");
    }
}

#[test]
fn a_transparent_monitor_needs_a_vip_and_a_port() {
    let watched = scenario("monitor: {tcp: {transparent: true}}");
    for (from, to, expected) in [
        (
            "pool: p}\n    pools",
            "pool: p, translate_address: true}\n    pools",
            "translates addresses: its servers are probed at their own and have no VIP",
        ),
        (
            "destination: 172.16.4.99:49, pool",
            "destination: \"172.16.4.99:any\", pool",
            "`vs` takes every port, so none is probed; write `port`",
        ),
    ] {
        let files = Files::new(TOPOLOGY, &changed(&watched, &[(from, to)]));
        let found = files.load().map_or_else(|diagnostics| shown(&diagnostics), |_| Vec::new());
        assert!(found.iter().any(|line| line.contains(expected)), "{found:#?}");
    }
}

#[test]
fn a_step_waits_for_members_that_there_are_at_forwarders_that_run() {
    let watched = scenario("monitor: tcp");
    for (changes, expected) in [
        (
            &[("member: 10.1.1.51:49, state", "member: 10.1.1.59:49, state")][..],
            "10.1.1.59:49 is not a member at this step; the pool has `10.1.1.51:49` and `10.1.1.52:49`",
        ),
        (&[("pool: p, member", "pool: q, member")], "`lb` has no pool `q`; it has `p`"),
        (
            &[("  wait:", "  kill: {kill_forwarder: {node: lb}}\n  wait:")],
            "`lb`'s forwarder was killed, and runs no monitors; start it first",
        ),
        (&[("state: down", "state: away")], "away"),
    ] {
        let files = Files::new(TOPOLOGY, &changed(&watched, changes));
        let found = files.load().map_or_else(|diagnostics| shown(&diagnostics), |_| Vec::new());
        assert!(found.len() == 1 && found[0].contains(expected), "{changes:?}: {found:#?}");
    }
}

#[test]
fn a_stopped_server_can_keep_its_connections() {
    let stop = |how: &str| {
        let wait = "  wait: {await_member: {node: lb, pool: p, member: 10.1.1.51:49, state: down}}";
        let step = format!("  wait: {{stop_server: {{node: rs1{how}}}}}");
        let files = Files::new(TOPOLOGY, &changed(&scenario("monitor: tcp"), &[(wait, &step)]));
        let StepAction::StopServer { keep_connections, .. } = files.load().unwrap().steps[1].action
        else {
            panic!("no stop")
        };
        keep_connections
    };
    assert!(!stop("") && !stop(", connections: break") && stop(", connections: keep"));
}

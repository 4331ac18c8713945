//! The shipped files: they load, and they demand what the document's captures show.

use labsim_scenario::load;
use labsim_scenario::model::{
    Check, Direction, Expectation, FrameMatch, LoginResult, OuterSource, PointNode, Scenario,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

fn tacacs_ipip() -> Scenario {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    load(&root.join("scenarios/tacacs-ipip.yaml"))
        .unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
        .scenario
}

/// The exchange at `interface` (of the server that answered, if no node is named) and its rows.
fn exchange(
    scenario: &Scenario,
    node: Option<&str>,
    direction: Option<Direction>,
) -> Vec<FrameMatch> {
    let of_point = |expectation: &Expectation| match &expectation.check {
        Check::Exchange { at, direction: way, frames, .. } => {
            let named = match &at.node {
                PointNode::Named(name) => Some(name.as_str()),
                PointNode::RealServerOf(_) => None,
            };
            (named == node && *way == direction).then(|| frames.clone())
        }
        _ => None,
    };
    let mut found = scenario.expectations.iter().filter_map(of_point);
    let frames = found.next().expect("an exchange at this point");
    assert_eq!(found.next(), None);
    frames
}

/// Direction, flags, sequence and acknowledgement numbers, payload.
type Row<Text> = (Direction, Text, Option<u32>, Option<u32>, u32);

fn rows(frames: &[FrameMatch]) -> Vec<Row<String>> {
    let row = |frame: &FrameMatch| {
        (
            frame.direction.unwrap(),
            frame.flags.unwrap().to_string(),
            frame.sequence,
            frame.acknowledgement,
            frame.payload.unwrap(),
        )
    };
    frames.iter().map(row).collect()
}

use Direction::{In, Out};

const FOLDERS: [&str; 4] = ["scenarios", "scenarios/faults", "scenarios/ipv6", "scenarios/tunnels"];

#[test]
fn the_client_is_shown_the_documents_eleven_frames() {
    const ELEVEN: [Row<&str>; 11] = [
        (Out, "S", Some(0), None, 0),
        (In, "S.", Some(0), Some(1), 0),
        (Out, ".", Some(1), Some(1), 0),
        (Out, "P.", Some(1), Some(1), 26),
        (In, ".", Some(1), Some(27), 0),
        (In, "P.", Some(1), Some(27), 28),
        (Out, "P.", Some(27), Some(29), 23),
        (In, "P.", Some(29), Some(50), 18),
        (In, "F.", Some(47), Some(50), 0),
        (Out, ".", Some(50), Some(48), 0),
        (Out, "R.", Some(50), Some(48), 0),
    ];
    let frames = exchange(&tacacs_ipip(), Some("client"), None);
    let eleven =
        ELEVEN.map(|(way, flags, seq, ack, payload)| (way, flags.to_owned(), seq, ack, payload));
    assert_eq!(rows(&frames), eleven);
    for frame in frames {
        let source = if frame.direction == Some(Out) { "192.168.11.201" } else { "172.16.4.99" };
        assert_eq!(frame.source.unwrap().to_string(), source);
        assert_eq!(frame.ttl, Some(if frame.direction == Some(Out) { 128 } else { 63 }));
        assert_eq!(frame.outer, Some(None));
    }
}

#[test]
fn the_load_balancer_is_shown_six_packets_in_and_six_in_the_tunnel() {
    let scenario = tacacs_ipip();
    let inward = exchange(&scenario, Some("lb"), Some(In));
    assert_eq!(
        inward.iter().filter_map(|frame| frame.length).collect::<Vec<_>>(),
        [52, 40, 66, 63, 40, 40]
    );
    assert!(inward.iter().all(|frame| frame.ttl == Some(127) && frame.outer == Some(None)));

    let outward = exchange(&scenario, Some("lb"), Some(Out));
    let outer: Vec<_> = outward.iter().map(|frame| frame.outer.clone().unwrap().unwrap()).collect();
    assert_eq!(
        outer.iter().filter_map(|outer| outer.length).collect::<Vec<_>>(),
        [72, 60, 86, 83, 60, 60]
    );
    assert!(outward.iter().all(|frame| frame.ttl == Some(126)));
    for outer in outer {
        assert_eq!(outer.source.unwrap().to_string(), "192.168.11.201");
        assert_eq!(outer.destination.unwrap().to_string(), "10.1.1.51 or 10.1.1.52 or 10.1.1.53");
        assert_eq!((outer.ttl, outer.tos, outer.dont_fragment), (Some(255), Some(0), Some(true)));
        assert_eq!(outer.protocol, Some(4));
    }
}

#[test]
fn the_server_is_shown_six_packets_from_the_tunnel_and_five_answers() {
    let frames = exchange(&tacacs_ipip(), None, None);
    let (inward, outward): (Vec<_>, Vec<_>) =
        frames.into_iter().partition(|frame| frame.direction == Some(In));
    assert_eq!((inward.len(), outward.len()), (6, 5));
    for frame in inward {
        let outer = frame.outer.unwrap().unwrap();
        assert_eq!((outer.ttl, frame.ttl), (Some(254), Some(126)));
        assert_eq!(outer.length, frame.length.map(|length| length + 20));
    }
    for frame in outward {
        assert_eq!((frame.ttl, frame.outer), (Some(64), Some(None)));
    }
}

#[test]
fn the_rest_of_the_documents_story_is_demanded() {
    let scenario = tacacs_ipip();
    let checks: Vec<&Check> = scenario.expectations.iter().map(|one| &one.check).collect();
    let vip = "172.16.4.99".parse().ok();
    assert!(checks.iter().any(|check| matches!(
        check,
        Check::Answer { result: LoginResult::Pass, source, .. } if *source == vip
    )));
    assert!(checks.iter().any(|check| matches!(
        check,
        Check::ServerSaw { client, .. } if client.to_string() == "192.168.11.201"
    )));
    assert!(checks.iter().any(|check| matches!(
        check,
        Check::AnsweredBy { nodes, .. } if nodes.len() == 3
    )));
    assert!(checks.iter().any(|check| matches!(
        check,
        Check::Frames { at, matching, count: labsim_scenario::model::Count::Exactly(0) }
            if at.interface.as_str() == "eth0"
                && matching.source == vip.map(Into::into)
    )));
}

#[test]
fn the_lab_is_the_documents() {
    let scenario = tacacs_ipip();
    let names: Vec<&str> = scenario.topology.nodes.iter().map(|node| node.name.as_str()).collect();
    assert_eq!(names, ["client", "router", "lb", "rs1", "rs2", "rs3"]);
    for node in scenario.topology.nodes.iter().filter(|node| !node.forward) {
        let interfaces: Vec<&str> =
            node.interfaces.iter().map(|interface| interface.name.as_str()).collect();
        assert_eq!(interfaces, ["eth0"], "{}", node.name);
        assert_eq!(node.routes.len(), 1, "{} has its default route", node.name);
        assert_eq!(node.routes[0].destination.to_string(), "0.0.0.0/0");
    }
    let router = &scenario.topology.nodes[1];
    assert!(router.forward);
    assert_eq!(router.routes[0].destination.to_string(), "172.16.4.99/32");
    assert_eq!(router.routes[0].via, [IpAddr::from([172, 16, 0, 10])]);

    let (_, balancer) = scenario.load_balancers.first_key_value().unwrap();
    assert_eq!(balancer.outer_source, OuterSource::Client);
    assert!(balancer.virtual_servers.values().next().unwrap().fastl4.loose_initiation);
    let own: Vec<String> = scenario
        .real_servers
        .values()
        .map(|server| server.tunnels[0].address.unwrap().to_string())
        .collect();
    assert_eq!(own, ["10.1.1.51", "10.1.1.52", "10.1.1.53"]);
    for server in scenario.real_servers.values() {
        assert_eq!(server.tunnels[0].name.as_str(), "tunl0");
        assert_eq!(server.vips[0].label.as_deref(), Some("lo:0"));
        let settings: Vec<(&str, &str)> = server
            .sysctls
            .iter()
            .map(|(key, setting)| (key.as_str(), setting.value.as_str()))
            .collect();
        assert_eq!(
            settings,
            [
                ("net.ipv4.conf.all.arp_announce", "2"),
                ("net.ipv4.conf.all.arp_ignore", "3"),
                ("net.ipv4.conf.all.rp_filter", "2"),
                ("net.ipv4.conf.tunl0.rp_filter", "0"),
            ]
        );
    }
}

#[test]
fn every_shipped_topology_loads() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../topologies");
    let mut loaded = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            labsim_scenario::load_topology(&path)
                .unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
            loaded += 1;
        }
    }
    assert!(loaded > 0);
}

/// The files of a folder by their names without the ending.
fn files(folder: &str) -> BTreeMap<String, PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|ending| ending == "yaml"));
    yaml.map(|path| (path.file_stem().unwrap().to_string_lossy().into_owned(), path)).collect()
}

#[test]
fn every_shipped_scenario_loads_and_only_faults_on_purpose_are_warned_of() {
    let mut warned = Vec::new();
    for (name, path) in FOLDERS.into_iter().flat_map(files) {
        let loaded = load(&path).unwrap_or_else(|diagnostics| panic!("{diagnostics}"));
        assert!(!loaded.scenario.tags.is_empty(), "{name} has no tag to select it by");
        // Whatever a lesson about a fault does wrong is on purpose.
        if !path.parent().unwrap().ends_with("faults") {
            let codes = loaded.warnings.iter().map(|warning| warning.code.name());
            warned.extend(codes.map(|code| (name.clone(), code)));
        }
    }
    let expected = [
        ("forget-flows", "deliberate-fault"),
        ("icmp-by-outer", "deliberate-fault"),
        ("no-size-check", "deliberate-fault"),
        ("port-translation", "dsr-broken"),
        ("raw-checksums", "deliberate-fault"),
    ];
    assert!(warned.iter().map(|(name, code)| (name.as_str(), *code)).eq(expected), "{warned:?}");
}

#[test]
fn the_documents_whole_story_is_there() {
    let names: Vec<String> = files("scenarios").into_keys().collect();
    for name in [
        "snat",
        "snat-client-refused",
        "dnat-without-snat",
        "no-tunnel",
        "tacacs-ipip",
        "tacacs-ipip-egress",
        "tacacs-gre",
        "l2-dsr",
        "l2-dsr-arp",
        "radius-ipip",
        "radius-gre",
        "radius-wrong-source",
        "radius-fragments",
        "icmp-to-owner",
        "many-logins",
        "failover",
        "failover-strict",
        "port-translation",
    ] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
}

#[test]
fn a_shipped_file_is_a_lesson_of_less_than_60_lines() {
    let folders =
        FOLDERS.iter().flat_map(|folder| [(*folder).to_owned(), format!("{folder}/parts")]);
    for (name, path) in folders.flat_map(|folder| files(&folder)) {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() < 60, "{name}");
        let comment = text.lines().skip(1).take_while(|line| line.starts_with('#'));
        assert!(comment.map(|line| line.len()).sum::<usize>() > 60, "{name} says what it is about");
    }
}

/// What `ci/faults` relies on.
#[test]
fn a_lesson_about_a_fault_marks_it_and_expects_its_diagnosis() {
    for (name, path) in files("scenarios/faults") {
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.lines().count() < 40, "{name}");
        assert!(text.lines().any(|line| line.ends_with(" # the fault")), "{name}");
        let comment = text.lines().skip(1).take_while(|line| line.starts_with('#'));
        let comment: String = comment.map(|line| line.trim_start_matches('#')).collect();
        assert!(comment.contains("In the field: ") && comment.contains("The fix: "), "{name}");
        let scenario = load(&path).unwrap().scenario;
        let checks = scenario.expectations.iter().map(|expectation| &expectation.check);
        assert!(checks.into_iter().any(|it| matches!(it, Check::Diagnosis { .. })), "{name}");
        let runs = |step: &labsim_scenario::model::Step| {
            matches!(step.action, labsim_scenario::model::StepAction::Run(_))
        };
        assert!(scenario.processes.is_empty() && !scenario.steps.iter().any(runs), "{name}");
        for tag in ["fault", "diagnosis"] {
            assert!(scenario.tags.iter().any(|it| it.as_str() == tag), "{name}");
        }
    }
}

#[test]
fn every_part_is_used() {
    for folder in FOLDERS {
        let parts = format!("{folder}/parts");
        let texts: Vec<String> = files(folder)
            .values()
            .chain(files(&parts).values())
            .map(|path| std::fs::read_to_string(path).unwrap())
            .collect();
        for name in files(&parts).keys() {
            let used = |text: &String| {
                text.contains(&format!("extends: parts/{name}.yaml"))
                    || text.contains(&format!("extends: {name}.yaml"))
            };
            assert!(texts.iter().any(used), "{name}");
        }
    }
}

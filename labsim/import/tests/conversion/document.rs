//! The stanzas of the document that the project started from.

use crate::common::{load, places};
use labsim_import::{Imported, Source, f5};
use labsim_scenario::model::{Check, LoginResult, NodeName, Profile};

/// The configuration of its chapter on F5, comments behind values and all.
const STANZAS: &str = include_str!("../document.conf");

fn imported() -> Imported {
    f5::import(&[Source::new("document.conf", STANZAS)]).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_load_balancer_is_that_of_the_shipped_scenario() {
    let ours = load(&imported());
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/tacacs-ipip.yaml");
    let shipped = labsim_scenario::load(std::path::Path::new(shipped))
        .unwrap_or_else(|error| panic!("{error}"));
    let shipped = shipped.scenario;
    assert_eq!(format!("{:?}", ours.load_balancers), format!("{:?}", shipped.load_balancers));
    let addresses = |scenario: &labsim_scenario::model::Scenario| {
        let nodes = scenario.topology.nodes.iter();
        let mut addresses: Vec<String> =
            nodes.map(|node| format!("{} {:?}", node.name, node.interfaces)).collect();
        addresses.sort();
        addresses
    };
    assert_eq!(addresses(&ours), addresses(&shipped));
}

#[test]
fn the_real_servers_are_those_of_the_document() {
    let scenario = load(&imported());
    let server = &scenario.real_servers[&NodeName::new("rs2").unwrap()];
    let tunnel = &server.tunnels[0];
    assert_eq!(tunnel.name.as_str(), "tunl0");
    assert_eq!(tunnel.address, Some("10.1.1.52".parse().unwrap()));
    assert_eq!(server.vips[0].address.to_string(), "172.16.4.99");
    let sysctls: Vec<String> =
        server.sysctls.iter().map(|(key, setting)| format!("{key}={}", setting.value)).collect();
    assert_eq!(
        sysctls,
        [
            "net.ipv4.conf.all.arp_announce=2",
            "net.ipv4.conf.all.arp_ignore=3",
            "net.ipv4.conf.all.rp_filter=2",
            "net.ipv4.conf.tunl0.rp_filter=0"
        ]
    );
    let pool = scenario.load_balancers.values().next().unwrap().pools.values().next().unwrap();
    assert_eq!(pool.profile, Profile::Ipip);
}

#[test]
fn direct_server_return_is_what_is_expected() {
    let scenario = load(&imported());
    let checks: Vec<&Check> = scenario.expectations.iter().map(|one| &one.check).collect();
    let [login, saw, each, answered, frames] = checks.as_slice() else { panic!("{checks:?}") };
    assert!(matches!(
        login,
        Check::Answer { result: LoginResult::Pass, source: Some(vip), .. }
            if vip.to_string() == "172.16.4.99"
    ));
    assert!(
        matches!(saw, Check::ServerSaw { client, .. } if client.to_string() == "192.168.11.201")
    );
    assert!(matches!(each, Check::Distribution { nodes, .. } if nodes.len() == 3));
    assert!(matches!(answered, Check::AnsweredBy { nodes, .. } if nodes.len() == 3));
    assert!(matches!(frames, Check::Frames { .. }));
}

#[test]
fn only_bookkeeping_is_left_out_and_nothing_is_warned_about() {
    let imported = imported();
    assert_eq!(places(&imported.not_imported), ["36: ltm virtual vs_tacacs-test_49: vs-index"]);
    assert_eq!(imported.warnings, []);
}

//! What a file says about a flood, and every error in it.

use crate::common::{Files, SCENARIO, TOPOLOGY, changed, is_as_expected, shown};
use labsim_scenario::model::{Flood, IpProtocol, StepAction};
use std::time::Duration;

/// The valid scenario with a flood on line 17.
fn with(keys: &str) -> String {
    let flood = "conversations:\n";
    let step = format!("  many: {{flood: {{{keys}}}}}\n{flood}");
    changed(SCENARIO, &[(flood, step.as_str())])
}

fn flood(keys: &str) -> Flood {
    let scenario = Files::new(TOPOLOGY, &with(keys)).load().unwrap();
    let StepAction::Flood(flood) = &scenario.steps[1].action else { panic!("no flood") };
    (**flood).clone()
}

#[test]
fn a_flood_is_of_syns_from_the_prefix_for_benchmarks_unless_the_file_says_otherwise() {
    let usual =
        flood("from: router, to: 172.16.4.99:49, packets_per_second: 1000, duration: 1500ms");
    assert_eq!((usual.protocol, usual.seed, usual.packets()), (IpProtocol::Tcp, 0, 1500));
    assert_eq!(usual.sources.to_string(), "198.18.0.0/15");
    let other = flood(
        "from: router, to: 172.16.4.99:49, ip_protocol: udp, packets_per_second: 10, duration: 1s, \
         sources: 192.0.2.0/24, seed: 3",
    );
    assert_eq!((other.protocol, other.seed), (IpProtocol::Udp, 3));
    assert_eq!(
        (other.sources.to_string(), other.duration),
        ("192.0.2.0/24".into(), Duration::from_secs(1))
    );
}

#[test]
fn every_mistake_is_reported_at_once() {
    let text = with(
        "from: lb, to: 172.16.4.98:49, packets_per_second: 0, duration: 2m, sources: 10.1.0.0/16",
    );
    let found = shown(&Files::new(TOPOLOGY, &text).load().unwrap_err());
    let expected = [
        "case.yaml:17:32: no node has 172.16.4.98; name a virtual server's destination, or an address of a node",
        "case.yaml:17:68: 0 packets a second; write 1 to 2000000",
        "case.yaml:17:81: `2m` is not a time; write one such as `20ms`, in `us`, `ms` or `s`",
        "case.yaml:17:94: 10.1.1.1 of 10.1.0.0/16 is a node's; name a prefix that no node has an address of",
    ];
    assert!(is_as_expected(&found, &expected), "{found:#?}");
    let text = with(
        "from: router, to: 172.16.4.99:49, packets_per_second: 1, duration: 61s, sources: 2001:db8::/32",
    );
    let found = shown(&Files::new(TOPOLOGY, &text).load().unwrap_err());
    let expected = [
        "case.yaml:17:85: a flood of 61s; write a time up to 60s",
        "case.yaml:17:99: 2001:db8::/32 is not of the family of 172.16.4.99:49; give both the same",
    ];
    assert!(is_as_expected(&found, &expected), "{found:#?}");
}

//! A kernel's counters, and a tunnel device's.

use crate::lab::Lab;
use crate::scenario::{interface, node, scenario};
use labsim_scenario::model::{Check, Count};
use labsim_verdict::{ExpectationResult, judge};

fn judged(device: Option<&str>, counter: &str, count: Count) -> ExpectationResult {
    let mut lab = Lab::new();
    let known = ["IpInAddrErrors", "IpInUnknownProtos"].map(str::to_owned);
    lab.seen.known_counters.extend(known);
    lab.rose("rs1", "IpInAddrErrors", 2);
    let devices = lab.seen.device_counters.entry(node("rs1")).or_default();
    devices.insert(interface("tunl0"), [("rx_errors".to_owned(), 1)].into());
    let (device, counter) = (device.map(interface), counter.to_owned());
    let check = Check::Kernel { node: node("rs1"), device, counter, count };
    judge(&scenario(vec![check]), &lab.seen).expectations.remove(0)
}

#[test]
fn a_counters_rise_is_compared() {
    for (device, counter, count, passed) in [
        (None, "IpInAddrErrors", Count::Exactly(2), true),
        (None, "IpInAddrErrors", Count::Exactly(1), false),
        (None, "IpInAddrErrors", Count::AtLeast(1), true),
        (None, "IpInAddrErrors", Count::AtLeast(3), false),
        (None, "IpInUnknownProtos", Count::Exactly(0), true),
        (None, "IpInUnknownProtos", Count::AtLeast(1), false),
        (Some("tunl0"), "rx_errors", Count::Exactly(1), true),
        (Some("tunl0"), "rx_errors", Count::Exactly(0), false),
        (Some("tunl0"), "rx_packets", Count::Exactly(0), true),
    ] {
        assert_eq!(judged(device, counter, count).passed, passed, "{counter} {count:?}");
    }
}

#[test]
fn a_counter_that_the_kernel_does_not_have_proves_nothing() {
    let judgement = judged(None, "IpInAdrErrors", Count::Exactly(0));
    assert!(!judgement.passed);
    assert!(judgement.seen[0].contains("has no counter IpInAdrErrors"), "{judgement:?}");
    let judgement = judged(Some("gre0"), "rx_errors", Count::Exactly(0));
    assert!(!judgement.passed);
    assert_eq!(judgement.seen, ["the counters of rs1:gre0 were not read"]);
}

#[test]
fn what_rose_instead_is_shown() {
    let judgement = judged(None, "IpInUnknownProtos", Count::Exactly(1));
    assert_eq!(judgement.expected, ["IpInUnknownProtos of rs1 rises by 1"]);
    assert_eq!(
        judgement.seen,
        ["IpInUnknownProtos of rs1 rose by 0", "all that rose: IpInAddrErrors 2"]
    );
}

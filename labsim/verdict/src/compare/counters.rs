//! Compares kernel counters: those of what went wrong, and the tunnel devices'.
//!
//! What counts every packet (`IpInReceives`, `TcpInSegs`) is left to the frames: a delayed
//! acknowledgement is enough to change it.

use super::points::Aside;
use super::{Difference, SavedRun};
use labsim_scenario::model::{InterfaceName, NodeName};
use std::collections::{BTreeMap, BTreeSet};

/// Counters under the names of nstat(8), or what they begin with (`*`).
const COMPARED: [&str; 60] = [
    "IpInHdrErrors",
    "IpInAddrErrors",
    "IpInUnknownProtos",
    "IpInDiscards",
    "IpOutDiscards",
    "IpOutNoRoutes",
    "IpReasm*",
    "IpFrag*",
    "IpExtInNoRoutes",
    "IpExtInTruncatedPkts",
    "IpExtInCsumErrors",
    "IpExtInECT0Pkts",
    "IpExtInECT1Pkts",
    "IpExtInCEPkts",
    "IpExtReasmOverlaps",
    "IcmpInErrors",
    "IcmpInCsumErrors",
    "IcmpOutErrors",
    "IcmpInDestUnreachs",
    "IcmpInTimeExcds",
    "IcmpInParmProbs",
    "IcmpInRedirects",
    "IcmpOutDestUnreachs",
    "IcmpOutTimeExcds",
    "IcmpOutParmProbs",
    "IcmpOutRedirects",
    "Ip6InHdrErrors",
    "Ip6InTooBigErrors",
    "Ip6InNoRoutes",
    "Ip6InAddrErrors",
    "Ip6InUnknownProtos",
    "Ip6InTruncatedPkts",
    "Ip6InDiscards",
    "Ip6OutDiscards",
    "Ip6OutNoRoutes",
    "Ip6Reasm*",
    "Ip6Frag*",
    "Ip6InECT0Pkts",
    "Ip6InECT1Pkts",
    "Ip6InCEPkts",
    "Icmp6InErrors",
    "Icmp6InCsumErrors",
    "Icmp6OutErrors",
    "Icmp6InDestUnreachs",
    "Icmp6InPktTooBigs",
    "Icmp6InTimeExcds",
    "Icmp6InParmProblems",
    "Icmp6OutDestUnreachs",
    "Icmp6OutPktTooBigs",
    "Icmp6OutTimeExcds",
    "Icmp6OutParmProblems",
    "TcpInErrs",
    "TcpInCsumErrors",
    "TcpExtIPReversePathFilter",
    "UdpNoPorts",
    "UdpInErrors",
    "UdpInCsumErrors",
    "Udp6NoPorts",
    "Udp6InErrors",
    "Udp6InCsumErrors",
];

/// A tunnel device's counters that count packets, whatever became of them.
const TRAFFIC: [&str; 2] = ["rx_packets", "rx_bytes"];

/// Compares all counters. Where timers had another number of packets sent, a counter of the node
/// has to be zero, or not, in both runs.
pub(super) fn compare(
    runs: &[&SavedRun; 2],
    aside: &BTreeMap<String, Aside>,
    to: &mut Vec<Difference>,
) {
    let nodes = |run: &SavedRun| run.observations.kernel_counters.keys().cloned().collect();
    let nodes: BTreeSet<NodeName> = runs.iter().flat_map(|run| -> Vec<_> { nodes(run) }).collect();
    for node in nodes {
        let begins = format!("{node}:");
        let mut own = aside.iter().filter(|(point, _)| point.starts_with(&begins));
        let by_zero = own.any(|(_, aside)| aside.packets[0] != aside.packets[1]);
        let protocols = runs.map(|run| run.observations.kernel_counters.get(&node));
        rising(protocols, is_compared, by_zero, |counter, rose| {
            let (node, counter) = (node.clone(), counter.clone());
            to.push(Difference::Counter { node, device: None, counter, rose });
        });
        let devices = runs.map(|run| run.observations.device_counters.get(&node));
        let names: BTreeSet<&InterfaceName> =
            devices.iter().flatten().flat_map(|devices| devices.keys()).collect();
        for device in names {
            let counters = devices.map(|devices| devices.and_then(|it| it.get(device)));
            let aside = aside.get(&format!("{node}:{device}"));
            let by_frames = aside.is_some_and(|aside| aside.all[0] != aside.all[1]);
            let compared = |name: &str| !(by_frames && TRAFFIC.contains(&name));
            rising(counters, compared, by_zero, |counter, rose| {
                let (node, counter) = (node.clone(), counter.clone());
                let device = Some(device.clone());
                to.push(Difference::Counter { node, device, counter, rose });
            });
        }
    }
}

fn rising(
    counters: [Option<&BTreeMap<String, u64>>; 2],
    is_compared: impl Fn(&str) -> bool,
    by_zero: bool,
    mut tell: impl FnMut(&String, [u64; 2]),
) {
    let names: BTreeSet<&String> =
        counters.iter().flatten().flat_map(|counters| counters.keys()).collect();
    for name in names.into_iter().filter(|name| is_compared(name)) {
        let rose = counters.map(|counters| counters.and_then(|it| it.get(name)).copied());
        let rose = rose.map(Option::unwrap_or_default);
        let same = if by_zero { (rose[0] == 0) == (rose[1] == 0) } else { rose[0] == rose[1] };
        if !same {
            tell(name, rose);
        }
    }
}

fn is_compared(name: &str) -> bool {
    COMPARED.iter().any(|known| match known.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == *known,
    })
}

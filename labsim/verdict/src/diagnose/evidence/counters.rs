//! What the counters of kernels and forwarders show.

use crate::diagnose::{Cause, Evidence, Subject, Trace};
use crate::forwarder;
use labsim_wire::checksum::ChecksumState;

/// The forwarder's outcomes that end a packet's way, and what each means.
const DROPS: [(&str, &str); 42] = [
    ("no_virtual_address", "its destination is no VIP"),
    ("no_virtual_server", "no virtual server takes that protocol and port"),
    ("protocol_not_handled", "it handles TCP, UDP and ICMP only"),
    ("already_tunnelled", "it comes out of a tunnel, and the forwarder is no tunnel's end"),
    ("fragment_not_handled", "a fragment that is neither TCP's nor UDP's"),
    ("fragment_malformed", "a fragment whose length or place is impossible"),
    ("fragment_too_small", "a first fragment without its whole TCP or UDP header"),
    ("fragment_overlap", "a fragment that lies over its datagram's first"),
    ("fragment_refused", "a fragment whose first did not go on"),
    ("fragment_without_first", "a fragment whose first did not come"),
    ("fragment_queue_overflow", "too many fragments waited for their first"),
    ("ttl_exceeded", "its TTL, or hop limit, ended there"),
    ("fragmentation_needed", "too long for the tunnel, and DF is set"),
    ("packet_too_big", "an IPv6 packet that is too long for the tunnel"),
    ("no_flow", "no SYN came before it, and loose initiation is off"),
    ("no_translated_flow", "its address and port stand in for no client"),
    ("snat_ports_exhausted", "no port is free to stand in for its client"),
    ("flow_table_full", "the flow table is full"),
    ("no_member_reachable", "no member of the pool is up and reachable"),
    ("member_down", "its member is down, and the pool resets such flows"),
    ("no_route", "it has no route to the member"),
    ("neighbour_unreachable", "the next hop does not answer"),
    ("neighbour_queue_overflow", "too many packets waited for the next hop"),
    ("neighbour_table_full", "the neighbour table is full"),
    ("transmit_full", "there was no room to send it"),
    ("transport_checksum", "its TCP or UDP checksum is wrong"),
    ("reset_without_flow", "a RST of a flow that it does not have"),
    ("transport_header_malformed", "its TCP or UDP header is malformed"),
    ("ipv4_header_malformed", "its IPv4 header is malformed"),
    ("ipv4_header_checksum", "its IPv4 header's checksum is wrong"),
    ("ipv4_length_mismatch", "its IPv4 length does not fit the frame"),
    ("ipv4_source_martian", "no single host can have its source address"),
    ("ipv4_source_route", "it carries source routing options"),
    ("ipv6_header_malformed", "its IPv6 header is malformed"),
    ("ipv6_length_mismatch", "its IPv6 length does not fit the frame"),
    ("ipv6_source_martian", "no single host can have its source address"),
    ("ipv6_extension_malformed", "its IPv6 extension headers are malformed"),
    ("ipv6_source_route", "it carries a routing header that leads elsewhere"),
    ("not_addressed_to_us", "its link-layer destination is another host"),
    ("socket_dropped", "the capture of the forwarder's socket had no room for it"),
    ("socket_oversized", "it is longer than the forwarder's socket takes"),
    ("socket_send_errors", "the kernel refused to send it"),
];

/// The kernel's counters of one IP, by what they say.
struct Names {
    unknown_protocols: &'static str,
    address_errors: &'static str,
    no_routes: &'static [&'static str],
}

const IPV4: Names = Names {
    unknown_protocols: "IpInUnknownProtos",
    address_errors: "IpInAddrErrors",
    no_routes: &["IpInNoRoutes", "InNoRoutes", "IpOutNoRoutes"],
};
const IPV6: Names = Names {
    unknown_protocols: "Ip6InUnknownProtos",
    address_errors: "Ip6InAddrErrors",
    no_routes: &["Ip6InNoRoutes", "Ip6OutNoRoutes"],
};

/// The kernel counters of the node that took the packet in and let nothing out.
pub(super) fn at_last_node(subject: &Subject<'_>, trace: &Trace) -> Vec<Evidence> {
    let node = &trace.last_node;
    let Some(last) = subject.case.frames.get(trace.last) else { return Vec::new() };
    let Some(packet) = last.decoded.packet() else { return Vec::new() };
    // What that node's IP layer looks at is the outermost header.
    let header = &packet.outermost;
    let names = if header.destination.is_ipv4() { &IPV4 } else { &IPV6 };
    let mut found = Vec::new();
    if packet.outer().is_some()
        && let Some(count) = subject.counter(node, names.unknown_protocols)
    {
        let (ipv4, protocol) = (header.destination.is_ipv4(), header.protocol);
        let cause = Cause::NoDecapsulator { node: node.clone(), ipv4, protocol, count };
        found.push(subject.evidence(cause, &trace.at_last));
    }
    if let Some(count) = subject.counter(node, "IPReversePathFilter") {
        let cause = Cause::ReversePathFilter {
            node: node.clone(),
            source: header.source,
            interface: subject
                .case
                .frames
                .point(last.record.point)
                .map_or_else(String::new, |point| point.interface.to_string()),
            count,
        };
        found.push(subject.evidence(cause, &trace.at_last));
    }
    found.extend(checksums(subject, trace));
    if header.destination == subject.flow.source.ip() && node == subject.client {
        // It is the client's own address: nothing else keeps it from taking the packet.
        return found;
    }
    if let Some(count) = subject.counter(node, names.address_errors) {
        let cause =
            Cause::AddressMissing { node: node.clone(), address: header.destination, count };
        found.push(subject.evidence(cause, &trace.at_last));
    }
    if let Some(count) = names.no_routes.iter().find_map(|name| subject.counter(node, name)) {
        let cause = Cause::NoRoute { node: node.clone(), destination: header.destination, count };
        found.push(subject.evidence(cause, &trace.at_last));
    }
    found
}

fn checksums(subject: &Subject<'_>, trace: &Trace) -> Option<Evidence> {
    let count = subject.counter(&trace.last_node, "TcpInCsumErrors")?;
    let state = |wanted: ChecksumState| -> Vec<usize> {
        let has = |index: &&usize| {
            let frame = subject.case.frames.get(**index);
            frame.and_then(|frame| frame.decoded.tcp().map(|tcp| tcp.checksum)) == Some(wanted)
        };
        trace.at_last.iter().filter(has).copied().collect()
    };
    let half_made = state(ChecksumState::HalfMade);
    let bad = state(ChecksumState::Bad);
    // The counter alone may be about other segments: the captured ones have to be wrong too.
    if half_made.is_empty() && bad.is_empty() {
        return None;
    }
    let cause = Cause::Checksum { node: trace.last_node.clone(), half_made: bad.is_empty(), count };
    Some(subject.evidence(cause, if bad.is_empty() { &half_made } else { &bad }))
}

/// The counters of the load balancer that took the packet in and let nothing out. Their names
/// may stand within longer ones, parted by dots: `outcomes.no_flow`.
pub(super) fn forwarder(subject: &Subject<'_>, trace: &Trace) -> Vec<Evidence> {
    let Some(counters) = subject.case.observations.forwarder_counters.get(&trace.last_node) else {
        return Vec::new();
    };
    DROPS
        .iter()
        .filter_map(|(outcome, meaning)| {
            let count = Some(forwarder::value(counters, outcome)).filter(|count| *count > 0)?;
            let cause = Cause::ForwarderDropped {
                node: trace.last_node.clone(),
                outcome: (*outcome).to_owned(),
                meaning,
                count,
            };
            Some(subject.evidence(cause, &trace.at_last))
        })
        .collect()
}

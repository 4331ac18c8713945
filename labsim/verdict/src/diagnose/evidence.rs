//! Looks for what shows why packets did not arrive: counters, ICMP errors, RSTs, answers.

use super::{Cause, Evidence, Subject, Trace, way};
use crate::frames::Frame;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::arp;
use labsim_wire::checksum::ChecksumState;
use labsim_wire::decode::{Content, IpHeader, Packet, icmp_name};
use labsim_wire::tcp::Flags;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The forwarder's outcomes that end a packet's way, and what each means.
const DROPS: [(&str, &str); 24] = [
    ("no_virtual_address", "its destination is no VIP"),
    ("no_virtual_server", "no virtual server takes that protocol and port"),
    ("protocol_not_handled", "it handles TCP, UDP and ICMP only"),
    ("fragment_not_supported_yet", "it cannot choose a member for a fragment"),
    ("ttl_exceeded", "the TTL ended there"),
    ("fragmentation_needed", "too long for the tunnel, and DF is set"),
    ("no_flow", "no SYN came before it, and loose initiation is off"),
    ("flow_table_full", "the flow table is full"),
    ("no_member_reachable", "no member of the pool is reachable"),
    ("no_route", "it has no route to the member"),
    ("neighbour_unreachable", "the next hop does not answer"),
    ("neighbour_queue_overflow", "too many packets waited for the next hop"),
    ("neighbour_table_full", "the neighbour table is full"),
    ("transmit_full", "there was no room to send it"),
    ("transport_header_malformed", "its TCP or UDP header is malformed"),
    ("ipv4_header_malformed", "its IPv4 header is malformed"),
    ("ipv4_header_checksum", "its IPv4 header's checksum is wrong"),
    ("ipv4_length_mismatch", "its IPv4 length does not fit the frame"),
    ("ipv4_source_martian", "no single host can have its source address"),
    ("ipv4_source_route", "it carries source routing options"),
    ("not_addressed_to_us", "its link-layer destination is another host"),
    ("socket_dropped", "the capture of the forwarder's socket had no room for it"),
    ("socket_oversized", "it is longer than the forwarder's socket takes"),
    ("socket_send_errors", "the kernel refused to send it"),
];

/// Everything that shows something, the likeliest cause first.
pub(super) fn collect(
    subject: &Subject<'_>,
    forward: Option<&Trace>,
    back: Option<&Trace>,
) -> Vec<Evidence> {
    let mut found = Vec::new();
    for trace in [forward, back].into_iter().flatten() {
        if trace.last_direction == Direction::In {
            found.extend(at_last_node(subject, trace));
            found.extend(forwarder(subject, trace));
        }
    }
    let last = |trace: Option<&Trace>| trace.map(|trace| trace.last_node.clone());
    for node in [last(forward), last(back)].into_iter().flatten().collect::<BTreeSet<_>>() {
        found.extend(silent_neighbours(subject, &node));
    }
    found.extend(icmp_errors(subject));
    found.extend(resets(subject));
    found.extend(other_sources(subject));
    found.extend(back.and_then(|trace| answers_lost(subject, trace)));
    found
}

/// The kernel counters of the node that took the packet in and let nothing out.
fn at_last_node(subject: &Subject<'_>, trace: &Trace) -> Vec<Evidence> {
    let node = &trace.last_node;
    let Some(last) = subject.case.frames.get(trace.last) else { return Vec::new() };
    let Some(packet) = last.decoded.packet() else { return Vec::new() };
    // What that node's IP layer looks at is the outermost header.
    let header = &packet.outermost;
    let mut found = Vec::new();
    if packet.outer().is_some()
        && let Some(count) = subject.counter(node, "IpInUnknownProtos")
    {
        let cause = Cause::NoDecapsulator { node: node.clone(), protocol: header.protocol, count };
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
    if let Some(count) = subject.counter(node, "IpInAddrErrors") {
        let cause =
            Cause::AddressMissing { node: node.clone(), address: header.destination, count };
        found.push(subject.evidence(cause, &trace.at_last));
    }
    let routes = ["IpInNoRoutes", "InNoRoutes", "IpOutNoRoutes"];
    if let Some(count) = routes.iter().find_map(|name| subject.counter(node, name)) {
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
fn forwarder(subject: &Subject<'_>, trace: &Trace) -> Vec<Evidence> {
    let Some(counters) = subject.case.observations.forwarder_counters.get(&trace.last_node) else {
        return Vec::new();
    };
    let count_of = |outcome: &str| {
        let named = |name: &str| name.split('.').any(|part| part == outcome);
        counters.iter().filter(|(name, _)| named(name)).map(|(_, count)| *count).max()
    };
    DROPS
        .iter()
        .filter_map(|(outcome, meaning)| {
            let count = count_of(outcome).filter(|count| *count > 0)?;
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

/// Addresses that the node asked for by ARP without ever getting an answer.
fn silent_neighbours(subject: &Subject<'_>, node: &NodeName) -> Vec<Evidence> {
    let mut asked: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    let mut answered: BTreeSet<IpAddr> = BTreeSet::new();
    for frame in subject.case.frames.all() {
        let Content::Arp(packet) = &frame.decoded.content else { continue };
        if subject.case.frames.node(&frame) != Some(node) {
            continue;
        }
        match (packet.operation, frame.record.direction) {
            (arp::operation::REQUEST, Direction::Out) => {
                asked.entry(packet.target_ip.into()).or_default().push(frame.index);
            }
            (_, Direction::In) => {
                answered.insert(packet.sender_ip.into());
            }
            _ => {}
        }
    }
    asked
        .into_iter()
        .filter(|(address, _)| !answered.contains(address))
        .map(|(address, frames)| {
            let requests = frames.len() as u64;
            let cause = Cause::NeighbourSilent { node: node.clone(), address, requests };
            subject.evidence(cause, &frames)
        })
        .collect()
}

/// ICMP errors that quote the client's packets or the answers, by sender and kind.
fn icmp_errors(subject: &Subject<'_>) -> Vec<Evidence> {
    let outers: BTreeSet<Outer> = subject
        .forward
        .iter()
        .filter_map(|index| subject.case.frames.get(*index))
        .filter_map(|frame| frame.decoded.outer().map(outer))
        .collect();
    let ours = |quoted: &Packet| {
        let flow = quoted.flow();
        flow == Some(subject.flow)
            || flow == Some(subject.flow.reversed())
            // A router may quote no more of a tunnel's packet than its outer header.
            || outers.contains(&outer(&quoted.outermost))
    };
    type Key = (IpAddr, IpAddr, u8, u8);
    let mut found: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
    for frame in subject.case.frames.all() {
        let (Some(icmp), Some(header)) = (frame.decoded.icmp(), frame.decoded.innermost()) else {
            continue;
        };
        if icmp.quoted.as_deref().is_some_and(ours) {
            let key = (header.source, header.destination, icmp.kind, icmp.code);
            found.entry(key).or_default().push(frame.index);
        }
    }
    let mut errors: Vec<_> = found.into_iter().collect();
    errors.sort_by_key(|(_, frames)| frames.first().copied());
    errors
        .into_iter()
        .filter_map(|((from, to, kind, code), frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let name = icmp_name(kind, code, from.is_ipv4()).unwrap_or("unnamed");
            let cause = Cause::IcmpError {
                what: format!("{name} (type {kind}, code {code})"),
                mtu: first.decoded.icmp().and_then(|icmp| icmp.mtu),
                from,
                sender: subject.owner(from).cloned(),
                to,
                first_seen: place(subject, &first),
                reached_client: frames.iter().any(|index| came_in_at_client(subject, *index)),
                count: at_first_place(subject, &frames),
            };
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// What names one packet of a tunnel to whoever sees only its outer header.
type Outer = (IpAddr, IpAddr, u8, Option<u32>);

fn outer(header: &IpHeader) -> Outer {
    (header.source, header.destination, header.protocol, header.id)
}

/// RSTs that were sent to the client, by their source.
fn resets(subject: &Subject<'_>) -> Vec<Evidence> {
    let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    let mut accepted = BTreeSet::new();
    for frame in subject.back.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let (Some(flow), Some(tcp)) = (frame.flow(), frame.decoded.tcp()) else { continue };
        if tcp.flags.contains(Flags::RST) {
            found.entry(flow.source).or_default().push(frame.index);
        } else if tcp.flags.contains(Flags::SYN) {
            accepted.insert(flow.source);
        }
    }
    found
        .into_iter()
        .filter_map(|(source, frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let cause = Cause::Reset {
                source,
                first_seen: place(subject, &first),
                refused: !accepted.contains(&source),
                count: at_first_place(subject, &frames),
            };
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// Answers from an address or port that the client did not connect to.
fn other_sources(subject: &Subject<'_>) -> Vec<Evidence> {
    let mut found: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for frame in subject.back.iter().filter_map(|index| subject.case.frames.get(*index)) {
        if let Some(flow) = frame.flow()
            && flow.source != subject.flow.destination
        {
            found.entry(flow.source).or_default().push(frame.index);
        }
    }
    found
        .into_iter()
        .filter_map(|(source, frames)| {
            let first = subject.case.frames.get(*frames.first()?)?;
            let resets = subject.case.frames.all().filter(|frame| {
                frame.record.direction == Direction::Out
                    && subject.case.frames.node(frame) == Some(subject.client)
                    && frame.decoded.tcp().is_some_and(|tcp| tcp.flags.contains(Flags::RST))
                    && frame.flow().is_some_and(|flow| {
                        flow.source == subject.flow.source && flow.destination == source
                    })
            });
            let cause = Cause::OtherSource {
                source,
                expected: subject.flow.destination,
                first_seen: place(subject, &first),
                count: at_first_place(subject, &frames),
                reset_by_client: resets.count() as u64,
            };
            Some(subject.evidence(cause, &frames))
        })
        .collect()
}

/// Answers that were sent, none of which came in at the client.
fn answers_lost(subject: &Subject<'_>, trace: &Trace) -> Option<Evidence> {
    if trace.last_node == *subject.client && trace.last_direction == Direction::In {
        return None;
    }
    let arrived = subject.back.iter().any(|index| came_in_at_client(subject, *index));
    if arrived && !trace.others_got_further {
        return None;
    }
    let cause = Cause::AnswersLost {
        last_seen: trace.path.last().cloned().unwrap_or_default(),
        count: if arrived { 1 } else { at_first_place(subject, &subject.back) },
    };
    Some(Evidence { cause, frames: trace.frames.clone() })
}

fn came_in_at_client(subject: &Subject<'_>, index: usize) -> bool {
    subject.case.frames.get(index).is_some_and(|frame| {
        frame.record.direction == Direction::In
            && subject.case.frames.node(&frame) == Some(subject.client)
    })
}

/// How many of `frames` were seen where the first was seen first: how many packets were sent.
fn at_first_place(subject: &Subject<'_>, frames: &[usize]) -> u64 {
    let all: Vec<Frame<'_>> =
        frames.iter().filter_map(|index| subject.case.frames.get(*index)).collect();
    let Some(first) = all.first() else { return 0 };
    all.iter()
        .filter(|frame| {
            frame.record.point == first.record.point
                && frame.record.direction == first.record.direction
        })
        .count() as u64
}

/// `rs2:eth0 out`
fn place(subject: &Subject<'_>, frame: &Frame<'_>) -> String {
    let point = subject.case.frames.point_name(frame.record.point);
    format!("{point} {}", way(frame.record.direction))
}

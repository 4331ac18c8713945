//! What a kernel's counters say of packets that came in and that it did not take.

use super::Found;
use crate::diagnose::fix;
use crate::diagnose::{Cause, Fix, Subject, Trace};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::checksum::ChecksumState;
use labsim_wire::decode::IpHeader;
use std::net::IpAddr;

/// What the kernel counters of the node where the packet was last seen show.
pub(super) fn at_last_node(found: &Found<'_, '_>, trace: &Trace) -> Vec<Cause> {
    let subject = found.subject;
    let Some(packet) = subject.packet(trace.last) else { return Vec::new() };
    if subject.has_forwarder(&trace.last_node) {
        // The forwarder takes the frames in; the kernel sees and counts them all the same.
        return Vec::new();
    }
    // What that node's IP layer looks at is the outermost header.
    let header = &packet.outermost;
    let mut causes = Vec::new();
    causes.extend(reverse_path(subject, trace, header, packet.outer().is_some()));
    causes.extend(checksums(subject, trace));
    if header.destination == subject.flow.source.ip() && trace.last_node == *subject.client {
        // It is the client's own address: nothing else keeps it from taking the packet.
        return causes;
    }
    causes.extend(address_missing(subject, trace, header));
    causes.extend(no_route(found, trace, header));
    causes
}

fn reverse_path(
    subject: &Subject<'_>,
    trace: &Trace,
    header: &IpHeader,
    is_tunnelled: bool,
) -> Option<Cause> {
    const NAME: &str = "IPReversePathFilter";
    let node = &trace.last_node;
    let counted = subject.counter(node, NAME)?;
    let last = subject.frame(trace.last)?;
    let (source, interface) = (header.source, subject.interface(&last));
    let number = counted.min(trace.at_last.len() as u64);
    let dropped =
        format!("{node} dropped packets from {source} at {interface} ({NAME} +{counted})");
    let is_end = subject.is_configured(node, header.destination);
    let (code, sentence, fix) = if is_tunnelled && !is_end {
        let sentence =
            format!("{dropped}: the tunnel packets' outer source is not routed the way they came");
        let other = Fix::new(format!("let rp_filter of {interface} on {node} accept {source}"));
        let other = fix::without_rp_filter(other, subject, node, interface);
        (cause::OUTER_SOURCE_FILTERED, sentence, fix::outer_source(subject).or(other))
    } else if subject.is_vip(source) && !subject.context.scenario.load_balancers.contains_key(node)
    {
        let sentence =
            format!("{dropped}: the replies' source, the VIP, is not routed the way they came");
        (
            cause::REPLY_SOURCE_FILTERED,
            sentence,
            fix::reply_source(subject, node, Some(interface), source),
        )
    } else {
        let (reason, fix) = fix::rp_filter(subject, node, interface, source);
        (cause::RP_FILTER, format!("{dropped}: {reason}"), fix)
    };
    let cause = Cause::new(code, sentence, fix).at(node).device(interface).packets(number);
    Some(subject.shown(cause.counted(NAME, counted), &trace.at_last))
}

fn checksums(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    const NAME: &str = "TcpInCsumErrors";
    let node = &trace.last_node;
    let counted = subject.counter(node, NAME)?;
    let state = |wanted: ChecksumState| -> Vec<usize> {
        let has = |index: &&usize| {
            let frame = subject.frame(**index);
            frame.and_then(|frame| frame.decoded.tcp().map(|tcp| tcp.checksum)) == Some(wanted)
        };
        trace.at_last.iter().filter(has).copied().collect()
    };
    let (half_made, bad) = (state(ChecksumState::HalfMade), state(ChecksumState::Bad));
    // The counter alone may be about other segments: the captured ones have to be wrong too.
    let (code, frames, why) = match (bad.is_empty(), half_made.is_empty()) {
        (true, true) => return None,
        (true, false) => (
            cause::CHECKSUM_UNFINISHED,
            half_made,
            "captured segments have partial checksums, as transmit offload leaves them",
        ),
        (false, _) => (cause::BAD_CHECKSUM, bad, "captured segments have wrong checksums"),
    };
    let sentence = format!("{node} dropped segments ({NAME} +{counted}): {why}");
    let fix = match code == cause::CHECKSUM_UNFINISHED {
        true => fix::or_without_faults(fix::checksum_offload(subject), subject),
        false => Fix::new(code.remedy()),
    };
    let cause = Cause::new(code, sentence, fix).at(node).counted(NAME, counted);
    Some(subject.shown(cause, &frames))
}

/// The node takes packets in for an address that it does not have. Packets of others for such
/// addresses are counted by the same counter, and are not this flow's.
fn address_missing(subject: &Subject<'_>, trace: &Trace, header: &IpHeader) -> Option<Cause> {
    let (node, address) = (&trace.last_node, header.destination);
    let name = if address.is_ipv4() { "IpInAddrErrors" } else { "Ip6InAddrErrors" };
    let counted = subject.counter(node, name)?;
    if took(subject, node, address) || subject.has_address(node, address) {
        return None;
    }
    let left = counted.saturating_sub(strangers(subject, node));
    let number = left.min(trace.at_last.len() as u64);
    if number == 0 {
        return None;
    }
    let dropped =
        format!("{node} dropped {} for {address} ({name} +{counted})", count(number, "packet"));
    let cause = match is_gateway(subject, node, address) {
        true => {
            let sentence =
                format!("{dropped}: it is not for {node}, which does not forward packets");
            Cause::new(cause::FORWARDING_OFF, sentence, fix::forwarding(subject, node, address))
        }
        false => {
            let sentence = format!("{dropped}: no interface has this address");
            Cause::new(cause::VIP_MISSING, sentence, fix::address(subject, node, address))
        }
    };
    let cause = cause.at(node).packets(number);
    Some(subject.shown(cause.counted(name, counted), &trace.at_last))
}

/// Whether the node, no member of a pool, would have to send packets for the address on and does not
/// forward.
fn is_gateway(subject: &Subject<'_>, node: &NodeName, address: IpAddr) -> bool {
    let forwards = subject.state(node).and_then(|state| match address.is_ipv4() {
        true => state.sysctls.forwards_ipv4("all"),
        false => state.sysctls.forwards_ipv6("all"),
    });
    let configured = subject.node(node).is_some_and(|node| node.forward);
    let members = subject.members();
    !forwards.unwrap_or(configured) && !members.is_empty() && !members.contains(node)
}

/// A member of a pool that does not have the packets' destination and forwards: it sends them on to its
/// router, from where they may come back.
pub(super) fn sent_on(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    let address = subject.flow.destination.ip();
    let (node, frames) = subject.members().into_iter().find_map(|node| {
        let is_balancer = subject.context.scenario.load_balancers.contains_key(node);
        let knows = subject.has_address(node, address);
        if is_balancer || knows || subject.seen_at(&subject.forward, node, Direction::In).is_empty()
        {
            return None;
        }
        let mut frames = subject.seen_at(&subject.forward, node, Direction::Out);
        frames.retain(|index| {
            subject.packet(*index).is_some_and(|it| it.outermost.destination == address)
        });
        (!frames.is_empty()).then_some((node, frames))
    })?;
    let mut sentence = format!(
        "{node} sent {} for {address} on: no interface has this address, and {node} forwards",
        count(frames.len(), "packet")
    );
    if let Some(rounds) = &trace.rounds {
        sentence += &format!("; the packet {rounds}");
    }
    let fix = fix::address(subject, node, address);
    Some(subject.shown(Cause::new(cause::VIP_MISSING, sentence, fix).at(node), &frames))
}

/// Whether the node took a packet for the address: it answered from it, or sent one on.
fn took(subject: &Subject<'_>, node: &NodeName, address: IpAddr) -> bool {
    let answers = subject.seen_at(&subject.back, node, Direction::Out);
    let from = |index: &usize| subject.packet(*index).map(|packet| packet.innermost().source);
    let answered = answers.iter().any(|index| from(index) == Some(address));
    answered
        || !subject.seen_at(&subject.forward, node, Direction::Out).is_empty()
            && subject.client != node
}

/// Packets of others that came in at the node in that time for an address that it does not have.
fn strangers(subject: &Subject<'_>, node: &NodeName) -> u64 {
    let frames = subject.context.frames;
    let is_own = |index: &usize| {
        subject.forward.binary_search(index).is_ok() || subject.back.binary_search(index).is_ok()
    };
    let strange = frames.all().filter(|frame| {
        frame.record.direction == Direction::In
            && subject.at(frame) == Some(node)
            && !is_own(&frame.index)
            && subject.is_meant(frame)
            && subject.is_then(frame)
            && frame.decoded.packet().is_some_and(|packet| {
                let to = packet.outermost.destination;
                !to.is_multicast()
                    && !subject.is_configured(node, to)
                    && to != subject.flow.destination.ip()
            })
    });
    strange.count() as u64
}

fn no_route(found: &Found<'_, '_>, trace: &Trace, header: &IpHeader) -> Option<Cause> {
    let subject = found.subject;
    let (node, destination) = (&trace.last_node, header.destination);
    let names: &[&str] = match destination.is_ipv4() {
        true => &["IpInNoRoutes", "InNoRoutes"],
        false => &["Ip6InNoRoutes"],
    };
    let counter = names.iter().find_map(|name| Some((*name, subject.counter(node, name)?)));
    let Some((name, counted)) = counter else { return no_route_back(found, trace) };
    let errors = found.errors.iter().filter(|it| it.is_no_route() && it.sender == Some(node));
    let mut frames = trace.at_last.clone();
    frames.extend(errors.flat_map(|error| &error.frames));
    frames.sort_unstable();
    let sentence = format!("{node} has no route to {destination} ({name} +{counted})");
    let code = match subject.is_vip(destination) {
        true => cause::NO_ROUTE_TO_VIP,
        false => cause::NO_ROUTE,
    };
    let number = counted.min(trace.at_last.len() as u64);
    let fix = fix::route(subject.context, node, destination);
    let cause = Cause::new(code, sentence, fix).at(node).packets(number);
    Some(subject.shown(cause.counted(name, counted), &frames))
}

/// The node takes the packet in and cannot reply: a kernel counts here what it sends itself.
fn no_route_back(found: &Found<'_, '_>, trace: &Trace) -> Option<Cause> {
    let subject = found.subject;
    let node = &trace.last_node;
    let header = subject.packet(trace.last)?.innermost();
    if !subject.holds(node, header.destination) {
        return None;
    }
    let source = header.source;
    let name = if source.is_ipv4() { "IpOutNoRoutes" } else { "Ip6OutNoRoutes" };
    let counted = subject.counter(node, name)?;
    let number = counted.min(trace.at_last.len() as u64);
    let sentence = format!(
        "{node} received {} and could not reply: it has no route to {source} ({name} +{counted})",
        count(number, "packet")
    );
    let fix = fix::route(subject.context, node, source);
    let cause = Cause::new(cause::NO_ROUTE, sentence, fix).at(node).packets(number);
    Some(subject.shown(cause.counted(name, counted), &trace.at_last))
}

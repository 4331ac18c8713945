//! Packets that are longer than the path takes, and what became of the ICMP errors about them.

use super::icmp::IcmpError;
use super::{Found, fragments};
use crate::diagnose::fix;
use crate::diagnose::{Cause, Subject, Trace};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::IpHeader;

/// The packet that was seen last at a node whose next link, or tunnel, does not take its length.
pub(super) fn too_long(found: &Found<'_, '_>, trace: &Trace, is_back: bool) -> Option<Cause> {
    let subject = found.subject;
    let node = &trace.last_node;
    let packet = subject.packet(trace.last)?;
    let header = &packet.outermost;
    if header.dont_fragment == Some(false) {
        return None;
    }
    let error = found.errors.iter().find(|error| {
        let sent = error.frames.first().and_then(|index| subject.frame(*index));
        error.is_too_big() && sent.is_some_and(|frame| subject.at(&frame) == Some(node))
    });
    let by_forwarder = ["fragmentation_needed", "packet_too_big"]
        .map(|name| (name, subject.forwarder(node, name)))
        .into_iter()
        .find(|(_, counted)| *counted > 0);
    let failed = ["IpFragFails", "Ip6InTooBigErrors", "Ip6FragFails"]
        .into_iter()
        .find_map(|name| Some((name, subject.counter(node, name)?)));
    let (name, counted, mtu) = match (by_forwarder, failed) {
        (Some((name, counted)), _) => (name, counted, error.and_then(|error| error.mtu)?),
        (None, Some((name, counted))) if !subject.has_forwarder(node) => {
            let mtu = error.and_then(|error| error.mtu);
            (name, counted, mtu.or_else(|| next_mtu(subject, trace, header))?)
        }
        _ => return None,
    };
    let length = header.length;
    if length <= mtu {
        return None;
    }
    if let Some(error) = error {
        if is_heeded(subject, error, header) {
            return None;
        }
        if !is_back && error.reached_client && error.quoted.outer().is_some() {
            return Some(ignored(subject, trace, error, length, mtu));
        }
        if is_back && let Some(cause) = misdelivered(subject, trace, error) {
            return Some(cause);
        }
    }
    let told = match error {
        None => "no ICMP error about it was seen".to_owned(),
        Some(error) if error.reached_client => {
            "the client received the ICMP error and sent no shorter packet".to_owned()
        }
        Some(error) => format!("its ICMP error to {} did not arrive at the sender", error.to),
    };
    // Who added the header that made it too long is who can say so.
    let added = added_length(subject, trace);
    let encapsulated = subject.served().map(|served| served.balancer);
    let (place, of_tunnel) = match encapsulated {
        Some(balancer) if added > 0 && length - added <= mtu => {
            (balancer, format!(", {added} of them the tunnel's header"))
        }
        _ => (node, String::new()),
    };
    let sentence = format!(
        "{node} dropped {} of {length} bytes{of_tunnel}, longer than the {mtu} that the path takes, \
         and not to be fragmented ({name} +{counted}): {told}",
        count(trace.at_last.len(), "packet")
    );
    let mut frames = trace.at_last.clone();
    frames.extend(error.into_iter().flat_map(|error| &error.frames));
    frames.sort_unstable();
    let fix = fix::mtu(subject, mtu.saturating_sub(added), is_back);
    let fix = fix::or_without_faults(fix, subject);
    let cause = Cause::new(cause::MTU_BLACK_HOLE, sentence, fix)
        .at(place)
        .counted(name, counted)
        .packets(trace.at_last.len() as u64);
    Some(subject.shown(cause, &frames))
}

/// How many bytes a tunnel has added to the packet.
fn added_length(subject: &Subject<'_>, trace: &Trace) -> u32 {
    let packet = subject.packet(trace.last);
    packet.map_or(0, |it| it.outermost.length.saturating_sub(it.innermost().length))
}

/// The smallest MTU of the interfaces that the packet can have been sent to next: those that other
/// packets of its flow left the node by, or all but the one that it came in at.
fn next_mtu(subject: &Subject<'_>, trace: &Trace, header: &IpHeader) -> Option<u32> {
    let last = subject.frame(trace.last)?;
    let came_in = subject.interface(&last);
    let node = subject.node(&trace.last_node)?;
    let own = subject.seen_at(&subject.forward, &node.name, Direction::Out).into_iter();
    let same = own.filter_map(|index| subject.frame(index)).filter(|frame| {
        let to = frame.decoded.packet().map(|packet| packet.outermost.destination);
        to == Some(header.destination)
    });
    let used: Vec<&str> = same.map(|frame| subject.interface(&frame)).collect();
    let mtus = node.interfaces.iter().filter(|interface| match used.is_empty() {
        true => interface.name.as_str() != came_in,
        false => used.contains(&interface.name.as_str()),
    });
    mtus.map(|interface| interface.mtu).min()
}

/// Whether the sender did what the error asks for: it sent fragments afterwards.
fn is_heeded(subject: &Subject<'_>, error: &IcmpError<'_>, header: &IpHeader) -> bool {
    let told = error.frames.first().copied().unwrap_or(0);
    let mut later = subject.forward.iter().filter(|index| **index > told);
    error.reached_client
        && header.protocol != labsim_wire::protocol::TCP
        && later.any(|index| fragments::is_part(subject, *index))
}

fn ignored(
    subject: &Subject<'_>,
    trace: &Trace,
    error: &IcmpError<'_>,
    length: u32,
    mtu: u32,
) -> Cause {
    let client = subject.client;
    let from = error.sender.map_or_else(|| error.from.to_string(), NodeName::to_string);
    let number = error.frames.len() as u64;
    let sentence = format!(
        "{from} reported to {client} that a tunnel packet of {length} bytes is longer than {mtu}: the \
         tunnel's outer source is {client}'s address, and {client} ignores an error about a packet \
         that it did not send"
    );
    let mut frames = trace.at_last.clone();
    frames.extend(&error.frames);
    frames.sort_unstable();
    let limit = mtu.saturating_sub(added_length(subject, trace));
    let fix = fix::outer_source(subject).or(fix::mtu(subject, limit, false));
    let cause = Cause::new(cause::PMTU_ERROR_IGNORED, sentence, fix).at(client).packets(number);
    subject.shown(cause, &frames)
}

/// The error about a reply went on to another server than the one that had sent the reply.
fn misdelivered(subject: &Subject<'_>, trace: &Trace, error: &IcmpError<'_>) -> Option<Cause> {
    let server = subject.back.iter().find_map(|index| {
        let frame = subject.frame(*index)?;
        (frame.record.direction == Direction::Out).then(|| subject.at(&frame)).flatten()
    })?;
    let (other, there) = error.frames.iter().find_map(|index| {
        let outer = subject.packet(*index)?.outer()?;
        let node = subject.owner(outer.destination).filter(|node| *node != server)?;
        Some((node, *index))
    })?;
    let by = subject.frame(there).and_then(|frame| subject.at(&frame))?;
    let from = error.sender.map_or_else(|| error.from.to_string(), NodeName::to_string);
    let sentence = format!(
        "{other} got the ICMP errors about {server}'s replies: {from} sent them to {}, and {by} sent \
         them on to {other}, so that {server} never learns that its replies are too long",
        error.to
    );
    let mut frames = trace.at_last.clone();
    frames.extend(&error.frames);
    frames.sort_unstable();
    let fix = crate::diagnose::Fix::new(cause::ICMP_ERROR_MISDELIVERED.remedy());
    let fix = fix::or_without_faults(fix, subject);
    let cause = Cause::new(cause::ICMP_ERROR_MISDELIVERED, sentence, fix).at(other);
    Some(subject.shown(cause, &frames))
}

//! Connections whose packets a load balancer, or one and its successor, sent to more than one server.

use crate::diagnose::roles::Roles;
use crate::diagnose::{Cause, Subject, fix};
use crate::frames::Frame;
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;

/// The load balancer sent packets of the connection to a server that did not get its SYN, from it or from the
/// one that it took over from.
pub(super) fn moved(subject: &Subject<'_>) -> Option<Cause> {
    let served = subject.served()?;
    let node = served.balancer;
    let sent_by = |node: &NodeName| -> Vec<Frame<'_>> {
        let sent = subject.seen_at(&subject.forward, node, Direction::Out);
        sent.iter().filter_map(|index| subject.frame(*index)).collect()
    };
    let sent = sent_by(node);
    let predecessor = Roles::of(subject).predecessor(node);
    let sent_before = predecessor.map(sent_by).unwrap_or_default();
    let flags = |frame: &Frame<'_>| frame.decoded.tcp().map(|tcp| tcp.flags);
    let has = |frame: &&Frame<'_>, flag| flags(frame).is_some_and(|flags| flags.contains(flag));
    let begun: BTreeSet<&NodeName> = sent_before
        .iter()
        .chain(&sent)
        .filter(|frame| has(frame, Flags::SYN))
        .filter_map(|frame| server(subject, frame))
        .collect();
    let first = *begun.first()?;
    let elsewhere = |frame: &&Frame<'_>| {
        flags(frame).is_some_and(|it| !it.contains(Flags::SYN) && !it.contains(Flags::RST))
            && server(subject, frame).is_some_and(|server| !begun.contains(server))
    };
    let moved: Vec<&Frame<'_>> = sent.iter().filter(elsewhere).collect();
    let second = server(subject, moved.first()?)?;
    let mut frames: Vec<usize> = moved.iter().map(|frame| frame.index).collect();
    let number = frames.len();
    let resets = subject.seen_at(&subject.back, second, Direction::Out);
    let resets: Vec<usize> = resets.into_iter().filter(|it| subject.is_reset(*it)).collect();
    let reaction = match resets.len() {
        0 => String::new(),
        resets => format!(", which reset it ({})", count(resets, "RST")),
    };
    frames.extend(resets);
    frames.sort_unstable();
    let later = count(number, "later packet");
    let is_own = sent.iter().any(|frame| has(&frame, Flags::SYN));
    let sentence = match predecessor.filter(|_| !is_own) {
        None => {
            format!(
                "{node} sent the connection's SYN to {first} and {later} of it to {second}{reaction}"
            )
        }
        Some(predecessor) => format!(
            "{predecessor} sent the connection's SYN to {first}, and {node}, which took over from it and has \
             no copy of its flow, sent {later} to {second}{reaction}"
        ),
    };
    let fix = fix::or_mirror(fix::flow_moved(subject), subject, node);
    let cause = Cause::new(cause::FLOW_MOVED, sentence, fix).at(node).packets(number as u64);
    Some(subject.shown(cause, &frames))
}

/// The server that a packet of the load balancer goes to: the owner of the tunnel packet's or the
/// translated destination, or of the link-layer address.
pub(super) fn server<'a>(subject: &Subject<'a>, frame: &Frame<'_>) -> Option<&'a NodeName> {
    let destination = frame.decoded.packet()?.outermost.destination;
    if destination != subject.flow.destination.ip() {
        return subject.owner(destination);
    }
    let frames = subject.context.frames;
    let point = frames.mac_table().find(frame.decoded.link?.destination)?;
    let owner = &frames.point(point)?.node;
    subject.context.scenario.real_servers.contains_key(owner).then_some(owner)
}

//! What the counters of impaired links and the state of links show.

use super::Found;
use crate::diagnose::{Cause, Subject, Trace, fix};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Attachment, Direction, NodeName, StepAction};
use std::net::IpAddr;

/// Counters of frames that did not arrive.
const DROPS: [&str; 5] = ["lost", "queue_full", "netem_dropped", "send_refused", "receive_dropped"];

/// The link that the packet went out to and did not come out of.
pub(super) fn lost(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    if trace.last_direction != Direction::Out {
        return None;
    }
    lossy(subject, &sender(subject, trace.last)?, &[trace.last])
}

/// The link that lost packets which got through only when they were sent again: what waits for them
/// may give up before.
pub(super) fn lost_before_retransmission(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    let went_out = |index: &&usize| {
        subject.frame(**index).is_some_and(|it| it.record.direction == Direction::Out)
    };
    let lost: Vec<usize> = trace.lost_sendings.iter().filter(went_out).copied().collect();
    let sender = sender(subject, *lost.first()?)?;
    let mut cause = lossy(subject, &sender, &lost)?;
    let number = lost.len() as u64;
    cause.sentence += &format!(
        "; {} of this exchange did not come out of it and had to be sent again",
        count(number, "packet")
    );
    Some(cause)
}

/// The interface that sent a frame.
fn sender(subject: &Subject<'_>, index: usize) -> Option<Attachment> {
    let frame = subject.frame(index)?;
    let point = subject.context.frames.point(frame.record.point)?;
    Some(Attachment { node: point.node.clone(), interface: point.interface.clone() })
}

/// An impaired link that dropped frames of that sender.
fn lossy(subject: &Subject<'_>, sender: &Attachment, frames: &[usize]) -> Option<Cause> {
    let counters = subject.context.observations.link_counters.get(sender)?;
    if counters.dropped == 0 {
        return None;
    }
    let impairment = subject.context.scenario.impairments.get(sender)?.to_string();
    let value = |name: &str| counters.by_name.get(name).copied().unwrap_or(0);
    let drops = DROPS.iter().map(|name| (*name, value(name))).filter(|(_, number)| *number > 0);
    let drops: Vec<(&str, u64)> = drops.collect();
    let said: Vec<String> = drops.iter().map(|(name, number)| format!("{name} {number}")).collect();
    let sentence = format!(
        "the impaired link behind {sender} ({impairment}) dropped {} of {}: {}",
        counters.dropped,
        count(value("taken"), "frame"),
        said.join(", ")
    );
    let mut cause = Cause::new(cause::LINK_LOSSY, sentence, fix::impairment(sender))
        .at(&sender.node)
        .device(sender.interface.to_string())
        .packets(counters.dropped);
    for (name, number) in drops {
        cause = cause.counted(name, number);
    }
    Some(subject.shown(cause, frames))
}

/// The interface that the packet was sent to and did not come in at, as its link was set down.
pub(super) fn down(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    if trace.last_direction != Direction::Out {
        return None;
    }
    let last = subject.frame(trace.last)?;
    let table = subject.context.frames.mac_table();
    let own = subject.context.frames.point(last.record.point)?;
    let there = last.decoded.link.and_then(|link| table.find(link.destination));
    let there = there.and_then(|point| subject.context.frames.point(point));
    let ends = [there, Some(own)].into_iter().flatten();
    let mut ends = ends.map(|point| (&point.node, point.interface.as_str()));
    let (node, interface) = ends.find(|(node, interface)| is_down(subject, node, interface))?;
    Some(link_down(subject, node, interface, &[trace.last]))
}

fn link_down(subject: &Subject<'_>, node: &NodeName, interface: &str, frames: &[usize]) -> Cause {
    let sentence = format!(
        "the link of {node}:{interface} is down: frames for it were sent and did not come in"
    );
    let cause = Cause::new(cause::LINK_DOWN, sentence, fix::link_up(subject, node, interface))
        .at(node)
        .device(interface);
    subject.shown(cause, frames)
}

/// Whether a step set the interface down, and none after it up.
fn is_down(subject: &Subject<'_>, node: &NodeName, name: &str) -> bool {
    let mut is_down = false;
    for action in subject.done() {
        if let StepAction::SetLink { interface, up } = action
            && interface.node == *node
            && interface.interface.as_str() == name
        {
            is_down = !up;
        }
    }
    is_down
}

/// Why a neighbour did not answer: its link is down, or loses what it sends.
pub(super) fn silent(found: &Found<'_, '_>, address: IpAddr, frames: &[usize]) -> Option<Cause> {
    let subject = found.subject;
    let owner = subject.node(subject.owner(address)?)?;
    let interface = owner
        .interfaces
        .iter()
        .find(|interface| interface.addresses.iter().any(|net| net.addr() == address))?;
    if is_down(subject, &owner.name, interface.name.as_str()) {
        return Some(link_down(subject, &owner.name, interface.name.as_str(), frames));
    }
    let sender = Attachment { node: owner.name.clone(), interface: interface.name.clone() };
    lossy(subject, &sender, frames)
}

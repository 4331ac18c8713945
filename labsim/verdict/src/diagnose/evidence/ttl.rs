//! Packets whose TTL or hop limit ended on their way.

use super::Found;
use crate::diagnose::{Cause, Subject, Trace, fix};
use labsim_codes::cause;

/// The packet came in with a TTL of 1 at a node that had to send it on, which said so (ICMP time
/// exceeded) or counted it. One that went round is a loop's.
pub(super) fn expired(found: &Found<'_, '_>, trace: &Trace) -> Option<Cause> {
    let subject = found.subject;
    let node = &trace.last_node;
    let header = &subject.packet(trace.last)?.outermost;
    if header.ttl > 1 || trace.rounds.is_some() || subject.is_configured(node, header.destination) {
        return None;
    }
    let errors = found.errors.iter().filter(|it| it.is_time_exceeded() && it.sender == Some(node));
    let mut frames: Vec<usize> = errors.flat_map(|error| error.frames.iter().copied()).collect();
    let counted = subject.forwarder(node, "ttl_exceeded");
    if frames.is_empty() && counted == 0 {
        return None;
    }
    frames.extend(&trace.at_last);
    frames.sort_unstable();
    if !falls_by_hops(subject, trace) {
        return None;
    }
    let (from, first) = sender(subject, trace)?;
    let sentence = format!(
        "the TTL ended at {node}: {from} sent the packet with a TTL of {first}, which is not enough \
         hops"
    );
    let fix = fix::ttl(subject, from);
    let cause = Cause::new(cause::TTL_EXPIRED, sentence, fix).at(from);
    let cause = if counted > 0 { cause.counted("ttl_exceeded", counted) } else { cause };
    Some(subject.shown(cause.packets(trace.at_last.len() as u64), &frames))
}

/// Whether the TTL fell by 1 at most from place to place: nobody on the way set it.
fn falls_by_hops(subject: &Subject<'_>, trace: &Trace) -> bool {
    let frames = trace.frames.indices();
    let ttl = |index: &usize| subject.packet(*index).map(|packet| packet.innermost().ttl);
    frames.windows(2).all(|pair| match pair {
        [before, after] => ttl(before) <= ttl(after).map(|after| after.saturating_add(1)),
        _ => true,
    })
}

/// The node that sent the packet first, and its TTL then.
fn sender<'a>(
    subject: &Subject<'a>,
    trace: &Trace,
) -> Option<(&'a labsim_scenario::model::NodeName, u8)> {
    let first = subject.frame(*trace.frames.indices().first()?)?;
    Some((super::sender(subject, &first)?, first.decoded.packet()?.outermost.ttl))
}

//! Fragments: a first fragment alone is not the datagram.

use super::Found;
use crate::diagnose::fix;
use crate::diagnose::{Cause, Subject};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use std::collections::BTreeSet;
use std::net::IpAddr;

/// What the fragments of one packet have in common.
type Identity = (IpAddr, IpAddr, u8, Option<u32>);

/// Whether the frame holds a fragment, the innermost or the outermost packet's.
pub(super) fn is_part(subject: &Subject<'_>, index: usize) -> bool {
    subject.packet(index).is_some_and(|packet| packet.headers().any(|it| it.is_fragment()))
}

/// Later fragments of the client's datagrams that came less far than the first ones.
pub(super) fn later_lost(found: &Found<'_, '_>) -> Option<Cause> {
    let subject = found.subject;
    let identity = |index: usize| -> Option<(Identity, u16)> {
        let header = subject.packet(index)?.innermost();
        let id = (header.source, header.destination, header.protocol, header.id);
        header.is_fragment().then_some((id, header.fragment_offset))
    };
    let firsts: Vec<usize> =
        subject.forward.iter().copied().filter(|index| identity(*index).is_some()).collect();
    let identities: BTreeSet<Identity> =
        firsts.iter().filter_map(|index| identity(*index)).map(|(id, _)| id).collect();
    if identities.is_empty() {
        return None;
    }
    let later: Vec<usize> = subject
        .context
        .frames
        .all()
        .filter(|frame| subject.is_meant(frame))
        .map(|frame| frame.index)
        .filter(|index| {
            identity(*index).is_some_and(|(id, offset)| offset > 0 && identities.contains(&id))
        })
        .collect();
    let last = subject.frame(*later.last()?)?;
    let node = subject.at(&last)?;
    if last.record.direction == Direction::Out || is_seen_leaving(subject, &later, node) {
        return None;
    }
    // The first fragments passed the node.
    if !is_seen_leaving(subject, &firsts, node) {
        return None;
    }
    let at_node = subject.seen_at(&later, node, Direction::In);
    let number = at_node.len() as u64;
    let sentence = format!(
        "{node} took in {} that {} later parts of datagrams and did not forward them, while the \
         first parts passed: a filter drops fragments",
        count(number, "fragment"),
        if number == 1 { "is" } else { "are" }
    );
    let cause = Cause::new(cause::FRAGMENTS_DROPPED, sentence, fix::fragments(subject, node))
        .at(node)
        .device(subject.interface(&last))
        .packets(number);
    Some(subject.shown(cause, &at_node))
}

/// The client's datagrams that it sent whole came further than those that it sent in fragments: the
/// node that dropped the fragments.
pub(super) fn all_lost(found: &Found<'_, '_>) -> Option<Cause> {
    let subject = found.subject;
    let (parts, whole): (Vec<usize>, Vec<usize>) =
        subject.forward.iter().partition(|index| is_part(subject, **index));
    let last = subject.frame(*parts.last()?)?;
    let node = subject.at(&last)?;
    if last.record.direction == Direction::Out || !is_seen_leaving(subject, &whole, node) {
        return None;
    }
    if is_seen_leaving(subject, &parts, node) || subject.has_forwarder(node) {
        return None;
    }
    let at_node = subject.seen_at(&parts, node, Direction::In);
    let number = at_node.len() as u64;
    let sentence = format!(
        "{node} took in {} and did not forward them, while whole packets passed: a filter drops \
         fragments",
        count(number, "first fragment"),
    );
    let cause = Cause::new(cause::FRAGMENTS_DROPPED, sentence, fix::fragments(subject, node))
        .at(node)
        .device(subject.interface(&last))
        .packets(number);
    Some(subject.shown(cause, &at_node))
}

fn is_seen_leaving(subject: &Subject<'_>, frames: &[usize], node: &NodeName) -> bool {
    !subject.seen_at(frames, node, Direction::Out).is_empty()
}

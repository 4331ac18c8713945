//! DSCP marks that change on the way.

use crate::diagnose::fix;
use crate::diagnose::{Cause, Subject, trace};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::{Direction, NodeName};
use std::collections::BTreeMap;

/// The DSCP in a TOS byte or traffic class (RFC 2474); the other bits are ECN's.
const DSCP: u8 = 0xfc;

/// A node that sent a packet on with another mark than it came in with.
struct Change<'a> {
    node: &'a NodeName,
    from: u8,
    to: u8,
    frames: [usize; 2],
}

/// A node set a DSCP mark, and another one behind it changed that.
pub(super) fn changed(subject: &Subject<'_>) -> Option<Cause> {
    let frames = subject.context.frames;
    let to_client = frames.flows_to(subject.flow.protocol, subject.flow.source);
    let mut all: Vec<usize> = subject.forward.clone();
    // Behind a load balancer that is none of labsim's, the replies tell where the packets went.
    all.extend(to_client.iter().flat_map(|flow| frames.of_flow(flow.reversed())));
    all.sort_unstable();
    all.dedup();
    let mut packets: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for index in all {
        let Some(frame) = subject.frame(index).filter(|frame| subject.is_meant(frame)) else {
            continue;
        };
        let id = frame.decoded.innermost().and_then(|header| header.id);
        packets.entry((trace::key(&frame), id)).or_default().push(index);
    }
    let (mut shown, mut told): (Vec<usize>, Option<String>) = (Vec::new(), None);
    let (mut by, mut number) = (None, 0);
    for packet in packets.into_values() {
        let changes = changes(subject, &packet);
        let [set, next, ..] = changes.as_slice() else { continue };
        if set.node == next.node || set.to != next.from {
            continue;
        }
        number += 1;
        shown.extend(set.frames.iter().chain(&next.frames));
        by.get_or_insert(next.node);
        told.get_or_insert_with(|| {
            let (node, setter) = (next.node, set.node);
            let [was, is] = [next.from, next.to].map(|mark| mark >> 2);
            format!("{node} changed the DSCP mark that {setter} had set, from {was} to {is}")
        });
    }
    let node = by?;
    let sentence = format!("{} ({})", told?, count(number, "packet"));
    shown.sort_unstable();
    let cause = Cause::new(cause::MARK_CHANGED, sentence, fix::mark(subject, node)).at(node);
    Some(subject.shown(cause.packets(number), &shown))
}

/// Where one packet's mark changed, in the order of its way.
fn changes<'a>(subject: &Subject<'a>, packet: &[usize]) -> Vec<Change<'a>> {
    let mark = |index: usize| subject.packet(index).map(|packet| packet.outermost.tos & DSCP);
    let mut came_in: Option<(&NodeName, u8, usize)> = None;
    let mut changes = Vec::new();
    for index in packet.iter().copied() {
        let (Some(frame), Some(value)) = (subject.frame(index), mark(index)) else { continue };
        let Some(node) = subject.at(&frame) else { continue };
        match (frame.record.direction, came_in) {
            (Direction::In, _) => came_in = Some((node, value, index)),
            (Direction::Out, Some((same, from, before))) if same == node && from != value => {
                changes.push(Change { node, from, to: value, frames: [before, index] });
            }
            (Direction::Out, _) => {}
        }
    }
    changes
}

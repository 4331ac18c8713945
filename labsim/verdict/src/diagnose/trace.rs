//! Follows packets from point to point.
//!
//! Clocks do not matter: all points are captured on one machine. A packet keeps its innermost IP
//! identification, sequence number and flags on its way; what it is wrapped in changes.

use super::{Subject, way};
use crate::frames::{Frame, FrameList};
use labsim_scenario::model::{Direction, NodeName};
use std::collections::{BTreeMap, BTreeSet};

/// How far packets of one direction came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Which packet this is about: `SYN`, `P. seq 1 len 26`.
    pub packet: String,
    /// Copies of it that were sent, retransmissions among them.
    pub copies: usize,
    /// Packets of this direction, retransmissions not counted again.
    pub packets: usize,
    /// Whether packets of the same direction got further than this one.
    pub others_got_further: bool,
    /// The points that it passed, in order: `client:eth0 out`.
    pub path: Vec<String>,
    /// The node where it was last seen.
    pub last_node: NodeName,
    /// Which way it went there.
    pub last_direction: Direction,
    /// The frames of its way.
    pub frames: FrameList,
    /// The last of them.
    pub(super) last: usize,
    /// Frames of this direction that the last node took in at its last point.
    pub(super) at_last: Vec<usize>,
}

impl Trace {
    /// `the client's packet S seq 0 len 0 (sent 3 times) was last seen at rs2:eth0 in; its way: ...`
    pub(super) fn sentence(&self, whose: &str) -> String {
        let last = self.path.last().map_or("nowhere", String::as_str);
        let way = self.path.join(", ");
        let (packet, packets) = (&self.packet, self.packets);
        if packets > 1 && !self.others_got_further {
            return format!(
                "all {packets} {whose} packets came as far as {last}; their way: {way}"
            );
        }
        let sent = match self.copies {
            1 => "sent once".to_owned(),
            more => format!("sent {more} times"),
        };
        let further = if self.others_got_further { ", while others got further" } else { "" };
        format!(
            "the {whose} packet {packet} ({sent}) was last seen at {last}{further}; its way: {way}"
        )
    }
}

/// What makes frames the same packet, retransmissions included.
type Key = (u32, u8, u32);

/// Picks the packet that tells most out of `frames`: the first one that did not come as far as
/// another of its direction, or else the last one.
pub(super) fn follow(subject: &Subject<'_>, frames: &[usize]) -> Option<Trace> {
    // The copies of each packet by IP identification, packets in the order of their sending.
    let mut order: Vec<Key> = Vec::new();
    let mut copies: BTreeMap<Key, BTreeMap<Option<u32>, Vec<usize>>> = BTreeMap::new();
    for frame in frames.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let Some(key) = key(&frame) else { continue };
        if !copies.contains_key(&key) {
            order.push(key);
        }
        let id = frame.decoded.innermost().and_then(|header| header.id);
        copies.entry(key).or_default().entry(id).or_default().push(frame.index);
    }
    let furthest: Vec<(&Key, &Vec<usize>)> = order
        .iter()
        .filter_map(|key| {
            let best = copies.get(key)?.values().max_by_key(|copy| points(subject, copy))?;
            Some((key, best))
        })
        .collect();
    let most = furthest.iter().map(|(_, copy)| points(subject, copy)).max()?;
    let lost = furthest.iter().find(|(_, copy)| points(subject, copy) < most);
    let (key, copy) = lost.or(furthest.last())?;
    let last = subject.case.frames.get(*copy.last()?)?;
    let at_last = frames
        .iter()
        .copied()
        .filter(|index| {
            subject.case.frames.get(*index).is_some_and(|frame| {
                frame.record.point == last.record.point
                    && frame.record.direction == last.record.direction
            })
        })
        .collect();
    Some(Trace {
        packet: name(&last),
        packets: order.len(),
        copies: copies.get(*key).map_or(0, BTreeMap::len),
        others_got_further: lost.is_some(),
        path: path(subject, copy),
        last_node: subject.case.frames.node(&last)?.clone(),
        last_direction: last.record.direction,
        frames: subject.case.frames.list(copy),
        last: last.index,
        at_last,
    })
}

fn key(frame: &Frame<'_>) -> Option<Key> {
    let tcp = frame.decoded.tcp()?;
    Some((tcp.sequence, tcp.flags.0, tcp.payload))
}

/// How many places a copy was seen at.
fn points(subject: &Subject<'_>, copy: &[usize]) -> usize {
    let places: BTreeSet<_> = copy
        .iter()
        .filter_map(|index| subject.case.frames.get(*index))
        .map(|frame| (frame.record.point, way(frame.record.direction)))
        .collect();
    places.len()
}

fn path(subject: &Subject<'_>, copy: &[usize]) -> Vec<String> {
    copy.iter()
        .filter_map(|index| subject.case.frames.get(*index))
        .map(|frame| {
            let point = subject.case.frames.point_name(frame.record.point);
            format!("{point} {}", way(frame.record.direction))
        })
        .collect()
}

/// `S seq 0 len 0`
fn name(frame: &Frame<'_>) -> String {
    let Some(tcp) = frame.decoded.tcp() else { return "without TCP".to_owned() };
    match frame.relative.sequence {
        Some(sequence) => format!("{} seq {sequence} len {}", tcp.flags, tcp.payload),
        None => format!("{} len {}", tcp.flags, tcp.payload),
    }
}

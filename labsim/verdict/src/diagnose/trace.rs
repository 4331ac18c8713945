//! Follows packets from point to point.
//!
//! Clocks do not matter: all points are captured on one machine. A packet keeps its innermost IP
//! identification, sequence number and flags on its way; what it is wrapped in changes, and a
//! translation changes its addresses and ports.

use super::Subject;
use super::copies::{Copy, Place, Rounds, place, split};
use crate::frames::{Frame, FrameList};
use crate::words::way;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::Transport;
use std::collections::{BTreeMap, HashMap};

/// How far packets of one direction came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// Which packet this is about: `S seq 0 len 0`, `UDP len 57`.
    pub packet: String,
    /// Copies of it that were sent, retransmissions among them.
    pub copies: usize,
    /// Packets of this direction, retransmissions not counted again.
    pub packets: usize,
    /// Whether packets of the same direction got further than this one.
    pub others_got_further: bool,
    /// The points that it passed, in order, until it came round: `client:eth0 out`.
    pub path: Vec<String>,
    /// The rounds that it made after that, if it did.
    pub rounds: Option<Rounds>,
    /// Where it was last seen: `rs2:eth0 in`.
    pub last_seen: String,
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
        let last = &self.last_seen;
        let way = self.path.join(", ");
        let (packet, packets) = (&self.packet, self.packets);
        if packets > 1 && !self.others_got_further && self.rounds.is_none() {
            return format!(
                "all {packets} {whose} packets came as far as {last}; their way: {way}"
            );
        }
        let sent = match self.copies {
            1 => "sent once".to_owned(),
            more => format!("sent {more} times"),
        };
        let further = if self.others_got_further { ", while others got further" } else { "" };
        let (round, again) = match &self.rounds {
            None => (String::new(), ""),
            Some(rounds) => (format!("{rounds} and "), ", and round again"),
        };
        format!(
            "the {whose} packet {packet} ({sent}) {round}was last seen at {last}{further}; its \
             way: {way}{again}"
        )
    }
}

/// What makes frames the same packet, retransmissions included.
type Key = (u32, u8, u32);

/// Picks the packet that tells most out of `frames`: the first one that did not come as far as
/// another of its direction, or else the last one. Going round is not coming further.
pub(super) fn follow(subject: &Subject<'_>, frames: &[usize]) -> Option<Trace> {
    // The frames of each packet by IP identification, packets in the order of their sending.
    let mut order: Vec<Key> = Vec::new();
    let mut same: HashMap<Key, BTreeMap<Option<u32>, Vec<usize>>> = HashMap::new();
    for frame in frames.iter().filter_map(|index| subject.case.frames.get(*index)) {
        let Some(key) = key(&frame) else { continue };
        let ids = same.entry(key).or_insert_with(|| {
            order.push(key);
            BTreeMap::new()
        });
        let id = frame.decoded.innermost().and_then(|header| header.id);
        ids.entry(id).or_default().push(frame.index);
    }
    let packets: Vec<Vec<Copy>> = order
        .iter()
        .filter_map(|key| same.get(key))
        .map(|ids| ids.values().flat_map(|frames| split(subject, frames)).collect())
        .collect();
    let furthest: Vec<(&Vec<Copy>, &Copy)> = packets
        .iter()
        .filter_map(|copies| Some((copies, copies.iter().max_by_key(|copy| copy.places())?)))
        .collect();
    let (_, best) = furthest.iter().max_by_key(|(_, copy)| copy.places())?;
    let goal = last_place(subject, best)?;
    // Ways differ: behind a translation, what the client sends to the server itself passes fewer
    // places and gets there all the same.
    let lost =
        furthest.iter().find(|(_, copy)| copy.places() < best.places() && !copy.was_at(goal));
    let (copies, copy) = lost.or(furthest.last())?;
    let last = subject.case.frames.get(*copy.frames.last()?)?;
    let at_last = frames
        .iter()
        .copied()
        .filter(|index| {
            subject.case.frames.get(*index).is_some_and(|frame| place(&frame) == place(&last))
        })
        .collect();
    let first_round = copy.before_rounds.unwrap_or(copy.frames.len());
    Some(Trace {
        packet: name(&last),
        packets: order.len(),
        copies: copies.len(),
        others_got_further: lost.is_some(),
        path: copy.frames.iter().take(first_round).map(|i| said(subject, *i)).collect(),
        rounds: copy.rounds(subject),
        last_seen: said(subject, last.index),
        last_node: subject.case.frames.node(&last)?.clone(),
        last_direction: last.record.direction,
        frames: subject.case.frames.list(&copy.frames),
        last: last.index,
        at_last,
    })
}

fn key(frame: &Frame<'_>) -> Option<Key> {
    match &frame.decoded.packet()?.transport {
        Transport::Tcp(tcp) => Some((tcp.sequence, tcp.flags.0, tcp.payload)),
        Transport::Udp(udp) => Some((0, 0, udp.payload)),
        _ => None,
    }
}

fn last_place(subject: &Subject<'_>, copy: &Copy) -> Option<Place> {
    subject.case.frames.get(*copy.frames.last()?).map(|frame| place(&frame))
}

/// `rs2:eth0 in`
fn said(subject: &Subject<'_>, index: usize) -> String {
    subject.case.frames.get(index).map_or_else(String::new, |frame| {
        let point = subject.case.frames.point_name(frame.record.point);
        format!("{point} {}", way(frame.record.direction))
    })
}

/// `S seq 0 len 0`, `UDP len 57`
fn name(frame: &Frame<'_>) -> String {
    match frame.decoded.packet().map(|packet| &packet.transport) {
        Some(Transport::Tcp(tcp)) => match frame.relative.sequence {
            Some(sequence) => format!("{} seq {sequence} len {}", tcp.flags, tcp.payload),
            None => format!("{} len {}", tcp.flags, tcp.payload),
        },
        Some(Transport::Udp(udp)) => format!("UDP len {}", udp.payload),
        _ => "of another protocol".to_owned(),
    }
}

//! Follows packets from point to point.
//!
//! Clocks do not matter: all points are captured on one machine. A packet keeps its innermost IP
//! identification, sequence number and flags on its way; what it is wrapped in changes, and a
//! translation changes its addresses and ports.

use super::copies::{Copy, Place, Rounds, place, split};
use super::{Finding, Subject};
use crate::frames::{Frame, FrameList};
use crate::messages::count;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::{Packet, Transport};
use labsim_wire::tcp::Flags;
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
    /// Resets among them that did not come as far as other packets.
    pub lost_resets: usize,
    /// Whether packets of the same direction got further than this one.
    pub others_got_further: bool,
    /// The points that it passed, in order, up to a loop: `client:eth0 out`.
    pub path: Vec<String>,
    /// The loop that follows, if there is one.
    pub rounds: Option<Rounds>,
    /// Where it was last seen: `rs2:eth0 in`.
    pub last_seen: String,
    /// The node where it was last seen.
    pub last_node: NodeName,
    /// Which way it went there.
    pub last_direction: Direction,
    /// Its frames.
    pub frames: FrameList,
    /// The last of them.
    pub(super) last: usize,
    /// Frames of this direction that were seen last there, each of another sending of a packet.
    pub(super) at_last: Vec<usize>,
    /// The last frames of the sendings that did not come as far, though a retransmission of the
    /// same packet did.
    pub(super) lost_sendings: Vec<usize>,
}

impl Trace {
    /// The packet as it is in its tunnel, where it is in one.
    pub(super) fn in_tunnel<'a>(&self, subject: &Subject<'a>) -> Option<&'a Packet> {
        let frames = self.frames.indices().into_iter();
        frames.filter_map(|index| subject.packet(index)).find(|packet| packet.outer().is_some())
    }

    /// What is known of the way of the packets of that end, with the frame where it ends.
    pub(super) fn finding(&self, whose: &str) -> Finding {
        Finding { frame_indices: vec![self.last], ..Finding::of(self.sentence(whose)) }
    }

    /// `the client's packet S seq 0 len 0 (sent 3 times) was last seen at rs2:eth0 in; path: ...`
    fn sentence(&self, whose: &str) -> String {
        let last = &self.last_seen;
        let way = self.path.join(", ");
        let (packet, packets) = (&self.packet, self.packets);
        let lost = self.lost_sendings.len();
        let arrived = packets.saturating_sub(self.lost_resets);
        if arrived > 1 && !self.others_got_further && self.rounds.is_none() {
            let all = match self.lost_resets {
                0 => format!("all {packets} {whose} packets"),
                resets => format!("all {whose} packets but {}", count(resets, "reset")),
            };
            let lost = match lost {
                0 => String::new(),
                lost => format!(", after {} did not", count(lost, "transmission")),
            };
            return format!("{all} reached {last}{lost}; path: {way}");
        }
        let sent = match self.copies {
            1 => "sent once".to_owned(),
            more if lost > 0 && !self.others_got_further => {
                format!("sent {more} times, {lost} of which did not come as far")
            }
            more => format!("sent {more} times"),
        };
        let further = if self.others_got_further { ", while others went further" } else { "" };
        let (round, again) = match &self.rounds {
            None => (String::new(), ""),
            Some(rounds) => (format!("{rounds} and "), ", then the loop again"),
        };
        format!(
            "the {whose} packet {packet} ({sent}) {round}was last seen at {last}{further}; path: \
             {way}{again}"
        )
    }
}

/// What makes frames the same packet, retransmissions included.
pub(crate) type Key = (u32, u8, u32);

/// Picks the packet that tells most out of `frames`: the first one that did not come as far as
/// another of its direction, or else the last one. Going round is not coming further.
pub(super) fn follow(subject: &Subject<'_>, frames: &[usize]) -> Option<Trace> {
    // The frames of each packet by IP identification, packets in the order of their sending.
    let mut order: Vec<Key> = Vec::new();
    let mut same: HashMap<Key, BTreeMap<Option<u32>, Vec<usize>>> = HashMap::new();
    for frame in frames.iter().filter_map(|index| subject.context.frames.get(*index)) {
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
        .map(|ids| ids.values().flat_map(|frames| split(subject.context.frames, frames)).collect())
        .collect();
    // Resets with which the client refuses answers say nothing about the path.
    let is_reset = |key: &Key| Flags(key.1).contains(Flags::RST);
    let only_resets = order.iter().all(is_reset);
    let furthest: Vec<(&Vec<Copy>, &Copy)> = packets
        .iter()
        .zip(&order)
        .filter(|(_, key)| only_resets || !is_reset(key))
        .map(|(copies, _)| copies)
        .filter_map(|copies| Some((copies, copies.iter().max_by_key(|copy| copy.places())?)))
        .collect();
    let (_, best) = furthest.iter().max_by_key(|(_, copy)| copy.places())?;
    let goal = last_place(subject, best)?;
    // Ways differ: behind a translation, what the client sends to the server itself passes fewer
    // places and gets there all the same.
    let is_short = |copy: &Copy| copy.places() < best.places() && !copy.was_at(goal);
    let lost = furthest.iter().find(|(_, copy)| is_short(copy));
    let (copies, copy) = lost.or(furthest.last())?;
    let last = subject.context.frames.get(*copy.frames.last()?)?;
    let ends = packets.iter().flatten().filter_map(|copy| copy.frames.last().copied());
    let is_there =
        |index: &usize| subject.frame(*index).is_some_and(|frame| place(&frame) == place(&last));
    let mut at_last: Vec<usize> = ends.filter(is_there).collect();
    at_last.sort_unstable();
    let resent = furthest.iter().filter(|(_, copy)| !is_short(copy));
    let short = resent.flat_map(|(copies, _)| copies.iter()).filter(|copy| is_short(copy));
    let mut lost_sendings: Vec<usize> =
        short.filter_map(|copy| copy.frames.last().copied()).collect();
    lost_sendings.sort_unstable();
    let first_round = copy.before_rounds.unwrap_or(copy.frames.len());
    Some(Trace {
        packet: name(&last),
        packets: order.len(),
        lost_resets: packets
            .iter()
            .filter(|copies| copies.iter().all(is_short))
            .count()
            .saturating_sub(furthest.iter().filter(|(_, copy)| is_short(copy)).count()),
        copies: copies.len(),
        others_got_further: lost.is_some(),
        path: copy
            .frames
            .iter()
            .take(first_round)
            .map(|i| point_and_direction(subject, *i))
            .collect(),
        rounds: copy.rounds(subject.context.frames),
        last_seen: point_and_direction(subject, last.index),
        last_node: subject.context.frames.node(&last)?.clone(),
        last_direction: last.record.direction,
        frames: subject.context.frames.list(&copy.frames),
        last: last.index,
        at_last,
        lost_sendings,
    })
}

pub(crate) fn key(frame: &Frame<'_>) -> Option<Key> {
    match &frame.decoded.packet()?.transport {
        Transport::Tcp(tcp) => Some((tcp.sequence, tcp.flags.0, tcp.payload)),
        Transport::Udp(udp) => Some((0, 0, udp.payload)),
        _ => None,
    }
}

fn last_place(subject: &Subject<'_>, copy: &Copy) -> Option<Place> {
    subject.context.frames.get(*copy.frames.last()?).map(|frame| place(&frame))
}

/// `rs2:eth0 in`
fn point_and_direction(subject: &Subject<'_>, index: usize) -> String {
    subject.context.frames.get(index).map_or_else(String::new, |frame| {
        let point = subject.context.frames.point_name(frame.record.point);
        format!("{point} {}", frame.record.direction)
    })
}

/// `S seq 0 len 0`, `UDP len 57`
pub(crate) fn name(frame: &Frame<'_>) -> String {
    match frame.decoded.packet().map(|packet| &packet.transport) {
        Some(Transport::Tcp(tcp)) => match frame.relative.sequence {
            Some(sequence) => format!("{} seq {sequence} len {}", tcp.flags, tcp.payload),
            None => format!("{} len {}", tcp.flags, tcp.payload),
        },
        Some(Transport::Udp(udp)) => format!("UDP len {}", udp.payload),
        _ => "of another protocol".to_owned(),
    }
}

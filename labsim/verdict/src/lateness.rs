//! Frames that only a lab which ran late sends.
//!
//! TCP acknowledges data on its next segment, and alone if there is none within 40 ms (`TCP_DELACK_MIN`,
//! include/net/tcp.h). A host whose program took longer than that to answer acknowledges the next data
//! at once (`icsk_ack.pingpong`, net/ipv4/tcp_output.c). What is not acknowledged for 200 ms
//! (`TCP_RTO_MIN`) is sent again, and a receiver that has the data already acknowledges it at once
//! (RFC 9293 3.10.7.4). On a machine with more work than processors, a program of the lab may not run for so
//! long, and frames appear that are no property of the scenario.

use crate::check_result::CheckContext;
use crate::frames::{Frame, Frames};
use crate::messages::{count, duration};
use crate::observe::PointId;
use labsim_scenario::model::{Direction, NodeName};
use labsim_wire::decode::Tcp;
use labsim_wire::tcp::Flags;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// The least delay that makes TCP acknowledge alone, in nanoseconds; its timers have a resolution of
/// 4 ms at 250 Hz.
const LEAST_ACK_DELAY_NS: u64 = 36_000_000;
/// The least time between a segment and its retransmission, in nanoseconds, timers' resolution considered.
const LEAST_RETRANSMISSION_NS: u64 = 190_000_000;
/// How late the lab's event loop has to have been at least once for such frames to be its fault, in
/// nanoseconds: several delays add up. On a machine that has the time it is less than 2 ms.
const LAG_NS: u64 = 5_000_000;

/// The frames of conversations that were sent because the lab was late.
#[derive(Debug, Default)]
pub(crate) struct LateFrames {
    indices: HashSet<usize>,
}

impl LateFrames {
    /// Those of some conversations, each its frames in time's order; none if the lab was on time.
    pub(crate) fn find(
        context: &CheckContext<'_>,
        conversations: impl IntoIterator<Item = Vec<usize>>,
    ) -> Self {
        let mut found = Self::default();
        if context.observations.lag_ns >= LAG_NS {
            for conversation in conversations {
                found.indices.extend(late_frames(context.frames, &conversation));
            }
        }
        found
    }

    pub(crate) fn contains(&self, index: usize) -> bool {
        self.indices.contains(&index)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

/// What a report says of frames that are left out.
pub(crate) fn note(context: &CheckContext<'_>, left_out: usize) -> String {
    format!(
        "{} left out: this machine was overloaded, labsim reacted up to {} late, and TCP acknowledges \
         alone after 40 ms and retransmits after 200 ms",
        count(left_out as u64, "frame"),
        duration(context.observations.lag_ns),
    )
}

/// Where a frame was seen.
type Place = (PointId, bool);

/// What a segment and its retransmission have in common: the sequence number, whether it opens or
/// closes, and the payload's length.
type Content = (u32, u8, u32);

fn late_frames(frames: &Frames<'_>, conversation: &[usize]) -> HashSet<usize> {
    let segments: Vec<(Frame<'_>, &Tcp)> = conversation
        .iter()
        .filter_map(|index| frames.get(*index))
        .filter_map(|frame| Some((frame, frame.decoded.tcp()?)))
        .collect();
    let mut late = retransmissions(&segments);
    late.extend(acknowledgements(frames, &segments, &late));
    late
}

fn place(frame: &Frame<'_>) -> Place {
    (frame.record.point, frame.record.direction == Direction::Out)
}

/// Segments that were sent again although none had been lost: every copy was seen wherever the first
/// was.
fn retransmissions(segments: &[(Frame<'_>, &Tcp)]) -> HashSet<usize> {
    let mut copies: HashMap<Content, BTreeMap<Place, Vec<&Frame<'_>>>> = HashMap::new();
    let mut sent_at: HashMap<Content, Place> = HashMap::new();
    for (frame, tcp) in segments {
        let control = tcp.flags.0 & (Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0);
        if tcp.payload == 0 && control == 0 {
            continue;
        }
        let content = (tcp.sequence, control, tcp.payload);
        sent_at.entry(content).or_insert_with(|| place(frame));
        copies.entry(content).or_default().entry(place(frame)).or_default().push(frame);
    }
    let mut found = HashSet::new();
    for (content, places) in &copies {
        let Some(sent) = sent_at.get(content).and_then(|place| places.get(place)) else { continue };
        let times = sent.iter().map(|frame| frame.record.time_ns);
        let is_timed = times
            .clone()
            .zip(times.skip(1))
            .all(|(before, after)| after.saturating_sub(before) >= LEAST_RETRANSMISSION_NS);
        if is_timed && places.values().all(|copies| copies.len() == sent.len()) {
            let again = places.values().flat_map(|copies| copies.iter().skip(1));
            found.extend(again.map(|frame| frame.index));
        }
    }
    found
}

/// Pure acknowledgements whose sender's program had not answered for so long that TCP sends them, or
/// that answer a segment in `retransmissions`.
fn acknowledgements(
    frames: &Frames<'_>,
    segments: &[(Frame<'_>, &Tcp)],
    retransmissions: &HashSet<usize>,
) -> HashSet<usize> {
    // One acknowledgement may be sent twice, and IPv6 has no identification: the n-th at each place.
    type Sent = (u32, u32, Option<u32>, usize);
    let mut seen: HashMap<(Place, u32, u32, Option<u32>), usize> = HashMap::new();
    let mut late: HashMap<Sent, bool> = HashMap::new();
    let mut found = HashSet::new();
    // When data arrived at each node that its program has not answered.
    let mut unanswered: BTreeMap<&NodeName, u64> = BTreeMap::new();
    let mut slow: BTreeSet<&NodeName> = BTreeSet::new();
    let mut has_duplicate: BTreeSet<&NodeName> = BTreeSet::new();
    for (frame, tcp) in segments {
        let Some(node) = frames.node(frame) else { continue };
        let time_ns = frame.record.time_ns;
        let is_out = frame.record.direction == Direction::Out;
        if is_out {
            let delay_ns = unanswered.get(node).map(|arrival| time_ns.saturating_sub(*arrival));
            if delay_ns.is_some_and(|delay| delay >= LEAST_ACK_DELAY_NS) {
                slow.insert(node);
            }
        }
        if tcp.flags == Flags::ACK && tcp.payload == 0 {
            let id = frame.decoded.innermost().and_then(|header| header.id);
            let key = (tcp.sequence, tcp.acknowledgement, id);
            let number = seen.entry((place(frame), key.0, key.1, key.2)).or_default();
            let sent = (key.0, key.1, key.2, *number);
            *number += 1;
            // Its first appearance is at its sender.
            let is_late = late
                .entry(sent)
                .or_insert_with(|| is_out && (slow.contains(node) || has_duplicate.remove(node)));
            if *is_late {
                found.insert(frame.index);
            }
        } else if is_out {
            unanswered.remove(node);
        } else if retransmissions.contains(&frame.index) {
            has_duplicate.insert(node);
        } else if tcp.payload > 0 {
            unanswered.entry(node).or_insert(time_ns);
        }
    }
    found
}

//! The frames of a capture, each once, with where it was sent and where it arrived.

use labsim_scenario::model::Direction;
use labsim_verdict::{Capture, MacTable, PointId, is_marker};
use labsim_wire::decode::{Decoded, LinkType};
use std::collections::HashMap;

/// A frame on its way.
pub(crate) struct Hop {
    /// Its number in `capture.pcapng`, as Wireshark shows it; where it was sent, if that was seen.
    pub(crate) number: usize,
    /// The same where it arrived, if it was seen at both.
    pub(crate) arrived: Option<usize>,
    /// Its place in the capture.
    pub(crate) frame: usize,
    /// Nanoseconds since 1970.
    pub(crate) time_ns: u64,
    /// The capture point that it left by, by its place in the capture.
    pub(crate) from: Option<usize>,
    /// The capture point that it arrived at.
    pub(crate) to: Option<usize>,
    /// Its headers.
    pub(crate) decoded: Decoded,
}

/// All frames, in the order of time. What a segment flooded to an interface that it is not for is left out.
pub(crate) struct Hops {
    pub(crate) all: Vec<Hop>,
    /// The hop of a frame, by its place in the capture.
    of_frame: HashMap<usize, usize>,
}

/// A frame of a capture that is no marker.
struct Seen<'a> {
    number: usize,
    frame: usize,
    time_ns: u64,
    point: usize,
    direction: Direction,
    bytes: &'a [u8],
    decoded: Decoded,
    /// The other end of its way, by its place among all: where the same bytes were sent or received.
    other: Option<usize>,
    /// Whether a segment flooded it to an interface that it is not addressed to.
    flooded: bool,
}

impl Hops {
    /// Those of a capture.
    pub(crate) fn new(capture: &Capture) -> Self {
        let mut seen = seen(capture);
        pair(capture, &mut seen);
        let mut hops = Self { all: Vec::new(), of_frame: HashMap::new() };
        for one in seen.iter().filter(|one| !one.flooded) {
            let other = one.other.and_then(|other| seen.get(other));
            let (from, to) = match (one.direction, other) {
                // It is drawn where it was sent.
                (Direction::In, Some(_)) => continue,
                (Direction::In, None) => (None, Some(one.point)),
                (Direction::Out, other) => (Some(one.point), other.map(|other| other.point)),
            };
            let place = hops.all.len();
            hops.of_frame
                .extend([Some(one), other].into_iter().flatten().map(|it| (it.frame, place)));
            hops.all.push(Hop {
                number: one.number,
                arrived: other.map(|other| other.number),
                frame: one.frame,
                time_ns: one.time_ns,
                from,
                to,
                decoded: one.decoded.clone(),
            });
        }
        hops
    }

    /// The hops of these frames, each once, in their order.
    pub(crate) fn of(&self, frames: &[usize]) -> Vec<usize> {
        let mut hops: Vec<usize> = Vec::new();
        for hop in frames.iter().filter_map(|frame| self.of_frame.get(frame)) {
            if !hops.contains(hop) {
                hops.push(*hop);
            }
        }
        hops
    }
}

fn seen(capture: &Capture) -> Vec<Seen<'_>> {
    let mut seen = Vec::new();
    for frame in capture.frames() {
        let decoded = frame.decode();
        if is_marker(&decoded) {
            continue;
        }
        seen.push(Seen {
            number: seen.len() + 1,
            frame: frame.index,
            time_ns: frame.record.time_ns,
            point: frame.record.point.0,
            direction: frame.record.direction,
            bytes: frame.bytes,
            decoded,
            other: None,
            flooded: false,
        });
    }
    seen
}

/// Finds for each frame that arrived where it was sent: the last frame before with the same bytes that left
/// another node by an Ethernet and has not arrived yet. Link-layer addresses are among the bytes, so those
/// of another link are different.
fn pair(capture: &Capture, seen: &mut [Seen<'_>]) {
    let node = |point: usize| capture.points().get(point).map(|point| &point.node);
    let is_ethernet = |point: usize| {
        let point = capture.points().get(point);
        // What is sent on lo arrives at the same node.
        point.is_some_and(|it| it.link == LinkType::Ethernet && it.interface.as_str() != "lo")
    };
    let mut table = MacTable::new(capture.points().len());
    for one in seen.iter().filter(|one| is_ethernet(one.point)) {
        table.learn(PointId(one.point), one.direction, &one.decoded);
    }
    for one in seen.iter_mut().filter(|one| one.direction == Direction::In) {
        let owner = one.decoded.link.and_then(|link| table.find(link.destination));
        one.flooded = owner.is_some_and(|owner| owner.0 != one.point);
    }
    let mut sent: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let mut pairs = Vec::new();
    let meant = |one: &Seen<'_>| is_ethernet(one.point) && !one.flooded;
    for (place, one) in seen.iter().enumerate().filter(|(_, one)| meant(one)) {
        let waiting = sent.entry(one.bytes).or_default();
        match one.direction {
            Direction::Out => waiting.push(place),
            Direction::In => {
                let is_elsewhere = |other: &usize| {
                    seen.get(*other).is_some_and(|other| node(other.point) != node(one.point))
                };
                if let Some(found) = waiting.iter().rposition(is_elsewhere) {
                    pairs.push((waiting.remove(found), place));
                }
            }
        }
    }
    for (from, to) in pairs {
        if let Some(one) = seen.get_mut(from) {
            one.other = Some(to);
        }
        if let Some(one) = seen.get_mut(to) {
            one.other = Some(from);
        }
    }
}

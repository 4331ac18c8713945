//! One direction of a connection: which points its packets passed, in which order, and what is missing where.

use crate::clocks::Clocks;
use crate::connection;
use crate::segment::Segment;
use crate::trace::{Row, Trace};
use labsim_wire::tcp::Flags;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// How the order of two points is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// TTLs, or times that exclude the other order.
    Shown,
    /// They are of one capture, which has packets in this order.
    OfFile,
    /// Not at all.
    NotKnown,
}

/// A segment, and its rows at each point.
#[derive(Debug, Clone)]
pub(crate) struct Passed {
    pub(crate) segment: Segment,
    pub(crate) at: BTreeMap<usize, Vec<usize>>,
}

/// The way of one direction's packets.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    /// Points that saw any of its packets, in the order of the packets' way as far as it is known.
    pub(crate) points: Vec<usize>,
    /// How the order of each point and the next one is known.
    pub(crate) order: Vec<Order>,
    /// Its segments, in the order of their first rows.
    pub(crate) segments: Vec<Passed>,
    /// Points with packets that cannot be matched: their numbers are relative, or not shown.
    pub(crate) unmatched: BTreeSet<usize>,
}

/// A segment that one point saw and a later or earlier one did not, while that was capturing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Missing {
    /// Its place in [`Way::segments`].
    pub(crate) segment: usize,
    pub(crate) seen_at: usize,
    pub(crate) not_at: usize,
}

impl Way {
    pub(crate) fn new(
        trace: &Trace,
        clocks: Option<&Clocks>,
        rows: &[usize],
        (source, destination): (SocketAddr, SocketAddr),
    ) -> Self {
        let mut segments: Vec<Passed> = Vec::new();
        let mut places: BTreeMap<Segment, usize> = BTreeMap::new();
        let mut unmatched = BTreeSet::new();
        let mut all = BTreeSet::new();
        for index in rows {
            let Some(row) = trace.rows.get(*index) else { continue };
            all.insert(row.point);
            let Some(segment) = Segment::of_packet(&row.packet) else {
                unmatched.insert(row.point);
                continue;
            };
            let place = *places.entry(segment).or_insert(segments.len());
            if place == segments.len() {
                segments.push(Passed { segment, at: BTreeMap::new() });
            }
            if let Some(passed) = segments.get_mut(place) {
                passed.at.entry(row.point).or_default().push(*index);
            }
        }
        let mut way = Self { points: Vec::new(), order: Vec::new(), segments, unmatched };
        let order = |first: usize, second: usize| {
            let is_shown =
                clocks.is_some_and(|it| it.passes_first(source, destination, first, second));
            if is_shown {
                Order::Shown
            } else if way.is_first_in_file(trace, first, second) {
                Order::OfFile
            } else {
                Order::NotKnown
            }
        };
        let (points, orders) = sort(all, order);
        (way.points, way.order) = (points, orders);
        way
    }

    /// Whether two points are of one capture, which has every packet of both at the first one first.
    fn is_first_in_file(&self, trace: &Trace, first: usize, second: usize) -> bool {
        let capture = |point: usize| trace.points.get(point).map(|it| it.capture);
        if capture(first) != capture(second) {
            return false;
        }
        let mut both = self.segments.iter().filter_map(|passed| {
            Some((passed.at.get(&first)?.first()?, passed.at.get(&second)?.first()?))
        });
        let Some((one, other)) = both.next() else { return false };
        one < other && both.all(|(one, other)| one < other)
    }

    /// Whether this is known to be the first point of all on the way, and there are others.
    pub(crate) fn is_first(&self, point: usize) -> bool {
        self.points.first() == Some(&point)
            && self.order.first().is_some_and(|order| *order != Order::NotKnown)
    }

    /// The same of the last one.
    pub(crate) fn is_last(&self, point: usize) -> bool {
        self.points.last() == Some(&point)
            && self.order.last().is_some_and(|order| *order != Order::NotKnown)
    }

    /// The segments that a point saw.
    pub(crate) fn count(&self, point: usize) -> usize {
        self.segments.iter().filter(|it| it.at.contains_key(&point)).count()
    }

    /// Segments that one point has, and another that saw this direction lacks between others that it has. What
    /// is before its first and after its last packet of the connection is no finding: a capture begins and
    /// ends.
    pub(crate) fn missing(&self) -> Vec<Missing> {
        let mut missing = Vec::new();
        for seen_at in &self.points {
            for not_at in &self.points {
                if seen_at == not_at || self.unmatched.contains(not_at) {
                    continue;
                }
                let both: Vec<bool> = self
                    .segments
                    .iter()
                    .map(|it| it.at.contains_key(seen_at) && it.at.contains_key(not_at))
                    .collect();
                let (Some(first), Some(last)) =
                    (both.iter().position(|it| *it), both.iter().rposition(|it| *it))
                else {
                    continue;
                };
                let covered = self.ranges(*not_at);
                for (place, passed) in self.segments.iter().enumerate().take(last).skip(first) {
                    let is_missing = passed.at.contains_key(seen_at)
                        && !passed.at.contains_key(not_at)
                        && !covered.has(&passed.segment);
                    if is_missing {
                        missing.push(Missing {
                            segment: place,
                            seen_at: *seen_at,
                            not_at: *not_at,
                        });
                    }
                }
            }
        }
        missing
    }

    /// The bytes that a point saw: segments are cut and joined by offloading.
    fn ranges(&self, point: usize) -> Ranges {
        let seen = self.segments.iter().filter(|it| it.at.contains_key(&point));
        Ranges::new(seen.map(|it| &it.segment))
    }

    /// The largest acknowledgement number that anybody saw in this direction, counted from `first`.
    pub(crate) fn acknowledged(&self, first: u32) -> Option<i64> {
        let numbers = self.segments.iter().filter(|it| !is_reset(&it.segment));
        numbers.filter_map(|it| Some(count(it.segment.acknowledgement?, first))).max()
    }

    /// The first segment with all of these flags, and without the others of SYN, FIN, RST and ACK.
    pub(crate) fn find(&self, flags: Flags) -> Option<&Passed> {
        let mask = Flags::SYN.0 | Flags::FIN.0 | Flags::RST.0 | Flags::ACK.0;
        self.segments.iter().find(|it| it.segment.flags & mask == flags.0)
    }

    /// The first segment that has a flag.
    pub(crate) fn find_with(&self, flag: Flags) -> Option<&Passed> {
        self.segments.iter().find(|it| Flags(it.segment.flags).contains(flag))
    }

    /// Bytes of payload that were seen anywhere, each counted once.
    pub(crate) fn bytes(&self) -> u64 {
        Ranges::new(self.segments.iter().map(|it| &it.segment)).bytes()
    }
}

pub(crate) fn is_reset(segment: &Segment) -> bool {
    Flags(segment.flags).contains(Flags::RST)
}

/// A sequence number counted from another one.
pub(crate) fn count(number: u32, first: u32) -> i64 {
    i64::from(number.wrapping_sub(first).cast_signed())
}

/// Orders points: one that is after no other comes next; among several the one of the lowest number.
fn sort(
    points: BTreeSet<usize>,
    order: impl Fn(usize, usize) -> Order,
) -> (Vec<usize>, Vec<Order>) {
    let mut left: Vec<usize> = points.into_iter().collect();
    let mut sorted: Vec<usize> = Vec::new();
    while !left.is_empty() {
        let is_next = |at: &usize| left.iter().all(|other| order(*other, *at) == Order::NotKnown);
        let next = left.iter().position(is_next).unwrap_or(0);
        sorted.push(left.remove(next));
    }
    let orders = sorted.windows(2).map(|pair| match pair {
        [first, second] => order(*first, *second),
        _ => Order::NotKnown,
    });
    (sorted.clone(), orders.collect())
}

/// Bytes of one direction, counted from the first one that was seen.
struct Ranges {
    first: Option<u32>,
    /// From and to, in order and apart from each other.
    ranges: Vec<(i64, i64)>,
}

impl Ranges {
    fn new<'a>(segments: impl Iterator<Item = &'a Segment>) -> Self {
        let data: Vec<&Segment> = segments.filter(|it| it.payload > 0 && !it.is_udp).collect();
        let first = data.first().and_then(|it| it.sequence);
        let mut ranges: Vec<(i64, i64)> = data
            .iter()
            .filter_map(|it| {
                let from = count(it.sequence?, first?);
                Some((from, from + i64::from(it.payload)))
            })
            .collect();
        ranges.sort_unstable();
        let mut joined: Vec<(i64, i64)> = Vec::new();
        for (from, to) in ranges {
            match joined.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => joined.push((from, to)),
            }
        }
        Self { first, ranges: joined }
    }

    /// Whether all bytes of a segment that has any are among these.
    fn has(&self, segment: &Segment) -> bool {
        let (Some(first), Some(sequence)) = (self.first, segment.sequence) else { return false };
        let controls = Flags(segment.flags);
        if segment.payload == 0 || controls.contains(Flags::FIN) || controls.contains(Flags::SYN) {
            return false;
        }
        let from = count(sequence, first);
        let to = from + i64::from(segment.payload);
        self.ranges.iter().any(|range| range.0 <= from && to <= range.1)
    }

    fn bytes(&self) -> u64 {
        self.ranges.iter().map(|(from, to)| from.abs_diff(*to)).sum()
    }
}

/// Whether a row is of a packet in a tunnel.
pub(crate) fn is_tunnelled(row: &Row) -> bool {
    !row.packet.inner.is_empty()
}

/// Rows of a segment at a point.
pub(crate) fn rows_at<'a>(
    trace: &'a Trace,
    passed: &'a Passed,
    point: usize,
) -> impl Iterator<Item = &'a Row> {
    let places = passed.at.get(&point).into_iter().flatten();
    places.filter_map(|index| trace.rows.get(*index))
}

/// A connection's both ways.
#[derive(Debug, Clone)]
pub(crate) struct Ways {
    pub(crate) requests: Way,
    pub(crate) replies: Way,
}

impl Ways {
    pub(crate) fn new(
        trace: &Trace,
        clocks: Option<&Clocks>,
        connection: &connection::Connection,
    ) -> Self {
        let (client, server) = (connection.client, connection.server);
        Self {
            requests: Way::new(trace, clocks, &connection.requests, (client, server)),
            replies: Way::new(trace, clocks, &connection.replies, (server, client)),
        }
    }
}

//! How far clocks differ, as bounds that nothing in the captures contradicts.
//!
//! A clock's error is its time less the true one. A packet that passed A before B says that
//! `error(B) - error(A)` is at most its time at B less its time at A: an effect is not before its cause. The
//! same holds for a segment at A and the acknowledgement of it at B, whichever way that came; so points that
//! replies never pass are bounded as well. All shortest paths over these constraints are the tightest bounds.

use crate::matching::{Matching, Seen};
use crate::segment::Segment;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Bounds of a difference, in nanoseconds; `None` if nothing bounds it on that side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// At least this.
    pub lower_ns: Option<i64>,
    /// At most this.
    pub upper_ns: Option<i64>,
}

/// Two bounds that exclude each other: a clock was set or drifts, or packets were matched that are not the
/// same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contradiction {
    /// A point on the cycle of constraints that cannot hold together.
    pub point: usize,
    /// By how much they miss, in nanoseconds.
    pub by_ns: i64,
}

/// The differences of all clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clocks {
    points: usize,
    /// The most that the error of the second may exceed that of the first, at `first * points + second`.
    most: Vec<Option<i64>>,
    /// For each connection's direction and two points: the first was passed first.
    passed: BTreeSet<(Direction, usize, usize)>,
}

/// Who sends, and who receives.
type Direction = (SocketAddr, SocketAddr);

/// What packets of one direction say of two points if the first was passed first, and if the second was.
#[derive(Debug, Clone, Copy)]
struct Pair {
    /// The least time at the second less the time at the first.
    forth: i64,
    /// The same the other way round.
    back: i64,
    /// Whether TTLs tell which was first: some packet had more of it at the first point, or at the second.
    by_ttl: (bool, bool),
}

impl Clocks {
    /// Bounds the clocks of all points.
    ///
    /// # Errors
    /// [`Contradiction`].
    pub fn new(matching: &Matching) -> Result<Self, Contradiction> {
        let points = matching.points();
        let most = vec![None; points * points];
        let mut clocks = Self { points, most, passed: BTreeSet::new() };
        clocks.acknowledgements(matching);
        clocks.close()?;
        let pairs = pairs(matching);
        // An order that would contradict what is known is not the one; that makes more known.
        let mut is_changed = true;
        while is_changed {
            is_changed = false;
            for ((direction, one, other), pair) in &pairs {
                let known = [(*one, *other), (*other, *one)]
                    .into_iter()
                    .any(|(first, second)| clocks.is_passed_first(*direction, first, second));
                if known {
                    continue;
                }
                let forth = clocks.may_be(*one, *other, pair.forth);
                let back = clocks.may_be(*other, *one, pair.back);
                let (first, second, difference) = match (pair.by_ttl, forth, back) {
                    ((true, false), ..) | ((false, false), true, false) => {
                        (*one, *other, pair.forth)
                    }
                    ((false, true), ..) | ((false, false), false, true) => {
                        (*other, *one, pair.back)
                    }
                    _ => continue,
                };
                clocks.passed.insert((*direction, first, second));
                clocks.tighten(first, second, difference)?;
                is_changed = true;
            }
        }
        Ok(clocks)
    }

    /// The error of the second point's clock less that of the first one's.
    #[must_use]
    pub fn difference(&self, first: usize, second: usize) -> Bounds {
        Bounds {
            lower_ns: self.at(second, first).map(i64::saturating_neg),
            upper_ns: self.at(first, second),
        }
    }

    /// Whether packets from `source` to `destination` are known to pass the first point before the second.
    #[must_use]
    pub fn passes_first(
        &self,
        source: SocketAddr,
        destination: SocketAddr,
        first: usize,
        second: usize,
    ) -> bool {
        self.is_passed_first((source, destination), first, second)
    }

    fn is_passed_first(&self, direction: Direction, first: usize, second: usize) -> bool {
        self.passed.contains(&(direction, first, second))
    }

    fn at(&self, first: usize, second: usize) -> Option<i64> {
        self.most.get(self.place(first, second)?).copied().flatten()
    }

    /// Where the bound of two points is in `most`; `None` of a point that is none.
    fn place(&self, first: usize, second: usize) -> Option<usize> {
        (first.max(second) < self.points).then_some(first * self.points + second)
    }

    /// Whether the second clock may be ahead of the first by `difference` at most.
    fn may_be(&self, first: usize, second: usize, difference: i64) -> bool {
        self.at(second, first).is_none_or(|back| difference.saturating_add(back) >= 0)
    }

    fn bound(&mut self, first: usize, second: usize, difference: i64) {
        let place = self.place(first, second);
        if let Some(most) = place.and_then(|place| self.most.get_mut(place)) {
            *most = Some(most.map_or(difference, |known| known.min(difference)));
        }
    }

    /// All shortest paths (Floyd and Warshall).
    fn close(&mut self) -> Result<(), Contradiction> {
        for between in 0..self.points {
            for first in 0..self.points {
                let Some(one) = self.at(first, between) else { continue };
                for second in 0..self.points {
                    if let Some(two) = self.at(between, second) {
                        self.bound(first, second, one.saturating_add(two));
                    }
                }
            }
        }
        self.check()
    }

    /// Adds a constraint to closed ones, and closes them again: only paths over it can be shorter.
    fn tighten(&mut self, from: usize, to: usize, difference: i64) -> Result<(), Contradiction> {
        if self.at(from, to).is_some_and(|known| known <= difference) {
            return Ok(());
        }
        let distance = |clocks: &Self, first: usize, second: usize| {
            if first == second { Some(0) } else { clocks.at(first, second) }
        };
        for first in 0..self.points {
            let Some(before) = distance(self, first, from) else { continue };
            for second in 0..self.points {
                if let Some(after) = distance(self, to, second) {
                    let sum = before.saturating_add(difference).saturating_add(after);
                    self.bound(first, second, sum);
                }
            }
        }
        self.check()
    }

    /// Whether no clock is ahead of itself.
    fn check(&self) -> Result<(), Contradiction> {
        let negative = |point: usize| {
            let by_ns = self.at(point, point).filter(|it| *it < 0)?;
            Some(Contradiction { point, by_ns: by_ns.saturating_neg() })
        };
        (0..self.points).find_map(negative).map_or(Ok(()), Err)
    }

    fn acknowledgements(&mut self, matching: &Matching) {
        for it in acknowledgements(matching) {
            self.bound(it.from, it.to, it.effect_ns.saturating_sub(it.cause_ns));
        }
    }
}

/// A cause at one point, and its effect at another, each by that point's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Constraint {
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) cause_ns: i64,
    pub(crate) effect_ns: i64,
}

/// What packets and acknowledgements say of every two clocks; `order` tells which of two points packets passed first.
pub(crate) fn constraints(matching: &Matching, order: &Clocks) -> Vec<Constraint> {
    let mut found = acknowledgements(matching);
    for (segment, points) in matching.unique() {
        for (from, cause) in &points {
            let passed = points.iter().filter(|(to, _)| {
                order.passes_first(segment.source, segment.destination, *from, *to)
            });
            found.extend(passed.map(|(to, effect)| Constraint {
                from: *from,
                to: *to,
                cause_ns: cause.last_ns,
                effect_ns: effect.first_ns,
            }));
        }
    }
    found
}

/// A segment at one point is the cause of the first acknowledgement of it at every other.
fn acknowledgements(matching: &Matching) -> Vec<Constraint> {
    let replies = Replies::new(matching);
    let mut found = Vec::new();
    for (from, segment, seen) in first_transmissions(matching) {
        let Some(end) = segment.end() else { continue };
        for to in (0..matching.points()).filter(|it| *it != from) {
            if let Some(effect_ns) = replies.first(segment, end, to) {
                found.push(Constraint { from, to, cause_ns: seen.last_ns, effect_ns });
            }
        }
    }
    found
}

/// Segments at a point whose bytes it had not seen before: one that is sent again may be acknowledged already.
fn first_transmissions(matching: &Matching) -> Vec<(usize, &Segment, Seen)> {
    let mut sent = BTreeMap::<_, Vec<_>>::new();
    for (segment, point, seen, is_unique) in matching.all() {
        let direction: Direction = (segment.source, segment.destination);
        sent.entry((direction, point)).or_default().push((segment, seen, is_unique));
    }
    let mut first = Vec::new();
    for ((_, point), mut segments) in sent {
        segments.sort_by_key(|(_, seen, _): &(&Segment, Seen, bool)| seen.first_ns);
        let mut all_before: Option<u32> = None;
        for (segment, seen, is_unique) in segments {
            let (Some(start), Some(end)) = (segment.sequence, segment.end()) else { continue };
            let is_new = all_before.is_none_or(|before| start.wrapping_sub(before) < HALF);
            if is_new && is_unique {
                first.push((point, segment, seen));
            }
            if all_before.is_none_or(|before| end.wrapping_sub(before) < HALF) {
                all_before = Some(end);
            }
        }
    }
    first
}

/// Half of the sequence numbers: what is further ahead is behind.
const HALF: u32 = 1 << 31;

/// Connections that acknowledge more bytes than this use their numbers twice.
const MOST_BYTES: i64 = 1 << 30;

/// For each direction of a connection and each point, when which acknowledgement number was seen first.
struct Replies {
    seen: BTreeMap<(Direction, usize), Acknowledged>,
}

/// The largest number up to each time. Numbers are counted from the first.
struct Acknowledged {
    first: u32,
    largest: Vec<(i64, i64)>,
}

impl Replies {
    fn new(matching: &Matching) -> Self {
        let mut seen: BTreeMap<_, Vec<(u32, i64)>> = BTreeMap::new();
        for (segment, point, at, _) in matching.all() {
            let Some(number) = segment.acknowledgement else { continue };
            let direction = (segment.source, segment.destination);
            seen.entry((direction, point)).or_default().push((number, at.first_ns));
        }
        let ordered = seen.into_iter().filter_map(|(key, mut numbers)| {
            numbers.sort_by_key(|(_, time)| *time);
            Some((key, Acknowledged::new(&numbers)?))
        });
        Self { seen: ordered.collect() }
    }

    /// When a point first saw an acknowledgement of all up to `end`.
    fn first(&self, segment: &Segment, end: u32, point: usize) -> Option<i64> {
        let acknowledged = self.seen.get(&((segment.destination, segment.source), point))?;
        let end = acknowledged.count(end);
        let place = acknowledged.largest.partition_point(|(number, _)| *number < end);
        acknowledged.largest.get(place).map(|(_, time)| *time)
    }
}

impl Acknowledged {
    /// Of numbers in the order of their times; `None` if they are used twice.
    fn new(numbers: &[(u32, i64)]) -> Option<Self> {
        let (first, _) = *numbers.first()?;
        let mut acknowledged = Self { first, largest: Vec::new() };
        let mut largest = 0;
        for (number, time) in numbers {
            let number = acknowledged.count(*number);
            if number.abs() > MOST_BYTES {
                return None;
            }
            largest = number.max(largest);
            acknowledged.largest.push((largest, *time));
        }
        Some(acknowledged)
    }

    fn count(&self, number: u32) -> i64 {
        i64::from(number.wrapping_sub(self.first).cast_signed())
    }
}

/// What each two points that saw the same segments of a direction say.
fn pairs(matching: &Matching) -> BTreeMap<(Direction, usize, usize), Pair> {
    let mut pairs: BTreeMap<_, Pair> = BTreeMap::new();
    for (segment, points) in matching.unique() {
        let direction = (segment.source, segment.destination);
        for (index, (one, first)) in points.iter().enumerate() {
            for (other, second) in points.iter().skip(index + 1) {
                let pair = Pair {
                    forth: second.first_ns.saturating_sub(first.last_ns),
                    back: first.first_ns.saturating_sub(second.last_ns),
                    by_ttl: (is_before(first, second), is_before(second, first)),
                };
                pairs
                    .entry((direction, *one, *other))
                    .and_modify(|it| {
                        it.forth = it.forth.min(pair.forth);
                        it.back = it.back.min(pair.back);
                        it.by_ttl = (it.by_ttl.0 || pair.by_ttl.0, it.by_ttl.1 || pair.by_ttl.1);
                    })
                    .or_insert(pair);
            }
        }
    }
    pairs
}

/// Whether the TTL says that a packet was at one point before the other: routers only make it smaller.
fn is_before(one: &Seen, other: &Seen) -> bool {
    one.ttl.zip(other.ttl).is_some_and(|(one, other)| one.1 >= other.0 && one.0 > other.1)
}

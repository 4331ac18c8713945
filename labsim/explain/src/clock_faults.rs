//! What makes times contradict each other: one clock that was set, or one that runs at another rate.
//!
//! Neither is taken for granted: a sentence names each of them that would explain all times, and by how much.

use crate::clock_rates;
use crate::clocks::{Bounds, Clocks};
use crate::matching::Matching;
use crate::segment::Sighting;
use crate::trace::{Trace, Unit};

/// Sightings and points that are searched at most.
const MAX_SIGHTINGS: usize = 4_000;
const MAX_POINTS: usize = 6;

/// Each clock whose step or rate would explain the contradiction, in sentences.
pub(crate) fn explanations(trace: &Trace) -> Vec<String> {
    let timed = trace.rows.iter().filter(|row| row.time_ns.is_some());
    if timed.count() > MAX_SIGHTINGS || trace.points.len() > MAX_POINTS {
        return Vec::new();
    }
    let sightings = trace.sightings();
    let points = 0..trace.points.len();
    let steps: Vec<String> = points.filter_map(|point| step(trace, &sightings, point)).collect();
    if !steps.is_empty() {
        return steps;
    }
    clock_rates::explanations(trace, &sightings)
}

pub(crate) fn clocks(sightings: &[Sighting]) -> Option<Clocks> {
    Clocks::new(&Matching::new(sightings)).ok()
}

/// The sightings of a point that `accepts` takes by their places among its own, and all others.
pub(crate) fn part(
    sightings: &[Sighting],
    point: usize,
    accepts: impl Fn(usize) -> bool,
) -> Vec<Sighting> {
    let mut place = 0;
    let is_taken = |it: &&Sighting| {
        if it.point != point {
            return true;
        }
        place += 1;
        accepts(place - 1)
    };
    sightings.iter().filter(is_taken).cloned().collect()
}

/// A step of a point's clock between two of its packets: what is before agrees with all others, and so does what is
/// behind.
fn step(trace: &Trace, sightings: &[Sighting], point: usize) -> Option<String> {
    let count = sightings.iter().filter(|it| it.point == point).count();
    let before = |first: usize| clocks(&part(sightings, point, |place| place < first));
    let most = most(count, |first| before(first).is_some());
    if most == 0 {
        return None;
    }
    let (one, other) = (before(most)?, clocks(&part(sightings, point, |place| place >= most))?);
    let bounds = (0..trace.points.len())
        .filter(|it| *it != point)
        .find_map(|it| change(one.difference(it, point), other.difference(it, point)));
    let by = bounds.map_or(String::new(), |bounds| format!(" by {bounds}"));
    let mut rows = trace.rows.iter().filter(|row| row.point == point && row.time_ns.is_some());
    let (last, first) = (rows.nth(most - 1)?.number, rows.next()?.number);
    let found = trace.points.get(point)?;
    let unit = if found.unit == Unit::Line { "lines" } else { "frames" };
    Some(format!(
        "A step of the clock of {}{by} between its {unit} {last} and {first} would explain it.",
        found.name
    ))
}

/// The most packets of `count`, not all, that agree with those of the other points.
pub(crate) fn most(count: usize, agree: impl Fn(usize) -> bool) -> usize {
    let (mut most, mut too_many) = (0, count);
    while too_many - most > 1 {
        let middle = most + (too_many - most) / 2;
        if agree(middle) {
            most = middle;
        } else {
            too_many = middle;
        }
    }
    most
}

/// How far a difference of clocks changed, if both are bounded on both sides.
fn change(before: Bounds, after: Bounds) -> Option<Bounds> {
    let (least, most) = (before.lower_ns?, before.upper_ns?);
    Some(Bounds {
        lower_ns: Some(after.lower_ns?.saturating_sub(most)),
        upper_ns: Some(after.upper_ns?.saturating_sub(least)),
    })
}

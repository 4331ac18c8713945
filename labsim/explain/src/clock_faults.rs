//! What makes times contradict each other: one clock that was set, or one that runs at another rate.
//!
//! Neither is taken for granted: it is said which of them would explain all times, and by how much.

use crate::clocks::{Bounds, Clocks};
use crate::matching::Matching;
use crate::segment::Sighting;
use crate::trace::{Trace, Unit};

/// Sightings and points that are searched at most.
const MAX_SIGHTINGS: usize = 4_000;
const MAX_POINTS: usize = 6;
/// Rates between the least and the most that are possible, that are tried.
const RATES: i64 = 40;
/// Clocks are not compared by their rates within a shorter time.
const LEAST_TIME_NS: i64 = 1_000_000_000;
/// Rates of clocks are counted in billionths; those of machines are within a thousandth.
const BILLION: i128 = 1_000_000_000;
const MAX_RATE: i64 = 1_000_000;

/// Each clock whose step or rate would explain the contradiction, in sentences.
pub(crate) fn explanations(trace: &Trace) -> Vec<String> {
    let sightings = trace.sightings();
    if sightings.len() > MAX_SIGHTINGS || trace.points.len() > MAX_POINTS {
        return Vec::new();
    }
    let points = 0..trace.points.len();
    let steps: Vec<String> =
        points.clone().filter_map(|point| step(trace, &sightings, point)).collect();
    if !steps.is_empty() {
        return steps;
    }
    points.filter_map(|point| rate(trace, &sightings, point)).collect()
}

fn clocks(sightings: &[Sighting]) -> Option<Clocks> {
    Clocks::new(&Matching::new(sightings)).ok()
}

/// The sightings of a point that `keeps` accepts by their places among its own, and all others.
fn part(sightings: &[Sighting], point: usize, keeps: impl Fn(usize) -> bool) -> Vec<Sighting> {
    let mut place = 0;
    let is_kept = |it: &&Sighting| {
        if it.point != point {
            return true;
        }
        place += 1;
        keeps(place - 1)
    };
    sightings.iter().filter(is_kept).cloned().collect()
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
fn most(count: usize, agree: impl Fn(usize) -> bool) -> usize {
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

/// Another rate of a point's clock, by which all times agree. Its first and its last packets that agree with all
/// others each bound the difference of the clocks, and both together the rate.
fn rate(trace: &Trace, sightings: &[Sighting], point: usize) -> Option<String> {
    let times: Vec<i64> =
        sightings.iter().filter(|it| it.point == point).map(|it| it.time_ns).collect();
    let count = times.len();
    let first = |wanted: usize| part(sightings, point, |place| place < wanted);
    let last = |wanted: usize| part(sightings, point, |place| place + wanted >= count);
    // With half of them the clock's own change within that time matters less.
    let early = most(count, |it| clocks(&first(it)).is_some()).div_ceil(2);
    let late = most(count, |it| clocks(&last(it)).is_some()).div_ceil(2);
    if early + late >= count {
        return None;
    }
    let (one, other) = (clocks(&first(early))?, clocks(&last(late))?);
    let others = (0..trace.points.len()).filter(|it| *it != point);
    let mut changes =
        others.filter_map(|it| change(one.difference(it, point), other.difference(it, point)));
    let changed = changes.next()?;
    let (start, end) = (*times.first()?, *times.last()?);
    // What bounds the difference may be of any time within either part.
    let apart = times.get(count - late)?.checked_sub(*times.get(early.checked_sub(1)?)?)?;
    let whole = end.checked_sub(start)?;
    if apart < LEAST_TIME_NS {
        return None;
    }
    let rates = |ns: i64| {
        let rate = |time: i64| i64::try_from(i128::from(ns) * BILLION / i128::from(time)).ok();
        let both = [rate(apart)?, rate(whole)?];
        both.iter().all(|it| it.abs() <= MAX_RATE).then_some(both)
    };
    let least = rates(changed.lower_ns?)?.into_iter().min()?;
    let most = rates(changed.upper_ns?)?.into_iter().max()?;
    let agrees = |rate: &i64| {
        let moved = |it: &Sighting| {
            let since = i128::from(it.time_ns) - i128::from(start);
            let error = since * i128::from(*rate) / (BILLION + i128::from(*rate));
            let error = if it.point == point { i64::try_from(error).unwrap_or(0) } else { 0 };
            Sighting { time_ns: it.time_ns.saturating_sub(error), ..it.clone() }
        };
        clocks(&sightings.iter().map(moved).collect::<Vec<_>>()).is_some()
    };
    let tried = (0..=RATES).map(|it| least + (most - least) * it / RATES);
    let found: Vec<i64> = tried.filter(agrees).collect();
    let (least, most) = (*found.first()?, *found.last()?);
    let shown = |rate: i64| format!("{}.{}", rate.abs() / 1000, rate.abs() / 100 % 10);
    let what = if least < 0 { "slower" } else { "faster" };
    let (one, other) = if least < 0 { (most, least) } else { (least, most) };
    let name = &trace.points.get(point)?.name;
    Some(format!(
        "A clock of {name} that is {what} by a rate such as {} .. {} millionths would explain it.",
        shown(one),
        shown(other)
    ))
}

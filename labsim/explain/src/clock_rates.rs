//! Clocks that run at other rates: by how much, and which of several it is.
//!
//! What passed two points bounds the difference of their clocks at that time. If both run evenly, a straight line lies
//! between all of these bounds, and its slope is the difference of their rates.

use crate::clock_faults::{clocks, most, part};
use crate::clocks::{Clocks, Constraint, constraints};
use crate::matching::Matching;
use crate::segment::Sighting;
use crate::trace::Trace;

/// Clocks are not compared by their rates within a shorter time.
const LEAST_TIME_NS: i64 = 1_000_000_000;
/// Rates are counted in billionths; those of machines are within a thousandth.
const BILLION: i128 = 1_000_000_000;
const MAX_RATE: i64 = 1_000_000;

/// How much faster one clock is than another, in billionths, at least and at most.
type Rates = (i64, i64);

/// Which clocks' rates would explain that times contradict each other, in sentences.
pub(crate) fn explanations(trace: &Trace, sightings: &[Sighting]) -> Vec<String> {
    let points = 0..trace.points.len();
    let of = |first: usize| -> Vec<Option<Rates>> {
        let against = |second: usize| {
            if first == second { Some((0, 0)) } else { rates(sightings, first, second) }
        };
        points.clone().map(against).collect()
    };
    let all: Vec<Vec<Option<Rates>>> = points.clone().map(of).collect();
    let between = |first: usize, second: usize| all.get(first)?.get(second).copied().flatten();
    let alone: Vec<String> = points
        .clone()
        .filter_map(|point| {
            let others = || points.clone().filter(move |it| *it != point);
            let found = others().filter_map(|other| between(other, point)).reduce(inside)?;
            let differs = found.0 > 0 || found.1 < 0;
            let mut corrected = vec![0; trace.points.len()];
            *corrected.get_mut(point)? = found.0 + (found.1 - found.0) / 2;
            (differs && found.0 <= found.1 && agree(sightings, &corrected))
                .then(|| alone(trace, point, found))?
        })
        .collect();
    if !alone.is_empty() {
        return alone;
    }
    points
        .clone()
        .find_map(|point| against(trace, sightings, (point, all.get(point)?)))
        .into_iter()
        .collect()
}

fn inside(one: Rates, other: Rates) -> Rates {
    (one.0.max(other.0), one.1.min(other.1))
}

/// One clock that differs from all others, which agree.
fn alone(trace: &Trace, point: usize, rates: Rates) -> Option<String> {
    let name = &trace.points.get(point)?.name;
    Some(format!("A clock of {name} that is {} would explain it.", shown(rates)))
}

/// Several clocks, each against one of them.
fn against(
    trace: &Trace,
    sightings: &[Sighting],
    (point, all): (usize, &Vec<Option<Rates>>),
) -> Option<String> {
    let middle: Vec<i64> =
        all.iter().map(|it| it.map_or(0, |(least, most)| least + (most - least) / 2)).collect();
    if !agree(sightings, &middle) {
        return None;
    }
    let differing = all.iter().zip(&trace.points).filter_map(|(rates, point)| {
        let rates = rates.filter(|(least, most)| *least > 0 || *most < 0)?;
        Some(format!("{} {}", point.name, shown(rates)))
    });
    let differing: Vec<String> = differing.collect();
    let name = &trace.points.get(point)?.name;
    (!differing.is_empty()).then(|| {
        format!(
            "Against the clock of {name}, those of others that are so would explain it: {}.",
            differing.join(", ")
        )
    })
}

/// `faster by 99.1 .. 100.4 millionths`
fn shown((least, most): Rates) -> String {
    let shown = |rate: i64| format!("{}.{}", rate.abs() / 1000, rate.abs() / 100 % 10);
    let (what, one, other) =
        if least < 0 { ("slower", most, least) } else { ("faster", least, most) };
    format!("{what} by {} .. {} millionths", shown(one), shown(other))
}

/// Whether all times agree once each clock that is faster by so many billionths is corrected.
fn agree(sightings: &[Sighting], rates: &[i64]) -> bool {
    let mut starts = vec![None; rates.len()];
    let moved = |it: &Sighting| {
        let rate = i128::from(rates.get(it.point).copied().unwrap_or(0));
        let start = starts
            .get_mut(it.point)
            .map_or(it.time_ns, |it_starts| *it_starts.get_or_insert(it.time_ns));
        let error = (i128::from(it.time_ns) - i128::from(start)) * rate / (BILLION + rate);
        let error = i64::try_from(error).unwrap_or(0);
        Sighting { time_ns: it.time_ns.saturating_sub(error), ..it.clone() }
    };
    clocks(&sightings.iter().map(moved).collect::<Vec<_>>()).is_some()
}

/// How much faster the second clock is than the first one; `None` if nothing bounds that on both sides, or no rates
/// explain the times.
fn rates(sightings: &[Sighting], first: usize, second: usize) -> Option<Rates> {
    let both: Vec<Sighting> =
        sightings.iter().filter(|it| it.point == first || it.point == second).cloned().collect();
    let count = both.iter().filter(|it| it.point == second).count();
    // Which point is passed first is known by the beginning, where the clocks have not gone apart.
    let agreeing = most(count + 1, |first| early(&both, second, first).is_some());
    let order = early(&both, second, agreeing)?;
    let (mut upper, mut lower) = (Vec::new(), Vec::new());
    for Constraint { from, to, cause_ns, effect_ns } in constraints(&Matching::new(&both), &order) {
        if (from, to) == (first, second) {
            upper.push((cause_ns, effect_ns.saturating_sub(cause_ns)));
        } else if (from, to) == (second, first) {
            lower.push((effect_ns, cause_ns.saturating_sub(effect_ns)));
        }
    }
    slopes(&upper, &lower)
}

fn early(sightings: &[Sighting], point: usize, count: usize) -> Option<Clocks> {
    clocks(&part(sightings, point, |place| place < count))
}

/// The slopes of straight lines that are nowhere above `upper` and nowhere below `lower`, in billionths. Each is a time
/// and a difference.
fn slopes(upper: &[(i64, i64)], lower: &[(i64, i64)]) -> Option<Rates> {
    let (mut least, mut most) = (None::<i64>, None::<i64>);
    for (upper_at, above) in upper {
        for (lower_at, below) in lower {
            let (time, room) =
                (upper_at.checked_sub(*lower_at)?, i128::from(*above) - i128::from(*below));
            if time == 0 && room < 0 {
                return None;
            }
            if time.abs() < LEAST_TIME_NS {
                continue;
            }
            let slope = i64::try_from(room * BILLION / i128::from(time)).ok()?;
            if time > 0 {
                most = Some(most.map_or(slope, |known| known.min(slope)));
            } else {
                least = Some(least.map_or(slope, |known| known.max(slope)));
            }
        }
    }
    least.zip(most).filter(|(least, most)| least <= most && least.abs().max(most.abs()) <= MAX_RATE)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    #[test]
    fn a_line_between_the_bounds_has_a_slope_within_these() {
        let at = |second: i64, ns: i64| (second * SECOND, ns);
        // It rises by 100 ns a second, with 50 ns of room on either side.
        let upper = [at(0, 50), at(10, 1050)];
        let lower = [at(0, -50), at(10, 950)];
        assert_eq!(slopes(&upper, &lower), Some((90, 110)));
        assert_eq!(slopes(&upper[..1], &lower[..1]), None);
        // No line: what is between falls below what was above before.
        let bent = [at(0, -50), at(5, 900), at(10, 950)];
        assert_eq!(slopes(&upper, &bent), None);
        assert_eq!(slopes(&[], &lower), None);
    }

    #[test]
    fn a_rate_that_no_machine_has_is_none() {
        let upper = [(0, 0), (10 * SECOND, SECOND)];
        assert_eq!(slopes(&upper, &upper), None);
    }
}

//! The differences of clocks, as they are printed.

use crate::clocks::{Bounds, Clocks};
use crate::sentence::signed;
use crate::trace::{Clock, DAY_NS, Trace};
use serde::Serialize;
use std::fmt;

const HOUR_NS: i64 = 3_600_000_000_000;
/// A difference this close to whole hours may be a time zone and a clock that is wrong.
const NEAR_HOUR_NS: i64 = 300_000_000_000;

/// How far the second point's clock is ahead of the first one's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ClockDifference {
    /// The first point's place in `points`.
    pub first: usize,
    /// The second point's.
    pub second: usize,
    /// At least this many nanoseconds; `None` if nothing shows it.
    pub at_least_ns: Option<i64>,
    /// At most this many.
    pub at_most_ns: Option<i64>,
    /// Whether whole days are not known, as one of the texts shows none.
    pub is_time_of_day: bool,
    /// Whole hours that may be a difference of time zones: at least one text was printed in a zone that is not
    /// known.
    pub possible_time_zone_hours: Option<i64>,
    /// Whether both are of one capture.
    pub is_same_capture: bool,
}

/// Of every two points that a common packet or acknowledgement may bound.
pub(crate) fn differences(trace: &Trace, clocks: &Clocks) -> Vec<ClockDifference> {
    let places = || trace.points.iter().enumerate();
    let is_timed = |clock: Clock| clock != Clock::None;
    places()
        .flat_map(|one| places().skip(one.0 + 1).map(move |other| (one, other)))
        .filter(|((_, one), (_, other))| is_timed(one.clock) && is_timed(other.clock))
        .map(|((first, one), (second, other))| {
            let bounds = clocks.difference(first, second);
            let is_day = |clock: Clock| clock == Clock::TimeOfDay;
            let is_time_of_day = is_day(one.clock) != is_day(other.clock);
            let days = match (is_time_of_day, bounds.lower_ns.or(bounds.upper_ns)) {
                (true, Some(bound)) => (bound + DAY_NS / 2).div_euclid(DAY_NS) * DAY_NS,
                _ => 0,
            };
            let (at_least_ns, at_most_ns) = (
                bounds.lower_ns.map(|it| it.saturating_sub(days)),
                bounds.upper_ns.map(|it| it.saturating_sub(days)),
            );
            let is_local = |clock: Clock| matches!(clock, Clock::Local | Clock::TimeOfDay);
            let hours = at_least_ns.zip(at_most_ns).and_then(|(least, most)| hours(least, most));
            ClockDifference {
                first,
                second,
                at_least_ns,
                at_most_ns,
                is_time_of_day,
                possible_time_zone_hours: hours
                    .filter(|_| is_local(one.clock) || is_local(other.clock)),
                is_same_capture: one.capture == other.capture,
            }
        })
        .collect()
}

/// Whole hours that both bounds are close to.
fn hours(least: i64, most: i64) -> Option<i64> {
    let hours = (least + HOUR_NS / 2).div_euclid(HOUR_NS);
    let is_near = |bound: i64| bound.abs_diff(hours * HOUR_NS) <= NEAR_HOUR_NS.unsigned_abs();
    (hours != 0 && hours.abs() <= 14 && is_near(least) && is_near(most)).then_some(hours)
}

impl fmt::Display for Bounds {
    /// `+5.779194 .. +5.782072 s`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.lower_ns.map(signed), self.upper_ns.map(signed)) {
            (Some(least), Some(most)) => write!(f, "{least} .. {most} s"),
            (Some(least), None) => write!(f, "at least {least} s"),
            (None, Some(most)) => write!(f, "at most {most} s"),
            (None, None) => f.write_str("not bounded"),
        }
    }
}

impl fmt::Display for ClockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Bounds { lower_ns: self.at_least_ns, upper_ns: self.at_most_ns }.fmt(f)?;
        if self.is_time_of_day && (self.at_least_ns.is_some() || self.at_most_ns.is_some()) {
            f.write_str(", less whole days: one text shows no date")?;
        }
        if let Some(hours) = self.possible_time_zone_hours {
            write!(f, ", of which {hours:+} h may be a time zone")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_hours_are_found_only_where_both_bounds_are_near_them() {
        let second = 1_000_000_000;
        assert_eq!(hours(2 * HOUR_NS + 5 * second, 2 * HOUR_NS + 6 * second), Some(2));
        assert_eq!(hours(-HOUR_NS - second, -HOUR_NS + second), Some(-1));
        assert_eq!(hours(5 * second, 6 * second), None);
        assert_eq!(hours(HOUR_NS, 2 * HOUR_NS), None);
        assert_eq!(hours(HOUR_NS / 2, HOUR_NS / 2 + second), None);
    }

    #[test]
    fn bounds_of_one_side_are_stated_as_such() {
        let difference = |at_least_ns, at_most_ns| ClockDifference {
            first: 0,
            second: 1,
            at_least_ns,
            at_most_ns,
            is_time_of_day: false,
            possible_time_zone_hours: None,
            is_same_capture: false,
        };
        let text = |least, most| difference(least, most).to_string();
        assert_eq!(text(Some(5_779_194_000), Some(5_782_072_000)), "+5.779194 .. +5.782072 s");
        assert_eq!(text(None, Some(-1_000)), "at most -0.000001 s");
        assert_eq!(text(Some(0), None), "at least +0.000000 s");
        assert_eq!(text(None, None), "not bounded");
    }
}

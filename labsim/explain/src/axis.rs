//! One time axis for all points: that of the first clock, with something subtracted from each of the others.

use crate::clocks::{Bounds, Clocks};
use crate::connection;
use crate::matching::Matching;
use crate::sentence::signed;
use crate::trace::{Clock, DAY_NS, Point, Trace};

/// What puts the times of a point on the axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correction {
    /// Its clock is the axis: it is the first point that has times, or one of the same capture.
    Axis,
    /// Nothing shows that its clock differs from the axis.
    Agrees(Bounds),
    /// Its clock is ahead of the axis within these bounds.
    Subtracted {
        /// By how much.
        bounds: Bounds,
        /// What is subtracted: within the bounds, and no more exact than they are.
        ns: i64,
    },
    /// Its clock is bounded on both sides by other points of its capture, which have the same clock.
    OfCapture {
        /// How far the capture's clock is ahead of the axis.
        bounds: Bounds,
        /// What is subtracted, as from the others.
        ns: i64,
    },
    /// Its clock is not bounded on both sides; its times stay as they are.
    NotBounded(Bounds),
    /// Its times are counted from something else than the axis is, and nothing bounds the difference.
    OtherOrigin,
    /// It has no times.
    NoTimes,
}

impl Correction {
    /// What is subtracted, in nanoseconds; `None` if the point has no place on the axis.
    #[must_use]
    pub const fn subtracted_ns(&self) -> Option<i64> {
        match self {
            Self::Axis | Self::Agrees(_) | Self::NotBounded(_) => Some(0),
            Self::Subtracted { ns, .. } | Self::OfCapture { ns, .. } => Some(*ns),
            Self::OtherOrigin | Self::NoTimes => None,
        }
    }

    /// What was done, as a part of a sentence; `axis` is the name of the point whose clock is the axis.
    #[must_use]
    pub fn shown(&self, axis: &str) -> String {
        match self {
            Self::Axis => "its clock is the time axis".to_owned(),
            Self::Agrees(bounds) => {
                format!("its clock is ahead of that of {axis} by {bounds}; nothing was subtracted")
            }
            Self::Subtracted { bounds, ns } => {
                let ns = subtracted(*ns);
                format!("its clock is ahead of that of {axis} by {bounds}; {ns} s was subtracted")
            }
            Self::OfCapture { bounds, ns } => {
                let what = match ns {
                    0 => "nothing".to_owned(),
                    ns => format!("{} s", subtracted(*ns)),
                };
                format!(
                    "the clock of its capture is ahead of that of {axis} by {bounds}; {what} was subtracted"
                )
            }
            Self::NotBounded(Bounds { lower_ns: None, upper_ns: None }) => {
                format!("its clock is not bounded against that of {axis}; it was not corrected")
            }
            Self::NotBounded(bounds) => format!(
                "its clock is ahead of that of {axis} by {bounds}, which is a bound of one side; it was not \
                 corrected"
            ),
            Self::OtherOrigin => format!(
                "its times are not counted from what those of {axis} are, and no two-sided bound says how \
                 far they are apart"
            ),
            Self::NoTimes => "it shows no times".to_owned(),
        }
    }
}

/// A correction: whole microseconds as the bounds have them, else all digits.
fn subtracted(ns: i64) -> String {
    let micros = signed(ns);
    if ns % 1000 == 0 { micros } else { format!("{micros}{:03}", (ns % 1000).unsigned_abs()) }
}

/// The time axis of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Axis {
    /// The point whose clock it is: the first that has times.
    pub point: Option<usize>,
    /// How each point's times are put on it.
    pub corrections: Vec<Correction>,
    /// Why no clock is bounded, if the times contradict each other.
    pub contradiction: Option<String>,
    /// Where its zero is, in nanoseconds since 1970: a day later if the times are counted from no date, for what
    /// is before their zero.
    zero_ns: i64,
}

impl Axis {
    /// A time of a point on the axis, in nanoseconds since 1970; `None` if it has no place there.
    #[must_use]
    pub fn place(&self, point: usize, time_ns: i64) -> Option<u64> {
        let subtracted = self.corrections.get(point)?.subtracted_ns()?;
        let time = time_ns.checked_sub(subtracted)?.checked_add(self.zero_ns)?;
        u64::try_from(time).ok()
    }
}

impl Trace {
    /// The time axis of all points. Corrections hold the order of cause and effect between every two points
    /// that are corrected, and not only against the first.
    #[must_use]
    pub fn axis(&self) -> Axis {
        let (clocks, contradiction) = match Clocks::new(&Matching::of_trace(self)) {
            Ok(clocks) => (Some(clocks), None),
            Err(contradiction) => (None, Some(self.contradiction(contradiction))),
        };
        let difference = |first: usize, second: usize| {
            clocks.as_ref().map_or(OPEN, |clocks| clocks.difference(first, second))
        };
        let point = self.points.iter().position(|it| it.clock != Clock::None);
        let zero_ns = match point.and_then(|point| self.points.get(point)).map(|it| it.clock) {
            Some(Clock::TimeOfDay | Clock::FirstPacket) => DAY_NS,
            _ => 0,
        };
        let corrections = corrections(&self.points, point, &difference);
        Axis { point, corrections, contradiction, zero_ns }
    }

    /// How many TCP connections there are, and how many of them several captures saw.
    #[must_use]
    pub fn count_connections(&self) -> (usize, usize) {
        let mut all = connection::connections(self);
        all.retain(|it| it.protocol == connection::Protocol::Tcp);
        (all.len(), self.in_common(&all))
    }
}

/// The clock of the second point less that of the first.
type Difference<'a> = &'a dyn Fn(usize, usize) -> Bounds;

/// Corrects point by point. As bounds are all shortest paths, what fits to the points before leaves room for all
/// that follow.
fn corrections(
    points: &[Point],
    axis: Option<usize>,
    difference: Difference<'_>,
) -> Vec<Correction> {
    let mut corrections = vec![Correction::NoTimes; points.len()];
    let Some((axis, origin)) = axis.and_then(|axis| Some((axis, points.get(axis)?))) else {
        return corrections;
    };
    let mut fixed = vec![(axis, 0)];
    for members in captures(points) {
        let value = one_value(&members, axis, &fixed, difference);
        let common = members.iter().map(|it| difference(axis, *it)).fold(OPEN, inside);
        let has_axis = members.contains(&axis);
        for point in members {
            let bounds = difference(axis, point);
            let is_bounded = bounds.lower_ns.is_some() && bounds.upper_ns.is_some();
            let own = || choose(room(&fixed, point, difference));
            let correction = match value.or_else(own) {
                _ if point == axis => Correction::Axis,
                Some(0) if has_axis && !is_bounded => Correction::Axis,
                Some(0) if is_bounded => Correction::Agrees(bounds),
                Some(ns) if is_bounded => Correction::Subtracted { bounds, ns },
                Some(ns) => Correction::OfCapture { bounds: common, ns },
                None if is_comparable(origin, points.get(point)) => Correction::NotBounded(bounds),
                None => Correction::OtherOrigin,
            };
            if let (true, Some(ns)) = (is_corrected(&correction), correction.subtracted_ns()) {
                fixed.push((point, ns));
            }
            if let Some(place) = corrections.get_mut(point) {
                *place = correction;
            }
        }
    }
    corrections
}

/// The points with times, by the captures that they belong to.
fn captures(points: &[Point]) -> Vec<Vec<usize>> {
    let mut captures: Vec<(usize, Vec<usize>)> = Vec::new();
    for (place, point) in points.iter().enumerate().filter(|(_, it)| it.clock != Clock::None) {
        match captures.iter_mut().find(|(capture, _)| *capture == point.capture) {
            Some((_, members)) => members.push(place),
            None => captures.push((point.capture, vec![place])),
        }
    }
    captures.into_iter().map(|(_, members)| members).collect()
}

/// What is subtracted from all points of a capture; `None` if they have more than one clock, or it is not
/// bounded.
fn one_value(
    members: &[usize],
    axis: usize,
    fixed: &[(usize, i64)],
    difference: Difference<'_>,
) -> Option<i64> {
    let may_agree = |first: usize, second: usize| {
        let bounds = difference(first, second);
        bounds.lower_ns.is_none_or(|it| it <= 0) && bounds.upper_ns.is_none_or(|it| it >= 0)
    };
    let mut pairs = members.iter().flat_map(|one| members.iter().map(move |other| (*one, *other)));
    if !pairs.all(|(one, other)| one == other || may_agree(one, other)) {
        return None;
    }
    if members.contains(&axis) {
        return Some(0);
    }
    choose(members.iter().map(|point| room(fixed, *point, difference)).fold(OPEN, inside))
}

/// What the points before leave to a point: not less, and not more may be subtracted.
fn room(fixed: &[(usize, i64)], point: usize, difference: Difference<'_>) -> Bounds {
    let of = |(other, ns): &(usize, i64)| {
        let bounds = difference(*other, point);
        let shifted = |bound: Option<i64>| bound.map(|bound| bound.saturating_add(*ns));
        Bounds { lower_ns: shifted(bounds.lower_ns), upper_ns: shifted(bounds.upper_ns) }
    };
    fixed.iter().map(of).fold(OPEN, inside)
}

/// Bounds of nothing.
const OPEN: Bounds = Bounds { lower_ns: None, upper_ns: None };

/// What both bounds allow.
fn inside(one: Bounds, other: Bounds) -> Bounds {
    Bounds {
        lower_ns: one.lower_ns.into_iter().chain(other.lower_ns).max(),
        upper_ns: one.upper_ns.into_iter().chain(other.upper_ns).min(),
    }
}

/// Whether others may rely on where a point was put.
const fn is_corrected(correction: &Correction) -> bool {
    matches!(
        correction,
        Correction::Axis
            | Correction::Agrees(_)
            | Correction::Subtracted { .. }
            | Correction::OfCapture { .. }
    )
}

/// Nothing if that is inside, else the middle; `None` if a side is open.
fn choose(room: Bounds) -> Option<i64> {
    let (lower, upper) =
        room.lower_ns.zip(room.upper_ns).filter(|(lower, upper)| lower <= upper)?;
    if lower < 0 && upper > 0 {
        return Some(0);
    }
    let middle = lower.saturating_add(upper.saturating_sub(lower) / 2);
    // Whole microseconds, as bounds are printed.
    let micros = middle.div_euclid(1000).saturating_mul(1000);
    Some(if micros >= lower { micros } else { middle })
}

/// Whether times of both are counted from the same, as far as is known.
fn is_comparable(one: &Point, other: Option<&Point>) -> bool {
    let is_since_1970 = |clock: Clock| matches!(clock, Clock::Utc | Clock::Local);
    other.is_some_and(|other| match (one.clock, other.clock) {
        (Clock::TimeOfDay, Clock::TimeOfDay) => true,
        (one, other) => is_since_1970(one) && is_since_1970(other),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Unit;

    const SECOND: i64 = 1_000_000_000;

    fn points(captures: &[(usize, Clock)]) -> Vec<Point> {
        let point = |(capture, clock): &(usize, Clock)| Point {
            name: String::new(),
            file: String::new(),
            unit: Unit::Frame,
            capture: *capture,
            clock: *clock,
            given: None,
            command: None,
            snap_length: None,
        };
        captures.iter().map(point).collect()
    }

    fn two_sided(lower: i64, upper: i64) -> Bounds {
        Bounds { lower_ns: Some(lower), upper_ns: Some(upper) }
    }

    /// Corrections of points whose differences are these, and open where none is given.
    fn of(captures: &[(usize, Clock)], bounds: &[(usize, usize, Bounds)]) -> Vec<Correction> {
        let negative = |bound: Option<i64>| bound.map(|it| -it);
        let difference = |first: usize, second: usize| {
            let found = bounds.iter().find_map(|(one, other, bounds)| {
                let back = Bounds {
                    lower_ns: negative(bounds.upper_ns),
                    upper_ns: negative(bounds.lower_ns),
                };
                match (first, second) {
                    pair if pair == (*one, *other) => Some(*bounds),
                    pair if pair == (*other, *one) => Some(back),
                    _ => None,
                }
            });
            found.unwrap_or(OPEN)
        };
        super::corrections(&points(captures), Some(0), &difference)
    }

    fn subtracted(corrections: &[Correction]) -> Vec<Option<i64>> {
        corrections.iter().map(Correction::subtracted_ns).collect()
    }

    #[test]
    fn the_middle_of_two_sides_is_subtracted_and_the_bound_is_stated() {
        let bounds = two_sided(5_779_194_000, 5_782_072_000);
        let found = of(&[(0, Clock::Utc), (1, Clock::Utc)], &[(0, 1, bounds)]);
        assert_eq!(found, [Correction::Axis, Correction::Subtracted { bounds, ns: 5_780_633_000 }]);
        let shown = found[1].shown("client");
        assert!(shown.ends_with("+5.779194 .. +5.782072 s; +5.780633 s was subtracted"), "{shown}");
    }

    #[test]
    fn what_is_not_bounded_on_both_sides_or_may_agree_stays() {
        let one_sided = Bounds { lower_ns: Some(SECOND), upper_ns: None };
        let near = two_sided(-SECOND, 2 * SECOND);
        let clocks = [(0, Clock::Utc), (1, Clock::Utc), (2, Clock::Utc), (3, Clock::Local)];
        let found = of(&clocks, &[(0, 1, one_sided), (0, 2, near)]);
        assert_eq!(found[1..3], [Correction::NotBounded(one_sided), Correction::Agrees(near)]);
        assert_eq!(subtracted(&found), [Some(0); 4]);
        let shown = found[1].shown("a");
        assert!(shown.contains("at least +1.000000 s, which is a bound of one side"), "{shown}");
        assert!(found[3].shown("a").starts_with("its clock is not bounded against that of a;"));
    }

    #[test]
    fn each_two_points_keep_the_bound_between_them() {
        let wide = two_sided(SECOND, 21 * SECOND);
        let close = two_sided(5 * SECOND, 6 * SECOND);
        let clocks = [(0, Clock::Utc), (1, Clock::Utc), (2, Clock::Utc)];
        let found = of(&clocks, &[(0, 1, wide), (0, 2, wide), (1, 2, close)]);
        // The middle alone would be 11 s for both.
        assert_eq!(subtracted(&found), [Some(0), Some(11 * SECOND), Some(16_500_000_000)]);
    }

    #[test]
    fn points_of_one_capture_have_one_clock_unless_they_contradict_that() {
        let (one, two) = (two_sided(2 * SECOND, 10 * SECOND), two_sided(7 * SECOND, 9 * SECOND));
        let clocks =
            [(0, Clock::Utc), (0, Clock::Utc), (1, Clock::Utc), (1, Clock::Utc), (1, Clock::Utc)];
        let bounds = [(0, 2, one), (0, 3, two)];
        let found = of(&clocks, &bounds);
        let ns = 8 * SECOND;
        assert_eq!(found[1], Correction::Axis);
        assert_eq!(found[2], Correction::Subtracted { bounds: one, ns });
        assert_eq!(found[4], Correction::OfCapture { bounds: two, ns });
        let apart = (2, 3, two_sided(SECOND, 2 * SECOND));
        let found = of(&clocks, &[bounds[0], bounds[1], apart]);
        assert_eq!(subtracted(&found)[2..4], [Some(6 * SECOND), Some(7_500_000_000)]);
        assert_eq!(found[4], Correction::NotBounded(OPEN));
    }

    #[test]
    fn times_of_another_origin_need_a_bound() {
        let days = two_sided(-20_000 * DAY_NS, -20_000 * DAY_NS + SECOND);
        let clocks =
            [(0, Clock::Utc), (1, Clock::TimeOfDay), (2, Clock::TimeOfDay), (3, Clock::None)];
        let found = of(&clocks, &[(0, 1, days)]);
        assert_eq!(found[1].subtracted_ns(), Some(-20_000 * DAY_NS + SECOND / 2));
        assert_eq!(found[2].subtracted_ns(), None);
        assert_eq!(found[3], Correction::NoTimes);
    }

    #[test]
    fn a_correction_within_a_microsecond_is_stated_with_all_digits() {
        assert_eq!(choose(two_sided(1_200, 1_800)), Some(1_500));
        assert_eq!(super::subtracted(1_500), "+0.000001500");
        assert_eq!(super::subtracted(-2_000), "-0.000002");
    }

    #[test]
    fn times_without_a_date_begin_on_the_second_day() {
        let trace = Trace { points: points(&[(0, Clock::FirstPacket)]), ..Trace::default() };
        let axis = trace.axis();
        assert_eq!(axis.place(0, -SECOND), Some(86_399_000_000_000));
        assert_eq!(axis.place(1, 0), None);
    }
}

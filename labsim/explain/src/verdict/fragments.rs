//! Packets of which a point captured the first fragment, and not all others.

use super::Verdict;
use crate::known::Known;
use crate::story::in_order;
use crate::way::{Passed, Way};
use labsim_codes::cause;

/// Adds to a verdict that a packet was not captured whole where it was seen last.
pub(super) fn add_incomplete(known: &Known<'_>, way: &Way, passed: &Passed, verdict: &mut Verdict) {
    let points = in_order(way, passed);
    let is_incomplete = |point: &usize| {
        let rows = passed.at.get(point);
        rows.is_some_and(|rows| rows.iter().all(|row| known.trace.incomplete.contains(row)))
    };
    let Some(last) = points.last().copied().filter(is_incomplete) else { return };
    let whole: Vec<usize> = points.iter().copied().filter(|point| !is_incomplete(point)).collect();
    let elsewhere = match whole.as_slice() {
        [] => String::new(),
        points => format!("; {} captured all of it", known.names(points)),
    };
    let name = known.name(last);
    let text = format!(
        "Of the packet {name} captured the first fragment, and not all others{elsewhere}: what lacks a fragment is \
         not received"
    );
    let rows = passed.at.get(&last).into_iter().flatten().copied();
    verdict.because.push(known.sentence(text, rows));
    if verdict.possible.contains(&cause::FRAGMENTS_DROPPED) {
        verdict.put_first(&[cause::FRAGMENTS_DROPPED]);
    }
}

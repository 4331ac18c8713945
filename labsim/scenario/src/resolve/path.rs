//! Expectations about what becomes of packets between two interfaces.

use super::context::Context;
use super::expectations::count;
use super::topology::REAL_SERVER;
use super::{Report, frames};
use crate::file::{RawDelayBounds, RawFrameMatch, RawPathCheck};
use crate::model::{Check, DelayBounds, Direction, PathCheck, PathPoint, PointNode};
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::{Located, Scalar};
use std::time::Duration;

/// Resolves one.
pub(super) fn path(
    check: &Located<RawPathCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let fields = &check.value;
    let from = path_point(&fields.from, context, report);
    let to = path_point(&fields.to, context, report);
    if let (Some(from), Some(to)) = (&from, &to)
        && from == to
    {
        report.at(
            fields.to.span,
            file::INVALID_VALUE,
            "`from` and `to` are the same; name two different ones",
        );
    }
    let every = RawFrameMatch::default();
    let written = fields.matching.as_ref();
    if let Some(direction) = written.and_then(|written| written.value.direction.as_ref()) {
        report.at(direction.span, file::CONFLICT, "`from` sets the direction; leave it out here");
    }
    let matching = frames::fields(written.map_or(&every, |written| &written.value), report);
    let place = written.map_or(check.span, |written| written.span);
    let matching = frames::complete(matching, place, report);
    let delay = fields.delay.as_ref().map(|written| bounds(written, report));
    let mut counted = |written: &Option<_>| written.as_ref().map(|form| count(form, report));
    let (lost, duplicates) = (counted(&fields.lost), counted(&fields.duplicates));
    let reordered = counted(&fields.reordered);
    if delay.is_none() && [lost, duplicates, reordered].iter().all(Option::is_none) {
        report.empty(
            check.span,
            "this check has no bounds; add `delay`, `lost`, `duplicates` or `reordered`",
        );
    }
    let (from, to, matching) = (from?, to?, matching.ok()?);
    Some(Check::Path(Box::new(PathCheck {
        from,
        to,
        matching,
        delay,
        lost,
        duplicates,
        reordered,
    })))
}

/// Reads `node:interface in` or `node:interface out`.
fn path_point(
    text: &Located<String>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<PathPoint> {
    let mut words = text.split_whitespace();
    let (point, direction) = match (words.next(), words.next(), words.next()) {
        (Some(point), Some("in"), None) => (point, Direction::In),
        (Some(point), Some("out"), None) => (point, Direction::Out),
        _ => {
            report.at(
                text.span,
                file::INVALID_VALUE,
                format!(
                    "{} is not an interface with a direction; write such as `client:eth0 out`",
                    quoted(text)
                ),
            );
            return None;
        }
    };
    if point.split_once(':').is_some_and(|(node, _)| node == REAL_SERVER) {
        let message = format!("`{REAL_SERVER}` is not one fixed node; name a node");
        report.at(text.span, file::INVALID_VALUE, message);
        return None;
    }
    let point = Located::new(point.to_owned(), text.span);
    let found = context.point(&point, None, report)?;
    match found.node {
        PointNode::Named(node) => Some(PathPoint { node, interface: found.interface, direction }),
        PointNode::RealServerOf(_) => None,
    }
}

fn bounds(written: &Located<RawDelayBounds>, report: &mut Report<'_>) -> DelayBounds {
    let fields = &written.value;
    if fields.at_least.is_none() && fields.at_most.is_none() {
        report.empty(written.span, "this accepts every time; add `at_least` or `at_most`");
    }
    let mut time = |text: &Option<Located<Scalar>>| -> Option<Duration> {
        let text = text.as_ref()?;
        report.take(text.span, labsim_model::parse_time(&text.value.0))
    };
    let (at_least, at_most) = (time(&fields.at_least), time(&fields.at_most));
    if let (Some(least), Some(most), Some(text)) = (at_least, at_most, &fields.at_least)
        && least > most
    {
        let message = format!("`at_least` {least:?} is above `at_most` {most:?}; swap them");
        report.at(text.span, file::OUT_OF_RANGE, message);
    }
    if let (Some(Duration::ZERO), Some(text)) = (at_least, &fields.at_least) {
        report.at(text.span, file::NO_EFFECT, "every delay is at least 0; write a longer time");
    }
    DelayBounds { at_least, at_most }
}

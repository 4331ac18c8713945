//! Expectations about what becomes of packets between two interfaces.

use super::context::Context;
use super::expectations::count;
use super::topology::REAL_SERVER;
use super::{Report, frames, quantity};
use crate::file::{DelayFields, FrameFields, PassageCheck, Scalar};
use crate::model::{Check, Crossing, DelayBounds, Direction, Passage, PointNode};
use crate::text::quoted;
use labsim_yaml::Located;
use std::time::Duration;

/// Resolves one.
pub(super) fn passage(
    check: &Located<PassageCheck>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Check> {
    let fields = &check.value;
    let from = crossing(&fields.from, context, report);
    let to = crossing(&fields.to, context, report);
    if let (Some(from), Some(to)) = (&from, &to)
        && from == to
    {
        report.at(fields.to.span, "packets go from one place to another; name two");
    }
    let every = FrameFields::default();
    let written = fields.matching.as_ref();
    if let Some(direction) = written.and_then(|written| written.value.direction.as_ref()) {
        report.at(direction.span, "`from` says the direction; leave it out here");
    }
    let matching = frames::fields(written.map_or(&every, |written| &written.value), report);
    let place = written.map_or(check.span, |written| written.span);
    let matching = frames::complete(matching, place, report);
    let delay = fields.delay.as_ref().map(|written| bounds(written, report));
    let mut counted = |written: &Option<_>| written.as_ref().map(|form| count(form, report));
    let (lost, duplicated) = (counted(&fields.lost), counted(&fields.duplicated));
    let overtaken = counted(&fields.overtaken);
    if delay.is_none() && [lost, duplicated, overtaken].iter().all(Option::is_none) {
        report.empty(
            check.span,
            "nothing is said about these packets; add `delay`, `lost`, `duplicated` or `overtaken`",
        );
    }
    let (from, to, matching) = (from?, to?, matching.ok()?);
    Some(Check::Passage(Box::new(Passage {
        from,
        to,
        matching,
        delay,
        lost,
        duplicated,
        overtaken,
    })))
}

/// Reads `node:interface in` or `node:interface out`.
fn crossing(
    text: &Located<String>,
    context: &Context<'_>,
    report: &mut Report<'_>,
) -> Option<Crossing> {
    let mut words = text.split_whitespace();
    let (point, direction) = match (words.next(), words.next(), words.next()) {
        (Some(point), Some("in"), None) => (point, Direction::In),
        (Some(point), Some("out"), None) => (point, Direction::Out),
        _ => {
            report.at(
                text.span,
                format!(
                    "{} does not say where and which way; write it such as `client:eth0 out`",
                    quoted(text)
                ),
            );
            return None;
        }
    };
    if point.split_once(':').is_some_and(|(node, _)| node == REAL_SERVER) {
        let message = format!("`{REAL_SERVER}` may be another server each time; name a node");
        report.at(text.span, message);
        return None;
    }
    let point = Located::new(point.to_owned(), text.span);
    let found = context.point(&point, None, report)?;
    match found.node {
        PointNode::Named(node) => Some(Crossing { node, interface: found.interface, direction }),
        PointNode::RealServerOf(_) => None,
    }
}

fn bounds(written: &Located<DelayFields>, report: &mut Report<'_>) -> DelayBounds {
    let fields = &written.value;
    if fields.at_least.is_none() && fields.at_most.is_none() {
        report.empty(written.span, "any time is right; add `at_least` or `at_most`");
    }
    let mut time = |text: &Option<Located<Scalar>>| -> Option<Duration> {
        let text = text.as_ref()?;
        report.take(text.span, quantity::time(&text.value.0))
    };
    let (at_least, at_most) = (time(&fields.at_least), time(&fields.at_most));
    if let (Some(least), Some(most), Some(text)) = (at_least, at_most, &fields.at_least)
        && least > most
    {
        let message = format!("nothing takes at least {least:?} and at most {most:?}; swap them");
        report.at(text.span, message);
    }
    if let (Some(Duration::ZERO), Some(text)) = (at_least, &fields.at_least) {
        report.at(text.span, "everything takes 0 or more; write a time above it");
    }
    DelayBounds { at_least, at_most }
}

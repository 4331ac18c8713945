//! Which frames are captured, and whether they are those that expectations need.

mod needs;

pub(super) use needs::check_captured;

use super::lookup::Lookup;
use super::{Report, address, frames};
use crate::file::{RawCaptureFilter, RawCaptures, RawFrameMatch, ScenarioFile};
use crate::model::{Captures, FrameMatch, NodeName, PointPattern, RealServer};
use crate::text::quoted;
use labsim_codes::file;
use labsim_yaml::{Located, Span};
use std::collections::BTreeMap;

/// Most patterns of capture points, and most filters.
const POINTS: usize = 1024;
const FILTERS: usize = 64;
/// Least bytes of a frame: Ethernet, two IP headers with options, GRE or UDP and GUE, and TCP with options.
const LEAST: u32 = 256;
/// tcpdump's default.
const MOST: u32 = 262_144;
/// For no capture points.
const NONE: &str = "none";

/// Resolves `captures`.
pub(super) fn captures(
    file: &ScenarioFile,
    real_servers: &BTreeMap<NodeName, RealServer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Captures {
    let Some(Located { value: written, span }) = &file.captures else {
        return Captures::default();
    };
    let RawCaptures { points, filter, snaplen } = written;
    if points.is_none() && filter.is_none() && snaplen.is_none() {
        let message = "`captures` is empty; add `points`, `filter` or `snaplen`, or leave it out";
        report.at(*span, file::NO_EFFECT, message);
    }
    let points = points.as_ref().map(|texts| {
        let named = address::each(texts);
        if named.is_empty() {
            let message = format!("no capture point is named; write {}", quoted(NONE));
            report.at(texts.span, file::MISSING_VALUE, message);
        }
        if !report.limit(texts.span, named.len(), POINTS, "capture point") {
            return Vec::new();
        }
        if named.iter().any(|text| text.value == NONE) {
            if named.len() == 1 {
                return Vec::new();
            }
            let message = "`none` captures nothing; leave it or the others out";
            report.at(texts.span, file::CONFLICT, message);
        }
        let named = named.iter().filter(|text| text.value != NONE);
        named.map(|text| pattern(text, real_servers, lookup, report)).collect()
    });
    let filter = filter.as_ref().map_or_else(Vec::new, |filter| filters(filter, report));
    if let (Some([]), false) = (points.as_deref(), filter.is_empty()) {
        let message = "nothing is captured, so that the filter has no effect; leave it out";
        report.at(*span, file::NO_EFFECT, message);
    }
    let snaplen = snaplen.filter(|snaplen| {
        let is_good = (LEAST..=MOST).contains(&snaplen.value);
        if !is_good {
            let message = format!("a snaplen of {} bytes; write {LEAST} to {MOST}", snaplen.value);
            report.at(snaplen.span, file::OUT_OF_RANGE, message);
        }
        is_good
    });
    let captures = Captures {
        place: Some(report.place(*span)),
        points,
        filter,
        snaplen: snaplen.map(|snaplen| snaplen.value),
    };
    if file.exercise.is_some() && !captures.is_complete() {
        let message = "an exercise's cause is diagnosed from all frames; leave `captures` out";
        report.at(*span, file::NOT_CAPTURED, message);
    }
    captures
}

/// Checks that an interface has such a name.
fn pattern(
    text: &Located<String>,
    real_servers: &BTreeMap<NodeName, RealServer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> PointPattern {
    let pattern = PointPattern::parse(text);
    let has = |name: &NodeName| {
        let interfaces = lookup.get(name).into_iter().flat_map(|node| &node.interfaces);
        let tunnels = real_servers.get(name).into_iter().flat_map(|server| &server.tunnels);
        let names = interfaces.map(|it| it.name.as_str()).chain(tunnels.map(|it| it.name.as_str()));
        names.chain(["lo"]).any(|interface| pattern.matches(name.as_str(), interface))
    };
    if lookup.knows_names() && !lookup.node_names().any(has) {
        let message = format!(
            "no interface of the lab is called {}; write `node:interface` or `node`, with `*` for any \
             characters",
            quoted(text)
        );
        report.absent(text.span, text, message);
    }
    pattern
}

fn filters(written: &Located<RawCaptureFilter>, report: &mut Report<'_>) -> Vec<FrameMatch> {
    let each: Vec<(&RawFrameMatch, Span)> = match &written.value {
        RawCaptureFilter::Map(one) => vec![(one, written.span)],
        RawCaptureFilter::List(list) => list.iter().map(|one| (&one.value, one.span)).collect(),
    };
    if each.is_empty() {
        let message = "an empty filter; name header fields, or leave it out";
        report.at(written.span, file::MISSING_VALUE, message);
    }
    if !report.limit(written.span, each.len(), FILTERS, "filter") {
        return Vec::new();
    }
    each.into_iter().filter_map(|(one, place)| filter(one, place, report)).collect()
}

fn filter(written: &RawFrameMatch, place: Span, report: &mut Report<'_>) -> Option<FrameMatch> {
    for number in [written.seq, written.ack].into_iter().flatten() {
        let message = "TCP's numbers are counted from a flow's first one, which is not known while frames \
            are captured; leave this out";
        report.at(number.span, file::NO_EFFECT, message);
    }
    if let Some(direction) = &written.direction {
        let message =
            "a frame is captured at both ends of its link, or at none; leave `direction` out";
        report.at(direction.span, file::NO_EFFECT, message);
    }
    let fields = frames::fields(written, report);
    let matching = frames::complete(fields, place, report).ok()?;
    if matching == FrameMatch::default() {
        let message = "this filter passes every frame; name header fields, or leave it out";
        report.at(place, file::NO_EFFECT, message);
    }
    Some(matching)
}

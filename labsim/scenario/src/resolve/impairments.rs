//! Which links are impaired, and how.

use super::lookup::Lookup;
use super::{Report, mtu, quantity};
use crate::file::RawImpairment;
use crate::model::{Attachment, Impairment, InterfaceName, Percent};
use crate::text::{listed, quoted};
use labsim_codes::file;
use labsim_yaml::{Located, Scalar, Span, Table};
use std::collections::BTreeMap;
use std::time::Duration;

/// Most impaired interfaces of a scenario.
const IMPAIRMENTS: usize = 256;
/// Longest delay, jitter included. It bounds how long the end of a scenario waits for what is
/// still on its links, and so does [`LONGEST_QUEUE`].
const LONGEST_DELAY: Duration = Duration::from_secs(5);
/// Bits a second.
const RATES: std::ops::RangeInclusive<u64> = 8_000..=10_000_000_000;
/// Default (netem's) and largest number of frames that wait.
const QUEUE: u64 = 1000;
const LARGEST_QUEUE: u32 = 10_000;
/// Default and longest time to send a full queue, in seconds.
const USUAL_QUEUE: u64 = 5;
const LONGEST_QUEUE: u64 = 10;
/// What Ethernet puts before an IP packet, in bytes.
const LINK_HEADER: u64 = 14;

/// Resolves all of them.
pub(super) fn impairments(
    table: &Table<Located<RawImpairment>>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<Attachment, Impairment> {
    if let Some((key, _)) = table.iter().nth(IMPAIRMENTS) {
        report.limit(key.span, table.len(), IMPAIRMENTS, "impaired interface");
    }
    let mut found = BTreeMap::new();
    for (key, fields) in table.iter().take(IMPAIRMENTS) {
        let end = end(key, lookup, report);
        let impairment = impairment(&fields.value, fields.span, end.as_ref(), lookup, report);
        found.extend(end.map(|end| (end, impairment)));
    }
    found
}

/// The interface whose frames are meant.
fn end(key: &Located<String>, lookup: &Lookup<'_>, report: &mut Report<'_>) -> Option<Attachment> {
    let Some((node, interface)) = key.split_once(':') else {
        let shown = quoted(key);
        let message =
            format!("{shown} is not a valid `node:interface`; write it such as `client:eth0`");
        report.at(key.span, file::INVALID_VALUE, message);
        return None;
    };
    let name = report.take(key.span, InterfaceName::new(interface));
    let node = lookup.node(&Located::new(node.to_owned(), key.span), report)?;
    let interface = name?;
    if let Some(found) = lookup.get(&node)
        && lookup.knows_names()
        && found.interfaces.iter().all(|one| one.name != interface)
    {
        let interfaces = listed(found.interfaces.iter().map(|one| &one.name));
        report.at(
            key.span,
            file::UNKNOWN_NAME,
            format!("`{node}` has no link at {}; it has {interfaces}", quoted(interface.as_str())),
        );
        return None;
    }
    Some(Attachment { node, interface })
}

fn impairment(
    written: &RawImpairment,
    place: Span,
    end: Option<&Attachment>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> Impairment {
    let delay = value(written.delay.as_ref(), labsim_model::parse_time, report);
    let jitter = value(written.jitter.as_ref(), labsim_model::parse_time, report);
    let mut share = |written: &Option<_>| value(written.as_ref(), quantity::percent, report);
    let (loss, duplicate) = (share(&written.loss), share(&written.duplicate));
    let reorder = share(&written.reorder);
    let rate = value(written.rate.as_ref(), quantity::rate, report);
    times(&delay, &jitter, report);
    let delayed = |time: &Read<Duration>| time.is_unclear() || !time.or_default().is_zero();
    if let Some(span) = reorder.span.filter(|_| !delayed(&delay))
        && reorder.or_default() > Percent::default()
    {
        report.at(span, file::NO_EFFECT, "`reorder` needs a `delay`; add one");
    }
    let nothing = [&delay, &jitter].iter().all(|time| !delayed(time))
        && [&loss, &duplicate, &reorder].iter().all(|it| it.span.is_none())
        && rate.span.is_none()
        && delay.span.is_none();
    if nothing {
        report.empty(place, "this has no effect; add a `delay`, a `loss` or a `rate`");
    }
    let packet = end.and_then(|end| {
        let found = lookup.get(&end.node)?;
        Some(found.interfaces.iter().find(|one| one.name == end.interface)?.mtu)
    });
    let frame = u64::from(packet.unwrap_or(mtu::USUAL)) + LINK_HEADER;
    let rate = slowed(&rate, report);
    Impairment {
        delay: delay.or_default(),
        jitter: jitter.or_default(),
        loss: loss.or_default(),
        duplicate: duplicate.or_default(),
        reorder: reorder.or_default(),
        rate,
        queue: queue(written.queue, rate, frame, report),
        seed: written.seed,
    }
}

/// A quantity as far as it could be read.
struct Read<T> {
    /// Where it is written, if it is.
    span: Option<Span>,
    value: Option<T>,
}

impl<T: Copy + Default> Read<T> {
    fn or_default(&self) -> T {
        self.value.unwrap_or_default()
    }

    /// Whether something is written there that could not be read.
    fn is_unclear(&self) -> bool {
        self.span.is_some() && self.value.is_none()
    }
}

fn value<T>(
    written: Option<&Located<Scalar>>,
    read: fn(&str) -> Result<T, String>,
    report: &mut Report<'_>,
) -> Read<T> {
    let value = written.and_then(|text| report.take(text.span, read(&text.value.0)));
    Read { span: written.map(|text| text.span), value }
}

/// Checks delay and jitter.
fn times(delay: &Read<Duration>, jitter: &Read<Duration>, report: &mut Report<'_>) {
    let (kept, spread) = (delay.or_default(), jitter.or_default());
    if let Some(span) = jitter.span.filter(|_| !delay.is_unclear() && spread > kept) {
        let message = match delay.span {
            None => "`jitter` needs a `delay` that is at least as long; add one".to_owned(),
            Some(_) => format!(
                "a jitter of {spread:?} about a delay of {kept:?}: no frame arrives before it is \
                 sent; write at most the delay"
            ),
        };
        report.at(span, file::OUT_OF_RANGE, message);
    }
    if kept.saturating_add(spread) > LONGEST_DELAY
        && let Some(span) = delay.span.or(jitter.span)
    {
        report.at(
            span,
            file::OUT_OF_RANGE,
            format!(
                "a frame would be kept for up to {:?}; delay and jitter are at most \
                 {LONGEST_DELAY:?} together",
                kept.saturating_add(spread)
            ),
        );
    }
}

/// Checks the rate.
fn slowed(rate: &Read<u64>, report: &mut Report<'_>) -> Option<u64> {
    let (span, value) = (rate.span?, rate.value?);
    if !RATES.contains(&value) {
        report.at(
            span,
            file::OUT_OF_RANGE,
            format!("a rate of {value} bit/s; write 8kbit to 10gbit"),
        );
        return None;
    }
    Some(value)
}

/// How many frames wait at most. `frame` is the bytes of the largest.
fn queue(
    written: Option<Located<u32>>,
    rate: Option<u64>,
    frame: u64,
    report: &mut Report<'_>,
) -> u32 {
    let frames_in = |seconds: u64| rate.map(|rate| rate * seconds / (8 * frame));
    let Some(written) = written else {
        let usual = frames_in(USUAL_QUEUE).unwrap_or(QUEUE).clamp(1, QUEUE);
        return u32::try_from(usual).unwrap_or(u32::MAX);
    };
    let most = frames_in(LONGEST_QUEUE).unwrap_or(u64::MAX).max(1);
    if !(1..=LARGEST_QUEUE).contains(&written.value) {
        let message = format!("a queue of {} frames; write 1 to {LARGEST_QUEUE}", written.value);
        report.at(written.span, file::TOO_MANY, message);
    } else if u64::from(written.value) > most {
        report.at(
            written.span,
            file::TOO_MANY,
            format!(
                "{} frames of {frame} bytes take longer than {LONGEST_QUEUE} s at this rate; write \
                 at most {most}, or a higher rate",
                written.value
            ),
        );
    }
    written.value
}

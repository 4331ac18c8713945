//! `slb template tcp`, `udp` and `persist source-ip`: how flows end, and which client keeps its server.

use super::config::Object;
use super::lines::Line;
use crate::address::{Family, mask_length};
use crate::report::Report;
use crate::text::{has_word, printable};
use labsim_model::{FastL4, SourceAddress, quote};

/// ACOS's idle timeout of TCP and UDP, in seconds, and that of persistence, in minutes.
pub(crate) const IDLE_TIMEOUT: u32 = 120;
pub(crate) const PERSIST_TIMEOUT: u32 = 5;
/// Longest time that labsim takes: a day.
const LONGEST: u32 = 86_400;

/// How idle sessions end: in silence, unless a template says otherwise.
pub(crate) fn fastl4() -> FastL4 {
    FastL4 { idle_timeout: IDLE_TIMEOUT, reset_on_timeout: false, ..FastL4::default() }
}

/// Takes over what a template of TCP or UDP says; the rest is listed by [`list_others`].
pub(super) fn of_protocol(object: &Object, fastl4: &mut FastL4, report: &mut Report<'_>) {
    for line in object.lines.iter().filter(|line| line.text(0) == "idle-timeout") {
        if let Some(seconds) = seconds(line, 1, &object.what, report) {
            fastl4.idle_timeout = seconds;
        }
    }
    let has = |word: &str| object.lines.iter().any(|line| line.texts() == [word]);
    fastl4.reset_on_timeout |= has("reset-fwd") && has("reset-rev");
}

/// What a template of persistence by source address says.
pub(super) fn persistence(
    object: &Object,
    family: Family,
    report: &mut Report<'_>,
) -> SourceAddress {
    let mut rule = SourceAddress { timeout: PERSIST_TIMEOUT * 60, prefix_length: None };
    for line in &object.lines {
        match line.text(0) {
            "timeout" => {
                if let Some(seconds) = seconds(line, 60, &object.what, report) {
                    rule.timeout = seconds;
                }
            }
            "netmask" if family == Family::V4 => {
                rule.prefix_length = netmask(line, report).filter(|length| *length < 32);
            }
            "netmask6" if family == Family::V6 => {
                rule.prefix_length = netmask6(line, report).filter(|length| *length < 128);
            }
            _ => {}
        }
    }
    rule
}

/// Lists what is not taken over of a template that is used.
pub(super) fn list_others(kind: &str, object: &Object, report: &mut Report<'_>) {
    let has = |word: &str| object.lines.iter().any(|line| line.texts() == [word]);
    for line in &object.lines {
        let (known, why) = match (kind, line.text(0)) {
            ("persist source-ip", _) => ("timeout netmask netmask6", "labsim does not support it"),
            (_, "reset-fwd" | "reset-rev") if has("reset-fwd") && has("reset-rev") => continue,
            (_, "reset-fwd" | "reset-rev") => {
                ("", "labsim resets both ends of an idle flow or none; none is reset")
            }
            _ => ("idle-timeout", "labsim does not support it"),
        };
        if !has_word(known, line.text(0)) {
            let what = format!("{}: {}", object.what, printable(line.text(0)));
            report.not_imported(line.place, what, why);
        }
    }
}

/// A time of so many seconds each, 1 second to a day.
fn seconds(line: &Line, unit: u32, what: &str, report: &mut Report<'_>) -> Option<u32> {
    let text = line.text(1);
    let Ok(number) = text.parse::<u32>() else {
        let unit = if unit == 1 { "seconds" } else { "minutes" };
        let message = format!("{} is not a time; write {unit}", quote(text));
        let place = line.words.get(1).map_or(line.place, |word| word.place);
        return report.reject(place, message);
    };
    let wanted = number.saturating_mul(unit);
    let found = wanted.clamp(1, LONGEST);
    if found != wanted {
        let why = format!("labsim supports 1 to {LONGEST} s; the nearest is used");
        report.warn(line.place, format!("{what}: {}", printable(line.text(0))), why);
    }
    Some(found)
}

/// A prefix length of IPv6.
fn netmask6(line: &Line, report: &mut Report<'_>) -> Option<u8> {
    let text = line.text(1);
    let length = text.strip_prefix('/').unwrap_or(text).parse().ok();
    let message = || format!("{} is not a prefix length; write 1 to 128", quote(text));
    let length = length.filter(|length| (1..=128).contains(length));
    report.check(line.place, length.ok_or_else(message))
}

/// `255.255.255.0` or `/24`.
fn netmask(line: &Line, report: &mut Report<'_>) -> Option<u8> {
    let text = line.text(1);
    let length = text.strip_prefix('/').and_then(|length| length.parse().ok());
    match length.filter(|length| (1..=32).contains(length)) {
        Some(length) => Some(length),
        None => report.check(line.place, mask_length(text)),
    }
}

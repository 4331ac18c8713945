//! Checkers of real servers, and the pool's monitor that they become.

use super::reasons;
use super::tree::Node;
use crate::lvs::words::{self, Word};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use labsim_model::{Monitor, MonitorKind, quote};
use std::time::Duration;

/// keepalived's own `delay_loop` and `connect_timeout`, and its `retry`.
const DELAY_LOOP: Duration = Duration::from_secs(60);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY: u32 = 1;
/// Shortest and longest interval of a monitor.
const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(86_400);
/// Most failures in a row that a monitor waits for.
const MOST_FAILURES: u32 = 1000;

/// The times of a checker: those of its real server and virtual server unless it has its own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Times {
    delay_loop: Option<Duration>,
    connect_timeout: Option<Duration>,
    retry: Option<u32>,
}

impl Times {
    /// Takes a statement, if it is about times.
    pub(super) fn take(&mut self, node: &Node, report: &mut Report<'_>) -> bool {
        match node.name() {
            "delay_loop" => self.delay_loop = timer(node, report).or(self.delay_loop),
            "connect_timeout" => {
                self.connect_timeout = timer(node, report).or(self.connect_timeout)
            }
            "retry" | "nb_get_retry" => {
                let word = node.value(report);
                let retry = word.and_then(|word| {
                    words::number(word, "a number of retries", 0..=u32::MAX, report)
                });
                self.retry = retry.or(self.retry);
            }
            // What differs is warned about once, where there is a monitor.
            "delay_before_retry" => {
                timer(node, report);
            }
            _ => return false,
        }
        true
    }
}

/// A monitor, and the checker that it is made of.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) monitor: Monitor,
    pub(super) place: Place,
}

/// The monitor of a checker; `port` is the real server's.
pub(super) fn check(
    node: &Node,
    (what, port): (&str, Option<u16>),
    mut times: Times,
    report: &mut Report<'_>,
) -> Option<Check> {
    let kind = match node.name() {
        "TCP_CHECK" => MonitorKind::Tcp,
        _ => MonitorKind::Icmp,
    };
    let what = format!("{what}: {}", node.name());
    let mut own_port = None;
    for line in &node.children {
        if times.take(line, report) {
            continue;
        }
        match line.name() {
            "connect_port" => {
                let word = line.value(report)?;
                let number = words::number(word, "a port", 1..=65_535, report)?;
                own_port = u16::try_from(number).ok().filter(|own| Some(*own) != port);
            }
            name => {
                let what = format!("{what}: {}", printable(name));
                report.not_imported(line.place, what, reasons::of_statement(name));
            }
        }
    }
    let wanted = times.delay_loop.unwrap_or(DELAY_LOOP);
    let interval = wanted.clamp(SHORTEST, LONGEST);
    if interval != wanted {
        let why =
            format!("labsim's monitors have 10 ms to a day; {} ms are used", interval.as_millis());
        report.warn(node.place, format!("{what}: delay_loop"), why);
    }
    let wanted = times.connect_timeout.unwrap_or(CONNECT_TIMEOUT);
    let timeout = wanted.clamp(SHORTEST, interval);
    if timeout != wanted {
        let why = format!(
            "a probe of labsim's ends before the next one begins; {} ms are used",
            timeout.as_millis()
        );
        report.warn(node.place, format!("{what}: connect_timeout"), why);
    }
    let failures = times.retry.unwrap_or(RETRY).saturating_add(1).min(MOST_FAILURES);
    let monitor = Monitor {
        kind,
        interval,
        timeout,
        rise: 1,
        fall: u16::try_from(failures).unwrap_or(u16::MAX),
        transparent: false,
        port: own_port.filter(|_| kind == MonitorKind::Tcp),
        secret: None,
    };
    Some(Check { monitor, place: node.place })
}

/// A time in seconds, with decimals.
fn timer(node: &Node, report: &mut Report<'_>) -> Option<Duration> {
    let word = node.value(report)?;
    let time = seconds(word);
    if time.is_none() {
        let message =
            format!("{} is not a time; write seconds, such as 6 or 0.5", quote(&word.text));
        report.diagnostic(word.place, message);
    }
    time
}

/// Up to a million days, in milliseconds.
fn seconds(word: &Word) -> Option<Duration> {
    let (whole, part) = word.text.split_once('.').unwrap_or((&word.text, "0"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(whole) || !is_number(part) {
        return None;
    }
    let whole: u32 = whole.parse().ok()?;
    let millis: u64 = format!("{part}00").get(..3)?.parse().ok()?;
    Some(Duration::from_secs(whole.into()) + Duration::from_millis(millis))
}

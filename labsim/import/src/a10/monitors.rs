//! `health monitor`, and `health-check` of servers, ports and service groups: what is asked of members.
//!
//! Words and defaults as in A10's aXAPI schema of `health.monitor`.

use super::config::{Config, Object};
use super::lines::{Line, Word};
use super::pools::why;
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use labsim_model::{Monitor, MonitorKind, quote};
use std::collections::BTreeSet;
use std::time::Duration;

/// Largest interval and timeout, in seconds, and most failures in a row.
const LONGEST: u32 = 180;
const MOST: u32 = 1000;

/// The monitors that are in use, and the lines that name one.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    used: BTreeSet<String>,
    seen: BTreeSet<Place>,
}

impl Monitors {
    /// The monitor of a service group: its own, or else its members', of whom each has its port's or its
    /// server's. labsim's pools have one, the first; others are listed.
    pub(super) fn of_group(
        &mut self,
        group: &Object,
        members: &[(&Object, u16)],
        config: &Config,
        report: &mut Report<'_>,
    ) -> Option<Monitor> {
        let own: Vec<Option<&Line>> = match last(&group.lines) {
            Some(line) => vec![Some(line)],
            None => members.iter().map(|(server, port)| of_member(server, *port)).collect(),
        };
        let chosen = own.iter().flatten().next().copied();
        for line in own.iter().flatten().filter(|line| self.seen.insert(line.place)) {
            if chosen.is_some_and(|first| first.text(1) != line.text(1)) {
                let what = format!("{}: health-check {}", group.what, printable(line.text(1)));
                let why =
                    "a pool of labsim's has one monitor, that of its first member that has one";
                report.not_imported(line.place, what, why);
            }
        }
        let line = chosen?;
        if own.iter().any(Option::is_none) {
            let why = "labsim's monitor probes all members, those without a health check, too";
            report.warn(line.place, format!("{}: health-check", group.what), why);
        }
        let name = line.text(1);
        let what = format!("{}: health-check {}", group.what, printable(name));
        let Some(object) = config.health_monitors.get(name) else {
            return report.skip(line.place, what, "its monitor is in none of the imported files");
        };
        let is_new = self.used.insert(name.to_owned());
        read(object, is_new, report)
    }

    /// Whether a `health-check` line was looked at.
    pub(super) fn has_seen(&self, line: &Line) -> bool {
        self.seen.contains(&line.place)
    }

    /// Lists monitors that no service group uses.
    pub(super) fn report_unused(&self, config: &Config, report: &mut Report<'_>) {
        for object in &config.health_monitors.all {
            if !self.used.contains(&object.name) {
                let why = "no service group that is imported uses it";
                report.not_imported(object.place, object.what.clone(), why);
            }
        }
    }
}

fn last(lines: &[Line]) -> Option<&Line> {
    lines.iter().rfind(|line| line.text(0) == "health-check" && line.words.len() == 2)
}

fn of_member(server: &Object, port: u16) -> Option<&Line> {
    let is_port = |line: &&Line| line.text(0) == "port" && line.text(1).parse() == Ok(port);
    let own = server.lines.iter().filter(is_port).find_map(|line| last(&line.children));
    own.or_else(|| last(&server.lines))
}

/// What a monitor says; its rest is listed the first time.
fn read(object: &Object, is_new: bool, report: &mut Report<'_>) -> Option<Monitor> {
    let (mut interval, mut timeout, mut retry, mut up_retry) = (5, 5, 3, 1);
    let (mut method, mut port, mut is_valid): (Option<&[Word]>, _, _) = (None, None, true);
    let lines = object.lines.iter().map(|line| line.words.as_slice());
    for mut words in [object.rest.as_slice()].into_iter().chain(lines) {
        while let Some((first, rest)) = words.split_first() {
            let number = match first.text.as_str() {
                "interval" => &mut interval,
                "timeout" => &mut timeout,
                "retry" => &mut retry,
                "up-retry" => &mut up_retry,
                "override-port" => port.insert(0),
                "method" => {
                    method = Some(rest);
                    break;
                }
                other => {
                    let what = format!("{}: {}", object.what, printable(other));
                    let why = "labsim's probes go to the member, and have no such option";
                    if is_new {
                        report.not_imported(first.place, what, why);
                    }
                    break;
                }
            };
            match rest.first().map(|word| (word, word.text.parse::<u32>())) {
                Some((_, Ok(found))) if (1..=65_535).contains(&found) => *number = found,
                other => {
                    let shown = other.map_or("", |(word, _)| word.text.as_str());
                    let message =
                        format!("{} is not a number for {}; write one", quote(shown), first.text);
                    report.diagnostic(first.place, message);
                    is_valid = false;
                }
            }
            words = rest.get(1..).unwrap_or_default();
        }
    }
    let Some((kind, options)) = method.and_then(|method| method.split_first()) else {
        return report.skip(object.place, object.what.clone(), "it has no `method`");
    };
    let what = format!("{}: method {}", object.what, printable(&kind.text));
    let kind = match kind.text.as_str() {
        "tcp" => MonitorKind::Tcp,
        "icmp" => MonitorKind::Icmp,
        "radius" => MonitorKind::Radius,
        "tacplus" => MonitorKind::Tacacs,
        _ => {
            let why = "labsim's monitors of an import are tcp, radius, tacplus and icmp; write the \
                       pool's `monitor` into the scenario";
            return report.skip(kind.place, what, why);
        }
    };
    if kind.needs_secret() && is_new {
        let why = if kind == MonitorKind::Radius {
            "labsim's probe is a Status-Server request (RFC 5997), with the secret of the lab's servers"
        } else {
            "labsim's probe begins a login without a user, with the secret of the lab's servers"
        };
        report.warn(object.place, what.clone(), why);
    }
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match (option.text.as_str(), kind) {
            ("port", MonitorKind::Tcp | MonitorKind::Radius | MonitorKind::Tacacs) => {
                port = options.next().and_then(|word| word.text.parse().ok()).or(port);
            }
            ("halfopen", MonitorKind::Tcp) => {
                let why = "labsim's probe completes the connection before it resets it";
                report.warn(option.place, what.clone(), why);
            }
            // User, password and secret, which are not printed.
            (_, MonitorKind::Radius | MonitorKind::Tacacs) => {}
            (other, _) => {
                let what = format!("{what} {}", printable(other));
                let why = "labsim's probe makes a connection, or sends an echo request";
                report.not_imported(option.place, what, why);
                break;
            }
        }
    }
    let seconds = |wanted: u32| Duration::from_secs(wanted.clamp(1, LONGEST).into());
    let times = |wanted: u32| u16::try_from(wanted.clamp(1, MOST)).unwrap_or(1);
    let (interval, timeout) = (seconds(interval), seconds(timeout));
    is_valid.then(|| Monitor {
        kind,
        interval,
        timeout: timeout.min(interval),
        rise: times(up_retry),
        fall: times(retry),
        transparent: false,
        port: port
            .and_then(|port: u32| u16::try_from(port).ok())
            .filter(|port| *port != 0 && kind != MonitorKind::Icmp),
        secret: None,
    })
}

/// Lists the `health-check` lines of a server that is used which no member has.
pub(super) fn report_others(server: &Object, monitors: &Monitors, report: &mut Report<'_>) {
    let children = server.lines.iter().filter(|line| line.text(0) == "port").map(|it| &it.children);
    for line in std::iter::once(&server.lines).chain(children).flatten() {
        if line.text(0) == "health-check" && !monitors.has_seen(line) {
            let what = format!("{}: health-check {}", server.what, printable(line.text(1)));
            report.not_imported(line.place, what, why(line));
        }
    }
}

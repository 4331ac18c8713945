//! An explanation as text.

use crate::connection::Protocol;
use crate::document::{ConnectionReport, Explanation, WayPoint};
use crate::finding::Findings;
use crate::sentence::{Sentence, number};
use crate::trace::{Clock, Unit};
use crate::verdict::Kind;
use labsim_codes::Code;
use std::fmt;

/// Connections that are printed at most; those that are not healthy come first.
pub(crate) const MAX_PRINTED: usize = 50;
/// Pairs of clocks that are printed at most.
const MAX_CLOCKS: usize = 12;
/// The longest command that is printed whole.
const MAX_COMMAND: usize = 60;

/// Prints an explanation. What it prints is not escaped: names come from files.
#[derive(Debug)]
pub struct Text<'a>(pub &'a Explanation);

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0;
        let points = number(all.points.len(), "capture point");
        let connections = counted(all);
        writeln!(f, "{points}, {connections}")?;
        if all.further_connections > 0 {
            let (some, of) =
                (all.connections.len(), all.connections.len() + all.further_connections);
            writeln!(
                f,
                "{some} of all {of} are explained, of each kind at least one as far as there is room; --flow \
                 ADDRESS:PORT explains those of that end"
            )?;
        }
        writeln!(f)?;
        self.points(f)?;
        self.clocks(f)?;
        let found = all.findings();
        for finding in &found.printed {
            for connection in &finding.shown {
                self.connection(f, connection)?;
            }
            if let Some(others) = finding.others() {
                writeln!(f, "  The same of {others}: --flow ADDRESS:PORT prints one\n")?;
            }
        }
        let Findings { left_out, left_out_healthy: healthy, .. } = found;
        if left_out > 0 {
            let what = number(left_out, "further connection");
            writeln!(f, "{what}, {healthy} of them healthy: --json has all\n")?;
        }
        let errors: Vec<String> = all.icmp_errors.iter().map(|it| self.sentence(it)).collect();
        section(f, "ICMP errors, which may be about these connections", &errors)?;
        section(f, "noticed", &all.notices)
    }
}

/// How many connections and exchanges there are.
pub(crate) fn counted(all: &Explanation) -> String {
    let udp = all.connections.iter().filter(|it| it.protocol == Protocol::Udp).count();
    let tcp = all.connections.len() - udp + all.further_connections - all.further_exchanges;
    let udp = udp + all.further_exchanges;
    match (tcp, udp) {
        (_, 0) => number(tcp, "TCP connection"),
        (0, _) => number(udp, "UDP exchange"),
        _ => format!("{}, {}", number(tcp, "TCP connection"), number(udp, "UDP exchange")),
    }
}

pub(crate) fn section<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    title: &str,
    lines: &[T],
) -> fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(f, "{title}:")?;
    for line in lines {
        writeln!(f, "  {line}")?;
    }
    writeln!(f)
}

impl Text<'_> {
    fn name(&self, point: usize) -> &str {
        self.0.points.get(point).map_or("?", |it| it.name.as_str())
    }

    fn points(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.points.iter().map(|it| it.name.chars().count()).max().unwrap_or(0);
        for point in &self.0.points {
            let role = match (point.role, point.role_is_given) {
                (Some(role), false) => role.name().to_owned(),
                (Some(role), true) => format!("{} (as given)", role.name()),
                (None, _) => "-".to_owned(),
            };
            let packets = number(point.packets, "packet");
            let unit = if point.unit == Unit::Line { "text" } else { "capture" };
            write!(f, "  {:width$}  {role:13}  {packets}, {unit} in {}", point.name, point.file)?;
            if let Some(command) = &point.command {
                let short: String = command.chars().take(MAX_COMMAND).collect();
                let cut = if short.len() < command.len() { " ..." } else { "" };
                write!(f, ": {short}{cut}")?;
            }
            writeln!(f)?;
            if let Some(why) = &point.role_in_files {
                writeln!(f, "  {:width$}  by files: {why}", "")?;
            }
        }
        writeln!(f)
    }

    fn clocks(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(contradiction) = &self.0.clock_contradiction {
            return writeln!(f, "clocks: not bounded. {contradiction}\n");
        }
        let all: Vec<_> = self.0.clocks.iter().filter(|it| !it.is_same_capture).collect();
        if all.is_empty() {
            return Ok(());
        }
        writeln!(f, "clocks, how far the second one is ahead of the first:")?;
        for clock in all.iter().take(MAX_CLOCKS) {
            let (first, second) = (self.name(clock.first), self.name(clock.second));
            writeln!(f, "  {first} to {second}: {clock}")?;
        }
        if all.len() > MAX_CLOCKS {
            writeln!(f, "  {} more: --json has all", all.len() - MAX_CLOCKS)?;
        }
        for point in self.0.points.iter().filter(|it| it.times == Clock::FirstPacket) {
            writeln!(f, "  the times of {} count from its first packet", point.name)?;
        }
        writeln!(f)
    }

    fn connection(&self, f: &mut fmt::Formatter<'_>, connection: &ConnectionReport) -> fmt::Result {
        let verdict = &connection.verdict;
        let ends = connection.ends();
        match (verdict.kind, verdict.cause) {
            (Kind::Healthy, _) => writeln!(f, "HEALTHY {ends}")?,
            (_, Some(code)) => writeln!(f, "CAUSE SHOWN [{code}] {ends}")?,
            _ => writeln!(f, "NOT DECIDABLE {ends}")?,
        }
        if let Some(alike) = connection.shown_alike() {
            writeln!(f, "  {alike}.")?;
        }
        for sentence in &verdict.because {
            writeln!(f, "  {}", self.sentence(sentence))?;
        }
        if !verdict.possible.is_empty() {
            let names: Vec<&str> = verdict.possible.iter().map(|it| Code::name(*it)).collect();
            writeln!(f, "  possible, among others: {}", names.join(", "))?;
        }
        let label = if verdict.cause.is_some() { "fix" } else { "what decides" };
        for next in &verdict.next {
            writeln!(f, "  {label}: {next}")?;
        }
        for sentence in &connection.configuration {
            writeln!(f, "  configuration: {}", self.sentence(sentence))?;
        }
        writeln!(f, "  way there: {}", self.way(&connection.requests))?;
        writeln!(f, "  way back:  {}", self.way(&connection.replies))?;
        for sentence in &connection.story {
            writeln!(f, "  - {}", self.sentence(sentence))?;
        }
        writeln!(f)
    }

    /// A sentence with what shows it; the file is named if there are several.
    #[must_use]
    pub fn sentence(&self, sentence: &Sentence) -> String {
        let mut files = self.0.points.iter().map(|it| &it.file);
        let first = files.next();
        format!("{}.", sentence.shown(files.any(|file| Some(file) != first)))
    }

    /// `a -> b`, and `a, b` where the order is not known.
    #[must_use]
    pub fn way(&self, points: &[WayPoint]) -> String {
        let mut text = String::new();
        for (place, point) in points.iter().enumerate() {
            if place > 0 {
                text.push_str(if point.order_is_known { " -> " } else { ", (order not shown) " });
            }
            text.push_str(self.name(point.point));
        }
        if text.is_empty() { "not seen".to_owned() } else { text }
    }
}

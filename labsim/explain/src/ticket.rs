//! An explanation to be pasted into a ticket: what is not healthy, and what to send next.

use crate::document::{ConnectionReport, Explanation};
use crate::sentence::number;
use crate::text::{MAX_PRINTED, Text, counted, section};
use crate::trace::Role;
use crate::verdict::Kind;
use std::fmt;

/// Healthy connections that are named at most.
const MAX_HEALTHY: usize = 5;

/// Prints an explanation for a ticket, a line for each statement. What it prints is not escaped: names come from
/// files.
#[derive(Debug)]
pub struct Ticket<'a>(pub &'a Explanation);

impl fmt::Display for Ticket<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.0;
        let (healthy, others): (Vec<_>, Vec<_>) =
            all.connections.iter().partition(|it| it.verdict.kind == Kind::Healthy);
        let points = number(all.points.len(), "capture point");
        let connections = counted(all);
        let verdicts = all.verdicts();
        let colon = if verdicts.is_empty() { "" } else { ": " };
        writeln!(f, "{points}, {connections}{colon}{verdicts}")?;
        for point in &all.points {
            let role =
                point.role.map(Role::name).map(|role| format!("{role}, ")).unwrap_or_default();
            writeln!(f, "  {}: {role}{}", point.name, point.file)?;
        }
        if let Some(contradiction) = &all.clock_contradiction {
            writeln!(f, "  Clocks: {contradiction}")?;
        }
        writeln!(f)?;
        for (place, connection) in others.iter().take(MAX_PRINTED).enumerate() {
            self.connection(f, place + 1, connection)?;
        }
        if let Some(more) = others.len().checked_sub(MAX_PRINTED).filter(|more| *more > 0) {
            let what = number(more, "further connection");
            writeln!(f, "{what} with a cause or not decidable: `labsim explain --json` has all\n")?;
        }
        if all.further_connections > 0 {
            let what = number(all.further_connections, "further connection");
            writeln!(
                f,
                "{what} not explained, of these or of kinds without room: --flow ADDRESS:PORT does it\n"
            )?;
        }
        if !others.is_empty() {
            let text = Text(all);
            let errors: Vec<_> = all.icmp_errors.iter().map(|it| text.sentence(it)).collect();
            section(f, "ICMP errors, which may be about these connections", &errors)?;
            section(f, "Noticed", &all.notices)?;
        }
        if healthy.is_empty() {
            return Ok(());
        }
        let named = healthy.iter().take(MAX_HEALTHY);
        let named: Vec<_> = named.map(|it| it.ends()).collect();
        let more = healthy.len().saturating_sub(MAX_HEALTHY);
        let more = if more > 0 { format!(", {more} more") } else { String::new() };
        writeln!(f, "Healthy: {}{more}", named.join(", "))
    }
}

impl Ticket<'_> {
    fn connection(
        &self,
        f: &mut fmt::Formatter<'_>,
        place: usize,
        connection: &ConnectionReport,
    ) -> fmt::Result {
        let (verdict, text) = (&connection.verdict, Text(self.0));
        writeln!(f, "{place}. {}", connection.ends())?;
        if let Some(alike) = connection.shown_alike() {
            writeln!(f, "  {alike}.")?;
        }
        match verdict.cause {
            Some(code) => writeln!(f, "  What: {} [{code}]", code.meaning())?,
            None => writeln!(f, "  What: the captures do not show the cause.")?,
        }
        if !verdict.possible.is_empty() {
            writeln!(f, "  Possible, among others:")?;
            for code in &verdict.possible {
                writeln!(f, "    {code}: {}", code.meaning())?;
            }
        }
        writeln!(f, "  Where: way there {}", text.way(&connection.requests))?;
        writeln!(f, "  Where: way back {}", text.way(&connection.replies))?;
        for sentence in &verdict.because {
            writeln!(f, "  Evidence: {}", text.sentence(sentence))?;
        }
        for sentence in &connection.configuration {
            writeln!(f, "  Configuration: {}", text.sentence(sentence))?;
        }
        let label = if verdict.cause.is_some() { "Fix" } else { "Send next" };
        for next in &verdict.next {
            writeln!(f, "  {label}: {next}")?;
        }
        writeln!(f)
    }
}

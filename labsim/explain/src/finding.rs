//! Connections of which the same was found: a few are shown, and the others named.

use crate::document::{ConnectionReport, Explanation, WayPoint};
use crate::sentence::number;
use crate::text::MAX_PRINTED;
use crate::verdict::Kind;

/// Connections of one finding that are shown in full; of more the first is, and the others are named.
const MAX_IN_FULL: usize = 3;
/// Connections that are named at most.
const MAX_NAMED: usize = 5;

/// Connections of which the same was found.
#[derive(Debug)]
pub struct Finding<'a> {
    /// Those that are shown in full: one at least.
    pub shown: Vec<&'a ConnectionReport>,
    /// The others.
    pub same: Vec<&'a ConnectionReport>,
}

impl Finding<'_> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shown.len() + self.same.len()
    }

    /// The number of the others and the names of some, in words; `None` if there are none.
    #[must_use]
    pub fn others(&self) -> Option<String> {
        let same = &self.same;
        if same.is_empty() {
            return None;
        }
        let named: Vec<String> =
            same.iter().take(MAX_NAMED).map(|it| it.client.to_string()).collect();
        let more = same.len().saturating_sub(MAX_NAMED);
        let more = if more > 0 { format!(" and {more} others") } else { String::new() };
        let alike: usize = same.iter().map(|it| it.alike).sum();
        let alike = match alike {
            0 => String::new(),
            _ => format!("; {alike} not explained are like these"),
        };
        let what = number(same.len(), "further connection");
        Some(format!("{what}, from {}{more}{alike}", named.join(", ")))
    }
}

/// All findings, those that are not healthy first.
#[derive(Debug)]
pub struct Findings<'a> {
    /// As many as are printed.
    pub printed: Vec<Finding<'a>>,
    /// The connections of the others.
    pub left_out: usize,
    /// How many of those are healthy.
    pub left_out_healthy: usize,
}

impl Explanation {
    /// All connections by what was found of them.
    #[must_use]
    pub fn findings(&self) -> Findings<'_> {
        let mut found = Findings { printed: Vec::new(), left_out: 0, left_out_healthy: 0 };
        let mut printed = 0;
        for mut shown in self.groups() {
            let in_full = if shown.len() > MAX_IN_FULL { 1 } else { shown.len() };
            if printed + in_full > MAX_PRINTED {
                let healthy = shown.iter().filter(|it| it.verdict.kind == Kind::Healthy);
                found.left_out_healthy += healthy.count();
                found.left_out += shown.len();
                continue;
            }
            printed += in_full;
            let same = shown.split_off(in_full);
            found.printed.push(Finding { shown, same });
        }
        found
    }

    fn groups(&self) -> Vec<Vec<&ConnectionReport>> {
        let mut groups: Vec<(_, Vec<&ConnectionReport>)> = Vec::new();
        for connection in self.worst_first() {
            let finding = finding(connection);
            match groups.iter_mut().find(|(it, _)| *it == finding) {
                Some((_, group)) => group.push(connection),
                None => groups.push((finding, vec![connection])),
            }
        }
        groups.into_iter().map(|(_, group)| group).collect()
    }
}

/// What connections of one finding have in common.
fn finding(connection: &ConnectionReport) -> impl PartialEq + use<> {
    let points = |way: &[WayPoint]| -> Vec<usize> { way.iter().map(|it| it.point).collect() };
    let ends: Vec<_> = connection.tunnels.iter().map(|it| (it.kind, it.destination)).collect();
    let texts: Vec<String> = connection.configuration.iter().map(|it| it.text.clone()).collect();
    let verdict = &connection.verdict;
    (
        (connection.protocol, connection.server, verdict.kind, verdict.cause),
        (verdict.possible.clone(), points(&connection.requests), points(&connection.replies)),
        (ends, texts),
    )
}

//! What captures say of each connection, as one document.

use crate::absence::limits;
use crate::bypass::with_bypass;
use crate::clock_faults::explanations;
use crate::clocks::{Clocks, Contradiction};
use crate::configuration::Used;
use crate::configured::with_configuration;
use crate::connection::{self, Connection, Protocol};
use crate::devices::{self, Shown};
use crate::differences::differences;
use crate::document::{ConnectionReport, Explanation, PointReport, report};
use crate::given;
use crate::known::Known;
use crate::matching::Matching;
use crate::roles;
use crate::selected::Selected;
use crate::sentence::{Sentence, evidence};
use crate::sessions::Sessions;
use crate::trace::{Role, Row, Trace};
use crate::tunnel::{self, Tunnel};
use crate::verdict;
use crate::way::Ways;
use labsim_captures::Transport;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Connections that are explained at most, those not counted that may be answers to them from other addresses.
pub const MAX_CONNECTIONS: usize = 2000;
/// Connections that are compared with one at most, as they have its first sequence number or its client's port.
const MAX_SIBLINGS: usize = 64;
/// ICMP errors that are named at most.
const MAX_ERRORS: usize = 20;

/// ICMP errors that are compared with connections at most.
pub const MAX_ERRORS_EXAMINED: usize = 2000;

/// The version of the document: keys may be added within one.
const VERSION: u32 = 1;

impl Trace {
    /// Explains what was captured.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        let matching = Matching::of_trace(self);
        let (clocks, contradiction) = match Clocks::new(&matching) {
            Ok(clocks) => (Some(clocks), None),
            Err(contradiction) => (None, Some(self.contradiction(contradiction))),
        };
        let all = connection::connections(self);
        let in_common = self.in_common(&all);
        let selected = Selected::new(self, &all);
        let mut by_isn: BTreeMap<u32, Vec<&Connection>> = BTreeMap::new();
        let mut by_client: BTreeMap<SocketAddr, Vec<&Connection>> = BTreeMap::new();
        for connection in &all {
            if let Some(isn) = connection.isn {
                by_isn.entry(isn).or_default().push(connection);
            }
            if connection.isn.is_none() {
                by_client.entry(connection.client).or_default().push(connection);
            }
        }
        let of_client = |connection: &Connection| -> Vec<&Connection> {
            let of_port = by_client.get(&connection.client).into_iter().flatten().copied();
            of_port
                .filter(|it| it.protocol == connection.protocol && it.server != connection.server)
                .take(MAX_SIBLINGS)
                .collect()
        };
        let siblings = |connection: &Connection| -> Vec<&Connection> {
            if connection.protocol == Protocol::Udp {
                return of_client(connection);
            }
            let alike = connection.isn.and_then(|isn| by_isn.get(&isn));
            let is_other = |it: &&&Connection| {
                (it.client, it.server) != (connection.client, connection.server)
            };
            alike.into_iter().flatten().filter(is_other).copied().take(MAX_SIBLINGS).collect()
        };
        let details: Vec<_> = selected
            .connections
            .iter()
            .copied()
            .map(|connection| {
                let ways = Ways::new(self, clocks.as_ref(), connection);
                let tunnels = tunnel::tunnels(self, connection, &ways.requests);
                let siblings = siblings(connection);
                let translated: Vec<&Connection> = siblings
                    .iter()
                    .copied()
                    .filter(|it| tunnel::is_translated(self, connection, it))
                    .collect();
                let shown = roles::of_connection(self, connection, &ways, &tunnels, &translated);
                (connection, ways, tunnels, siblings, shown)
            })
            .collect();
        let sessions = Sessions::new(self, &all);
        let is_balanced = |tunnels: &[Tunnel]| tunnels.iter().any(|it| !it.begins_at.is_empty());
        let sent_on = details.iter().filter(|(_, _, tunnels, ..)| is_balanced(tunnels));
        let balanced: BTreeSet<SocketAddr> = sent_on.map(|(it, ..)| it.server).collect();
        let by_files = devices::roles(self);
        let roles = roles::of_points(self, details.iter().map(|(.., shown)| shown), &by_files);
        let is_error = |(index, row): (usize, &Row)| icmp_error(row).map(|_| index);
        let errors: Vec<usize> =
            self.rows.iter().enumerate().filter_map(is_error).take(MAX_ERRORS_EXAMINED).collect();
        let mut folded: BTreeSet<(SocketAddr, SocketAddr, Option<u32>)> = BTreeSet::new();
        let mut reports = Vec::new();
        let mut used = Used::default();
        for (connection, ways, tunnels, siblings, _) in &details {
            let steps = tunnel::steps(self, &ways.requests);
            let strays = match connection.protocol {
                Protocol::Tcp => of_client(connection),
                Protocol::Udp => Vec::new(),
            };
            let known = Known {
                trace: self,
                connection,
                ways,
                tunnels,
                steps: &steps,
                roles: &roles,
                siblings,
                strays: &strays,
                shared: &sessions.of(self, connection),
                balanced: &balanced,
                errors: &errors,
            };
            let (mut verdict, differences) =
                with_configuration(&known, with_bypass(&known, verdict::of(&known)));
            used.add(&known);
            if verdict.is_by_absence {
                verdict.because.extend(limits(&known));
            }
            if verdict.cause.is_some() {
                // Their packets are what the cause is about.
                let others = strays.iter().filter(|it| verdict::goes_on(&known, it).is_some());
                let others = siblings.iter().chain(others);
                folded.extend(others.map(|it| (it.client, it.server, it.isn)));
            }
            reports.push((*connection, report(&known, verdict, differences)));
        }
        reports.retain(|(it, _)| !folded.contains(&(it.client, it.server, it.isn)));
        let alike = selected.alike(reports.iter().map(|(connection, _)| *connection));
        let connections: Vec<ConnectionReport> = reports
            .into_iter()
            .zip(alike)
            .map(|((_, report), alike)| ConnectionReport { alike, ..report })
            .collect();
        let shown = details.iter().map(|(.., shown)| shown);
        let mut notices = given::contradictions(self, &all, shown, &by_files);
        notices.extend(used.unused(&self.configuration));
        notices.extend(selected.notices());
        notices.extend(self.notices.iter().cloned());
        Explanation {
            version: VERSION,
            points: self.point_reports(&roles, by_files),
            clocks: clocks.as_ref().map(|it| differences(self, it)).unwrap_or_default(),
            clock_contradiction: contradiction,
            connections,
            further_connections: selected.further.iter().sum(),
            further_exchanges: selected.further[1],
            connections_in_common: in_common,
            icmp_errors: self.icmp_errors(),
            notices,
        }
    }

    /// In how many captures a connection was seen.
    fn captures(&self, connection: &Connection) -> usize {
        let rows = connection.requests.iter().chain(&connection.replies);
        let captures: BTreeSet<usize> = rows
            .filter_map(|index| self.points.get(self.rows.get(*index)?.point))
            .map(|point| point.capture)
            .collect();
        captures.len()
    }

    /// How many connections several captures saw.
    pub(crate) fn in_common(&self, all: &[Connection]) -> usize {
        all.iter().filter(|it| self.captures(it) > 1).count()
    }

    pub(crate) fn contradiction(&self, found: Contradiction) -> String {
        let name = self.points.get(found.point).map_or("?", |it| it.name.as_str());
        let (seconds, micros) = (found.by_ns / 1_000_000_000, found.by_ns / 1000 % 1_000_000);
        let text = format!(
            "The times contradict each other by {seconds}.{micros:06} s, at {name} among others: a clock was \
             set or drifts while the captures ran, or packets look the same and are not."
        );
        let explained = explanations(self);
        if explained.is_empty() {
            return format!("{text} Captures of a shorter time show which.");
        }
        format!("{text} {}", explained.join(" "))
    }

    /// The packets of each point, those among them that were not kept.
    fn packets(&self) -> Vec<usize> {
        let mut packets = self.selection.as_ref().map(|it| it.packets.clone()).unwrap_or_default();
        let is_counted = !packets.is_empty();
        packets.resize(self.points.len(), 0);
        for row in self.rows.iter().filter(|_| !is_counted) {
            if let Some(count) = packets.get_mut(row.point) {
                *count += 1;
            }
        }
        packets
    }

    fn point_reports(
        &self,
        roles: &[Option<Role>],
        by_files: Vec<Option<Shown>>,
    ) -> Vec<PointReport> {
        let packets = self.packets();
        self.points
            .iter()
            .zip(packets)
            .zip(by_files)
            .zip(roles)
            .map(|(((point, packets), files), role)| PointReport {
                name: point.name.clone(),
                file: point.file.clone(),
                unit: point.unit,
                capture: point.capture,
                role: *role,
                role_is_given: point.given.is_some(),
                role_in_files: files
                    .filter(|it| point.given.is_none() && *role == Some(it.role))
                    .map(|it| it.why),
                times: point.clock,
                packets,
                command: point.command.clone(),
            })
            .collect()
    }

    fn icmp_errors(&self) -> Vec<Sentence> {
        let error = |(index, row): (usize, &Row)| {
            let header = row.packet.innermost();
            let what = icmp_error(row)?;
            let name = self.points.get(row.point).map_or("?", |it| it.name.as_str());
            let text = format!("{} sent {} at {name}: {what}", header.source, header.destination);
            Some(Sentence { text, evidence: evidence(self, [index]) })
        };
        self.rows.iter().enumerate().filter_map(error).take(MAX_ERRORS).collect()
    }
}

/// What an ICMP error says; `None` if a row is none.
#[must_use]
pub fn icmp_error(row: &Row) -> Option<String> {
    let Transport::Icmp(icmp) = &row.packet.transport else { return None };
    let is_v4 = row.packet.innermost().source.is_ipv4();
    let what = match (is_v4, icmp.kind?) {
        (true, 3) | (false, 1) => "destination unreachable",
        (false, 2) => "packet too big",
        (true, 11) | (false, 3) => "time exceeded",
        (true, 12) | (false, 4) => "parameter problem",
        _ => return None,
    };
    let code = match (is_v4, icmp.kind?, icmp.code) {
        (true, 3, Some(0)) => ", no route",
        (true, 3, Some(1)) => ", host",
        (true, 3, Some(2)) => ", protocol",
        (true, 3, Some(3)) | (false, 1, Some(4)) => ", port",
        (true, 3, Some(4)) => ", fragmentation needed",
        (true, 3, Some(9 | 10 | 13)) | (false, 1, Some(1)) => ", prohibited",
        _ => "",
    };
    let mtu = icmp.mtu.map(|mtu| format!(", MTU {mtu}")).unwrap_or_default();
    Some(format!("ICMP {what}{code}{mtu}"))
}

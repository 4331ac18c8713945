//! What is known of one connection: what its story and its verdict are made of.

use crate::connection::{self, Connection};
use crate::sentence::{Sentence, evidence, list};
use crate::sessions::Shared;
use crate::trace::{Role, Row, Trace};
use crate::tunnel::{Step, Tunnel};
use crate::way::Ways;
use labsim_wire::pcapng::Direction;
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

/// All that is known of a connection, for its story and its verdict.
pub(crate) struct Known<'a> {
    pub(crate) trace: &'a Trace,
    pub(crate) connection: &'a Connection,
    pub(crate) ways: &'a Ways,
    pub(crate) tunnels: &'a [Tunnel],
    pub(crate) steps: &'a [Step],
    pub(crate) roles: &'a [Option<Role>],
    /// Connections with the same first sequence number; exchanges of the same client's port.
    pub(crate) siblings: &'a [&'a Connection],
    /// TCP connections of the same client's port whose beginning was not captured.
    pub(crate) strays: &'a [&'a Connection],
    /// Connections of the same TACACS+ session.
    pub(crate) shared: &'a [Shared<'a>],
    /// Rows of ICMP errors.
    pub(crate) errors: &'a [usize],
    /// Servers of connections that a load balancer sent on.
    pub(crate) balanced: &'a BTreeSet<SocketAddr>,
}

impl Known<'_> {
    pub(crate) fn row(&self, index: usize) -> Option<&Row> {
        self.trace.rows.get(index)
    }

    pub(crate) fn name(&self, point: usize) -> &str {
        self.trace.points.get(point).map_or("?", |it| it.name.as_str())
    }

    /// The host of a point, as far as its name tells: `lb:eth0` and `lb:eth1` of one capture are of one host.
    pub(crate) fn host(&self, point: usize) -> Option<(usize, &str)> {
        let point = self.trace.points.get(point)?;
        Some((point.capture, point.name.rsplit_once(':').map_or("", |(host, _)| host)))
    }

    /// Whether a row is of a host, and went this way there.
    pub(crate) fn is_at(&self, row: usize, host: (usize, &str), direction: Direction) -> bool {
        self.row(row).is_some_and(|row| {
            row.direction == Some(direction) && self.host(row.point) == Some(host)
        })
    }

    pub(crate) fn names(&self, points: &[usize]) -> String {
        list(points.iter().map(|point| self.name(*point)))
    }

    /// Whether nothing was captured at a point.
    pub(crate) fn is_empty(&self, point: usize) -> bool {
        self.trace.empty.contains(&point)
    }

    pub(crate) fn has_role(&self, point: usize, role: Role) -> bool {
        self.roles.get(point).copied().flatten() == Some(role)
    }

    /// Whether the client acknowledged something, by other packets than resets: it got an answer.
    pub(crate) fn got_answer(&self) -> bool {
        let rows = self.connection.requests.iter().filter_map(|index| self.row(*index));
        let mut rows = rows.filter(|row| !connection::has(row, Flags::RST));
        rows.any(|row| connection::has(row, Flags::ACK))
    }

    pub(crate) fn sentence(
        &self,
        text: impl Into<String>,
        rows: impl IntoIterator<Item = usize>,
    ) -> Sentence {
        Sentence { text: text.into(), evidence: evidence(self.trace, rows) }
    }
}

/// The outer destinations of a connection's tunnels: the servers' own addresses.
pub(crate) fn tunnel_ends(tunnels: &[Tunnel]) -> Vec<IpAddr> {
    let ends: BTreeSet<IpAddr> = tunnels.iter().map(|it| it.destination).collect();
    ends.into_iter().collect()
}

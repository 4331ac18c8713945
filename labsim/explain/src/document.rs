//! The document that an explanation is: what is said of each point and each connection.

use crate::connection::{KnownBy, Protocol};
use crate::differences::ClockDifference;
use crate::known::Known;
use crate::sentence::{Sentence, number};
use crate::story;
use crate::trace::{Clock, Role, Unit};
use crate::tunnel::Tunnel;
use crate::verdict::{Kind, Verdict};
use crate::way::{Order, Way};
use serde::Serialize;
use std::net::SocketAddr;

/// What captures say.
#[derive(Debug, Clone, Serialize)]
pub struct Explanation {
    /// The version of this document.
    pub version: u32,
    /// Where packets were captured.
    pub points: Vec<PointReport>,
    /// How far the clocks of every two points differ.
    pub clocks: Vec<ClockDifference>,
    /// Why the clocks are not bounded, if they contradict each other.
    pub clock_contradiction: Option<String>,
    /// TCP connections and UDP exchanges.
    pub connections: Vec<ConnectionReport>,
    /// TCP connections and UDP exchanges that are not explained, as there are more than
    /// [`crate::MAX_CONNECTIONS`], or more packets than [`crate::MAX_ROWS`].
    pub further_connections: usize,
    /// Those of them that are UDP exchanges.
    pub further_exchanges: usize,
    /// Connections that packets of several captures belong to; those whose packets were kept.
    pub connections_in_common: usize,
    /// ICMP errors, which may be about the connections.
    pub icmp_errors: Vec<Sentence>,
    /// What was noticed while reading.
    pub notices: Vec<String>,
}

/// A capture point.
#[derive(Debug, Clone, Serialize)]
pub struct PointReport {
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// What its packets are numbered by.
    pub unit: Unit,
    /// The capture that it belongs to.
    pub capture: usize,
    /// Where on the way it is, if that is shown or given.
    pub role: Option<Role>,
    /// Whether the user gave the role.
    pub role_is_given: bool,
    /// What files say of the role, with file and line, if it was not given and they tell it.
    pub role_in_files: Option<String>,
    /// What its times are counted from.
    pub times: Clock,
    /// Its packets of TCP and UDP, and ICMP errors.
    pub packets: usize,
    /// The command that captured it.
    pub command: Option<String>,
}

/// A point on a way.
#[derive(Debug, Clone, Serialize)]
pub struct WayPoint {
    /// Its place in `points`.
    pub point: usize,
    /// Different packets that it saw.
    pub packets: usize,
    /// Whether it is known to be passed after the one before it.
    pub order_is_known: bool,
}

/// Routers between two points.
#[derive(Debug, Clone, Serialize)]
pub struct Routers {
    /// The first point's place in `points`.
    pub from: usize,
    /// The second point's.
    pub to: usize,
    /// How many, by the TTL.
    pub count: u8,
}

/// A TCP connection or a UDP exchange.
#[derive(Debug, Clone, Serialize)]
pub struct ConnectionReport {
    /// What carries it.
    pub protocol: Protocol,
    /// Who connected.
    pub client: SocketAddr,
    /// To whom: the VIP, as a rule.
    pub server: SocketAddr,
    /// How the client is known.
    pub client_known_by: KnownBy,
    /// What became of it.
    pub verdict: Verdict,
    /// Further connections that are not explained, and are like this one: each point saw packets of the same
    /// kinds, by direction, flags, tunnel and server.
    pub alike: usize,
    /// The points that the client's packets passed.
    pub requests: Vec<WayPoint>,
    /// The points that the answers passed.
    pub replies: Vec<WayPoint>,
    /// Tunnels that the client's packets were in.
    pub tunnels: Vec<Tunnel>,
    /// Routers between points on the client's packets' way.
    pub routers: Vec<Routers>,
    /// Where a configuration and the wire differ.
    pub configuration: Vec<Sentence>,
    /// What happened.
    pub story: Vec<Sentence>,
    /// Its packets' places in [`crate::Trace::rows`], with those whose addresses were translated.
    #[serde(skip)]
    pub rows: Vec<usize>,
}

impl Explanation {
    /// How many connections have which verdict: `2 with a cause, 3 not decidable, 1 healthy`; empty if there is none.
    #[must_use]
    pub fn verdicts(&self) -> String {
        let counted = [
            (Kind::Cause, "with a cause"),
            (Kind::NotDecidable, "not decidable"),
            (Kind::Healthy, "healthy"),
        ]
        .map(|(kind, name)| {
            let count = self.connections.iter().filter(|it| it.verdict.kind == kind).count();
            (count > 0).then(|| format!("{count} {name}"))
        });
        counted.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// All connections, those that are not healthy first.
    #[must_use]
    pub fn worst_first(&self) -> Vec<&ConnectionReport> {
        let mut ordered: Vec<&ConnectionReport> = self.connections.iter().collect();
        ordered.sort_by_key(|it| it.verdict.kind == Kind::Healthy);
        ordered
    }
}

impl ConnectionReport {
    /// That there are further connections like this one.
    #[must_use]
    pub fn shown_alike(&self) -> Option<String> {
        let what = number(self.alike, "further connection");
        (self.alike > 0).then(|| {
            format!(
                "Not explained: {what} of which each point saw packets of the same kinds, by direction, flags, \
                 tunnel and server"
            )
        })
    }

    /// Client and server, as they are printed.
    #[must_use]
    pub fn ends(&self) -> String {
        let (client, server) = (self.client, self.server);
        let protocol = if self.protocol == Protocol::Udp { " by UDP" } else { "" };
        format!("{client} -> {server}{protocol}")
    }
}

/// What is said of a connection.
pub(crate) fn report(
    known: &Known<'_>,
    verdict: Verdict,
    configuration: Vec<Sentence>,
) -> ConnectionReport {
    let routers = known
        .steps
        .iter()
        .filter_map(|step| {
            let count = step.ttl.0.checked_sub(step.ttl.1).filter(|count| *count > 0)?;
            Some(Routers { from: step.first, to: step.second, count })
        })
        .collect();
    ConnectionReport {
        protocol: known.connection.protocol,
        client: known.connection.client,
        server: known.connection.server,
        client_known_by: known.connection.known_by,
        verdict,
        alike: 0,
        requests: way_points(&known.ways.requests),
        replies: way_points(&known.ways.replies),
        tunnels: known.tunnels.to_vec(),
        routers,
        configuration,
        story: story::of(known),
        rows: rows(known),
    }
}

fn rows(known: &Known<'_>) -> Vec<usize> {
    let all = std::iter::once(known.connection).chain(known.siblings.iter().copied());
    let mut rows: Vec<usize> =
        all.flat_map(|it| it.requests.iter().chain(&it.replies)).copied().collect();
    rows.sort_unstable();
    rows
}

fn way_points(way: &Way) -> Vec<WayPoint> {
    way.points
        .iter()
        .enumerate()
        .map(|(place, point)| WayPoint {
            point: *point,
            packets: way.count(*point),
            order_is_known: place
                .checked_sub(1)
                .is_none_or(|before| way.order.get(before) != Some(&Order::NotKnown)),
        })
        .collect()
}

//! What happened to a connection's packets between points and at them: tunnels, translations, routers.

use crate::connection::{self, Connection};
use crate::roles::is_through;
use crate::trace::{Row, Trace};
use crate::way::{Way, is_tunnelled, rows_at};
use labsim_captures::Header;
use labsim_wire::protocol;
use labsim_wire::tcp::Flags;
use serde::Serialize;
use std::net::{IpAddr, SocketAddr};

/// A tunnel that a connection's packets were in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tunnel {
    /// Its kind: `IPIP`, `GRE`, `GUE`, or `tunnel` if the capture does not show it.
    pub kind: &'static str,
    /// The outer source address.
    pub source: IpAddr,
    /// The outer destination address.
    pub destination: IpAddr,
    /// Whether the outer source is the client's address.
    pub source_is_client: bool,
    /// Points that saw packets in it.
    #[serde(skip)]
    pub(crate) points: Vec<usize>,
    /// The first row in it at each of these.
    #[serde(skip)]
    pub(crate) rows: Vec<usize>,
    /// Points where packets came in plain and went out in it.
    #[serde(skip)]
    pub(crate) begins_at: Vec<usize>,
    /// Points where packets came in it and went on plain.
    #[serde(skip)]
    pub(crate) ends_at: Vec<usize>,
}

/// The tunnels of the client's packets, in the order in which they were seen.
pub(crate) fn tunnels(trace: &Trace, connection: &Connection, way: &Way) -> Vec<Tunnel> {
    let mut tunnels: Vec<Tunnel> = Vec::new();
    for passed in &way.segments {
        for (point, rows) in &passed.at {
            let first_plain = rows.iter().position(|it| !is_tunnelled_at(trace, *it));
            for (place, index) in rows.iter().enumerate() {
                let Some(row) = trace.rows.get(*index).filter(|row| is_tunnelled(row)) else {
                    continue;
                };
                let header = &row.packet.outermost;
                let known = tunnels.iter().position(|it| {
                    (it.source, it.destination) == (header.source, header.destination)
                });
                let at = known.unwrap_or(tunnels.len());
                if known.is_none() {
                    tunnels.push(Tunnel {
                        kind: kind(header),
                        source: header.source,
                        destination: header.destination,
                        source_is_client: header.source == connection.client.ip(),
                        points: Vec::new(),
                        rows: Vec::new(),
                        begins_at: Vec::new(),
                        ends_at: Vec::new(),
                    });
                }
                let Some(tunnel) = tunnels.get_mut(at) else { continue };
                if !tunnel.points.contains(point) {
                    tunnel.points.push(*point);
                    tunnel.rows.push(*index);
                }
                // A segment that is sent again has plain rows behind those in the tunnel.
                let is_once = rows.len() <= 3;
                match first_plain.and_then(|plain| Some((plain, *rows.get(plain)?))) {
                    Some((plain, before)) if plain < place && is_through(trace, before, *index) => {
                        note(&mut tunnel.begins_at, *point);
                    }
                    Some((plain, after))
                        if plain > place && is_once && is_through(trace, *index, after) =>
                    {
                        note(&mut tunnel.ends_at, *point);
                    }
                    _ => {}
                }
            }
        }
    }
    for tunnel in &mut tunnels {
        let begins = tunnel.begins_at.clone();
        tunnel.ends_at.retain(|point| !begins.contains(point));
    }
    tunnels
}

fn note(points: &mut Vec<usize>, point: usize) {
    if !points.contains(&point) {
        points.push(point);
    }
}

fn is_tunnelled_at(trace: &Trace, index: usize) -> bool {
    trace.rows.get(index).is_some_and(is_tunnelled)
}

fn kind(outer: &Header) -> &'static str {
    match outer.protocol {
        Some(protocol::IPIP | protocol::IPV6) => "IPIP",
        Some(protocol::GRE) => "GRE",
        Some(protocol::UDP) => "GUE",
        _ => "tunnel",
    }
}

/// Routers between two points, by a TTL that became smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) first: usize,
    pub(crate) second: usize,
    /// The TTL at the first point and at the second.
    pub(crate) ttl: (u8, u8),
    pub(crate) rows: (usize, usize),
}

/// The TTLs of one header at each two points that follow each other; packets show it if both points saw the
/// same headers.
pub(crate) fn steps(trace: &Trace, way: &Way) -> Vec<Step> {
    way.points
        .windows(2)
        .filter_map(|pair| step(trace, way, *pair.first()?, *pair.last()?))
        .collect()
}

fn step(trace: &Trace, way: &Way, first: usize, second: usize) -> Option<Step> {
    for passed in &way.segments {
        let (Some(before), Some(after)) = (passed.at.get(&first), passed.at.get(&second)) else {
            continue;
        };
        let next = after.first()?;
        let row = trace.rows.get(*next)?;
        let alike = before.iter().rev().find(|index| {
            let same = |other: &Row| {
                other.packet.inner.len() == row.packet.inner.len()
                    && key(&other.packet.outermost) == key(&row.packet.outermost)
            };
            trace.rows.get(**index).is_some_and(same)
        });
        let Some(alike) = alike else { continue };
        let (Some(one), Some(other)) =
            (trace.rows.get(*alike)?.packet.outermost.ttl, row.packet.outermost.ttl)
        else {
            continue;
        };
        return Some(Step { first, second, ttl: (one, other), rows: (*alike, *next) });
    }
    None
}

/// What identifies a header on its way.
fn key(header: &Header) -> (IpAddr, IpAddr, Option<u16>) {
    (header.source, header.destination, header.id)
}

/// Another connection with the same first packet: a load balancer translated its addresses.
pub(crate) fn is_translated(trace: &Trace, one: &Connection, other: &Connection) -> bool {
    let syn = |connection: &Connection| {
        let mut rows = connection.requests.iter().filter_map(|index| trace.rows.get(*index));
        let row =
            rows.find(|row| connection::has(row, Flags::SYN) && !connection::has(row, Flags::ACK))?;
        let tcp = row.packet.tcp()?;
        Some((connection::sequence(row)?, tcp.window?, tcp.mss, tcp.payload?))
    };
    let ends = |it: &Connection| -> (SocketAddr, SocketAddr) { (it.client, it.server) };
    ends(one) != ends(other) && syn(one).zip(syn(other)).is_some_and(|(one, other)| one == other)
}

/// The TTL of a row's innermost header.
pub(crate) fn ttl(row: &Row) -> Option<u8> {
    row.packet.innermost().ttl
}

/// Whether any row of a point on this way is not in a tunnel.
pub(crate) fn is_plain_at(trace: &Trace, way: &Way, point: usize) -> bool {
    way.segments.iter().any(|it| rows_at(trace, it, point).any(|row| !is_tunnelled(row)))
}

//! Which packets are of one TCP connection or UDP exchange, and who is its client.

use crate::exchange::exchanges;
use crate::trace::{Row, Trace};
use labsim_captures::Number;
use labsim_wire::tcp::Flags;
use serde::Serialize;
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// How the client of a connection is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// It sent the SYN.
    Syn,
    /// It was sent the SYN with ACK.
    SynAck,
    /// What it sent was in a tunnel.
    Tunnel,
    /// The user said that the other end is a VIP.
    Given,
    /// Its port is the greater one: no more than a guess.
    Ports,
    /// It sent a message that asks, or was sent one that answers.
    Message,
    /// It sent the first packet that was captured: no more than a guess.
    First,
}

/// What carries a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP: all datagrams between two addresses and ports.
    Udp,
}

/// A connection's rows, by their places in [`Trace::rows`].
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    pub(crate) protocol: Protocol,
    pub(crate) client: SocketAddr,
    pub(crate) server: SocketAddr,
    pub(crate) known_by: KnownBy,
    /// The client's first sequence number.
    pub(crate) isn: Option<u32>,
    pub(crate) requests: Vec<usize>,
    pub(crate) replies: Vec<usize>,
}

/// Both ends, the lower one first.
pub(crate) type Ends = (SocketAddr, SocketAddr);

/// Divides a trace into connections and exchanges, in the order of their first packets. One pair of ports may serve several,
/// told apart by their first sequence numbers.
pub(crate) fn connections(trace: &Trace) -> Vec<Connection> {
    let mut found: BTreeMap<(Ends, Option<u32>), Vec<usize>> = BTreeMap::new();
    let mut current: BTreeMap<(usize, Ends), u32> = BTreeMap::new();
    for (index, row) in trace.rows.iter().enumerate() {
        let Some((source, destination)) = ends(row) else { continue };
        let ends = (source.min(destination), source.max(destination));
        let key = (row.point, ends);
        if let Some(isn) = first_number(row) {
            current.insert(key, isn);
        }
        found.entry((ends, current.get(&key).copied())).or_default().push(index);
    }
    // What a point saw of a connection without its beginning belongs to the only one there is.
    let begun: BTreeMap<Ends, Vec<u32>> =
        found.keys().fold(BTreeMap::new(), |mut begun, (ends, isn)| {
            let numbers: &mut Vec<u32> = begun.entry(*ends).or_default();
            numbers.extend(isn);
            begun
        });
    let mut merged: BTreeMap<(Ends, Option<u32>), Vec<usize>> = BTreeMap::new();
    for ((ends, isn), rows) in found {
        let only = match begun.get(&ends).map(Vec::as_slice) {
            Some([only]) => Some(*only),
            _ => None,
        };
        merged.entry((ends, isn.or(only))).or_default().extend(rows);
    }
    let mut connections: Vec<(usize, Connection)> = merged
        .into_iter()
        .filter_map(|((ends, isn), mut rows)| {
            rows.sort_unstable();
            Some((*rows.first()?, connection(trace, ends, isn, &rows)))
        })
        .collect();
    connections.extend(exchanges(trace));
    connections.sort_by_key(|(first, _)| *first);
    connections.into_iter().map(|(_, connection)| connection).collect()
}

fn connection(trace: &Trace, ends: Ends, isn: Option<u32>, rows: &[usize]) -> Connection {
    let (client, known_by) = client(trace, ends, rows);
    let server = if client == ends.0 { ends.1 } else { ends.0 };
    let is_request = |index: &&usize| {
        let source = trace.rows.get(**index).and_then(self::ends).map(|(source, _)| source);
        source == Some(client)
    };
    let (requests, replies): (Vec<&usize>, Vec<&usize>) = rows.iter().partition(is_request);
    Connection {
        protocol: Protocol::Tcp,
        client,
        server,
        known_by,
        isn,
        requests: requests.into_iter().copied().collect(),
        replies: replies.into_iter().copied().collect(),
    }
}

fn client(trace: &Trace, ends: Ends, rows: &[usize]) -> (SocketAddr, KnownBy) {
    let rows = || rows.iter().filter_map(|index| trace.rows.get(*index));
    let source = |row: &Row| self::ends(row).map(|(source, _)| source);
    let destination = |row: &Row| self::ends(row).map(|(_, destination)| destination);
    let has = |row: &Row, flags: Flags| self::flags(row) & (Flags::SYN.0 | Flags::ACK.0) == flags.0;
    let syn = rows().find(|row| has(row, Flags::SYN)).and_then(source);
    let syn_ack = || rows().find(|row| has(row, Flags::SYN.with(Flags::ACK))).and_then(destination);
    // In DSR nothing but what the client sends is in a tunnel.
    let tunnel = || {
        let tunnelled: Vec<_> =
            rows().filter(|row| !row.packet.inner.is_empty()).filter_map(source).collect();
        tunnelled.first().copied().filter(|first| tunnelled.iter().all(|it| it == first))
    };
    if let Some(client) = syn {
        (client, KnownBy::Syn)
    } else if let Some(client) = syn_ack() {
        (client, KnownBy::SynAck)
    } else if let Some(client) = of_vip(trace, ends) {
        (client, KnownBy::Given)
    } else if let Some(client) = tunnel() {
        (client, KnownBy::Tunnel)
    } else {
        let client = if ends.0.port() > ends.1.port() { ends.0 } else { ends.1 };
        (client, KnownBy::Ports)
    }
}

/// The client, if the other end alone is a VIP that the user gave.
pub(crate) fn of_vip(trace: &Trace, ends: Ends) -> Option<SocketAddr> {
    match (trace.is_vip(ends.0), trace.is_vip(ends.1)) {
        (true, false) => Some(ends.1),
        (false, true) => Some(ends.0),
        _ => None,
    }
}

/// Source and destination of a TCP packet.
pub(crate) fn ends(row: &Row) -> Option<(SocketAddr, SocketAddr)> {
    let header = row.packet.innermost();
    let (from, to) = row.packet.tcp()?.ports;
    Some((SocketAddr::new(header.source, from?), SocketAddr::new(header.destination, to?)))
}

/// The control bits; none if they are not known.
pub(crate) fn flags(row: &Row) -> u8 {
    row.packet.tcp().and_then(|tcp| tcp.flags).unwrap_or_default().0
}

pub(crate) fn has(row: &Row, flag: Flags) -> bool {
    Flags(flags(row)).contains(flag)
}

/// A number that is absolute.
pub(crate) fn absolute(number: Option<Number>) -> Option<u32> {
    match number? {
        Number::Absolute(number) => Some(number),
        Number::Relative(_) => None,
    }
}

/// The sequence number of a row.
pub(crate) fn sequence(row: &Row) -> Option<u32> {
    absolute(row.packet.tcp()?.sequence)
}

/// The acknowledgement number of a row.
pub(crate) fn acknowledgement(row: &Row) -> Option<u32> {
    absolute(row.packet.tcp()?.acknowledgement)
}

/// The client's first sequence number, of a SYN or of the answer to it.
pub(crate) fn first_number(row: &Row) -> Option<u32> {
    if !has(row, Flags::SYN) {
        return None;
    }
    if has(row, Flags::ACK) {
        acknowledgement(row).map(|number| number.wrapping_sub(1))
    } else {
        sequence(row)
    }
}

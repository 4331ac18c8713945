//! Which UDP datagrams are of one exchange, and who asks.

use crate::connection::{Connection, KnownBy, Protocol, of_vip};
use crate::trace::{Row, Trace};
use labsim_captures::{Datagram, Transport};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Ports below this are those of services.
pub(crate) const FIRST_EPHEMERAL: u16 = 1024;

/// The exchanges of a trace, by their addresses and ports.
pub(crate) fn exchanges(trace: &Trace) -> Vec<(usize, Connection)> {
    let mut found: BTreeMap<(SocketAddr, SocketAddr), Vec<usize>> = BTreeMap::new();
    for (index, row) in trace.rows.iter().enumerate() {
        if let Some((source, destination)) = ends(row).filter(|(_, to)| !is_group(to)) {
            let key = (source.min(destination), source.max(destination));
            found.entry(key).or_default().push(index);
        }
    }
    let exchange = |(ends, rows): ((SocketAddr, SocketAddr), Vec<usize>)| {
        Some((*rows.first()?, exchange(trace, ends, &rows)))
    };
    found.into_iter().filter_map(exchange).collect()
}

/// What is sent to many is answered by each from its own address.
pub(crate) fn is_group(to: &SocketAddr) -> bool {
    match to {
        SocketAddr::V4(to) => to.ip().is_multicast() || to.ip().octets()[3] == 255,
        SocketAddr::V6(to) => to.ip().is_multicast(),
    }
}

fn exchange(trace: &Trace, ends: (SocketAddr, SocketAddr), rows: &[usize]) -> Connection {
    let (client, known_by) = client(trace, ends, rows);
    let server = if client == ends.0 { ends.1 } else { ends.0 };
    let is_request = |index: &usize| {
        trace.rows.get(*index).and_then(self::ends).is_some_and(|(source, _)| source == client)
    };
    let (requests, replies) = rows.iter().partition(|index| is_request(index));
    Connection { protocol: Protocol::Udp, client, server, known_by, isn: None, requests, replies }
}

fn client(trace: &Trace, ends: (SocketAddr, SocketAddr), rows: &[usize]) -> (SocketAddr, KnownBy) {
    let rows = || rows.iter().filter_map(|index| trace.rows.get(*index));
    let by_message = rows().find_map(|row| {
        let (source, destination) = self::ends(row)?;
        let message = datagram(row)?.message?;
        Some(if message.is_reply { destination } else { source })
    });
    if let Some(client) = by_message {
        return (client, KnownBy::Message);
    }
    if let Some(client) = of_vip(trace, ends) {
        return (client, KnownBy::Given);
    }
    let tunnelled = rows().find(|row| !row.packet.inner.is_empty()).and_then(self::ends);
    match (tunnelled, ends.0.port() < FIRST_EPHEMERAL, ends.1.port() < FIRST_EPHEMERAL) {
        (Some((source, _)), ..) => (source, KnownBy::Tunnel),
        (None, true, false) => (ends.1, KnownBy::Ports),
        (None, false, true) => (ends.0, KnownBy::Ports),
        // Who speaks first asks, as a rule.
        _ => {
            let first = rows().next().and_then(self::ends);
            (first.map_or(ends.0, |(source, _)| source), KnownBy::First)
        }
    }
}

/// Source and destination of a UDP datagram.
pub(crate) fn ends(row: &Row) -> Option<(SocketAddr, SocketAddr)> {
    let Transport::Udp { ports: (Some(from), Some(to)), .. } = row.packet.transport else {
        return None;
    };
    let header = row.packet.innermost();
    Some((SocketAddr::new(header.source, from), SocketAddr::new(header.destination, to)))
}

/// What is known of a row's datagram by its payload.
pub(crate) fn datagram(row: &Row) -> Option<Datagram> {
    match row.packet.transport {
        Transport::Udp { datagram, .. } => datagram,
        _ => None,
    }
}

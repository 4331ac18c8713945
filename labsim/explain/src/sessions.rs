//! Sessions of TACACS+, which are the same on both sides of a proxy, where TCP is not.

use crate::connection::Connection;
use crate::trace::Trace;
use std::collections::{BTreeMap, BTreeSet};

/// Connections of a session that are compared at most.
const MAX_CONNECTIONS: usize = 16;

/// The connections of each session.
pub(crate) struct Sessions<'a> {
    connections: BTreeMap<u32, Vec<&'a Connection>>,
}

/// A session of two connections.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shared<'a> {
    pub(crate) session: u32,
    pub(crate) other: &'a Connection,
    /// The row that shows it in the other connection.
    pub(crate) row: usize,
}

impl<'a> Sessions<'a> {
    pub(crate) fn new(trace: &Trace, all: &'a [Connection]) -> Self {
        let mut connections: BTreeMap<u32, Vec<&Connection>> = BTreeMap::new();
        for connection in all {
            for session in sessions(trace, connection).into_keys() {
                connections.entry(session).or_default().push(connection);
            }
        }
        Self { connections }
    }

    /// Other connections that have a session of this one, and other numbers of TCP.
    pub(crate) fn of(&self, trace: &Trace, connection: &Connection) -> Vec<Shared<'a>> {
        let mut found = BTreeSet::new();
        let own = sessions(trace, connection).into_keys();
        let shared = own.flat_map(|session| {
            let others = self.connections.get(&session).into_iter().flatten().copied();
            others.take(MAX_CONNECTIONS).map(move |other| (session, other))
        });
        shared
            .filter(|(_, other)| {
                let is_same =
                    (other.client, other.server) == (connection.client, connection.server);
                !is_same && (other.isn.is_none() || other.isn != connection.isn)
            })
            .filter(|(_, other)| found.insert((other.client, other.server)))
            .filter_map(|(session, other)| {
                let row = *sessions(trace, other).get(&session)?;
                Some(Shared { session, other, row })
            })
            .collect()
    }
}

/// The sessions of a connection, and the first row of each.
fn sessions(trace: &Trace, connection: &Connection) -> BTreeMap<u32, usize> {
    let mut found = BTreeMap::new();
    for index in connection.requests.iter().chain(&connection.replies) {
        let row = trace.rows.get(*index).and_then(|row| row.packet.tcp());
        if let Some(session) = row.and_then(|tcp| tcp.session) {
            found.entry(session).or_insert(*index);
        }
    }
    found
}

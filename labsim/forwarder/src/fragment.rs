//! Fragments: only the first of a datagram carries its ports, so the others are matched by the
//! fields that all of them share. What is kept is bounded, and no flood can make it grow.
//!
//! A table remembers first fragments, 64 bytes each; when it is full, a new one takes the oldest
//! one's place. What comes before its first waits in a queue of a few rooms, and the oldest gives
//! its place to a newer one. Fragments that come in order need no room there. With its index the
//! table is 320 KiB, of which memory is touched as fragments come; the queue is 32 frames.

mod queue;
mod table;

pub(crate) use queue::Queue;
pub(crate) use table::{Datagram, Fate, Table};

use crate::flow::Key;
use std::net::IpAddr;
use std::time::Duration;

/// First fragments that are remembered at the same time.
pub(crate) const DATAGRAMS: usize = 4096;
/// How long: Linux gives up putting a datagram together after as long (`ipfrag_time`), so nothing
/// that comes later is of use to a server. RFC 791 3.2 begins at 15 seconds.
pub(crate) const DATAGRAM_TIME: Duration = Duration::from_secs(30);
/// Fragments that wait for their first at the same time.
pub(crate) const WAITING: usize = 32;
/// How long: packets of one flow overtake each other by milliseconds.
pub(crate) const WAITING_TIME: Duration = Duration::from_secs(1);

/// What all fragments of a datagram have in common (RFC 791 3.2): addresses, protocol and
/// identification, which stands in the place of a flow's ports. IPv6's has the 32 bits, and no
/// protocol: next headers may differ (RFC 8200 4.5).
pub(crate) fn key(source: IpAddr, destination: IpAddr, protocol: u8, id: u32) -> Key {
    Key::new(source, destination, (id >> 16) as u16, id as u16, protocol)
}

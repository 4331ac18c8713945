//! What the flow table keeps of a flow, on one cache line.

use super::{Flow, Key, Seen, SequenceNumbers, SnatBinding, State};
use crate::Instant;

#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Entry {
    // The key's parts one by one: as a whole it would leave gaps.
    source: [u64; 2],
    destination: [u64; 2],
    pub(super) last_seen: Instant,
    pub(super) numbers: SequenceNumbers,
    ports: u32,
    pub(super) snat: Option<SnatBinding>,
    pub(super) server: u16,
    pub(super) member: u16,
    protocol: u8,
    pub(super) state: State,
    pub(super) seen: Seen,
    /// Whether something else forwards its packets.
    pub(super) offloaded: bool,
}

impl Entry {
    pub(super) fn new(key: Key, flow: Flow, numbers: SequenceNumbers, now: Instant) -> Self {
        let Key { source, destination, ports, protocol } = key;
        let Flow { server, member, state, seen, snat } = flow;
        let last_seen = now;
        Self {
            source,
            destination,
            last_seen,
            numbers,
            ports,
            snat,
            server,
            member,
            protocol,
            state,
            seen,
            offloaded: false,
        }
    }

    #[inline]
    pub(super) const fn key(&self) -> Key {
        let Self { source, destination, ports, protocol, .. } = *self;
        Key { source, destination, ports, protocol }
    }

    #[inline]
    pub(super) const fn flow(&self) -> Flow {
        let Self { server, member, state, seen, snat, .. } = *self;
        Flow { server, member, state, seen, snat }
    }
}

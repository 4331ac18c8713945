//! The flow table: bounded, without allocation after it is made.
//!
//! A flow takes 92 bytes: an entry of one cache line with all that its packets need, twice 8 bytes
//! of index (which is at most half full), and 12 bytes of links that only its beginning and its end
//! touch. Memory is touched as flows come. Keys have room for both address families.
//!
//! Half-open flows stand in a queue in the order of their beginning; all others on a timer wheel.
//! When the table is full, a new flow takes the oldest half-open one's place, or else one's whose
//! client has sent a single packet (UDP, loose initiation); established flows are never pushed out.
//! So a flood from random sources only shortens the time that a flow has to become one: a table of
//! a million flows leaves it a second against a million packets a second. IPVS has no bound and
//! drops half-open connections at random when memory runs short (`drop_entry`); katran's table
//! forgets what was used least lately, and remembers no new flow above a rate of new ones; F5 reaps
//! half-open flows first when memory passes a watermark.

mod due;

use super::entry::Entry;
use super::wheel::Wheel;
use super::{
    CLOSE_TIMEOUT, Flow, HANDSHAKE_TIMEOUT, Hasher, Index, Key, Seen, SequenceNumbers, Side, State,
};
use crate::{FlowUse, Instant};
use due::{FREE, Link};
use labsim_wire::protocol;
use std::time::Duration;

/// A flow's place in the slab, from 1; 0 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FlowId(u32);

impl FlowId {
    /// From 1 to the table's capacity; a forgotten flow's number is given again.
    pub(crate) const fn number(self) -> u32 {
        self.0
    }

    /// The flow of that number, which has to be there.
    pub(crate) const fn of(number: u32) -> Self {
        Self(number)
    }
}

/// Flows that are looked at for one that may be pushed out, each time that room is needed.
const LOOKS: usize = 64;
/// Why a flow was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ExpiryReason {
    /// Nothing came after the SYN.
    Handshake,
    /// Nothing came for the idle timeout.
    Idle,
    /// The close timeout after a FIN is over.
    Closed,
}

#[derive(Debug)]
pub(crate) struct Table {
    hasher: Hasher,
    index: Index,
    entries: Vec<Entry>,
    links: Vec<Link>,
    capacity: usize,
    /// First of the free entries, linked by `next`.
    free: u32,
    open: usize,
    wheel: Wheel,
    on_wheel: usize,
    queue_head: u32,
    queue_tail: u32,
    /// Where the search for a flow of a single packet goes on.
    hand: usize,
    /// Idle timeouts by virtual server, in nanoseconds.
    idle: Vec<u64>,
}

impl Table {
    /// A table for `capacity` flows, of virtual servers that [`Self::set_idle`] adds.
    pub(crate) fn new(capacity: usize) -> Self {
        Self {
            hasher: Hasher::new(),
            index: Index::new(capacity),
            entries: Vec::with_capacity(capacity),
            links: Vec::with_capacity(capacity),
            capacity,
            free: 0,
            open: 0,
            wheel: Wheel::new(),
            on_wheel: 0,
            queue_head: 0,
            queue_tail: 0,
            hand: 0,
            idle: Vec::new(),
        }
    }

    /// Gives virtual servers these idle timeouts. They count for flows that are there already, too.
    pub(crate) fn set_idle(&mut self, idle: Vec<Duration>) {
        self.idle = idle.into_iter().map(nanoseconds).collect();
    }

    /// Flows at this moment.
    pub(crate) fn len(&self) -> usize {
        self.open
    }

    /// The flow of `key`. One whose time is over is still found; see [`Self::overdue`].
    #[inline]
    pub(crate) fn find(&self, key: &Key) -> Option<FlowId> {
        let hash = self.hasher.hash(key);
        self.index.find(hash, |id| self.entry(id).key() == *key).map(FlowId)
    }

    /// Touches the memory where the search for `hash` begins.
    #[inline]
    pub(crate) fn prefetch(&self, hash: u32) -> u64 {
        self.index.prefetch(hash)
    }

    /// The flow that the search for `hash` most likely ends at.
    #[inline]
    pub(crate) fn likely(&self, hash: u32) -> Option<FlowId> {
        self.index.likely(hash).map(FlowId)
    }

    /// Touches the memory of the flow.
    #[inline]
    pub(crate) fn prefetch_entry(&self, id: FlowId) -> u64 {
        self.entry(id.0).last_seen.as_nanos()
    }

    /// The hasher of this table's keys.
    #[inline]
    pub(crate) fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// Numbers that a flow may have so far: from 1 to this.
    pub(crate) fn highest(&self) -> u32 {
        self.links.len() as u32
    }

    /// The flow of that number, which is up to [`Self::highest`], if there is one.
    pub(crate) fn at(&self, number: u32) -> Option<FlowId> {
        (self.link_of(number).place != FREE).then_some(FlowId(number))
    }

    /// What the flow's packets have in common.
    #[inline]
    pub(crate) fn key(&self, id: FlowId) -> Key {
        self.entry(id.0).key()
    }

    /// What is kept of the flow.
    #[inline]
    pub(crate) fn get(&self, id: FlowId) -> Flow {
        self.entry(id.0).flow()
    }

    /// Why the flow should have been forgotten by `now`, if it should.
    #[inline]
    pub(crate) fn overdue(&self, id: FlowId, now: Instant) -> Option<ExpiryReason> {
        let entry = self.entry(id.0);
        (self.deadline(entry) <= now).then(|| reason(entry.state))
    }

    /// A packet of the flow came. A half-open flow keeps the time of its beginning.
    #[inline]
    pub(crate) fn touch(&mut self, id: FlowId, now: Instant) {
        let entry = self.entry_mut(id.0);
        if entry.state != State::Opening {
            entry.last_seen = now;
        }
    }

    /// What a packet of the client's says about where both directions stand: its own next sequence
    /// number, and the server's if it acknowledges. What lies behind, as repeated packets' does,
    /// changes nothing.
    #[inline]
    pub(crate) fn advance(&mut self, id: FlowId, next: u32, acknowledged: Option<u32>) {
        let Entry { seen, numbers, .. } = self.entry_mut(id.0);
        numbers.client_next = later(numbers.client_next, next);
        let Some(next) = acknowledged else { return };
        let known = seen.acknowledged();
        numbers.server_next = if known { later(numbers.server_next, next) } else { next };
        *seen = seen.with_acknowledgement();
    }

    /// Takes in what was seen of one side's packets where something else forwarded them.
    pub(crate) fn merge(&mut self, id: FlowId, side: Side, used: &FlowUse) {
        if !used.is_used {
            return;
        }
        let entry = self.entry_mut(id.0);
        entry.last_seen = entry.last_seen.max(used.last_seen);
        if side == Side::Client && entry.key().protocol() == protocol::TCP {
            let acknowledged = used.acknowledged.then_some(used.server_next);
            self.advance(id, used.client_next, acknowledged);
        }
    }

    /// Whether something else forwards its packets.
    #[inline]
    pub(crate) fn is_offloaded(&self, id: FlowId) -> bool {
        self.entry(id.0).offloaded
    }

    /// Notes whether something else forwards its packets.
    pub(crate) fn set_offloaded(&mut self, id: FlowId, offloaded: bool) {
        self.entry_mut(id.0).offloaded = offloaded;
    }

    /// When its last packet was seen.
    pub(crate) fn last_seen(&self, id: FlowId) -> Instant {
        self.entry(id.0).last_seen
    }

    /// Where the flow's connection stands.
    pub(crate) fn numbers(&self, id: FlowId) -> SequenceNumbers {
        self.entry(id.0).numbers
    }

    /// A FIN came; returns what was seen by now.
    pub(crate) fn add_fin(&mut self, id: FlowId, side: Side) -> Seen {
        let seen = &mut self.entry_mut(id.0).seen;
        *seen = seen.with_fin(side);
        *seen
    }

    /// Changes the flow's state and its timeout with it.
    pub(crate) fn set_state(&mut self, id: FlowId, state: State, now: Instant) {
        self.unlink(id.0);
        let entry = self.entry_mut(id.0);
        entry.state = state;
        entry.last_seen = now;
        self.link(id.0, now);
    }

    /// The client has sent a second packet.
    #[inline]
    pub(crate) fn set_second_packet(&mut self, id: FlowId) {
        let seen = &mut self.entry_mut(id.0).seen;
        *seen = seen.with_second_packet();
    }

    /// Takes a flow out of a full table, to make room: the oldest half-open one, or else one of a
    /// single packet. `None` if none was found in a few looks.
    pub(crate) fn evict(&mut self) -> Option<(FlowId, Flow)> {
        let id = match self.queue_head {
            0 => self.single_packet()?,
            oldest => FlowId(oldest),
        };
        Some((id, self.remove(id)))
    }

    /// The next flow, in the order of the slab, whose client has sent a single packet. Of a full
    /// table every entry is a flow.
    fn single_packet(&mut self) -> Option<FlowId> {
        for _ in 0..LOOKS.min(self.entries.len()) {
            self.hand = (self.hand + 1) % self.entries.len();
            if !self.entries[self.hand].seen.second_packet() {
                return Some(FlowId(self.hand as u32 + 1));
            }
        }
        None
    }

    /// Whether no flow can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.open >= self.capacity
    }

    /// Adds a flow that is not there yet; `None` if the table is full.
    pub(crate) fn insert(
        &mut self,
        key: Key,
        flow: Flow,
        numbers: SequenceNumbers,
        now: Instant,
    ) -> Option<FlowId> {
        if self.is_full() {
            return None;
        }
        let entry = Entry::new(key, flow, numbers, now);
        let id = if self.free == 0 {
            // Room for all was reserved when the table was made.
            self.entries.push(entry);
            self.links.push(Link::default());
            self.entries.len() as u32
        } else {
            let id = self.free;
            self.free = self.link_of(id).next;
            *self.entry_mut(id) = entry;
            id
        };
        self.open += 1;
        let hash = self.hasher.hash(&key);
        self.index.insert(hash, id);
        self.link(id, now);
        Some(FlowId(id))
    }

    /// Forgets a flow.
    pub(crate) fn remove(&mut self, id: FlowId) -> Flow {
        self.unlink(id.0);
        let (key, flow) = (self.key(id), self.get(id));
        self.index.remove(self.hasher.hash(&key), id.0);
        let free = self.free;
        *self.link_mut(id.0) = Link { next: free, previous: 0, place: FREE };
        self.free = id.0;
        self.open -= 1;
        flow
    }

    #[inline]
    fn deadline(&self, entry: &Entry) -> Instant {
        let timeout = match entry.state {
            State::Opening => nanoseconds(HANDSHAKE_TIMEOUT),
            State::Open => self.idle[usize::from(entry.server)],
            State::Closing => nanoseconds(CLOSE_TIMEOUT),
        };
        Instant::from_nanos(entry.last_seen.as_nanos().saturating_add(timeout))
    }

    #[inline]
    fn entry(&self, id: u32) -> &Entry {
        &self.entries[id as usize - 1]
    }

    #[inline]
    fn entry_mut(&mut self, id: u32) -> &mut Entry {
        &mut self.entries[id as usize - 1]
    }
}

/// Of two sequence numbers the later one (RFC 9293 3.4).
const fn later(one: u32, other: u32) -> u32 {
    if (other.wrapping_sub(one) as i32) > 0 { other } else { one }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[inline]
fn reason(state: State) -> ExpiryReason {
    match state {
        State::Opening => ExpiryReason::Handshake,
        State::Open => ExpiryReason::Idle,
        State::Closing => ExpiryReason::Closed,
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

//! The flow table: bounded, without allocation after it is made.
//!
//! An index of 8-byte places points into a slab of 64-byte entries. Half-open flows stand in a queue in the order of their beginning; all others on a
//! timer wheel. When the table is full, a new flow takes the oldest half-open one's place, and
//! established flows are never pushed out.

use super::wheel::Wheel;
use super::{CLOSE_TIMEOUT, Fins, Flow, HANDSHAKE_TIMEOUT, Hasher, Index, Key, Side, State};
use crate::Instant;
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

/// The wheel's "place" of flows that stand in the queue of half-open flows.
const IN_QUEUE: u16 = u16::MAX;

/// Why a flow was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Expired {
    /// Nothing came after the SYN.
    Handshake,
    /// Nothing came for the idle timeout.
    Idle,
    /// The close timeout after a FIN is over.
    Closed,
}

#[derive(Debug)]
#[repr(align(64))]
struct Entry {
    key: Key,
    last_seen: Instant,
    flow: Flow,
    place: u16,
    next: u32,
    previous: u32,
}

#[derive(Debug)]
pub(crate) struct Table {
    hasher: Hasher,
    index: Index,
    entries: Vec<Entry>,
    capacity: usize,
    /// First of the free entries, linked by `next`.
    free: u32,
    open: usize,
    wheel: Wheel,
    on_wheel: usize,
    queue_head: u32,
    queue_tail: u32,
    /// Idle timeouts by virtual server.
    idle: Vec<Duration>,
}

impl Table {
    /// A table for `capacity` flows of virtual servers with these idle timeouts.
    pub(crate) fn new(capacity: usize, idle: Vec<Duration>) -> Self {
        Self {
            hasher: Hasher::new(),
            index: Index::new(capacity),
            entries: Vec::with_capacity(capacity),
            capacity,
            free: 0,
            open: 0,
            wheel: Wheel::new(),
            on_wheel: 0,
            queue_head: 0,
            queue_tail: 0,
            idle,
        }
    }

    /// Gives virtual servers other idle timeouts. They count for flows that are there already, too.
    pub(crate) fn set_idle(&mut self, idle: Vec<Duration>) {
        self.idle = idle;
    }

    /// Flows at this moment.
    pub(crate) fn len(&self) -> usize {
        self.open
    }

    /// The flow of `key`. One whose time is over is still found; see [`Self::overdue`].
    pub(crate) fn find(&self, key: &Key) -> Option<FlowId> {
        let hash = self.hasher.hash(key);
        self.index.find(hash, |id| self.entry(id).key == *key).map(FlowId)
    }

    /// The hasher of this table's keys.
    pub(crate) fn hasher(&self) -> Hasher {
        self.hasher
    }

    /// What the flow's packets have in common.
    pub(crate) fn key(&self, id: FlowId) -> Key {
        self.entry(id.0).key
    }

    /// What is kept of the flow.
    pub(crate) fn get(&self, id: FlowId) -> Flow {
        self.entry(id.0).flow
    }

    /// Why the flow should have been forgotten by `now`, if it should.
    pub(crate) fn overdue(&self, id: FlowId, now: Instant) -> Option<Expired> {
        let entry = self.entry(id.0);
        (self.deadline(entry) <= now).then(|| reason(entry.flow.state))
    }

    /// A packet of the flow came. A half-open flow keeps the time of its beginning.
    pub(crate) fn touch(&mut self, id: FlowId, now: Instant) {
        let entry = self.entry_mut(id.0);
        if entry.flow.state != State::Opening {
            entry.last_seen = now;
        }
    }

    /// A FIN came; returns which sides have sent one by now.
    pub(crate) fn add_fin(&mut self, id: FlowId, side: Side) -> Fins {
        let flow = &mut self.entry_mut(id.0).flow;
        flow.fins = flow.fins.with(side);
        flow.fins
    }

    /// Changes the flow's state and its timeout with it.
    pub(crate) fn set_state(&mut self, id: FlowId, state: State, now: Instant) {
        self.unlink(id.0);
        let entry = self.entry_mut(id.0);
        entry.flow.state = state;
        entry.last_seen = now;
        self.link(id.0);
    }

    /// Takes the oldest half-open flow out, to make room.
    pub(crate) fn evict(&mut self) -> Option<(FlowId, Flow)> {
        let oldest = FlowId(self.queue_head);
        (oldest.0 != 0).then(|| (oldest, self.remove(oldest)))
    }

    /// Whether no flow can be added.
    pub(crate) fn is_full(&self) -> bool {
        self.open >= self.capacity
    }

    /// Adds a flow that is not there yet; `None` if the table is full.
    pub(crate) fn insert(&mut self, key: Key, flow: Flow, now: Instant) -> Option<FlowId> {
        if self.is_full() {
            return None;
        }
        let entry = Entry { key, last_seen: now, flow, place: 0, next: 0, previous: 0 };
        let id = if self.free == 0 {
            // Room for all was reserved when the table was made.
            self.entries.push(entry);
            self.entries.len() as u32
        } else {
            let id = self.free;
            self.free = self.entry(id).next;
            *self.entry_mut(id) = entry;
            id
        };
        self.open += 1;
        let hash = self.hasher.hash(&key);
        self.index.insert(hash, id);
        if self.on_wheel == 0 {
            let _ = self.wheel.advance(now);
        }
        self.link(id);
        Some(FlowId(id))
    }

    /// Forgets a flow.
    pub(crate) fn remove(&mut self, id: FlowId) -> Flow {
        self.unlink(id.0);
        let Entry { key, flow, .. } = *self.entry(id.0);
        self.index.remove(self.hasher.hash(&key), id.0);
        let free = self.free;
        self.entry_mut(id.0).next = free;
        self.free = id.0;
        self.open -= 1;
        flow
    }

    /// Forgets up to `budget` flows whose time is over and tells each; returns whether all are
    /// done.
    pub(crate) fn expire(
        &mut self,
        now: Instant,
        budget: usize,
        mut gone: impl FnMut(FlowId, Flow, Expired),
    ) -> bool {
        let mut left = budget;
        while self.queue_head != 0 {
            let id = FlowId(self.queue_head);
            let Some(reason) = self.overdue(id, now) else { break };
            if left == 0 {
                return false;
            }
            left -= 1;
            gone(id, self.remove(id), reason);
        }
        while let Some(place) = self.wheel.advance(now) {
            while self.wheel.head(place) != 0 {
                if left == 0 {
                    return false;
                }
                left -= 1;
                let id = FlowId(self.wheel.head(place));
                if let Some(reason) = self.overdue(id, now) {
                    gone(id, self.remove(id), reason);
                } else {
                    self.unlink(id.0);
                    self.link(id.0);
                }
            }
        }
        true
    }

    /// When [`Self::expire`] next has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let queue = (self.queue_head != 0).then(|| self.deadline(self.entry(self.queue_head)));
        let wheel = if self.on_wheel == 0 { None } else { self.wheel.next() };
        queue.into_iter().chain(wheel).min()
    }

    fn deadline(&self, entry: &Entry) -> Instant {
        let timeout = match entry.flow.state {
            State::Opening => HANDSHAKE_TIMEOUT,
            State::Open => self.idle[usize::from(entry.flow.server)],
            State::Closing => CLOSE_TIMEOUT,
        };
        entry.last_seen.after(timeout)
    }

    fn entry(&self, id: u32) -> &Entry {
        &self.entries[id as usize - 1]
    }

    fn entry_mut(&mut self, id: u32) -> &mut Entry {
        &mut self.entries[id as usize - 1]
    }

    fn link(&mut self, id: u32) {
        if self.entry(id).flow.state == State::Opening {
            let tail = self.queue_tail;
            let entry = self.entry_mut(id);
            entry.place = IN_QUEUE;
            entry.next = 0;
            entry.previous = tail;
            if tail == 0 {
                self.queue_head = id;
            } else {
                self.entry_mut(tail).next = id;
            }
            self.queue_tail = id;
            return;
        }
        let place = self.wheel.place(self.deadline(self.entry(id)));
        let head = self.wheel.head(place);
        let entry = self.entry_mut(id);
        entry.place = place;
        entry.next = head;
        entry.previous = 0;
        if head != 0 {
            self.entry_mut(head).previous = id;
        }
        self.wheel.set_head(place, id);
        self.on_wheel += 1;
    }

    fn unlink(&mut self, id: u32) {
        let Entry { place, next, previous, .. } = *self.entry(id);
        if previous != 0 {
            self.entry_mut(previous).next = next;
        }
        if next != 0 {
            self.entry_mut(next).previous = previous;
        }
        if place == IN_QUEUE {
            if previous == 0 {
                self.queue_head = next;
            }
            if next == 0 {
                self.queue_tail = previous;
            }
        } else {
            if previous == 0 {
                self.wheel.set_head(place, next);
            }
            self.on_wheel -= 1;
        }
    }
}

fn reason(state: State) -> Expired {
    match state {
        State::Opening => Expired::Handshake,
        State::Open => Expired::Idle,
        State::Closing => Expired::Closed,
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;

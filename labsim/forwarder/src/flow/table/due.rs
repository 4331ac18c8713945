//! Which flows' time is over: half-open ones stand in a queue in the order of their beginning, all others on
//! the timer wheel.

use super::{FlowId, Table};
use crate::Instant;
use crate::flow::State;

/// The wheel's "place" of flows that stand in the queue of half-open flows, and of entries that are
/// free.
const IN_QUEUE: u16 = u16::MAX;
pub(super) const FREE: u16 = u16::MAX - 1;

/// Where a flow stands in the queue or on the wheel.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Link {
    pub(super) next: u32,
    pub(super) previous: u32,
    pub(super) place: u16,
}

impl Table {
    /// The next flow whose time may be over, for the caller to remove or to put off: the table does not know
    /// of packets that something else forwards.
    pub(crate) fn next_due(&mut self, now: Instant) -> Option<FlowId> {
        let oldest = FlowId(self.queue_head);
        if oldest.0 != 0 && self.overdue(oldest, now).is_some() {
            return Some(oldest);
        }
        self.wheel.advance(now).map(|place| FlowId(self.wheel.head(place)))
    }

    /// Puts a flow off that [`Self::next_due`] has found and whose time is not over.
    pub(crate) fn put_off(&mut self, id: FlowId, now: Instant) {
        self.unlink(id.0);
        self.link(id.0, now);
    }

    /// When [`Self::next_due`] next has something to do.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        let queue = (self.queue_head != 0).then(|| self.deadline(self.entry(self.queue_head)));
        let wheel = if self.on_wheel == 0 { None } else { self.wheel.next() };
        queue.into_iter().chain(wheel).min()
    }

    pub(super) fn link_of(&self, id: u32) -> Link {
        self.links[id as usize - 1]
    }

    pub(super) fn link_mut(&mut self, id: u32) -> &mut Link {
        &mut self.links[id as usize - 1]
    }

    pub(super) fn link(&mut self, id: u32, now: Instant) {
        if self.entry(id).state == State::Opening {
            let tail = self.queue_tail;
            *self.link_mut(id) = Link { next: 0, previous: tail, place: IN_QUEUE };
            if tail == 0 {
                self.queue_head = id;
            } else {
                self.link_mut(tail).next = id;
            }
            self.queue_tail = id;
            return;
        }
        // The place depends on the time alone, and not on when the wheel was last looked at.
        let _ = self.wheel.advance(now);
        let place = self.wheel.place(self.deadline(self.entry(id)));
        let head = self.wheel.head(place);
        *self.link_mut(id) = Link { next: head, previous: 0, place };
        if head != 0 {
            self.link_mut(head).previous = id;
        }
        self.wheel.set_head(place, id);
        self.on_wheel += 1;
    }

    pub(super) fn unlink(&mut self, id: u32) {
        let Link { place, next, previous } = self.link_of(id);
        if previous != 0 {
            self.link_mut(previous).next = next;
        }
        if next != 0 {
            self.link_mut(next).previous = previous;
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

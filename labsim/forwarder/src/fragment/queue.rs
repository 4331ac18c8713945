//! Fragments that arrived before the first fragment of their datagram.

use super::WAITING_TIME;
use crate::Instant;
use crate::flow::Key;
use crate::packet_slots::PacketSlots;

/// What is known of one.
#[derive(Debug)]
struct Fragment {
    key: Key,
    came: Instant,
    /// Length of the frame that it came in, for its outcome's counter.
    frame: usize,
}

/// None at all by default.
#[derive(Debug, Default)]
pub(crate) struct Queue(PacketSlots<Fragment>);

impl Queue {
    /// `slots` packets of up to `slot_length` bytes.
    pub(crate) fn new(slots: usize, slot_length: usize) -> Self {
        Self(PacketSlots::new(slots, slot_length))
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Has a packet wait. The oldest of all gives its place if there is no other: `overflow` gets the
    /// length of its frame. Returns whether the packet waits: it cannot if it is too long.
    pub(crate) fn push(
        &mut self,
        key: Key,
        now: Instant,
        frame: usize,
        packet: &[u8],
        overflow: impl FnOnce(usize),
    ) -> bool {
        let Self(slots) = self;
        let index = slots.free().or_else(|| slots.oldest(|_| true));
        let Some(index) = index.filter(|_| slots.fits(packet.len())) else { return false };
        if let Some((oldest, _)) = slots.take(index) {
            overflow(oldest.frame);
        }
        slots.put(index, Fragment { key, came: now, frame }, packet.len(), |slot| {
            slot.copy_from_slice(packet);
            Ok(())
        })
    }

    /// The oldest packet of that datagram with the length of its frame; it leaves its slot.
    pub(crate) fn pop(&mut self, key: &Key) -> Option<(usize, &[u8])> {
        let index = self.0.oldest(|fragment| fragment.key == *key)?;
        let (fragment, packet) = self.0.take(index)?;
        Some((fragment.frame, packet))
    }

    /// Lets one packet go that has waited for too long; tells the length of its frame.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<usize> {
        let index = self.0.oldest(|fragment| fragment.came.after(WAITING_TIME) <= now)?;
        self.0.take(index).map(|(fragment, _)| fragment.frame)
    }

    /// When [`Self::give_up`] next has something.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.len() == 0 {
            return None;
        }
        self.0.iter().map(|fragment| fragment.came.after(WAITING_TIME)).min()
    }
}

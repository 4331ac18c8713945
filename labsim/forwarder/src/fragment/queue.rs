//! Fragments that came before their first.

use super::WAITING_TIME;
use crate::Instant;
use crate::flow::Key;
use crate::rooms::Rooms;

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
pub(crate) struct Queue(Rooms<Fragment>);

impl Queue {
    /// `rooms` packets of up to `room_length` bytes.
    pub(crate) fn new(rooms: usize, room_length: usize) -> Self {
        Self(Rooms::new(rooms, room_length))
    }

    pub(crate) const fn len(&self) -> usize {
        self.0.len()
    }

    /// Has a packet wait. The oldest of all gives its place if there is no other: the length of its
    /// frame is told to `overflow`. Returns whether the packet waits: it cannot if it is too long.
    pub(crate) fn push(
        &mut self,
        key: Key,
        now: Instant,
        frame: usize,
        packet: &[u8],
        overflow: impl FnOnce(usize),
    ) -> bool {
        let Self(rooms) = self;
        let index = rooms.free().or_else(|| rooms.oldest(|_| true));
        let Some(index) = index.filter(|_| rooms.takes(packet.len())) else { return false };
        if let Some((oldest, _)) = rooms.take(index) {
            overflow(oldest.frame);
        }
        rooms.put(index, Fragment { key, came: now, frame }, packet.len(), |room| {
            room.copy_from_slice(packet);
            Ok(())
        })
    }

    /// The oldest packet of that datagram with the length of its frame; it leaves its room.
    pub(crate) fn pop(&mut self, key: &Key) -> Option<(usize, &[u8])> {
        let index = self.0.oldest(|fragment| fragment.key == *key)?;
        let (fragment, packet) = self.0.take(index)?;
        Some((fragment.frame, packet))
    }

    /// Lets one packet go that has waited for too long; tells the length of its frame.
    pub(crate) fn give_up(&mut self, now: Instant) -> Option<usize> {
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

//! Fragments that came before their first: a fixed number of rooms, made once.

use super::WAITING_TIME;
use crate::Instant;
use crate::flow::Key;

#[derive(Debug)]
struct Room {
    key: Key,
    came: Instant,
    /// Order of arrival.
    number: u64,
    /// Length of the frame that it came in, for its outcome's counter.
    frame: usize,
    length: usize,
}

/// None at all by default.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    rooms: Box<[Option<Room>]>,
    bytes: Box<[u8]>,
    room_length: usize,
    arrivals: u64,
    occupied: usize,
}

impl Queue {
    /// `rooms` packets of up to `room_length` bytes.
    pub(crate) fn new(rooms: usize, room_length: usize) -> Self {
        Self {
            rooms: (0..rooms).map(|_| None).collect(),
            bytes: vec![0; rooms * room_length].into_boxed_slice(),
            room_length,
            arrivals: 0,
            occupied: 0,
        }
    }

    pub(crate) const fn len(&self) -> usize {
        self.occupied
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
        let free = self.rooms.iter().position(Option::is_none);
        let index = free.or_else(|| self.oldest(|_| true));
        let Some(index) = index.filter(|_| packet.len() <= self.room_length) else { return false };
        if let Some(oldest) = self.rooms[index].take() {
            self.occupied -= 1;
            overflow(oldest.frame);
        }
        let start = index * self.room_length;
        self.bytes[start..start + packet.len()].copy_from_slice(packet);
        self.arrivals += 1;
        self.occupied += 1;
        let (number, length) = (self.arrivals, packet.len());
        self.rooms[index] = Some(Room { key, came: now, number, frame, length });
        true
    }

    /// The oldest packet of that datagram with the length of its frame; it leaves its room.
    pub(crate) fn pop(&mut self, key: &Key) -> Option<(usize, &[u8])> {
        if self.occupied == 0 {
            return None;
        }
        let index = self.oldest(|room| room.key == *key)?;
        let room = self.rooms[index].take()?;
        self.occupied -= 1;
        let start = index * self.room_length;
        Some((room.frame, &self.bytes[start..start + room.length]))
    }

    /// Lets one packet go that has waited for too long; tells the length of its frame.
    pub(crate) fn give_up(&mut self, now: Instant) -> Option<usize> {
        let index = self.oldest(|room| room.came.after(WAITING_TIME) <= now)?;
        let room = self.rooms[index].take()?;
        self.occupied -= 1;
        Some(room.frame)
    }

    /// When [`Self::give_up`] next has something.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        if self.occupied == 0 {
            return None;
        }
        self.rooms.iter().flatten().map(|room| room.came.after(WAITING_TIME)).min()
    }

    fn oldest(&self, which: impl Fn(&Room) -> bool) -> Option<usize> {
        let numbered = self.rooms.iter().enumerate().filter_map(|(index, room)| {
            let room = room.as_ref().filter(|room| which(room))?;
            Some((room.number, index))
        });
        numbered.min().map(|(_, index)| index)
    }
}

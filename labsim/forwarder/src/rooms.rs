//! Packets that wait for something: a fixed number of rooms, made once.

use labsim_wire::EmitError;

/// Rooms for packets, each with what is known of it (`T`). None at all by default.
#[derive(Debug)]
pub(crate) struct Rooms<T> {
    rooms: Box<[Option<Room<T>>]>,
    bytes: Box<[u8]>,
    room_length: usize,
    arrivals: u64,
    occupied: usize,
}

#[derive(Debug)]
struct Room<T> {
    what: T,
    length: usize,
    /// Order of arrival.
    number: u64,
}

impl<T> Default for Rooms<T> {
    fn default() -> Self {
        Self::new(0, 0)
    }
}

impl<T> Rooms<T> {
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

    /// How many packets wait.
    pub(crate) const fn len(&self) -> usize {
        self.occupied
    }

    /// Whether a packet is not too long.
    pub(crate) const fn takes(&self, length: usize) -> bool {
        length <= self.room_length
    }

    /// What is known of those that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rooms.iter().flatten().map(|room| &room.what)
    }

    /// A room that is free.
    pub(crate) fn free(&self) -> Option<usize> {
        self.rooms.iter().position(Option::is_none)
    }

    /// The room of the oldest of those.
    pub(crate) fn oldest(&self, which: impl Fn(&T) -> bool) -> Option<usize> {
        if self.occupied == 0 {
            return None;
        }
        let numbered = self.rooms.iter().enumerate().filter_map(|(index, room)| {
            let room = room.as_ref().filter(|room| which(&room.what))?;
            Some((room.number, index))
        });
        numbered.min().map(|(_, index)| index)
    }

    /// Puts a packet of `length` bytes, which is not too long, into a room that is free. Returns
    /// whether it could be written.
    pub(crate) fn put(
        &mut self,
        index: usize,
        what: T,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        let start = index * self.room_length;
        if fill(&mut self.bytes[start..start + length]).is_err() {
            return false;
        }
        self.arrivals += 1;
        self.occupied += 1;
        self.rooms[index] = Some(Room { what, length, number: self.arrivals });
        true
    }

    /// The packet in a room, which is free then.
    pub(crate) fn take(&mut self, index: usize) -> Option<(T, &[u8])> {
        let Room { what, length, .. } = self.rooms[index].take()?;
        self.occupied -= 1;
        let start = index * self.room_length;
        Some((what, &self.bytes[start..start + length]))
    }
}

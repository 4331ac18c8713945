//! Packets that wait for a neighbour's answer: a fixed number of rooms, made once.

use super::{NeighbourId, WAITING_PER_NEIGHBOUR};
use labsim_wire::EmitError;

/// What a waiting packet is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// A packet that came in, ready but for its encapsulation.
    Passing {
        /// Why it goes on.
        purpose: Purpose,
        /// Length of the frame that it came in, for its outcome's counter.
        frame: usize,
    },
    /// A packet of the forwarder's own.
    Answer(AnswerKind),
}

/// Why a packet goes on, and to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// A client's packet, for its flow's member, by the member's index.
    Request {
        /// Index of the member.
        member: u16,
    },
    /// A member's answer, for the flow's client.
    Reply,
    /// An ICMP error about a flow.
    Error {
        /// Index of the member that it is for; `None` if it is for the client.
        member: Option<u16>,
    },
    /// A monitor's packet, for a member.
    Probe {
        /// Index of the member.
        member: u16,
    },
}

/// What the forwarder says in its own name, for its counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerKind {
    EchoReply,
    TimeExceeded,
    FragmentationNeeded,
    PacketTooBig,
    HostUnreachable,
    PortUnreachable,
    Reset,
}

#[derive(Debug)]
struct Room {
    neighbour: NeighbourId,
    what: Waiting,
    length: usize,
    /// Order of arrival.
    number: u64,
}

#[derive(Debug)]
pub(crate) struct WaitingQueue {
    rooms: Vec<Option<Room>>,
    bytes: Box<[u8]>,
    room_length: usize,
    arrivals: u64,
    occupied: usize,
}

impl WaitingQueue {
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

    pub(crate) fn len(&self) -> usize {
        self.occupied
    }

    /// Has a packet of `length` bytes wait for `neighbour`. Where the neighbour's share or all
    /// rooms are taken, its own oldest packet gives its place and is told to `overflow`. Returns
    /// whether the packet waits: it cannot if all rooms are others', or if it is too long.
    pub(crate) fn push(
        &mut self,
        neighbour: NeighbourId,
        what: Waiting,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        overflow: impl FnOnce(Waiting),
    ) -> bool {
        let share = self.rooms.iter().flatten().filter(|room| room.neighbour == neighbour).count();
        let free = self.rooms.iter().position(Option::is_none);
        let index = match free {
            _ if length > self.room_length => None,
            Some(index) if share < WAITING_PER_NEIGHBOUR => Some(index),
            _ => self.oldest(neighbour),
        };
        let Some(index) = index else { return false };
        if let Some(oldest) = self.rooms[index].take() {
            self.occupied -= 1;
            overflow(oldest.what);
        }
        let start = index * self.room_length;
        if fill(&mut self.bytes[start..start + length]).is_err() {
            return false;
        }
        self.arrivals += 1;
        self.occupied += 1;
        self.rooms[index] = Some(Room { neighbour, what, length, number: self.arrivals });
        true
    }

    /// The oldest packet for `neighbour`, which leaves its room.
    pub(crate) fn pop(&mut self, neighbour: NeighbourId) -> Option<(Waiting, &[u8])> {
        let index = self.oldest(neighbour)?;
        let room = self.rooms[index].take()?;
        self.occupied -= 1;
        let start = index * self.room_length;
        Some((room.what, &self.bytes[start..start + room.length]))
    }

    fn oldest(&self, neighbour: NeighbourId) -> Option<usize> {
        let numbered = self.rooms.iter().enumerate().filter_map(|(index, room)| {
            let room = room.as_ref()?;
            (room.neighbour == neighbour).then_some((room.number, index))
        });
        numbered.min().map(|(_, index)| index)
    }
}

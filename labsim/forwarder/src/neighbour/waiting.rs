//! Packets that wait for a neighbour's answer.

use super::{NeighbourId, WAITING_PER_NEIGHBOUR};
use crate::rooms::Rooms;
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

/// What waits, and for whom.
#[derive(Debug)]
pub(crate) struct WaitingQueue(Rooms<(NeighbourId, Waiting)>);

impl WaitingQueue {
    /// `rooms` packets of up to `room_length` bytes.
    pub(crate) fn new(rooms: usize, room_length: usize) -> Self {
        Self(Rooms::new(rooms, room_length))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
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
        let Self(rooms) = self;
        let share = rooms.iter().filter(|(whose, _)| *whose == neighbour).count();
        let index = match rooms.free() {
            _ if !rooms.takes(length) => None,
            Some(index) if share < WAITING_PER_NEIGHBOUR => Some(index),
            _ => rooms.oldest(|(whose, _)| *whose == neighbour),
        };
        let Some(index) = index else { return false };
        if let Some(((_, oldest), _)) = rooms.take(index) {
            overflow(oldest);
        }
        rooms.put(index, (neighbour, what), length, fill)
    }

    /// The oldest packet for `neighbour`, which leaves its room.
    pub(crate) fn pop(&mut self, neighbour: NeighbourId) -> Option<(Waiting, &[u8])> {
        let index = self.0.oldest(|(whose, _)| *whose == neighbour)?;
        let ((_, what), packet) = self.0.take(index)?;
        Some((what, packet))
    }
}

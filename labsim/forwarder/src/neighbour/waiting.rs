//! Packets that wait for a neighbour's answer.

use super::{NeighbourId, WAITING_PER_NEIGHBOUR};
use crate::packet_slots::PacketSlots;
use labsim_wire::EmitError;

/// A packet in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum QueuedPacket {
    /// A packet that came in, ready but for its encapsulation.
    Forwarded {
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

/// Packets of the forwarder's own, by counter.
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

/// Queued packets by neighbour.
#[derive(Debug)]
pub(crate) struct WaitingQueue(PacketSlots<(NeighbourId, QueuedPacket)>);

impl WaitingQueue {
    /// `slots` packets of up to `slot_length` bytes.
    pub(crate) fn new(slots: usize, slot_length: usize) -> Self {
        Self(PacketSlots::new(slots, slot_length))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Has a packet of `length` bytes wait for `neighbour`. Where the neighbour's share or all
    /// slots are taken, its own oldest packet gives its place and goes to `overflow`. Returns
    /// whether the packet waits: it cannot if all slots are others', or if it is too long.
    pub(crate) fn push(
        &mut self,
        neighbour: NeighbourId,
        what: QueuedPacket,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        overflow: impl FnOnce(QueuedPacket),
    ) -> bool {
        let Self(slots) = self;
        let share = slots.iter().filter(|(whose, _)| *whose == neighbour).count();
        let index = match slots.free() {
            _ if !slots.fits(length) => None,
            Some(index) if share < WAITING_PER_NEIGHBOUR => Some(index),
            _ => slots.oldest(|(whose, _)| *whose == neighbour),
        };
        let Some(index) = index else { return false };
        if let Some(((_, oldest), _)) = slots.take(index) {
            overflow(oldest);
        }
        slots.put(index, (neighbour, what), length, fill)
    }

    /// The oldest packet for `neighbour`, which leaves its slot.
    pub(crate) fn pop(&mut self, neighbour: NeighbourId) -> Option<(QueuedPacket, &[u8])> {
        let index = self.0.oldest(|(whose, _)| *whose == neighbour)?;
        let ((_, what), packet) = self.0.take(index)?;
        Some((what, packet))
    }
}

//! A packet of TCP or UDP whose headers were read.

use super::ip::Ip;
use crate::flow::Key;
use labsim_wire::checksum::ChecksumState;
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{protocol, udp};
use std::net::SocketAddr;

/// A packet on its way, with the header that its protocol has.
pub(super) struct Packet<'a, I> {
    pub(super) ip: I,
    pub(super) transport: Transport<'a>,
    /// Length of the frame that it came in.
    pub(super) frame: usize,
    /// The identification that a fragment gets if an address is translated.
    pub(super) id: Option<u16>,
}

pub(super) enum Transport<'a> {
    Tcp(tcp::View<'a>),
    Udp(udp::View<'a>),
    /// Ports and protocol of a later fragment, as its first had them.
    NonFirstFragment {
        source: u16,
        destination: u16,
        protocol: u8,
    },
}

impl<'a, I: Ip<'a>> Packet<'_, I> {
    /// Source and destination.
    #[inline]
    pub(super) fn ports(&self) -> (u16, u16) {
        match &self.transport {
            Transport::Tcp(segment) => (segment.source_port(), segment.destination_port()),
            Transport::Udp(datagram) => (datagram.source_port(), datagram.destination_port()),
            Transport::NonFirstFragment { source, destination, .. } => (*source, *destination),
        }
    }

    /// Address and port that it was sent to.
    pub(super) fn destination(&self) -> SocketAddr {
        SocketAddr::new(self.ip.destination().into(), self.ports().1)
    }

    /// The transport's number.
    #[inline]
    pub(super) fn protocol(&self) -> u8 {
        match &self.transport {
            Transport::Tcp(_) => protocol::TCP,
            Transport::Udp(_) => protocol::UDP,
            Transport::NonFirstFragment { protocol, .. } => *protocol,
        }
    }

    /// What its flow is known by.
    #[inline]
    pub(super) fn key(&self) -> Key {
        let (from, to) = self.ports();
        let (source, destination) = (self.ip.source().into(), self.ip.destination().into());
        Key::new(source, destination, from, to, self.protocol())
    }

    /// Whether it is a fragment that is not the first.
    pub(super) const fn is_non_first_fragment(&self) -> bool {
        matches!(self.transport, Transport::NonFirstFragment { .. })
    }

    /// TCP's control bits; none for UDP and for later fragments.
    #[inline]
    pub(super) fn flags(&self) -> Flags {
        match &self.transport {
            Transport::Tcp(segment) => segment.flags(),
            Transport::Udp(_) | Transport::NonFirstFragment { .. } => Flags(0),
        }
    }

    /// Whether a connection begins here.
    #[inline]
    pub(super) fn is_syn(&self) -> bool {
        self.flags().contains(Flags::SYN) && !self.flags().contains(Flags::ACK)
    }

    /// A TCP header's sender's next sequence number, and the receiver's if it acknowledges.
    #[inline]
    pub(super) fn numbers(&self) -> Option<(u32, Option<u32>)> {
        let Transport::Tcp(segment) = &self.transport else { return None };
        let flags = segment.flags();
        let acknowledged = flags.contains(Flags::ACK).then(|| segment.acknowledgement());
        Some((next_sequence(segment), acknowledged))
    }

    /// Whether the checksum is valid, so that the packet may be answered.
    pub(super) fn checksum_ok(&self) -> bool {
        let state = match &self.transport {
            Transport::Tcp(segment) => segment.checksum_state(&self.ip.addresses()),
            Transport::Udp(datagram) => datagram.checksum_state(&self.ip.addresses()),
            Transport::NonFirstFragment { .. } => ChecksumState::Unknown,
        };
        matches!(state, ChecksumState::Good | ChecksumState::Absent)
    }
}

/// What follows the segment's data and controls.
#[inline]
pub(super) fn next_sequence(segment: &tcp::View<'_>) -> u32 {
    let flags = segment.flags();
    let control = |flag| u32::from(flags.contains(flag));
    let data = segment.payload().len() as u32;
    segment.sequence().wrapping_add(data).wrapping_add(control(Flags::SYN) + control(Flags::FIN))
}

/// No sender begins and ends a connection in one segment.
#[inline]
pub(super) fn flags_make_sense(segment: &tcp::View<'_>) -> bool {
    let flags = segment.flags();
    let ends = flags.contains(Flags::FIN) || flags.contains(Flags::RST);
    !(flags.contains(Flags::SYN) && ends)
}

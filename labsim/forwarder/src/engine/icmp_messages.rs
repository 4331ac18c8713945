//! ICMP of both families in one form: received messages, and errors that the engine sends.

use crate::neighbour::AnswerKind;
use labsim_wire::ethernet::ethertype;
use labsim_wire::{icmpv4, icmpv6};

/// An ICMP error that the forwarder sends about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IcmpError {
    /// The TTL, or hop limit, has expired.
    TimeExceeded,
    /// Longer than `mtu`, and must not be fragmented.
    TooLong { mtu: usize },
    /// No route to the destination.
    NetworkUnreachable,
    /// The destination does not answer.
    HostUnreachable,
    /// The port is closed.
    PortUnreachable,
}

impl IcmpError {
    /// The answer that it counts as, about a packet of that ethertype.
    pub(super) const fn kind(self, about: u16) -> AnswerKind {
        match self {
            Self::TimeExceeded => AnswerKind::TimeExceeded,
            Self::TooLong { .. } if about == ethertype::IPV6 => AnswerKind::PacketTooBig,
            Self::TooLong { .. } => AnswerKind::FragmentationNeeded,
            Self::NetworkUnreachable | Self::HostUnreachable => AnswerKind::HostUnreachable,
            Self::PortUnreachable => AnswerKind::PortUnreachable,
        }
    }

    /// The ICMP message.
    pub(super) fn v4(self) -> icmpv4::Message {
        use icmpv4::{Message, unreachable};
        let unreachable = |code| Message::Unreachable { code };
        match self {
            Self::TimeExceeded => Message::TimeExceeded { code: 0 },
            Self::TooLong { mtu } => {
                Message::FragmentationNeeded { mtu: u16::try_from(mtu).unwrap_or(u16::MAX) }
            }
            Self::NetworkUnreachable => unreachable(unreachable::NETWORK),
            Self::HostUnreachable => unreachable(unreachable::HOST),
            Self::PortUnreachable => unreachable(unreachable::PORT),
        }
    }

    /// The ICMPv6 message.
    pub(super) fn v6(self) -> icmpv6::Message {
        use icmpv6::{Message, unreachable};
        let unreachable = |code| Message::Unreachable { code };
        match self {
            Self::TimeExceeded => Message::TimeExceeded { code: 0 },
            Self::TooLong { mtu } => {
                Message::PacketTooBig { mtu: u32::try_from(mtu).unwrap_or(u32::MAX) }
            }
            Self::NetworkUnreachable => unreachable(unreachable::NO_ROUTE),
            Self::HostUnreachable => unreachable(unreachable::ADDRESS),
            Self::PortUnreachable => unreachable(unreachable::PORT),
        }
    }
}

/// An ICMP message to the forwarder.
#[derive(Debug, Clone, Copy)]
pub(super) enum IcmpInput<'a> {
    /// Too short, or its checksum is wrong.
    Malformed,
    /// An echo request.
    Echo { id: u16, sequence: u16, data: &'a [u8] },
    /// An error that an end of a flow can use.
    Error {
        /// The packet that it is about.
        quoted: &'a [u8],
        action: TunnelErrorAction,
    },
    /// An error that is ignored: source quench is deprecated (RFC 6633), and a redirect concerns
    /// the receiving host.
    Unusable,
    /// Anything else.
    Other,
}

/// What to do about an error that concerns a tunnel packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TunnelErrorAction {
    /// Remember the path MTU.
    LearnPmtu { mtu: usize },
    /// Send this error to the client (RFC 2003 4.1 and 4.4, RFC 2473 8.2 and 8.3).
    NotifyClient(IcmpError),
    /// Ignore it: errors about the outer header alone do not concern the client.
    Ignore,
}

impl<'a> IcmpInput<'a> {
    /// Parses the ICMP message of an IPv4 packet.
    pub(super) fn v4(payload: &'a [u8]) -> Self {
        use icmpv4::{Message, View, kind};
        let Ok(message) = View::new(payload) else { return Self::Malformed };
        if !message.checksum_ok() {
            return Self::Malformed;
        }
        match (message.quoted(), Message::parse(&message)) {
            (Some(quoted), _) => match message.kind() {
                kind::UNREACHABLE | kind::TIME_EXCEEDED | kind::PARAMETER_PROBLEM => {
                    Self::Error { quoted, action: TunnelErrorAction::v4(&message) }
                }
                _ => Self::Unusable,
            },
            (None, Message::EchoRequest { id, sequence }) => {
                Self::Echo { id, sequence, data: message.data() }
            }
            (None, _) => Self::Other,
        }
    }

    /// Parses the ICMPv6 message of an IPv6 packet; `checksum_ok` checks it with the addresses.
    pub(super) fn v6(
        payload: &'a [u8],
        checksum_ok: impl FnOnce(&icmpv6::View<'a>) -> bool,
    ) -> Self {
        use icmpv6::{Message, View, kind};
        let Ok(message) = View::new(payload) else { return Self::Malformed };
        if !checksum_ok(&message) {
            return Self::Malformed;
        }
        match (message.quoted(), Message::parse(&message)) {
            (Some(quoted), _) => match message.kind() {
                kind::UNREACHABLE
                | kind::PACKET_TOO_BIG
                | kind::TIME_EXCEEDED
                | kind::PARAMETER_PROBLEM => {
                    Self::Error { quoted, action: TunnelErrorAction::v6(&message) }
                }
                _ => Self::Unusable,
            },
            (None, Message::EchoRequest { id, sequence }) => {
                Self::Echo { id, sequence, data: message.data() }
            }
            (None, _) => Self::Other,
        }
    }
}

impl TunnelErrorAction {
    fn v4(message: &icmpv4::View<'_>) -> Self {
        use icmpv4::{kind, unreachable};
        const SOURCE_ROUTE_FAILED: u8 = 5;
        if let Some(mtu) = message.mtu() {
            return Self::LearnPmtu { mtu: mtu.into() };
        }
        match (message.kind(), message.code()) {
            (kind::UNREACHABLE, unreachable::PORT | SOURCE_ROUTE_FAILED) => Self::Ignore,
            (kind::UNREACHABLE, unreachable::NETWORK) => {
                Self::NotifyClient(IcmpError::NetworkUnreachable)
            }
            (kind::UNREACHABLE | kind::TIME_EXCEEDED, _) => {
                Self::NotifyClient(IcmpError::HostUnreachable)
            }
            _ => Self::Ignore,
        }
    }

    /// A host without a decapsulator knows no such next header, where IPv4's knows no such
    /// protocol.
    fn v6(message: &icmpv6::View<'_>) -> Self {
        use icmpv6::{UNKNOWN_NEXT_HEADER, kind, unreachable};
        if let Some(mtu) = message.mtu() {
            return Self::LearnPmtu { mtu: mtu as usize };
        }
        match (message.kind(), message.code()) {
            (kind::UNREACHABLE, unreachable::PORT) => Self::Ignore,
            (kind::UNREACHABLE, unreachable::NO_ROUTE) => {
                Self::NotifyClient(IcmpError::NetworkUnreachable)
            }
            (kind::UNREACHABLE | kind::TIME_EXCEEDED, _)
            | (kind::PARAMETER_PROBLEM, UNKNOWN_NEXT_HEADER) => {
                Self::NotifyClient(IcmpError::HostUnreachable)
            }
            _ => Self::Ignore,
        }
    }
}

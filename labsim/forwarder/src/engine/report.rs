//! ICMP in the engine's words, the same for both families: what it hears, and what it says.

use crate::neighbour::AnswerKind;
use labsim_wire::ethernet::ethertype;
use labsim_wire::{icmpv4, icmpv6};

/// What an ICMP error of the forwarder's says about a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Report {
    /// Its TTL, or hop limit, ends here.
    TimeExceeded,
    /// Longer than that, and not to be cut.
    TooLong { mtu: usize },
    /// There is no way to the network of whom it is for.
    NetworkUnreachable,
    /// Whom it is for does not answer.
    HostUnreachable,
    /// Nobody listens there.
    PortUnreachable,
}

impl Report {
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

    /// As ICMP says it.
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

    /// As ICMPv6 says it.
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
pub(super) enum Heard<'a> {
    /// Too short, or its checksum is wrong.
    Malformed,
    /// An echo is asked for.
    Echo { id: u16, sequence: u16, data: &'a [u8] },
    /// An error that an end of a flow can use.
    Error {
        /// The packet that it is about.
        quoted: &'a [u8],
        meaning: Meaning,
    },
    /// An error that nobody can use: source quench is history (RFC 6633), and a redirect is for the
    /// host that it is sent to.
    Useless,
    /// Anything else.
    Other,
}

/// What an error means if it is about a tunnel packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The way takes no more than that.
    Narrow { mtu: usize },
    /// This, to the client (RFC 2003 4.1 and 4.4, RFC 2473 8.2 and 8.3).
    ToClient(Report),
    /// Nothing: what is about the outer header alone is no business of the client's.
    Nothing,
}

impl<'a> Heard<'a> {
    /// What an IPv4 packet carries.
    pub(super) fn v4(payload: &'a [u8]) -> Self {
        use icmpv4::{Message, View, kind};
        let Ok(message) = View::new(payload) else { return Self::Malformed };
        if !message.checksum_ok() {
            return Self::Malformed;
        }
        match (message.quoted(), Message::parse(&message)) {
            (Some(quoted), _) => match message.kind() {
                kind::UNREACHABLE | kind::TIME_EXCEEDED | kind::PARAMETER_PROBLEM => {
                    Self::Error { quoted, meaning: Meaning::v4(&message) }
                }
                _ => Self::Useless,
            },
            (None, Message::EchoRequest { id, sequence }) => {
                Self::Echo { id, sequence, data: message.data() }
            }
            (None, _) => Self::Other,
        }
    }

    /// What an IPv6 packet carries; `checksum_ok` judges it with the addresses.
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
                | kind::PARAMETER_PROBLEM => Self::Error { quoted, meaning: Meaning::v6(&message) },
                _ => Self::Useless,
            },
            (None, Message::EchoRequest { id, sequence }) => {
                Self::Echo { id, sequence, data: message.data() }
            }
            (None, _) => Self::Other,
        }
    }
}

impl Meaning {
    fn v4(message: &icmpv4::View<'_>) -> Self {
        use icmpv4::{kind, unreachable};
        const SOURCE_ROUTE_FAILED: u8 = 5;
        if let Some(mtu) = message.mtu() {
            return Self::Narrow { mtu: mtu.into() };
        }
        match (message.kind(), message.code()) {
            (kind::UNREACHABLE, unreachable::PORT | SOURCE_ROUTE_FAILED) => Self::Nothing,
            (kind::UNREACHABLE, unreachable::NETWORK) => Self::ToClient(Report::NetworkUnreachable),
            (kind::UNREACHABLE | kind::TIME_EXCEEDED, _) => Self::ToClient(Report::HostUnreachable),
            _ => Self::Nothing,
        }
    }

    /// A host without a decapsulator knows no such next header, where IPv4's knows no such protocol.
    fn v6(message: &icmpv6::View<'_>) -> Self {
        use icmpv6::{UNKNOWN_NEXT_HEADER, kind, unreachable};
        if let Some(mtu) = message.mtu() {
            return Self::Narrow { mtu: mtu as usize };
        }
        match (message.kind(), message.code()) {
            (kind::UNREACHABLE, unreachable::PORT) => Self::Nothing,
            (kind::UNREACHABLE, unreachable::NO_ROUTE) => {
                Self::ToClient(Report::NetworkUnreachable)
            }
            (kind::UNREACHABLE | kind::TIME_EXCEEDED, _)
            | (kind::PARAMETER_PROBLEM, UNKNOWN_NEXT_HEADER) => {
                Self::ToClient(Report::HostUnreachable)
            }
            _ => Self::Nothing,
        }
    }
}

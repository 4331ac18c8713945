//! ICMP for IPv6 (RFC 4443), and neighbour discovery's question and answer (RFC 4861).

mod report;

pub use report::{Error, may_answer};

use crate::bytes::{array, be16, be32, put, v6};
use crate::checksum::AddressPair;
use crate::error::{enough, room};
use crate::ethernet::Mac;
use crate::{EmitError, Layer, Malformed, protocol};
use std::net::Ipv6Addr;

mod field {
    pub(super) const TYPE: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const CHECKSUM: usize = 2;
    pub(super) const REST: usize = 4;
    pub(super) const DATA: usize = 8;
    pub(super) const TARGET: usize = 8;
    pub(super) const OPTIONS: usize = 24;
}

/// The header's length in bytes.
pub const HEADER_LEN: usize = field::DATA;

/// An error's whole packet is no longer than the least MTU (RFC 4443, 2.4 c).
pub const MAX_ERROR_LEN: usize = 1280;

/// A neighbour message with its one link-layer address option, in bytes.
pub const NEIGHBOUR_LEN: usize = field::OPTIONS + 8;

/// Codes of [`kind::UNREACHABLE`].
pub mod unreachable {
    /// No route to the destination.
    pub const NO_ROUTE: u8 = 0;
    /// A filter forbids it.
    pub const PROHIBITED: u8 = 1;
    /// The host does not answer.
    pub const ADDRESS: u8 = 3;
    /// The port has no listener.
    pub const PORT: u8 = 4;
}

/// The code of [`kind::PARAMETER_PROBLEM`] for an unrecognized next header.
pub const UNKNOWN_NEXT_HEADER: u8 = 1;

/// Message types.
pub mod kind {
    /// The packet cannot be delivered.
    pub const UNREACHABLE: u8 = 1;
    /// The next link's MTU is smaller.
    pub const PACKET_TOO_BIG: u8 = 2;
    /// The hop limit ran out, or a fragment did not come in time.
    pub const TIME_EXCEEDED: u8 = 3;
    /// The header makes no sense.
    pub const PARAMETER_PROBLEM: u8 = 4;
    /// An echo is asked for.
    pub const ECHO_REQUEST: u8 = 128;
    /// Answer to an echo.
    pub const ECHO_REPLY: u8 = 129;
    /// Who has this address?
    pub const NEIGHBOUR_SOLICITATION: u8 = 135;
    /// It is mine.
    pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
}

/// A message whose header is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the length; neighbour messages have a target address too.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        enough(Layer::Icmpv6, bytes, HEADER_LEN)?;
        let view = Self { bytes };
        if view.is_neighbour() {
            enough(Layer::Icmpv6, bytes, field::OPTIONS)?;
        }
        Ok(view)
    }

    /// Whether it is a neighbour solicitation or advertisement.
    #[must_use]
    pub fn is_neighbour(&self) -> bool {
        matches!(self.kind(), kind::NEIGHBOUR_SOLICITATION | kind::NEIGHBOUR_ADVERTISEMENT)
    }

    /// The type; see [`kind`].
    #[must_use]
    pub fn kind(&self) -> u8 {
        self.bytes[field::TYPE]
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> u8 {
        self.bytes[field::CODE]
    }

    /// Whether the checksum is right; it covers the whole message and the pseudo-header.
    #[must_use]
    pub fn checksum_ok(&self, source: Ipv6Addr, destination: Ipv6Addr) -> bool {
        sum(self.bytes, source, destination) == 0
    }

    /// Bytes 4 to 7, which each type uses in its own way.
    #[must_use]
    pub fn rest(&self) -> [u8; 4] {
        array(self.bytes, field::REST)
    }

    /// Whether it reports a packet that it quotes: types below 128 (RFC 4443, 2.1).
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.kind() < 128
    }

    /// The MTU that a "packet too big" tells; `None` for any other message.
    #[must_use]
    pub fn mtu(&self) -> Option<u32> {
        (self.kind() == kind::PACKET_TOO_BIG).then(|| be32(self.bytes, field::REST))
    }

    /// What an error quotes: the beginning of the packet that it is about.
    #[must_use]
    pub fn quoted(&self) -> Option<&'a [u8]> {
        self.is_error().then_some(self.data())
    }

    /// The address that a neighbour message is about.
    #[must_use]
    pub fn target(&self) -> Option<Ipv6Addr> {
        self.is_neighbour().then(|| v6(self.bytes, field::TARGET))
    }

    /// The link-layer address option of a neighbour message: the sender's in a solicitation,
    /// the target's in an advertisement.
    #[must_use]
    pub fn link_address(&self) -> Option<Mac> {
        let wanted = match self.kind() {
            kind::NEIGHBOUR_SOLICITATION => 1,
            kind::NEIGHBOUR_ADVERTISEMENT => 2,
            _ => return None,
        };
        let found = self.neighbour_options().map_while(|option| option);
        let mut found = found.filter(|option| option[0] == wanted && option.len() == 8);
        found.next().map(|option| Mac(array(option, 2)))
    }

    /// Whether a neighbour message's options fill it to its end, none of them empty (RFC 4861,
    /// 4.6 and 7.1).
    #[must_use]
    pub fn neighbour_options_ok(&self) -> bool {
        self.is_neighbour() && self.neighbour_options().all(|option| option.is_some())
    }

    /// A neighbour message's options; `None` where they contradict their lengths.
    fn neighbour_options(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut rest = &self.bytes[field::OPTIONS..];
        std::iter::from_fn(move || {
            let (_, after) = rest.split_first()?;
            let length = after.first().map_or(0, |words| usize::from(*words) * 8);
            // A length of 0 is an error; `get` refuses one beyond the message.
            let option = rest.get(..length).filter(|option| !option.is_empty());
            rest = option.map_or(&[], |_| &rest[length..]);
            Some(option)
        })
    }

    /// What follows the header.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        &self.bytes[field::DATA..]
    }
}

fn sum(message: &[u8], source: Ipv6Addr, destination: Ipv6Addr) -> u16 {
    AddressPair::V6(source, destination)
        .pseudo_header(protocol::ICMPV6, message.len())
        .with(message)
        .finish()
}

/// A message's header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Message {
    /// An echo is asked for.
    EchoRequest {
        /// The asker's own number.
        id: u16,
        /// Counts the questions.
        sequence: u16,
    },
    /// Answer to an echo.
    EchoReply {
        /// As asked.
        id: u16,
        /// As asked.
        sequence: u16,
    },
    /// The packet cannot be delivered.
    Unreachable {
        /// See [`mod@unreachable`].
        code: u8,
    },
    /// The packet is larger than the next link's MTU.
    PacketTooBig {
        /// In bytes.
        mtu: u32,
    },
    /// The hop limit ran out (code 0), or a fragment did not come in time (1).
    TimeExceeded {
        /// 0 or 1.
        code: u8,
    },
    /// Who has `target`?
    NeighbourSolicitation {
        /// The address that is looked for.
        target: Ipv6Addr,
        /// The asker's own link-layer address.
        source: Option<Mac>,
    },
    /// `target` is here.
    NeighbourAdvertisement {
        /// The address.
        target: Ipv6Addr,
        /// Where it is.
        link: Option<Mac>,
        /// From a router.
        router: bool,
        /// An answer to a solicitation.
        solicited: bool,
        /// Replaces what was known before.
        override_known: bool,
    },
    /// Any other.
    Other {
        /// The type.
        kind: u8,
        /// The code.
        code: u8,
        /// Bytes 4 to 7.
        rest: [u8; 4],
    },
}

impl Message {
    /// Reads the header.
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        let (kind, code, rest) = (view.kind(), view.code(), view.rest());
        let (id, sequence) = (be16(&rest, 0), be16(&rest, 2));
        match (kind, code, view.target()) {
            (kind::ECHO_REQUEST, 0, _) => Self::EchoRequest { id, sequence },
            (kind::ECHO_REPLY, 0, _) => Self::EchoReply { id, sequence },
            (kind::UNREACHABLE, code, _) if rest == [0; 4] => Self::Unreachable { code },
            (kind::PACKET_TOO_BIG, 0, _) => Self::PacketTooBig { mtu: be32(&rest, 0) },
            (kind::TIME_EXCEEDED, code, _) if rest == [0; 4] => Self::TimeExceeded { code },
            (kind::NEIGHBOUR_SOLICITATION, 0, Some(target)) => {
                Self::NeighbourSolicitation { target, source: view.link_address() }
            }
            (kind::NEIGHBOUR_ADVERTISEMENT, 0, Some(target)) => Self::NeighbourAdvertisement {
                target,
                link: view.link_address(),
                router: rest[0] & 0x80 != 0,
                solicited: rest[0] & 0x40 != 0,
                override_known: rest[0] & 0x20 != 0,
            },
            _ => Self::Other { kind, code, rest },
        }
    }

    /// Bytes of the header that [`Self::emit`] writes; neighbour messages with target and option.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::NeighbourSolicitation { source: link, .. }
            | Self::NeighbourAdvertisement { link, .. } => {
                if link.is_some() {
                    NEIGHBOUR_LEN
                } else {
                    field::OPTIONS
                }
            }
            _ => HEADER_LEN,
        }
    }

    /// Writes the header to the beginning of `message`, whose rest is the data already: the
    /// checksum covers both, and the addresses.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    pub fn emit(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
        message: &mut [u8],
    ) -> Result<(), EmitError> {
        room(Layer::Icmpv6, message, self.length())?;
        let pair = |a: u16, b: u16| (u32::from(a) << 16) | u32::from(b);
        let bit = |set: bool, at: u32| u32::from(set) << at;
        let (kind, code, rest) = match *self {
            Self::EchoRequest { id, sequence } => (kind::ECHO_REQUEST, 0, pair(id, sequence)),
            Self::EchoReply { id, sequence } => (kind::ECHO_REPLY, 0, pair(id, sequence)),
            Self::Unreachable { code } => (kind::UNREACHABLE, code, 0),
            Self::PacketTooBig { mtu } => (kind::PACKET_TOO_BIG, 0, mtu),
            Self::TimeExceeded { code } => (kind::TIME_EXCEEDED, code, 0),
            Self::NeighbourSolicitation { target, source } => {
                neighbour(message, target, 1, source);
                (kind::NEIGHBOUR_SOLICITATION, 0, 0)
            }
            Self::NeighbourAdvertisement { target, link, router, solicited, override_known } => {
                neighbour(message, target, 2, link);
                let flags = bit(router, 31) | bit(solicited, 30) | bit(override_known, 29);
                (kind::NEIGHBOUR_ADVERTISEMENT, 0, flags)
            }
            Self::Other { kind, code, rest } => (kind, code, u32::from_be_bytes(rest)),
        };
        message[field::TYPE] = kind;
        message[field::CODE] = code;
        put(message, field::CHECKSUM, &[0, 0]);
        put(message, field::REST, &rest.to_be_bytes());
        let sum = sum(message, source, destination);
        put(message, field::CHECKSUM, &sum.to_be_bytes());
        Ok(())
    }
}

fn neighbour(message: &mut [u8], target: Ipv6Addr, option: u8, link: Option<Mac>) {
    put(message, field::TARGET, &target.octets());
    if let Some(mac) = link {
        put(message, field::OPTIONS, &[option, 1]);
        put(message, field::OPTIONS + 2, &mac.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
    const B: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);

    #[test]
    fn a_neighbour_option_of_length_zero_ends_the_search() {
        let message = Message::NeighbourSolicitation { target: B, source: Some(Mac([2; 6])) };
        let mut bytes = [0; NEIGHBOUR_LEN];
        message.emit(A, B, &mut bytes).unwrap();
        let view = View::new(&bytes).unwrap();
        assert!(view.checksum_ok(A, B));
        assert_eq!(Message::parse(&view), message);
        assert!(view.neighbour_options_ok());
        assert!(View::new(&bytes[..24]).unwrap().neighbour_options_ok());
        assert!(!View::new(&bytes[..25]).unwrap().neighbour_options_ok());
        for length in [0, 2] {
            bytes[25] = length;
            let view = View::new(&bytes).unwrap();
            assert_eq!((view.link_address(), view.neighbour_options_ok()), (None, false));
        }
    }
}

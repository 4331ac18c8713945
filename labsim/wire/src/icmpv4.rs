//! ICMP for IPv4 (RFC 792): messages, and errors that quote as RFC 1812 wants it.

use crate::bytes::{array, be16, put};
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed, checksum, ipv4, protocol};
use std::net::Ipv4Addr;

mod field {
    pub(super) const TYPE: usize = 0;
    pub(super) const CODE: usize = 1;
    pub(super) const CHECKSUM: usize = 2;
    pub(super) const REST: usize = 4;
    pub(super) const DATA: usize = 8;
}

/// The header's length in bytes.
pub const HEADER_LEN: usize = field::DATA;

/// An error's whole packet is no longer (RFC 1812, 4.3.2.3).
pub const MAX_ERROR_LEN: usize = 576;

/// Message types.
pub mod kind {
    /// Answer to an echo.
    pub const ECHO_REPLY: u8 = 0;
    /// The packet cannot be delivered.
    pub const UNREACHABLE: u8 = 3;
    /// An echo is asked for.
    pub const ECHO_REQUEST: u8 = 8;
    /// The TTL ran out, or a fragment did not come in time.
    pub const TIME_EXCEEDED: u8 = 11;
    /// The header makes no sense.
    pub const PARAMETER_PROBLEM: u8 = 12;
}

/// Codes of [`kind::UNREACHABLE`].
pub mod unreachable {
    /// No route to the network.
    pub const NETWORK: u8 = 0;
    /// The host does not answer.
    pub const HOST: u8 = 1;
    /// The host knows no such protocol.
    pub const PROTOCOL: u8 = 2;
    /// The port has no listener.
    pub const PORT: u8 = 3;
    /// The packet is too big and may not be fragmented; the message tells the MTU (RFC 1191).
    pub const FRAGMENTATION_NEEDED: u8 = 4;
    /// Forbidden by configuration (RFC 1812).
    pub const PROHIBITED: u8 = 13;
}

/// A message whose header is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks the length.
    ///
    /// # Errors
    /// [`Malformed::Truncated`].
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        enough(Layer::Icmpv4, bytes, HEADER_LEN)?;
        Ok(Self { bytes })
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

    /// Whether the checksum is right; it covers the whole message.
    #[must_use]
    pub fn checksum_ok(&self) -> bool {
        checksum::of(self.bytes) == 0
    }

    /// Bytes 4 to 7, which each type uses in its own way.
    #[must_use]
    pub fn rest(&self) -> [u8; 4] {
        array(self.bytes, field::REST)
    }

    /// Whether it reports a packet that it quotes.
    #[must_use]
    pub fn is_error(&self) -> bool {
        is_error(self.kind())
    }

    /// The MTU that a "fragmentation needed" tells; `None` for any other message.
    #[must_use]
    pub fn mtu(&self) -> Option<u16> {
        let needed =
            self.kind() == kind::UNREACHABLE && self.code() == unreachable::FRAGMENTATION_NEEDED;
        needed.then(|| be16(self.bytes, field::REST + 2))
    }

    /// What an error quotes: the beginning of the packet that it is about.
    #[must_use]
    pub fn quoted(&self) -> Option<&'a [u8]> {
        self.is_error().then_some(self.data())
    }

    /// What follows the header.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        &self.bytes[field::DATA..]
    }
}

/// Types 3, 4, 5, 11 and 12 are errors, the rest asks or answers (RFC 1122, 3.2.2).
fn is_error(kind: u8) -> bool {
    matches!(kind, 3 | 4 | 5 | 11 | 12)
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
        /// See [`mod@unreachable`]; not 4.
        code: u8,
    },
    /// Unreachable, code 4 (RFC 1191).
    FragmentationNeeded {
        /// The next link's, in bytes.
        mtu: u16,
    },
    /// The TTL ran out (code 0), or a fragment did not come in time (1).
    TimeExceeded {
        /// 0 or 1.
        code: u8,
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
    /// Reads the header. What has bytes in places that its type leaves unused is
    /// [`Self::Other`], so that nothing is lost.
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        let (kind, code, rest) = (view.kind(), view.code(), view.rest());
        let pair = |rest: [u8; 4]| (be16(&rest, 0), be16(&rest, 2));
        let (id, sequence) = pair(rest);
        match (kind, code) {
            (kind::ECHO_REQUEST, 0) => Self::EchoRequest { id, sequence },
            (kind::ECHO_REPLY, 0) => Self::EchoReply { id, sequence },
            (kind::UNREACHABLE, unreachable::FRAGMENTATION_NEEDED) if id == 0 => {
                Self::FragmentationNeeded { mtu: sequence }
            }
            (kind::UNREACHABLE, code)
                if rest == [0; 4] && code != unreachable::FRAGMENTATION_NEEDED =>
            {
                Self::Unreachable { code }
            }
            (kind::TIME_EXCEEDED, code) if rest == [0; 4] => Self::TimeExceeded { code },
            _ => Self::Other { kind, code, rest },
        }
    }

    /// Type, code and bytes 4 to 7.
    fn fields(&self) -> (u8, u8, [u8; 4]) {
        let pair = |a: u16, b: u16| {
            let mut rest = [0; 4];
            put(&mut rest, 0, &a.to_be_bytes());
            put(&mut rest, 2, &b.to_be_bytes());
            rest
        };
        match *self {
            Self::EchoRequest { id, sequence } => (kind::ECHO_REQUEST, 0, pair(id, sequence)),
            Self::EchoReply { id, sequence } => (kind::ECHO_REPLY, 0, pair(id, sequence)),
            Self::Unreachable { code } => (kind::UNREACHABLE, code, [0; 4]),
            Self::FragmentationNeeded { mtu } => {
                (kind::UNREACHABLE, unreachable::FRAGMENTATION_NEEDED, pair(0, mtu))
            }
            Self::TimeExceeded { code } => (kind::TIME_EXCEEDED, code, [0; 4]),
            Self::Other { kind, code, rest } => (kind, code, rest),
        }
    }

    /// Bytes of the header that [`Self::emit`] writes.
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header to the beginning of `message`, whose rest is the data already: the
    /// checksum covers both.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    pub fn emit(&self, message: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Icmpv4, message, HEADER_LEN)?;
        let (kind, code, rest) = self.fields();
        message[field::TYPE] = kind;
        message[field::CODE] = code;
        put(message, field::CHECKSUM, &[0, 0]);
        put(message, field::REST, &rest);
        let sum = checksum::of(message);
        put(message, field::CHECKSUM, &sum.to_be_bytes());
        Ok(())
    }
}

/// Whether a router or host may answer `packet` with an ICMP error at all (RFC 1122, 3.2.2;
/// RFC 1812, 4.3.2.7): not an ICMP error, not a later fragment, not to or from a group of
/// hosts. That the frame itself was no link-layer broadcast is for the caller to know.
#[must_use]
pub fn may_answer(packet: &ipv4::View<'_>) -> bool {
    let (source, destination) = (packet.source(), packet.destination());
    let one_host = !source.is_unspecified()
        && !source.is_loopback()
        && !source.is_broadcast()
        && !source.is_multicast()
        && source.octets()[0] < 240;
    let to_one = !destination.is_broadcast() && !destination.is_multicast();
    let about_error = packet.protocol() == protocol::ICMP
        && packet.payload().first().is_none_or(|k| is_error(*k));
    one_host && to_one && packet.fragment_offset() == 0 && !about_error
}

/// An ICMP error as a whole packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Error {
    /// Who reports.
    pub source: Ipv4Addr,
    /// Who sent the packet that it is about.
    pub destination: Ipv4Addr,
    /// How many hops it may take.
    pub ttl: u8,
    /// The identification.
    pub id: u16,
    /// What is wrong: one of the messages that quote.
    pub message: Message,
}

impl Error {
    /// The packet's length in bytes when it quotes `original`: as much of it as fits into
    /// [`MAX_ERROR_LEN`].
    #[must_use]
    pub fn length(&self, original: &[u8]) -> usize {
        (ipv4::MIN_HEADER_LEN + HEADER_LEN + original.len()).min(MAX_ERROR_LEN)
    }

    /// Writes IP header, ICMP header and the quoted beginning of `original` to `out`; returns
    /// the packet's length. TOS is internetwork control (RFC 1812, 4.3.2.5: precedence 6).
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    pub fn emit(&self, original: &[u8], out: &mut [u8]) -> Result<usize, EmitError> {
        let length = self.length(original);
        room(Layer::Icmpv4, out, length)?;
        let payload_length = length - ipv4::MIN_HEADER_LEN;
        let header = ipv4::Header {
            source: self.source,
            destination: self.destination,
            protocol: protocol::ICMP,
            ttl: self.ttl,
            tos: 0xc0,
            id: self.id,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length,
        };
        header.emit(out)?;
        let message = &mut out[ipv4::MIN_HEADER_LEN..length];
        put(message, field::DATA, &original[..payload_length - HEADER_LEN]);
        self.message.emit(message)?;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(protocol: u8, source: [u8; 4], destination: [u8; 4], payload: &[u8]) -> Vec<u8> {
        let header = ipv4::Header {
            source: source.into(),
            destination: destination.into(),
            protocol,
            ttl: 64,
            tos: 0,
            id: 1,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: payload.len(),
        };
        let mut bytes = vec![0; header.length()];
        header.emit(&mut bytes).unwrap();
        bytes.extend_from_slice(payload);
        bytes
    }

    const A: [u8; 4] = [192, 168, 11, 201];
    const B: [u8; 4] = [172, 16, 4, 99];

    #[test]
    fn an_error_quotes_no_more_than_fits_into_576_bytes() {
        let original = packet(6, A, B, &[7; 1480]);
        let error = Error {
            source: B.into(),
            destination: A.into(),
            ttl: 64,
            id: 3,
            message: Message::FragmentationNeeded { mtu: 1480 },
        };
        let mut out = [0; 1500];
        let length = error.emit(&original, &mut out).unwrap();
        assert_eq!(length, 576);
        let ip = ipv4::View::new(&out[..length]).unwrap();
        assert!(ip.checksum_ok());
        assert_eq!((ip.protocol(), ip.tos()), (1, 0xc0));
        let icmp = View::new(ip.payload()).unwrap();
        assert!(icmp.checksum_ok());
        assert_eq!((icmp.kind(), icmp.code(), icmp.mtu()), (3, 4, Some(1480)));
        assert_eq!(icmp.quoted().unwrap(), &original[..548]);
        let quoted = ipv4::View::new_truncated(icmp.quoted().unwrap()).unwrap();
        assert!(quoted.is_truncated());
        assert_eq!(quoted.total_length(), 1500);
    }

    #[test]
    fn a_short_packet_is_quoted_whole() {
        let original = packet(4, A, B, &[7; 20]);
        let error = Error {
            source: B.into(),
            destination: A.into(),
            ttl: 64,
            id: 3,
            message: Message::Unreachable { code: unreachable::PROTOCOL },
        };
        let mut out = [0; 68];
        assert_eq!(error.emit(&original, &mut out), Ok(68));
        assert_eq!(&out[28..], &original[..]);
        assert!(matches!(error.emit(&original, &mut out[..67]), Err(EmitError::NoRoom { .. })));
    }

    #[test]
    fn errors_are_not_answered_with_errors() {
        let answer = |bytes: &[u8]| may_answer(&ipv4::View::new(bytes).unwrap());
        assert!(answer(&packet(6, A, B, &[0; 20])));
        assert!(answer(&packet(1, A, B, &[8, 0, 0, 0, 0, 0, 0, 0])));
        assert!(!answer(&packet(1, A, B, &[3, 1, 0, 0, 0, 0, 0, 0])));
        assert!(!answer(&packet(1, A, B, &[])));
        assert!(!answer(&packet(6, [0; 4], B, &[0; 20])));
        assert!(!answer(&packet(6, [224, 0, 0, 1], B, &[0; 20])));
        assert!(!answer(&packet(6, A, [255; 4], &[0; 20])));
        assert!(!answer(&packet(6, A, [224, 0, 0, 1], &[0; 20])));
        let mut later = packet(6, A, B, &[0; 20]);
        later[7] = 1;
        assert!(!answer(&later));
    }
}

//! The header of every packet (RFC 8907, section 4.1), and the rules of its numbers.

use super::codes::PacketType;
use super::error::{HeaderError, ProtocolError};
use std::fmt;

/// Bytes of a header.
pub const HEADER_LEN: usize = 12;

/// The longest body that is taken by default, in bytes. The length field could say up to 2^32-1;
/// RFC 8907, section 4.1, recommends a limit of 2^16.
pub const DEFAULT_MAX_BODY: u32 = 1 << 16;

/// Set if the body is not obfuscated.
pub const FLAG_UNENCRYPTED: u8 = 0x01;
/// Set to offer, and to agree to, several sessions on one connection.
pub const FLAG_SINGLE_CONNECT: u8 = 0x04;

const MAJOR: u8 = 0xc0;

/// The minor version: which one goes with what is in RFC 8907, section 5.4.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MinorVersion {
    /// 0: ASCII logins, authorization, accounting.
    Default,
    /// 1: PAP and CHAP logins.
    One,
}

/// A session's number, chosen by its client at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u32);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionId({self})")
    }
}

/// A packet's place in its session: 1 to 255, odd from the client, even from the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sequence(u8);

impl Sequence {
    /// A session's first packet.
    pub const FIRST: Self = Self(1);

    /// A sequence number; `None` for 0.
    #[must_use]
    pub fn new(number: u8) -> Option<Self> {
        (number != 0).then_some(Self(number))
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }

    /// The number of the packet after this one.
    ///
    /// # Errors
    /// [`ProtocolError::SequenceUsedUp`] after 255: numbers never wrap.
    pub fn next(self) -> Result<Self, ProtocolError> {
        self.0.checked_add(1).map(Self).ok_or(ProtocolError::SequenceUsedUp)
    }
}

/// A packet's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The minor version; the major one is always 0xc.
    pub minor: MinorVersion,
    /// What the packet is about.
    pub kind: PacketType,
    /// Its place in the session.
    pub sequence: Sequence,
    /// [`FLAG_UNENCRYPTED`], [`FLAG_SINGLE_CONNECT`]; other bits are to be ignored.
    pub flags: u8,
    /// Its session.
    pub session: SessionId,
    /// Bytes of the body.
    pub length: u32,
}

impl Header {
    /// Reads a header whose body may have up to `max_body` bytes.
    ///
    /// # Errors
    /// [`HeaderError`] for a version, type, sequence number or length that cannot be.
    pub fn decode(bytes: &[u8; HEADER_LEN], max_body: u32) -> Result<Self, HeaderError> {
        let [version, kind, sequence, flags, s0, s1, s2, s3, l0, l1, l2, l3] = *bytes;
        let minor = match version.wrapping_sub(MAJOR) {
            0 => MinorVersion::Default,
            1 => MinorVersion::One,
            _ => return Err(HeaderError::Version(version)),
        };
        let kind = match kind {
            1 => PacketType::Authentication,
            2 => PacketType::Authorization,
            3 => PacketType::Accounting,
            other => return Err(HeaderError::Type(other)),
        };
        let sequence = Sequence::new(sequence).ok_or(HeaderError::SequenceZero)?;
        let length = u32::from_be_bytes([l0, l1, l2, l3]);
        if length > max_body {
            return Err(HeaderError::TooLong { length, max: max_body });
        }
        let session = SessionId(u32::from_be_bytes([s0, s1, s2, s3]));
        Ok(Self { minor, kind, sequence, flags, session, length })
    }

    /// The header's bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let [s0, s1, s2, s3] = self.session.0.to_be_bytes();
        let [l0, l1, l2, l3] = self.length.to_be_bytes();
        let kind = u8::from(self.kind);
        [self.version(), kind, self.sequence.0, self.flags, s0, s1, s2, s3, l0, l1, l2, l3]
    }

    /// The version byte: major and minor.
    #[must_use]
    pub fn version(&self) -> u8 {
        match self.minor {
            MinorVersion::Default => MAJOR,
            MinorVersion::One => MAJOR | 1,
        }
    }

    /// Whether one of `flag`'s bits is set.
    #[must_use]
    pub fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The header of this packet's answer: the next number, the same session and version, no flag.
    ///
    /// # Errors
    /// [`ProtocolError::SequenceUsedUp`] if there is no next number.
    pub fn answer(&self) -> Result<Self, ProtocolError> {
        Ok(Self { sequence: self.sequence.next()?, flags: 0, length: 0, ..*self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START: [u8; HEADER_LEN] = [0xc0, 1, 1, 0, 0xde, 0xad, 0xbe, 0xef, 0, 0, 0, 14];

    fn changed(at: usize, value: u8) -> Result<Header, HeaderError> {
        let mut bytes = START;
        bytes[at] = value;
        Header::decode(&bytes, DEFAULT_MAX_BODY)
    }

    #[test]
    fn a_header_is_read_field_by_field() {
        let header = Header::decode(&START, DEFAULT_MAX_BODY).unwrap();
        assert_eq!(header.minor, MinorVersion::Default);
        assert_eq!(header.kind, PacketType::Authentication);
        assert_eq!(header.sequence, Sequence::FIRST);
        assert_eq!(header.session, SessionId(0xdead_beef));
        assert_eq!(header.length, 14);
        assert_eq!(header.encode(), START);
    }

    #[test]
    fn a_header_that_cannot_be_is_refused() {
        for version in [0x00, 0x16, 0xbf, 0xc2, 0xd0] {
            assert_eq!(changed(0, version), Err(HeaderError::Version(version)));
        }
        for kind in [0, 4, 255] {
            assert_eq!(changed(1, kind), Err(HeaderError::Type(kind)));
        }
        assert_eq!(changed(2, 0), Err(HeaderError::SequenceZero));
    }

    #[test]
    fn a_length_above_the_limit_is_refused() {
        let mut bytes = START;
        bytes[8..].fill(0xff);
        assert_eq!(
            Header::decode(&bytes, DEFAULT_MAX_BODY),
            Err(HeaderError::TooLong { length: u32::MAX, max: 65_536 })
        );
        bytes[8..].copy_from_slice(&65_537_u32.to_be_bytes());
        assert!(Header::decode(&bytes, DEFAULT_MAX_BODY).is_err());
        bytes[8..].copy_from_slice(&65_536_u32.to_be_bytes());
        assert!(Header::decode(&bytes, DEFAULT_MAX_BODY).is_ok());
    }

    #[test]
    fn sequence_numbers_never_wrap() {
        assert_eq!(Sequence(254).next(), Ok(Sequence(255)));
        assert_eq!(Sequence(255).next(), Err(ProtocolError::SequenceUsedUp));
    }

    proptest! {
        #[test]
        fn whatever_is_read_as_a_header_is_written_the_same(bytes: [u8; HEADER_LEN]) {
            if let Ok(header) = Header::decode(&bytes, u32::MAX) {
                prop_assert_eq!(header.encode(), bytes);
            }
        }
    }
}

//! GRE headers (RFC 2784) with key and sequence number (RFC 2890).

use crate::bytes::{be16, be32, put};
use crate::checksum;
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed};

mod field {
    pub(super) const FLAGS: usize = 0;
    pub(super) const PROTOCOL: usize = 2;
    pub(super) const OPTIONAL: usize = 4;
}

/// The length of a header without optional fields, in bytes.
pub const MIN_HEADER_LEN: usize = field::OPTIONAL;

const CHECKSUM: u16 = 0x8000;
const KEY: u16 = 0x2000;
const SEQUENCE: u16 = 0x1000;
/// Bits 1 and 4 to 12: routing, recursion and reserved. RFC 2784, 2.3 lets a receiver refuse a
/// packet with one of bits 1 to 5 set; key and sequence became bits 2 and 3 since.
const REFUSED: u16 = 0x4c00;
const VERSION: u16 = 0x0007;

/// A packet whose header is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks version, flags and length.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong; a set routing bit (RFC 1701) is [`Malformed::Field`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let layer = Layer::Gre;
        enough(layer, bytes, MIN_HEADER_LEN)?;
        let flags = be16(bytes, field::FLAGS);
        if flags & VERSION != 0 {
            return Err(Malformed::Version { layer, version: bytes[1] & 7 });
        }
        if flags & REFUSED != 0 {
            return Err(Malformed::Field {
                layer,
                field: "the flag word",
                value: u32::from(flags),
            });
        }
        let view = Self { bytes };
        enough(layer, bytes, view.header_length())?;
        Ok(view)
    }

    #[inline]
    fn has(&self, bit: u16) -> bool {
        be16(self.bytes, field::FLAGS) & bit != 0
    }

    #[inline]
    fn after(&self, bits: u16) -> usize {
        let before = be16(self.bytes, field::FLAGS) & bits;
        // Every flag that is set adds one word of four bytes.
        field::OPTIONAL + before.count_ones() as usize * 4
    }

    /// The header's length in bytes: 4, 8, 12 or 16.
    #[inline]
    #[must_use]
    pub fn header_length(&self) -> usize {
        self.after(CHECKSUM | KEY | SEQUENCE)
    }

    /// The ethertype of what it carries.
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> u16 {
        be16(self.bytes, field::PROTOCOL)
    }

    /// Whether there is a checksum.
    #[inline]
    #[must_use]
    pub fn has_checksum(&self) -> bool {
        self.has(CHECKSUM)
    }

    /// Whether the checksum is right, if there is one. It covers the payload: `bytes` has to
    /// have been the whole packet.
    #[inline]
    #[must_use]
    pub fn checksum_ok(&self) -> Option<bool> {
        self.has_checksum().then(|| checksum::of(self.bytes) == 0)
    }

    /// The key.
    #[inline]
    #[must_use]
    pub fn key(&self) -> Option<u32> {
        self.has(KEY).then(|| be32(self.bytes, self.after(CHECKSUM)))
    }

    /// The sequence number.
    #[inline]
    #[must_use]
    pub fn sequence(&self) -> Option<u32> {
        self.has(SEQUENCE).then(|| be32(self.bytes, self.after(CHECKSUM | KEY)))
    }

    /// What follows the header.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_length()..]
    }
}

/// A GRE header as a plain value.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// The ethertype of what follows.
    pub protocol: u16,
    /// Whether to carry a checksum.
    pub checksum: bool,
    /// The key, if it carries one.
    pub key: Option<u32>,
    /// The sequence number, if it carries one.
    pub sequence: Option<u32>,
}

impl Header {
    /// Reads the header.
    #[inline]
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        Self {
            protocol: view.protocol(),
            checksum: view.has_checksum(),
            key: view.key(),
            sequence: view.sequence(),
        }
    }

    /// Bytes of the header that [`Self::emit`] writes.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        let words = usize::from(self.checksum)
            + usize::from(self.key.is_some())
            + usize::from(self.sequence.is_some());
        MIN_HEADER_LEN + words * 4
    }

    /// Writes the header to the beginning of `packet`, whose rest is the payload already: the
    /// checksum, if there is one, covers both.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    #[inline]
    pub fn emit(&self, packet: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Gre, packet, self.length())?;
        let flags = if self.checksum { CHECKSUM } else { 0 }
            | if self.key.is_some() { KEY } else { 0 }
            | if self.sequence.is_some() { SEQUENCE } else { 0 };
        put(packet, field::FLAGS, &flags.to_be_bytes());
        put(packet, field::PROTOCOL, &self.protocol.to_be_bytes());
        let mut at = field::OPTIONAL;
        if self.checksum {
            put(packet, at, &[0; 4]);
            at += 4;
        }
        if let Some(key) = self.key {
            put(packet, at, &key.to_be_bytes());
            at += 4;
        }
        if let Some(sequence) = self.sequence {
            put(packet, at, &sequence.to_be_bytes());
        }
        if self.checksum {
            let sum = checksum::of(packet);
            put(packet, field::OPTIONAL, &sum.to_be_bytes());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_optional_fields_comes_back() {
        for bits in 0..8u8 {
            let header = Header {
                protocol: 0x0800,
                checksum: bits & 1 != 0,
                key: (bits & 2 != 0).then_some(0x0102_0304),
                sequence: (bits & 4 != 0).then_some(9),
            };
            let mut bytes = vec![0xab; header.length() + 5];
            header.emit(&mut bytes).unwrap();
            let view = View::new(&bytes).unwrap();
            assert_eq!(Header::parse(&view), header);
            assert_eq!(view.checksum_ok(), header.checksum.then_some(true));
            assert_eq!(view.payload(), [0xab; 5]);
            *bytes.last_mut().unwrap() ^= 1;
            let tampered = View::new(&bytes).unwrap().checksum_ok();
            assert_eq!(tampered, header.checksum.then_some(false));
        }
    }

    #[test]
    fn source_routing_and_version_one_are_refused() {
        assert!(matches!(View::new(&[0x40, 0, 8, 0]), Err(Malformed::Field { .. })));
        // Version 1 is PPTP's.
        assert!(matches!(View::new(&[0x20, 1, 8, 0]), Err(Malformed::Version { version: 1, .. })));
    }
}

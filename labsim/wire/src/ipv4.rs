//! IPv4 headers (RFC 791), with options and fragments.

use crate::bytes::{array, be16, be32, put, v4};
use crate::checksum::{self, AddressPair, Sum};
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed};
use std::net::Ipv4Addr;

mod field {
    pub(super) const VERSION_IHL: usize = 0;
    pub(super) const TOS: usize = 1;
    pub(super) const TOTAL_LENGTH: usize = 2;
    pub(super) const ID: usize = 4;
    pub(super) const FLAGS_OFFSET: usize = 6;
    pub(super) const TTL: usize = 8;
    pub(super) const PROTOCOL: usize = 9;
    pub(super) const CHECKSUM: usize = 10;
    pub(super) const SOURCE: usize = 12;
    pub(super) const DESTINATION: usize = 16;
    pub(super) const OPTIONS: usize = 20;
}

/// The length of a header without options, in bytes.
pub const MIN_HEADER_LEN: usize = field::OPTIONS;
/// The length of the longest header, in bytes.
pub const MAX_HEADER_LEN: usize = 60;

const DONT_FRAGMENT: u16 = 0x4000;
const MORE_FRAGMENTS: u16 = 0x2000;
const OFFSET: u16 = 0x1fff;

/// A packet whose header is whole and whose lengths agree with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// No longer than the total length: padding of short Ethernet frames is cut off.
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks version, header length, and that the whole packet is there. Bytes after the total
    /// length (Ethernet padding) are no part of the packet.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let view = Self::new_truncated(bytes)?;
        enough(Layer::Ipv4, bytes, view.total_length())?;
        Ok(view)
    }

    /// As [`Self::new`], but the packet may be cut anywhere after its header: the packet that an
    /// ICMP error quotes, or one from a capture with a snap length.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new_truncated(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let layer = Layer::Ipv4;
        enough(layer, bytes, MIN_HEADER_LEN)?;
        let version = bytes[field::VERSION_IHL] >> 4;
        if version != 4 {
            return Err(Malformed::Version { layer, version });
        }
        let header = usize::from(bytes[field::VERSION_IHL] & 0xf) * 4;
        if header < MIN_HEADER_LEN {
            return Err(Malformed::HeaderLength { layer, bytes: header });
        }
        enough(layer, bytes, header)?;
        let total = usize::from(be16(bytes, field::TOTAL_LENGTH));
        if total < header {
            return Err(Malformed::Length { layer, bytes: total });
        }
        Ok(Self { bytes: &bytes[..total.min(bytes.len())] })
    }

    /// The header's length in bytes, 20 to 60.
    #[inline]
    #[must_use]
    pub fn header_length(&self) -> usize {
        usize::from(self.bytes[field::VERSION_IHL] & 0xf) * 4
    }

    /// The type-of-service byte: DSCP and ECN.
    #[inline]
    #[must_use]
    pub fn tos(&self) -> u8 {
        self.bytes[field::TOS]
    }

    /// The packet's length in bytes as its header gives it, the header included.
    #[inline]
    #[must_use]
    pub fn total_length(&self) -> usize {
        usize::from(be16(self.bytes, field::TOTAL_LENGTH))
    }

    /// The identification that fragments share.
    #[inline]
    #[must_use]
    pub fn id(&self) -> u16 {
        be16(self.bytes, field::ID)
    }

    /// The don't-fragment bit.
    #[inline]
    #[must_use]
    pub fn dont_fragment(&self) -> bool {
        be16(self.bytes, field::FLAGS_OFFSET) & DONT_FRAGMENT != 0
    }

    /// The more-fragments bit.
    #[inline]
    #[must_use]
    pub fn more_fragments(&self) -> bool {
        be16(self.bytes, field::FLAGS_OFFSET) & MORE_FRAGMENTS != 0
    }

    /// Where this fragment's payload belongs, in bytes.
    #[inline]
    #[must_use]
    pub fn fragment_offset(&self) -> u16 {
        (be16(self.bytes, field::FLAGS_OFFSET) & OFFSET) * 8
    }

    /// Whether this is part of a packet, the first part or a later one.
    #[inline]
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments() || self.fragment_offset() != 0
    }

    /// How many more hops it may take.
    #[inline]
    #[must_use]
    pub fn ttl(&self) -> u8 {
        self.bytes[field::TTL]
    }

    /// What it carries; see [`crate::protocol`].
    #[inline]
    #[must_use]
    pub fn protocol(&self) -> u8 {
        self.bytes[field::PROTOCOL]
    }

    /// The header checksum field.
    #[inline]
    #[must_use]
    pub fn checksum(&self) -> u16 {
        be16(self.bytes, field::CHECKSUM)
    }

    /// Whether the header checksum is right.
    #[inline]
    #[must_use]
    pub fn checksum_ok(&self) -> bool {
        let bytes: [u8; MIN_HEADER_LEN] = array(self.bytes, 0);
        // Written out: what `map` puts into memory would be read back in other portions.
        let word = |at| be32(&bytes, at);
        let words = [word(0), word(4), word(8), word(12), word(16)];
        Sum::new().with_words(words).with(self.options()).finish() == 0
    }

    /// Who sent it.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Ipv4Addr {
        v4(self.bytes, field::SOURCE)
    }

    /// Whom it is for.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Ipv4Addr {
        v4(self.bytes, field::DESTINATION)
    }

    /// Both addresses, for the pseudo-header of what it carries.
    #[inline]
    #[must_use]
    pub fn addresses(&self) -> AddressPair {
        AddressPair::V4(self.source(), self.destination())
    }

    /// The options as they stand, up to 40 bytes.
    #[inline]
    #[must_use]
    pub fn options(&self) -> &'a [u8] {
        &self.bytes[field::OPTIONS..self.header_length()]
    }

    /// What follows the header, up to the total length or to where the bytes end.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_length()..]
    }

    /// Copies the packet to the beginning of `out`, one hop on: with one off its TTL, as
    /// [`ViewMut::decrement_ttl`] does it. A TTL of 0 stays.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer.
    #[inline]
    pub fn copy_decrementing_ttl(&self, out: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Ipv4, out, self.bytes.len())?;
        // Reckoned before it is written: reading bytes back that were just written in other
        // portions makes a processor wait.
        let before = be16(self.bytes, field::TTL);
        let after = if self.ttl() == 0 { before } else { before - 0x100 };
        let sum = checksum::update(be16(self.bytes, field::CHECKSUM), before, after);
        put(out, 0, self.bytes);
        put(out, field::TTL, &after.to_be_bytes());
        put(out, field::CHECKSUM, &sum.to_be_bytes());
        Ok(())
    }

    /// Whether less than the total length is there; only possible after [`Self::new_truncated`].
    #[inline]
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.bytes.len() < self.total_length()
    }

    /// The packet's own bytes, padding cut off.
    #[inline]
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }
}

/// A packet that is changed in place.
#[derive(Debug)]
pub struct ViewMut<'a> {
    bytes: &'a mut [u8],
}

impl<'a> ViewMut<'a> {
    /// Checks what [`View::new`] checks.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        let length = View::new(bytes)?.bytes.len();
        Ok(Self { bytes: &mut bytes[..length] })
    }

    /// To read it.
    #[inline]
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { bytes: self.bytes }
    }

    /// Takes one off the TTL and keeps the checksum in step (RFC 1624). A checksum that was
    /// wrong stays wrong. Returns the new TTL; `None`, and no change, if the TTL was 0.
    #[inline]
    pub fn decrement_ttl(&mut self) -> Option<u8> {
        let new = self.bytes[field::TTL].checked_sub(1)?;
        let before = be16(self.bytes, field::TTL);
        self.bytes[field::TTL] = new;
        let after = be16(self.bytes, field::TTL);
        let sum = checksum::update(be16(self.bytes, field::CHECKSUM), before, after);
        put(self.bytes, field::CHECKSUM, &sum.to_be_bytes());
        Some(new)
    }

    /// Readdresses the packet and sums its header anew. The transport's checksum covers the
    /// address too: the caller sees to it.
    #[inline]
    pub fn set_destination(&mut self, address: Ipv4Addr) {
        put(self.bytes, field::DESTINATION, &address.octets());
        self.fill_checksum();
    }

    /// Sums the header anew.
    #[inline]
    pub fn fill_checksum(&mut self) {
        let length = self.view().header_length();
        fill_checksum(&mut self.bytes[..length]);
    }

    /// What follows the header.
    #[inline]
    #[must_use]
    pub fn payload_mut(&mut self) -> &mut [u8] {
        let length = self.view().header_length();
        &mut self.bytes[length..]
    }
}

#[inline]
fn fill_checksum(header: &mut [u8]) {
    put(header, field::CHECKSUM, &[0, 0]);
    let sum = checksum::of(header);
    put(header, field::CHECKSUM, &sum.to_be_bytes());
}

/// An IPv4 header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header<'a> {
    /// Who sends it.
    pub source: Ipv4Addr,
    /// Whom it is for.
    pub destination: Ipv4Addr,
    /// What it carries; see [`crate::protocol`].
    pub protocol: u8,
    /// How many hops it may take.
    pub ttl: u8,
    /// The type-of-service byte.
    pub tos: u8,
    /// The identification.
    pub id: u16,
    /// The don't-fragment bit.
    pub dont_fragment: bool,
    /// The more-fragments bit.
    pub more_fragments: bool,
    /// In bytes, a multiple of 8.
    pub fragment_offset: u16,
    /// Options as they stand: at most 40 bytes, a multiple of four.
    pub options: &'a [u8],
    /// Bytes that follow the header.
    pub payload_length: usize,
}

impl<'a> Header<'a> {
    /// Reads the header.
    #[inline]
    #[must_use]
    pub fn parse(view: &View<'a>) -> Self {
        Self {
            source: view.source(),
            destination: view.destination(),
            protocol: view.protocol(),
            ttl: view.ttl(),
            tos: view.tos(),
            id: view.id(),
            dont_fragment: view.dont_fragment(),
            more_fragments: view.more_fragments(),
            fragment_offset: view.fragment_offset(),
            options: view.options(),
            payload_length: view.total_length() - view.header_length(),
        }
    }

    /// Bytes that [`Self::emit`] writes: the header with its options.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        MIN_HEADER_LEN + self.options.len()
    }

    /// Writes the header with its checksum to the beginning of `out`.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer, options that do not fit, a packet over 65535 bytes, an
    /// offset that is no multiple of 8.
    #[inline(always)]
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        let layer = Layer::Ipv4;
        let length = self.length();
        if length > MAX_HEADER_LEN || !length.is_multiple_of(4) {
            return Err(EmitError::Options { layer, length: self.options.len() });
        }
        room(layer, out, length)?;
        let total = u16::try_from(length + self.payload_length).map_err(|_| EmitError::Field {
            layer,
            field: "the total length",
            value: u32::try_from(self.payload_length).unwrap_or(u32::MAX),
        })?;
        if !self.fragment_offset.is_multiple_of(8) {
            return Err(EmitError::Field {
                layer,
                field: "the fragment offset",
                value: u32::from(self.fragment_offset),
            });
        }
        let flags = (self.fragment_offset / 8)
            | if self.dont_fragment { DONT_FRAGMENT } else { 0 }
            | if self.more_fragments { MORE_FRAGMENTS } else { 0 };
        let [a, b] = total.to_be_bytes();
        // At most 60 bytes in words of four.
        let version = 0x40 | u8::try_from(length / 4).unwrap_or(0xf);
        let mut words = [
            u32::from_be_bytes([version, self.tos, a, b]),
            u32::from(self.id) << 16 | u32::from(flags),
            u32::from_be_bytes([self.ttl, self.protocol, 0, 0]),
            self.source.to_bits(),
            self.destination.to_bits(),
        ];
        // Summed before it is written: reading bytes back that were just written in other
        // portions makes a processor wait.
        let sum = Sum::new().with_words(words).with(self.options).finish();
        words[2] |= u32::from(sum);
        for (place, word) in out.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        put(out, field::OPTIONS, self.options);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> [u8; 24] {
        let header = Header {
            source: Ipv4Addr::new(10, 1, 1, 51),
            destination: Ipv4Addr::new(10, 1, 1, 52),
            protocol: 6,
            ttl: 64,
            tos: 0,
            id: 1,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset: 0,
            options: &[1, 1, 1, 0],
            payload_length: 0,
        };
        let mut bytes = [0; 24];
        header.emit(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_total_length_below_the_header_is_refused() {
        let mut bytes = header();
        assert_eq!(View::new(&bytes).unwrap().total_length(), 24);
        bytes[3] = 23;
        assert_eq!(View::new(&bytes), Err(Malformed::Length { layer: Layer::Ipv4, bytes: 23 }));
        bytes[3] = 25;
        assert!(matches!(View::new(&bytes), Err(Malformed::Truncated { needed: 25, .. })));
        assert!(View::new_truncated(&bytes).unwrap().is_truncated());
    }

    #[test]
    fn a_header_length_below_five_words_or_beyond_the_bytes_is_refused() {
        let mut bytes = header();
        bytes[0] = 0x44;
        let short = Malformed::HeaderLength { layer: Layer::Ipv4, bytes: 16 };
        assert_eq!(View::new(&bytes), Err(short));
        bytes[0] = 0x47;
        assert!(matches!(View::new(&bytes), Err(Malformed::Truncated { needed: 28, .. })));
        bytes[0] = 0x65;
        let other = Malformed::Version { layer: Layer::Ipv4, version: 6 };
        assert_eq!(View::new(&bytes), Err(other));
    }

    #[test]
    fn a_copy_one_hop_on_is_the_packet_with_its_ttl_decremented() {
        let mut bytes = header();
        for ttl in 0..=255 {
            bytes[8] = ttl;
            fill_checksum(&mut bytes);
            let mut copy = [0xee; 26];
            View::new(&bytes).unwrap().copy_decrementing_ttl(&mut copy).unwrap();
            let mut expected = bytes;
            ViewMut::new(&mut expected).unwrap().decrement_ttl();
            assert_eq!((&copy[..24], &copy[24..]), (&expected[..], &[0xee; 2][..]), "ttl {ttl}");
        }
        let mut short = [0; 23];
        let refused = View::new(&bytes).unwrap().copy_decrementing_ttl(&mut short);
        assert!(matches!(refused, Err(EmitError::NoRoom { needed: 24, present: 23, .. })));
    }

    #[test]
    fn ethernet_padding_is_no_part_of_the_packet() {
        let mut frame = header().to_vec();
        frame.resize(46, 0xee);
        let view = View::new(&frame).unwrap();
        assert_eq!((view.bytes().len(), view.payload()), (24, &[][..]));
    }
}

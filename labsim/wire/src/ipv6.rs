//! IPv6 headers (RFC 8200): the fixed header, and the way over extension headers to the transport.

mod extensions;

pub use extensions::{Extension, Extensions, Fragment, MAX_EXTENSIONS, Transport, extension};

use crate::bytes::{be16, be32, put, v6};
use crate::checksum::AddressPair;
use crate::error::{enough, room};
use crate::{EmitError, Layer, Malformed};
use std::net::Ipv6Addr;

mod field {
    pub(super) const VERSION_CLASS_LABEL: usize = 0;
    pub(super) const PAYLOAD_LENGTH: usize = 4;
    pub(super) const NEXT_HEADER: usize = 6;
    pub(super) const HOP_LIMIT: usize = 7;
    pub(super) const SOURCE: usize = 8;
    pub(super) const DESTINATION: usize = 24;
    pub(super) const PAYLOAD: usize = 40;
}

/// The fixed header's length in bytes.
pub const HEADER_LEN: usize = field::PAYLOAD;

/// A packet whose fixed header is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// No longer than header and payload length together.
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks version and length; bytes after the payload length (padding) are cut off.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let view = Self::new_truncated(bytes)?;
        enough(Layer::Ipv6, bytes, view.total_length())?;
        Ok(view)
    }

    /// As [`Self::new`], but the packet may be cut anywhere after its fixed header.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    #[inline]
    pub fn new_truncated(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let layer = Layer::Ipv6;
        enough(layer, bytes, HEADER_LEN)?;
        let version = bytes[field::VERSION_CLASS_LABEL] >> 4;
        if version != 6 {
            return Err(Malformed::Version { layer, version });
        }
        let total = HEADER_LEN + usize::from(be16(bytes, field::PAYLOAD_LENGTH));
        Ok(Self { bytes: &bytes[..total.min(bytes.len())] })
    }

    /// The traffic class: DSCP and ECN.
    #[inline]
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        (self.bytes[0] << 4) | (self.bytes[1] >> 4)
    }

    /// The flow label, 20 bits.
    #[inline]
    #[must_use]
    pub fn flow_label(&self) -> u32 {
        be32(self.bytes, field::VERSION_CLASS_LABEL) & 0x000f_ffff
    }

    /// Header and payload in bytes, as the header gives it.
    #[inline]
    #[must_use]
    pub fn total_length(&self) -> usize {
        HEADER_LEN + usize::from(be16(self.bytes, field::PAYLOAD_LENGTH))
    }

    /// What follows the fixed header: an extension header or the transport.
    #[inline]
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.bytes[field::NEXT_HEADER]
    }

    /// How many more hops it may take.
    #[inline]
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.bytes[field::HOP_LIMIT]
    }

    /// Who sent it.
    #[inline]
    #[must_use]
    pub fn source(&self) -> Ipv6Addr {
        v6(self.bytes, field::SOURCE)
    }

    /// Whom it is for.
    #[inline]
    #[must_use]
    pub fn destination(&self) -> Ipv6Addr {
        v6(self.bytes, field::DESTINATION)
    }

    /// Both addresses, for the pseudo-header of what it carries.
    #[inline]
    #[must_use]
    pub fn addresses(&self) -> AddressPair {
        AddressPair::V6(self.source(), self.destination())
    }

    /// What follows the fixed header, extension headers included.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[field::PAYLOAD..]
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

    /// Copies the packet to the beginning of `out`, one hop on: with one off its hop limit. A hop
    /// limit of 0 stays.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer.
    #[inline]
    pub fn copy_decrementing_ttl(&self, out: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Ipv6, out, self.bytes.len())?;
        put(out, 0, self.bytes);
        out[field::HOP_LIMIT] = self.hop_limit().saturating_sub(1);
        Ok(())
    }

    /// The extension headers, one by one.
    #[inline]
    #[must_use]
    pub fn extensions(&self) -> Extensions<'a> {
        Extensions::new(self.next_header(), self.payload())
    }

    /// Walks the extension headers, at most [`MAX_EXTENSIONS`], to the transport. Encrypted
    /// payload (ESP) and "no next header" (59) end the walk as transports of their own.
    ///
    /// # Errors
    /// [`Malformed`]: an extension header that the bytes do not hold, or too many of them.
    #[inline]
    pub fn transport(&self) -> Result<Transport<'a>, Malformed> {
        let mut walk = self.extensions();
        for header in &mut walk {
            header?;
        }
        Ok(walk.transport())
    }
}

/// The fixed header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// The source address.
    pub source: Ipv6Addr,
    /// The destination address.
    pub destination: Ipv6Addr,
    /// The protocol number of the following header.
    pub next_header: u8,
    /// The hop limit.
    pub hop_limit: u8,
    /// DSCP and ECN.
    pub traffic_class: u8,
    /// 20 bits.
    pub flow_label: u32,
    /// Bytes that follow the fixed header.
    pub payload_length: usize,
}

impl Header {
    /// Reads the header.
    #[inline]
    #[must_use]
    pub fn parse(view: &View<'_>) -> Self {
        Self {
            source: view.source(),
            destination: view.destination(),
            next_header: view.next_header(),
            hop_limit: view.hop_limit(),
            traffic_class: view.traffic_class(),
            flow_label: view.flow_label(),
            payload_length: view.total_length() - HEADER_LEN,
        }
    }

    /// Bytes that [`Self::emit`] writes.
    #[inline]
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header to the beginning of `out`.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer, a label over 20 bits, a payload over 65535 bytes.
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        let layer = Layer::Ipv6;
        room(layer, out, HEADER_LEN)?;
        if self.flow_label > 0x000f_ffff {
            let value = self.flow_label;
            return Err(EmitError::Field { layer, field: "the flow label", value });
        }
        let payload = u16::try_from(self.payload_length).map_err(|_| EmitError::Field {
            layer,
            field: "the payload length",
            value: u32::try_from(self.payload_length).unwrap_or(u32::MAX),
        })?;
        let first = (6 << 28) | (u32::from(self.traffic_class) << 20) | self.flow_label;
        put(out, field::VERSION_CLASS_LABEL, &first.to_be_bytes());
        put(out, field::PAYLOAD_LENGTH, &payload.to_be_bytes());
        out[field::NEXT_HEADER] = self.next_header;
        out[field::HOP_LIMIT] = self.hop_limit;
        put(out, field::SOURCE, &self.source.octets());
        put(out, field::DESTINATION, &self.destination.octets());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_payload(next_header: u8, payload: &[u8]) -> Vec<u8> {
        let header = Header {
            source: Ipv6Addr::LOCALHOST,
            destination: Ipv6Addr::LOCALHOST,
            next_header,
            hop_limit: 64,
            traffic_class: 0xab,
            flow_label: 0x1_2345,
            payload_length: payload.len(),
        };
        let mut bytes = vec![0; HEADER_LEN];
        header.emit(&mut bytes).unwrap();
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn the_transport_is_found_behind_extension_headers() {
        // Hop-by-hop (8 bytes), then a first fragment's header, then UDP.
        let mut payload = vec![44, 0, 0, 0, 0, 0, 0, 0];
        payload.extend([17, 0, 0, 1, 0, 0, 0, 9]);
        payload.extend([0xaa; 8]);
        let bytes = with_payload(0, &payload);
        let transport = View::new(&bytes).unwrap().transport().unwrap();
        assert_eq!(transport.protocol, 17);
        assert_eq!(transport.bytes, [0xaa; 8]);
        let fragment = Fragment { offset: 0, more: true, id: 9, length: 8 };
        assert_eq!(transport.fragment, Some(fragment));
    }

    #[test]
    fn an_authentication_header_is_counted_in_words_of_four_bytes() {
        // RFC 4302, 2.2: the length field is in 4-byte words less two.
        let mut payload = vec![6, 4, 0, 0];
        payload.resize(24, 0);
        payload.extend([0xaa; 4]);
        let bytes = with_payload(51, &payload);
        let transport = View::new(&bytes).unwrap().transport().unwrap();
        assert_eq!((transport.protocol, transport.bytes), (6, &[0xaa; 4][..]));
    }

    #[test]
    fn behind_a_later_fragments_header_nothing_is_walked() {
        let mut payload = vec![60, 0, 0, 8, 0, 0, 0, 9];
        payload.extend([17, 0, 0, 0, 0, 0, 0, 0]);
        let bytes = with_payload(44, &payload);
        let transport = View::new(&bytes).unwrap().transport().unwrap();
        assert_eq!((transport.protocol, transport.bytes.len()), (60, 8));
        let fragment = Fragment { offset: 8, more: false, id: 9, length: 8 };
        assert_eq!(transport.fragment, Some(fragment));
    }

    #[test]
    fn a_fragment_holds_the_headers_behind_its_own() {
        // A first fragment's header, then destination options, then UDP.
        let mut payload = vec![60, 0, 0, 1, 0, 0, 0, 9];
        payload.extend([17, 0, 1, 4, 0, 0, 0, 0]);
        payload.extend([0xaa; 8]);
        let bytes = with_payload(44, &payload);
        let view = View::new(&bytes).unwrap();
        let transport = view.transport().unwrap();
        assert_eq!((transport.protocol, transport.bytes.len()), (17, 8));
        assert_eq!(transport.fragment.unwrap().length, 16);
        let kinds: Vec<u8> = view.extensions().map(|header| header.unwrap().kind).collect();
        assert_eq!(kinds, [44, 60]);
    }

    #[test]
    fn a_copy_one_hop_on_is_the_packet_with_its_hop_limit_decremented() {
        let mut bytes = with_payload(17, &[0xaa; 8]);
        for (before, after) in [(0, 0), (1, 0), (255, 254)] {
            bytes[7] = before;
            let mut copy = [0xee; 50];
            View::new(&bytes).unwrap().copy_decrementing_ttl(&mut copy).unwrap();
            let mut expected = bytes.clone();
            expected[7] = after;
            assert_eq!((&copy[..48], &copy[48..]), (&expected[..], &[0xee; 2][..]));
        }
        let refused = View::new(&bytes).unwrap().copy_decrementing_ttl(&mut [0; 47]);
        assert!(matches!(refused, Err(EmitError::NoRoom { needed: 48, present: 47, .. })));
    }

    #[test]
    fn the_walk_over_extension_headers_is_bounded() {
        let longest = [0; 8].repeat(MAX_EXTENSIONS + 1);
        let bytes = with_payload(0, &longest);
        assert_eq!(
            View::new(&bytes).unwrap().transport(),
            Err(Malformed::TooDeep { layer: Layer::Ipv6, most: MAX_EXTENSIONS })
        );
    }

    #[test]
    fn an_extension_header_beyond_the_packet_is_refused() {
        let bytes = with_payload(43, &[6, 2, 0, 0, 0, 0, 0, 0]);
        assert!(matches!(
            View::new(&bytes).unwrap().transport(),
            Err(Malformed::Truncated { needed: 24, present: 8, .. })
        ));
    }
}

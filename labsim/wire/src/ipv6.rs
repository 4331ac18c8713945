//! IPv6 headers (RFC 8200): the fixed header, and the way over extension headers to the transport.

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

/// Extension headers that are walked at most; a real packet has two or three.
pub const MAX_EXTENSIONS: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION_OPTIONS: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// A packet whose fixed header is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// No longer than header and payload length together.
    bytes: &'a [u8],
}

/// What follows the extension headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transport<'a> {
    /// The protocol number; see [`crate::protocol`].
    pub protocol: u8,
    /// Its bytes; of a later fragment, the fragment's.
    pub bytes: &'a [u8],
    /// Of the fragment header, if there is one.
    pub fragment: Option<Fragment>,
}

/// A fragment header (RFC 8200, 4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fragment {
    /// Where the fragment belongs, in bytes.
    pub offset: u16,
    /// Whether more follow.
    pub more: bool,
    /// What the fragments of one packet share.
    pub id: u32,
}

impl<'a> View<'a> {
    /// Checks version and length; bytes after the payload length (padding) are cut off.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let view = Self::new_cut(bytes)?;
        enough(Layer::Ipv6, bytes, view.total_length())?;
        Ok(view)
    }

    /// As [`Self::new`], but the packet may be cut anywhere after its fixed header.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong.
    pub fn new_cut(bytes: &'a [u8]) -> Result<Self, Malformed> {
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
    #[must_use]
    pub fn traffic_class(&self) -> u8 {
        (self.bytes[0] << 4) | (self.bytes[1] >> 4)
    }

    /// The flow label, 20 bits.
    #[must_use]
    pub fn flow_label(&self) -> u32 {
        be32(self.bytes, field::VERSION_CLASS_LABEL) & 0x000f_ffff
    }

    /// Header and payload in bytes, as the header gives it.
    #[must_use]
    pub fn total_length(&self) -> usize {
        HEADER_LEN + usize::from(be16(self.bytes, field::PAYLOAD_LENGTH))
    }

    /// What follows the fixed header: an extension header or the transport.
    #[must_use]
    pub fn next_header(&self) -> u8 {
        self.bytes[field::NEXT_HEADER]
    }

    /// How many more hops it may take.
    #[must_use]
    pub fn hop_limit(&self) -> u8 {
        self.bytes[field::HOP_LIMIT]
    }

    /// Who sent it.
    #[must_use]
    pub fn source(&self) -> Ipv6Addr {
        v6(self.bytes, field::SOURCE)
    }

    /// Whom it is for.
    #[must_use]
    pub fn destination(&self) -> Ipv6Addr {
        v6(self.bytes, field::DESTINATION)
    }

    /// Both addresses, for the pseudo-header of what it carries.
    #[must_use]
    pub fn addresses(&self) -> AddressPair {
        AddressPair::V6(self.source(), self.destination())
    }

    /// What follows the fixed header, extension headers included.
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[field::PAYLOAD..]
    }

    /// Whether less than the total length is there; only possible after [`Self::new_cut`].
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.total_length()
    }

    /// The packet's own bytes, padding cut off.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Walks the extension headers, at most [`MAX_EXTENSIONS`], to the transport. Encrypted
    /// payload (ESP) and "no next header" (59) end the walk as transports of their own.
    ///
    /// # Errors
    /// [`Malformed`]: an extension header that the bytes do not hold, or too many of them.
    pub fn transport(&self) -> Result<Transport<'a>, Malformed> {
        let layer = Layer::Ipv6;
        let mut protocol = self.next_header();
        let mut bytes = self.payload();
        let mut fragment = None;
        for _ in 0..=MAX_EXTENSIONS {
            let length = match protocol {
                FRAGMENT => {
                    enough(layer, bytes, 8)?;
                    let place = be16(bytes, 2);
                    let found =
                        Fragment { offset: place & !7, more: place & 1 != 0, id: be32(bytes, 4) };
                    if found.offset != 0 {
                        // What follows is the middle of the packet, whatever it looks like.
                        return Ok(Transport {
                            protocol: bytes[0],
                            bytes: &bytes[8..],
                            fragment: Some(found),
                        });
                    }
                    fragment = Some(found);
                    8
                }
                HOP_BY_HOP | ROUTING | DESTINATION_OPTIONS | MOBILITY | HIP | SHIM6 => {
                    enough(layer, bytes, 2)?;
                    (usize::from(bytes[1]) + 1) * 8
                }
                AUTHENTICATION => {
                    enough(layer, bytes, 2)?;
                    (usize::from(bytes[1]) + 2) * 4
                }
                _ => return Ok(Transport { protocol, bytes, fragment }),
            };
            enough(layer, bytes, length)?;
            protocol = bytes[0];
            bytes = &bytes[length..];
        }
        Err(Malformed::TooDeep { layer, most: MAX_EXTENSIONS })
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
    pub fn new(bytes: &'a mut [u8]) -> Result<Self, Malformed> {
        let length = View::new(bytes)?.bytes.len();
        Ok(Self { bytes: &mut bytes[..length] })
    }

    /// To read it.
    #[must_use]
    pub fn view(&self) -> View<'_> {
        View { bytes: self.bytes }
    }

    /// Takes one off the hop limit. Returns the new one; `None`, and no change, if it was 0.
    pub fn decrement_hop_limit(&mut self) -> Option<u8> {
        let new = self.bytes[field::HOP_LIMIT].checked_sub(1)?;
        self.bytes[field::HOP_LIMIT] = new;
        Some(new)
    }
}

/// The fixed header as a plain value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Who sends it.
    pub source: Ipv6Addr,
    /// Whom it is for.
    pub destination: Ipv6Addr,
    /// What follows.
    pub next_header: u8,
    /// How many hops it may take.
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
    #[must_use]
    pub fn length(&self) -> usize {
        HEADER_LEN
    }

    /// Writes the header to the beginning of `out`.
    ///
    /// # Errors
    /// [`EmitError`]: too small a buffer, a label over 20 bits, a payload over 65535 bytes.
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
        assert_eq!(transport.fragment, Some(Fragment { offset: 0, more: true, id: 9 }));
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
        assert_eq!(transport.fragment, Some(Fragment { offset: 8, more: false, id: 9 }));
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

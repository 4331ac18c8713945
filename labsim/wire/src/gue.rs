//! Generic UDP Encapsulation (draft-ietf-intarea-gue): what follows the UDP header. Variant 0 has a
//! header of four bytes; in variant 1 the IP packet follows at once, recognised by its first bits.

use crate::error::{enough, room};
use crate::udp;
use crate::{EmitError, Layer, Malformed, ipv4, ipv6, protocol};

/// The UDP port that IANA has registered.
pub const PORT: u16 = 6080;
/// Length of variant 0's header without optional fields, in bytes.
pub const HEADER_LEN: usize = 4;

/// A control message, whose contents are not an IP packet.
const CONTROL: u8 = 0x20;
/// Length of the optional fields, in words of four bytes.
const LENGTH: u8 = 0x1f;

/// What a UDP datagram carries, if it is GUE around an IP packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View<'a> {
    /// The header.
    pub header: Header,
    header_length: usize,
    bytes: &'a [u8],
}

impl<'a> View<'a> {
    /// Checks variant, flags and length of the payload of a UDP datagram.
    ///
    /// # Errors
    /// [`Malformed`], by what is wrong: a control message, a flag or another protocol than IP is
    /// [`Malformed::Field`].
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        let layer = Layer::Gue;
        enough(layer, bytes, HEADER_LEN)?;
        let field = |field, value: u8| Malformed::Field { layer, field, value: u32::from(value) };
        let (variant, ipv4, header_length) = match bytes[0] >> 4 {
            4 => (1, true, 0),
            6 => (1, false, 0),
            0..4 if bytes[0] & CONTROL != 0 => return Err(field("the control bit", 1)),
            0..4 if bytes[2..HEADER_LEN] != [0, 0] => {
                return Err(field("a flag", bytes[2] | bytes[3]));
            }
            0..4 => {
                let ipv4 = match bytes[1] {
                    protocol::IPIP => true,
                    protocol::IPV6 => false,
                    other => return Err(field("the protocol", other)),
                };
                (0, ipv4, HEADER_LEN + usize::from(bytes[0] & LENGTH) * 4)
            }
            _ => return Err(Malformed::Version { layer, version: bytes[0] >> 6 }),
        };
        enough(layer, bytes, header_length)?;
        Ok(Self { header: Header { variant, ipv4 }, header_length, bytes })
    }

    /// What `datagram` carries, if it is GUE beyond doubt, whatever its ports are: around an IP packet
    /// of exactly the length that there is, whose header is right.
    #[inline]
    #[must_use]
    pub fn recognise(datagram: &udp::View<'a>) -> Option<Self> {
        let view = Self::new(datagram.payload()).ok()?;
        let length = datagram.length().checked_sub(udp::HEADER_LEN + view.header_length)?;
        let is_packet = if view.header.ipv4 {
            let inner = ipv4::View::new_truncated(view.payload()).ok()?;
            inner.checksum_ok() && inner.total_length() == length
        } else {
            let inner = ipv6::View::new_truncated(view.payload()).ok()?;
            let known = inner.transport().is_ok_and(|it| protocol::name(it.protocol).is_some());
            known && inner.total_length() == length
        };
        is_packet.then_some(view)
    }

    /// The header's length in bytes; 0 in variant 1.
    #[inline]
    #[must_use]
    pub fn header_length(&self) -> usize {
        self.header_length
    }

    /// The IP packet.
    #[inline]
    #[must_use]
    pub fn payload(&self) -> &'a [u8] {
        &self.bytes[self.header_length..]
    }
}

/// A header as a plain value, without optional fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// 0, or 1: without a header.
    pub variant: u8,
    /// Whether the packet inside is IPv4; otherwise it is IPv6.
    pub ipv4: bool,
}

impl Header {
    /// Bytes that [`Self::emit`] writes.
    #[must_use]
    pub const fn length(&self) -> usize {
        if self.variant == 0 { HEADER_LEN } else { 0 }
    }

    /// Writes the header to the beginning of `out`.
    ///
    /// # Errors
    /// [`EmitError::NoRoom`].
    #[inline]
    pub fn emit(&self, out: &mut [u8]) -> Result<(), EmitError> {
        room(Layer::Gue, out, self.length())?;
        let protocol = if self.ipv4 { protocol::IPIP } else { protocol::IPV6 };
        let length = self.length();
        out[..length].copy_from_slice(&[0, protocol, 0, 0][..length]);
        Ok(())
    }
}

/// The UDP source port around a packet, 49152 to 65535 (RFC 7510 3): routers and network cards spread
/// flows by it. `addresses` are source and destination as the packet has them; `ports` both ports,
/// where there are any.
#[must_use]
#[inline]
pub fn source_port(protocol: u8, addresses: &[u8], ports: Option<&[u8]>) -> u16 {
    const FIRST: u16 = 0xc000;
    // Odd, and its bits without a pattern: 2^64 divided by the golden ratio.
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let words = addresses.chunks(4).chain(ports);
    let hash = words.fold(u64::from(protocol), |hash, word| {
        let word = word.iter().fold(0, |word, byte| word << 8 | u64::from(*byte));
        let product = (hash ^ word).wrapping_mul(FACTOR);
        product ^ product >> 32
    });
    // The product's highest bits depend on all of the hash's.
    FIRST | (hash.wrapping_mul(FACTOR) >> 50) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::{LinkType, Transport, decode};
    use etherparse::PacketBuilder;

    fn inner(ipv4: bool) -> Vec<u8> {
        let mut packet = Vec::new();
        let builder = match ipv4 {
            true => PacketBuilder::ipv4([192, 0, 2, 1], [192, 0, 2, 2], 9),
            false => PacketBuilder::ipv6([1; 16], [2; 16], 9),
        };
        builder.tcp(40_000, 49, 7, 512).write(&mut packet, b"hello").unwrap();
        packet
    }

    /// As etherparse has the outer headers.
    fn outer(ipv4: bool, carried: &[u8]) -> Vec<u8> {
        let mut packet = Vec::new();
        let builder = match ipv4 {
            true => PacketBuilder::ipv4([10, 0, 0, 1], [10, 0, 0, 2], 255),
            false => PacketBuilder::ipv6([3; 16], [4; 16], 255),
        };
        builder.udp(50_000, PORT).write(&mut packet, carried).unwrap();
        packet
    }

    fn carried(variant: u8, inner_ipv4: bool) -> Vec<u8> {
        let header = Header { variant, ipv4: inner_ipv4 };
        let mut bytes = vec![0xab; header.length()];
        header.emit(&mut bytes).unwrap();
        bytes.extend(inner(inner_ipv4));
        bytes
    }

    #[test]
    fn a_header_is_four_bytes_or_none() {
        assert_eq!(carried(0, true)[..5], [0, 4, 0, 0, 0x45]);
        assert_eq!(carried(0, false)[..5], [0, 41, 0, 0, 0x60]);
        assert_eq!(carried(1, true), inner(true));
        assert_eq!(carried(1, false), inner(false));
        let short = Header { variant: 0, ipv4: true }.emit(&mut [0; 3]);
        assert!(matches!(short, Err(EmitError::NoRoom { needed: 4, .. })));
    }

    #[test]
    fn packets_of_either_family_and_variant_are_seen_through() {
        for (outside, inside, variant) in
            (0..8).map(|bits| (bits & 1 == 0, bits & 2 == 0, bits >> 2))
        {
            let bytes = outer(outside, &carried(variant, inside));
            let decoded = decode(LinkType::Raw, &bytes, bytes.len());
            let packet = decoded.packet().unwrap();
            assert_eq!(packet.outermost.protocol, protocol::UDP, "{decoded}");
            assert_eq!(packet.ports(), Some((40_000, 49)), "{decoded}");
            let text = decoded.to_string();
            assert!(text.contains(" UDP 50000 > 6080 GUE "), "{text}");
            assert_eq!(crate::decode::payload(LinkType::Raw, &bytes), Some(&b"hello"[..]));
            // What an ICMP error quotes: both headers are there, and the end is not.
            let quoted = &bytes[..bytes.len() - 3];
            assert!(decode(LinkType::Raw, quoted, bytes.len()).outer().is_some());
        }
    }

    #[test]
    fn other_datagrams_are_not_taken_for_tunnel_packets() {
        let longer = [carried(0, true), vec![0]].concat();
        let mut checksum = carried(1, true);
        checksum[10] ^= 1;
        let mut unknown = carried(1, false);
        unknown[6] = 200;
        let mut control = carried(0, true);
        control[0] = CONTROL;
        let mut flag = carried(0, true);
        flag[3] = 1;
        let mut other = carried(0, true);
        other[1] = protocol::TCP;
        let mut version = carried(1, true);
        version[0] = 0x85;
        let texts: [&[u8]; 4] = [b"EHLO example.org", b"abcdefghij", &[0, 4, 0, 0], &[]];
        let made = [longer, checksum, unknown, control, flag, other, version];
        for bytes in made.iter().map(Vec::as_slice).chain(texts) {
            let bytes = outer(true, bytes);
            let decoded = decode(LinkType::Raw, &bytes, bytes.len());
            assert!(decoded.outer().is_none(), "{decoded}");
            assert!(matches!(decoded.packet().unwrap().transport, Transport::Udp(_)));
        }
    }

    #[test]
    fn optional_fields_are_read_over_and_have_to_be_there() {
        let mut bytes = vec![1, 4, 0, 0, 9, 9, 9, 9];
        assert_eq!(View::new(&bytes).map(|view| view.header_length()), Ok(8));
        bytes[0] = 2;
        assert!(matches!(View::new(&bytes), Err(Malformed::Truncated { needed: 12, .. })));
    }
}

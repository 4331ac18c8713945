//! Taking one outer header off: pure, on one packet's bytes.

use super::gre;
use super::protocol::Protocol;
use labsim_wire::checksum;

/// Why a packet does not come out of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing is inside.
    Truncated,
    /// The inner packet is not IPv4.
    NotIpv4,
    /// The GRE header is cut short or of a kind that is not taken.
    GreMalformed,
    /// The GRE key is not this end's.
    GreKey,
    /// The GRE checksum is wrong.
    GreChecksum,
    /// The GRE checksum is there where it should not be, or is not.
    GreChecksumUnwanted,
    /// RFC 6040's one drop.
    Ecn,
}

impl From<gre::Refusal> for Refusal {
    fn from(refusal: gre::Refusal) -> Self {
        match refusal {
            gre::Refusal::Malformed => Self::GreMalformed,
            gre::Refusal::Checksum => Self::GreChecksum,
            gre::Refusal::ChecksumUnwanted => Self::GreChecksumUnwanted,
            gre::Refusal::Key => Self::GreKey,
            gre::Refusal::NotIpv4 => Self::NotIpv4,
        }
    }
}

const ECN_MASK: u8 = 0b11;
const ECT_1: u8 = 0b01;
const ECT_0: u8 = 0b10;
const CE: u8 = 0b11;

/// Finds the inner packet in `packet` (outer header first), carries congestion marks over
/// (RFC 6040 4.2, as the kernel's `INET_ECN_decapsulate` does), and gives its place.
///
/// The inner header is not judged, and its checksum is kept in step: the kernel judges it when the
/// packet comes out of the device, and counts it where it belongs (`IpInHdrErrors`).
pub(super) fn take_off(
    protocol: Protocol,
    packet: &mut [u8],
) -> Result<std::ops::Range<usize>, Refusal> {
    let first = *packet.first().ok_or(Refusal::Truncated)?;
    let outer_length = usize::from(first & 0x0f) * 4;
    let outer_tos = *packet.get(1).ok_or(Refusal::Truncated)?;
    let carried = packet.get(outer_length..).ok_or(Refusal::Truncated)?;
    let start = outer_length
        + match protocol {
            Protocol::Ipip => 0,
            Protocol::Gre(expected) => gre::judge(expected, carried)?,
        };
    let inner = packet.get_mut(start..).ok_or(Refusal::Truncated)?;
    if inner.first().ok_or(Refusal::Truncated)? >> 4 != 4 {
        return Err(Refusal::NotIpv4);
    }
    let end = start + inner.len();
    if inner.len() < 20 {
        // No header that a mark could be in; the kernel counts it as truncated.
        return Ok(start..end);
    }
    let marked = combine_ecn(outer_tos, inner[1]).ok_or(Refusal::Ecn)?;
    if marked != inner[1] {
        let old = u16::from_be_bytes([inner[0], inner[1]]);
        let new = u16::from_be_bytes([inner[0], marked]);
        let check = u16::from_be_bytes([inner[10], inner[11]]);
        inner[1] = marked;
        inner[10..12].copy_from_slice(&checksum::update(check, old, new).to_be_bytes());
    }
    Ok(start..end)
}

/// The inner TOS after decapsulation, or `None` if the packet has to be dropped.
fn combine_ecn(outer: u8, inner: u8) -> Option<u8> {
    match (outer & ECN_MASK, inner & ECN_MASK) {
        (CE, 0) => None,
        (_, 0) => Some(inner),
        (CE, _) => Some(inner | CE),
        (ECT_1, ECT_0) => Some((inner & !ECN_MASK) | ECT_1),
        _ => Some(inner),
    }
}

#[cfg(test)]
mod tests {
    use super::{CE, ECT_0, ECT_1, Refusal, combine_ecn};
    use crate::decapsulate::{Gre, Protocol};

    fn take_off(packet: &mut [u8]) -> Result<std::ops::Range<usize>, Refusal> {
        super::take_off(Protocol::Ipip, packet)
    }

    fn sum(header: &[u8]) -> u16 {
        let mut sum: u32 =
            header.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    fn tunnelled(outer_tos: u8, inner_tos: u8) -> Vec<u8> {
        let mut inner = vec![0x45, inner_tos, 0, 24, 1, 2, 0x40, 0, 126, 6, 0, 0];
        inner.extend([192, 168, 11, 201, 172, 16, 4, 99]);
        let check = !sum(&inner);
        inner[10..12].copy_from_slice(&check.to_be_bytes());
        inner.extend([9, 8, 7, 6]);
        let mut packet = vec![0x45, outer_tos, 0, 44, 0, 0, 0x40, 0, 254, 4, 0, 0];
        packet.extend([192, 168, 11, 201, 10, 1, 1, 52]);
        packet.extend(inner);
        packet
    }

    #[test]
    fn the_inner_packet_is_found_unchanged_behind_the_outer_header() {
        let mut packet = tunnelled(0, 0x10);
        let before = packet.clone();
        assert_eq!(take_off(&mut packet), Ok(20..44));
        assert_eq!(packet, before);
    }

    #[test]
    fn an_outer_header_with_options_is_taken_off_whole() {
        let mut packet = tunnelled(0, 0);
        packet[0] = 0x46;
        packet.splice(20..20, [1, 1, 1, 1]);
        assert_eq!(take_off(&mut packet), Ok(24..48));
    }

    #[test]
    fn congestion_marks_follow_rfc_6040() {
        for other in [0, ECT_0, ECT_1] {
            assert_eq!(combine_ecn(other, 0xb8), Some(0xb8));
        }
        assert_eq!(combine_ecn(CE, 0xb8), None);
        assert_eq!(combine_ecn(CE, 0xb8 | ECT_0), Some(0xb8 | CE));
        assert_eq!(combine_ecn(CE, ECT_1), Some(CE));
        assert_eq!(combine_ecn(CE, CE), Some(CE));
        assert_eq!(combine_ecn(ECT_1, ECT_0), Some(ECT_1));
        assert_eq!(combine_ecn(ECT_0, ECT_1), Some(ECT_1));
        assert_eq!(combine_ecn(0, CE), Some(CE));
    }

    #[test]
    fn a_carried_over_mark_keeps_the_checksum_right() {
        for (outer, inner) in [(CE, ECT_0), (CE, 0xb8 | ECT_1), (ECT_1, ECT_0)] {
            let mut packet = tunnelled(outer, inner);
            let place = take_off(&mut packet).unwrap();
            assert_ne!(packet[place.start + 1], inner);
            assert_eq!(sum(&packet[place.start..place.start + 20]), 0xffff);
        }
        assert_eq!(take_off(&mut tunnelled(CE, 0)), Err(Refusal::Ecn));
    }

    #[test]
    fn what_is_no_ipv4_packet_stays_in_the_tunnel() {
        for length in 0..=20 {
            assert_eq!(take_off(&mut tunnelled(0, 0)[..length]), Err(Refusal::Truncated));
        }
        let mut six = tunnelled(0, 0);
        six[20] = 0x65;
        assert_eq!(take_off(&mut six), Err(Refusal::NotIpv4));
    }

    #[test]
    fn an_inner_header_that_lies_is_the_kernels_to_judge() {
        for (place, value) in [(20, 0x44), (20, 0x4f), (23, 19), (23, 25), (22, 1)] {
            let mut lying = tunnelled(0, 0);
            lying[place] = value;
            assert_eq!(take_off(&mut lying), Ok(20..44), "{place} {value}");
        }
        for length in 21..44 {
            assert_eq!(take_off(&mut tunnelled(3, 2)[..length]), Ok(20..length));
        }
    }

    #[test]
    fn a_gre_header_is_taken_off_with_the_outer_one_and_marks_are_carried_over() {
        let expected = Gre { key: Some(9), checksum: true };
        let header = labsim_wire::gre::Header {
            protocol: 0x0800,
            checksum: true,
            key: Some(9),
            sequence: None,
        };
        let mut packet = tunnelled(CE, ECT_0);
        packet.splice(20..20, [0; 12]);
        header.emit(&mut packet[20..]).unwrap();
        let place = super::take_off(Protocol::Gre(expected), &mut packet).unwrap();
        assert_eq!(place, 32..56);
        assert_eq!(packet[33] & CE, CE);
        assert_eq!(sum(&packet[32..52]), 0xffff);
        let other = Gre { key: Some(8), ..expected };
        assert!(super::take_off(Protocol::Gre(other), &mut packet).is_err());
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_the_place_is_inside(
            mut packet in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..128),
            gre: bool,
            head in proptest::collection::vec(proptest::prelude::any::<u8>(), 4),
        ) {
            let length = packet.len();
            if let Ok(place) = take_off(&mut packet) {
                assert!(!place.is_empty() && place.end <= length);
            }
            // Nearly right, so that what follows the headers is reached as well.
            if packet.len() > 24 {
                packet[0] = 0x45;
                packet[20..24].copy_from_slice(&head);
                packet[22..24].copy_from_slice(&[8, 0]);
            }
            let protocol = if gre { Protocol::Gre(Gre::default()) } else { Protocol::Ipip };
            if let Ok(place) = super::take_off(protocol, &mut packet) {
                assert!(place.start >= 20 && !place.is_empty() && place.end <= length);
            }
        }
    }
}

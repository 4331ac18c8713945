//! Taking one outer header off: pure, on one packet's bytes.

use super::gre;
use labsim_model::TunnelKind;
use labsim_wire::protocol::{IPIP, UDP};
use labsim_wire::{Malformed, checksum, gue, ipv4, ipv6, udp};
use std::ops::Range;

/// Why a packet does not come out of the tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nothing is inside, or the outer header's own length is less than a header has.
    Truncated,
    /// The inner packet is not of the family that the header in front says, or of neither.
    NotIp,
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
            gre::Refusal::NotIp => Self::NotIp,
        }
    }
}

const ECN_MASK: u8 = 0b11;
const ECT_1: u8 = 0b01;
const ECT_0: u8 = 0b10;
const CE: u8 = 0b11;

/// Finds the inner packet in `packet` (outer header first, of either family), carries congestion
/// marks over (RFC 6040 4.2, as the kernel's `INET_ECN_decapsulate` does), and gives its place.
/// `number` is the protocol in the outer header.
///
/// The inner header is not judged, and an IPv4 one's checksum is kept in step: the kernel judges it
/// when the packet comes out of the device, and counts it where it belongs (`IpInHdrErrors`).
pub(super) fn take_off(
    protocol: TunnelKind,
    number: u8,
    packet: &mut [u8],
) -> Result<Range<usize>, Refusal> {
    let &[first, second, ..] = &*packet else { return Err(Refusal::Truncated) };
    let outer_length =
        if protocol.outer_ipv4() { usize::from(first & 0x0f) * 4 } else { ipv6::HEADER_LEN };
    if outer_length < ipv4::MIN_HEADER_LEN {
        return Err(Refusal::Truncated);
    }
    let outer_tos = traffic_class([first, second]);
    let carried = packet.get(outer_length..).ok_or(Refusal::Truncated)?;
    let (header, version) = match protocol.gre() {
        Some(expected) => gre::judge(expected, carried)?,
        None if number == UDP => gue(protocol, carried)?,
        None if number == IPIP => (0, 4),
        None => (0, 6),
    };
    let start = outer_length + header;
    let inner = packet.get_mut(start..).ok_or(Refusal::Truncated)?;
    if inner.first().ok_or(Refusal::Truncated)? >> 4 != version {
        return Err(Refusal::NotIp);
    }
    let end = start + inner.len();
    let least = if version == 4 { ipv4::MIN_HEADER_LEN } else { ipv6::HEADER_LEN };
    if inner.len() < least {
        // No header that a mark could be in; the kernel counts it as truncated.
        return Ok(start..end);
    }
    let old = [inner[0], inner[1]];
    let inner_tos = traffic_class(old);
    let marked = combine_ecn(outer_tos, inner_tos).ok_or(Refusal::Ecn)?;
    if marked != inner_tos {
        mark(inner, marked);
        if version == 4 {
            let new = u16::from_be_bytes([inner[0], inner[1]]);
            let check = u16::from_be_bytes([inner[10], inner[11]]);
            let check = checksum::update(check, u16::from_be_bytes(old), new);
            inner[10..12].copy_from_slice(&check.to_be_bytes());
        }
    }
    Ok(start..end)
}

/// The length of the UDP and GUE headers, and the version of IP inside, of either variant.
fn gue(protocol: TunnelKind, datagram: &[u8]) -> Result<(usize, u8), Refusal> {
    let payload = datagram.get(udp::HEADER_LEN..).ok_or(Refusal::Truncated)?;
    let gue = gue::View::new(payload).map_err(|malformed| match malformed {
        Malformed::Truncated { .. } => Refusal::Truncated,
        _ => Refusal::NotIp,
    })?;
    // The kernel hands it to a device that takes this family.
    let takes = match gue.header.ipv4 {
        true => !matches!(protocol, TunnelKind::GueSit(_)),
        false => protocol.inner_ipv6(),
    };
    let version = if gue.header.ipv4 { 4 } else { 6 };
    takes.then_some((udp::HEADER_LEN + gue.header_length(), version)).ok_or(Refusal::NotIp)
}

/// IPv4's TOS, or IPv6's traffic class, of a header's first two bytes.
fn traffic_class([first, second]: [u8; 2]) -> u8 {
    if first >> 4 == 4 { second } else { first << 4 | second >> 4 }
}

/// Writes it into a header.
fn mark(header: &mut [u8], class: u8) {
    if header[0] >> 4 == 4 {
        header[1] = class;
    } else {
        header[0] = 0x60 | class >> 4;
        header[1] = class << 4 | header[1] & 0x0f;
    }
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
    use labsim_model::{GreOptions, TunnelKind};

    fn take_off(packet: &mut [u8]) -> Result<std::ops::Range<usize>, Refusal> {
        super::take_off(TunnelKind::Ipip, 4, packet)
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
        assert_eq!(take_off(&mut six), Err(Refusal::NotIp));
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
        let expected = GreOptions { key: Some(9), checksum: true };
        let header = labsim_wire::gre::Header {
            protocol: 0x0800,
            checksum: true,
            key: Some(9),
            sequence: None,
        };
        let mut packet = tunnelled(CE, ECT_0);
        packet.splice(20..20, [0; 12]);
        header.emit(&mut packet[20..]).unwrap();
        let place = super::take_off(TunnelKind::Gre(expected), 47, &mut packet).unwrap();
        assert_eq!(place, 32..56);
        assert_eq!(packet[33] & CE, CE);
        assert_eq!(sum(&packet[32..52]), 0xffff);
        let other = GreOptions { key: Some(8), ..expected };
        assert!(super::take_off(TunnelKind::Gre(other), 47, &mut packet).is_err());
    }

    /// One packet of 24 bytes of payload, as each family inside and outside has it.
    fn mixed(outer: u8, inner: u8, outer_class: u8, inner_class: u8) -> Vec<u8> {
        let header = |version: u8, class: u8, protocol: u8, length: usize| match version {
            4 => {
                let mut header = tunnelled(0, class)[20..40].to_vec();
                header[9] = protocol;
                header[10..12].copy_from_slice(&[0, 0]);
                let check = !sum(&header);
                header[10..12].copy_from_slice(&check.to_be_bytes());
                header
            }
            _ => {
                let mut header = vec![0; 40];
                labsim_wire::ipv6::Header {
                    source: "2001:db8::1".parse().unwrap(),
                    destination: "2001:db8::2".parse().unwrap(),
                    next_header: protocol,
                    hop_limit: 9,
                    traffic_class: class,
                    flow_label: 0x98765,
                    payload_length: length,
                }
                .emit(&mut header)
                .unwrap();
                header
            }
        };
        let inner_header = header(inner, inner_class, 17, 24);
        let number = if inner == 4 { 4 } else { 41 };
        let mut packet = header(outer, outer_class, number, inner_header.len() + 24);
        packet.extend(inner_header);
        packet.extend([7; 24]);
        packet
    }

    #[test]
    fn marks_are_carried_over_between_the_families() {
        for (protocol, outer, inner, number) in [
            (TunnelKind::Sit, 4, 6, 41),
            (TunnelKind::Ip6tnl, 6, 4, 4),
            (TunnelKind::Ip6tnl, 6, 6, 41),
        ] {
            let start = if outer == 4 { 20 } else { 40 };
            let mut packet = mixed(outer, inner, 0xb8 | CE, 0x50 | ECT_0);
            let length = packet.len();
            assert_eq!(super::take_off(protocol, number, &mut packet), Ok(start..length));
            assert_eq!(packet[start..], mixed(outer, inner, 0, 0x50 | CE)[start..]);
            let lost = &mut mixed(outer, inner, CE, 0x50);
            assert_eq!(super::take_off(protocol, number, lost), Err(Refusal::Ecn));
            // The number in the outer header says what has to be inside.
            let other = &mut mixed(outer, if inner == 4 { 6 } else { 4 }, 0, 0);
            assert_eq!(super::take_off(protocol, number, other), Err(Refusal::NotIp));
            for cut in 0..start {
                let packet = &mut mixed(outer, inner, 0, 0)[..cut];
                assert_eq!(super::take_off(protocol, number, packet), Err(Refusal::Truncated));
            }
        }
    }

    #[test]
    fn an_outer_header_that_says_it_is_shorter_than_one_is_refused() {
        for header_words in 0..5 {
            let mut packet = mixed(4, 4, 0, 0);
            assert!(take_off(&mut packet).is_ok());
            packet[0] = 0x40 | header_words;
            assert_eq!(take_off(&mut packet), Err(Refusal::Truncated));
        }
    }

    #[test]
    fn gre_says_which_family_is_inside_whatever_is_outside() {
        let expected = GreOptions { key: Some(9), checksum: false };
        for (outer, inner, ethertype) in
            [(4, 4, 0x0800), (4, 6, 0x86dd), (6, 4, 0x0800), (6, 6, 0x86dd)]
        {
            let start = if outer == 4 { 20 } else { 40 };
            let protocol = match outer {
                4 => TunnelKind::Gre(expected),
                _ => TunnelKind::Ip6gre(expected),
            };
            let with = |ethertype| {
                let mut packet = mixed(outer, inner, CE, ECT_1);
                let header = labsim_wire::gre::Header {
                    protocol: ethertype,
                    checksum: false,
                    key: Some(9),
                    sequence: None,
                };
                packet.splice(start..start, [0; 8]);
                header.emit(&mut packet[start..]).unwrap();
                packet
            };
            let mut packet = with(ethertype);
            let length = packet.len();
            assert_eq!(super::take_off(protocol, 47, &mut packet), Ok(start + 8..length));
            assert_eq!(packet[start + 8..], mixed(outer, inner, 0, CE)[start..]);
            let mut other = with(ethertype ^ 0x0800 ^ 0x86dd);
            assert_eq!(super::take_off(protocol, 47, &mut other), Err(Refusal::NotIp));
        }
    }

    proptest::proptest! {
        #[test]
        fn arbitrary_bytes_never_panic_and_the_place_is_inside(
            mut packet in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..128),
            kind in 0..5,
            head in proptest::collection::vec(proptest::prelude::any::<u8>(), 4),
        ) {
            let length = packet.len();
            if let Ok(place) = take_off(&mut packet) {
                assert!(place.start >= 20 && !place.is_empty() && place.end <= length);
            }
            // Nearly right, so that what follows the headers is reached as well.
            if packet.len() > 24 {
                packet[0] = 0x45;
                packet[20..24].copy_from_slice(&head);
                packet[22..24].copy_from_slice(&[8, 0]);
            }
            let any = GreOptions::default();
            let protocol = match kind {
                0 => TunnelKind::Ipip,
                1 => TunnelKind::Sit,
                2 => TunnelKind::Ip6tnl,
                3 => TunnelKind::Gre(any),
                _ => TunnelKind::Ip6gre(any),
            };
            for number in protocol.ip_protocols() {
                if let Ok(place) = super::take_off(protocol, *number, &mut packet) {
                    assert!(place.start >= 20 && !place.is_empty() && place.end <= length);
                }
            }
        }
    }
}

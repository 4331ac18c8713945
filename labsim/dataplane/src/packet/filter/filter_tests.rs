use super::instruction::{
    JUMP, JUMP_ANY_BIT, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD_BYTE,
    LOAD_BYTE_AFTER, LOAD_HALF, LOAD_HALF_AFTER, LOAD_HEADER_LENGTH, RETURN,
};
use super::*;
use labsim_forwarder::SnatPorts;
use std::net::{IpAddr, Ipv6Addr};

/// Runs a program as the kernel would: a load beyond the frame's end drops the frame.
fn result(program: &[Instruction], frame: &[u8], packet_type: u32, vlan: u32) -> u32 {
    let (mut at, mut loaded, mut index) = (0, 0, 0);
    loop {
        let Instruction { code, jump_true, jump_false, value } = program[at];
        at += 1;
        match (code, value) {
            (LOAD_WORD, PACKET_TYPE) => loaded = packet_type,
            (LOAD_WORD, VLAN_TAG_PRESENT) => loaded = vlan,
            (LOAD_HEADER_LENGTH, offset) => {
                let Some(byte) = frame.get(offset as usize) else { return 0 };
                index = usize::from(byte & 0xf) * 4;
            }
            (LOAD_WORD | LOAD_HALF | LOAD_BYTE | LOAD_HALF_AFTER | LOAD_BYTE_AFTER, offset) => {
                let (length, after) = match code {
                    LOAD_WORD => (4, 0),
                    LOAD_HALF => (2, 0),
                    LOAD_BYTE => (1, 0),
                    LOAD_HALF_AFTER => (2, index),
                    _ => (1, index),
                };
                let offset = offset as usize + after;
                let Some(bytes) = frame.get(offset..offset + length) else { return 0 };
                loaded = bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
            }
            (JUMP_EQUAL | JUMP_GREATER | JUMP_GREATER_OR_EQUAL | JUMP_ANY_BIT, value) => {
                let holds = match code {
                    JUMP_EQUAL => loaded == value,
                    JUMP_GREATER => loaded > value,
                    JUMP_GREATER_OR_EQUAL => loaded >= value,
                    _ => loaded & value != 0,
                };
                at += usize::from(if holds { jump_true } else { jump_false });
            }
            (JUMP, value) => at += value as usize,
            (RETURN, value) => return value,
            other => panic!("{other:?} is not a known instruction"),
        }
    }
}

fn passes(program: &[Instruction], frame: &[u8], packet_type: u32, vlan: u32) -> bool {
    result(program, frame, packet_type, vlan) != 0
}

fn rx_filter(whole: &[[u8; 4]], shared: &[[u8; 4]]) -> RxFilter {
    RxFilter {
        owned: whole.iter().map(|address| IpAddr::from(*address)).collect(),
        kept_from_host: Vec::new(),
        shared: shared.iter().map(|address| IpAddr::from(*address)).collect(),
        tunnel_sources: Vec::new(),
        ports: SnatPorts::default(),
    }
}

fn ipv4(destination: [u8; 4]) -> Vec<u8> {
    let mut frame = vec![0; 54];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[30..34].copy_from_slice(&destination);
    frame
}

/// To an address, of a protocol, with two words at the place of the ports, behind options of
/// some length.
fn packet(destination: [u8; 4], protocol: u8, words: [u16; 2], options: u8) -> Vec<u8> {
    let mut frame = ipv4(destination);
    frame[14] = 0x45 + options;
    frame[23] = protocol;
    let at = 34 + usize::from(options) * 4;
    frame.resize(at + 20, 0);
    frame[at..at + 2].copy_from_slice(&words[0].to_be_bytes());
    frame[at + 2..at + 4].copy_from_slice(&words[1].to_be_bytes());
    frame
}

#[test]
fn only_arp_and_packets_to_the_vips_pass() {
    let program = program(&rx_filter(&[[172, 16, 4, 99], [172, 16, 4, 100]], &[]));
    assert!(passes(&program, &ipv4([172, 16, 4, 99]), 0, 0));
    assert!(passes(&program, &ipv4([172, 16, 4, 100]), 0, 0));
    assert!(!passes(&program, &ipv4([172, 16, 4, 101]), 0, 0));
    let mut arp = vec![0; 42];
    arp[12..14].copy_from_slice(&[8, 6]);
    assert!(passes(&program, &arp, 1, 0));
    let mut ipv6 = ipv4([172, 16, 4, 99]);
    ipv6[12..14].copy_from_slice(&[0x86, 0xdd]);
    assert!(!passes(&program, &ipv6, 0, 0));
}

#[test]
fn frames_for_others_and_tagged_frames_do_not_pass() {
    let program = program(&rx_filter(&[[172, 16, 4, 99]], &[]));
    assert!(!passes(&program, &ipv4([172, 16, 4, 99]), OTHER_HOST, 0));
    assert!(!passes(&program, &ipv4([172, 16, 4, 99]), 0, 1));
    assert!(!passes(&program, &ipv4([172, 16, 4, 99])[..33], 0, 0));
}

#[test]
fn of_a_shared_address_only_translated_ports_and_icmp_errors_pass() {
    const OWN: [u8; 4] = [10, 9, 9, 2];
    let rx_filter = rx_filter(&[[172, 16, 4, 99]], &[[10, 9, 9, 7], OWN, [10, 9, 9, 8]]);
    let ring = program(&rx_filter);
    let silence = drop_translated(ethertype::IPV4, &rx_filter).unwrap();
    for (protocol, words, passed, dropped) in [
        (6, [49, 60_999], false, false),
        (6, [49, 61_000], true, true),
        (6, [49, 64_999], true, true),
        (6, [49, 65_000], false, false),
        (6, [61_000, 49], false, false),
        (17, [1812, 61_001], true, true),
        (1, [0x0300, 0], true, false),
        (1, [0x0b00, 0], true, false),
        (1, [0x0c00, 0], true, false),
        (1, [0x0800, 61_000], false, false),
        (1, [0x0000, 61_000], false, false),
        (47, [0, 61_000], false, false),
    ] {
        for options in [0, 10] {
            let frame = packet(OWN, protocol, words, options);
            assert_eq!(passes(&ring, &frame, 0, 0), passed, "{protocol} {words:?}");
            let expected = if dropped { DROP } else { GO_ON };
            assert_eq!(result(&silence, &frame, 0, 0), expected, "{protocol} {words:?}");
            assert_eq!(result(&silence, &frame, 0, 1), GO_ON, "a VLAN's");
        }
        let elsewhere = packet([10, 9, 9, 3], protocol, words, 0);
        assert_eq!(result(&silence, &elsewhere, 0, 0), GO_ON);
        assert!(!passes(&ring, &elsewhere, 0, 0));
        let vip = packet([172, 16, 4, 99], protocol, words, 0);
        assert_eq!(result(&silence, &vip, 0, 0), GO_ON);
        assert!(passes(&ring, &vip, 0, 0));
    }
    let mut fragment = packet(OWN, 6, [49, 61_000], 0);
    for (flags, passed, dropped) in [([0x20, 0], true, true), ([0, 1], true, false)] {
        fragment[20..22].copy_from_slice(&flags);
        assert_eq!(passes(&ring, &fragment, 0, 0), passed, "{flags:?}");
        let expected = if dropped { DROP } else { GO_ON };
        assert_eq!(result(&silence, &fragment, 0, 0), expected, "{flags:?}");
    }
    fragment[23] = 1;
    assert!(!passes(&ring, &fragment, 0, 0), "ICMP's are the kernel's");
}

#[test]
fn of_a_tunnels_source_only_icmp_errors_pass() {
    const OWN: [u8; 4] = [10, 9, 9, 2];
    for shared in [&[][..], &[[10, 9, 9, 7]], &[OWN]] {
        let tunnel_sources = vec![[10, 9, 9, 6].into(), OWN.into()];
        let rx_filter = RxFilter { tunnel_sources, ..rx_filter(&[[172, 16, 4, 99]], shared) };
        let ring = program(&rx_filter);
        for (protocol, words, passed) in [
            (1, [0x0300, 0], true),
            (1, [0x0b00, 0], true),
            (1, [0x0c00, 0], true),
            (1, [0x0800, 0], false),
            (6, [49, 61_000], shared == [OWN]),
            (17, [49, 0], false),
            (4, [0x4500, 0], false),
        ] {
            let frame = packet(OWN, protocol, words, 3);
            assert_eq!(passes(&ring, &frame, 0, 0), passed, "{protocol} {words:?}");
            assert!(!passes(&ring, &packet([10, 9, 9, 3], protocol, words, 0), 0, 0));
            assert!(passes(&ring, &packet([172, 16, 4, 99], protocol, words, 0), 0, 0));
        }
        let mut later = packet(OWN, 1, [0x0300, 0], 0);
        later[21] = 1;
        assert!(!passes(&ring, &later, 0, 0));
    }
}

#[test]
fn without_a_shared_address_nothing_is_dropped() {
    assert_eq!(drop_translated(ethertype::IPV4, &rx_filter(&[[1, 2, 3, 4]], &[])), None);
}

#[test]
fn more_addresses_than_a_program_can_hold_let_all_ipv4_pass() {
    let many: Vec<[u8; 4]> = (0..5000u32).map(u32::to_be_bytes).collect();
    let program = program(&rx_filter(&many, &[]));
    assert!(program.len() < 4096);
    assert!(passes(&program, &ipv4([1, 2, 3, 4]), 0, 0));
    let program = super::program(&rx_filter(&many[..1900], &many[2000..2200]));
    assert!(program.len() < 4096);
    assert!(!passes(&program, &ipv4([1, 2, 3, 4]), 0, 0));
    assert!(passes(&program, &packet(many[2000], 6, [0, 61_000], 0), 0, 0));
    assert!(passes(&program, &packet(many[2199], 6, [0, 61_000], 0), 0, 0));
}

const VIP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 0x99);
const OWN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 4, 0, 0, 0, 0, 0x10);

/// To an address, with that next header and a byte at the place of ICMPv6's type.
fn ipv6(destination: Ipv6Addr, next_header: u8, kind: u8) -> Vec<u8> {
    let mut frame = vec![0; 14 + 40 + 20];
    frame[12..14].copy_from_slice(&[0x86, 0xdd]);
    frame[14] = 0x60;
    frame[20] = next_header;
    frame[38..54].copy_from_slice(&destination.octets());
    frame[54] = kind;
    frame
}

fn rx_filter6(whole: &[Ipv6Addr], tunnel_sources: &[Ipv6Addr]) -> RxFilter {
    let ip = |address: &Ipv6Addr| IpAddr::from(*address);
    let mut rx_filter = rx_filter(&[[172, 16, 4, 99]], &[]);
    rx_filter.owned.extend(whole.iter().map(ip));
    rx_filter.tunnel_sources.extend(tunnel_sources.iter().map(ip));
    rx_filter
}

#[test]
fn of_ipv6_only_packets_to_the_vips_neighbour_discovery_and_tunnel_errors_pass() {
    let other = |index: u32| Ipv6Addr::from_bits(VIP6.to_bits() ^ 1 << (32 * index));
    let program = program(&rx_filter6(&[other(0), VIP6], &[other(1), OWN6]));
    for next_header in [0, 6, 17, 44, 58, 60] {
        assert!(passes(&program, &ipv6(VIP6, next_header, 128), 0, 0), "{next_header}");
        assert!(!passes(&program, &ipv6(VIP6, next_header, 128), OTHER_HOST, 0));
        assert!(!passes(&program, &ipv6(VIP6, next_header, 128), 0, 1));
    }
    // An address that differs in any of its words is another one.
    assert!(passes(&program, &ipv6(other(0), 6, 0), 0, 0));
    for index in 1..4 {
        assert!(!passes(&program, &ipv6(other(index), 6, 0), 0, 0), "{index}");
    }
    let nodes: Ipv6Addr = "ff02::1:ff00:99".parse().unwrap();
    for (kind, found, error) in [
        (0, false, false),
        (1, false, true),
        (4, false, true),
        (5, false, false),
        (128, false, false),
        (134, false, false),
        (135, true, false),
        (136, true, false),
        (137, false, false),
    ] {
        assert_eq!(passes(&program, &ipv6(nodes, 58, kind), 2, 0), found, "{kind}");
        assert_eq!(passes(&program, &ipv6(OWN6, 58, kind), 0, 0), found || error, "{kind}");
        assert_eq!(passes(&program, &ipv6(other(1), 58, kind), 0, 0), found || error, "{kind}");
        assert!(!passes(&program, &ipv6(OWN6, 6, kind), 0, 0), "{kind}");
    }
    assert!(passes(&program, &ipv4([172, 16, 4, 99]), 0, 0));
    assert!(!passes(&program, &ipv4([172, 16, 4, 98]), 0, 0));
}

#[test]
fn of_a_shared_address_of_ipv6_only_translated_ports_fragments_and_errors_pass() {
    let other = Ipv6Addr::from_bits(OWN6.to_bits() ^ 1);
    let mut rx_filter = rx_filter6(&[VIP6], &[OWN6]);
    rx_filter.shared.extend([other, OWN6].map(IpAddr::from));
    let ring = program(&rx_filter);
    let silence = drop_translated(ethertype::IPV6, &rx_filter).unwrap();
    let judged = |frame: &[u8], passed: bool, dropped: bool, what: &str| {
        assert_eq!(passes(&ring, frame, 0, 0), passed, "{what}");
        let expected = if dropped { DROP } else { GO_ON };
        assert_eq!(result(&silence, frame, 0, 0), expected, "{what}");
    };
    for own in [other, OWN6] {
        for next_header in [6, 17] {
            for (port, is_ours) in
                [(60_999u16, false), (61_000, true), (64_999, true), (65_000, false), (49, false)]
            {
                let mut frame = ipv6(own, next_header, 0xf0);
                frame[56..58].copy_from_slice(&port.to_be_bytes());
                judged(&frame, is_ours, is_ours, &format!("{next_header} {port}"));
            }
        }
        judged(&ipv6(own, 44, 6), true, false, "a fragment");
        for (kind, is_error) in [(0, false), (1, true), (4, true), (5, false), (128, false)] {
            judged(&ipv6(own, 58, kind), is_error, false, &format!("type {kind}"));
        }
        judged(&ipv6(own, 47, 0), false, false, "GRE");
    }
    let elsewhere = Ipv6Addr::from_bits(OWN6.to_bits() ^ 2);
    let mut frame = ipv6(elsewhere, 6, 0);
    frame[56..58].copy_from_slice(&61_000u16.to_be_bytes());
    judged(&frame, false, false, "another's address");
}

#[test]
fn without_an_address_of_ipv6_nothing_of_it_passes() {
    let program = program(&rx_filter(&[[172, 16, 4, 99]], &[]));
    assert!(!passes(&program, &ipv6(VIP6, 58, 135), 2, 0));
    assert!(!passes(&program, &ipv6(VIP6, 6, 0), 0, 0));
}

#[test]
fn more_addresses_of_ipv6_than_there_is_room_for_let_all_of_it_pass() {
    let many: Vec<Ipv6Addr> = (0..460).map(|bits| Ipv6Addr::from_bits(bits << 7)).collect();
    for (count, sorted) in [(400, true), (460, false)] {
        let program = program(&rx_filter6(&many[..count], &[]));
        assert!(program.len() < 4096);
        assert!(passes(&program, &ipv6(many[count - 1], 6, 0), 0, 0));
        assert_eq!(passes(&program, &ipv6(VIP6, 6, 0), 0, 0), !sorted, "{count}");
        assert!(!passes(&program, &ipv4([172, 16, 4, 98]), 0, 0));
    }
}

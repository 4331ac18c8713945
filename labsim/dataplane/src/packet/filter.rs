//! The kernel's part of the choice: a classic BPF program that lets through only what the
//! forwarder may care about, so that all other traffic costs it nothing; and one that keeps the
//! kernel itself from what is the forwarder's alone ([`crate::silence`]).

use labsim_forwarder::{SnatPorts, Takes};
use labsim_wire::protocol;
use std::net::{IpAddr, Ipv4Addr};

/// One instruction, as `struct sock_filter` (linux/filter.h) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) jump_true: u8,
    pub(crate) jump_false: u8,
    pub(crate) value: u32,
}

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const LOAD_BYTE: u16 = 0x30;
/// Relative to the IPv4 header's length, which is in the index register.
const LOAD_HALF_AFTER: u16 = 0x48;
const LOAD_BYTE_AFTER: u16 = 0x50;
/// Loads four times a byte's lower half into the index register.
const LOAD_HEADER_LENGTH: u16 = 0xb1;
const JUMP_EQUAL: u16 = 0x15;
const JUMP_GREATER: u16 = 0x25;
const JUMP_GREATER_OR_EQUAL: u16 = 0x35;
const JUMP_ANY_BIT: u16 = 0x45;
const RETURN: u16 = 0x06;
/// Jumps over as many instructions as its value says.
const JUMP: u16 = 0x05;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE` and `SKF_AD_VLAN_TAG_PRESENT`.
const PACKET_TYPE: u32 = (-0x1000i32 + 4) as u32;
const VLAN_TAG_PRESENT: u32 = (-0x1000i32 + 48) as u32;
/// A frame to another host (`PACKET_OTHERHOST`): a bridge floods what it has not learned yet.
const OTHER_HOST: u32 = 3;
const ETHERTYPE: u32 = 12;
const IPV4: u32 = 14;
const IPV4_FRAGMENT: u32 = IPV4 + 6;
const FRAGMENT_OFFSET: u32 = 0x1fff;
const IPV4_PROTOCOL: u32 = IPV4 + 9;
const IPV4_DESTINATION: u32 = IPV4 + 16;
const WHOLE: u32 = u32::MAX;
/// `BPF_MAXINSNS` is 4096; beyond this many VIPs the engine sorts out itself.
const MOST_VIPS: usize = 1_900;
/// The jumps from shared addresses reach no further.
const MOST_SHARED: usize = 200;
/// `TC_ACT_SHOT` and `TC_ACT_UNSPEC` (linux/pkt_cls.h).
const DROP: u32 = 2;
const GO_ON: u32 = u32::MAX;

/// ARP, and IPv4 that the engine takes; frames to this host, broadcast or multicast, without a
/// VLAN tag.
pub(crate) fn program(takes: &Takes) -> Vec<Instruction> {
    let [vips, shared, tunnels] =
        [&takes.whole, &takes.shared, &takes.tunnel_sources].map(|all| of_ipv4(all));
    let mut program = vec![
        load(LOAD_WORD, PACKET_TYPE),
        unless(OTHER_HOST),
        give(0),
        load(LOAD_WORD, VLAN_TAG_PRESENT),
        when(0),
        give(0),
        load(LOAD_HALF, ETHERTYPE),
        unless(0x0806),
        give(WHOLE),
        when(0x0800),
        give(0),
    ];
    if vips.len() > MOST_VIPS || shared.len().max(tunnels.len()) > MOST_SHARED {
        program.push(give(WHOLE));
        return program;
    }
    program.push(load(LOAD_WORD, IPV4_DESTINATION));
    for vip in vips {
        program.push(unless(vip.to_bits()));
        program.push(give(WHOLE));
    }
    own(&mut program, &shared, Taken::Translated(takes.ports), WHOLE, 0);
    own(&mut program, &tunnels, Taken::Errors, WHOLE, 0);
    program.push(give(0));
    program
}

/// A program for the traffic control of the interface (cls_bpf): drops TCP and UDP that is for the
/// shared addresses' translated ports, and says nothing about anything else. `None` if there is no
/// such address, or if there are too many.
pub(crate) fn drop_translated(takes: &Takes) -> Option<Vec<Instruction>> {
    let shared = of_ipv4(&takes.shared);
    if shared.is_empty() || shared.len() > MOST_SHARED {
        return None;
    }
    let mut program = vec![
        load(LOAD_WORD, VLAN_TAG_PRESENT),
        when(0),
        give(GO_ON),
        load(LOAD_HALF, ETHERTYPE),
        when(0x0800),
        give(GO_ON),
        load(LOAD_WORD, IPV4_DESTINATION),
    ];
    own(&mut program, &shared, Taken::Ports(takes.ports), DROP, GO_ON);
    program.push(give(GO_ON));
    Some(program)
}

fn of_ipv4(addresses: &[IpAddr]) -> Vec<Ipv4Addr> {
    let ipv4 = |address: &IpAddr| match address {
        IpAddr::V4(address) => Some(*address),
        IpAddr::V6(_) => None,
    };
    addresses.iter().filter_map(ipv4).collect()
}

/// What is the forwarder's of what comes to an address of the interface's own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Taken {
    /// TCP and UDP to these ports.
    Ports(SnatPorts),
    /// That, ICMP errors, and later fragments of TCP and UDP: whose they are, the engine knows.
    Translated(SnatPorts),
    /// ICMP errors.
    Errors,
}

/// With the destination address loaded: gives `hit` for what is the forwarder's on these addresses,
/// and `miss` for everything else to them. What is to other addresses goes on behind it.
fn own(program: &mut Vec<Instruction>, addresses: &[Ipv4Addr], taken: Taken, hit: u32, miss: u32) {
    const HIT: u8 = 17;
    const MISS: u8 = 16;
    let (ports, errors, later) = match taken {
        Taken::Ports(ports) => (Some(ports), false, false),
        Taken::Translated(ports) => (Some(ports), true, true),
        Taken::Errors => (None, true, false),
    };
    // Each jumps over the addresses after it, and over the jump of those that are not here.
    for (after, address) in (0..addresses.len() as u8).rev().zip(addresses) {
        program.push(jump(JUMP_EQUAL, address.to_bits(), after + 1, 0));
    }
    program.push(Instruction { code: JUMP, value: u32::from(HIT) + 1, ..give(0) });
    let to = |from: u8, place: u8| place - from - 1;
    let (first, last) = ports.map_or((1, 0), |ports| (ports.first.into(), ports.last.into()));
    let [icmp, tcp, udp] = [protocol::ICMP, protocol::TCP, protocol::UDP].map(u32::from);
    let with_ports = if ports.is_some() { 5 } else { MISS };
    program.extend([
        load(LOAD_HEADER_LENGTH, IPV4),
        load(LOAD_BYTE, IPV4_PROTOCOL),
        jump(JUMP_EQUAL, icmp, to(2, if errors { 10 } else { MISS }), 0),
        jump(JUMP_EQUAL, tcp, to(3, with_ports), 0),
        jump(JUMP_EQUAL, udp, to(4, with_ports), to(4, MISS)),
        // A later fragment, or the destination port.
        load(LOAD_HALF, IPV4_FRAGMENT),
        jump(JUMP_ANY_BIT, FRAGMENT_OFFSET, to(6, if later { HIT } else { MISS }), 0),
        load(LOAD_HALF_AFTER, IPV4 + 2),
        jump(JUMP_GREATER_OR_EQUAL, first, 0, to(8, MISS)),
        jump(JUMP_GREATER, last, to(9, MISS), to(9, HIT)),
        // No fragment, and a type: unreachable, time exceeded, parameter problem.
        load(LOAD_HALF, IPV4_FRAGMENT),
        jump(JUMP_ANY_BIT, FRAGMENT_OFFSET, to(11, MISS), 0),
        load(LOAD_BYTE_AFTER, IPV4),
        jump(JUMP_EQUAL, 3, to(13, HIT), 0),
        jump(JUMP_EQUAL, 11, to(14, HIT), 0),
        jump(JUMP_EQUAL, 12, to(15, HIT), to(15, MISS)),
        give(miss),
        give(hit),
    ]);
}

const fn load(code: u16, value: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, value }
}

const fn jump(code: u16, value: u32, jump_true: u8, jump_false: u8) -> Instruction {
    Instruction { code, jump_true, jump_false, value }
}

/// Runs the next instruction only if what was loaded is `value`.
const fn unless(value: u32) -> Instruction {
    Instruction { code: JUMP_EQUAL, jump_true: 0, jump_false: 1, value }
}

/// Leaves the next instruction out if what was loaded is `value`.
const fn when(value: u32) -> Instruction {
    Instruction { code: JUMP_EQUAL, jump_true: 1, jump_false: 0, value }
}

const fn give(value: u32) -> Instruction {
    Instruction { code: RETURN, jump_true: 0, jump_false: 0, value }
}

#[cfg(test)]
mod tests {
    use super::*;

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
                other => panic!("{other:?} is no instruction of ours"),
            }
        }
    }

    fn passes(program: &[Instruction], frame: &[u8], packet_type: u32, vlan: u32) -> bool {
        result(program, frame, packet_type, vlan) != 0
    }

    fn takes(whole: &[[u8; 4]], shared: &[[u8; 4]]) -> Takes {
        Takes {
            whole: whole.iter().map(|address| IpAddr::from(*address)).collect(),
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
        let program = program(&takes(&[[172, 16, 4, 99], [172, 16, 4, 100]], &[]));
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
        let program = program(&takes(&[[172, 16, 4, 99]], &[]));
        assert!(!passes(&program, &ipv4([172, 16, 4, 99]), OTHER_HOST, 0));
        assert!(!passes(&program, &ipv4([172, 16, 4, 99]), 0, 1));
        assert!(!passes(&program, &ipv4([172, 16, 4, 99])[..33], 0, 0));
    }

    #[test]
    fn of_a_shared_address_only_translated_ports_and_icmp_errors_pass() {
        const OWN: [u8; 4] = [10, 9, 9, 2];
        let takes = takes(&[[172, 16, 4, 99]], &[[10, 9, 9, 7], OWN, [10, 9, 9, 8]]);
        let ring = program(&takes);
        let silence = drop_translated(&takes).unwrap();
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
            let takes = Takes { tunnel_sources, ..takes(&[[172, 16, 4, 99]], shared) };
            let ring = program(&takes);
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
        assert_eq!(drop_translated(&takes(&[[1, 2, 3, 4]], &[])), None);
    }

    #[test]
    fn more_addresses_than_a_program_can_hold_let_all_ipv4_pass() {
        let many: Vec<[u8; 4]> = (0..5000u32).map(u32::to_be_bytes).collect();
        let program = program(&takes(&many, &[]));
        assert!(program.len() < 4096);
        assert!(passes(&program, &ipv4([1, 2, 3, 4]), 0, 0));
        let program = super::program(&takes(&many[..1900], &many[2000..2200]));
        assert!(program.len() < 4096);
        assert!(!passes(&program, &ipv4([1, 2, 3, 4]), 0, 0));
        assert!(passes(&program, &packet(many[2000], 6, [0, 61_000], 0), 0, 0));
        assert!(passes(&program, &packet(many[2199], 6, [0, 61_000], 0), 0, 0));
    }
}

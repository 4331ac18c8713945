//! The kernel's part of the choice: a classic BPF program that lets through only what the
//! forwarder may care about, so that all other traffic costs it nothing.

use std::net::{IpAddr, Ipv4Addr};

/// One instruction, as `struct sock_filter` (linux/filter.h) has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u16,
    jump_true: u8,
    jump_false: u8,
    value: u32,
}

const LOAD_WORD: u16 = 0x20;
const LOAD_HALF: u16 = 0x28;
const JUMP_EQUAL: u16 = 0x15;
const RETURN: u16 = 0x06;
/// `SKF_AD_OFF + SKF_AD_PKTTYPE` and `SKF_AD_VLAN_TAG_PRESENT`.
const PACKET_TYPE: u32 = (-0x1000i32 + 4) as u32;
const VLAN_TAG_PRESENT: u32 = (-0x1000i32 + 48) as u32;
/// A frame to another host (`PACKET_OTHERHOST`): a bridge floods what it has not learned yet.
const OTHER_HOST: u32 = 3;
const ETHERTYPE: u32 = 12;
const IPV4_DESTINATION: u32 = 14 + 16;
const WHOLE: u32 = u32::MAX;
/// `BPF_MAXINSNS` is 4096; beyond this many VIPs the engine sorts out itself.
const MOST_VIPS: usize = 2_000;

/// ARP, and IPv4 to one of `vips`; frames to this host, broadcast or multicast, without a VLAN
/// tag.
pub(crate) fn program(vips: &[IpAddr]) -> Vec<Instruction> {
    let vips: Vec<Ipv4Addr> = vips
        .iter()
        .filter_map(|vip| match vip {
            IpAddr::V4(vip) => Some(*vip),
            IpAddr::V6(_) => None,
        })
        .collect();
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
    if vips.len() > MOST_VIPS {
        program.push(give(WHOLE));
        return program;
    }
    program.push(load(LOAD_WORD, IPV4_DESTINATION));
    for vip in vips {
        program.push(unless(vip.to_bits()));
        program.push(give(WHOLE));
    }
    program.push(give(0));
    program
}

const fn load(code: u16, value: u32) -> Instruction {
    Instruction { code, jump_true: 0, jump_false: 0, value }
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
    use super::{
        Instruction, JUMP_EQUAL, LOAD_HALF, LOAD_WORD, OTHER_HOST, PACKET_TYPE, RETURN,
        VLAN_TAG_PRESENT, program,
    };
    use std::net::IpAddr;

    /// Runs a program as the kernel would: a load beyond the frame's end drops the frame.
    fn passes(program: &[Instruction], frame: &[u8], packet_type: u32, vlan: u32) -> bool {
        let (mut at, mut loaded) = (0, 0);
        loop {
            let instruction = program[at];
            at += 1;
            match (instruction.code, instruction.value) {
                (LOAD_WORD, PACKET_TYPE) => loaded = packet_type,
                (LOAD_WORD, VLAN_TAG_PRESENT) => loaded = vlan,
                (LOAD_WORD | LOAD_HALF, offset) => {
                    let length = if instruction.code == LOAD_WORD { 4 } else { 2 };
                    let offset = offset as usize;
                    let Some(bytes) = frame.get(offset..offset + length) else { return false };
                    loaded = bytes.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte));
                }
                (JUMP_EQUAL, value) => {
                    let jump = if loaded == value {
                        instruction.jump_true
                    } else {
                        instruction.jump_false
                    };
                    at += usize::from(jump);
                }
                (RETURN, value) => return value != 0,
                other => panic!("{other:?} is no instruction of ours"),
            }
        }
    }

    fn ipv4(destination: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![0; 54];
        frame[12..14].copy_from_slice(&[8, 0]);
        frame[30..34].copy_from_slice(&destination);
        frame
    }

    #[test]
    fn only_arp_and_packets_to_the_vips_pass() {
        let vips: Vec<IpAddr> = vec![[172, 16, 4, 99].into(), [172, 16, 4, 100].into()];
        let program = program(&vips);
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
        let program = program(&[[172, 16, 4, 99].into()]);
        assert!(!passes(&program, &ipv4([172, 16, 4, 99]), OTHER_HOST, 0));
        assert!(!passes(&program, &ipv4([172, 16, 4, 99]), 0, 1));
        assert!(!passes(&program, &ipv4([172, 16, 4, 99])[..33], 0, 0));
    }

    #[test]
    fn more_vips_than_a_program_can_hold_let_all_ipv4_pass() {
        let vips: Vec<IpAddr> =
            (0..5000u32).map(|n| std::net::Ipv4Addr::from_bits(n).into()).collect();
        let program = program(&vips);
        assert!(program.len() < 4096);
        assert!(passes(&program, &ipv4([1, 2, 3, 4]), 0, 0));
    }
}

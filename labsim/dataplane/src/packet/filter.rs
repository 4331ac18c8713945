//! The kernel's part of the choice: a classic BPF program that lets through only what the
//! forwarder may care about, so that all other traffic costs it nothing; and one that keeps the
//! kernel itself from what is the forwarder's alone ([`crate::kernel_rst_filter`]).

mod instruction;
mod ipv4;
mod ipv6;

#[cfg(test)]
mod filter_tests;

use instruction::{LOAD_HALF, LOAD_WORD, give, load, over, unless, when};
use labsim_forwarder::RxFilter;
use labsim_sys::filter::{Instruction, MAX_INSTRUCTIONS};
use labsim_wire::ethernet::{self, ethertype};

/// `SKF_AD_OFF + SKF_AD_PKTTYPE`, `SKF_AD_MARK` and `SKF_AD_VLAN_TAG_PRESENT`.
const PACKET_TYPE: u32 = (-0x1000i32 + 4) as u32;
const MARK: u32 = (-0x1000i32 + 20) as u32;
const VLAN_TAG_PRESENT: u32 = (-0x1000i32 + 48) as u32;
/// A frame to another host (`PACKET_OTHERHOST`): a bridge floods what it has not learned yet.
const OTHER_HOST: u32 = 3;
const ETHERTYPE: u32 = 12;
/// Where the IP header begins.
const PACKET: u32 = ethernet::HEADER_LEN as u32;
/// How much of a frame is let through.
const WHOLE: u32 = u32::MAX;
const NOTHING: u32 = 0;
/// `TC_ACT_SHOT` and `TC_ACT_UNSPEC` (linux/pkt_cls.h).
const DROP: u32 = 2;
const GO_ON: u32 = u32::MAX;

/// ARP, neighbour discovery, and IP that the engine takes; frames to this host, broadcast or
/// multicast, without a VLAN tag.
pub(crate) fn program(rx_filter: &RxFilter) -> Vec<Instruction> {
    let ipv4 = ipv4::program(rx_filter);
    let mut program = vec![
        load(LOAD_WORD, PACKET_TYPE),
        unless(OTHER_HOST),
        give(NOTHING),
        load(LOAD_WORD, VLAN_TAG_PRESENT),
        when(0),
        give(NOTHING),
        load(LOAD_HALF, ETHERTYPE),
        unless(ethertype::ARP.into()),
        give(WHOLE),
        unless(ethertype::IPV6.into()),
        over(ipv4.len() as u32 + 2),
        when(ethertype::IPV4.into()),
        give(NOTHING),
    ];
    program.extend(ipv4);
    let room = MAX_INSTRUCTIONS - program.len();
    program.extend(ipv6::program(rx_filter, room));
    program
}

/// Whole packets of that protocol and with that mark (`SO_MARK`, socket(7)), and nothing else.
pub(crate) fn only_marked(ethertype: u16, mark: u32) -> Vec<Instruction> {
    marked(ethertype, mark, WHOLE, NOTHING)
}

/// A program for the traffic control of an interface (cls_bpf): drops these packets.
pub(crate) fn drop_marked(ethertype: u16, mark: u32) -> Vec<Instruction> {
    marked(ethertype, mark, DROP, GO_ON)
}

fn marked(ethertype: u16, mark: u32, hit: u32, miss: u32) -> Vec<Instruction> {
    vec![
        load(LOAD_HALF, ETHERTYPE),
        when(ethertype.into()),
        give(miss),
        load(LOAD_WORD, MARK),
        unless(mark),
        give(hit),
        give(miss),
    ]
}

/// A program for the traffic control of the interface (cls_bpf): drops TCP and UDP of that protocol that
/// is for the shared addresses' translated ports, and says nothing about anything else. `None` if there is
/// no such address, or if there are too many.
pub(crate) fn drop_translated(ethertype: u16, rx_filter: &RxFilter) -> Option<Vec<Instruction>> {
    let translated = match ethertype {
        ethertype::IPV4 => ipv4::translated(rx_filter, DROP, GO_ON)?,
        _ => ipv6::translated(rx_filter, DROP, GO_ON)?,
    };
    let mut program = vec![
        load(LOAD_WORD, VLAN_TAG_PRESENT),
        when(0),
        give(GO_ON),
        load(LOAD_HALF, ETHERTYPE),
        when(ethertype.into()),
        give(GO_ON),
    ];
    program.extend(translated);
    program.push(give(GO_ON));
    Some(program)
}

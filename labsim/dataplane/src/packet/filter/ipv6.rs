//! IPv6: packets to VIPs, neighbour discovery, errors about tunnel packets, and answers to translated ones.

use super::instruction::{
    JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD_BYTE, LOAD_HALF, LOAD_WORD, give, jump,
    load, unless,
};
use super::{NOTHING, PACKET, WHOLE};
use labsim_forwarder::{RxFilter, SnatPorts};
use labsim_sys::filter::{Instruction, MAX_INSTRUCTIONS};
use labsim_wire::protocol;
use std::net::{IpAddr, Ipv6Addr};

const NEXT_HEADER: u32 = PACKET + 6;
const DESTINATION: u32 = PACKET + 24;
/// ICMPv6's type, where no extension header comes before it: neighbour discovery has none, and
/// errors from others are left to the kernel.
const ICMP_TYPE: u32 = PACKET + 40;
/// Parameter problem, the last of the errors that are in use (RFC 4443 2.1).
const LAST_ERROR: u32 = 4;
/// RFC 4861 4.3 and 4.4.
const SOLICITATION: u32 = 135;
const ADVERTISEMENT: u32 = 136;

/// What the engine takes, of an IPv6 packet, in at most so many instructions; ends with a result.
pub(super) fn program(rx_filter: &RxFilter, room: usize) -> Vec<Instruction> {
    let [vips, shared, tunnels] =
        [&rx_filter.owned, &rx_filter.shared, &rx_filter.tunnel_sources].map(|all| of_ipv6(all));
    if vips.is_empty() && shared.is_empty() && tunnels.is_empty() {
        return vec![give(NOTHING)];
    }
    let mut program = vec![
        load(LOAD_BYTE, NEXT_HEADER),
        jump(JUMP_EQUAL, protocol::ICMPV6.into(), 0, 4),
        load(LOAD_BYTE, ICMP_TYPE),
        jump(JUMP_EQUAL, SOLICITATION, 1, 0),
        unless(ADVERTISEMENT),
        give(WHOLE),
    ];
    for vip in vips {
        to(&mut program, vip, &[give(WHOLE)]);
    }
    // An address may be both, and then the errors are among what is taken of the first.
    for own in &shared {
        to(&mut program, *own, &translated_to_own(rx_filter.ports, true, WHOLE, NOTHING));
    }
    for tunnel in tunnels.into_iter().filter(|tunnel| !shared.contains(tunnel)) {
        let errors = [
            load(LOAD_BYTE, NEXT_HEADER),
            jump(JUMP_EQUAL, protocol::ICMPV6.into(), 0, 4),
            load(LOAD_BYTE, ICMP_TYPE),
            jump(JUMP_EQUAL, 0, 2, 0),
            jump(JUMP_GREATER, LAST_ERROR, 1, 0),
            give(WHOLE),
            give(NOTHING),
        ];
        to(&mut program, tunnel, &errors);
    }
    program.push(give(NOTHING));
    // With more addresses than there is room for, the engine sorts out itself.
    if program.len() > room.min(MAX_INSTRUCTIONS) { vec![give(WHOLE)] } else { program }
}

/// Gives `hit` for TCP and UDP to the shared addresses' translated ports, and goes on behind it
/// with everything else; `None` if there is no such address, or if there are too many.
pub(super) fn translated(rx_filter: &RxFilter, hit: u32, miss: u32) -> Option<Vec<Instruction>> {
    let shared = of_ipv6(&rx_filter.shared);
    let mut program = Vec::new();
    for own in &shared {
        to(&mut program, *own, &translated_to_own(rx_filter.ports, false, hit, miss));
    }
    let fits = !shared.is_empty() && program.len() < MAX_INSTRUCTIONS / 2;
    fits.then_some(program)
}

/// What is the forwarder's of what comes to an address of the interface's own: TCP and UDP to these ports
/// and, where wanted, ICMPv6 errors and fragments: whose they are, the engine knows.
fn translated_to_own(ports: SnatPorts, others: bool, hit: u32, miss: u32) -> [Instruction; 15] {
    const FRAGMENT: u32 = 44;
    let [icmp, tcp, udp] = [protocol::ICMPV6, protocol::TCP, protocol::UDP].map(u32::from);
    let (first, last) = (u32::from(ports.first), u32::from(ports.last));
    let other = if others { hit } else { miss };
    [
        load(LOAD_BYTE, NEXT_HEADER),
        jump(JUMP_EQUAL, tcp, 1, 0),
        jump(JUMP_EQUAL, udp, 0, 5),
        // The destination port, where no extension header comes before it.
        load(LOAD_HALF, ICMP_TYPE + 2),
        jump(JUMP_GREATER_OR_EQUAL, first, 0, 2),
        jump(JUMP_GREATER, last, 1, 0),
        give(hit),
        give(miss),
        jump(JUMP_EQUAL, FRAGMENT, 4, 0),
        jump(JUMP_EQUAL, icmp, 0, 4),
        load(LOAD_BYTE, ICMP_TYPE),
        jump(JUMP_EQUAL, 0, 2, 0),
        jump(JUMP_GREATER, LAST_ERROR, 1, 0),
        give(other),
        give(miss),
    ]
}

/// Goes on with `then` for packets to that address, and behind it with others. The last word is
/// looked at first, because that is where addresses differ.
fn to(program: &mut Vec<Instruction>, address: Ipv6Addr, then: &[Instruction]) {
    let bits = address.to_bits();
    let after = then.len() as u8;
    for word in (0..4u8).rev() {
        let value = (bits >> (96 - 32 * u32::from(word))) as u32;
        program.push(load(LOAD_WORD, DESTINATION + 4 * u32::from(word)));
        program.push(jump(JUMP_EQUAL, value, 0, 2 * word + after));
    }
    program.extend_from_slice(then);
}

fn of_ipv6(addresses: &[IpAddr]) -> Vec<Ipv6Addr> {
    let ipv6 = |address: &IpAddr| match address {
        IpAddr::V6(address) => Some(*address),
        IpAddr::V4(_) => None,
    };
    addresses.iter().filter_map(ipv6).collect()
}

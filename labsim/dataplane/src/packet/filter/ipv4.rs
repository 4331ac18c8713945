//! IPv4: packets to VIPs, and what is the forwarder's of what comes to addresses of the
//! interface's own.

use super::instruction::{
    JUMP_ANY_BIT, JUMP_EQUAL, JUMP_GREATER, JUMP_GREATER_OR_EQUAL, LOAD_BYTE, LOAD_BYTE_AFTER,
    LOAD_HALF, LOAD_HALF_AFTER, LOAD_HEADER_LENGTH, LOAD_WORD, give, jump, load, over, unless,
};
use super::{NOTHING, PACKET, WHOLE};
use labsim_forwarder::{RxFilter, SnatPorts};
use labsim_sys::filter::Instruction;
use labsim_wire::protocol;
use std::net::{IpAddr, Ipv4Addr};

const FRAGMENT: u32 = PACKET + 6;
const FRAGMENT_OFFSET: u32 = 0x1fff;
const PROTOCOL: u32 = PACKET + 9;
const DESTINATION: u32 = PACKET + 16;
/// Beyond this many VIPs the engine sorts out itself.
const MOST_VIPS: usize = 1_900;
/// The jumps from the interface's own addresses reach no further.
const MOST_OWN: usize = 200;

/// What the engine takes, of an IPv4 packet; ends with a result.
pub(super) fn program(rx_filter: &RxFilter) -> Vec<Instruction> {
    let [vips, shared, tunnels] =
        [&rx_filter.owned, &rx_filter.shared, &rx_filter.tunnel_sources].map(|all| of_ipv4(all));
    if vips.len() > MOST_VIPS || shared.len().max(tunnels.len()) > MOST_OWN {
        return vec![give(WHOLE)];
    }
    let mut program = vec![load(LOAD_WORD, DESTINATION)];
    for vip in vips {
        program.push(unless(vip.to_bits()));
        program.push(give(WHOLE));
    }
    own(&mut program, &shared, Taken::Translated(rx_filter.ports), WHOLE, NOTHING);
    own(&mut program, &tunnels, Taken::Errors, WHOLE, NOTHING);
    program.push(give(NOTHING));
    program
}

/// Gives `hit` for TCP and UDP to the shared addresses' translated ports, and goes on behind it
/// with everything else; `None` if there is no such address, or if there are too many.
pub(super) fn translated(rx_filter: &RxFilter, hit: u32, miss: u32) -> Option<Vec<Instruction>> {
    let shared = of_ipv4(&rx_filter.shared);
    if shared.is_empty() || shared.len() > MOST_OWN {
        return None;
    }
    let mut program = vec![load(LOAD_WORD, DESTINATION)];
    own(&mut program, &shared, Taken::Ports(rx_filter.ports), hit, miss);
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
    program.push(over(u32::from(HIT) + 1));
    let to = |from: u8, place: u8| place - from - 1;
    let (first, last) = ports.map_or((1, 0), |ports| (ports.first.into(), ports.last.into()));
    let [icmp, tcp, udp] = [protocol::ICMP, protocol::TCP, protocol::UDP].map(u32::from);
    let with_ports = if ports.is_some() { 5 } else { MISS };
    program.extend([
        load(LOAD_HEADER_LENGTH, PACKET),
        load(LOAD_BYTE, PROTOCOL),
        jump(JUMP_EQUAL, icmp, to(2, if errors { 10 } else { MISS }), 0),
        jump(JUMP_EQUAL, tcp, to(3, with_ports), 0),
        jump(JUMP_EQUAL, udp, to(4, with_ports), to(4, MISS)),
        // A later fragment, or the destination port.
        load(LOAD_HALF, FRAGMENT),
        jump(JUMP_ANY_BIT, FRAGMENT_OFFSET, to(6, if later { HIT } else { MISS }), 0),
        load(LOAD_HALF_AFTER, PACKET + 2),
        jump(JUMP_GREATER_OR_EQUAL, first, 0, to(8, MISS)),
        jump(JUMP_GREATER, last, to(9, MISS), to(9, HIT)),
        // No fragment, and a type: unreachable, time exceeded, parameter problem.
        load(LOAD_HALF, FRAGMENT),
        jump(JUMP_ANY_BIT, FRAGMENT_OFFSET, to(11, MISS), 0),
        load(LOAD_BYTE_AFTER, PACKET),
        jump(JUMP_EQUAL, 3, to(13, HIT), 0),
        jump(JUMP_EQUAL, 11, to(14, HIT), 0),
        jump(JUMP_EQUAL, 12, to(15, HIT), to(15, MISS)),
        give(miss),
        give(hit),
    ]);
}

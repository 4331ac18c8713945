//! The ways that packets leave, in the program's map: link-layer addresses, and a tunnel's headers.

use crate::layout::{PathValue, Writer};
use labsim_forwarder::{GreOptions, OffloadPath, OffloadTunnel, TunnelProtocol};
use labsim_model::GueOptions;
use labsim_wire::ethernet::ethertype;
use labsim_wire::{gre, gue, ipv4, ipv6, protocol, udp};

/// Bits of `flags` in `struct path`.
const OUTER_IPV4: u32 = 1;
const OUTER_IPV6: u32 = 2;
const OUTER_SOURCE: u32 = 4;
const OUTER_TOS: u32 = 8;
const GUE: u32 = 16;
const CHECKSUM: u32 = 32;

/// `BPF_F_ADJ_ROOM_*` (linux/bpf.h). Segments were compared with the MTU, so they keep their size.
const FIXED_GSO: u64 = 1;
const ENCAP_L3_IPV4: u64 = 1 << 1;
const ENCAP_L3_IPV6: u64 = 1 << 2;
const ENCAP_L4_GRE: u64 = 1 << 3;
const ENCAP_L4_UDP: u64 = 1 << 4;

/// Where UDP has its destination port.
const UDP_DESTINATION: usize = 2;

pub(crate) fn encode(path: &OffloadPath) -> PathValue {
    let Some(tunnel) = path.tunnel else {
        let header = Writer::new().u64(0).u32(0).u32(0).u32(0).u32(path.mtu.into()).u32(0);
        let empty = header.bytes(&[0; 8]).bytes(&[0; 24]).bytes(&[0; 32]);
        return empty.bytes(&path.next_hop.0).bytes(&path.own.0).finish();
    };
    let outer_ipv4 = tunnel.destination.is_ipv4();
    let between = tunnel.protocol.header_length();
    let outer = if outer_ipv4 { ipv4::MIN_HEADER_LEN } else { ipv6::HEADER_LEN };
    let bit = |bit, is_set| if is_set { bit } else { 0 };
    let sums = match tunnel.protocol {
        TunnelProtocol::Ipip => false,
        TunnelProtocol::Gre(options) => options.checksum,
        TunnelProtocol::Gue(_) => !outer_ipv4,
    };
    let source = tunnel.source.filter(|source| source.is_ipv4() == outer_ipv4);
    let flags = (if outer_ipv4 { OUTER_IPV4 } else { OUTER_IPV6 })
        | bit(OUTER_SOURCE, source.is_some())
        | bit(OUTER_TOS, tunnel.tos.is_some())
        | bit(GUE, matches!(tunnel.protocol, TunnelProtocol::Gue(_)))
        | bit(CHECKSUM, sums);
    let room = FIXED_GSO
        | if outer_ipv4 { ENCAP_L3_IPV4 } else { ENCAP_L3_IPV6 }
        | match tunnel.protocol {
            TunnelProtocol::Ipip => 0,
            TunnelProtocol::Gre(_) => ENCAP_L4_GRE,
            TunnelProtocol::Gue(_) => ENCAP_L4_UDP,
        };
    let [v4, v6] = [true, false].map(|inner_ipv4| between_headers(&tunnel, inner_ipv4));
    Writer::new()
        .u64(room)
        .u32(flags)
        .u32((outer + between) as u32)
        .u32(between as u32)
        .u32(path.mtu.into())
        .u32(tunnel.tos.unwrap_or_default().into())
        .u32(v4.0.into())
        .u32(v6.0.into())
        .bytes(&v4.1)
        .bytes(&v6.1)
        .address(source)
        .address(Some(tunnel.destination))
        .bytes(&path.next_hop.0)
        .bytes(&path.own.0)
        .finish()
}

/// The outer header's protocol, and the bytes between it and a packet of one family, as far as
/// they are the same for all.
fn between_headers(tunnel: &OffloadTunnel, inner_ipv4: bool) -> (u8, [u8; 12]) {
    let mut bytes = [0; 12];
    let inner = if inner_ipv4 { protocol::IPIP } else { protocol::IPV6 };
    let outer = match tunnel.protocol {
        TunnelProtocol::Ipip => inner,
        TunnelProtocol::Gre(GreOptions { key, checksum }) => {
            let protocol = if inner_ipv4 { ethertype::IPV4 } else { ethertype::IPV6 };
            let header = gre::Header { protocol, checksum, key, sequence: None };
            // There is room for the longest.
            let _ = header.emit(&mut bytes);
            protocol::GRE
        }
        TunnelProtocol::Gue(GueOptions { port, variant }) => {
            bytes[UDP_DESTINATION..][..2].copy_from_slice(&port.to_be_bytes());
            let header = gue::Header { variant, ipv4: inner_ipv4 };
            let _ = header.emit(&mut bytes[udp::HEADER_LEN..]);
            protocol::UDP
        }
    };
    (outer, bytes)
}

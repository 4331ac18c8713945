//! Tunnels of switches that mirror a port: the frame inside is what was on the wire.
//!
//! ERSPAN types I to III (draft-foschiano-erspan, Linux' `net/erspan.h`) and plain Ethernet in GRE.

use labsim_wire::{ethernet::ethertype, gre, ipv4, ipv6, protocol};

/// Ethernet in GRE (RFC 1701's "transparent Ethernet bridging").
const BRIDGING: u16 = 0x6558;
/// ERSPAN types I and II.
const ERSPAN: u16 = 0x88be;
/// ERSPAN type III.
const ERSPAN_III: u16 = 0x22eb;

/// Where the mirrored Ethernet frame begins, in the bytes of an IP packet.
pub(crate) fn inside(ethertype: u16, bytes: &[u8]) -> Option<usize> {
    let (protocol, carried) = match ethertype {
        ethertype::IPV4 => {
            let view = ipv4::View::new_truncated(bytes).ok()?;
            let is_fragment = view.more_fragments() || view.fragment_offset() != 0;
            (!is_fragment).then(|| (view.protocol(), view.payload()))?
        }
        ethertype::IPV6 => {
            let transport = ipv6::View::new_truncated(bytes).ok()?.transport().ok()?;
            transport.fragment.is_none().then_some((transport.protocol, transport.bytes))?
        }
        _ => return None,
    };
    if protocol != protocol::GRE {
        return None;
    }
    let view = gre::View::new(carried).ok()?;
    let mirrored = view.payload();
    let header = match view.protocol() {
        BRIDGING => 0,
        // Type I has neither a sequence number nor a header of its own.
        ERSPAN if view.sequence().is_none() => 0,
        ERSPAN => 8,
        // The last bit of 12 bytes tells of 8 more.
        ERSPAN_III if mirrored.get(11)? & 1 == 1 => 20,
        ERSPAN_III => 12,
        _ => return None,
    };
    let frame = mirrored.get(header..)?;
    // Trailers follow an IP packet: its end is not that of `bytes`.
    let start = frame.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    (start <= bytes.len()).then_some(start)
}

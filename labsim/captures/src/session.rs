//! Messages of TACACS+ in TCP segments (RFC 8907, 4.1).

use crate::datagram::innermost;
use crate::packet::{Packet, Transport};

const PORT: u16 = 49;
/// Authentication, authorization, accounting.
const KINDS: std::ops::RangeInclusive<u8> = 1..=3;
const MAJOR_VERSION: u8 = 0xc;

/// The session of the message that begins with a segment's payload.
pub(crate) fn session(packet: &Packet, network: &[u8]) -> Option<u32> {
    let Transport::Tcp(tcp) = &packet.transport else { return None };
    if tcp.ports.0 != Some(PORT) && tcp.ports.1 != Some(PORT) {
        return None;
    }
    let segment = innermost(packet, network)?;
    let data = segment.get(usize::from(*segment.get(12)? >> 4) * 4..)?;
    let &[version, kind, number, _, first, second, third, fourth, ..] = data else { return None };
    (version >> 4 == MAJOR_VERSION && KINDS.contains(&kind) && number > 0)
        .then(|| u32::from_be_bytes([first, second, third, fourth]))
}

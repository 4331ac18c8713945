//! What the first fragment of a tunnel's packet says of the packet inside.
//!
//! Fragments of the outer packet hide the inner one from its second fragment on; the first one has its headers,
//! and so all that identifies it.

use labsim_wire::protocol;

/// The bytes of an IPv4 packet of a tunnel's first fragment, as if the rest had not been captured. `None` if they
/// are none.
pub(crate) fn whole(network: &[u8]) -> Option<Vec<u8>> {
    let first = *network.first()?;
    let header = usize::from(first & 15) * 4;
    let place = word(network, 6)?;
    let (is_first, more) = (place & 0x1fff == 0, place & 0x2000 != 0);
    if first >> 4 != 4 || header < 20 || !is_first || !more {
        return None;
    }
    let length = usize::from(word(network, 2)?).min(network.len());
    let fragment = network.get(..length)?;
    let inside = match *network.get(9)? {
        protocol::IPIP | protocol::IPV6 => header,
        protocol::GRE => {
            // Checksum, key and sequence number, each of four bytes (RFC 2784, RFC 2890).
            let flags = *network.get(header)?;
            header + 4 + [0x80, 0x20, 0x10].iter().filter(|flag| flags & **flag != 0).count() * 4
        }
        _ => return None,
    };
    let inner = match fragment.get(inside)? >> 4 {
        4 => usize::from(word(fragment, inside + 2)?),
        6 => usize::from(word(fragment, inside + 4)?) + 40,
        _ => return None,
    };
    let total = u16::try_from(inside + inner).ok()?;
    let mut bytes = fragment.to_vec();
    bytes.get_mut(2..4)?.copy_from_slice(&total.to_be_bytes());
    *bytes.get_mut(6)? &= !0x20;
    Some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

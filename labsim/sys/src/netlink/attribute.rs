//! Attributes (netlink(7)) that the netlink-packet crates have no types for.

use super::ALIGNMENT;
use netlink_packet_core::Emitable;

pub use netlink_packet_core::DefaultNla;

/// `NLA_F_NESTED` (linux/netlink.h).
const NESTED: u16 = 0x8000;
/// What an attribute's kind holds beside two flags (`NLA_TYPE_MASK`, linux/netlink.h).
const TYPE_MASK: u16 = 0x3fff;

/// An attribute with these bytes.
#[must_use]
pub fn plain(kind: u16, value: &[u8]) -> DefaultNla {
    DefaultNla::new(kind, value.to_vec())
}

/// An attribute of attributes.
#[must_use]
pub fn nested(kind: u16, inside: &[DefaultNla]) -> DefaultNla {
    DefaultNla::new(kind | NESTED, encode(inside))
}

/// The bytes of attributes one after the other, each padded.
#[must_use]
pub fn encode(attributes: &[DefaultNla]) -> Vec<u8> {
    let mut bytes = vec![0; attributes.buffer_len()];
    attributes.emit(&mut bytes);
    bytes
}

/// The value of the first attribute of a kind.
#[must_use]
pub fn find(attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    each(attributes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

/// The kind and the value of each attribute, up to the first that is not whole.
pub fn each(mut attributes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(attributes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(attributes.get(2..4)?.try_into().ok()?);
        let value = attributes.get(4..length)?;
        attributes = attributes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default();
        Some((kind & TYPE_MASK, value))
    })
}

#[cfg(test)]
mod tests {
    use super::{each, encode, find, nested, plain};

    #[test]
    fn lengths_are_those_of_what_is_inside_and_values_are_found_again() {
        let bytes = encode(&[plain(9, &[1; 3]), nested(2, &[plain(1, b"abc")])]);
        let half = |at: usize| u16::from_ne_bytes(bytes[at..at + 2].try_into().unwrap());
        assert_eq!(bytes.len(), 8 + 12);
        assert_eq!((half(0), half(2), &bytes[4..8]), (7, 9, &[1, 1, 1, 0][..]));
        assert_eq!((half(8), half(10)), (12, 0x8002));
        assert_eq!((half(12), half(14), &bytes[16..20]), (7, 1, &b"abc\0"[..]));
        assert_eq!(find(find(&bytes, 2).unwrap(), 1), Some(&b"abc"[..]));
        assert_eq!(find(&bytes, 3), None);
        assert_eq!(each(&bytes).map(|(kind, _)| kind).collect::<Vec<_>>(), [9, 2]);
        assert_eq!(each(&bytes[..19]).count(), 1, "the last one is cut");
    }
}

//! Which fragments of IPv4 packets were captured, and whether those of a packet are all of it (RFC 791, 3.2).

use std::collections::BTreeMap;

/// Packets in fragments that are followed at most; further ones are not.
const MAX_PACKETS: usize = 1 << 16;
/// Pieces of one packet that are followed at most: each is 8 bytes long at least, and as a rule as long as a frame.
const MAX_PIECES: usize = 64;

/// Fragments at capture points. Packets are told apart by point, addresses, protocol and identification; one that uses
/// them again may hide that another lacks a fragment, and never shows it falsely.
#[derive(Debug, Default)]
pub struct Fragments {
    packets: BTreeMap<Key, Pieces>,
}

/// A point, an identification, a protocol, and both addresses.
type Key = (usize, u16, u8, [u8; 8]);

#[derive(Debug, Default)]
struct Pieces {
    /// The rows of first fragments.
    rows: Vec<usize>,
    /// From and to, in bytes of the packet's payload.
    ranges: Vec<(usize, usize)>,
    /// The payload's length, once the last fragment was seen.
    length: Option<usize>,
}

impl Fragments {
    /// Takes a packet's bytes from its IP header on, if it is a fragment. `row` is its place among those that are
    /// explained, if it has one.
    pub fn add(&mut self, point: usize, network: &[u8], row: Option<usize>) {
        let Some((key, range, is_last)) = fragment(point, network) else { return };
        if self.packets.len() >= MAX_PACKETS && !self.packets.contains_key(&key) {
            return;
        }
        let pieces = self.packets.entry(key).or_default();
        if range.0 == 0 {
            pieces.rows.extend(row);
        }
        if is_last {
            pieces.length = Some(range.1);
        }
        if pieces.ranges.len() < MAX_PIECES {
            pieces.ranges.push(range);
        } else {
            // What is not followed is not called incomplete.
            pieces.rows.clear();
        }
    }

    /// The rows of packets of which not all fragments were captured.
    pub fn incomplete(&self) -> impl Iterator<Item = usize> {
        self.packets.values().filter(|it| !it.is_complete()).flat_map(|it| it.rows.iter().copied())
    }
}

impl Pieces {
    fn is_complete(&self) -> bool {
        let mut ranges = self.ranges.clone();
        ranges.sort_unstable();
        let reach =
            |to: usize, range: &(usize, usize)| if range.0 <= to { to.max(range.1) } else { to };
        let to = ranges.iter().fold(0, reach);
        self.length.is_some_and(|length| to >= length)
    }
}

/// A fragment's packet, its place in that, and whether it is the last; `None` of what is whole.
fn fragment(point: usize, network: &[u8]) -> Option<(Key, (usize, usize), bool)> {
    let word = |at: usize| {
        network.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes).map(usize::from)
    };
    let first = usize::from(*network.first()?);
    let place = word(6)?;
    let (from, has_more) = ((place & 0x1fff) * 8, place & 0x2000 != 0);
    if first >> 4 != 4 || from == 0 && !has_more {
        return None;
    }
    let length = word(2)?.checked_sub((first & 15) * 4)?;
    let id = u16::try_from(word(4)?).ok()?;
    let addresses = network.get(12..20)?.try_into().ok()?;
    Some(((point, id, *network.get(9)?, addresses), (from, from + length), !has_more))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A fragment with `length` bytes behind its header, from `from` on.
    fn piece(id: u8, from: u16, length: u16, has_more: bool) -> Vec<u8> {
        let place = (from / 8) | if has_more { 0x2000 } else { 0 };
        let mut bytes = vec![0x45, 0];
        bytes.extend((20 + length).to_be_bytes());
        bytes.extend([0, id]);
        bytes.extend(place.to_be_bytes());
        bytes.extend([64, 4, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
        bytes
    }

    fn incomplete(pieces: &[(usize, Vec<u8>)]) -> Vec<usize> {
        let mut fragments = Fragments::default();
        for (row, (point, bytes)) in pieces.iter().enumerate() {
            fragments.add(*point, bytes, Some(row));
        }
        fragments.incomplete().collect()
    }

    #[test]
    fn a_packet_is_incomplete_where_a_fragment_is_missing_in_any_order() {
        let (first, middle, last) =
            (piece(1, 0, 800, true), piece(1, 800, 800, true), piece(1, 1600, 100, false));
        for all in [[&first, &middle, &last], [&last, &first, &middle]] {
            assert!(incomplete(&all.map(|it| (0, it.clone()))).is_empty());
        }
        let of = |pieces: &[&Vec<u8>]| {
            incomplete(&pieces.iter().map(|it| (0, (*it).clone())).collect::<Vec<_>>())
        };
        assert_eq!(of(&[&first]), [0]);
        assert_eq!(of(&[&first, &last]), [0]);
        assert_eq!(of(&[&first, &middle]), [0]);
        // No first fragment, no row.
        assert!(of(&[&middle, &last]).is_empty());
    }

    #[test]
    fn points_and_identifications_are_apart_and_whole_packets_are_none() {
        let (first, last) = (piece(1, 0, 800, true), piece(1, 800, 100, false));
        assert_eq!(incomplete(&[(0, first.clone()), (1, last.clone())]), [0]);
        assert_eq!(incomplete(&[(0, first), (0, piece(2, 800, 100, false))]), [0]);
        assert!(incomplete(&[(0, piece(3, 0, 100, false)), (0, vec![0x45])]).is_empty());
    }
}

use super::*;
use crate::packet::Transport;
use std::collections::BTreeSet;

/// A fragment with `length` bytes behind its header, from `from` on.
fn piece(id: u8, from: u16, length: u16, has_more: bool) -> Vec<u8> {
    let data: Vec<u8> = (0..length).map(|at| (from + at).to_le_bytes()[0]).collect();
    v4(id, from, &data, has_more)
}

fn v4(id: u8, from: u16, data: &[u8], has_more: bool) -> Vec<u8> {
    let place = (from / 8) | if has_more { 0x2000 } else { 0 };
    let mut bytes = vec![0x45, 0];
    bytes.extend((20 + u16::try_from(data.len()).unwrap()).to_be_bytes());
    bytes.extend([0, id]);
    bytes.extend(place.to_be_bytes());
    bytes.extend([64, 4, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    bytes.extend(data);
    bytes
}

fn v6(id: u8, from: u16, data: &[u8], has_more: bool) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((8 + u16::try_from(data.len()).unwrap()).to_be_bytes());
    bytes.extend([44, 64]);
    bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    bytes.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    bytes.extend([4, 0]);
    bytes.extend((from | u16::from(has_more)).to_be_bytes());
    bytes.extend([0, 0, 0, id]);
    bytes.extend(data);
    bytes
}

/// IPv4 with UDP from port 40000 to 1812, and `length` bytes of payload.
fn inner(length: u16) -> Vec<u8> {
    let mut bytes = vec![0x45, 0];
    bytes.extend((28 + length).to_be_bytes());
    bytes.extend([0, 7, 0, 0, 63, 17, 0, 0, 192, 0, 2, 7, 198, 51, 100, 9]);
    bytes.extend(40000_u16.to_be_bytes());
    bytes.extend(1812_u16.to_be_bytes());
    bytes.extend((8 + length).to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend((0..length).map(|at| at.to_le_bytes()[0]));
    bytes
}

fn add_all(pieces: &[Vec<u8>]) -> (Fragments, Vec<Whole>) {
    let mut fragments = Fragments::default();
    let mut whole = Vec::new();
    for (row, bytes) in pieces.iter().enumerate() {
        whole.extend(fragments.add(0, row as u64 + 1, bytes, Some(row)));
    }
    (fragments, whole)
}

fn incomplete(pieces: &[(usize, Vec<u8>)]) -> Vec<usize> {
    let mut fragments = Fragments::default();
    for (row, (point, bytes)) in pieces.iter().enumerate() {
        fragments.add(*point, 1, bytes, Some(row));
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

#[test]
fn a_tunnels_packet_is_put_together_of_either_family_in_any_order() {
    let inner = inner(1400);
    for make in [v4, v6] {
        let first = make(1, 0, &inner[..16], true);
        let middle = make(1, 16, &inner[16..1024], true);
        let last = make(1, 1024, &inner[1024..], false);
        for (order, row) in [
            ([&first, &middle, &last], 0),
            ([&last, &first, &middle], 1),
            ([&middle, &last, &first], 2),
        ] {
            let (fragments, whole) = add_all(&order.map(Clone::clone));
            assert_eq!(whole.len(), 1);
            assert_eq!(whole[0].rows, [row]);
            let packet = whole[0].known().unwrap();
            assert_eq!(packet.innermost().id, Some(7));
            let Transport::Udp { ports, payload, datagram } = packet.transport else {
                panic!("{packet:?}")
            };
            assert_eq!((ports, payload), ((Some(40000), Some(1812)), Some(1400)));
            assert!(datagram.unwrap().fingerprint.is_some());
            assert!(fragments.notices().is_empty());
            assert_eq!(fragments.held, 0);
        }
    }
}

#[test]
fn a_fragment_that_was_captured_twice_changes_nothing_and_one_that_is_missing_puts_nothing_together()
 {
    let inner = inner(100);
    let (first, last) = (v4(1, 0, &inner[..64], true), v4(1, 64, &inner[64..], false));
    let (_, whole) = add_all(&[first.clone(), first.clone(), last.clone()]);
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].rows, [0, 1]);
    // Another packet with the identification of one that is whole.
    let all = [&first, &last, &last, &first, &last];
    let (fragments, whole) = add_all(&all.map(Clone::clone));
    assert_eq!(whole.iter().map(|it| it.rows.clone()).collect::<Vec<_>>(), [[0], [3]]);
    assert_eq!((fragments.incomplete().count(), fragments.overlapping), (0, 0));
    let (_, whole) = add_all(&[first.clone(), first.clone()]);
    assert!(whole.is_empty());
    // The same identification with other bytes is another packet's, and which is whose is not known.
    let (_, whole) = add_all(&[first, v4(1, 0, &[1; 64], true), last]);
    assert!(whole.is_empty());
}

#[test]
fn fragments_that_overlap_are_not_put_together_and_that_is_noticed_once() {
    let inner = inner(100);
    let (first, last) = (v4(1, 0, &inner[..64], true), v4(1, 56, &inner[56..], false));
    let (fragments, whole) = add_all(&[first.clone(), last.clone(), last]);
    assert!(whole.is_empty());
    assert_eq!(fragments.overlapping, 1);
    assert!(
        fragments.notices()[0].starts_with("fragments of 1 packet overlap, the first in frame 2:")
    );
    assert_eq!(fragments.held, 0);
}

#[test]
fn a_fragment_that_was_cut_puts_nothing_together() {
    let inner = inner(100);
    let (mut first, last) = (v4(1, 0, &inner[..64], true), v4(1, 64, &inner[64..], false));
    first.truncate(60);
    let (fragments, whole) = add_all(&[first, last]);
    assert!(whole.is_empty());
    // All of it was on the wire.
    assert_eq!(fragments.incomplete().count(), 0);
}

#[test]
fn what_is_held_is_bounded() {
    let mut fragments = Fragments::default();
    let data = vec![0; 65_000];
    for id in 0..u32::try_from(MAX_HELD / data.len()).unwrap() + 9 {
        let mut bytes = v4(1, 0, &data, true);
        bytes[12..16].copy_from_slice(&id.to_be_bytes());
        fragments.add(0, 1, &bytes, None);
    }
    assert!(fragments.held <= MAX_HELD);
    assert_eq!(fragments.too_many, 9);
    let kept: BTreeSet<bool> = fragments.packets.values().map(|it| it.held.is_some()).collect();
    assert_eq!(kept.len(), 2);
}

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use super::*;
use proptest::prelude::*;

fn kinds(link: LinkType, bytes: &[u8]) -> Vec<(Kind, usize)> {
    layers(link, bytes).iter().map(|it| (it.kind, it.end - it.start)).collect()
}

/// An IPv4 header of 20 bytes.
fn ip(protocol: u8, carried: &[u8]) -> Vec<u8> {
    let header = ipv4::Header {
        source: [10, 0, 0, 1].into(),
        destination: [10, 0, 0, 2].into(),
        protocol,
        ttl: 64,
        tos: 0,
        id: 1,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: carried.len(),
    };
    let mut bytes = vec![0; 20];
    bytes.extend_from_slice(carried);
    header.emit(&mut bytes).unwrap();
    bytes
}

#[test]
fn a_tunnelled_segment_has_a_layer_for_each_header_and_option() {
    let mut segment = vec![0; 28];
    segment[12] = 7 << 4;
    segment[20..28].copy_from_slice(&[2, 4, 5, 180, 1, 3, 3, 8]);
    segment.extend_from_slice(b"hello");
    let packet = ip(protocol::IPIP, &ip(protocol::TCP, &segment));
    let mut frame = vec![0; 12];
    frame.extend_from_slice(&[8, 0]);
    frame.extend_from_slice(&packet);
    assert_eq!(
        kinds(LinkType::Ethernet, &frame),
        [
            (Kind::Ethernet, 14),
            (Kind::Ipv4, 20),
            (Kind::Ipv4, 20),
            (Kind::Tcp, 20),
            (Kind::Mss, 4),
            (Kind::NoOperation, 1),
            (Kind::WindowScale, 3),
            (Kind::Data, 5),
        ]
    );
}

#[test]
fn a_gre_key_is_a_layer_of_its_own() {
    let mut gre = vec![0x20, 0, 8, 0, 0, 0, 0, 7];
    gre.extend_from_slice(&ip(protocol::UDP, &[0, 1, 0, 2, 0, 9, 0, 0, b'x']));
    assert_eq!(
        kinds(LinkType::Raw, &ip(protocol::GRE, &gre)),
        [
            (Kind::Ipv4, 20),
            (Kind::Gre, 4),
            (Kind::GreKey, 4),
            (Kind::Ipv4, 20),
            (Kind::Udp, 8),
            (Kind::Data, 1)
        ]
    );
}

#[test]
fn an_error_quotes_the_packet_that_it_is_about() {
    let mut error = vec![3, 3, 0, 0, 0, 0, 0, 0];
    error.extend_from_slice(&ip(protocol::UDP, &[0, 1, 0, 2, 0, 9, 0, 0]));
    assert_eq!(
        kinds(LinkType::Raw, &ip(protocol::ICMP, &error)),
        [(Kind::Ipv4, 20), (Kind::Error, 8), (Kind::Ipv4, 20), (Kind::Udp, 8)]
    );
}

#[test]
fn a_kind_is_found_by_its_number_and_its_fields_are_in_order() {
    for (number, kind) in Kind::ALL.into_iter().enumerate() {
        assert_eq!(kind as usize, number);
        let mut end = 0;
        for field in kind.fields() {
            assert!(field.bit >= end, "{kind:?} {}", field.name);
            end = field.bit + field.bits;
        }
    }
}

proptest! {
    #[test]
    fn layers_cover_a_frame_without_gaps(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        is_raw: bool,
        begins: bool,
    ) {
        let mut bytes = bytes;
        if begins && bytes.len() > 40 {
            let at = if is_raw { 0 } else { 14 };
            (bytes[12], bytes[13]) = (8, 0);
            bytes[at] = 0x45;
            (bytes[at + 6], bytes[at + 7]) = (0, 0);
        }
        let link = if is_raw { LinkType::Raw } else { LinkType::Ethernet };
        let mut end = 0;
        for layer in layers(link, &bytes) {
            prop_assert_eq!(layer.start, end);
            prop_assert!(layer.end > layer.start);
            end = layer.end;
        }
        prop_assert_eq!(end, bytes.len());
    }
}

//! Foreign bytes never cause a panic, and what is written is read back the same.

use labsim_wire::decode::{LinkType, decode, payload};
use labsim_wire::ethernet::Mac;
use labsim_wire::tcp::Flags;
use labsim_wire::{arp, ethernet, gre, icmpv4, icmpv6, ipv4, ipv6, protocol, tcp, udp};
use proptest::prelude::*;
use std::net::Ipv6Addr;

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..most)
}

/// Bytes that are likely to go deep: IP headers over each other with some bytes overwritten.
fn nested() -> impl Strategy<Value = Vec<u8>> {
    let layer = prop_oneof![
        Just(protocol::IPIP),
        Just(protocol::IPV6),
        Just(protocol::GRE),
        Just(protocol::ICMP),
        Just(protocol::ICMPV6),
        Just(protocol::TCP),
        Just(protocol::UDP),
        any::<u8>(),
    ];
    let layers = proptest::collection::vec((layer, any::<bool>()), 1..8);
    let changes = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4);
    (layers, bytes(80), changes, any::<prop::sample::Index>()).prop_map(
        |(layers, payload, changes, cut)| {
            let mut packet = payload;
            for (protocol, v6) in layers {
                packet = wrap(protocol, v6, &packet);
            }
            for (at, value) in changes {
                let at = at.index(packet.len());
                packet[at] = value;
            }
            // Every fourth is cut somewhere.
            if packet.len() % 4 == 0 {
                packet.truncate(cut.index(packet.len()));
            }
            packet
        },
    )
}

fn wrap(protocol: u8, v6: bool, inside: &[u8]) -> Vec<u8> {
    let mut body = match protocol {
        protocol::GRE => {
            let v4 = inside.first().is_some_and(|byte| byte >> 4 == 4);
            let ethertype = if v4 { 0x0800 } else { 0x86dd };
            let header =
                gre::Header { protocol: ethertype, checksum: v6, key: Some(1), sequence: None };
            let mut bytes = vec![0; header.length()];
            header.emit(&mut bytes).unwrap();
            bytes
        }
        protocol::ICMP => vec![3, 4, 0, 0, 0, 0, 5, 0],
        protocol::ICMPV6 => vec![2, 0, 0, 0, 0, 0, 5, 0],
        _ => Vec::new(),
    };
    body.extend_from_slice(inside);
    let mut bytes = vec![0; if v6 { 40 } else { 20 }];
    if v6 {
        ipv6::Header {
            source: Ipv6Addr::LOCALHOST,
            destination: Ipv6Addr::LOCALHOST,
            next_header: protocol,
            hop_limit: 9,
            traffic_class: 0,
            flow_label: 0,
            payload_length: body.len(),
        }
        .emit(&mut bytes)
        .unwrap();
    } else {
        ipv4::Header {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            protocol,
            ttl: 9,
            tos: 0,
            id: 1,
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length: body.len(),
        }
        .emit(&mut bytes)
        .unwrap();
    }
    bytes.extend_from_slice(&body);
    bytes
}

/// Calls everything that reads `bytes`.
fn read_all(bytes: &[u8]) {
    if let Ok(view) = ethernet::View::new(bytes) {
        let _ = (ethernet::Header::parse(&view), view.payload());
    }
    if let Ok(view) = arp::View::new(bytes) {
        let _ = arp::Packet::parse(&view);
    }
    for view in [ipv4::View::new(bytes), ipv4::View::new_truncated(bytes)].into_iter().flatten() {
        let _ =
            (ipv4::Header::parse(&view), view.checksum_ok(), view.payload(), view.is_truncated());
        let _ = icmpv4::may_answer(&view);
    }
    for view in [ipv6::View::new(bytes), ipv6::View::new_truncated(bytes)].into_iter().flatten() {
        let _ = (ipv6::Header::parse(&view), view.transport(), view.is_truncated());
        let _ = icmpv6::may_answer(&view);
    }
    let pair = labsim_wire::checksum::AddressPair::V6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    if let Ok(view) = tcp::View::new(bytes) {
        let _ = (tcp::Header::parse(&view), view.options().count(), view.payload());
        let _ = (view.checksum_state(&pair), view.mss());
    }
    for view in [udp::View::new(bytes), udp::View::new_truncated(bytes)].into_iter().flatten() {
        let _ = (udp::Header::parse(&view), view.payload(), view.checksum_state(&pair));
    }
    if let Ok(view) = icmpv4::View::new(bytes) {
        let _ = (icmpv4::Message::parse(&view), view.checksum_ok(), view.mtu(), view.quoted());
    }
    if let Ok(view) = icmpv6::View::new(bytes) {
        let _ = (icmpv6::Message::parse(&view), view.mtu(), view.quoted(), view.link_address());
    }
    if let Ok(view) = gre::View::new(bytes) {
        let _ = (gre::Header::parse(&view), view.checksum_ok(), view.payload());
    }
    for link in [LinkType::Ethernet, LinkType::Raw] {
        for original in [0, bytes.len(), bytes.len() + 1, usize::MAX] {
            let _ = decode(link, bytes, original).to_string();
        }
        let _ = payload(link, bytes);
    }
}

/// Calls everything that changes `bytes`.
fn change_all(bytes: &mut [u8]) {
    let pair = labsim_wire::checksum::AddressPair::V6(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST);
    if let Ok(mut view) = ethernet::ViewMut::new(bytes) {
        view.set_source(Mac::BROADCAST);
        view.set_destination(Mac::BROADCAST);
        let _ = view.payload_mut();
    }
    if let Ok(mut view) = ipv4::ViewMut::new(bytes) {
        let _ = view.decrement_ttl();
        view.set_destination([1, 2, 3, 4].into());
        assert!(view.view().checksum_ok());
        let _ = view.payload_mut();
    }
    if let Ok(mut view) = tcp::ViewMut::new(bytes) {
        view.fill_checksum(&pair);
        let _ = view.payload_mut();
    }
    if let Ok(mut view) = udp::ViewMut::new(bytes) {
        view.fill_checksum(&pair);
        let _ = view.payload_mut();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(mut bytes in bytes(120)) {
        read_all(&bytes);
        change_all(&mut bytes);
    }

    #[test]
    fn nested_and_damaged_packets_never_panic(mut packet in nested()) {
        read_all(&packet);
        let mut frame = vec![0; 14];
        let v4 = packet.first().is_some_and(|byte| byte >> 4 == 4);
        let ethertype = if v4 { 0x0800u16 } else { 0x86dd };
        frame[12..14].copy_from_slice(&ethertype.to_be_bytes());
        frame.extend_from_slice(&packet);
        read_all(&frame);
        change_all(&mut packet);
    }
}

proptest! {
    #[test]
    fn arp_comes_back(operation: u16, macs: ([u8; 6], [u8; 6]), ips: ([u8; 4], [u8; 4])) {
        let packet = arp::Packet {
            operation,
            sender_mac: Mac(macs.0), sender_ip: ips.0.into(),
            target_mac: Mac(macs.1), target_ip: ips.1.into(),
        };
        let mut bytes = [0xff; arp::LEN];
        packet.emit(&mut bytes).unwrap();
        prop_assert_eq!(arp::Packet::parse(&arp::View::new(&bytes).unwrap()), packet);
        prop_assert!(packet.emit(&mut bytes[1..]).is_err());
    }

    #[test]
    fn ipv4_comes_back(
        ips: ([u8; 4], [u8; 4]), fields: (u8, u8, u8, u16), flags: (bool, bool),
        eighths in 0u16..0x2000, words in 0usize..12, payload_length in 0usize..66_000,
    ) {
        let options = vec![1; words * 4];
        let header = ipv4::Header {
            source: ips.0.into(), destination: ips.1.into(),
            protocol: fields.0, ttl: fields.1, tos: fields.2, id: fields.3,
            dont_fragment: flags.0, more_fragments: flags.1, fragment_offset: eighths * 8,
            options: &options, payload_length,
        };
        let mut bytes = vec![0xff; header.length()];
        let fits = words <= 10 && header.length() + payload_length <= 65_535;
        prop_assert_eq!(header.emit(&mut bytes).is_ok(), fits);
        if fits {
            let view = ipv4::View::new_truncated(&bytes).unwrap();
            prop_assert_eq!(ipv4::Header::parse(&view), header);
            prop_assert!(view.checksum_ok());
            prop_assert!(header.emit(&mut bytes.clone()[1..]).is_err());
        }
    }

    #[test]
    fn ipv6_comes_back(
        ips: ([u8; 16], [u8; 16]), fields: (u8, u8, u8), flow_label in 0u32..0x20_0000,
        payload_length in 0usize..66_000,
    ) {
        let header = ipv6::Header {
            source: ips.0.into(), destination: ips.1.into(),
            next_header: fields.0, hop_limit: fields.1, traffic_class: fields.2,
            flow_label, payload_length,
        };
        let mut bytes = [0xff; ipv6::HEADER_LEN];
        let fits = flow_label <= 0xf_ffff && payload_length <= 65_535;
        prop_assert_eq!(header.emit(&mut bytes).is_ok(), fits);
        if fits {
            prop_assert_eq!(ipv6::Header::parse(&ipv6::View::new_truncated(&bytes).unwrap()), header);
        }
    }

    #[test]
    fn tcp_comes_back(
        ports: (u16, u16), numbers: (u32, u32), flags: u8, rest: (u16, u16), words in 0usize..12,
    ) {
        let options = vec![1; words * 4];
        let header = tcp::Header {
            source_port: ports.0, destination_port: ports.1,
            sequence: numbers.0, acknowledgement: numbers.1,
            flags: Flags(flags), window: rest.0, urgent: rest.1, options: &options,
        };
        let mut bytes = vec![0xff; header.length()];
        prop_assert_eq!(header.emit(&mut bytes).is_ok(), words <= 10);
        if words <= 10 {
            prop_assert_eq!(tcp::Header::parse(&tcp::View::new(&bytes).unwrap()), header);
        }
    }

    #[test]
    fn icmp_comes_back(kind: u8, code: u8, rest: [u8; 4], data in bytes(40)) {
        let mut bytes = vec![kind, code, 0, 0];
        bytes.extend(rest);
        bytes.extend(&data);
        let message = icmpv4::Message::parse(&icmpv4::View::new(&bytes).unwrap());
        message.emit(&mut bytes).unwrap();
        let view = icmpv4::View::new(&bytes).unwrap();
        prop_assert_eq!((view.kind(), view.code(), view.rest()), (kind, code, rest));
        prop_assert_eq!(icmpv4::Message::parse(&view), message);
        prop_assert!(view.checksum_ok());
        prop_assert_eq!(view.data(), &data[..]);
    }

    #[test]
    fn icmpv6_comes_back(kind: u8, code: u8, rest: [u8; 4], data in bytes(40)) {
        let mut bytes = vec![kind, code, 0, 0];
        bytes.extend(rest);
        bytes.extend(&data);
        let Ok(view) = icmpv6::View::new(&bytes) else { return Ok(()) };
        let message = icmpv6::Message::parse(&view);
        let length = message.length().max(bytes.len());
        let mut written = vec![0; length];
        message.emit(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST, &mut written).unwrap();
        let view = icmpv6::View::new(&written).unwrap();
        prop_assert_eq!(icmpv6::Message::parse(&view), message);
        prop_assert!(view.checksum_ok(Ipv6Addr::LOCALHOST, Ipv6Addr::LOCALHOST));
    }
}

#[test]
fn tunnels_in_tunnels_are_followed_to_a_bound() {
    use labsim_wire::decode::{MAX_HEADERS, Transport};
    let mut packet = wrap(protocol::UDP, false, &[0, 1, 0, 2, 0, 8, 0, 0]);
    for depth in 1..=MAX_HEADERS + 2 {
        let decoded = decode(LinkType::Raw, &packet, packet.len());
        let seen = decoded.packet().unwrap();
        assert_eq!(seen.headers().count(), depth.min(MAX_HEADERS));
        let followed = matches!(seen.transport, Transport::Udp(_));
        assert_eq!(followed, depth <= MAX_HEADERS, "{depth} headers: {decoded}");
        packet = wrap(protocol::IPIP, false, &packet);
    }
}

#[test]
fn fragments_are_told_and_only_the_first_has_ports() {
    use labsim_wire::checksum::ChecksumState;
    use labsim_wire::decode::Transport;
    // Eight bytes of a datagram of sixteen, first with more to come, then at offset 8.
    let udp = [0, 1, 0, 2, 0, 16, 0xff, 0xff];
    let mut packet = wrap(protocol::UDP, false, &udp);
    packet[6] = 0x20;
    let first = decode(LinkType::Raw, &packet, packet.len());
    let Transport::Udp(seen) = &first.packet().unwrap().transport else { panic!("{first}") };
    assert_eq!((seen.source_port, seen.payload), (1, 8));
    assert_eq!(seen.checksum, ChecksumState::Unknown);
    assert!(first.innermost().unwrap().more_fragments);
    assert!(first.to_string().contains(" frag 0+ "), "{first}");

    packet[6..8].copy_from_slice(&[0, 1]);
    let later = decode(LinkType::Raw, &packet, packet.len());
    assert_eq!(later.packet().unwrap().transport, Transport::LaterFragment { payload: 8 });
    assert_eq!((later.innermost().unwrap().fragment_offset, later.flow()), (8, None));
    assert!(later.to_string().contains(" frag 8 "), "{later}");

    // The first fragment of a tunnel's packet is not looked into.
    let mut tunnel = wrap(protocol::IPIP, false, &wrap(protocol::UDP, false, &udp));
    tunnel[6] = 0x20;
    assert!(decode(LinkType::Raw, &tunnel, tunnel.len()).outer().is_none());
}

#[test]
fn the_payload_that_is_found_is_the_innermost_one() {
    use labsim_wire::decode::MAX_HEADERS;
    let mut packet = wrap(protocol::UDP, false, &[0, 1, 0, 2, 0, 11, 0, 0, 7, 8, 9]);
    for depth in 1..=MAX_HEADERS + 1 {
        let found = payload(LinkType::Raw, &packet);
        assert_eq!(found, (depth <= MAX_HEADERS).then_some(&[7, 8, 9][..]), "{depth} headers");
        let mut frame = vec![0; 12];
        frame.extend([0x08, 0]);
        frame.extend(&packet);
        // Padding to Ethernet's least length is not payload.
        frame.extend([0; 20]);
        assert_eq!(payload(LinkType::Ethernet, &frame), found);
        frame[12] = 0x88;
        assert_eq!(payload(LinkType::Ethernet, &frame), None);
        packet = wrap(protocol::IPIP, depth % 2 == 0, &packet);
    }
}

#[test]
fn what_has_no_transport_header_has_no_payload() {
    let udp = [0, 1, 0, 2, 0, 11, 0, 0, 7, 8, 9];
    let mut packet = wrap(protocol::UDP, false, &udp);
    assert_eq!(payload(LinkType::Raw, &packet[..30]), Some(&[7, 8][..]), "the capture cut it");
    packet[7] = 1;
    assert_eq!(payload(LinkType::Raw, &packet), None, "a later fragment");
    assert_eq!(payload(LinkType::Raw, &wrap(protocol::ICMP, false, &udp)), None);
    assert_eq!(payload(LinkType::Raw, &packet[..20]), None);
    assert_eq!(payload(LinkType::Raw, &[]), None);
}

#[test]
fn quoted_packets_are_followed_to_a_bound() {
    // An error about an error about an error: no such thing should be, and it is bounded.
    let mut packet = wrap(protocol::UDP, false, &[0, 1, 0, 2, 0, 8, 0, 0]);
    for _ in 0..6 {
        packet = wrap(protocol::ICMP, false, &packet);
    }
    let text = decode_raw(&packet);
    assert_eq!(text.matches("about [").count(), 2, "{text}");
}

#[test]
fn gre_and_6in4_are_told_with_all_their_headers() {
    let udp = [0, 1, 0, 2, 0, 8, 0, 0];
    let inner = wrap(protocol::UDP, true, &udp);
    let sixinfour = decode_raw(&wrap(protocol::IPV6, false, &inner));
    assert!(sixinfour.starts_with("IP 10.0.0.1 > 10.0.0.2 ttl 9 id 1 IPv6 68: ::1.1 > ::1.2"));
    let gre = decode_raw(&wrap(protocol::GRE, false, &inner));
    assert!(gre.contains("GRE key 1 76: ::1.1 > ::1.2 ttl 9 UDP 48: len 0"), "{gre}");
}

fn decode_raw(packet: &[u8]) -> String {
    decode(LinkType::Raw, packet, packet.len()).to_string()
}

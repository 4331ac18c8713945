//! The document's captures, rebuilt byte by byte: lengths and checksums have to come out.

use labsim_wire::checksum::{AddressPair, ChecksumState};
use labsim_wire::decode::{LinkType, Relative, decode};
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, ipv4, protocol, tcp};
use std::net::Ipv4Addr;

const CLIENT: Ipv4Addr = Ipv4Addr::new(192, 168, 11, 201);
const VIP: Ipv4Addr = Ipv4Addr::new(172, 16, 4, 99);
const MEMBER: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 52);
const SYN_OPTIONS: [u8; 12] = [2, 4, 5, 180, 1, 3, 3, 8, 1, 1, 4, 2];
const SYN_ACK_OPTIONS: [u8; 12] = [2, 4, 5, 180, 1, 1, 4, 2, 1, 3, 3, 7];
const CLIENT_FIRST: u32 = 277_734_018;
const SERVER_FIRST: u32 = 2_220_389_578;

struct Segment {
    from_client: bool,
    flags: Flags,
    sequence: u32,
    acknowledgement: u32,
    window: u16,
    options: &'static [u8],
}

/// The segment as an IP packet with the given TTL and identification.
fn packet(segment: &Segment, ttl: u8, id: u16) -> Vec<u8> {
    let (source, destination) = if segment.from_client { (CLIENT, VIP) } else { (VIP, CLIENT) };
    let (own, other) = if segment.from_client {
        (CLIENT_FIRST, SERVER_FIRST)
    } else {
        (SERVER_FIRST, CLIENT_FIRST)
    };
    let header = tcp::Header {
        source_port: if segment.from_client { 61067 } else { 49 },
        destination_port: if segment.from_client { 49 } else { 61067 },
        sequence: own + segment.sequence,
        acknowledgement: if segment.flags.contains(Flags::ACK) {
            other + segment.acknowledgement
        } else {
            0
        },
        flags: segment.flags,
        window: segment.window,
        urgent: 0,
        options: segment.options,
    };
    let mut body = vec![0; header.length()];
    header.emit(&mut body).unwrap();
    tcp::ViewMut::new(&mut body).unwrap().fill_checksum(&AddressPair::V4(source, destination));
    wrap(source, destination, protocol::TCP, ttl, id, &body)
}

fn wrap(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    ttl: u8,
    id: u16,
    body: &[u8],
) -> Vec<u8> {
    let header = ipv4::Header {
        source,
        destination,
        protocol,
        ttl,
        tos: 0,
        id,
        dont_fragment: true,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length: body.len(),
    };
    let mut bytes = vec![0; header.length()];
    header.emit(&mut bytes).unwrap();
    bytes.extend_from_slice(body);
    bytes
}

fn syn() -> Segment {
    Segment {
        from_client: true,
        flags: Flags::SYN,
        sequence: 0,
        acknowledgement: 0,
        window: 64240,
        options: &SYN_OPTIONS,
    }
}

#[test]
fn every_checksum_that_the_captures_show_comes_out() {
    let plain = |from_client, flags: Flags, sequence, acknowledgement, window| Segment {
        from_client,
        flags: flags.with(Flags::ACK),
        sequence,
        acknowledgement,
        window,
        options: &[],
    };
    let syn_ack = Segment { options: &SYN_ACK_OPTIONS, ..plain(false, Flags::SYN, 0, 1, 29200) };
    // Those without payload: the payloads are not in the text.
    for (segment, checksum, length) in [
        (syn(), 0x156e, 52),
        (syn_ack, 0xa51b, 52),
        (plain(true, Flags::ACK, 1, 1, 513), 0x55fd, 40),
        (plain(false, Flags::ACK, 1, 27, 229), 0x56ff, 40),
        (plain(false, Flags::FIN, 47, 50, 229), 0x56b9, 40),
        (plain(true, Flags::ACK, 50, 48, 513), 0x559d, 40),
        (plain(true, Flags::RST, 50, 48, 0), 0x579a, 40),
    ] {
        let bytes = packet(&segment, 126, 7056);
        assert_eq!(bytes.len(), length);
        let ip = ipv4::View::new(&bytes).unwrap();
        let view = tcp::View::new(ip.payload()).unwrap();
        assert_eq!(view.checksum(), checksum, "{} {}", segment.flags, segment.sequence);
        assert_eq!(view.checksum_state(&ip.addresses()), ChecksumState::Good);
    }
}

#[test]
fn the_tunnel_frame_of_the_load_balancer_is_told_in_one_line() {
    let inner = packet(&syn(), 126, 7056);
    let bytes = wrap(CLIENT, MEMBER, protocol::IPIP, 255, 53539, &inner);
    assert_eq!(bytes.len(), 72);
    let decoded = decode(LinkType::Raw, &bytes, bytes.len());
    let outer = decoded.outer().unwrap();
    assert_eq!((outer.ttl, outer.length, outer.protocol), (255, 72, 4));
    assert_eq!((outer.tos, outer.dont_fragment), (0, Some(true)));
    let innermost = decoded.innermost().unwrap();
    assert_eq!((innermost.ttl, innermost.length, innermost.id), (126, 52, Some(7056)));
    assert_eq!(decoded.tcp().unwrap().mss, Some(1460));
    let relative = Relative { sequence: Some(0), acknowledgement: None };
    assert_eq!(
        decoded.line(Some(relative)).to_string(),
        "IP 192.168.11.201 > 10.1.1.52 ttl 255 id 53539 DF IPIP 72: \
         192.168.11.201.61067 > 172.16.4.99.49 ttl 126 id 7056 DF TCP 52: S seq 0 len 0"
    );
}

#[test]
fn the_captures_incorrect_checksums_are_half_made_ones() {
    let mut bytes = packet(&syn(), 126, 7056);
    for (checksum, state) in [
        (0x156e_u16, ChecksumState::Good),
        // tcpdump's text: "cksum 0x7d0b (incorrect -> 0x156e)".
        (0x7d0b, ChecksumState::HalfMade),
        (0x156f, ChecksumState::Bad),
    ] {
        bytes[36..38].copy_from_slice(&checksum.to_be_bytes());
        let decoded = decode(LinkType::Raw, &bytes, bytes.len());
        assert_eq!(decoded.tcp().unwrap().checksum, state);
    }
}

#[test]
fn the_load_balancers_one_off_the_ttl_keeps_the_header_checksum_right() {
    let mut bytes = packet(&syn(), 127, 7056);
    let expected = packet(&syn(), 126, 7056);
    assert_eq!(ipv4::ViewMut::new(&mut bytes).unwrap().decrement_ttl(), Some(126));
    assert_eq!(bytes, expected);
    let mut spent = packet(&syn(), 0, 1);
    assert_eq!(ipv4::ViewMut::new(&mut spent).unwrap().decrement_ttl(), None);
}

#[test]
fn a_protocol_unreachable_shows_whose_packet_it_is_about() {
    let inner = packet(&syn(), 126, 7056);
    let tunnelled = wrap(CLIENT, MEMBER, protocol::IPIP, 254, 53539, &inner);
    let error = icmpv4::Error {
        source: MEMBER,
        destination: CLIENT,
        ttl: 64,
        id: 1,
        message: icmpv4::Message::Unreachable { code: icmpv4::unreachable::PROTOCOL },
    };
    let mut bytes = vec![0; error.length(&tunnelled)];
    error.emit(&tunnelled, &mut bytes).unwrap();
    let decoded = decode(LinkType::Raw, &bytes, bytes.len());
    let icmp = decoded.icmp().unwrap();
    assert_eq!((icmp.kind, icmp.code), (3, 2));
    let quoted = icmp.quoted.as_ref().unwrap();
    assert_eq!(quoted.flow().unwrap().to_string(), "192.168.11.201:61067 > 172.16.4.99:49");
    assert!(decoded.to_string().contains("protocol unreachable (type 3 code 2) about [IP 192"));

    // RFC 792's least: the header and eight bytes. The ports are what is left of the transport.
    let short = &packet(&syn(), 1, 7056)[..28];
    let mut bytes = vec![0; error.length(short)];
    error.emit(short, &mut bytes).unwrap();
    let decoded = decode(LinkType::Raw, &bytes, bytes.len());
    let quoted = decoded.icmp().unwrap().quoted.clone().unwrap();
    assert_eq!(quoted.ports(), Some((61067, 49)));
}

#[test]
fn a_frame_that_the_capture_cut_is_not_malformed() {
    let bytes = packet(&syn(), 126, 7056);
    let cut = decode(LinkType::Raw, &bytes[..44], bytes.len());
    assert_eq!(cut.malformed(), None);
    assert_eq!(cut.flow().unwrap().source.port(), 61067);
    // The same bytes, when that was all there was.
    assert!(decode(LinkType::Raw, &bytes[..44], 44).malformed().is_some());
}

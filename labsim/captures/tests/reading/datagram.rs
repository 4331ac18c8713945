//! What a datagram's payload says, in any tunnel and cut anywhere.

use labsim_captures::{Datagram, Known, Transport};
use labsim_wire::decode::{Decoded, decode_network};
use labsim_wire::ethernet::ethertype;
use labsim_wire::protocol;

/// An IPv4 header and what it carries.
fn ipv4(protocol: u8, inside: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 20];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&u16::try_from(20 + inside.len()).unwrap().to_be_bytes());
    (packet[8], packet[9]) = (64, protocol);
    packet[12..20].copy_from_slice(&[192, 0, 2, 7, 198, 51, 100, 9]);
    packet.extend(inside);
    packet
}

fn udp(to: u16, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(8 + payload.len()).unwrap();
    let words = [40000, to, length, 0];
    words.iter().flat_map(|word| word.to_be_bytes()).chain(payload.iter().copied()).collect()
}

/// What is known of a packet of which this many bytes were captured, with padding behind it.
fn datagram(packet: &[u8], captured: usize) -> Option<Datagram> {
    match transport(packet, captured)? {
        Transport::Udp { datagram, .. } => datagram,
        _ => None,
    }
}

fn transport(packet: &[u8], captured: usize) -> Option<Transport> {
    let mut bytes = packet.to_vec();
    bytes.extend([0xee; 6]);
    bytes.truncate(captured);
    let content = decode_network(ethertype::IPV4, &bytes, packet.len() + 6);
    let known = Known::of(&Decoded { link: None, content }).with_datagram(&bytes);
    let Known::Ip(packet) = known else { return None };
    Some(packet.transport)
}

fn radius(code: u8, identifier: u8, authenticator: u8) -> Vec<u8> {
    let mut message = vec![authenticator; 50];
    message[..4].copy_from_slice(&[code, identifier, 0, 50]);
    message
}

#[test]
fn a_datagram_is_the_same_plain_in_a_tunnel_and_cut_behind_its_beginning() {
    let plain = ipv4(protocol::UDP, &udp(1812, &radius(1, 5, 9)));
    let tunnelled = ipv4(protocol::IPIP, &plain);
    let whole = datagram(&plain, usize::MAX).unwrap();
    assert_eq!(datagram(&tunnelled, usize::MAX), Some(whole));
    assert_eq!(datagram(&tunnelled, 20 + 20 + 8 + 20), Some(whole));
    assert_eq!(datagram(&tunnelled, 20 + 20 + 8 + 19), None);
    let message = whole.message.unwrap();
    assert_eq!((message.is_reply, message.identifier), (false, 5));
}

#[test]
fn datagrams_of_other_authenticators_and_lengths_differ() {
    let of = |payload: &[u8]| datagram(&ipv4(protocol::UDP, &udp(1812, payload)), usize::MAX);
    let first = of(&radius(1, 5, 9)).unwrap().fingerprint;
    assert_ne!(of(&radius(1, 5, 8)).unwrap().fingerprint, first);
    assert_ne!(of(&radius(1, 5, 9)[..49]).unwrap().fingerprint, first);
    assert!(of(&radius(2, 5, 9)).unwrap().message.unwrap().is_reply);
    assert_eq!(of(&radius(77, 5, 9)).unwrap().message, None);
}

#[test]
fn messages_of_dns_have_their_id_and_short_ones_of_others_have_none() {
    let of = |to, payload: &[u8]| datagram(&ipv4(protocol::UDP, &udp(to, payload)), usize::MAX);
    let question = of(53, &[0x12, 0x34, 0x01, 0, 0, 1]).unwrap().message.unwrap();
    assert_eq!((question.is_reply, question.identifier), (false, 0x1234));
    assert!(of(53, &[0x12, 0x34, 0x81, 0, 0, 1]).unwrap().message.unwrap().is_reply);
    assert_eq!(of(514, b"x").unwrap().message, None);
}

#[test]
fn the_session_of_a_tacacs_message_is_read_in_any_tunnel() {
    let of = |port: u16, data: &[u8], captured: usize| {
        let mut segment: Vec<u8> =
            [40000, port].iter().flat_map(|it: &u16| it.to_be_bytes()).collect();
        segment.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 1, 0, 0, 0, 0, 0]);
        segment.extend(data);
        let plain = ipv4(protocol::TCP, &segment);
        let both = [ipv4(protocol::IPIP, &plain), plain].map(|it| transport(&it, captured));
        both.map(|it| match it {
            Some(Transport::Tcp(tcp)) => tcp.session,
            _ => None,
        })
    };
    let message = [0xc0, 1, 1, 0, 0x7c, 0xab, 0xee, 0x48, 0, 0, 0, 4, 1, 2, 3, 4];
    assert_eq!(of(49, &message, usize::MAX), [Some(0x7cab_ee48); 2]);
    assert_eq!(of(50, &message, usize::MAX), [None; 2]);
    assert_eq!(of(49, &[0xa0, 1, 1, 0, 1, 2, 3, 4], usize::MAX), [None; 2]);
    assert_eq!(of(49, &message, 20 + 20 + 7), [None; 2]);
}

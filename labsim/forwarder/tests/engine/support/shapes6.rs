//! Right IPv6 frames of every kind that means something to the engine.

use super::ipv6::{
    CLIENT6, NEAR_VIP6, OUR_IP6, ROUTER_IP6, Tcp6, VIP6, frame6, header6, icmp6, router_advertises,
    router_solicits, tcp6, udp6,
};
use super::{OUR_IP, Tcp, US, header_of};
use labsim_wire::icmpv6::Message;
use labsim_wire::{icmpv4, ipv4, ipv6, protocol};
use std::net::{Ipv4Addr, Ipv6Addr};

/// A frame of the kind that `what` and `shape` say.
pub fn template(what: u8, shape: u8, length: usize, segment: &Tcp) -> Vec<u8> {
    let segment = Tcp { data: length.min(1440), options: &[], ..segment.clone() };
    let hop_limit = segment.ttl;
    let segment = Tcp6 { hop_limit, like: segment, ..tcp6(super::SYN) };
    let port = 49 + u16::from(shape >> 7);
    match what % 8 {
        0 => segment.frame(),
        1 => udp6(40_000 + u16::from(shape & 3), port, &vec![7; length.min(1452)]),
        2 => behind_options(&segment.frame(), shape),
        3 => fragment(shape, length),
        4 => {
            let answer = udp6(40_000 + u16::from(shape >> 6 & 1), 49, &[7; 100]);
            error(&reversed(&answer[14..]), VIP6, shape)
        }
        5 => about_tunnel(&segment.frame()[14..], shape, length),
        6 if shape & 1 == 0 => router_solicits(if shape & 2 == 0 { NEAR_VIP6 } else { VIP6 }),
        6 => icmp6(CLIENT6, VIP6, Message::EchoRequest { id: 7, sequence: 1 }, &vec![7; length]),
        _ => router_advertises(),
    }
}

/// The frame's packet with a header of options before its transport.
fn behind_options(frame: &[u8], shape: u8) -> Vec<u8> {
    let kind = [60, 0, 43, 60][usize::from(shape & 3)];
    let next = std::iter::once(frame[20]);
    let options: Vec<u8> = next.chain([0, 1, 4, 0, 0, 0, 0]).collect();
    let options = if kind == 43 { vec![frame[20], 0, 4, 0, 0, 0, 0, 0] } else { options };
    let source = ipv6::View::new(&frame[14..]).unwrap();
    let header = header6(source.source(), source.destination(), kind);
    frame6(US, header, &[&options, &frame[54..]].concat())
}

/// A piece of one of few datagrams, in any order.
fn fragment(shape: u8, length: usize) -> Vec<u8> {
    let whole = udp6(40_000 + u16::from(shape & 1), 49, &[7; 1472]);
    let payload = &whole[54..];
    let begin = usize::from(shape >> 4) * 96;
    let end = (begin + length.max(1)).min(payload.len()).min(begin + 1448);
    let more = u16::from(shape & 4 == 0);
    let place = (begin as u16 | more).to_be_bytes();
    let id = [0xa5, 0, 0, shape >> 1 & 1];
    let header = [&[17, 0][..], &place, &id].concat();
    frame6(US, header6(CLIENT6, VIP6, 44), &[&header, &payload[begin..end]].concat())
}

/// The other direction's packet, checksum as it was: the sums of both are the same.
fn reversed(packet: &[u8]) -> Vec<u8> {
    let mut bytes = packet.to_vec();
    bytes[8..24].copy_from_slice(&packet[24..40]);
    bytes[24..40].copy_from_slice(&packet[8..24]);
    bytes[40..42].copy_from_slice(&packet[42..44]);
    bytes[42..44].copy_from_slice(&packet[40..42]);
    bytes
}

fn kind(shape: u8) -> Message {
    match shape & 7 {
        0..=3 => Message::PacketTooBig { mtu: [1279, 1280, 1300, 1400][usize::from(shape & 3)] },
        4 => Message::TimeExceeded { code: 0 },
        5 => Message::Other { kind: 4, code: 1, rest: [0, 0, 0, 6] },
        code => Message::Unreachable { code: code & 1 },
    }
}

fn error(about: &[u8], to: Ipv6Addr, shape: u8) -> Vec<u8> {
    let quoted = about.len().min(usize::from(shape >> 3) * 40).min(1232);
    icmp6(ROUTER_IP6, to, kind(shape), &about[..quoted])
}

/// An error about a tunnel packet of either family around the packet.
fn about_tunnel(inner: &[u8], shape: u8, length: usize) -> Vec<u8> {
    let host = 51 + u16::from(shape & 1);
    if length & 1 == 0 {
        let member: Ipv6Addr = format!("2001:db8:1::{host}").parse().unwrap();
        let header = header6(OUR_IP6, member, protocol::IPV6);
        let outer = frame6(US, header, inner);
        return error(&outer[14..], OUR_IP6, shape);
    }
    let member = Ipv4Addr::new(10, 1, 1, host as u8);
    let header = header_of(OUR_IP, member, protocol::IPV6);
    let mut outer = vec![0; 20];
    ipv4::Header { payload_length: inner.len(), ..header }.emit(&mut outer).unwrap();
    outer.extend_from_slice(inner);
    let mut message = vec![0; 8];
    message.extend_from_slice(&outer[..outer.len().min(548)]);
    let mtu = [600, 1000, 1300, 1400][usize::from(shape & 3)];
    icmpv4::Message::FragmentationNeeded { mtu }.emit(&mut message).unwrap();
    super::frame(US, header_of(super::ROUTER_IP, OUR_IP, protocol::ICMP), &message)
}

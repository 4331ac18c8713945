//! Monitors' probes and their answers are no expectation's matter, in whatever they are wrapped;
//! what only looks like one is.

use crate::lab::{Lab, RS2, VIP};
use crate::scenario::{at, node, scenario};
use crate::wire::{self, Segment, datagram, ip};
use labsim_model::ProbeSources;
use labsim_scenario::model::{Check, Count, Direction, FrameMatch};
use labsim_verdict::judge;
use labsim_wire::icmpv4::{Message, unreachable};
use labsim_wire::tcp::Flags;
use labsim_wire::{checksum, protocol};
use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddrV4};

const OWN: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 10);
const OTHER: Ipv4Addr = Ipv4Addr::new(172, 16, 0, 11);

fn segment(source: SocketAddrV4, destination: SocketAddrV4) -> Vec<u8> {
    let segment = Segment {
        source,
        destination,
        flags: Flags::SYN,
        sequence: 1,
        acknowledgement: 0,
        options: &[],
        payload: 0,
        id: 1,
        half_made: false,
    };
    segment.packet(64)
}

fn echo(from: Ipv4Addr, to: Ipv4Addr, identifier: u8) -> Vec<u8> {
    let mut message = [8, 0, 0, 0, 0, identifier, 0, 1];
    let sum = checksum::of(&message).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    ip(from, to, protocol::ICMP, 64, 1, &message)
}

fn tunnelled(inner: &[u8]) -> Vec<u8> {
    ip(OWN, RS2, protocol::IPIP, 255, 1, inner)
}

fn own(port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(OWN, port)
}

/// How many frames at the load balancer a verdict speaks of, with this one among them.
fn spoken_of(packet: &[u8]) -> bool {
    let mut lab = Lab::with_login();
    let number = |of: &[u16]| -> BTreeSet<u16> { of.iter().copied().collect() };
    let probes = ProbeSources {
        addresses: [OWN.into()].into(),
        tcp: number(&[40_000]),
        udp: number(&[40_001]),
        icmp: number(&[7]),
    };
    lab.seen.probes.insert(node("lb"), probes);
    lab.push("lb", "eth0", Direction::Out, &wire::ethernet(packet, 0x0800));
    let (matching, count) = (FrameMatch::default(), Count::Exactly(12));
    let check = Check::Frames { at: at("lb", "eth0"), matching, count };
    !judge(&scenario(vec![check]), &lab.seen).expectations.remove(0).passed
}

#[test]
fn what_monitors_sent_and_were_answered_is_set_aside() {
    let probe = segment(own(40_000), VIP);
    let error = Message::Unreachable { code: unreachable::PORT };
    for (what, packet) in [
        ("a probe", probe.clone()),
        ("one in the tunnel", tunnelled(&probe)),
        ("its answer", segment(VIP, own(40_000))),
        ("a question by UDP", datagram(own(40_001), VIP, 1, 64, b"x")),
        ("an echo", tunnelled(&echo(OWN, *VIP.ip(), 7))),
        ("an echo's answer", echo(*VIP.ip(), OWN, 7)),
        ("an error about a probe", wire::icmp_error(RS2, OWN, error, &probe)),
    ] {
        assert!(!spoken_of(&packet), "{what}");
    }
}

#[test]
fn what_is_no_monitors_is_spoken_of() {
    let error = Message::Unreachable { code: unreachable::PORT };
    let stranger = segment(SocketAddrV4::new(OTHER, 40_000), VIP);
    for (what, packet) in [
        ("another address", stranger.clone()),
        ("another port", segment(own(40_002), VIP)),
        ("another protocol's port", segment(own(40_001), VIP)),
        ("the port at the other end", segment(own(49), SocketAddrV4::new(*VIP.ip(), 40_000))),
        ("a tunnel's packet of a client's", tunnelled(&stranger)),
        ("another echo", echo(OWN, *VIP.ip(), 8)),
        ("an error about something else", wire::icmp_error(RS2, OWN, error, &stranger)),
    ] {
        assert!(spoken_of(&packet), "{what}");
    }
}

//! Packets that go round, that were sent again, and how far packets came.

use crate::faults::{diagnosed, sentences};
use crate::lab::{CLIENT, Lab, reaches, ways};
use crate::wire::{self, Segment};
use labsim_scenario::model::Direction::{In, Out};
use labsim_wire::icmpv4::Message;
use labsim_wire::tcp::Flags;
use std::net::Ipv4Addr;

const PSH: Flags = Flags::PSH.with(Flags::ACK);

/// A SYN that goes round between router and load balancer until its TTL ends.
fn looping(times: u8) -> Lab {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    let mut way = vec![("client:eth0", Out, 128), ("router:client", In, 128)];
    let mut ttl = 127;
    for _ in 0..=times {
        way.extend([("router:lb", Out, ttl), ("lb:eth0", In, ttl)]);
        way.extend([("lb:eth0", Out, ttl - 1), ("router:lb", In, ttl - 1)]);
        ttl -= 2;
    }
    lab.passes(|ttl| syn.packet(ttl), &way);
    let router = Ipv4Addr::new(192, 168, 11, 1);
    let error =
        wire::icmp_error(router, *CLIENT.ip(), Message::TimeExceeded { code: 0 }, &syn.packet(1));
    lab.passes(|_| error.clone(), &[("router:client", Out, 64), ("client:eth0", In, 64)]);
    lab
}

#[test]
fn a_packet_that_goes_round_is_told_as_a_loop_and_not_as_progress() {
    let diagnosis = diagnosed(&looping(60), 49);
    let said = sentences(&diagnosis);
    assert_eq!(
        said[0],
        "a packet for 172.16.4.99 went round 60 times between router and lb, its TTL falling from \
         127 to 7: none of them delivers it"
    );
    assert_eq!(
        said[1],
        "192.168.11.1 (router) sent 192.168.11.201 an ICMP error about it 1 time: time exceeded \
         (type 11, code 0); first seen at router:client out, it reached the client"
    );
    let forward = diagnosis.forward.as_ref().unwrap();
    assert_eq!(forward.path.len(), 6);
    assert_eq!((forward.copies, forward.packets), (1, 1));
    assert!(diagnosis.findings()[0].ends_with(
        "its way: client:eth0 out, router:client in, router:lb out, lb:eth0 in, lb:eth0 out, \
         router:lb in, and round again"
    ));
    // The frames shown are bounded, however often it went round.
    assert_eq!((forward.frames.lines.len(), forward.frames.more), (40, 206));
}

#[test]
fn a_packet_that_was_sent_again_did_not_go_round() {
    let mut lab = Lab::new();
    let syn = Segment { id: 0, ..lab.client(Flags::SYN, 0, 0, 0) };
    for _ in 0..3 {
        lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    }
    let diagnosis = diagnosed(&lab, 49);
    assert_eq!(sentences(&diagnosis), Vec::<String>::new());
    let forward = diagnosis.forward.unwrap();
    assert_eq!((forward.copies, forward.path.len(), forward.rounds), (3, 4, None));
}

#[test]
fn packets_that_all_go_round_are_not_said_to_have_come_far() {
    let mut lab = looping(3);
    let again = looping(3);
    for frame in again.seen.capture.frames().filter(|frame| frame.decode().tcp().is_some()) {
        let point = &again.seen.capture.points()[frame.record.point.0];
        let mut bytes = frame.bytes.to_vec();
        bytes[14 + 20 + 13] |= 0x40; // ECE: another packet
        let (node_name, interface) = (point.node.as_str(), point.interface.as_str());
        lab.push_as_it_is(node_name, interface, frame.record.direction, &bytes);
    }
    let diagnosis = diagnosed(&lab, 49);
    assert_eq!(diagnosis.forward.as_ref().unwrap().packets, 2);
    assert!(diagnosis.findings()[0].contains("went round 3 times between router and lb"));
}

#[test]
fn a_packet_that_another_server_got_came_as_far_as_the_rest() {
    let mut lab = Lab::new();
    for way in [&ways::LB_TO_RS2, &ways::LB_TO_RS1] {
        let sequence = u32::from(*way == ways::LB_TO_RS1);
        let data = lab.client(PSH, sequence, 0, 1);
        lab.passes(|ttl| data.packet(ttl), &ways::CLIENT_TO_LB);
        lab.passes(|ttl| data.packet(ttl), way);
    }
    // The first went to rs2 and the second to rs1: neither was lost.
    assert!(!diagnosed(&lab, 49).forward.unwrap().others_got_further);
}

#[test]
fn a_loop_is_no_further_than_a_packet_that_arrived() {
    let mut lab = looping(10);
    let data = lab.client(PSH, 1, 1, 26);
    lab.client_sends(data, reaches::RS_TUNNEL);
    let forward = diagnosed(&lab, 49).forward.unwrap();
    assert!(forward.others_got_further);
    assert!(forward.rounds.is_some() && forward.packet.starts_with('S'));
}

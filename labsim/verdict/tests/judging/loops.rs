//! Packets that go round, that were sent again, and how far packets came.

use crate::diagnosing::findings;
use crate::faults::{diagnosed, sentences};
use crate::lab::{CLIENT, Lab, RS2, reaches, ways};
use crate::scenario::{balanced, node, scenario, step};
use crate::wire::{self, Segment};
use labsim_codes::{Code, cause};
use labsim_scenario::model::Direction::{In, Out};
use labsim_verdict::diagnose;
use labsim_wire::icmpv4::Message;
use labsim_wire::protocol;
use labsim_wire::tcp::Flags;
use std::collections::BTreeMap;
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
        "a packet for 172.16.4.99 looped 60 times between router and lb, its TTL \
         decreasing from 127 to 7: none of them delivers it"
    );
    // The router's error about the end of its TTL is a consequence.
    assert_eq!(said.len(), 1);
    let forward = diagnosis.forward.as_ref().unwrap();
    assert_eq!(forward.path.len(), 6);
    assert_eq!((forward.copies, forward.packets), (1, 1));
    assert!(findings(&diagnosis)[0].ends_with(
        "path: client:eth0 out, router:client in, router:lb out, lb:eth0 in, lb:eth0 out, \
         router:lb in, then the loop again"
    ));
    // The frames shown are bounded, however often it went round.
    assert_eq!((forward.frames.lines.len(), forward.frames.more), (40, 206));
}

/// A real server without the VIP that forwards: what comes out of its tunnel goes back to the router.
#[test]
fn a_loop_through_a_tunnel_and_a_real_server_is_counted_and_named_as_its_missing_vip() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let mut inner = 126;
    for _ in 0..3 {
        let tunnel = |ttl| wire::ip(*CLIENT.ip(), RS2, protocol::IPIP, ttl, 9, &syn.packet(inner));
        lab.passes(tunnel, &[("lb:eth0", Out, 255), ("router:lb", In, 255)]);
        lab.passes(tunnel, &[("router:servers", Out, 254), ("rs2:eth0", In, 254)]);
        lab.push("rs2", "tunl0", In, &syn.packet(inner));
        let back = [("rs2:eth0", Out, inner - 1), ("router:servers", In, inner - 1)];
        lab.passes(|ttl| syn.packet(ttl), &back);
        lab.passes(
            |ttl| syn.packet(ttl),
            &[("router:lb", Out, inner - 2), ("lb:eth0", In, inner - 2)],
        );
        inner -= 3;
    }
    let scenario = balanced(scenario(Vec::new()), 49);
    let diagnosis = diagnose(&scenario, &lab.seen, &step("login")).unwrap();
    assert_eq!(
        sentences(&diagnosis),
        [
            "rs2 sent 3 packets for 172.16.4.99 on: no interface has this address, and rs2 forwards; \
             the packet looped 3 times between router, lb and rs2, its TTL decreasing from 127 to 118"
        ]
    );
    assert_eq!(diagnosis.causes[0].code, cause::VIP_MISSING);
    assert_eq!(diagnosis.forward.unwrap().copies, 1);
}

#[test]
fn the_end_of_the_ttl_at_the_load_balancer_is_no_cause_of_its_own() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    let way = [127, 125].map(|ttl| ("lb:eth0", In, ttl));
    lab.passes(|ttl| syn.packet(ttl), &way);
    let counters = BTreeMap::from([("ttl_exceeded".to_owned(), 1)]);
    lab.seen.forwarder_counters.insert(node("lb"), counters);
    let diagnosis = diagnosed(&lab, 49);
    let codes: Vec<Code> = diagnosis.causes.iter().map(|it| it.code).collect();
    assert_eq!(codes, [cause::ROUTING_LOOP]);
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
    assert!(findings(&diagnosis)[0].contains("looped 3 times between router and lb"));
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

//! Neighbours on a virtual clock: asked for, waited for, believed, asked again, given up.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Instant, Outcome, Route};
use labsim_wire::ethernet::Mac;
use std::net::Ipv4Addr;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn unresolved() -> Bench {
    Bench::unresolved(&config(), &routes())
}

/// The outer packet's IDs and inner source ports of tunnel frames.
fn ports(frames: &[Vec<u8>]) -> Vec<u16> {
    let port = |frame: &Vec<u8>| {
        let (_, inner) = tunnelled(frame);
        u16::from_be_bytes([inner.payload()[0], inner.payload()[1]])
    };
    frames.iter().map(port).collect()
}

fn syn(source_port: u16) -> Vec<u8> {
    Tcp { source_port, ..tcp(SYN) }.frame()
}

#[test]
fn the_members_next_hop_is_asked_for_at_once_and_only_once_for_all() {
    let mut bench = unresolved();
    assert!(bench.engine.next_deadline().unwrap() <= bench.now);
    bench.tick();
    assert_eq!(bench.take_one(), our_request(Mac::BROADCAST));
    assert_eq!(bench.counters().neighbours.requests, 1);
    assert_eq!(bench.counters().neighbours.entries, 1);
}

#[test]
fn packets_wait_for_the_answer_and_go_out_in_their_order() {
    let mut bench = unresolved();
    bench.tick();
    bench.take();
    for port in [1, 2, 3] {
        assert_eq!(bench.feed(&syn(port)), Outcome::WaitingForNeighbour);
    }
    let counters = bench.counters();
    assert_eq!((counters.neighbours.waiting, counters.packets(Outcome::Forwarded)), (3, 0));
    assert!(bench.sent.is_empty());
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    let sent = bench.take();
    assert_eq!(ports(&sent), [1, 2, 3]);
    assert_eq!(tunnelled(&sent[0]).1.ttl(), 126, "taken off once");
    let counters = bench.counters();
    assert_eq!((counters.neighbours.waiting, counters.packets(Outcome::Forwarded)), (0, 3));
    assert_eq!(counters.outcomes["forwarded"].bytes, 3 * 54);
    assert_eq!(counters.members["pool"]["10.1.1.52:49"].sent.packets, 1);
}

#[test]
fn the_oldest_packet_gives_its_place_when_the_queue_is_full() {
    let mut bench = unresolved();
    bench.tick();
    for port in 1..=10 {
        // A table of eight flows takes no more than eight at a time.
        let flags = if port > 8 { SYN } else { ACK };
        let source_port = if port > 8 { port - 8 } else { port };
        let frame = Tcp { source_port, ttl: 100 + port as u8, ..tcp(flags) }.frame();
        assert_eq!(bench.feed(&frame), Outcome::WaitingForNeighbour);
    }
    assert_eq!(bench.counters().packets(Outcome::NeighbourQueueOverflow), 2);
    bench.take();
    bench.feed(&arp_reply());
    let ttls: Vec<u8> = bench.take().iter().map(|frame| tunnelled(frame).1.ttl()).collect();
    assert_eq!(ttls, [102, 103, 104, 105, 106, 107, 108, 109]);
}

#[test]
fn three_requests_a_second_apart_and_then_it_is_unreachable() {
    let mut bench = unresolved();
    bench.tick();
    assert_eq!(bench.feed(&syn(1)), Outcome::WaitingForNeighbour);
    assert_eq!(bench.take().len(), 1);
    bench.pass(Duration::from_millis(999));
    assert!(bench.sent.is_empty());
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.take().len(), 1);
    bench.pass(SECOND);
    assert_eq!(bench.take().len(), 1);
    assert_eq!(bench.counters().neighbours.failed, 0);
    bench.pass(SECOND);
    let counters = bench.counters();
    assert_eq!((counters.neighbours.failed, counters.neighbours.waiting), (1, 0));
    assert_eq!(counters.packets(Outcome::NeighbourUnreachable), 1);
    // A packet of the flow, and a new flow.
    bench.take();
    assert_eq!(bench.feed(&syn(1)), Outcome::NeighbourUnreachable);
    assert_eq!(bench.feed(&syn(2)), Outcome::NoMemberReachable);
    assert_eq!(bench.counters().answers.unsendable, 1, "the reset has the same next hop");
}

#[test]
fn an_unreachable_next_hop_is_asked_every_second_and_comes_back() {
    let mut bench = unresolved();
    bench.tick();
    bench.pass(3 * SECOND);
    bench.take();
    bench.pass(10 * SECOND);
    let sent = bench.take();
    assert_eq!(sent.len(), 10);
    assert!(sent.iter().all(|frame| *frame == our_request(Mac::BROADCAST)));
    assert_eq!(bench.feed(&syn(1)), Outcome::NoMemberReachable);
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded);
    assert_eq!(bench.counters().neighbours.resolved, 1);
}

#[test]
fn an_answer_is_believed_for_thirty_seconds_and_then_asked_by_name_when_used() {
    let mut bench = Bench::new(&config());
    bench.pass(Duration::from_millis(29_999));
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded);
    assert_eq!(bench.take().len(), 1);
    bench.pass(Duration::from_millis(1));
    bench.pass(60 * SECOND);
    assert!(bench.sent.is_empty(), "nobody asks for a neighbour that nobody uses");
    assert_eq!(bench.feed(&syn(2)), Outcome::Forwarded);
    let sent = bench.take();
    assert_eq!(sent[1], our_request(ROUTER), "the packet goes on, and the question with it");
    assert_eq!(sent.len(), 2);
    bench.feed(&arp_reply());
    bench.pass(20 * SECOND);
    assert!(bench.sent.is_empty());
}

#[test]
fn a_neighbour_that_no_longer_answers_is_given_up_after_three_questions() {
    let mut bench = Bench::new(&config());
    bench.pass(31 * SECOND);
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded);
    bench.pass(Duration::from_millis(2_999));
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded, "the old address is used so long");
    bench.take();
    bench.pass(Duration::from_millis(1));
    assert_eq!(bench.take(), [our_request(Mac::BROADCAST)], "and then everybody is asked");
    assert_eq!(bench.feed(&syn(1)), Outcome::NeighbourUnreachable);
}

#[test]
fn a_new_link_address_is_taken_over_and_checked_at_the_next_use() {
    let mut bench = Bench::new(&config());
    let new = Mac([2, 0, 0, 0, 0, 0x99]);
    let mut gratuitous = arp_request(ROUTER_IP);
    gratuitous[6..12].copy_from_slice(&new.0);
    gratuitous[22..28].copy_from_slice(&new.0);
    assert_eq!(bench.feed(&gratuitous), Outcome::ArpLearned);
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded);
    let sent = bench.take();
    assert_eq!(sent[0][..6], new.0);
    assert_eq!(sent[1], our_request(new));
}

#[test]
fn an_answer_to_somebody_else_is_no_proof_that_we_are_heard() {
    let mut bench = unresolved();
    bench.tick();
    bench.take();
    let mut overheard = arp_reply();
    overheard[38..42].copy_from_slice(&[10, 9, 9, 50]);
    assert_eq!(bench.feed(&overheard), Outcome::ArpLearned);
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded);
    assert_eq!(bench.take()[1..], [our_request(ROUTER)]);
}

#[test]
fn members_behind_an_unreachable_next_hop_are_passed_over() {
    // 10.1.1.52 has a router of its own, which does not answer.
    let mut table = routes();
    let other: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 7);
    table.push(Route {
        destination: "10.1.1.52/32".parse().unwrap(),
        via: Some(other.into()),
        mtu: None,
    });
    let mut bench = Bench::unresolved(&config(), &table);
    bench.tick();
    bench.feed(&arp_reply());
    bench.pass(4 * SECOND);
    bench.take();
    let mut members = Vec::new();
    for port in 1..=4 {
        assert_eq!(bench.feed(&syn(port)), Outcome::Forwarded);
        members.push(tunnelled(&bench.take_one()).0.octets()[3]);
    }
    assert_eq!(members, [51, 53, 51, 53]);
}

#[test]
fn a_member_without_a_route_is_named() {
    let mut bench = Bench::unresolved(&config(), &[]);
    assert_eq!(bench.feed(&syn(1)), Outcome::NoRoute);
    assert_eq!(bench.counters().answers.unsendable, 1);
}

#[test]
fn the_table_is_bounded_and_members_next_hops_stay_in_it() {
    let mut bench = Bench::new(&config());
    let ask = |last: u8| {
        let source = Ipv4Addr::new(10, 9, 9, last);
        let header = header_of(source, NEAR_VIP, 1);
        frame(US, header, &[8, 0, 0xf7, 0xff, 0, 0, 0, 0])
    };
    for last in 100..103 {
        assert_eq!(bench.feed(&ask(last)), Outcome::EchoAnswered);
    }
    assert_eq!(bench.counters().neighbours.entries, 4);
    bench.feed(&ask(103));
    assert_eq!(bench.counters().answers.unsendable, 1, "the others are being asked for");
    bench.pass(4 * SECOND);
    assert_eq!(bench.counters().answers.unsendable, 4, "and did not answer");
    bench.feed(&ask(104));
    let counters = bench.counters().neighbours;
    assert_eq!((counters.entries, counters.evicted), (4, 1));
    assert_eq!(bench.feed(&syn(1)), Outcome::Forwarded);
}

#[test]
fn an_ipv6_neighbour_is_believed_asked_by_name_and_given_up_as_ipv4s_is() {
    use crate::support::ipv6::{config6, our_solicitation, syn6};
    let mut bench = Bench::resolved(&config6());
    bench.pass(Duration::from_millis(29_999));
    assert_eq!(bench.feed(&syn6(1)), Outcome::Forwarded);
    assert_eq!(bench.take().len(), 1);
    bench.pass(Duration::from_secs(60));
    assert!(bench.sent.is_empty(), "nobody asks for a neighbour that nobody uses");
    assert_eq!(bench.feed(&syn6(2)), Outcome::Forwarded);
    assert_eq!(bench.take()[1..], [our_solicitation(Some(ROUTER))]);
    bench.pass(3 * SECOND);
    let asked = bench.take();
    assert_eq!(asked[..2], [(); 2].map(|()| our_solicitation(Some(ROUTER))));
    assert_eq!(asked[2..], [our_solicitation(None)], "and then everybody is asked");
    assert_eq!(bench.feed(&syn6(3)), Outcome::NoMemberReachable);
}

#[test]
fn time_that_stands_still_does_no_harm() {
    let mut bench = unresolved();
    bench.now = Instant::ZERO;
    for _ in 0..100 {
        bench.tick();
    }
    assert_eq!(bench.take().len(), 1);
}

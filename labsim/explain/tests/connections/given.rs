//! What the user says of places and addresses, and what captures could not have seen.

use crate::support::{ASKED, BACK, SYN, SYN_ACK, only, packet, says, trace};
use labsim_explain::{Kind, KnownBy, Point, Role};

/// A connection that began before the capture, and whose greater port is the server's.
fn midst() -> String {
    "$ tcpdump -nn -v\n".to_owned()
        + &packet(0, 64, 7, "192.0.2.7.49 > 198.51.100.9.40000", "[.], seq 1, ack 9001, win 500")
}

#[test]
fn a_vip_tells_who_asks_where_packets_do_not() {
    let mut trace = trace(&midst());
    assert_eq!(only(&trace.explain()).client.to_string(), "198.51.100.9:40000");
    trace.vips = vec!["198.51.100.9".parse().unwrap()];
    let explanation = trace.explain();
    let connection = only(&explanation);
    assert_eq!(connection.client.to_string(), "192.0.2.7:49");
    assert_eq!(connection.client_known_by, KnownBy::Given);
    assert!(explanation.notices.is_empty(), "{:?}", explanation.notices);
}

#[test]
fn a_vip_that_asks_itself_or_that_nobody_asks_is_told_and_the_packets_are_taken() {
    let mut trace = trace(&packet(0, 64, 7, ASKED, SYN));
    trace.vips = vec!["192.0.2.7".parse().unwrap(), "203.0.113.5:49".parse().unwrap()];
    let explanation = trace.explain();
    assert_eq!(only(&explanation).client.to_string(), "192.0.2.7:40000");
    says(&explanation, "192.0.2.7 is given as a VIP, and it asks 198.51.100.9:49 itself");
    says(&explanation, "203.0.113.5 is given as a VIP, and no packet asks it at port 49");
}

#[test]
fn a_role_that_packets_contradict_is_taken_and_told() {
    let tunnelled = "10:00:00.000001 IP (tos 0x0, ttl 255, id 1, offset 0, flags [none], proto IPIP (4), length 60)\n    \
                     192.0.2.7 > 10.1.1.51: IP (tos 0x0, ttl 63, id 7, offset 0, flags [DF], proto TCP (6), length 40)\n    \
                     192.0.2.7.40000 > 198.51.100.9.49: Flags [S], seq 1000, win 64240, length 0\n";
    let mut trace = trace(&(packet(0, 64, 7, ASKED, SYN) + tunnelled));
    assert_eq!(trace.explain().points[0].role, Some(Role::LoadBalancer));
    assert!(trace.give_role("p0", Role::Router));
    assert!(!trace.give_role("p", Role::Router));
    let explanation = trace.explain();
    assert_eq!(explanation.points[0].role, Some(Role::Router));
    says(&explanation, "p0 is given as router, and its packets show the load balancer");
}

#[test]
fn an_empty_capture_of_the_server_moves_the_next_one_to_the_way_there() {
    let text = packet(0, 64, 7, ASKED, SYN);
    says(&trace(&text).explain(), "a capture at the next device after p0; on the load balancer");
    let mut with_empty = trace(&text);
    let empty = Point {
        name: "server".to_owned(),
        capture: 1,
        given: Some(Role::ServerSide),
        ..with_empty.points[0].clone()
    };
    with_empty.points.push(empty);
    with_empty.empty.insert(1);
    let explanation = with_empty.explain();
    says(
        &explanation,
        "a capture at the next device after p0 on the way to server, where nothing was captured",
    );
    says(&explanation, "No packet at all was captured at server; whether that was at this time");
    assert!(only(&explanation).verdict.possible.is_empty());
}

#[test]
fn what_a_filter_cannot_match_is_told_where_a_verdict_rests_on_what_was_not_seen() {
    let prompt = "[a@b ~]$ tcpdump -nni eth0 -v port 49\n";
    let text = packet(0, 64, 7, ASKED, SYN);
    let mut silent = trace(&text);
    silent.points[0].command = Some(prompt.to_owned());
    silent.points[0].snap_length = Some(96);
    says(&silent.explain(), "filter `port 49`, which matches nothing inside of a tunnel");
    says(&silent.explain(), "captured with 96 bytes of each frame");
    let text = text
        + &packet(1, 60, 0, BACK, SYN_ACK)
        + &packet(1, 64, 9, ASKED, "[.], seq 1001, ack 9001, win 500");
    let mut healthy = trace(&text);
    healthy.points[0].command = Some(prompt.to_owned());
    let verdict = only(&healthy.explain()).verdict.clone();
    assert_eq!((verdict.kind, verdict.because.len()), (Kind::Healthy, 1));
}

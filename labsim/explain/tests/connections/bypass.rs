//! Connections that passed the load balancer by.

use crate::support::{ASKED, BACK, SYN, SYN_ACK, only, packet, says, trace};
use labsim_captures::Mac;
use labsim_codes::cause;
use labsim_explain::{Claim, Clock, Kind, Point, Role, Trace, Unit, Vip};

const ROUTER: Mac = Mac([2, 0, 0, 0, 0, 1]);
const SERVER: Mac = Mac([2, 0, 0, 0, 0, 2]);
const BALANCER: Mac = Mac([2, 0, 0, 0, 0, 3]);

/// A connection that the host with this address answered, as seen on its link, and a load balancer's capture
/// without any of it.
fn answered_by(mac: Mac) -> Trace {
    let text = packet(0, 63, 7, ASKED, SYN)
        + &packet(1, 64, 0, BACK, SYN_ACK)
        + &packet(1, 63, 9, ASKED, "[.], seq 1001, ack 9001, win 500")
        + &packet(2, 63, 10, ASKED, "[F.], seq 1001, ack 9001, win 500")
        + &packet(2, 64, 11, BACK, "[F.], seq 9001, ack 1002, win 500")
        + &packet(2, 63, 12, ASKED, "[.], seq 1002, ack 9002, win 500");
    let mut trace = trace(&text);
    for row in &mut trace.rows {
        let is_reply = row.packet.innermost().destination.to_string() == "192.0.2.7";
        row.link = Some(if is_reply { (mac, ROUTER) } else { (ROUTER, mac) });
    }
    trace.points.push(Point {
        name: "balancer".to_owned(),
        file: "b.pcap".to_owned(),
        unit: Unit::Frame,
        capture: 1,
        clock: Clock::Utc,
        given: None,
        command: None,
        snap_length: None,
    });
    trace
}

fn claim(trace: &mut Trace, mac: Mac) {
    let address = "198.51.100.9".parse().unwrap();
    trace.claims.push(Claim { point: 0, number: 99, address, mac });
}

#[test]
fn a_server_that_claims_the_vip_and_answers_past_the_load_balancer_is_the_cause() {
    let mut trace = answered_by(SERVER);
    trace.points[1].given = Some(Role::LoadBalancer);
    claim(&mut trace, SERVER);
    claim(&mut trace, BALANCER);
    let explanation = trace.explain();
    assert_eq!(only(&explanation).verdict.cause, Some(cause::SERVER_ANSWERS_ARP));
    says(
        &explanation,
        "02:00:00:00:00:02 claims 198.51.100.9 by ARP, and the client's packets went to it",
    );
    says(&explanation, "The address is claimed by 02:00:00:00:00:03 as well (");
    says(
        &explanation,
        "balancer, which is the load balancer's, saw none of the connection's packets",
    );
}

#[test]
fn two_hosts_with_one_address_are_told_and_neither_is_accused_if_none_is_known() {
    let mut trace = answered_by(SERVER);
    claim(&mut trace, SERVER);
    claim(&mut trace, BALANCER);
    let verdict = only(&trace.explain()).verdict.clone();
    assert_eq!((verdict.kind, verdict.cause), (Kind::NotDecidable, None));
    assert!(verdict.possible.contains(&cause::SERVER_ANSWERS_ARP));
}

#[test]
fn a_host_that_answers_at_its_own_address_is_healthy() {
    let mut trace = answered_by(SERVER);
    claim(&mut trace, SERVER);
    assert_eq!(only(&trace.explain()).verdict.kind, Kind::Healthy);
    // A load balancer elsewhere does not change that: nothing shows that the address is its own.
    trace.points[1].given = Some(Role::LoadBalancer);
    assert_eq!(only(&trace.explain()).verdict.kind, Kind::Healthy);
}

#[test]
fn what_reached_the_server_without_the_load_balancer_is_told_if_the_address_is_its_own() {
    let mut trace = answered_by(SERVER);
    trace.points[0].given = Some(Role::ServerSide);
    trace.points[1].given = Some(Role::LoadBalancer);
    trace.vips = vec![Vip { address: "198.51.100.9".parse().unwrap(), port: Some(49) }];
    let verdict = only(&trace.explain()).verdict.clone();
    assert_eq!((verdict.kind, verdict.cause), (Kind::NotDecidable, None));
    assert_eq!(verdict.possible, [cause::SERVER_ANSWERS_ARP, cause::BALANCER_BYPASSED]);
    // The VIP's other services may be elsewhere.
    trace.vips[0].port = Some(80);
    assert_eq!(only(&trace.explain()).verdict.kind, Kind::Healthy);
}

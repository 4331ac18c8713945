//! What captures say of UDP exchanges.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod support;

use labsim_captures::{Datagram, Message, Transport};
use labsim_codes::cause;
use labsim_explain::{Kind, KnownBy, Protocol, Role, Trace};
use support::{only, says, trace};

const REQUEST: &str = "192.0.2.7.40000 > 198.51.100.9.1812";
const REPLY: &str = "198.51.100.9.1812 > 192.0.2.7.40000";
const STRANGER: &str = "10.1.1.51.1812 > 192.0.2.7.40000";
const TUNNEL: &str = "192.0.2.7 > 10.1.1.51";

/// A datagram, perhaps in a tunnel.
fn datagram(second: u32, ttl: u8, ends: &str, tunnel: Option<&str>) -> String {
    let outer = tunnel.map_or(String::new(), |ends| {
        format!(
            "(tos 0x0, ttl 255, id 1, offset 0, flags [none], proto IPIP (4), length 92)\n    {ends}: IP "
        )
    });
    format!(
        "10:00:0{second}.000000 IP {outer}(tos 0x0, ttl {ttl}, id 7, offset 0, flags [none], proto UDP (17), length 72)\n    \
         {ends}: UDP, length 44\n"
    )
}

/// What the payload of each datagram would say: requests and answers with one identifier.
fn with_payloads(mut trace: Trace) -> Trace {
    for row in &mut trace.rows {
        let Transport::Udp { ports, datagram, .. } = &mut row.packet.transport else { continue };
        let is_reply = ports.0 == Some(1812);
        let message = Some(Message { is_reply, identifier: 5 });
        *datagram = Some(Datagram { fingerprint: if is_reply { 2 } else { 1 }, message });
    }
    trace
}

/// A capture at the client, and one of what comes to the server and leaves it.
fn at_client_and_server(answer: &str) -> Trace {
    let client = datagram(0, 64, REQUEST, None) + &datagram(1, 60, answer, None);
    let server = datagram(0, 62, REQUEST, Some(TUNNEL)) + &datagram(1, 64, answer, None);
    with_payloads(trace(&format!("{client}\nand:\n\n{server}")))
}

#[test]
fn a_request_that_was_answered_is_healthy() {
    let explanation = at_client_and_server(REPLY).explain();
    let exchange = only(&explanation);
    assert_eq!((exchange.verdict.kind, exchange.protocol), (Kind::Healthy, Protocol::Udp));
    assert_eq!(exchange.client_known_by, KnownBy::Message);
    assert_eq!(exchange.tunnels.len(), 1);
    says(&explanation, "2 capture points, 1 UDP exchange\n");
    says(&explanation, "HEALTHY 192.0.2.7:40000 -> 198.51.100.9:1812 by UDP\n");
    says(&explanation, "the answers came back to the client (1 request)");
}

#[test]
fn an_answer_that_was_not_seen_at_the_client_is_not_called_received() {
    let mut trace = at_client_and_server(REPLY);
    trace.rows.retain(|row| row.point == 1);
    let verdict = only(&trace.explain()).verdict.clone();
    assert_eq!((verdict.kind, verdict.possible.len()), (Kind::NotDecidable, 0));
}

#[test]
fn an_answer_from_another_address_than_the_server_was_asked_at_is_the_cause() {
    let trace = at_client_and_server(STRANGER);
    let explanation = trace.explain();
    let asked = explanation.connections.iter().find(|it| !it.requests.is_empty()).unwrap();
    assert_eq!(asked.verdict.cause, Some(cause::REPLY_FROM_OTHER_ADDRESS));
    says(&explanation, "The client asked 198.51.100.9:1812, and 10.1.1.51:1812 answered");
    // At the client alone: who changed it is open.
    let mut trace = at_client_and_server(STRANGER);
    trace.rows.retain(|row| row.point == 0);
    let explanation = trace.explain();
    let asked = explanation.connections.iter().find(|it| !it.requests.is_empty()).unwrap();
    assert_eq!(asked.verdict.cause, Some(cause::WRONG_REPLY_SOURCE));
    assert!(asked.verdict.possible.contains(&cause::REPLY_FROM_OTHER_ADDRESS));
    // Another request of this port may be what was answered.
    for row in &mut trace.rows {
        if let Transport::Udp { ports: (Some(1812), _), datagram, .. } = &mut row.packet.transport {
            *datagram = Some(Datagram {
                fingerprint: 2,
                message: Some(Message { is_reply: true, identifier: 6 }),
            });
        }
    }
    assert!(trace.explain().connections.iter().all(|it| it.verdict.cause.is_none()));
}

#[test]
fn a_request_that_was_sent_on_to_another_address_was_translated() {
    let client = datagram(0, 64, REQUEST, None) + &datagram(1, 60, STRANGER, None);
    let balancer =
        datagram(0, 62, REQUEST, None) + &datagram(0, 61, "192.0.2.7.40000 > 10.1.1.51.1812", None);
    let trace = with_payloads(trace(&format!("{client}\nand:\n\n{balancer}")));
    let explanation = trace.explain();
    let verdict = &explanation.connections[0].verdict;
    assert_eq!(verdict.cause, Some(cause::DESTINATION_TRANSLATED));
}

#[test]
fn a_request_without_an_answer_is_told_with_its_last_place() {
    let client = datagram(0, 64, REQUEST, None);
    let server = datagram(0, 62, REQUEST, Some(TUNNEL));
    let mut trace = with_payloads(trace(&format!("{client}\nand:\n\n{server}")));
    let verdict = only(&trace.explain()).verdict.clone();
    assert_eq!((verdict.kind, verdict.possible.len()), (Kind::NotDecidable, 0));
    says(
        &trace.explain(),
        "The request was not answered by 198.51.100.9:1812 at any point, and last seen at p1",
    );
    trace.points[1].given = Some(Role::ServerSide);
    let possible = only(&trace.explain()).verdict.possible.clone();
    assert!(possible.contains(&cause::VIP_MISSING) && possible.contains(&cause::CLIENT_UNKNOWN));
}

#[test]
fn datagrams_whose_payload_is_not_shown_are_not_matched_with_answers() {
    let mut trace = at_client_and_server(REPLY);
    for row in &mut trace.rows {
        if let Transport::Udp { datagram, .. } = &mut row.packet.transport {
            *datagram = None;
        }
    }
    let explanation = trace.explain();
    assert_eq!(only(&explanation).verdict.kind, Kind::NotDecidable);
    says(&explanation, "whose payload is not shown");
}

//! What captures say of UDP exchanges.

use crate::support::{only, radius, says, trace, with_payloads};
use labsim_captures::{Datagram, Message, Transport};
use labsim_codes::cause;
use labsim_explain::{Kind, KnownBy, Protocol, Role, Text, Trace};

const REQUEST: &str = "192.0.2.7.40000 > 198.51.100.9.1812";
const REPLY: &str = "198.51.100.9.1812 > 192.0.2.7.40000";
const STRANGER: &str = "10.1.1.51.1812 > 192.0.2.7.40000";
const TUNNEL: &str = "192.0.2.7 > 10.1.1.51";

/// A capture at the client, and one of what comes to the server and leaves it.
fn at_client_and_server(answer: &str) -> Trace {
    let client = radius(0, 64, REQUEST, None) + &radius(1, 60, answer, None);
    let server = radius(0, 62, REQUEST, Some(TUNNEL)) + &radius(1, 64, answer, None);
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
                fingerprint: Some(2),
                message: Some(Message { is_reply: true, identifier: 6 }),
            });
        }
    }
    assert!(trace.explain().connections.iter().all(|it| it.verdict.cause.is_none()));
}

#[test]
fn a_request_that_was_sent_on_to_another_address_was_translated() {
    let client = radius(0, 64, REQUEST, None) + &radius(1, 60, STRANGER, None);
    let balancer =
        radius(0, 62, REQUEST, None) + &radius(0, 61, "192.0.2.7.40000 > 10.1.1.51.1812", None);
    let trace = with_payloads(trace(&format!("{client}\nand:\n\n{balancer}")));
    let explanation = trace.explain();
    let verdict = &explanation.connections[0].verdict;
    assert_eq!(verdict.cause, Some(cause::DESTINATION_TRANSLATED));
}

#[test]
fn a_request_without_an_answer_is_told_with_its_last_place() {
    let client = radius(0, 64, REQUEST, None);
    let server = radius(0, 62, REQUEST, Some(TUNNEL));
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

#[test]
fn messages_that_texts_word_are_matched_by_their_identifiers() {
    let line = |second: u32, ends: &str, words: &str| {
        format!("10:00:0{second}.000000 IP {ends}: RADIUS, {words} length: 44\n")
    };
    let (ask, accept) = ("Access-Request (1), id: 0x05", "Access-Accept (2), id: 0x05");
    let at_both = |answer: &str| {
        let client = line(0, REQUEST, ask) + &line(1, REPLY, answer);
        let tunnel = line(0, &format!("{TUNNEL}: IP {REQUEST}"), ask);
        let mut trace = trace(&format!("{client}\nand:\n\n{tunnel}{}", line(1, REPLY, answer)));
        assert!(trace.give_role("p0", Role::ClientSide));
        trace.explain()
    };
    let explanation = at_both(accept);
    assert_eq!(only(&explanation).verdict.kind, Kind::Healthy);
    says(&explanation, "The one packet of the client was seen at all 2 points: p0 and p1");
    // Another identifier is no answer to this request.
    let other = at_both(&accept.replace("05", "06"));
    assert_eq!(only(&other).verdict.kind, Kind::NotDecidable);
    says(&other, "The request was not answered");
}

#[test]
fn an_identifier_that_is_used_again_later_is_another_message() {
    let line = |minute: u32| {
        format!(
            "10:0{minute}:00.000000 IP {REQUEST}: RADIUS, Access-Request (1), id: 0x05 length: 44\n"
        )
    };
    assert!(Text(&trace(&(line(0) + &line(0))).explain()).to_string().contains("sent 2 times"));
    let explanation = trace(&(line(0) + &line(5))).explain();
    assert!(!Text(&explanation).to_string().contains("sent 2 times"));
}

#[test]
fn a_request_that_lacks_a_fragment_where_it_was_seen_last_is_told() {
    let client = radius(0, 64, REQUEST, None);
    let server = radius(0, 62, REQUEST, Some(TUNNEL)).replacen("flags [none]", "flags [+]", 1);
    let mut trace = with_payloads(trace(&format!("{client}\nand:\n\n{server}")));
    assert!(!Text(&trace.explain()).to_string().contains("lacks a fragment"));
    trace.incomplete.insert(1);
    let explanation = trace.explain();
    says(
        &explanation,
        "Of the packet p1 captured the first fragment, and not all others; p0 captured all of it",
    );
    assert_eq!(only(&explanation).verdict.possible[0], cause::FRAGMENTS_DROPPED);
}

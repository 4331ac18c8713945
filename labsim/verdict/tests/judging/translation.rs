//! Flows whose addresses and ports change at the load balancer.

use crate::diagnosing::findings;
use crate::lab::{CLIENT, Lab, RS2, VIP, ways};
use crate::scenario::{at, at_real_server, balanced, node, radius, row, scenario, step};
use crate::wire::{Segment, datagram, icmp_error};
use labsim_scenario::model::Direction::{In, Out};
use labsim_scenario::model::{Check, Direction, FrameMatch, LoginResult};
use labsim_verdict::{Attempt, ExpectationResult, ServerEntry, diagnose, judge};
use labsim_wire::icmpv4::{Message, unreachable};
use labsim_wire::tcp::Flags;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

/// The load balancer's own address, with a port of its choice.
const SNAT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(172, 16, 5, 10), 40_000);
const MEMBER: SocketAddrV4 = SocketAddrV4::new(RS2, 49);
const PSH: Flags = Flags::PSH.with(Flags::ACK);
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);

fn judged(check: Check, lab: &Lab) -> ExpectationResult {
    judge(&balanced(scenario(vec![check]), 49), &lab.seen).expectations.remove(0)
}

/// A segment of the client, translated on its way to rs2.
fn forward(lab: &mut Lab, segment: Segment, source: SocketAddrV4) {
    lab.passes(|ttl| segment.packet(ttl), &ways::CLIENT_TO_LB);
    let translated = Segment { source, destination: MEMBER, ..segment };
    lab.passes(|ttl| translated.packet(ttl), &ways::LB_TO_RS2);
}

/// A segment of rs2 to the load balancer, translated back on its way to the client.
fn back(lab: &mut Lab, segment: Segment, destination: SocketAddrV4) {
    let own = Segment { source: MEMBER, destination, ..segment };
    lab.passes(|ttl| own.packet(ttl), &ways::RS2_TO_LB);
    lab.passes(|ttl| segment.packet(ttl), &ways::LB_TO_CLIENT);
}

/// A login's beginning with both addresses translated, and its log entry.
fn snat() -> Lab {
    let mut lab = Lab::new();
    lab.attempt().result = LoginResult::Pass;
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    forward(&mut lab, syn, SNAT);
    // Linux sends a SYN-ACK with the identification 0.
    let syn_ack = Segment { id: 0, ..lab.server(SYN_ACK, 0, 1, 0) };
    back(&mut lab, syn_ack, SNAT);
    let data = lab.client(PSH, 1, 1, 26);
    forward(&mut lab, data, SNAT);
    let answer = lab.server(PSH, 1, 27, 28);
    back(&mut lab, answer, SNAT);
    lab.logs_at("rs2", SNAT, MEMBER);
    lab
}

fn exchange(at: labsim_scenario::model::CapturePoint, frames: Vec<FrameMatch>) -> Check {
    Check::Exchange { at, step: step("login"), direction: None, frames }
}

fn translated(row: FrameMatch, source: SocketAddrV4, destination: SocketAddrV4) -> FrameMatch {
    FrameMatch {
        source: Some(IpAddr::from(*source.ip()).into()),
        destination: Some(IpAddr::from(*destination.ip()).into()),
        source_port: Some(source.port()),
        destination_port: Some(destination.port()),
        ..row
    }
}

/// The four frames at rs2, with relative numbers.
fn at_server() -> Vec<FrameMatch> {
    vec![
        translated(row(In, "S", 0, None, 0), SNAT, MEMBER),
        translated(row(Out, "S.", 0, Some(1), 0), MEMBER, SNAT),
        translated(row(In, "P.", 1, Some(1), 26), SNAT, MEMBER),
        translated(row(Out, "P.", 1, Some(27), 28), MEMBER, SNAT),
    ]
}

#[test]
fn a_translated_exchange_is_found_behind_the_load_balancer() {
    let lab = snat();
    let judgement = judged(exchange(at_real_server("eth0"), at_server()), &lab);
    assert!(judgement.passed, "{judgement:#?}");
    let mut rows = at_server();
    rows[2].sequence = Some(2);
    let judgement = judged(exchange(at_real_server("eth0"), rows), &lab);
    assert!(!judgement.passed);
    assert!(judgement.seen[1].contains("sequence: expected 2, seen 1"), "{:#?}", judgement.seen);
}

#[test]
fn at_the_load_balancer_both_sides_of_a_translation_are_seen() {
    let rows = |direction: Direction| match direction {
        In => vec![
            translated(row(In, "S", 0, None, 0), CLIENT, VIP),
            translated(row(In, "S.", 0, Some(1), 0), MEMBER, SNAT),
            translated(row(In, "P.", 1, Some(1), 26), CLIENT, VIP),
            translated(row(In, "P.", 1, Some(27), 28), MEMBER, SNAT),
        ],
        Out => vec![
            translated(row(Out, "S", 0, None, 0), SNAT, MEMBER),
            translated(row(Out, "S.", 0, Some(1), 0), VIP, CLIENT),
            translated(row(Out, "P.", 1, Some(1), 26), SNAT, MEMBER),
            translated(row(Out, "P.", 1, Some(27), 28), VIP, CLIENT),
        ],
    };
    for direction in [In, Out] {
        let check = Check::Exchange {
            at: at("lb", "eth0"),
            step: step("login"),
            direction: Some(direction),
            frames: rows(direction),
        };
        let judgement = judged(check, &snat());
        assert!(judgement.passed, "{judgement:#?}");
    }
}

#[test]
fn without_a_load_balancer_nothing_is_taken_for_a_translation() {
    let lab = snat();
    let check = exchange(at("rs2", "eth0"), at_server());
    let judgement = judge(&scenario(vec![check]), &lab.seen).expectations.remove(0);
    assert!(!judgement.passed);
    assert!(judgement.seen[0].starts_with("0 frames of "), "{:#?}", judgement.seen);
}

#[test]
fn a_frame_that_differs_in_what_translation_keeps_is_another_packet() {
    for change in 0..5 {
        let mut lab = Lab::new();
        let syn = lab.client(PSH, 1, 1, 26);
        lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
        let mut other = Segment { source: SNAT, destination: MEMBER, ..syn };
        match change {
            0 => other.id += 1,
            1 => other.sequence += 1,
            2 => other.acknowledgement += 1,
            3 => other.flags = Flags::ACK,
            _ => other.payload += 1,
        }
        lab.passes(|ttl| other.packet(ttl), &ways::LB_TO_RS2);
        let judgement = judged(exchange(at("rs2", "eth0"), Vec::new()), &lab);
        assert!(judgement.passed, "{change}: {judgement:#?}");
    }
}

#[test]
fn the_servers_log_is_found_by_what_the_flow_became() {
    let mut lab = snat();
    // Another client's login has the port that this client has, and the same user.
    lab.logs_at("rs1", SocketAddrV4::new(*SNAT.ip(), CLIENT.port()), MEMBER);
    let saw = |client| Check::ServerSaw { step: step("login"), client };
    assert!(judged(saw(IpAddr::from(*SNAT.ip())), &lab).passed);
    let judgement = judged(saw(IpAddr::from(*CLIENT.ip())), &lab);
    assert!(!judgement.passed);
    assert!(judgement.seen[0].starts_with("rs2 logged the client 172.16.5.10:40000 at "));
    let by = Check::AnsweredBy { step: step("login"), nodes: vec![node("rs2")] };
    assert!(judged(by, &lab).passed);
}

#[test]
fn a_translated_port_that_serves_two_logins_in_turn_belongs_to_each_in_its_time() {
    let mut lab = snat();
    let second = SocketAddrV4::new(Ipv4Addr::new(192, 168, 11, 202), 50_000);
    let mut syn = lab.client(Flags::SYN, 1_000_000, 0, 0);
    syn.source = second;
    forward(&mut lab, syn, SNAT);
    let mut syn_ack = lab.server(SYN_ACK, 5000, 1_000_001, 0);
    syn_ack.destination = second;
    back(&mut lab, syn_ack, SNAT);
    let attempt = Attempt { local: Some(second.into()), ..lab.attempt().clone() };
    lab.seen.steps[0].attempts.push(attempt);
    // Both logins: six frames. The first alone: the four it had.
    let judgement = judged(exchange(at("rs2", "eth0"), Vec::new()), &lab);
    assert!(judgement.seen[0].starts_with("6 frames of 2 logins seen at rs2:eth0"));
    lab.seen.steps[0].attempts.truncate(1);
    let judgement = judged(exchange(at("rs2", "eth0"), at_server()), &lab);
    assert!(judgement.passed, "{judgement:#?}");
    let frames = judged(exchange(at("client", "eth0"), Vec::new()), &lab);
    assert!(frames.seen[0].starts_with("4 frames of 192.168.11.201:61067 > "));
}

#[test]
fn a_translated_flow_without_a_handshake_counts_from_its_origins() {
    let mut lab = snat();
    // The forwarder came back and chose another port: no SYN carries it.
    let other = SocketAddrV4::new(*SNAT.ip(), 40_001);
    let data = lab.client(PSH, 27, 29, 23);
    forward(&mut lab, data, other);
    let mut rows = at_server();
    rows.push(translated(row(In, "P.", 27, Some(29), 23), other, MEMBER));
    let judgement = judged(exchange(at("rs2", "eth0"), rows), &lab);
    assert!(judgement.passed, "{judgement:#?}");
}

#[test]
fn a_trace_goes_on_behind_a_translation() {
    let lab = snat();
    let scenario = balanced(scenario(Vec::new()), 49);
    let diagnosis = diagnose(&scenario, &lab.seen, &step("login")).unwrap();
    assert!(diagnosis.causes.is_empty(), "{:#?}", diagnosis.causes);
    let findings = findings(&diagnosis);
    assert!(findings[0].starts_with("all 2 client's packets reached rs2:eth0 in; path: "));
    assert!(findings[1].starts_with("all 2 server's packets reached client:eth0 in; path: "));
}

#[test]
fn datagrams_without_an_identification_are_followed_by_their_payload() {
    let (client, vip) =
        (SocketAddrV4::new(*CLIENT.ip(), 40_812), SocketAddrV4::new(*VIP.ip(), 1812));
    let (snat, member) = (SocketAddrV4::new(*SNAT.ip(), 2000), SocketAddrV4::new(RS2, 1812));
    let mut lab = Lab::new();
    lab.seen.steps[0].name = step("radius");
    *lab.attempt() = Attempt {
        protocol: 17,
        result: LoginResult::Pass,
        local: Some(client.into()),
        remote: vip.into(),
        ..lab.attempt().clone()
    };
    // Another request of the same length crosses at the same time.
    let neighbour = SocketAddrV4::new(*CLIENT.ip(), 40_813);
    let other = SocketAddrV4::new(*SNAT.ip(), 2001);
    lab.passes(|ttl| datagram(neighbour, vip, 0, ttl, b"request B"), &ways::CLIENT_TO_LB);
    lab.passes(|ttl| datagram(client, vip, 0, ttl, b"request A"), &ways::CLIENT_TO_LB);
    lab.passes(|ttl| datagram(other, member, 0, ttl, b"request B"), &ways::LB_TO_RS2);
    lab.passes(|ttl| datagram(snat, member, 0, ttl, b"request A"), &ways::LB_TO_RS2);
    lab.passes(|ttl| datagram(member, snat, 0, ttl, b"accept A"), &ways::RS2_TO_LB);
    lab.passes(|ttl| datagram(vip, client, 0, ttl, b"accept A"), &ways::LB_TO_CLIENT);
    lab.seen.server_log.push(ServerEntry {
        time_ns: 0,
        node: node("rs2"),
        client: snat.into(),
        local: "0.0.0.0:1812".parse().unwrap(),
        user: None,
        outcome: "accept".to_owned(),
    });
    let check = |check: Check| {
        let mut scenario = balanced(scenario(vec![check]), 49);
        scenario.steps = vec![radius("radius")];
        judge(&scenario, &lab.seen).expectations.remove(0)
    };
    let udp = |direction, payload| FrameMatch {
        direction: Some(direction),
        protocol: Some(17),
        payload: Some(payload),
        ..FrameMatch::default()
    };
    let rows = vec![translated(udp(In, 9), snat, member), translated(udp(Out, 8), member, snat)];
    let at_server = Check::Exchange {
        at: at("rs2", "eth0"),
        step: step("radius"),
        direction: None,
        frames: rows,
    };
    let judgement = check(at_server);
    assert!(judgement.passed, "{judgement:#?}");
    let source = Some(IpAddr::from(*vip.ip()));
    let judgement =
        check(Check::Answer { step: step("radius"), result: LoginResult::Pass, source });
    assert!(judgement.passed, "{judgement:#?}");
    assert_eq!(judgement.seen[1], "the one frame that answered the client came from 172.16.4.99");
    let by = Check::AnsweredBy { step: step("radius"), nodes: vec![node("rs2")] };
    assert!(check(by).passed);
}

#[test]
fn an_answer_alone_tells_the_translation_of_both_ways() {
    let mut lab = Lab::new();
    let syn = Segment { source: SNAT, destination: MEMBER, ..lab.client(Flags::SYN, 0, 0, 0) };
    lab.passes(|ttl| syn.packet(ttl), &ways::LB_TO_RS2);
    let syn_ack = lab.server(SYN_ACK, 0, 1, 0);
    back(&mut lab, syn_ack, SNAT);
    let judgement = judged(exchange(at("rs2", "eth0"), at_server()[..2].to_vec()), &lab);
    assert!(judgement.passed, "{judgement:#?}");
}

#[test]
fn a_translated_port_that_leads_to_two_servers_at_a_time_tells_them_apart() {
    let mut lab = snat();
    lab.logs_at("rs1", SNAT, SocketAddrV4::new([10, 1, 1, 51].into(), 49));
    let by = Check::AnsweredBy { step: step("login"), nodes: vec![node("rs2")] };
    let judgement = judged(by, &lab);
    assert!(judgement.passed, "{judgement:#?}");
}

#[test]
fn a_reset_of_the_server_is_told_once_on_both_sides_of_a_translation() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    forward(&mut lab, syn, SNAT);
    let refusal = Segment { sequence: 0, ..lab.server(Flags::RST.with(Flags::ACK), 0, 1, 0) };
    back(&mut lab, refusal, SNAT);
    let scenario = balanced(scenario(Vec::new()), 49);
    let diagnosis = diagnose(&scenario, &lab.seen, &step("login")).unwrap();
    let causes: Vec<String> = diagnosis.causes.iter().map(|cause| cause.sentence.clone()).collect();
    assert_eq!(
        causes,
        ["172.16.4.99:49 refused the connection (1 RST), first seen at rs2:eth0 out; no \
         socket on rs2 listens there"]
    );
}

#[test]
fn an_icmp_error_about_a_translated_packet_is_about_the_step() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    forward(&mut lab, syn, SNAT);
    let translated = Segment { source: SNAT, destination: MEMBER, ..syn };
    let message = Message::Unreachable { code: unreachable::HOST };
    let error = icmp_error([10, 1, 1, 1].into(), *SNAT.ip(), message, &translated.packet(125));
    lab.passes(|_| error.clone(), &[("router:lb", Out, 64), ("lb:eth0", In, 64)]);
    let scenario = balanced(scenario(Vec::new()), 49);
    let diagnosis = diagnose(&scenario, &lab.seen, &step("login")).unwrap();
    assert_eq!(diagnosis.causes.len(), 1);
    let said = diagnosis.causes[0].sentence.clone();
    assert!(said.starts_with("10.1.1.1 (router) sent 1 ICMP error about it to 172.16.5.10"));
}

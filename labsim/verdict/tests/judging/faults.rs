//! Diagnoses of the faults that translation, missing tunnels, ARP, RADIUS and failover bring.

use crate::lab::{CLIENT, Lab, RS2, VIP, mac, reaches, ways};
use crate::scenario::{balanced, node, radius, scenario, step};
use crate::wire::{self, Segment, datagram};
use labsim_codes::cause;
use labsim_scenario::model::Direction::{In, Out};
use labsim_scenario::model::{Check, LoginResult};
use labsim_verdict::{Attempt, Diagnosis, diagnose, judge};
use labsim_wire::icmpv4::{Message, unreachable};
use labsim_wire::tcp::Flags;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

const MEMBER: SocketAddrV4 = SocketAddrV4::new(RS2, 49);
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);
const PSH: Flags = Flags::PSH.with(Flags::ACK);

pub(crate) fn diagnosed(lab: &Lab, member_port: u16) -> Diagnosis {
    diagnose(&balanced(scenario(Vec::new()), member_port), &lab.seen, &step("login")).unwrap()
}

pub(crate) fn sentences(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.causes.iter().map(|cause| cause.sentence.clone()).collect()
}

/// Destination translated, source not: the server answers past the load balancer, twice.
fn dnat_without_snat() -> Lab {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let translated = Segment { destination: MEMBER, ..syn };
    lab.passes(|ttl| translated.packet(ttl), &ways::LB_TO_RS2);
    for _ in 0..2 {
        let answer = Segment { source: MEMBER, id: 0, ..lab.server(SYN_ACK, 0, 1, 0) };
        lab.passes(|ttl| answer.packet(ttl), &ways::RS2_TO_CLIENT);
        let reset = Segment { destination: MEMBER, ..lab.client(Flags::RST, 1, 0, 0) };
        lab.passes(|ttl| reset.packet(ttl), &ways::CLIENT_TO_RS2);
    }
    lab
}

#[test]
fn dnat_without_snat_is_told_by_the_answers_and_the_clients_resets() {
    let diagnosis = diagnosed(&dnat_without_snat(), 49);
    assert_eq!(
        sentences(&diagnosis),
        ["2 replies came from 10.1.1.52:49 (rs2) instead of 172.16.4.99:49, first seen \
         at rs2:eth0 out; the client rejected them with RST 2 times; lb translated \
         172.16.4.99:49 to 10.1.1.52:49, and the replies bypass it and stay \
         untranslated"]
    );
    // The SYN out of the load balancer, two answers at four places, two resets.
    assert_eq!(diagnosis.causes[0].frames.lines.len(), 1 + 8 + 2);
    // The resets to the server take another way, and get there all the same.
    let forward = diagnosis.forward.unwrap();
    assert!(!forward.others_got_further);
    assert_eq!(diagnosis.back.unwrap().copies, 2, "the identification 0 does not join them");
}

#[test]
fn a_port_that_is_translated_under_dsr_is_told_by_the_answers_from_it() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let other = SocketAddrV4::new(*VIP.ip(), 4949);
    let translated = Segment { destination: other, ..syn };
    let tunnel = |ttl| wire::ip(*CLIENT.ip(), RS2, 4, ttl, 9, &translated.packet(126));
    lab.passes(tunnel, &ways::LB_TO_RS2);
    let answer = Segment { source: other, ..lab.server(SYN_ACK, 0, 1, 0) };
    lab.passes(|ttl| answer.packet(ttl), &ways::RS2_TO_CLIENT);
    assert_eq!(
        sentences(&diagnosed(&lab, 4949)),
        ["1 reply came from 172.16.4.99:4949 instead of 172.16.4.99:49, first seen at \
         rs2:eth0 out; lb translated 172.16.4.99:49 to 172.16.4.99:4949, and the \
         replies bypass it and stay untranslated"]
    );
}

#[test]
fn answers_that_pass_the_load_balancer_untranslated_are_not_said_to_pass_it_by() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let translated = Segment { destination: MEMBER, ..syn };
    lab.passes(|ttl| translated.packet(ttl), &ways::LB_TO_RS2);
    let answer = Segment { source: MEMBER, ..lab.server(SYN_ACK, 0, 1, 0) };
    lab.passes(|ttl| answer.packet(ttl), &ways::RS2_TO_LB);
    lab.passes(|ttl| answer.packet(ttl), &ways::LB_TO_CLIENT);
    assert_eq!(
        sentences(&diagnosed(&lab, 49)),
        ["1 reply came from 10.1.1.52:49 (rs2) instead of 172.16.4.99:49, first seen at \
         rs2:eth0 out"]
    );
}

#[test]
fn an_answer_from_another_source_is_told_if_it_is_lost_too() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_TUNNEL);
    let answer = Segment { source: MEMBER, ..lab.server(SYN_ACK, 0, 1, 0) };
    lab.server_sends(answer, 2);
    let said = sentences(&diagnosed(&lab, 49));
    assert_eq!(said.len(), 1);
    assert!(said[0].starts_with("1 reply came from 10.1.1.52:49 (rs2) instead of "));
}

#[test]
fn answers_that_do_pass_the_load_balancer_are_no_others() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let translated = Segment { destination: MEMBER, ..syn };
    lab.passes(|ttl| translated.packet(ttl), &ways::LB_TO_RS2);
    let back = lab.server(SYN_ACK, 0, 1, 0);
    let answer = Segment { source: MEMBER, ..back };
    lab.passes(|ttl| answer.packet(ttl), &ways::RS2_TO_LB);
    lab.passes(|ttl| back.packet(ttl), &ways::LB_TO_CLIENT);
    assert_eq!(sentences(&diagnosed(&lab, 49)), Vec::<String>::new());
}

/// The client's SYN, sent by the router to that link-layer address.
fn switched_to(lab: &mut Lab, destination: [u8; 6]) {
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    let mut frame = wire::ethernet(&syn.packet(127), 0x0800);
    frame[..6].copy_from_slice(&destination);
    lab.push("client", "eth0", Out, &wire::ethernet(&syn.packet(128), 0x0800));
    lab.push("router", "servers", Out, &frame);
    lab.push("rs2", "eth0", In, &frame);
}

#[test]
fn a_server_that_claims_the_vip_by_arp_is_named() {
    let mut lab = Lab::new();
    let claim = wire::arp(2, *VIP.ip(), [10, 1, 1, 1].into());
    lab.push("rs2", "eth0", Out, &claim);
    switched_to(&mut lab, mac("rs2", "eth0"));
    let diagnosis = diagnosed(&lab, 49);
    assert_eq!(
        sentences(&diagnosis),
        ["rs2 claimed 172.16.4.99 by ARP 1 time, and 1 packet went directly to its \
         link-layer address 02:00:00:00:01:06, first at router:servers out: they \
         bypassed the load balancer"]
    );
    assert_eq!(diagnosis.causes[0].frames.lines.len(), 2);
}

#[test]
fn what_the_load_balancer_hands_to_a_server_went_not_past_it() {
    // A server without a claim; and a claim, with packets that the load balancer sends.
    let mut quiet = Lab::new();
    quiet.push("rs2", "eth0", Out, &wire::arp(2, RS2, [10, 1, 1, 1].into()));
    switched_to(&mut quiet, mac("rs2", "eth0"));
    assert_eq!(sentences(&diagnosed(&quiet, 49)), Vec::<String>::new());
    let mut handed = Lab::new();
    handed.push("rs2", "eth0", Out, &wire::arp(2, *VIP.ip(), [10, 1, 1, 1].into()));
    let syn = handed.client(Flags::SYN, 0, 0, 0);
    let mut frame = wire::ethernet(&syn.packet(126), 0x0800);
    frame[..6].copy_from_slice(&mac("rs2", "eth0"));
    handed.push("lb", "eth0", Out, &frame);
    handed.push("rs2", "eth0", In, &frame);
    assert_eq!(sentences(&diagnosed(&handed, 49)), Vec::<String>::new());
    let mut claimed_by_it = Lab::new();
    claimed_by_it.push("lb", "eth0", Out, &wire::arp(2, *VIP.ip(), [172, 16, 5, 1].into()));
    switched_to(&mut claimed_by_it, mac("lb", "eth0"));
    assert_eq!(sentences(&diagnosed(&claimed_by_it, 49)), Vec::<String>::new());
}

/// A RADIUS request through a tunnel to rs2, and what rs2 answers from `source`.
fn radius_answered(source: Ipv4Addr) -> Lab {
    let client = SocketAddrV4::new(*CLIENT.ip(), 40_812);
    let vip = SocketAddrV4::new(*VIP.ip(), 1812);
    let mut lab = Lab::new();
    let (protocol, local, remote) = (17, Some(client.into()), vip.into());
    *lab.attempt() = Attempt { protocol, local, remote, ..lab.attempt().clone() };
    lab.seen.steps[0].name = step("radius");
    for _ in 0..2 {
        lab.passes(|ttl| datagram(client, vip, 0, ttl, b"request"), &ways::CLIENT_TO_LB);
        lab.passes(|ttl| datagram(client, vip, 0, ttl, b"request"), &ways::LB_TO_RS2);
        let source = SocketAddrV4::new(source, 1812);
        let answer = |ttl| datagram(source, client, 7, ttl, b"accept");
        lab.passes(answer, &ways::RS2_TO_CLIENT);
    }
    lab
}

fn radius_diagnosed(lab: &Lab) -> Diagnosis {
    let mut scenario = balanced(scenario(Vec::new()), 49);
    scenario.steps = vec![radius("radius")];
    diagnose(&scenario, &lab.seen, &step("radius")).unwrap()
}

#[test]
fn a_radius_answer_from_the_servers_own_address_is_told() {
    let diagnosis = radius_diagnosed(&radius_answered(RS2));
    assert_eq!(
        sentences(&diagnosis),
        ["2 replies came from 10.1.1.52:1812 (rs2) instead of 172.16.4.99:1812, first \
         seen at rs2:eth0 out; rs2 was addressed at 172.16.4.99:1812 and replied from \
         another of its addresses"]
    );
    assert_eq!(diagnosis.causes[0].code, cause::REPLY_FROM_OTHER_ADDRESS);
    assert_eq!(diagnosis.causes[0].node, Some(node("rs2")));
    let forward = diagnosis.forward.unwrap();
    assert_eq!((forward.packet.as_str(), forward.copies), ("UDP len 7", 2));
    let right = radius_diagnosed(&radius_answered(*VIP.ip()));
    assert_eq!(sentences(&right), Vec::<String>::new());
}

#[test]
fn a_client_whose_kernel_refuses_the_answer_by_icmp_is_told() {
    let mut lab = radius_answered(RS2);
    let (source, client) = (SocketAddrV4::new(RS2, 1812), SocketAddrV4::new(*CLIENT.ip(), 40_812));
    let answer = datagram(source, client, 7, 63, b"accept");
    let message = Message::Unreachable { code: unreachable::PORT };
    let error = wire::icmp_error(*CLIENT.ip(), RS2, message, &answer);
    lab.passes(|_| error.clone(), &ways::CLIENT_TO_RS2);
    // About another request, that is none of this step's.
    let other = SocketAddrV4::new(*CLIENT.ip(), 40_813);
    let other = datagram(source, other, 7, 63, b"accept");
    let error = wire::icmp_error(*CLIENT.ip(), RS2, message, &other);
    lab.passes(|_| error.clone(), &ways::CLIENT_TO_RS2);
    let said = sentences(&radius_diagnosed(&lab));
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("; the client rejected them with ICMP port unreachable 1 time; "));
}

#[test]
fn a_forwarder_without_the_flow_is_told_by_its_counter_and_its_reset() {
    let mut lab = Lab::with_login();
    lab.attempt().result = LoginResult::Refused;
    let data = lab.client(PSH, 50, 48, 23);
    lab.passes(|ttl| data.packet(ttl), &ways::CLIENT_TO_LB);
    let reset = lab.server(Flags::RST, 48, 0, 0);
    lab.passes(|ttl| reset.packet(ttl), &ways::LB_TO_CLIENT);
    lab.seen.forwarder_counters.entry(node("lb")).or_default().insert("no_flow".to_owned(), 1);
    assert_eq!(
        sentences(&diagnosed(&lab, 49)),
        [
            "the forwarder on lb dropped 1 packet (no_flow +1): it belongs to no flow and is not a SYN, \
          and loose initiation is off"
        ]
    );
}

/// A SYN that rs2 refuses.
fn refused() -> Lab {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_TUNNEL);
    let refusal = Segment { sequence: 0, ..lab.server(Flags::RST.with(Flags::ACK), 0, 1, 0) };
    lab.server_sends(refusal, 4);
    lab
}

#[test]
fn a_port_that_nobody_translates_is_told_where_the_server_refuses_it() {
    assert_eq!(
        sentences(&diagnosed(&refused(), 4949)),
        [
            "rs2 refused port 49: lb's pool member is 10.1.1.52:4949, and the port was not translated"
        ]
    );
}

#[test]
fn another_port_of_the_member_is_no_cause_by_itself() {
    assert_eq!(sentences(&diagnosed(&refused(), 49)).len(), 1);
    let mut lost = Lab::new();
    let syn = lost.client(Flags::SYN, 0, 0, 0);
    lost.client_sends(syn, reaches::RS_TUNNEL);
    assert_eq!(sentences(&diagnosed(&lost, 4949)), Vec::<String>::new());
    // A refusal of what was not seen to come in there.
    let refusal = Segment { sequence: 0, ..lost.server(Flags::RST.with(Flags::ACK), 0, 1, 0) };
    let mut unasked = Lab::new();
    unasked.client_sends(syn, reaches::LB_IN);
    unasked.server_sends(refusal, 4);
    assert_eq!(sentences(&diagnosed(&unasked, 4949)).len(), 1);
    // Another virtual server's pool.
    let mut scenario = balanced(scenario(Vec::new()), 4949);
    let server = &mut scenario.load_balancers.get_mut(&node("lb")).unwrap().virtual_servers;
    let server = server.values_mut().next().unwrap();
    server.destination = SocketAddr::from((server.destination.ip(), 50)).into();
    let diagnosis = diagnose(&scenario, &refused().seen, &step("login")).unwrap();
    assert_eq!(sentences(&diagnosis).len(), 1);
}

#[test]
fn a_flood_of_sources_is_not_told_of_without_a_bound() {
    let mut lab = Lab::with_login();
    for last in 0..100 {
        let source = SocketAddrV4::new([9, 9, 9, last].into(), 49);
        let stray = Segment { source, ..lab.server(SYN_ACK, 0, 1, 0) };
        lab.server_sends(stray, 4);
    }
    assert_eq!(diagnosed(&lab, 49).causes.len(), 40);
    let source = Some((*VIP.ip()).into());
    let check = Check::Answer { step: step("login"), result: LoginResult::Pass, source };
    let judgement = judge(&scenario(vec![check]), &lab.seen).expectations.remove(0);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen.len(), 1 + 40 + 1);
    assert_eq!(judgement.seen[41], "and from 61 more");
}

#[test]
fn the_log_lines_of_a_diagnosis_are_bounded() {
    let mut lab = Lab::new();
    for _ in 0..100 {
        lab.logs("rs2", CLIENT);
    }
    assert_eq!(diagnosed(&lab, 49).server_log.len(), 10);
}

#[test]
fn a_kernel_that_resets_the_server_in_the_clients_place_is_told() {
    let snat = SocketAddrV4::new(Ipv4Addr::new(172, 16, 5, 10), 40_000);
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let translated = Segment { source: snat, destination: MEMBER, ..syn };
    lab.passes(|ttl| translated.packet(ttl), &ways::LB_TO_RS2);
    let answer = Segment { source: MEMBER, destination: snat, ..lab.server(SYN_ACK, 0, 1, 0) };
    lab.passes(|ttl| answer.packet(ttl), &ways::RS2_TO_LB);
    let reset = Segment { source: snat, destination: MEMBER, ..lab.client(Flags::RST, 1, 0, 0) };
    lab.passes(|ttl| reset.packet(ttl), &ways::LB_TO_RS2);
    let said = sentences(&diagnosed(&lab, 49));
    assert_eq!(said[0], "1 reply sent to the client did not arrive, last seen at lb:eth0 in");
    assert_eq!(
        said[1],
        "lb sent 1 RST to 10.1.1.52:49 with the source 172.16.5.10:40000, first seen at \
         lb:eth0 out: the client did not send it"
    );
    assert_eq!(said.len(), 2);
}

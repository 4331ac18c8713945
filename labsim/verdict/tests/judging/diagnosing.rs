//! Diagnoses: the last place is always said, a cause only with what shows it.

use crate::lab::{CLIENT, Lab, RS2, VIP, reaches};
use crate::scenario::{interface, node, scenario, step};
use crate::wire;
use labsim_scenario::model::{Attachment, Check, Direction, Impairment, LoginResult, Percent};
use labsim_verdict::{Cause, Diagnosis, LinkCounters, diagnose, judge};
use labsim_wire::icmpv4::{Message, unreachable};
use labsim_wire::tcp::Flags;

fn diagnosed(lab: &Lab) -> Diagnosis {
    diagnose(&scenario(Vec::new()), &lab.seen, &step("login")).unwrap()
}

fn causes(diagnosis: &Diagnosis) -> Vec<&Cause> {
    diagnosis.evidence.iter().map(|evidence| &evidence.cause).collect()
}

/// A lab whose client sent a SYN and a retransmission that both came so far.
fn lost_after(places: usize) -> Lab {
    let mut lab = Lab::new();
    for _ in 0..2 {
        let syn = lab.client(Flags::SYN, 0, 0, 0);
        lab.client_sends(syn, places);
    }
    lab
}

#[test]
fn without_evidence_only_the_last_place_is_said() {
    let diagnosis = diagnosed(&lost_after(reaches::RS_ETH));
    assert_eq!(causes(&diagnosis), Vec::<&Cause>::new());
    let forward = diagnosis.forward.as_ref().unwrap();
    assert_eq!((forward.last_node.as_str(), forward.copies), ("rs2", 2));
    assert_eq!(
        diagnosis.findings(),
        [
            "the client's packet S seq 0 len 0 (sent 2 times) was last seen at rs2:eth0 in; its \
             way: client:eth0 out, router:client in, router:lb out, lb:eth0 in, lb:eth0 out, \
             router:lb in, router:servers out, rs2:eth0 in",
            "no answer was captured anywhere",
        ]
    );
}

#[test]
fn a_server_without_a_decapsulator_is_told_by_its_counter_and_its_icmp_errors() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_ETH);
    lab.server_reports(Message::Unreachable { code: unreachable::PROTOCOL }, &syn, 4);
    lab.rose("rs2", "IpInUnknownProtos", 1);
    let diagnosis = diagnosed(&lab);
    let found = causes(&diagnosis);
    assert_eq!(
        *found[0],
        Cause::NoDecapsulator { node: node("rs2"), ipv4: true, protocol: 4, count: 1 }
    );
    assert_eq!(
        found[1].to_string(),
        "10.1.1.52 (rs2) sent 192.168.11.201 an ICMP error about it 1 time: protocol unreachable \
         (type 3, code 2); first seen at rs2:eth0 out, it reached the client"
    );
    assert_eq!(found.len(), 2);
    assert_eq!(diagnosis.evidence[1].frames.lines.len(), 4);
}

#[test]
fn an_error_that_quotes_only_the_outer_header_is_about_the_flow_too() {
    let mut lab = lost_after(reaches::RS_ETH);
    // 28 bytes of the first tunnel packet: the outer header and eight bytes of the inner one.
    let first = lab.client(Flags::SYN, 0, 0, 0).packet(126);
    let quoted = wire::ip(*CLIENT.ip(), RS2, 4, 1, 7056 + 46_000, &first);
    let router = [10, 1, 1, 1].into();
    let message = Message::FragmentationNeeded { mtu: 1400 };
    let error = wire::icmp_error(router, *CLIENT.ip(), message, &quoted[..28]);
    lab.push("router", "client", Direction::Out, &wire::ethernet(&error, 0x0800));
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis)[0].to_string(),
        "10.1.1.1 (router) sent 192.168.11.201 an ICMP error about it 1 time: fragmentation \
         needed (type 3, code 4), MTU 1400; first seen at router:client out, the client never \
         got it"
    );
}

#[test]
fn errors_about_others_packets_are_not_evidence() {
    let mut lab = lost_after(reaches::RS_ETH);
    let mut other = lab.client(Flags::SYN, 0, 0, 0);
    other.source.set_port(1);
    other.id = 1;
    lab.server_reports(Message::Unreachable { code: unreachable::PROTOCOL }, &other, 4);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&Cause>::new());
}

#[test]
fn a_vip_that_is_missing_is_told_by_the_counter_of_the_last_node() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInAddrErrors", 2);
    let address = (*VIP.ip()).into();
    assert_eq!(
        causes(&diagnosed(&lab)),
        [&Cause::AddressMissing { node: node("rs2"), address, count: 2 }]
    );
}

#[test]
fn counters_of_other_nodes_are_not_evidence() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    for counter in ["IpInAddrErrors", "IpInUnknownProtos", "TcpExtIPReversePathFilter"] {
        lab.rose("rs1", counter, 2);
        lab.rose("lb", counter, 2);
    }
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&Cause>::new());
}

#[test]
fn unknown_protocols_are_no_cause_for_a_packet_that_was_unwrapped() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInUnknownProtos", 2);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&Cause>::new());
}

#[test]
fn rp_filter_is_told_by_its_counter_with_or_without_its_section() {
    for name in ["TcpExtIPReversePathFilter", "IPReversePathFilter"] {
        let mut lab = lost_after(reaches::RS_TUNNEL);
        lab.rose("rs2", name, 2);
        let diagnosis = diagnosed(&lab);
        assert_eq!(
            causes(&diagnosis)[0].to_string(),
            "rs2 dropped packets from 192.168.11.201 at tunl0: its IPReversePathFilter rose by 2; \
             rp_filter does not accept that source there"
        );
    }
}

#[test]
fn half_made_checksums_are_a_cause_only_if_the_server_refused_them() {
    let mut lab = Lab::new();
    let mut syn = lab.client(Flags::SYN, 0, 0, 0);
    syn.half_made = true;
    lab.client_sends(syn, reaches::RS_TUNNEL);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&Cause>::new());
    lab.rose("rs2", "TcpInCsumErrors", 1);
    assert_eq!(
        causes(&diagnosed(&lab)),
        [&Cause::Checksum { node: node("rs2"), half_made: true, count: 1 }]
    );
    let mut good = lost_after(reaches::RS_TUNNEL);
    good.rose("rs2", "TcpInCsumErrors", 1);
    assert_eq!(causes(&diagnosed(&good)), Vec::<&Cause>::new());
}

#[test]
fn what_the_forwarder_dropped_is_told_by_its_counter() {
    let mut lab = lost_after(reaches::LB_IN);
    let counters = lab.seen.forwarder_counters.entry(node("lb")).or_default();
    counters.insert("outcomes.no_virtual_server".to_owned(), 2);
    counters.insert("outcomes.no_flow".to_owned(), 0);
    counters.insert("outcomes.arp_ignored".to_owned(), 9);
    let diagnosis = diagnosed(&lab);
    assert_eq!(causes(&diagnosis).len(), 1);
    assert_eq!(
        causes(&diagnosis)[0].to_string(),
        "the forwarder on lb counted 2 packets as no_virtual_server: no virtual server takes that \
         protocol and port"
    );
}

#[test]
fn a_neighbour_that_does_not_answer_arp_is_told() {
    let mut lab = lost_after(reaches::ROUTER_IN);
    let (router, lb, other) =
        ([172, 16, 5, 1].into(), [172, 16, 5, 10].into(), [10, 1, 1, 51].into());
    for _ in 0..3 {
        lab.push("router", "lb", Direction::Out, &wire::arp(1, router, lb));
    }
    lab.push("router", "servers", Direction::Out, &wire::arp(1, router, other));
    lab.push("router", "servers", Direction::In, &wire::arp(2, other, router));
    assert_eq!(
        causes(&diagnosed(&lab)),
        [&Cause::NeighbourSilent { node: node("router"), address: lb.into(), requests: 3 }]
    );
}

#[test]
fn answers_from_another_source_are_told_with_the_clients_resets() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    let mut answer = lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0);
    answer.source.set_ip(RS2);
    lab.server_sends(answer, 4);
    let mut reset = lab.client(Flags::RST, 1, 0, 0);
    reset.destination.set_ip(RS2);
    lab.client_sends(reset, 1);
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis)[0].to_string(),
        "1 answer came from 10.1.1.52:49 (rs2) instead of 172.16.4.99:49, first seen at rs2:eth0 \
         out; the client answered with RST 1 time; rs2 had been asked at 172.16.4.99:49, and \
         answered from another of its addresses"
    );
    assert_eq!(causes(&diagnosis).len(), 1);
}

#[test]
fn answers_that_do_not_arrive_are_followed_too() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    for _ in 0..2 {
        let answer = lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0);
        lab.server_sends(answer, 2);
    }
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis),
        [&Cause::AnswersLost { last_seen: "router:servers in".to_owned(), count: 2 }]
    );
    let back = diagnosis.back.unwrap();
    assert_eq!((back.last_node.as_str(), back.copies), ("router", 2));
}

#[test]
fn a_refused_connection_names_who_refused_it() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    let mut refusal = lab.server(Flags::RST.with(Flags::ACK), 0, 1, 0);
    refusal.sequence = 0;
    lab.server_sends(refusal, 4);
    assert_eq!(
        causes(&diagnosed(&lab))[0].to_string(),
        "172.16.4.99:49 refused the connection with RST 1 time, first seen at rs2:eth0 out; nothing \
         on rs2 listens there"
    );
}

#[test]
fn a_packet_that_is_lost_where_others_pass_is_the_one_that_is_told_of() {
    let mut lab = Lab::with_login();
    lab.attempt().result = LoginResult::Timeout;
    let big = lab.client(Flags::PSH.with(Flags::ACK), 50, 48, 1400);
    lab.client_sends(big, reaches::LB_IN);
    let later = lab.client(Flags::ACK, 50, 48, 1);
    lab.client_sends(later, reaches::RS_TUNNEL);
    let forward = diagnosed(&lab).forward.unwrap();
    assert_eq!(forward.packet, "P. seq 50 len 1400");
    assert!(forward.others_got_further);
    assert_eq!((forward.last_node.as_str(), forward.last_direction), ("lb", Direction::In));
}

#[test]
fn what_a_router_does_to_the_answers_is_told_by_its_counter() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    let answer = lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0);
    lab.server_sends(answer, 2);
    lab.rose("router", "TcpExtIPReversePathFilter", 1);
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis)[0].to_string(),
        "router dropped packets from 172.16.4.99 at servers: its IPReversePathFilter rose by 1; \
         rp_filter does not accept that source there"
    );
}

#[test]
fn a_login_whose_packets_all_arrived_is_told_by_the_servers_log() {
    let diagnosis = diagnosed(&Lab::with_login());
    assert_eq!(causes(&diagnosis), Vec::<&Cause>::new());
    let findings = diagnosis.findings();
    assert!(findings[0].starts_with("all 6 client's packets came as far as rs2:tunl0 in; "));
    assert!(findings[1].starts_with("all 5 answering packets came as far as client:eth0 in; "));
    assert!(findings[2].starts_with("rs2 logged the client 192.168.11.201:61067 at "));
}

#[test]
fn the_copy_that_got_furthest_tells_the_way() {
    let mut lab = lost_after(reaches::LB_IN);
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_ETH);
    let again = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(again, reaches::ROUTER_IN);
    let forward = diagnosed(&lab).forward.unwrap();
    assert_eq!((forward.path.len(), forward.copies), (reaches::RS_ETH, 4));
}

#[test]
fn a_client_that_got_its_answers_is_not_blamed_for_other_packets() {
    let mut lab = Lab::with_login();
    lab.rose("client", "IpInAddrErrors", 3);
    lab.rose("client", "IpOutNoRoutes", 3);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&Cause>::new());
}

#[test]
fn a_client_that_sent_nothing_is_told() {
    let diagnosis = diagnosed(&Lab::new());
    assert_eq!(
        diagnosis.findings(),
        ["no packet of the client was captured anywhere", "no answer was captured anywhere"]
    );
}

#[test]
fn only_steps_of_failed_expectations_are_diagnosed() {
    let login = |result| Check::Answer { step: step("login"), result, source: None };
    let lab = lost_after(reaches::RS_TUNNEL);
    let verdict = judge(&scenario(vec![login(LoginResult::Timeout)]), &lab.seen);
    assert!(verdict.passed() && verdict.diagnoses.is_empty());
    let verdict = judge(&scenario(vec![login(LoginResult::Pass)]), &lab.seen);
    assert_eq!(verdict.diagnoses.len(), 1);
    assert_eq!(verdict.diagnoses[0].step, step("login"));
}

#[test]
fn a_packet_that_an_impaired_link_dropped_is_told_by_the_links_own_count() {
    let mut lab = lost_after(1);
    let mut scenario = scenario(Vec::new());
    let end = Attachment { node: node("client"), interface: interface("eth0") };
    let impairment = Impairment {
        delay: std::time::Duration::ZERO,
        jitter: std::time::Duration::ZERO,
        loss: Percent::of_millionths(100_000).unwrap(),
        duplicate: Percent::default(),
        reorder: Percent::default(),
        rate: None,
        queue: 1000,
        seed: 0,
    };
    scenario.impairments.insert(end.clone(), impairment);
    let by_name =
        [("taken", 9), ("lost", 2), ("queue_full", 1)].map(|(name, n)| (name.to_owned(), n));
    let counters = LinkCounters { dropped: 3, by_name: by_name.into_iter().collect() };
    lab.seen.link_counters.insert(end.clone(), counters);
    let told = |lab: &Lab| diagnose(&scenario, &lab.seen, &step("login")).unwrap();
    let diagnosis = told(&lab);
    assert_eq!(
        causes(&diagnosis)[0].to_string(),
        "the impaired link behind client:eth0 (loss 10%) dropped 3 of 9 frames: lost 2, queue_full 1"
    );
    assert_eq!(diagnosis.evidence[0].frames.lines.len(), 1);
    // A link that dropped nothing is not to blame, nor is one that the packet came out of.
    lab.seen.link_counters.insert(end.clone(), LinkCounters::default());
    assert_eq!(causes(&told(&lab)), Vec::<&Cause>::new());
    let mut beyond = lost_after(reaches::ROUTER_IN);
    let counters = LinkCounters { dropped: 3, ..LinkCounters::default() };
    beyond.seen.link_counters.insert(end, counters);
    assert_eq!(causes(&told(&beyond)), Vec::<&Cause>::new());
}

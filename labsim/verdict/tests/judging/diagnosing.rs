//! Diagnoses: the last place is always said, a cause only with what shows it.

use crate::lab::{CLIENT, Lab, RS2, VIP, reaches};
use crate::scenario::{node, scenario, step};
use crate::wire::{self, Segment};
use labsim_codes::{Code, cause};
use labsim_model::outcome::{self, Outcome};
use labsim_scenario::model::{Captures, Check, Direction, LoginResult, Place, Scenario};
use labsim_verdict::{Cause, Diagnosis, diagnose, judge};
use labsim_wire::icmpv4::{Message, unreachable};
use labsim_wire::tcp::Flags;
use std::net::SocketAddrV4;

fn diagnosed(lab: &Lab) -> Diagnosis {
    diagnose(&scenario(Vec::new()), &lab.seen, &step("login")).unwrap()
}

pub(crate) fn causes(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.causes.iter().map(|cause| cause.sentence.as_str()).collect()
}

/// The codes and nodes of the causes.
pub(crate) fn codes(diagnosis: &Diagnosis) -> Vec<(Code, String)> {
    let node = |cause: &Cause| cause.node.as_ref().map_or(String::new(), ToString::to_string);
    diagnosis.causes.iter().map(|cause| (cause.code, node(cause))).collect()
}

/// A lab whose client sent a SYN and a retransmission that both came so far.
pub(crate) fn lost_after(places: usize) -> Lab {
    let mut lab = Lab::new();
    for _ in 0..2 {
        let syn = lab.client(Flags::SYN, 0, 0, 0);
        lab.client_sends(syn, places);
    }
    lab
}

pub(crate) fn findings(diagnosis: &Diagnosis) -> Vec<String> {
    diagnosis.findings().into_iter().map(|finding| finding.sentence).collect()
}

#[test]
fn without_evidence_only_the_last_place_is_said() {
    let diagnosis = diagnosed(&lost_after(reaches::RS_ETH));
    assert_eq!(causes(&diagnosis), Vec::<&str>::new());
    let forward = diagnosis.forward.as_ref().unwrap();
    assert_eq!((forward.last_node.as_str(), forward.copies), ("rs2", 2));
    assert_eq!(
        findings(&diagnosis),
        [
            "the client's packet S seq 0 len 0 (sent 2 times) was last seen at rs2:eth0 in; \
         path: client:eth0 out, router:client in, router:lb out, lb:eth0 in, lb:eth0 \
         out, router:lb in, router:servers out, rs2:eth0 in",
            "no reply was captured anywhere",
        ]
    );
}

#[test]
fn of_frames_that_are_left_out_nothing_is_said() {
    let lab = lost_after(reaches::RS_ETH);
    let place = Place { file: "test.yaml".to_owned(), line: 7 };
    let captures = Captures { place: Some(place), points: Some(Vec::new()), ..Captures::default() };
    let partial = Scenario { captures, ..scenario(Vec::new()) };
    let diagnosis = diagnose(&partial, &lab.seen, &step("login")).unwrap();
    assert_eq!(
        findings(&diagnosis),
        [
            "not diagnosed: `captures` (test.yaml:7) leaves frames out, so that nothing shows where packets \
             stayed; run it without `captures` for a diagnosis"
        ]
    );
    assert!(diagnosis.causes.is_empty() && diagnosis.forward.is_none());
}

#[test]
fn an_answer_to_another_request_from_the_same_port_came_from_no_wrong_source() {
    let other = |asks: bool| {
        let mut lab = Lab::with_login_up_to_request(7056);
        let port = SocketAddrV4::new(*VIP.ip(), 50);
        if asks {
            let syn = Segment { destination: port, ..lab.client(Flags::SYN, 0, 0, 0) };
            lab.client_sends(syn, reaches::RS_TUNNEL);
        }
        let answer = lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0);
        lab.server_sends(Segment { source: port, ..answer }, 4);
        codes(&diagnosed(&lab))
    };
    let is_wrong = |causes: &[(Code, String)]| {
        causes.iter().any(|(code, _)| *code == cause::WRONG_REPLY_SOURCE)
    };
    assert!(is_wrong(&other(false)));
    assert!(!is_wrong(&other(true)), "{:?}", other(true));
}

#[test]
fn a_server_without_a_decapsulator_is_told_by_its_counter_and_its_icmp_errors() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_ETH);
    lab.server_reports(Message::Unreachable { code: unreachable::PROTOCOL }, &syn, 4);
    lab.rose("rs2", "IpInUnknownProtos", 1);
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis),
        ["rs2 does not decapsulate IPIP (IP protocol 4) packets (IpInUnknownProtos +1, ICMP \
          protocol unreachable (type 3, code 2)): it has no tunnel device for them"]
    );
    assert_eq!(codes(&diagnosis), [(cause::TUNNEL_MISSING, "rs2".to_owned())]);
    // The packet at the server, and its ICMP error at four places.
    assert_eq!(diagnosis.causes[0].frames.lines.len(), 1 + 4);
    assert_eq!(diagnosis.causes[0].counters["IpInUnknownProtos"], 1);
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
        "10.1.1.1 (router) sent 1 ICMP error about it to 192.168.11.201: fragmentation \
         needed (type 3, code 4), MTU 1400; first seen at router:client out, not \
         received by the client"
    );
}

#[test]
fn errors_about_others_packets_are_not_evidence() {
    let mut lab = lost_after(reaches::RS_ETH);
    let mut other = lab.client(Flags::SYN, 0, 0, 0);
    other.source.set_port(1);
    other.id = 1;
    lab.server_reports(Message::Unreachable { code: unreachable::PROTOCOL }, &other, 4);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&str>::new());
}

#[test]
fn a_vip_that_is_missing_is_told_by_the_counter_of_the_last_node() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInAddrErrors", 2);
    let diagnosis = diagnosed(&lab);
    assert_eq!(
        causes(&diagnosis),
        [
            "rs2 dropped 2 packets for 172.16.4.99 (IpInAddrErrors +2): no interface has this address"
        ]
    );
    assert_eq!(codes(&diagnosis), [(cause::VIP_MISSING, "rs2".to_owned())]);
    // The last of nine frames of each SYN, the markers before them not counted.
    assert_eq!(diagnosis.records()[0].frames, [9, 18]);
    assert_eq!(diagnosis.causes[0].count, 2);
    assert!(!diagnosis.causes[0].fix.linux.is_empty());
}

#[test]
fn counters_of_other_nodes_are_not_evidence() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    for counter in ["IpInAddrErrors", "IpInUnknownProtos", "TcpExtIPReversePathFilter"] {
        lab.rose("rs1", counter, 2);
        lab.rose("lb", counter, 2);
    }
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&str>::new());
}

#[test]
fn unknown_protocols_are_no_cause_for_a_packet_that_was_unwrapped() {
    let mut lab = lost_after(reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInUnknownProtos", 2);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&str>::new());
}

#[test]
fn rp_filter_is_told_by_its_counter_with_or_without_its_section() {
    for name in ["TcpExtIPReversePathFilter", "IPReversePathFilter"] {
        let mut lab = lost_after(reaches::RS_TUNNEL);
        lab.rose("rs2", name, 2);
        let diagnosis = diagnosed(&lab);
        assert_eq!(
            causes(&diagnosis)[0].to_string(),
            "rs2 dropped packets from 192.168.11.201 at tunl0 (IPReversePathFilter +2): \
         rp_filter does not accept this source there"
        );
    }
}

#[test]
fn half_made_checksums_are_a_cause_only_if_the_server_refused_them() {
    let mut lab = Lab::new();
    let mut syn = lab.client(Flags::SYN, 0, 0, 0);
    syn.half_made = true;
    lab.client_sends(syn, reaches::RS_TUNNEL);
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&str>::new());
    lab.rose("rs2", "TcpInCsumErrors", 1);
    assert_eq!(
        causes(&diagnosed(&lab)),
        [
            "rs2 dropped segments (TcpInCsumErrors +1): captured segments have partial checksums, as \
          transmit offload leaves them"
        ]
    );
    let mut good = lost_after(reaches::RS_TUNNEL);
    good.rose("rs2", "TcpInCsumErrors", 1);
    assert_eq!(causes(&diagnosed(&good)), Vec::<&str>::new());
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
        "the forwarder on lb dropped 2 packets (no_virtual_server +2): no virtual server takes that \
         protocol and port"
    );
}

#[test]
fn a_finding_that_is_a_cause_has_its_code_and_no_other_finding_has_one() {
    let mut lab = lost_after(reaches::LB_IN);
    let counters = lab.seen.forwarder_counters.entry(node("lb")).or_default();
    counters.insert("no_virtual_server".to_owned(), 2);
    let findings = diagnosed(&lab).findings();
    let codes: Vec<_> = findings.iter().map(|finding| finding.code.as_deref()).collect();
    assert_eq!(codes, [None, Some("forwarder-dropped"), None]);
    assert!(findings[1].to_string().ends_with(" [forwarder-dropped]"), "{findings:?}");
}

#[test]
fn every_counter_of_a_drop_that_a_syn_can_meet_is_a_cause_and_no_other_outcome_is() {
    // These are of packets in the middle of a connection, of RSTs, and of packets that are too long.
    let of_others = ["no_flow", "reset_without_flow", "fragmentation_needed", "packet_too_big"];
    let counted = |counter: &str| -> Vec<String> {
        let mut lab = lost_after(reaches::LB_IN);
        let counters = lab.seen.forwarder_counters.entry(node("lb")).or_default();
        counters.insert(counter.to_owned(), 3);
        diagnosed(&lab).causes.into_iter().map(|cause| cause.sentence).collect()
    };
    for (counter, reason) in outcome::drops() {
        let said = counted(counter);
        if of_others.contains(&counter) {
            assert_eq!(said, Vec::<String>::new(), "{counter}");
            continue;
        }
        assert_eq!(said.len(), 1, "{counter}");
        assert!(said[0].contains(&format!("({counter} +3): {reason}")), "{said:?}");
    }
    for passed_on in Outcome::ALL.into_iter().filter(|one| one.drop_reason().is_none()) {
        assert_eq!(counted(passed_on.name()), Vec::<String>::new(), "{passed_on}");
    }
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
        ["router sent 3 ARP requests for 172.16.5.10 and got no reply"]
    );
    // Where the machine's kernel had no room for neighbours, that may be why.
    lab.seen.refused_neighbours = 1;
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&str>::new());
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
        "1 reply came from 10.1.1.52:49 (rs2) instead of 172.16.4.99:49, first seen at \
         rs2:eth0 out; the client rejected them with RST 1 time; rs2 was addressed at \
         172.16.4.99:49 and replied from another of its addresses"
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
        ["2 replies sent to the client did not arrive, last seen at router:servers in"]
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
        "172.16.4.99:49 refused the connection (1 RST), first seen at rs2:eth0 out; no \
         socket on rs2 listens there"
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
        "router dropped packets from 172.16.4.99 at servers (IPReversePathFilter +1): the replies' \
         source, the VIP, is not routed the way they came"
    );
    assert_eq!(codes(&diagnosis), [(cause::REPLY_SOURCE_FILTERED, "router".to_owned())]);
}

#[test]
fn a_login_whose_packets_all_arrived_is_told_by_the_servers_log() {
    let diagnosis = diagnosed(&Lab::with_login());
    assert_eq!(causes(&diagnosis), Vec::<&str>::new());
    let findings = findings(&diagnosis);
    assert!(findings[0].starts_with("all 6 client's packets reached rs2:tunl0 in; path: "));
    assert!(findings[1].starts_with("all 5 server's packets reached client:eth0 in; path: "));
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
    assert_eq!(causes(&diagnosed(&lab)), Vec::<&str>::new());
}

#[test]
fn a_client_that_sent_nothing_is_told() {
    let diagnosis = diagnosed(&Lab::new());
    assert_eq!(
        findings(&diagnosis),
        ["no packet of the client was captured anywhere", "no reply was captured anywhere"]
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

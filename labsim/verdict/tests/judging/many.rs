//! Steps of many logins: their results, their answers' source, and their spread over the servers.

use crate::diagnosing::findings;
use crate::lab::{CLIENT, Lab, RS2, VIP, ways};
use crate::scenario::{balanced, node, scenario, step};
use crate::wire::Segment;
use labsim_scenario::model::{Check, Direction, LoginResult, Place, Scenario, StepAction};
use labsim_verdict::{Attempt, ExpectationResult, Liveness, Verdict, judge};
use labsim_wire::tcp::Flags;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

const ALL: u16 = 30;

fn local(place: u16) -> SocketAddrV4 {
    SocketAddrV4::new(*CLIENT.ip(), 40_000 + place)
}

/// A SYN of that login to a server, and what it answers.
fn exchanged(lab: &mut Lab, place: u16, server: &str, source: Ipv4Addr) {
    let first = u32::from(place) * 100_000;
    let syn = Segment { source: local(place), ..lab.client(Flags::SYN, first, 0, 0) };
    lab.passes(|ttl| syn.packet(ttl), &ways::CLIENT_TO_LB);
    let answer = Segment {
        destination: local(place),
        source: SocketAddrV4::new(source, 49),
        ..lab.server(Flags::SYN.with(Flags::ACK), first, first + 1, 0)
    };
    let (there, back) = match server {
        "rs1" => (ways::LB_TO_RS1, ways::RS1_TO_CLIENT),
        _ => (ways::LB_TO_RS2, ways::RS2_TO_CLIENT),
    };
    lab.passes(|ttl| syn.packet(ttl), &there);
    lab.passes(|ttl| answer.packet(ttl), &back);
}

/// Thirty logins of a client, all answered by the VIP; every third by rs1, the others by rs2.
fn thirty() -> Lab {
    let mut lab = Lab::new();
    let template = lab.attempt().clone();
    lab.seen.steps[0].attempts.clear();
    for place in 0..ALL {
        let server = if place % 3 == 0 { "rs1" } else { "rs2" };
        exchanged(&mut lab, place, server, *VIP.ip());
        lab.logs(server, local(place));
        lab.seen.steps[0].attempts.push(Attempt {
            result: LoginResult::Pass,
            detail: "Authentication passed".to_owned(),
            local: Some(local(place).into()),
            duration_ns: 900_000 + u64::from(place) * 1_000_000,
            ..template.clone()
        });
    }
    lab
}

fn thirty_planned(check: Check) -> Scenario {
    let mut scenario = balanced(scenario(vec![check]), 49);
    if let StepAction::Exchange(login) = &mut scenario.steps[0].action {
        login.times = u32::from(ALL);
    }
    scenario
}

fn verdict(check: Check, lab: &Lab) -> Verdict {
    judge(&thirty_planned(check), &lab.seen)
}

fn judged(check: Check, lab: &Lab) -> ExpectationResult {
    verdict(check, lab).expectations.remove(0)
}

fn all_pass() -> Check {
    let source = Some(IpAddr::from(*VIP.ip()));
    Check::Answer { step: step("login"), result: LoginResult::Pass, source }
}

fn spread(nodes: &[&str], at_least: u64) -> Check {
    let nodes = nodes.iter().map(|name| node(name)).collect();
    Check::Distribution { step: step("login"), nodes, at_least }
}

#[test]
fn all_logins_and_all_their_answers_are_counted() {
    let judgement = judged(all_pass(), &thirty());
    assert!(judgement.passed);
    assert_eq!(
        judgement.seen,
        [
            "30 of 30 logins passed; all 30 frames that answered came from 172.16.4.99",
            "the quickest took 0.9 ms, the slowest 29 ms"
        ]
    );
}

#[test]
fn logins_that_ended_otherwise_are_told_one_by_one_up_to_a_bound() {
    let mut lab = thirty();
    for attempt in &mut lab.seen.steps[0].attempts[3..10] {
        attempt.result = LoginResult::Timeout;
    }
    lab.seen.steps[0].attempts[20].result = LoginResult::Refused;
    let verdict = verdict(all_pass(), &lab);
    let judgement = &verdict.expectations[0];
    assert!(!judgement.passed);
    assert_eq!(
        judgement.expected,
        ["all 30 logins of the step `login` end with pass, and every answer that the client gets \
          comes from 172.16.4.99"]
    );
    assert_eq!(judgement.seen[0], "22 of 30 logins passed, 1 was refused, 7 timed out");
    assert_eq!(
        judgement.seen[2],
        "login 4 from client (192.168.11.201:40003) ended with timeout after 3.9 ms: \
         Authentication passed"
    );
    assert_eq!(judgement.seen.last().unwrap(), "and 3 more");
    assert_eq!(judgement.seen.len(), 2 + 5 + 1);
    // The diagnosis is about the first of them.
    let about = verdict.diagnoses[0].about.as_deref();
    let first = &findings(&verdict.diagnoses[0])[0];
    assert_eq!(about, Some(first.as_str()));
    assert!(first.starts_with("8 of 30 logins failed"), "{first}");
    let one = "; this is about login 4 from client (192.168.11.201:40003)";
    assert!(first.ends_with(one), "{first}");
}

#[test]
fn a_login_that_was_not_done_fails_all() {
    let mut lab = thirty();
    lab.seen.steps[0].attempts.pop();
    let judgement = judged(all_pass(), &lab);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen[0], "29 of 30 logins passed, 1 not done");
    assert!(!judged(spread(&["rs1", "rs2"], 1), &lab).passed);
    let by = |names: &[&str]| Check::AnsweredBy {
        step: step("login"),
        nodes: names.iter().map(|name| node(name)).collect(),
    };
    assert!(!judged(by(&["rs1", "rs2"]), &lab).passed);
}

#[test]
fn one_answer_of_another_source_among_all_is_found() {
    let mut lab = thirty();
    let stray = Segment {
        source: SocketAddrV4::new(RS2, 49),
        destination: local(17),
        ..lab.server(Flags::ACK, 0, 1, 0)
    };
    lab.passes(|ttl| stray.packet(ttl), &ways::RS2_TO_CLIENT);
    let verdict = verdict(all_pass(), &lab);
    let judgement = &verdict.expectations[0];
    assert!(!judgement.passed);
    assert_eq!(
        judgement.seen[2..],
        ["1 frame came from 10.1.1.52", "30 frames came from 172.16.4.99"]
    );
    assert_eq!(judgement.frames.len(), 1);
    let about = verdict.diagnoses[0].about.as_deref();
    assert_eq!(about, Some("this is about login 18 from client (192.168.11.201:40017)"));
}

#[test]
fn a_login_that_nothing_answered_is_found() {
    let mut lab = thirty();
    lab.seen.steps[0].attempts[5].local = Some(SocketAddrV4::new(*CLIENT.ip(), 7).into());
    let judgement = judged(all_pass(), &lab);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen[2], "no TCP frame for 192.168.11.201:7 came in at the client");
}

#[test]
fn a_spread_is_reported_by_server() {
    let judgement = judged(spread(&["rs1", "rs2"], 10), &thirty());
    assert!(judgement.passed, "{judgement:#?}");
    assert_eq!(judgement.seen[0], "rs1 10, rs2 20");
    let judgement = judged(spread(&["rs1", "rs2"], 11), &thirty());
    assert!(!judgement.passed);
    assert_eq!(judgement.seen[..], ["rs1 10, rs2 20", "rs1 answered 10 only"]);
}

#[test]
fn a_server_that_is_not_among_those_named_fails_a_spread() {
    let judgement = judged(spread(&["rs2"], 1), &thirty());
    assert!(!judgement.passed);
    assert_eq!(judgement.seen[0], "rs2 20");
    assert_eq!(judgement.seen[1], "login 1 from client (192.168.11.201:40000): answered by rs1");
    assert_eq!(judgement.seen.last().unwrap(), "and 5 more logins that were not on one server");
}

#[test]
fn a_flow_that_went_to_two_servers_fails_a_spread() {
    let mut lab = thirty();
    let data = Segment { source: local(4), ..lab.client(Flags::ACK, 400_001, 1, 0) };
    lab.passes(|ttl| data.packet(ttl), &ways::LB_TO_RS1);
    let judgement = judged(spread(&["rs1", "rs2"], 1), &lab);
    assert!(!judgement.passed);
    assert_eq!(
        judgement.seen[1],
        "login 5 from client (192.168.11.201:40004): logged by rs2, its packets taken in by rs1 \
         and rs2"
    );
}

#[test]
fn a_frame_that_a_switch_flooded_is_not_taken_in() {
    let mut lab = thirty();
    let data = Segment { source: local(4), ..lab.client(Flags::ACK, 400_001, 1, 0) };
    // For rs2, seen at rs1 too.
    let mut frame = crate::wire::ethernet(&data.packet(125), 0x0800);
    frame[..6].copy_from_slice(&crate::lab::mac("rs2", "eth0"));
    lab.push_as_it_is("rs1", "eth0", Direction::In, &frame);
    assert!(judged(spread(&["rs1", "rs2"], 10), &lab).passed);
}

#[test]
fn a_login_that_two_servers_or_none_logged_fails_a_spread() {
    let mut lab = thirty();
    lab.logs("rs1", local(4));
    assert!(!judged(spread(&["rs1", "rs2"], 1), &lab).passed);
    let mut lab = thirty();
    lab.seen.server_log.remove(4);
    let judgement = judged(spread(&["rs1", "rs2"], 1), &lab);
    assert!(judgement.seen[1].ends_with("logged by no server, its packets taken in by rs2"));
}

#[test]
fn a_second_servers_log_entry_fails_a_spread_whichever_it_is() {
    for place in [3, 4] {
        let mut lab = thirty();
        lab.logs(if place == 3 { "rs2" } else { "rs1" }, local(place));
        let judgement = judged(spread(&["rs1", "rs2"], 1), &lab);
        assert!(judgement.seen[1].contains("logged by rs1 and rs2, its packets taken in by rs"));
    }
}

#[test]
fn what_a_server_sends_is_not_what_it_took_in() {
    let mut lab = thirty();
    let data = Segment { source: local(3), ..lab.client(Flags::ACK, 300_001, 1, 0) };
    lab.push("rs2", "tunl0", Direction::Out, &data.packet(64));
    assert!(judged(spread(&["rs1", "rs2"], 10), &lab).passed);
    lab.push("rs2", "tunl0", Direction::In, &data.packet(64));
    assert!(!judged(spread(&["rs1", "rs2"], 10), &lab).passed);
}

#[test]
fn a_port_that_served_two_logins_is_counted_once() {
    let mut lab = thirty();
    let again = lab.seen.steps[0].attempts[0].clone();
    lab.seen.steps[0].attempts[29] = again;
    let judgement = judged(all_pass(), &lab);
    assert!(judgement.passed);
    assert!(judgement.seen[0].contains("; all 29 frames that answered came from "));
}

#[test]
fn one_user_of_many_logins_does_not_tell_which_one_it_was() {
    let mut lab = thirty();
    lab.seen.server_log.truncate(29);
    lab.logs("rs1", SocketAddrV4::new([172, 16, 5, 10].into(), 1024));
    let client = IpAddr::from([172, 16, 5, 10]);
    lab.seen.steps[0].attempts.drain(..29);
    let judgement = judged(Check::ServerSaw { step: step("login"), client }, &lab);
    assert!(judgement.seen[0].starts_with("no server logged it"), "{:#?}", judgement.seen);
}

#[test]
fn a_spread_is_not_believed_at_points_that_were_not_proven_alive() {
    let mut lab = thirty();
    lab.seen.capture.set_liveness(lab.point("rs2", "tunl0"), Liveness::default());
    let judgement = judged(spread(&["rs1", "rs2"], 1), &lab);
    assert!(!judgement.passed);
    assert!(judgement.seen[1].starts_with("this capture point is not verified: rs2:tunl0"));
}

#[test]
fn the_servers_logs_are_held_against_every_login() {
    let saw = |client| Check::ServerSaw { step: step("login"), client };
    let client = IpAddr::from(*CLIENT.ip());
    let judgement = judged(saw(client), &thirty());
    assert!(judgement.passed);
    assert_eq!(judgement.seen, ["the servers logged all 30 logins with the client 192.168.11.201"]);
    let mut lab = thirty();
    lab.seen.server_log.remove(29);
    let judgement = judged(saw(client), &lab);
    assert!(!judgement.passed);
    assert_eq!(
        judgement.seen,
        [
            "login 30 from client (192.168.11.201:40029): no server logged it; none of the 29 entries \
          is about it"
        ]
    );
    let by = |names: &[&str]| Check::AnsweredBy {
        step: step("login"),
        nodes: names.iter().map(|name| node(name)).collect(),
    };
    assert!(judged(by(&["rs1", "rs2"]), &thirty()).passed);
    assert!(!judged(by(&["rs2"]), &thirty()).passed);
}

#[test]
fn a_resumed_login_is_judged_by_the_login_that_paused() {
    use labsim_scenario::model::Step;
    let lab_of = |result| {
        let mut lab = Lab::with_login();
        lab.attempt().result = result;
        let name = step("go-on");
        lab.seen.steps.push(labsim_verdict::StepObservation {
            name,
            attempts: Vec::new(),
            unmet: None,
        });
        lab
    };
    let check = || Check::Answer { step: step("go-on"), result: LoginResult::Pass, source: None };
    let judged = |lab: &Lab| {
        let mut scenario = scenario(vec![check()]);
        let action = StepAction::Resume { login: step("login") };
        scenario.steps.push(Step {
            name: step("go-on"),
            place: Place { file: "x.yaml".to_owned(), line: 8 },
            action,
        });
        judge(&scenario, &lab.seen).expectations.remove(0)
    };
    assert!(judged(&lab_of(LoginResult::Pass)).passed);
    assert!(!judged(&lab_of(LoginResult::Paused)).passed);
    let mut not_done = lab_of(LoginResult::Pass);
    not_done.seen.steps.pop();
    assert_eq!(judged(&not_done).seen, ["the step was not done"]);
}

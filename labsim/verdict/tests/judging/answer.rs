//! Logins: their result, the source of the answers, and what the servers logged.

use crate::lab::{CLIENT, Lab, RS2, VIP};
use crate::scenario::{login, node, scenario, step};
use labsim_scenario::model::{Check, Direction, LoginResult};
use labsim_verdict::{Attempt, ExpectationResult, Observations, StepObservation, judge};
use labsim_wire::tcp::Flags;
use std::net::{IpAddr, SocketAddrV4};

fn judge_one(check: Check, seen: &Observations) -> ExpectationResult {
    judge(&scenario(vec![check]), seen).expectations.remove(0)
}

fn check(result: LoginResult, source: Option<IpAddr>) -> Check {
    Check::Answer { step: step("login"), result, source }
}

fn from_vip() -> Check {
    check(LoginResult::Pass, Some(IpAddr::from(*VIP.ip())))
}

#[test]
fn a_login_that_the_vip_answered_holds_with_its_figures() {
    let judgement = judge_one(from_vip(), &Lab::with_login().seen);
    assert!(judgement.passed);
    assert_eq!(judgement.seen[1], "all 5 frames that answered the client came from 172.16.4.99");
}

#[test]
fn one_answer_of_another_source_is_enough_to_fail() {
    let mut lab = Lab::with_login();
    let mut stray = lab.server(Flags::ACK, 47, 50, 0);
    stray.source.set_ip(RS2);
    lab.server_sends(stray, 4);
    let judgement = judge_one(from_vip(), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(
        judgement.seen[1..],
        ["1 frame came from 10.1.1.52", "5 frames came from 172.16.4.99"]
    );
    assert_eq!(judgement.frames.len(), 1);
}

#[test]
fn answers_that_only_left_the_server_do_not_count() {
    let mut lab = Lab::new();
    lab.attempt().result = LoginResult::Pass;
    let answer = lab.server(Flags::SYN.with(Flags::ACK), 0, 1, 0);
    lab.server_sends(answer, 3);
    let judgement = judge_one(from_vip(), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen[1], "no TCP frame for 192.168.11.201:61067 came in at the client");
}

#[test]
fn what_the_client_itself_sends_is_no_answer() {
    let mut lab = Lab::with_login();
    let mut own = lab.server(Flags::ACK, 47, 50, 0);
    own.source.set_ip(RS2);
    let frame = crate::wire::ethernet(&own.packet(64), 0x0800);
    lab.push("client", "eth0", Direction::Out, &frame);
    assert!(judge_one(from_vip(), &lab.seen).passed);
}

#[test]
fn a_result_other_than_the_expected_fails_in_both_directions() {
    let lab = Lab::with_login();
    assert!(judge_one(check(LoginResult::Pass, None), &lab.seen).passed);
    let judgement = judge_one(check(LoginResult::Fail, None), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.expected, ["the login `login` ends with fail"]);
    assert_eq!(judgement.seen, ["the login ended with pass after 5000 ms: Authentication passed"]);
    assert!(judge_one(check(LoginResult::Timeout, None), &Lab::new().seen).passed);
}

#[test]
fn a_step_that_was_not_done_fails() {
    let judgement = judge_one(check(LoginResult::Pass, None), &Observations::default());
    assert_eq!(judgement.seen, ["the step was not done"]);
}

#[test]
fn the_client_that_the_server_saw_is_compared_with_its_log() {
    let saw = |client: IpAddr| Check::ServerSaw { step: step("login"), client };
    let lab = Lab::with_login();
    let judgement = judge_one(saw(IpAddr::from(*CLIENT.ip())), &lab.seen);
    assert!(judgement.passed);
    assert_eq!(
        judgement.seen,
        ["rs2 logged the client 192.168.11.201:61067 at 172.16.4.99:49, user alice: pass"]
    );
    assert!(!judge_one(saw(IpAddr::from(RS2)), &lab.seen).passed);
    let judgement = judge_one(saw(IpAddr::from(*CLIENT.ip())), &Lab::new().seen);
    assert_eq!(judgement.seen, ["no server logged anything"]);
}

#[test]
fn a_translated_client_is_found_by_its_port_or_its_user() {
    let saw = Check::ServerSaw { step: step("login"), client: IpAddr::from(*CLIENT.ip()) };
    let snat = |port| SocketAddrV4::new([172, 16, 5, 10].into(), port);
    for port in [CLIENT.port(), 1024] {
        let mut lab = Lab::new();
        lab.logs("rs1", snat(port));
        let judgement = judge_one(saw.clone(), &lab.seen);
        assert!(!judgement.passed);
        assert!(judgement.seen[0].starts_with("rs1 logged the client 172.16.5.10:"));
    }
}

#[test]
fn a_log_entry_of_another_step_is_not_taken_for_this_one() {
    let mut lab = Lab::new();
    let other = SocketAddrV4::new(*CLIENT.ip(), 50_000);
    let attempt = Attempt { local: Some(other.into()), ..lab.attempt().clone() };
    let name = step("second");
    lab.seen.steps.push(StepObservation { name, attempts: vec![attempt], unmet: None });
    lab.logs("rs1", other);
    for user in ["alice", "bob"] {
        let mut scenario =
            scenario(vec![Check::AnsweredBy { step: step("login"), nodes: vec![node("rs1")] }]);
        scenario.steps.push(login("second", user));
        let judgement = judge(&scenario, &lab.seen).expectations.remove(0);
        assert!(!judgement.passed);
        let words = "no server logged it; the one entry there is belongs to another";
        assert_eq!(judgement.seen, [words]);
    }
}

#[test]
fn a_user_of_two_steps_does_not_tell_which_one_it_was() {
    let mut lab = Lab::new();
    lab.logs("rs1", SocketAddrV4::new([172, 16, 5, 10].into(), 1024));
    let by = || Check::AnsweredBy { step: step("login"), nodes: vec![node("rs1")] };
    for (user, passed) in [("bob", true), ("alice", false)] {
        let mut scenario = scenario(vec![by()]);
        scenario.steps.push(login("second", user));
        assert_eq!(judge(&scenario, &lab.seen).expectations[0].passed, passed, "{user}");
    }
}

#[test]
fn the_same_port_of_another_client_does_not_tell_this_step() {
    let mut lab = Lab::new();
    let other = SocketAddrV4::new([192, 168, 11, 202].into(), CLIENT.port());
    let attempt = Attempt { local: Some(other.into()), ..lab.attempt().clone() };
    let name = step("second");
    lab.seen.steps.push(StepObservation { name, attempts: vec![attempt], unmet: None });
    lab.logs("rs1", other);
    let check = Check::AnsweredBy { step: step("login"), nodes: vec![node("rs1")] };
    let mut scenario = scenario(vec![check]);
    scenario.steps.push(login("second", "alice"));
    assert!(!judge(&scenario, &lab.seen).expectations[0].passed);
}

#[test]
fn the_server_that_answered_is_one_of_those_named() {
    let by = |names: &[&str]| Check::AnsweredBy {
        step: step("login"),
        nodes: names.iter().map(|name| node(name)).collect(),
    };
    let lab = Lab::with_login();
    assert!(judge_one(by(&["rs1", "rs2"]), &lab.seen).passed);
    let judgement = judge_one(by(&["rs1", "rs3"]), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.expected, ["the step `login` is answered by rs1 or rs3"]);
    assert!(judgement.seen[0].starts_with("rs2 logged the client"));
}

#[test]
fn a_translated_port_that_two_clients_have_does_not_tell_which_one_it_was() {
    let mut lab = Lab::new();
    let other = SocketAddrV4::new([192, 168, 11, 202].into(), CLIENT.port());
    let attempt = Attempt { local: Some(other.into()), ..lab.attempt().clone() };
    lab.seen.steps.push(StepObservation {
        name: step("second"),
        attempts: vec![attempt],
        unmet: None,
    });
    lab.logs("rs1", SocketAddrV4::new([172, 16, 5, 10].into(), CLIENT.port()));
    let check = Check::AnsweredBy { step: step("login"), nodes: vec![node("rs1")] };
    let mut scenario = scenario(vec![check]);
    scenario.steps.push(login("second", "alice"));
    assert!(!judge(&scenario, &lab.seen).expectations[0].passed);
}

#[test]
fn a_short_login_is_not_said_to_have_taken_no_time() {
    let mut lab = Lab::with_login();
    lab.attempt().duration_ns = 912_345;
    let judgement = judge_one(check(LoginResult::Pass, None), &lab.seen);
    assert_eq!(judgement.seen, ["the login ended with pass after 0.9 ms: Authentication passed"]);
}

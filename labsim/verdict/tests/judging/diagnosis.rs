//! Expectations of a diagnosis: a step may fail for the cause that one names, and for no other.

use crate::lab::{CLIENT, Lab, reaches};
use crate::scenario::{login, node, scenario, step};
use labsim_codes::{Code, cause, run};
use labsim_scenario::model::{Check, LoginResult, Place, Scenario, Step, StepAction};
use labsim_verdict::{Attempt, RunDefect, StepObservation, Verdict, judge};
use labsim_wire::tcp::Flags;
use std::net::SocketAddr;
use std::time::Duration;

fn expects(cause: Code, at: Option<&str>) -> Check {
    Check::Diagnosis { step: step("login"), cause, node: at.map(node) }
}

/// A lab whose login timed out as rs2 does not have the VIP.
fn vip_missing() -> Lab {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInAddrErrors", 1);
    lab
}

fn seen(verdict: &Verdict) -> &[String] {
    &verdict.expectations[0].seen
}

#[test]
fn a_step_may_fail_for_the_cause_that_is_expected() {
    let lab = vip_missing();
    for at in [None, Some("rs2")] {
        let verdict = judge(&scenario(vec![expects(cause::VIP_MISSING, at)]), &lab.seen);
        assert!(verdict.passed(), "{verdict:?}");
        let [sentence, fix] = seen(&verdict) else { panic!("{verdict:?}") };
        assert!(sentence.ends_with("no interface has this address [vip-missing]"), "{sentence}");
        assert!(fix.starts_with("fix: add 172.16.4.99"), "{fix}");
        let told: Vec<_> = verdict.diagnoses.iter().map(|it| it.step.as_str()).collect();
        assert_eq!(told, ["login"], "a run that passed says why its step failed");
    }
}

#[test]
fn another_cause_or_node_fails_the_expectation_and_the_step() {
    let lab = vip_missing();
    for expected in [expects(cause::VIP_MISSING, Some("rs1")), expects(cause::RP_FILTER, None)] {
        let verdict = judge(&scenario(vec![expected]), &lab.seen);
        let [found] = seen(&verdict) else { panic!("{verdict:?}") };
        assert!(
            found.starts_with("found vip-missing at rs2 first: rs2 dropped 1 packet"),
            "{found}"
        );
        assert!(!verdict.passed() && !verdict.expectations[0].frames.is_empty());
        let [defect] = &verdict.defects[..] else { panic!("{verdict:?}") };
        assert_eq!(defect.code(), run::STEP_FAILED);
        assert_eq!(verdict.code(), Some(cause::VIP_MISSING));
    }
}

#[test]
fn a_step_that_passes_shows_no_cause() {
    let verdict =
        judge(&scenario(vec![expects(cause::VIP_MISSING, None)]), &Lab::with_login().seen);
    assert_eq!(seen(&verdict), ["no cause was found, and the login ended with pass"]);
    let expected = &verdict.expectations[0].expected;
    assert_eq!(expected, &["the step `login` fails because of vip-missing"]);
    assert!(!verdict.passed() && verdict.defects.is_empty());
}

#[test]
fn a_step_that_was_not_done_shows_nothing() {
    let mut lab = vip_missing();
    lab.seen.steps.clear();
    let verdict = judge(&scenario(vec![expects(cause::VIP_MISSING, None)]), &lab.seen);
    assert_eq!(seen(&verdict), ["the step was not done"]);
    assert!(!verdict.passed());
}

#[test]
fn how_the_step_ends_may_be_expected_too() {
    let answer = |result| Check::Answer { step: step("login"), result, source: None };
    let lab = vip_missing();
    let passes = |result| {
        let checks = vec![answer(result), expects(cause::VIP_MISSING, Some("rs2"))];
        judge(&scenario(checks), &lab.seen).passed()
    };
    assert!(passes(LoginResult::Timeout) && !passes(LoginResult::Refused));
}

/// Three logins: the first failed as rs2 does not have the VIP, the second was lost before the load
/// balancer, the third passed.
fn three() -> (Lab, Scenario) {
    let mut lab = vip_missing();
    let first = lab.attempt().clone();
    let mut second = first.clone();
    let client: SocketAddr = (*CLIENT.ip(), 61_068).into();
    second.local = Some(client);
    let mut syn = lab.client(Flags::SYN, 0, 0, 0);
    syn.source.set_port(61_068);
    lab.client_sends(syn, reaches::ROUTER_IN);
    let passed = Attempt { result: LoginResult::Pass, ..first };
    lab.seen.steps[0].attempts.extend([second, passed]);
    let mut scenario = scenario(vec![expects(cause::VIP_MISSING, Some("rs2"))]);
    let StepAction::Exchange(login) = &mut scenario.steps[0].action else { panic!() };
    login.times = 3;
    (lab, scenario)
}

#[test]
fn every_failure_has_to_be_for_an_expected_cause() {
    let (mut lab, scenario) = three();
    let verdict = judge(&scenario, &lab.seen);
    let [found] = seen(&verdict) else { panic!("{verdict:?}") };
    assert!(found.starts_with("no cause was found, and 2 of 3 logins failed; 2 of 3"), "{found}");
    assert!(!verdict.passed());

    lab.rose("router", "IpInNoRoutes", 1);
    let verdict = judge(&scenario, &lab.seen);
    assert!(
        seen(&verdict)[0].starts_with("found no-route-to-vip at router first: "),
        "{verdict:?}"
    );

    let mut both = scenario.clone();
    let mut other = both.expectations[0].clone();
    other.check = expects(cause::NO_ROUTE_TO_VIP, Some("router"));
    both.expectations.push(other);
    assert!(judge(&both, &lab.seen).passed());

    lab.seen.steps[0].attempts[1].result = LoginResult::Pass;
    assert!(judge(&scenario, &lab.seen).passed(), "the one that failed is explained");
    assert!(!judge(&both, &lab.seen).passed(), "one cause of two is not shown");
    lab.seen.steps[0].attempts.truncate(2);
    let verdict = judge(&scenario, &lab.seen);
    assert_eq!(seen(&verdict), ["2 of 3 logins were done"]);
}

#[test]
fn failures_that_are_not_looked_at_are_not_explained() {
    let mut lab = vip_missing();
    let attempt = lab.attempt().clone();
    lab.seen.steps[0].attempts = vec![attempt; 65];
    let mut scenario = scenario(vec![expects(cause::VIP_MISSING, None)]);
    let StepAction::Exchange(login) = &mut scenario.steps[0].action else { panic!() };
    login.times = 65;
    let verdict = judge(&scenario, &lab.seen);
    assert!(!verdict.passed());
    assert!(
        seen(&verdict)[0].starts_with("65 logins failed, and only the first 64"),
        "{verdict:?}"
    );
}

#[test]
fn a_wait_in_vain_is_explained_by_its_cause_alone() {
    let mut scenario = scenario(vec![Check::Diagnosis {
        step: step("wait"),
        cause: cause::FLOW_LINGERS,
        node: Some(node("lb")),
    }]);
    let action = StepAction::AwaitCounter {
        node: node("lb"),
        counter: "flows.closed".to_owned(),
        at_least: 1,
        timeout: Duration::from_secs(1),
    };
    let place = Place { file: "x.yaml".to_owned(), line: 9 };
    scenario.steps = vec![Step { name: step("wait"), place, action }];
    let mut lab = Lab::with_login();
    let unmet = Some("flows.closed of lb is 0 after 1s, expected at least 1".to_owned());
    lab.seen.steps = vec![StepObservation { name: step("wait"), attempts: Vec::new(), unmet }];
    let verdict = judge(&scenario, &lab.seen);
    assert_eq!(
        seen(&verdict),
        ["no cause was found, and flows.closed of lb is 0 after 1s, expected at least 1"]
    );
    assert!(matches!(&verdict.defects[..], [RunDefect::StepFailed(_)]), "{verdict:?}");

    lab.seen.steps[0].unmet = None;
    let verdict = judge(&scenario, &lab.seen);
    assert_eq!(seen(&verdict), ["no cause was found, and what the step waits for happened"]);
}

#[test]
fn other_steps_have_to_end_as_they_do_without_it() {
    let mut scenario = scenario(vec![expects(cause::VIP_MISSING, None)]);
    scenario.steps.push(login("second", "bob"));
    let mut lab = vip_missing();
    let attempts = lab.seen.steps[0].attempts.clone();
    lab.seen.steps.push(StepObservation { name: step("second"), attempts, unmet: None });
    let verdict = judge(&scenario, &lab.seen);
    assert!(verdict.expectations[0].passed && !verdict.passed());
    let [RunDefect::StepFailed(failure)] = &verdict.defects[..] else { panic!("{verdict:?}") };
    assert_eq!(failure.step, step("second"));
}

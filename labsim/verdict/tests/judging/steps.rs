//! How steps have to end, whether or not anything is expected of them.

use crate::lab::{Lab, VIP, reaches};
use crate::scenario::{login, node, scenario, step};
use labsim_codes::{cause, run};
use labsim_scenario::model::{
    Check, LoginResult, NodeName, Place, Program, Run, Scenario, Step, StepAction,
};
use labsim_verdict::{
    Attempt, Cause, Observations, RunDefect, StepFailure, StepObservation, Verdict, judge,
};
use labsim_wire::tcp::Flags;
use std::collections::BTreeMap;
use std::time::Duration;

fn failures(verdict: &Verdict) -> Vec<&StepFailure> {
    let failures = verdict.defects.iter().filter_map(|defect| match defect {
        RunDefect::StepFailed(failure) => Some(failure),
        _ => None,
    });
    failures.collect()
}

/// A lab whose login ended so.
fn ended(result: LoginResult) -> Lab {
    let mut lab = Lab::with_login();
    lab.attempt().result = result;
    lab
}

fn answer(result: LoginResult) -> Check {
    Check::Answer { step: step("login"), result, source: None }
}

fn answered_by() -> Check {
    Check::AnsweredBy { step: step("login"), nodes: vec![node("rs2")] }
}

#[test]
fn a_login_that_does_not_pass_fails_the_run_where_no_expectation_is_about_its_answer() {
    for result in [LoginResult::Fail, LoginResult::Error, LoginResult::Timeout, LoginResult::Paused]
    {
        let verdict = judge(&scenario(vec![answered_by()]), &ended(result).seen);
        assert!(verdict.expectations[0].passed && !verdict.passed(), "{result:?}");
        let [failure] = failures(&verdict)[..] else { panic!("{verdict:?}") };
        assert_eq!(
            (failure.step.as_str(), failure.place.to_string().as_str(), failure.about),
            ("login", "x.yaml:7", Some(0))
        );
        assert_eq!(failure.expected, ["the login `login` ends with pass"]);
        let how = format!("the login ended with {} after 5000 ms", result.word());
        assert!(failure.how.starts_with(&how), "{}", failure.how);
        assert_eq!(verdict.code(), Some(run::STEP_FAILED));
    }
    let verdict = judge(&scenario(vec![answered_by()]), &ended(LoginResult::Pass).seen);
    assert!(verdict.passed() && verdict.code().is_none());
}

#[test]
fn an_answer_expectation_decides_how_a_step_ends() {
    let verdict = judge(&scenario(vec![answer(LoginResult::Fail)]), &ended(LoginResult::Fail).seen);
    assert!(verdict.passed());
    let verdict = judge(&scenario(vec![answer(LoginResult::Pass)]), &ended(LoginResult::Fail).seen);
    assert!(!verdict.passed() && verdict.defects.is_empty());
    assert_eq!(verdict.code(), Some(cause::EXPECTATION_FAILED));
}

#[test]
fn an_expectation_of_the_step_that_ends_a_login_is_about_that_login() {
    let mut scenario = scenario(vec![Check::Answer {
        step: step("go-on"),
        result: LoginResult::Fail,
        source: None,
    }]);
    let action = StepAction::Resume { login: step("login") };
    let place = Place { file: "x.yaml".to_owned(), line: 8 };
    scenario.steps.push(Step { name: step("go-on"), place, action });
    let mut lab = ended(LoginResult::Fail);
    let name = step("go-on");
    lab.seen.steps.push(StepObservation { name, attempts: Vec::new(), unmet: None });
    assert!(judge(&scenario, &lab.seen).passed());
}

#[test]
fn a_step_that_failed_is_diagnosed_and_its_cause_is_the_runs_code() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_ETH);
    lab.rose("rs2", "IpInUnknownProtos", 1);
    let verdict = judge(&scenario(Vec::new()), &lab.seen);
    assert_eq!(failures(&verdict).len(), 1);
    let causes: Vec<&Cause> = verdict.diagnoses.iter().flat_map(|one| &one.causes).collect();
    assert_eq!(causes[0].code, cause::TUNNEL_MISSING);
    assert_eq!(verdict.code(), Some(cause::TUNNEL_MISSING));
}

#[test]
fn every_login_of_a_step_has_to_pass_and_all_of_them_have_to_be_made() {
    let mut scenario = scenario(Vec::new());
    let StepAction::Exchange(login) = &mut scenario.steps[0].action else { panic!() };
    login.times = 3;
    let mut lab = ended(LoginResult::Pass);
    let attempt = lab.attempt().clone();
    lab.seen.steps[0].attempts.push(Attempt { result: LoginResult::Refused, ..attempt.clone() });
    let verdict = judge(&scenario, &lab.seen);
    let [failure] = failures(&verdict)[..] else { panic!("{verdict:?}") };
    assert_eq!(failure.how, "1 of 3 logins passed, 1 was refused, 1 not done");
    assert!(failure.seen.iter().any(|line| line.starts_with("login 2 from client")));
    assert_eq!(failure.about, Some(1));

    lab.seen.steps[0].attempts[1].result = LoginResult::Pass;
    assert!(!judge(&scenario, &lab.seen).passed(), "one login was not made");
    lab.seen.steps[0].attempts.push(attempt);
    assert!(judge(&scenario, &lab.seen).passed());
    assert!(!judge(&scenario, &Observations::default()).passed(), "no step was done");
}

/// A scenario whose only step runs a program, and how that ended.
fn program(result: LoginResult, detail: &str) -> (Scenario, Observations) {
    let mut scenario = scenario(Vec::new());
    let program = Program {
        path: "ip".to_owned(),
        arguments: Vec::new(),
        environment: BTreeMap::new(),
        files: BTreeMap::new(),
        package: None,
    };
    let rs1: NodeName = node("rs1");
    let run = Run { node: rs1.clone(), program, exit: 0, timeout: Duration::from_secs(10) };
    scenario.steps[0].action = StepAction::Run(Box::new(run));
    let attempt = Attempt {
        from: rs1,
        protocol: 0,
        result,
        detail: detail.to_owned(),
        local: None,
        remote: VIP.into(),
        began_ns: 0,
        duration_ns: 3_100_000,
    };
    let name = step("login");
    let steps = vec![StepObservation { name, attempts: vec![attempt], unmet: None }];
    (scenario, Observations { steps, ..Observations::default() })
}

#[test]
fn a_program_that_fails_is_shown_with_its_code_its_last_lines_and_its_place() {
    let detail = "ip ended with exit code 2, expected 0; its last lines: Error: Nexthop";
    let (scenario, seen) = program(LoginResult::Fail, detail);
    let verdict = judge(&scenario, &seen);
    let result = verdict.defects[0].to_result();
    assert_eq!(
        result.sentence,
        format!("step `login`: the program ended with fail after 3.1 ms: {detail}")
    );
    assert_eq!((result.place.as_str(), result.code.as_deref()), ("x.yaml:7", Some("step-failed")));
    assert!(!result.passed && result.name.is_empty());
    let (scenario, seen) = program(LoginResult::Pass, "ip ended with exit code 0");
    assert!(judge(&scenario, &seen).passed());
}

#[test]
fn a_wait_in_vain_fails_the_run_whatever_is_expected() {
    let mut scenario = scenario(vec![answer(LoginResult::Pass)]);
    let action = StepAction::AwaitCounter {
        node: node("lb"),
        counter: "no_flow".to_owned(),
        at_least: 1,
        timeout: Duration::from_secs(1),
    };
    let place = Place { file: "x.yaml".to_owned(), line: 9 };
    scenario.steps.push(Step { name: step("wait"), place, action });
    let mut lab = ended(LoginResult::Pass);
    let observed = |unmet: Option<&str>| StepObservation {
        name: step("wait"),
        attempts: Vec::new(),
        unmet: unmet.map(str::to_owned),
    };
    lab.seen.steps.push(observed(Some("no_flow of lb is 0 after 1s, expected at least 1")));
    let result = judge(&scenario, &lab.seen).defects[0].to_result();
    assert_eq!(
        (result.sentence.as_str(), result.place.as_str()),
        ("step `wait`: no_flow of lb is 0 after 1s, expected at least 1", "x.yaml:9")
    );
    lab.seen.steps[1] = observed(None);
    assert!(judge(&scenario, &lab.seen).passed());
}

#[test]
fn steps_are_judged_each_by_itself() {
    let mut scenario = scenario(vec![answer(LoginResult::Fail)]);
    scenario.steps.push(login("second", "bob"));
    let mut lab = ended(LoginResult::Fail);
    let attempts = lab.seen.steps[0].attempts.clone();
    lab.seen.steps.push(StepObservation { name: step("second"), attempts, unmet: None });
    let verdict = judge(&scenario, &lab.seen);
    let failed: Vec<&str> = failures(&verdict).iter().map(|one| one.step.as_str()).collect();
    assert_eq!(failed, ["second"]);
}

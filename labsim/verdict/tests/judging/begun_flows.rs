//! Packets of programs and of monitors are diagnosed like those of logins.

use crate::diagnosing::{codes, findings};
use crate::lab::{Lab, RS2, reaches, ways};
use crate::scenario::{balanced, node, scenario, step};
use crate::wire::Segment;
use labsim_codes::cause;
use labsim_model::ProbeSources;
use labsim_scenario::model::{
    Check, Count, LoginResult, MemberState, Place, Program, Run, Scenario, Step, StepAction,
};
use labsim_verdict::{Attempt, StepObservation, diagnose, judge};
use labsim_wire::tcp::Flags;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);

fn only_step(name: &str, action: StepAction) -> Scenario {
    let place = Place { file: "x.yaml".to_owned(), line: 7 };
    let mut scenario = balanced(scenario(Vec::new()), 49);
    scenario.steps = vec![Step { name: step(name), place, action }];
    scenario
}

/// A program on the client.
fn program() -> Scenario {
    let program = Program {
        path: "nc".to_owned(),
        arguments: Vec::new(),
        environment: std::collections::BTreeMap::new(),
        files: std::collections::BTreeMap::new(),
        package: None,
    };
    let (node, timeout) = (node("client"), Duration::from_secs(1));
    only_step("nc", StepAction::Run(Box::new(Run { node, program, exit: 0, timeout })))
}

/// Nothing but the step was done.
fn did(lab: &mut Lab, name: &str, unmet: Option<&str>) {
    let unmet = unmet.map(str::to_owned);
    lab.seen.steps = vec![StepObservation { name: step(name), attempts: Vec::new(), unmet }];
}

#[test]
fn a_programs_flow_without_a_reply_is_diagnosed_and_its_answered_one_is_not() {
    let mut lab = Lab::new();
    did(&mut lab, "nc", None);
    lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInAddrErrors", 1);
    let diagnosis = diagnose(&program(), &lab.seen, &step("nc")).unwrap();
    assert_eq!(codes(&diagnosis), [(cause::VIP_MISSING, "rs2".to_owned())]);
    assert_eq!(
        findings(&diagnosis)[0],
        "1 flow of the program in client got no reply; this is about 192.168.11.201:61067 to \
         172.16.4.99:49"
    );
    assert!(findings(&diagnosis)[1].starts_with("the program's packet S seq 0 len 0"));
    let mut answered = Lab::with_login();
    did(&mut answered, "nc", None);
    assert!(diagnose(&program(), &answered.seen, &step("nc")).is_none());
}

#[test]
fn a_program_has_to_end_with_its_code_whatever_is_expected_of_its_packets() {
    let mut scenario = program();
    let expected = Check::Diagnosis { step: step("nc"), cause: cause::VIP_MISSING, node: None };
    scenario.expectations = crate::scenario::scenario(vec![expected]).expectations;
    let mut lab = Lab::new();
    let mut attempt = Attempt { protocol: 0, local: None, ..lab.attempt().clone() };
    lab.client_sends(lab.client(Flags::SYN, 0, 0, 0), reaches::RS_TUNNEL);
    lab.rose("rs2", "IpInAddrErrors", 1);
    for (result, passes) in [(LoginResult::Pass, true), (LoginResult::Fail, false)] {
        did(&mut lab, "nc", None);
        attempt.result = result;
        lab.seen.steps[0].attempts = vec![attempt.clone()];
        let verdict = judge(&scenario, &lab.seen);
        assert!(verdict.expectations[0].passed, "{verdict:?}");
        assert_eq!(verdict.passed(), passes, "{verdict:?}");
    }
}

/// A monitor's probe to rs2's own address that gets no reply, and rs2's own packets.
fn probed() -> Lab {
    let own = SocketAddrV4::new(Ipv4Addr::new(172, 16, 5, 10), 40_000);
    let mut lab = Lab::new();
    let member = SocketAddrV4::new(RS2, 49);
    let syn = Segment { source: own, destination: member, ..lab.client(Flags::SYN, 0, 0, 0) };
    lab.passes(|ttl| syn.packet(ttl), &ways::LB_TO_RS2);
    let probes = ProbeSources {
        addresses: [(*own.ip()).into()].into(),
        tcp: [own.port()].into(),
        ..ProbeSources::default()
    };
    lab.seen.probes.insert(node("lb"), probes);
    lab
}

fn wait(state: MemberState) -> Scenario {
    let member = SocketAddrV4::new(RS2, 49).into();
    let (node, pool, timeout) = (node("lb"), "p".to_owned(), Duration::from_secs(1));
    only_step("wait", StepAction::AwaitMember { node, pool, member, state, timeout })
}

#[test]
fn a_wait_for_a_member_that_stays_down_is_explained_by_its_monitors_probes() {
    let mut lab = probed();
    did(&mut lab, "wait", Some("the member is still down"));
    let diagnosis = diagnose(&wait(MemberState::Up), &lab.seen, &step("wait")).unwrap();
    assert_eq!(
        findings(&diagnosis)[..2],
        [
            "1 flow of the monitor in lb got no reply; this is about 172.16.5.10:40000 to 10.1.1.52:49",
            "the monitor's packet S seq 0 len 0 (sent once) was last seen at rs2:eth0 in; path: \
             lb:eth0 out, router:lb in, router:servers out, rs2:eth0 in"
        ]
    );
    // A wait that ended as it had to, or for the opposite, has nothing to explain.
    assert!(diagnose(&wait(MemberState::Down), &lab.seen, &step("wait")).is_none());
    did(&mut lab, "wait", None);
    assert!(diagnose(&wait(MemberState::Up), &lab.seen, &step("wait")).is_none());
}

#[test]
fn a_failed_count_finds_the_cause_in_a_login_that_passed() {
    let count = Check::Kernel {
        node: node("client"),
        device: None,
        counter: "IpInReceives".to_owned(),
        count: Count::Exactly(999),
    };
    let mut lab = Lab::with_login();
    let scenario = scenario(vec![count]);
    assert_eq!(judge(&scenario, &lab.seen).diagnoses, []);
    // rs2 answers from its own address as well.
    let stray = Segment { source: SocketAddrV4::new(RS2, 49), ..lab.server(SYN_ACK, 0, 1, 0) };
    lab.server_sends(stray, 4);
    let diagnoses = judge(&scenario, &lab.seen).diagnoses;
    assert_eq!(diagnoses.len(), 1);
    assert_eq!(codes(&diagnoses[0]), [(cause::REPLY_FROM_OTHER_ADDRESS, "rs2".to_owned())]);
}

//! What nodes are set up with is read while the lab is there, and only where a run needs it.

use crate::support::Desk;

/// What is logged about states and counters by a run that ends with that code.
fn log_of(desk: &Desk, scenario: &str, code: i32) -> Vec<String> {
    let mut command = desk.command(&["run", scenario]);
    command.env("RUST_LOG", "labsim_runner::judgement=trace,labsim_runner::intervals=debug");
    let output = command.output().unwrap();
    let log = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{log}");
    log.lines().map(str::to_owned).collect()
}

fn with<'a>(log: &'a [String], text: &str) -> Vec<&'a String> {
    log.iter().filter(|line| line.contains(text)).collect()
}

#[test]
fn a_failed_run_has_every_nodes_state_before_its_servers_stop_and_a_passed_one_none() {
    let desk = Desk::new();
    let passed = log_of(&desk, "scenarios/tacacs-ipip.yaml", 0);
    assert_eq!(with(&passed, "state read"), [] as [&String; 0]);
    let failing = "expect: {wrong: {kernel: {node: rs1, counter: TcpExtTCPTimeouts, count: 99}, \
                   pass: it rose, fail: it did not}}\n";
    let path = desk.over("failing", "tacacs-ipip", failing);
    let failed = log_of(&desk, &path, 1);
    let rs1 = with(&failed, "node=rs1 ");
    let [state] = &rs1[..] else { panic!("{failed:?}") };
    assert!(state.contains("state read") && state.contains("local: 0.0.0.0:49"), "{state}");
    assert!(state.contains("Listening") && state.contains("incomplete: {}"), "{state}");
    assert!(with(&failed, "state read").len() > 3, "{failed:?}");
}

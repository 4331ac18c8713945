//! Steps and checks in labs that stay up.

use crate::support::labs::Labs;
use crate::support::{DEADLINE, Ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const VIP: &str = "172.16.4.99/32";

/// Starts a command whose end nobody waits for yet.
fn start(labs: &Labs, args: &[&str]) -> Child {
    labs.command(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Asks for the lab's state until it says `text`.
fn until_status_says(labs: &Labs, text: &str) {
    let began = Instant::now();
    loop {
        let status = labs.labsim(&["status"]).exits(0);
        if status.stdout.contains(text) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "no `{text}` in {status:?}");
    }
}

fn signal(child: &Child, signal: Signal) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
}

#[test]
fn a_check_names_the_cause_of_what_was_broken_and_passes_again_once_it_is_repaired() {
    let labs = Labs::new();
    // Shorter than the file's: the login gets no answer here. Between TCP's SYN after 1 s and that after 3 s.
    let short = "steps: {login: {tacacs_login: {timeout: 2}}}\n";
    let file = labs.0.over("short", "tacacs-ipip", short);
    labs.labsim(&["up", &file]).exits(0);
    let held = "PASS short: 8 of 8 expectations held;";
    labs.labsim(&["check"]).exits(0).says(held);
    // It may be repeated: the balancer begins with rs1 each time.
    labs.labsim(&["check", "short"]).exits(0).says(held);
    labs.labsim(&["exec", "rs1", "--", "ip", "addr", "del", VIP, "dev", "lo"]).exits(0);
    for _ in 0..2 {
        let broken = labs.labsim(&["check"]).exits(1);
        broken.says("FAIL short: ").says("no interface has this address [vip-missing]");
        broken.says("fix: add 172.16.4.99 to lo of rs1").says("again: labsim check short");
    }
    labs.labsim(&["exec", "rs1", "--", "ip", "addr", "add", VIP, "dev", "lo"]).exits(0);
    labs.labsim(&["check"]).exits(0).says(held);
    let verbose = labs.labsim(&["check", "-v"]).exits(0);
    verbose.says("forwarder in lb: ").says("✓ the login passed");
    labs.labsim(&["down"]).exits(0);
    labs.labsim(&["check"]).exits(2).says("no lab is up");
}

#[test]
fn an_interface_that_is_down_is_a_fault_that_a_check_finds_without_waiting_for_it() {
    let labs = Labs::new();
    let short = "steps: {login: {tacacs_login: {timeout: 2}}}\n";
    let file = labs.0.over("short", "tacacs-ipip", short);
    labs.labsim(&["up", &file]).exits(0);
    labs.labsim(&["exec", "rs1", "--", "ip", "link", "set", "eth0", "down"]).exits(0);
    let began = Instant::now();
    labs.labsim(&["check"]).exits(1).says("FAIL short");
    // A capture that waits for its marker there gives up after 20 s.
    assert!(began.elapsed() < Duration::from_secs(18), "{:?}", began.elapsed());
}

#[test]
fn steps_run_one_by_one_and_what_one_leaves_open_another_resumes() {
    let labs = Labs::new();
    let up = labs.labsim(&["up", "scenarios/failover.yaml", "--at", "start"]).exits(0);
    up.says("step login: paused").says("step second: paused");
    up.says("step kill: done: the forwarder in lb was killed");
    let status = labs.labsim(&["status"]).exits(0);
    status.says("6 steps, the next one is start");
    let again = labs.labsim(&["step", "kill"]).exits(1);
    again.says("the forwarder in lb does not run [step-impossible]");
    labs.labsim(&["step", "start"]).exits(0).says("step start: done");
    labs.labsim(&["step"]).exits(0).says("step resume_second: pass");
    labs.labsim(&["step"]).exits(0).says("step resume: pass");
    labs.labsim(&["status"]).exits(0).says("6 steps, all were run");
    labs.labsim(&["step"]).exits(2).says("the last step was run");
    let unknown = labs.labsim(&["step", "nothing"]).exits(2);
    unknown.says("no step `nothing`; its steps: login, second, kill, start, resume_second, resume");
    let slip = labs.labsim(&["step", "log_in"]).exits(2);
    slip.says("the scenario has no step `log_in`; did you mean `login`? Its steps: login, ");
    // Whatever was done before.
    labs.labsim(&["check"]).exits(0).says("PASS failover");
    labs.labsim(&["down"]).exits(0);
    let unknown = labs.labsim(&["up", "scenarios/failover.yaml", "--at", "nothing"]).exits(2);
    unknown.says("has no step `nothing`; its steps: login, ");
    let slip = labs.labsim(&["up", "scenarios/failover.yaml", "--at", "resum"]).exits(2);
    slip.says("has no step `resum`; did you mean `resume`? Its steps: login, ");
    labs.labsim(&["down"]).exits(2).says("no lab is up");
}

#[test]
fn a_step_that_does_not_pass_says_what_became_of_its_packets() {
    let labs = Labs::new();
    let short = "steps: {login: {tacacs_login: {timeout: 2}}}\n";
    let file = labs.0.over("short", "tacacs-ipip", short);
    labs.labsim(&["up", &file]).exits(0);
    let passed = labs.labsim(&["step", "--predict", "10.1.1.51"]).exits(0);
    passed.says("step login: pass: the server replied PASS");
    passed.says("  its first packet, S seq 0 len 0:\n    client:eth0 out     IP 192.168.11.201.");
    passed.says(
        "  the first answer to it, S. seq 0 len 0:\n    rs1:eth0 out       IP 172.16.4.99.49",
    );
    passed.says("  you predicted 10.1.1.51, and the first answer came from 172.16.4.99\n");
    assert!(!passed.stdout.contains("was last seen"), "{passed:?}");
    for server in ["rs1", "rs2", "rs3"] {
        labs.labsim(&["exec", server, "--", "ip", "addr", "del", VIP, "dev", "lo"]).exits(0);
    }
    let failed = labs.labsim(&["step", "login"]).exits(0);
    failed
        .says("step login: timeout")
        .says("[vip-missing]")
        .says("fix: add 172.16.4.99 to lo of rs")
        .says("rs2:tunl0 in")
        .says("  no answer to it was captured\n");
}

#[test]
fn a_lab_answers_while_a_step_runs_and_is_as_before_once_the_step_is_interrupted() {
    let labs = Labs::new();
    let hold = "steps: {hold: {run: {node: client, command: [sleep, \"1000\"], timeout: 1000}}}\n";
    let file = labs.0.over("hold", "tacacs-ipip", hold);
    labs.labsim(&["up", &file]).exits(0);
    for end in [Signal::SIGINT, Signal::SIGKILL] {
        let child = start(&labs, &["step", "hold"]);
        until_status_says(&labs, "busy: step hold, for ");
        labs.labsim(&["exec", "rs1", "--", "true"]).exits(0);
        let refused = labs.labsim(&["check"]).exits(2);
        refused.says("the lab is busy: step hold, for ");
        signal(&child, end);
        let ended = Ended::of(child.wait_with_output());
        if end == Signal::SIGINT {
            ended.exits(130).says("interrupted; the lab `hold` stays up");
        }
        let began = Instant::now();
        while labs.labsim(&["status"]).stdout.contains("busy") {
            assert!(began.elapsed() < DEADLINE);
        }
        labs.labsim(&["step", "login"]).exits(0).says("step login: pass");
    }
    let child = start(&labs, &["check"]);
    until_status_says(&labs, "busy: a check, for ");
    // Also while a check runs, and its end is the check's.
    labs.labsim(&["down"]).exits(0).says("hold is down");
    let ended = Ended::of(child.wait_with_output()).exits(3);
    ended.says("the lab `hold` has ended meanwhile");
}

#[test]
fn monitors_probe_after_a_check_and_after_one_that_was_interrupted() {
    let labs = Labs::new();
    let hold = "steps: {hold: {run: {node: client, command: [sleep, \"1000\"], timeout: 1000}}}\n";
    let file = labs.0.over("hold", "monitor", hold);
    labs.labsim(&["up", &file]).exits(0);
    let child = start(&labs, &["step", "hold"]);
    until_status_says(&labs, "busy: step hold, for ");
    signal(&child, Signal::SIGINT);
    Ended::of(child.wait_with_output()).exits(130);
    let began = Instant::now();
    while labs.labsim(&["status"]).stdout.contains("busy") {
        assert!(began.elapsed() < DEADLINE);
    }
    labs.labsim(&["down"]).exits(0);
    labs.labsim(&["up", "scenarios/monitor.yaml"]).exits(0);
    for _ in 0..2 {
        // Its steps wait for what only new probes can find.
        labs.labsim(&["check"]).exits(0).says("PASS monitor");
    }
}

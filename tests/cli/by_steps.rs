//! `labsim run --step`: steps that wait for lines of standard input, and what is shown of each.

use crate::support::{Desk, Ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Stdio};

const FILE: &str = "scenarios/tacacs-ipip.yaml";

fn start(desk: &Desk, args: &[&str]) -> Child {
    let mut command = desk.command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Runs a scenario step by step, with these lines as its standard input.
fn by_steps(desk: &Desk, file: &str, lines: &str) -> Ended {
    let mut child = start(desk, &["run", "--step", file]);
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    Ended::of(child.wait_with_output())
}

#[test]
fn a_prediction_is_compared_with_what_was_seen_and_the_way_is_shown_before_the_verdict() {
    let desk = Desk::new();
    let ended = by_steps(&desk, FILE, "10.1.1.51\n").exits(0);
    ended.says("step 1 of 1, login: TACACS+ ASCII login of `violet` from client to 172.16.4.99:49");
    ended.says("which source address will the client see?");
    ended.says("  its first packet, S seq 0 len 0:\n    client:eth0 out     IP 192.168.11.201.");
    ended.says("    lb:eth0 out         IP 192.168.11.201 > 10.1.1.51 ttl 255 id ");
    ended.says(
        "  the first answer to it, S. seq 0 len 0:\n    rs1:eth0 out       IP 172.16.4.99.49 > ",
    );
    ended.says("you predicted 10.1.1.51, and the first answer came from 172.16.4.99");
    ended.says("Now all steps in a new lab, without stops, and the verdict:\nPASS tacacs-ipip: ");
    by_steps(&desk, FILE, "172.16.4.99\n").exits(0).says("as you predicted: the first answer");
}

#[test]
fn no_prediction_is_asked_for_where_nothing_is_expected_of_it_and_without_input_nothing_stops() {
    let desk = Desk::new();
    let ended = by_steps(&desk, "scenarios/no-tunnel.yaml", "").exits(0);
    ended.says("  Enter runs it\n  (standard input has ended: no more stops)\nstep login: ");
    ended.says(" more places\n    it looped 63 times between router and lb");
    ended.says("PASS no-tunnel: ");
    assert!(!ended.stdout.contains("which source"), "{ended:?}");
}

#[test]
fn endless_input_without_a_line_is_read_in_parts() {
    let desk = Desk::new();
    let mut command = desk.command(&["run", "--step", FILE]);
    command.stdin(File::open("/dev/zero").unwrap());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let ended = Ended::of(command.spawn().unwrap().wait_with_output()).exits(0);
    ended.says("` is no IP address; the first answer came from 172.16.4.99");
    assert!(ended.stdout.len() < 20_000, "{} bytes", ended.stdout.len());
}

#[test]
fn a_step_waits_for_its_line_and_a_signal_ends_the_run() {
    let desk = Desk::new();
    let mut child = start(&desk, &["run", "--step", FILE]);
    let input = child.stdin.take().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("which source") {
        line.clear();
        assert_ne!(output.read_line(&mut line).unwrap(), 0, "the run has ended");
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
    let mut rest = String::new();
    std::io::Read::read_to_string(&mut output, &mut rest).unwrap();
    assert!(!rest.contains("step login: "), "{rest}");
    Ended::of(child.wait_with_output()).exits(130);
    drop(input);
}

#[test]
fn one_scenario_alone_is_run_by_steps() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "--step", FILE, "scenarios/snat.yaml"]).exits(2);
    ended.says("--step is for one scenario, and 2 are selected; name one");
}

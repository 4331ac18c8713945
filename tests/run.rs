//! The main job, as a user types it: the document's lab runs and proves what it claims.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use support::Desk;

const SCENARIO: &str = "scenarios/tacacs-ipip.yaml";

#[test]
fn the_documents_lab_passes_and_says_what_was_proved() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", SCENARIO]).exits(0);
    ended.says("PASS tacacs-ipip").says("none lost").says("1 passed, 0 failed, 0 skipped");
    assert!(!ended.stdout.contains('\x1b') && !ended.stdout.contains('\r'), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_userspace_tunnel_is_used_or_the_modules_that_are_in_its_way_are_named() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", SCENARIO, "--tunnel", "userspace"]);
    match ended.code {
        Some(0) => ended.exits(0).says("(as asked for)"),
        _ => ended.exits(3).says("modprobe -r ipip"),
    };
}

#[test]
fn the_kernels_tunnel_is_used_or_its_module_is_named() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", SCENARIO, "--tunnel", "kernel"]);
    match ended.code {
        Some(0) => ended.exits(0).says("tunnel: kernel (ipip)"),
        _ => ended.exits(3).says("ipip"),
    };
}

#[test]
fn results_are_kept_in_a_folder_of_the_scenarios_name() {
    let desk = Desk::new();
    desk.labsim(&["run", SCENARIO, "--out", "results"]).exits(0);
    let events = std::fs::read_to_string(desk.path("results/tacacs-ipip/events.jsonl")).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("run_started"));
    assert_eq!(kinds.last().map(String::as_str), Some("scenario_ended"));
    for kind in ["lab_built", "ready", "step_ended", "server_logged", "observed", "judged"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind} is missing in {kinds:?}");
    }
    assert!(!events.contains("indigo"), "the password is in the events");
    let capture = std::fs::read(desk.path("results/tacacs-ipip/capture.pcapng")).unwrap();
    for point in ["client:eth0", "router:lb", "lb:eth0", "rs1:tunl0", "rs3:eth0", "rs2:lo"] {
        let named = capture.windows(point.len()).any(|bytes| bytes == point.as_bytes());
        assert!(named, "no interface block is named {point}");
    }
}

#[test]
fn every_shipped_scenario_passes() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "scenarios", "--jobs", "2"]).exits(0);
    all_passed(&desk, &ended);
    assert_eq!(ended.stderr, "");
}

#[test]
fn every_shipped_scenario_passes_with_the_userspace_tunnel() {
    let desk = Desk::new();
    let args = ["run", "scenarios", "--jobs", "2", "--tunnel", "userspace"];
    all_passed(&desk, &desk.labsim(&args).exits(0));
}

/// All of them; where FreeRADIUS is not installed, all but the one that needs it, which says so.
fn all_passed(desk: &Desk, ended: &support::Ended) {
    let files = |folder| {
        let entries = std::fs::read_dir(desk.path(folder)).unwrap();
        entries.filter(|entry| !entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
    };
    let number: usize =
        ["scenarios", "scenarios/ipv6", "scenarios/tunnels"].map(files).iter().sum();
    let missing = ended.stdout.lines().find(|line| line.starts_with("SKIP freeradius-ipip: "));
    if let Some(line) = missing {
        assert!(line.contains("apt-get install freeradius"), "{line}");
    }
    let skipped = usize::from(missing.is_some());
    ended.says(&format!("{} passed, 0 failed, {skipped} skipped", number - skipped));
}

#[test]
fn what_a_scenario_was_warned_about_stands_with_its_result() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "scenarios/port-translation.yaml", "--out", "out"]).exits(0);
    ended.says("PASS port-translation").says("\n  ! scenarios/port-translation.yaml:9:");
    let events = std::fs::read_to_string(desk.path("out/port-translation/events.jsonl")).unwrap();
    assert!(events.contains("\"event\":\"warned\""), "{events}");
}

#[test]
fn many_logins_are_told_in_one_sentence() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "scenarios/many-logins.yaml", "--out", "out"]).exits(0);
    ended.says("step login: 300 logins: 300 pass; minimum ").says("median").says("maximum");
    let events = std::fs::read_to_string(desk.path("out/many-logins/events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut events: Vec<serde_json::Value> = events.collect();
    events.retain(|event| event["event"] == "step_ended");
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["attempts"], &events[0]["result"]), (&300.into(), &"pass".into()));
}

#[test]
fn every_expectation_is_told_by_its_name() {
    let desk = Desk::new();
    desk.labsim(&["run", SCENARIO, "--out", "out"]).exits(0);
    let events = std::fs::read_to_string(desk.path("out/tacacs-ipip/events.jsonl")).unwrap();
    for name in ["login", "client_seen", "replies_pass_by", "client_wire", "server_wire"] {
        let named = format!("\"event\":\"judged\",\"name\":\"{name}\",\"passed\":true");
        assert!(events.contains(&named), "{name} is missing in {events}");
    }
}

#[test]
fn scenarios_run_side_by_side() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("copies")).unwrap();
    for n in 1..=9 {
        desk.write(&format!("copies/{n}.yaml"), "extends: ../scenarios/tacacs-ipip.yaml\n");
    }
    desk.labsim(&["run", "copies", "--jobs", "8"]).exits(0).says("9 passed, 0 failed, 0 skipped");
}

#[test]
fn a_closed_pipe_is_no_reason_to_panic() {
    let desk = Desk::new();
    let mut command = desk.command(&["run", SCENARIO]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(output.status.code(), Some(2), "results that cannot be written are told: {stderr}");
}

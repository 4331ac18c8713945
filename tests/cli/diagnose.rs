//! `labsim diagnose` and `labsim run --prove`: causes that are proved by running the scenario again.

use crate::support::Desk;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

/// Two faults, one behind the other: with one fix, the login still waits in vain.
const PAIR: &str = "real_servers:\n  servers: {vip: null, sysctls: {net.ipv4.conf.all.rp_filter: 0, \
                    net.ipv4.conf.tunl0.rp_filter: 1}}";
const NO_VIP: &str = "real_servers: {servers: {vip: null}}";

/// The proof of one scenario's causes, and what was printed.
fn diagnose(desk: &Desk, file: &str) -> (Value, String) {
    let ended = desk.labsim(&["diagnose", file, "--json", "results.json"]).exits(1);
    let results = std::fs::read_to_string(desk.path("results.json")).unwrap();
    let results: Value = serde_json::from_str(&results).unwrap();
    (results["scenarios"][0]["proof"].clone(), ended.stdout)
}

/// `code at node: standing`
fn standings(proof: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let causes = proof["causes"].as_array().unwrap().iter();
    causes
        .map(|it| {
            let (code, node) = (text(&it["code"]), text(&it["node"]));
            format!("{code} at {node}: {}", text(&it["standing"]))
        })
        .collect()
}

/// The changes of a proof as a scenario, which has to pass.
fn passes_with_its_changes(desk: &Desk, proof: &Value) {
    let lines = proof["overlay"].as_array().unwrap().iter();
    let overlay: Vec<&str> = lines.map(|line| line.as_str().unwrap()).collect();
    desk.write("scenarios/cured.yaml", overlay.join("\n"));
    desk.labsim(&["run", "scenarios/cured.yaml"]).exits(0);
}

/// An A10 Thunder with IP-in-IP to its servers, and destination addresses translated all the same.
const TRANSLATING_A10: &str = "\
slb server s1 10.1.1.51
  port 49 tcp
slb service-group sg1 tcp
  member s1 49
slb virtual-server vip1 172.16.4.99
  port 49 tcp
    service-group sg1
    ipinip
end
";

const WANTED: &str = "\
extends: device.yaml
expect:
  login:
    answer: {result: pass, source: 172.16.4.99}
    pass: the login passed
    fail: the login did not pass
  server_answers: null
";

#[test]
fn the_acos_lines_cure_the_configuration_that_was_imported() {
    let desk = Desk::new();
    desk.write("device.txt", TRANSLATING_A10);
    desk.labsim(&["import", "a10", "device.txt", "--out", "faulty"]).exits(0);
    // The import expects what the device does: the login times out. Its owner wants it to pass.
    desk.labsim(&["run", "faulty/device.yaml"]).exits(0);
    desk.write("faulty/wanted.yaml", WANTED);
    let (proof, text) = diagnose(&desk, "faulty/wanted.yaml");
    assert_eq!(standings(&proof), ["destination-translated at lb: proved"], "{text}");
    let lines: Vec<&str> =
        proof["acos"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(text.contains("on the load balancer (ACOS):"), "{text}");
    // Entered behind all the others: the device goes on with the contexts that are there.
    let cured = format!("{TRANSLATING_A10}{}\n", lines.join("\n"));
    desk.write("device.txt", cured);
    desk.labsim(&["import", "a10", "device.txt", "--out", "cured"]).exits(0);
    desk.labsim(&["run", "cured/device.yaml"]).exits(0);
}

#[test]
fn one_fault_is_proved_by_two_labs_and_its_changes_can_be_saved() {
    let desk = Desk::new();
    let file = desk.over("no-vip", "tacacs-ipip", NO_VIP);
    let (proof, text) = diagnose(&desk, &file);
    assert_eq!(standings(&proof), ["vip-missing at rs1: proved"], "{text}");
    assert_eq!((&proof["complete"], &proof["labs"]), (&true.into(), &2.into()));
    assert!(text.contains("[vip-missing] (proved)"), "{text}");
    assert!(text.contains("    extends: no-vip.yaml\n    real_servers:\n"), "{text}");
    assert!(text.contains("    rs3: ip address add 172.16.4.99/32 dev lo scope host\n"), "{text}");
    passes_with_its_changes(&desk, &proof);
}

#[test]
fn of_two_faults_behind_each_other_both_are_proved() {
    let desk = Desk::new();
    let file = desk.over("pair", "tacacs-ipip", PAIR);
    let (proof, text) = diagnose(&desk, &file);
    assert_eq!(standings(&proof), ["vip-missing at rs1: proved", "rp-filter at rs1: proved"]);
    // Four on a machine that keeps up; a trial that failed in a lab that was late is run again.
    assert!(proof["labs"].as_u64().unwrap() <= 8, "{text}");
    passes_with_its_changes(&desk, &proof);
}

#[test]
fn alternatives_are_decided_and_a_filter_of_the_file_is_opened() {
    let desk = Desk::new();
    for (name, fault, changed) in [
        // The servers would take GRE as well, but the wires are expected to show IPIP.
        (
            "gre",
            "load_balancers: {lb: {pools: {p_tacacs-test_49: {profile: gre}}}}",
            "p_tacacs-test_49: {profile: ipip}",
        ),
        (
            "group",
            "filters: {group: {nodes: router, forward: [\"meta l4proto { tcp, udp, icmp } accept\", \
             drop]}}",
            "group: {forward: {rules: [\"meta l4proto 4 accept\", ",
        ),
        (
            "host",
            "filters: {host: {nodes: [rs1, rs2, rs3], input: {policy: drop, rules: [\"meta l4proto { \
             tcp, udp, icmp } accept\"]}}}",
            "policy: drop",
        ),
    ] {
        let file = desk.over(name, "tacacs-ipip", fault);
        let (proof, text) = diagnose(&desk, &file);
        assert_eq!(proof["complete"], true, "{text}");
        let fix = proof["causes"][0]["fix"]["scenario"].to_string().replace("\\\"", "\"");
        assert!(fix.contains(changed), "{fix}");
        passes_with_its_changes(&desk, &proof);
    }
}

#[test]
fn a_cause_that_no_change_of_the_scenario_cures_is_not_provable() {
    let desk = Desk::new();
    let file =
        desk.over("password", "tacacs-ipip", "steps: {login: {tacacs_login: {password: wrong}}}");
    let (proof, text) = diagnose(&desk, &file);
    assert_eq!(standings(&proof), ["login-rejected at rs1: not_provable"], "{text}");
    assert_eq!((&proof["complete"], &proof["labs"]), (&false.into(), &1.into()));
    assert!(!text.contains("indigo") && text.contains("hold no passwords"), "{text}");
}

#[test]
fn a_scenario_that_passes_has_no_causes() {
    let desk = Desk::new();
    let ended = desk.labsim(&["diagnose", "scenarios/tacacs-ipip.yaml"]).exits(0);
    assert!(ended.stdout.starts_with("PASS tacacs-ipip: 8 of 8"), "{}", ended.stdout);
    assert!(!ended.stdout.contains("proof"), "{}", ended.stdout);
}

#[test]
fn a_run_says_that_causes_are_not_proved_and_proves_them_if_asked() {
    let desk = Desk::new();
    let file = desk.over(
        "no-vip",
        "tacacs-ipip",
        &format!("{NO_VIP}\nsteps: {{login: {{tacacs_login: {{timeout: 0.5}}}}}}"),
    );
    let ended = desk.labsim(&["run", &file]).exits(1);
    let told = format!("[vip-missing] (not proved; labsim diagnose {file} proves it)");
    ended.says(&told);
    let ended = desk.labsim(&["run", "-q", "--prove", "--out", "out", &file]).exits(1);
    ended.says("[vip-missing] (proved)");
    let events = std::fs::read_to_string(desk.path("out/no-vip/events.jsonl")).unwrap();
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let names: Vec<&str> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    // The trials' own events are not among them.
    assert_eq!(names.iter().filter(|name| **name == "lab_built").count(), 1, "{names:?}");
    assert_eq!(names[names.len() - 3..], ["trial_ended", "proved", "scenario_ended"]);
}

#[test]
fn an_interrupted_proof_is_an_interrupted_run() {
    let desk = Desk::new();
    let file = desk.over("pair", "tacacs-ipip", PAIR);
    let mut child = desk
        .command(&["diagnose", "-v", &file])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    assert!(log.any(|line| line.contains("trial{")), "the log ended before a trial began");
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    kill(pid, Signal::SIGINT).unwrap();
    // What it still logs has to be read, or it could not end.
    let rest: Vec<String> = log.collect();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130), "{rest:?}");
    let printed = String::from_utf8(ended.stdout).unwrap();
    assert!(printed.contains("INTERRUPTED pair"), "{printed}");
}

//! The JUnit file, as a CI reads it.

use crate::support::{DEADLINE, Desk};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::process::Stdio;
use std::time::Instant;

/// The file's text, which keeps to the rules of Jenkins' schema.
fn junit(desk: &Desk) -> String {
    let text = std::fs::read_to_string(desk.path("junit.xml")).unwrap();
    assert_eq!(crate::junit_rules::violations(&text), [""; 0]);
    text
}

/// What is said of a scenario: the element in its test case, its message and its text.
fn verdict(junit: &str, scenario: &str) -> Option<(String, String, String)> {
    let document = roxmltree::Document::parse(junit).unwrap();
    let mut cases = document.descendants().filter(|it| it.has_tag_name("testcase"));
    let case = cases.find(|it| it.attribute("name") == Some(scenario)).unwrap();
    let verdicts = ["failure", "error", "skipped"];
    let verdict = case.children().find(|it| verdicts.contains(&it.tag_name().name()))?;
    let message = verdict.attribute("message").unwrap().to_owned();
    let text = verdict.text().unwrap_or_default().to_owned();
    Some((verdict.tag_name().name().to_owned(), message, text))
}

#[test]
fn passed_and_failed_scenarios_are_test_cases_with_their_frames() {
    let desk = Desk::new();
    let fault = "steps: {login: {tacacs_login: {timeout: 2}}}\n\
        expect: {balancer_in: {exchange: {client: {ttl: 99}}}}\n";
    let failing = desk.over("fault", "tacacs-ipip", fault);
    let args = ["run", "scenarios/tacacs-ipip.yaml", &failing, "--junit", "junit.xml"];
    desk.labsim(&args).exits(1);
    let text = junit(&desk);
    assert!(text.contains("tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\""), "{text}");
    assert_eq!(verdict(&text, "tacacs-ipip"), None);
    let (kind, _, text) = verdict(&text, "fault").unwrap();
    assert_eq!(kind, "failure");
    for part in ["✗", "scenarios/fault.yaml:3", "expected", "99", "frames", "192.168.11.201"] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}

#[test]
fn the_cause_of_a_failure_is_its_message_and_comes_first() {
    let desk = Desk::new();
    let fault = "steps: {login: {tacacs_login: {timeout: 2}}}\n\
        real_servers: {servers: {vip: null}}\n";
    let failing = desk.over("fault", "tacacs-ipip", fault);
    desk.labsim(&["run", &failing, "--junit", "junit.xml"]).exits(1);
    let junit = junit(&desk);
    let (_, message, text) = verdict(&junit, "fault").unwrap();
    assert!(message.contains("no interface has this address"), "{message}");
    assert!(junit.contains("type=\"vip-missing\""), "{junit}");
    assert!(text.trim_start().starts_with("why, in step login: the client's packet S"), "{text}");
    assert!(text.contains("IpInAddrErrors"), "{text}");
}

#[test]
fn an_interrupted_run_tells_of_every_scenario() {
    let desk = Desk::new();
    desk.over("slow", "tacacs-ipip", crate::support::NO_ANSWER);
    let (quick, slow) = ("scenarios/tacacs-ipip.yaml", "scenarios/slow.yaml");
    let args = ["run", quick, slow, "scenarios/l2-dsr.yaml", "--junit", "junit.xml", "--jobs", "1"];
    let mut child = desk.command(&args).stdout(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    let running = |text: &str| verdict(text, "slow").is_some_and(|(kind, ..)| kind == "error");
    while !std::fs::read_to_string(desk.path("junit.xml")).is_ok_and(|text| running(&text)) {
        assert!(began.elapsed() < DEADLINE, "the slow scenario never began");
        std::thread::yield_now();
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let text = junit(&desk);
    assert!(text.contains("tests=\"3\" failures=\"0\" errors=\"1\" skipped=\"1\""), "{text}");
    assert_eq!(verdict(&text, "tacacs-ipip"), None);
    assert!(verdict(&text, "slow").unwrap().1.contains("interrupted"), "{text}");
    assert_eq!(verdict(&text, "l2-dsr").unwrap().1, "labsim ended before the scenario began");
}

#[test]
fn class_names_do_not_depend_on_how_the_folder_is_written() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("scenarios/one")).unwrap();
    std::fs::create_dir(desk.path("scenarios/one/two")).unwrap();
    desk.write("scenarios/one/two/login.yaml", "extends: ../../tacacs-ipip.yaml\n");
    let mut seen = Vec::new();
    let one = desk.path("scenarios/one").to_string_lossy().into_owned();
    for folder in ["scenarios/one", "./scenarios/../scenarios/one/", "scenarios/one/.", &one] {
        desk.labsim(&["run", folder, "--junit", "junit.xml", "--json", "run.json"]).exits(0);
        let text = junit(&desk);
        let document = roxmltree::Document::parse(&text).unwrap();
        let case = document.descendants().find(|it| it.has_tag_name("testcase")).unwrap();
        seen.push(case.attribute("classname").unwrap().to_owned());
        let json = std::fs::read_to_string(desk.path("run.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(json["scenarios"][0]["path"], "two/login.yaml");
        assert_eq!(json["scenarios"][0]["outcome"], "passed");
    }
    assert_eq!(seen, ["labsim.two"; 4]);
}

#[test]
fn a_file_that_cannot_be_written_is_told_before_anything_runs() {
    let desk = Desk::new();
    let args = ["run", "scenarios/tacacs-ipip.yaml", "--junit", "scenarios"];
    let ended = desk.labsim(&args).exits(2);
    ended.says("the JUnit file scenarios cannot be written: it is a folder");
    assert_eq!(ended.stdout, "");
    let args = ["run", "scenarios/tacacs-ipip.yaml", "--json", "scenarios"];
    desk.labsim(&args).exits(2).says("the JSON file scenarios cannot be written: it is a folder");
}

//! A run of many scenarios, as a CI system wants it: what is selected, what one bad file does, when
//! the run ends, and what is tried again.

use crate::support::{Desk, Ended};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// Nothing that sleeps for 60 s was waited for.
const LESS_THAN_A_SLEEP: Duration = Duration::from_secs(50);

/// A folder `suite` of scenarios that run a script each and pass if it ends with 0.
struct Suite(Desk);

impl Suite {
    fn new(scripts: &[(&str, &str)]) -> Self {
        let desk = Desk::new();
        fs::create_dir(desk.path("suite")).unwrap();
        let suite = Self(desk);
        for (name, script) in scripts {
            suite.write(name, script);
        }
        suite
    }

    fn write(&self, name: &str, script: &str) {
        let script = script.replace("DESK", self.0.path("").to_str().unwrap());
        let script = serde_json::to_string(&script).unwrap();
        let up = "../".repeat(1 + name.matches('/').count());
        let yaml = format!(
            "topology: {up}topologies/one-segment.yaml
steps: {{s: {{run: {{node: client, command: [/bin/sh, -c, {script}]}}}}}}
expect: {{s: {{answer: {{result: pass}}, pass: it passed, fail: it failed}}}}
"
        );
        let path = format!("suite/{name}.yaml");
        fs::create_dir_all(self.0.path(&path).parent().unwrap()).unwrap();
        self.0.write(&path, yaml);
    }

    fn run(&self, options: &[&str]) -> Ended {
        self.0.labsim(&[&["run", "suite"], options].concat())
    }

    /// The selected scenarios.
    fn list(&self, options: &[&str]) -> Vec<String> {
        let listed = self.run(&[options, &["--list"]].concat()).exits(0);
        listed.stdout.lines().map(|line| line.split(' ').next().unwrap().to_owned()).collect()
    }
}

#[test]
fn one_bad_file_does_not_stop_the_others() {
    let suite = Suite::new(&[("a", "true"), ("b", "true")]);
    suite.0.write("suite/bad.yaml", "topology: x.yaml\nsteps: {}\nexpct: {}\n");
    suite.0.write("suite/cut.yaml", "x: [");
    let ended = suite.run(&["--junit", "junit.xml", "--out", "out"]).exits(2);
    ended.says("PASS a").says("PASS b").says("ERROR bad: the file is not valid").says("ERROR cut");
    ended.says("suite/bad.yaml:3:1: unknown key `expct`").says("    3 | expct: {}");
    ended.says("2 passed, 0 failed, 2 errors, 0 skipped");
    let junit = fs::read_to_string(suite.0.path("junit.xml")).unwrap();
    assert!(junit.contains("tests=\"4\" failures=\"0\" errors=\"2\""), "{junit}");
    assert!(junit.contains("classname=\"labsim\" name=\"bad\""), "{junit}");
    assert!(junit.contains("unknown key `expct`"), "{junit}");
    let events = fs::read_to_string(suite.0.path("out/bad/events.jsonl")).unwrap();
    assert!(events.contains("\"event\":\"file_rejected\""), "{events}");
}

#[test]
fn other_files_and_links_in_a_folder_are_skipped_with_a_line() {
    let suite = Suite::new(&[("a", "true")]);
    suite.0.write("suite/docker-compose.yml", "services: {db: {image: x}}\n");
    suite.0.write("suite/.gitlab-ci.yml", "stages: [test]\njob: {script: !reference [x]}\n");
    symlink(suite.0.path("scenarios/snat.yaml"), suite.0.path("suite/link.yaml")).unwrap();
    let ended = suite.run(&[]).exits(0);
    ended.says("1 passed, 0 failed, 0 skipped");
    let stderr: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(stderr.len(), 2, "{stderr:?}");
    ended.says("labsim: suite/link.yaml: a link in a folder is not followed, and was skipped");
    ended.says("labsim: 2 files are not files of labsim and were skipped: suite/.gitlab-ci.yml");
}

#[test]
fn two_scenarios_of_one_name_have_results_of_their_own() {
    let suite = Suite::new(&[("a/login", "true"), ("b/login", "exit 3")]);
    suite.run(&["--out", "out"]).exits(1).says("PASS a/login").says("FAIL b/login");
    for (id, outcome) in [("a/login", "passed"), ("b/login", "failed")] {
        let events = suite.0.path(&format!("out/{id}/events.jsonl"));
        let events = fs::read_to_string(events).unwrap();
        let ended = format!("\"scenario\":\"{id}\",\"event\":\"scenario_ended\"");
        assert!(events.contains(&ended) && events.contains(outcome), "{events}");
    }
    let args = ["run", "suite/a", "suite/b", "--list"];
    assert_eq!(suite.0.labsim(&args).exits(0).stdout, "a/login\nb/login\n");
    let compared = suite.0.labsim(&["compare", "out", "out"]).exits(0);
    compared.says("2 the same, 0 different, 0 skipped in both");
}

#[test]
fn names_filters_and_skips_select() {
    let suite = Suite::new(&[("link-a", "true"), ("link-b", "true"), ("x/other", "true")]);
    assert_eq!(suite.list(&[]), ["link-a", "link-b", "x/other"]);
    assert_eq!(suite.list(&["link-*"]), ["link-a", "link-b"]);
    assert_eq!(suite.list(&["-E", "name(link-*) - link-a"]), ["link-b"]);
    assert_eq!(suite.list(&["-E", "file(x/*) | link-a"]), ["link-a", "x/other"]);
    assert_eq!(suite.list(&["--skip", "link-*"]), ["x/other"]);
    assert_eq!(suite.list(&["link-*", "-E", "!link-b"]), ["link-a"]);
    let json = suite.run(&["link-a", "--list=json"]).exits(0).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json.as_array().unwrap().len(), &json[0]["name"]), (1, &"link-a".into()));
    suite.run(&["link-a"]).exits(0).says("1 passed, 0 failed, 0 skipped, 2 not selected");
}

#[test]
fn what_selects_nothing_is_an_error_with_the_remedy() {
    let suite = Suite::new(&[("link-a", "true")]);
    for (options, message) in [
        (&["-E", "none()"][..], "nothing is selected: the one scenario found, and none matches"),
        (&["-E", "tag(x"], "column 4: this `(` is not closed; write a `)`\n    tag(x\n       ^"),
        (&["--skip", "nme(x)"], "--skip: column 1: unknown predicate `nme`; did you mean `name`?"),
        (&["link-aa"], "no scenario has this name; did you mean `link-a`?"),
        (&["gone/x"], "gone/x: no such file or folder"),
        (&["gone.yaml"], "gone.yaml: no such file or folder"),
    ] {
        let ended = suite.run(options).exits(2);
        ended.says(message);
        assert_eq!(ended.stdout, "", "{options:?}");
    }
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = suite.0.command(&["run", "link-a"]);
    let ended = Ended::of(command.current_dir(elsewhere.path()).output()).exits(2);
    ended.says("`link-a`: no such file or folder, and there is no folder `scenarios` here");
}

#[test]
fn a_failed_scenario_ends_the_run_where_that_is_asked_for() {
    let suite = Suite::new(&[("a", "exit 3"), ("b", "exit 3"), ("c", "true")]);
    let ended = suite.run(&["--fail-fast", "--jobs", "1"]).exits(1);
    ended.says("ended early: one scenario failed").says("0 passed, 1 failed, 0 skipped, 2 not run");
    let ended = suite.run(&["--max-fail", "2", "-j1"]).exits(1);
    ended.says("0 passed, 2 failed, 0 skipped, 1 not run");
    suite.run(&["-j", "1"]).exits(1).says("1 passed, 2 failed, 0 skipped\n");
}

#[test]
fn a_scenario_that_takes_too_long_is_ended_and_has_failed() {
    let suite = Suite::new(&[("a", "sleep 60"), ("b", "true")]);
    let began = Instant::now();
    let ended = suite.run(&["--timeout", "4", "--junit", "junit.xml"]).exits(1);
    assert!(began.elapsed() < LESS_THAN_A_SLEEP, "{:?}", began.elapsed());
    ended.says("FAIL a: the scenario did not end within 4 s; the lab was torn down");
    ended.says("[scenario-timed-out]").says("1 passed, 1 failed, 0 skipped\n");
    let junit = fs::read_to_string(suite.0.path("junit.xml")).unwrap();
    assert!(junit.contains("type=\"scenario-timed-out\""), "{junit}");
    let ended = suite.run(&["--run-timeout", "4", "--jobs", "1"]).exits(1);
    ended.says("FAIL a: the run did not end within 4 s").says("[run-timed-out]");
    ended.says("0 passed, 1 failed, 0 skipped, 1 not run");
}

#[test]
fn what_passes_on_a_later_try_is_flaky() {
    let script = "test -e DESK/tried || { touch DESK/tried; exit 3; }";
    let suite = Suite::new(&[("a", script), ("b", "true")]);
    let ended = suite.run(&["--retries", "2", "--out", "out"]).exits(1);
    ended.says("RETRY a: try 1 failed").says("FLAKY a: 1 of 1").says("  try 1: FAIL a");
    ended.says("1 passed, 1 flaky, 0 failed, 0 skipped");
    let events = fs::read_to_string(suite.0.path("out/a/events.jsonl")).unwrap();
    assert!(events.contains("\"event\":\"try_failed\",\"number\":1"), "{events}");
    assert!(events.contains("\"outcome\":\"flaky\""), "{events}");
    for file in ["try-1.pcapng", "capture.pcapng"] {
        assert!(suite.0.path("out/a").join(file).exists(), "{file}");
    }
    fs::remove_file(suite.0.path("tried")).unwrap();
    suite.run(&["--retries", "1", "--flaky-ok"]).exits(0).says("1 passed, 1 flaky");
    fs::remove_file(suite.0.path("tried")).unwrap();
    suite.run(&["--flaky-ok"]).exits(1).says("1 passed, 1 failed");
}

#[test]
fn scenarios_are_repeated_so_often_or_until_one_fails() {
    let script = "echo x >> DESK/runs; test $(wc -l < DESK/runs) -lt 4";
    let suite = Suite::new(&[("a", script)]);
    let ended = suite.run(&["--until-fail", "-j1"]).exits(1);
    ended.says("PASS a#3").says("FAIL a#4").says("ended early: one scenario failed");
    ended.says("3 passed, 1 failed, 0 skipped\n");
    suite.0.write("runs", "");
    suite.run(&["--repeat", "2", "--until-fail", "--out", "out"]).exits(0).says("2 passed");
    assert!(suite.0.path("out/a#2/capture.pcapng").exists());
    suite.run(&["--until-fail", "--junit", "j.xml"]).exits(2).says("add --repeat N");
}

#[test]
fn skipped_scenarios_count_by_reason_and_fail_where_that_is_asked_for() {
    let suite = Suite::new(&[("a", "true"), ("b", "true")]);
    suite.0.edit("suite/b.yaml", "command: [/bin/sh", "package: tea, command: [/no/such/tea");
    suite.run(&[]).exits(0).says("1 passed, 0 failed, 1 skipped (program-missing 1)");
    suite.run(&["--fail-on-skip"]).exits(1).says("FAIL b: ").says("1 passed, 1 failed, 0 skipped");
    suite.run(&["--fail-on-skip=program-missing"]).exits(1);
    suite.run(&["--fail-on-skip=tun-missing,netem-missing"]).exits(0);
    let ended = suite.run(&["--fail-on-skip=tun-mising"]).exits(2);
    ended.says("unknown code `tun-mising`; did you mean `tun-missing`?");
}

#[test]
fn a_closed_output_ends_the_run_at_once() {
    let suite = Suite::new(&[("a", "true"), ("b", "sleep 60"), ("c", "sleep 60")]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = suite.0.command(&["run", "suite", "--jobs", "1", "--out", "out"]);
    let child = command.stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
    drop(command);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(reader), &mut line).unwrap();
    assert!(line.starts_with("PASS a"), "{line}");
    let began = Instant::now();
    let ended = Ended::of(child.wait_with_output()).exits(2);
    assert!(began.elapsed() < LESS_THAN_A_SLEEP, "{:?} {ended:?}", began.elapsed());
}

#[test]
fn jobs_are_lowered_to_what_the_limit_of_open_files_allows() {
    let scripts: Vec<(String, &str)> = (0..12).map(|n| (format!("s{n}"), "true")).collect();
    let scripts: Vec<(&str, &str)> = scripts.iter().map(|(n, s)| (n.as_str(), *s)).collect();
    let suite = Suite::new(&scripts);
    let run_with_limit = |soft: u64, hard: u64| {
        let labsim = env!("CARGO_BIN_EXE_labsim");
        let script =
            format!("ulimit -Sn {soft}; ulimit -Hn {hard}; exec {labsim} run suite --jobs 12");
        let mut shell = std::process::Command::new("/bin/sh");
        Ended::of(shell.args(["-c", &script]).current_dir(suite.0.path(".")).output())
    };
    let ended = run_with_limit(256, 256).exits(0);
    ended
        .says("instead of 12: 12 runs at a time have up to ")
        .says("12 passed, 0 failed, 0 skipped");
    let ended = run_with_limit(128, 4096).exits(0);
    ended.says("12 passed, 0 failed, 0 skipped");
    assert_eq!(ended.stderr, "", "the soft limit is raised");
}

#[test]
fn failures_are_printed_again_with_the_command_and_quiet_prints_only_them() {
    let suite = Suite::new(&[("a", "true"), ("b", "exit 3")]);
    let ended = suite.run(&["--tunnel", "userspace"]).exits(1);
    let (before, after) = ended.stdout.split_once("\nfailures:\n").unwrap();
    for text in [before, after] {
        assert!(text.contains("FAIL b: 0 of 1"), "{text}");
        assert!(text.contains("again: labsim run --tunnel userspace suite/b.yaml\n"), "{text}");
    }
    let quiet = suite.run(&["-q"]).exits(1).stdout;
    assert!(!quiet.contains("PASS") && quiet.matches("FAIL b").count() == 1, "{quiet}");
    let forced = suite.run(&["--color", "always"]).exits(1).stdout;
    assert!(forced.contains("\x1b[1;32mPASS\x1b[0m a"), "{forced:?}");
}

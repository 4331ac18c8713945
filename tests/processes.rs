//! The user's programs in nodes: started, watched, ended, and nothing left of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{Desk, Ended};

const DEADLINE: Duration = Duration::from_secs(20);

/// A scenario with a process `p` in rs1 and a step in the client, both of /bin/sh.
struct Case {
    desk: Desk,
    process: String,
    ready: &'static str,
    step: String,
    more: String,
}

impl Case {
    fn new(process: &str, step: &str) -> Self {
        let desk = Desk::new();
        fs::create_dir(desk.path("tmp")).unwrap();
        let text = |script: &str| {
            serde_json::to_string(&script.replace("DESK", desk.path("").to_str().unwrap())).unwrap()
        };
        let (process, step) = (text(process), text(step));
        Self { desk, process, ready: "{line: go}", step, more: String::new() }
    }

    fn command(&self) -> std::process::Command {
        let Self { process, ready, step, more, .. } = self;
        let yaml = format!(
            "topology: ../topologies/one-segment.yaml
processes:
  p: {{node: rs1, command: [/bin/sh, -c, {process}], ready: {ready}, timeout: 1{more}}}
steps:
  s: {{run: {{node: client, command: [/bin/sh, -c, {step}]}}}}
expect:
  s: {{answer: {{result: pass}}, pass: the step passed, fail: the step failed}}
"
        );
        self.desk.write("scenarios/case.yaml", yaml);
        let mut command = self.desk.command(&["run", "scenarios/case.yaml", "--out", "out"]);
        command.env("TMPDIR", self.desk.path("tmp"));
        command
    }

    fn run(&self) -> Ended {
        let ended = Ended::of(self.command().output());
        self.nothing_is_left();
        ended
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.desk.path(&format!("out/case/logs/{name}.log"))).unwrap()
    }

    fn events(&self) -> String {
        fs::read_to_string(self.desk.path("out/case/events.jsonl")).unwrap()
    }

    fn nothing_is_left(&self) {
        assert_eq!(fs::read_dir(self.desk.path("tmp")).unwrap().count(), 0);
        assert!(!Path::new("/dev/shm/labsim").exists());
    }
}

#[test]
fn a_process_runs_beside_the_steps_and_its_log_is_kept() {
    let case = Case::new("echo out; echo err >&2; echo go; sleep 1000", "echo from the step");
    case.run().exits(0).says("sh ended with exit code 0");
    assert_eq!(case.log("p"), "out\nerr\ngo\n");
    assert_eq!(case.log("s"), "from the step\n");
}

#[test]
fn a_process_that_ends_before_the_steps_fails_the_run_with_its_last_lines() {
    let case = Case::new(
        "echo go; until test -e DESK/now; do sleep 0.01; done; echo 'no \u{1b}[31mtea'; \
         touch DESK/over; exit 7",
        "touch DESK/now; until test -e DESK/over; do sleep 0.01; done; sleep 0.3",
    );
    let ended = case.run().exits(1);
    ended.says("the process `p` in rs1 ended with exit code 7 before the steps were over");
    ended.says("its last lines: go | no \\u{1b}[31mtea");
    assert!(case.log("p").ends_with("tea\n"), "{}", case.log("p"));
}

#[test]
fn a_process_that_dies_at_once_says_why() {
    let case = Case::new("echo 'bad configuration, line 7'; exit 1", "true");
    let ended = case.run().exits(1);
    ended.says("ended with exit code 1 before it was ready").says("bad configuration, line 7");
}

#[test]
fn a_process_that_never_gets_ready_fails_the_run_when_its_time_is_over() {
    let case = Case::new("echo nearly; sleep 1000", "true");
    case.run().exits(1).says("was not ready after 1s: it has printed no line with `go`");
    for (ready, why) in [
        ("{port: 9}", "nobody listens on TCP port 9"),
        ("{port: 9, protocol: udp}", "nobody has UDP port 9"),
        ("{exit: true}", "it still runs"),
    ] {
        let case = Case { ready, ..Case::new("echo nearly; sleep 1000", "true") };
        case.run().exits(1).says(why).says("its last lines: nearly");
    }
}

#[test]
fn a_process_is_ready_when_a_port_of_its_node_is_open() {
    const SERVERS: &str = "
tacacs_servers: [{nodes: rs1, secret: x, clients: [0.0.0.0/0], users: {u: p}}]
radius_servers: [{nodes: rs1, secret: x, clients: [0.0.0.0/0], users: {u: p}}]";
    for ready in ["{port: 49}", "{port: 1812, protocol: udp}"] {
        let case = Case { ready, ..Case::new("sleep 1000", "true") };
        case.run().exits(1);
        let text = fs::read_to_string(case.desk.path("scenarios/case.yaml")).unwrap();
        let with = text.replacen("\nprocesses:", &format!("{SERVERS}\nprocesses:"), 1);
        case.desk.write("scenarios/case.yaml", with);
        case.desk.labsim(&["run", "scenarios/case.yaml"]).exits(0);
    }
}

#[test]
fn a_process_may_be_ready_by_ending() {
    let ready = "{exit: true}";
    let case = Case { ready, ..Case::new("echo set up", "sleep 0.1") };
    case.run().exits(0);
    assert_eq!(case.log("p"), "set up\n");
    let case = Case { ready, ..Case::new("echo in vain; exit 4", "true") };
    case.run().exits(1).says("ended with exit code 4 before it was ready").says("in vain");
}

#[test]
fn files_are_in_a_folder_that_only_the_process_sees() {
    let script = "pwd; cat sub/text; stat -c %a . sub sub/text; echo more > own; ls; echo $WHERE; \
                  echo go; sleep 1000";
    let more = ", environment: {WHERE: \"{dir}/sub\"}, files: {sub/text: \"in {dir}\\n\"}";
    let case = Case {
        more: more.to_owned(),
        ..Case::new(script, "test ! -e sub && test -z \"$(ls)\" && test -z \"$WHERE\"")
    };
    case.run().exits(0);
    let log = case.log("p");
    let folder = log.lines().next().unwrap();
    let rest = format!("\nin {folder}\n700\n700\n700\nown\nsub\n{folder}/sub\ngo\n");
    assert_eq!(log, format!("{folder}{rest}"));
    assert!(!Path::new(folder).exists());
}

#[test]
fn a_step_has_the_exit_code_that_is_wanted_or_fails() {
    let case = Case::new("echo go; sleep 1000", "echo 'no such luck'; exit 3");
    let ended = case.run().exits(1);
    ended.says("sh ended with exit code 3, and 0 was wanted").says("no such luck");
    assert!(!ended.stdout.contains("packet of the client"), "whose packets are whose is unknown");
    case.desk.edit("scenarios/case.yaml", "run: {", "run: {exit: 3, ");
    case.desk.labsim(&["run", "scenarios/case.yaml"]).exits(0);
    let case = Case::new("echo go; sleep 1000", "kill -9 $$");
    case.run().exits(1).says("sh ended with exit code 137 (signal 9 or its own), and 0 was wanted");
    let case = Case::new("echo go; sleep 1000", "sleep 1000");
    case.run_with("run: {", "run: {timeout: 0.2, ").exits(1).says("had not ended after 200ms");
}

impl Case {
    fn run_with(&self, from: &str, to: &str) -> Ended {
        drop(self.command());
        self.desk.edit("scenarios/case.yaml", from, to);
        self.desk.labsim(&["run", "scenarios/case.yaml"])
    }
}

#[test]
fn a_missing_program_is_skipped_by_name() {
    let case = Case::new("echo go", "true");
    let ended = case.run_with("[/bin/sh, -c", "[no-such-program, -c").exits(3);
    ended.says("SKIP case").says("no-such-program: not installed");
    let named = "node: client, package: tea-utils, command: [/no/such/tea";
    let ended = case.run_with("node: client, command: [/bin/sh", named).exits(3);
    ended.says("tea: not installed (Debian: apt-get install tea-utils)");
    case.desk.labsim(&["doctor", "scenarios/case.yaml"]).says("tea: not installed");
}

#[test]
fn a_process_is_asked_to_end_and_has_a_second_for_it() {
    let case =
        Case::new("trap 'echo bye; exit 0' TERM; echo go; while :; do sleep 0.01; done", "true");
    case.run().exits(0);
    assert!(case.log("p").ends_with("bye\n"), "{}", case.log("p"));
    let began = Instant::now();
    let case = Case::new("trap '' TERM; echo go; while :; do sleep 0.01; done", "true");
    case.run().exits(0);
    assert!(began.elapsed() > Duration::from_secs(1), "it had its second");
    assert!(began.elapsed() < DEADLINE);
}

#[test]
fn what_a_process_prints_is_bounded() {
    let case = Case::new("yes tea | head -c 5000000; echo; echo go; sleep 1000", "true");
    case.run().exits(0);
    let log = case.log("p");
    assert_eq!(log.len(), 1 << 20);
    assert!(log.ends_with("go\n"));
}

#[test]
fn arguments_environment_and_files_are_never_printed() {
    let more = ", environment: {A: hushhush}, files: {f: hushhush}".to_owned();
    let case = Case { more, ..Case::new(": hushhush; echo boom; exit 1", ": hushhush") };
    let ended = case.run().exits(1);
    ended.says("boom");
    let shown = [ended.stdout, ended.stderr, case.events()].concat();
    assert!(!shown.contains("hushhush"), "{shown}");
    assert!(!case.events().contains("boom\\n"), "the log is in its own file");
}

#[test]
fn nothing_is_left_of_a_process_when_labsim_is_killed() {
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let token = format!("98765.{}{}", std::process::id(), signal as i32);
        // One that left the group and the session as well.
        let process = format!("setsid sleep {token} & echo go; sleep {token}");
        let case = Case::new(&process, &format!("sleep {token}"));
        let mut labsim = case.command().stdout(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while running(&token) < 3 {
            assert!(began.elapsed() < DEADLINE, "they never ran");
            std::thread::sleep(Duration::from_millis(1));
        }
        kill(Pid::from_raw(labsim.id().cast_signed()), signal).unwrap();
        labsim.wait().unwrap();
        while running(&token) > 0 {
            assert!(began.elapsed() < DEADLINE, "a process outlives labsim");
            std::thread::sleep(Duration::from_millis(1));
        }
        case.nothing_is_left();
    }
}

/// Processes whose program is `sleep` with that argument.
fn running(token: &str) -> usize {
    let wanted = format!("sleep\0{token}\0");
    let all = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().path().join("cmdline"));
    all.filter(|path| fs::read(path).is_ok_and(|line| line == wanted.as_bytes())).count()
}

#[test]
fn freeradius_answers_from_the_vip_or_its_absence_is_named() {
    let desk = Desk::new();
    let path = "scenarios/freeradius-ipip.yaml";
    let ended = desk.labsim(&["run", path]);
    match ended.code {
        Some(0) => ended.exits(0).says("PASS freeradius-ipip"),
        _ => ended.exits(3).says("not installed (Debian: apt-get install freeradius"),
    };
    let without = desk.command(&["run", path]).env("PATH", desk.path("topologies")).output();
    let ended = Ended::of(without).exits(3);
    ended.says("radclient: not installed (Debian: apt-get install freeradius-utils)");
}

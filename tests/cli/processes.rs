//! The user's programs in nodes: started, watched, ended, and nothing left of them.

use crate::support::{DEADLINE, Desk, Ended};
use labsim_sys::testing::{before_exec, forbid_call};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// A scenario with a process `p` in rs1 and a step in the client, both of /bin/sh.
struct Case {
    desk: Desk,
    process: String,
    ready: &'static str,
    step: String,
    /// Seconds that the process has to become ready.
    timeout: u32,
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
        Self { desk, process, ready: "{line: go}", step, timeout: 20, more: String::new() }
    }

    fn command(&self) -> std::process::Command {
        let Self { process, ready, step, timeout, more, .. } = self;
        let yaml = format!(
            "topology: ../topologies/one-segment.yaml
processes:
  p: {{node: rs1, command: [/bin/sh, -c, {process}], ready: {ready}, timeout: {timeout}{more}}}
steps:
  s: {{run: {{node: client, command: [/bin/sh, -c, {step}]}}}}
expect:
  s: {{answer: {{result: pass}}, pass: the step passed, fail: the step failed}}
"
        );
        self.desk.write("scenarios/case.yaml", yaml);
        let mut command = self.desk.command(&["run", "-v", "scenarios/case.yaml", "--out", "out"]);
        command.env("TMPDIR", self.desk.path("tmp"));
        command
    }

    /// A scenario whose step no expectation is about.
    fn unexpected(end: &str) -> String {
        format!(
            "topology: ../topologies/one-segment.yaml
steps:
  s: {{run: {{node: client, command: [/bin/sh, -c, \"echo 'no route'; {end}\"]}}}}
expect:
  silent:
    frames: {{at: client:eth0, match: {{protocol: tcp}}, count: 0}}
    pass: the client was silent
    fail: the client was not silent
"
        )
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
        assert!(!Path::new("/var/tmp/labsim").exists());
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
    // The kernel closes the process's end of the pipe when it ends; then labsim has a second to see its end.
    let case = Case::new(
        "echo go; exec 9>DESK/pipe; echo 'no \u{1b}[31mtea'; exit 7",
        "cat DESK/pipe; sleep 1",
    );
    nix::unistd::mkfifo(&case.desk.path("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let ended = case.run().exits(1);
    ended.says("the process `p` in rs1 ended with exit code 7 before the steps ended");
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
    let case = Case { timeout: 2, ..Case::new("echo nearly; sleep 1000", "true") };
    case.run().exits(1).says("was not ready after 2s: no line with `go` was printed");
    for (ready, why) in [
        ("{port: 9}", "no process listens on TCP port 9"),
        ("{port: 9, protocol: udp}", "no process has UDP port 9 open"),
        ("{exit: true}", "it is still running"),
    ] {
        let case = Case { ready, timeout: 2, ..Case::new("echo nearly; sleep 1000", "true") };
        case.run().exits(1).says(why).says("its last lines: nearly");
    }
}

#[test]
fn a_process_is_ready_when_a_port_of_its_node_is_open() {
    const SERVERS: &str = "
tacacs_servers: [{nodes: rs1, secret: x, clients: [0.0.0.0/0], users: {u: p}}]
radius_servers: [{nodes: rs1, secret: x, clients: [0.0.0.0/0], users: {u: p}}]";
    for ready in ["{port: 49}", "{port: 1812, protocol: udp}"] {
        let case = Case { ready, timeout: 2, ..Case::new("sleep 1000", "true") };
        case.run().exits(1);
        let text = fs::read_to_string(case.desk.path("scenarios/case.yaml")).unwrap();
        let with = text.replacen("\nprocesses:", &format!("{SERVERS}\nprocesses:"), 1);
        let with = with.replacen("timeout: 2", "timeout: 20", 1);
        case.desk.write("scenarios/case.yaml", with);
        case.desk.labsim(&["run", "-v", "scenarios/case.yaml"]).exits(0);
    }
}

#[test]
fn a_process_that_starts_first_is_ready_before_the_built_in_servers_listen() {
    const SERVERS: &str = "
tacacs_servers: [{nodes: rs1, secret: x, clients: [0.0.0.0/0], users: {u: p}}]
";
    // Sockets that listen at port 49, as proc_net(5) shows them.
    let script = "grep -c ':0031 00000000:0000 0A' /proc/net/tcp; echo go; sleep 1000";
    for (more, listening) in [(", start: first", "0"), (", start: last", "1"), ("", "1")] {
        let more = format!("{more}}}{SERVERS}#");
        let case = Case { more, ..Case::new(script, "true") };
        case.run().exits(0);
        assert_eq!(case.log("p"), format!("{listening}\ngo\n"));
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
    ended.says("sh ended with exit code 3, expected 0").says("no such luck");
    assert!(!ended.stdout.contains("packet of the client"), "whose packets are whose is unknown");
    case.desk.edit("scenarios/case.yaml", "run: {", "run: {exit: 3, ");
    case.desk.labsim(&["run", "-v", "scenarios/case.yaml"]).exits(0);
    let case = Case::new("echo go; sleep 1000", "kill -9 $$");
    case.run().exits(1).says("sh ended with exit code 137 (signal 9 or its own), expected 0");
    let case = Case::new("echo go; sleep 1000", "sleep 1000");
    case.run_with("run: {", "run: {timeout: 0.2, ").exits(1).says("was still running after 200ms");
}

impl Case {
    fn run_with(&self, from: &str, to: &str) -> Ended {
        drop(self.command());
        self.desk.edit("scenarios/case.yaml", from, to);
        self.desk.labsim(&["run", "-v", "scenarios/case.yaml"])
    }
}

#[test]
fn a_missing_program_is_an_error_and_one_with_a_package_skips_the_scenario() {
    let case = Case::new("echo go", "true");
    let ended = case.run_with("[/bin/sh, -c", "[no-such-program, -c").exits(1);
    ended.says("ERROR case").says("process `p`: there is no program `no-such-program`");
    ended.says("name its Debian package in `package`").says("[program-unknown]");
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
fn all_processes_are_asked_to_end_before_one_is_waited_for() {
    let meet = |own: &str, other: &str| {
        format!(
            "trap 'touch DESK/{own}; until test -e DESK/{other}; do sleep 0.01; done; echo bye; \
             exit 0' TERM; echo go; while :; do sleep 0.01; done"
        )
    };
    let second = Case::new(&meet("second", "first"), "true");
    let case = Case::new(&meet("first", "second"), "true");
    let other = second
        .process
        .replace(second.desk.path("").to_str().unwrap(), case.desk.path("").to_str().unwrap());
    let more =
        format!("}}\n  q: {{node: rs1, command: [/bin/sh, -c, {other}], ready: {{line: go}}");
    let case = Case { more, ..case };
    case.run().exits(0);
    for log in [case.log("p"), case.log("q")] {
        assert!(log.ends_with("bye\n"), "{log}");
    }
}

#[test]
fn an_isolation_that_the_kernel_refuses_is_an_event_and_a_line_of_the_report() {
    let case = Case::new("echo go; sleep 1000", "true");
    let mut command = case.command();
    let new_pid_namespace = libc::CLONE_NEWPID.cast_unsigned();
    let forbid = move || forbid_call(libc::SYS_unshare, Some((0, new_pid_namespace)));
    before_exec(&mut command, forbid);
    let ended = Ended::of(command.output()).exits(0);
    ended.says("! the kernel refused isolation: no PID namespace for `p` in rs1, `s` in client");
    let refused = "\"event\":\"isolation_refused\",\"node\":\"rs1\",\"program\":\"p\",\
                   \"isolation\":\"PID namespace\",\"reason\":\"Operation not permitted\"";
    assert!(case.events().contains(refused), "{}", case.events());
    let ended = case.run().exits(0);
    assert!(!ended.stdout.contains("isolation"), "{}", ended.stdout);
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
fn a_distributions_servers_answer_from_the_vip_or_their_absence_is_named() {
    let desk = Desk::new();
    for (name, package) in [
        ("freeradius-ipip", "freeradius"),
        ("nginx-ipip", "nginx-light"),
        ("unbound-gre", "unbound"),
    ] {
        let ended = desk.labsim(&["run", &format!("scenarios/{name}.yaml")]);
        match ended.code {
            Some(0) => ended.exits(0).says(&format!("PASS {name}")),
            _ => ended.exits(3).says(&format!("not installed (Debian: apt-get install {package}")),
        };
    }
    let path = "scenarios/freeradius-ipip.yaml";
    let without = desk.command(&["run", path]).env("PATH", desk.path("topologies")).output();
    let ended = Ended::of(without).exits(3);
    ended.says("radclient: not installed (Debian: apt-get install freeradius-utils)");
}

#[test]
fn a_step_whose_program_fails_fails_the_run_without_an_expectation_about_it() {
    let case = Case::new("echo go", "true");
    case.desk.write("scenarios/only.yaml", Case::unexpected("exit 3"));
    let ended = case.desk.labsim(&["run", "scenarios/only.yaml", "--junit", "j.xml"]).exits(1);
    ended.says("✗ step `s`: the program ended with fail after ");
    ended.says(": sh ended with exit code 3, expected 0; its last lines: no route [step-failed]");
    ended.says("(scenarios/only.yaml:3)").says("1 of 1 expectations held");
    let junit = fs::read_to_string(case.desk.path("j.xml")).unwrap();
    assert!(
        junit.contains("type=\"step-failed\"") && junit.contains("step s: fail after "),
        "{junit}"
    );
    case.desk.write("scenarios/only.yaml", Case::unexpected("exit 0"));
    case.desk.labsim(&["run", "scenarios/only.yaml"]).exits(0);
}

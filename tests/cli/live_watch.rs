//! What happens in labs that stay up, told as it happens.

use crate::support::labs::{Labs, until_gone};
use crate::support::{DEADLINE, Ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

const VIP: &str = "172.16.4.99/32";

/// A watcher, and its lines.
struct Watcher {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Watcher {
    /// Begins to watch: everything that happens after this is told.
    fn begin(labs: &Labs) -> Self {
        let mut command = labs.command(&["watch"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|it| sender.send(it).is_ok())
        });
        let mut watcher = Self { child, lines, seen: Vec::new() };
        watcher.until("watching one; Ctrl-C ends it");
        watcher
    }

    /// Waits for a line with that text.
    fn until(&mut self, text: &str) -> String {
        let began = Instant::now();
        loop {
            let left = DEADLINE.saturating_sub(began.elapsed());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("no `{text}` in {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    fn ended(self) -> Ended {
        Ended::of(self.child.wait_with_output())
    }
}

/// Shorter than the file's: a login gets no answer once something is broken.
fn up(labs: &Labs) {
    let short = "steps: {login: {tacacs_login: {timeout: 2}}}\n";
    let file = labs.0.over("short", "tacacs-ipip", short);
    labs.labsim(&["up", &file, "--name", "one"]).exits(0);
}

#[test]
fn steps_and_checks_of_any_client_are_told_to_all_that_watch() {
    let labs = Labs::new();
    up(&labs);
    let mut both = [Watcher::begin(&labs), Watcher::begin(&labs)];
    labs.labsim(&["step"]).exits(0);
    for watcher in &mut both {
        let begin = watcher.until("step login begins: ");
        let (seconds, _) = begin.split_once(' ').unwrap();
        assert!(seconds.parse::<f64>().is_ok(), "{begin}");
        watcher.until("step login: pass: ");
        watcher.until(" authentication PASS user `violet`");
    }
    labs.labsim(&["check"]).exits(0);
    both.iter_mut().for_each(|watcher| {
        watcher.until("the check passed: 8 of 8 expectations held");
    });
    let [one, other] = both;
    kill(Pid::from_raw(i32::try_from(one.child.id()).unwrap()), Signal::SIGINT).unwrap();
    assert_eq!(one.ended().code, None);
    labs.labsim(&["down"]).exits(0);
    other.ended().exits(0).says("the lab `one` has ended");
}

#[test]
fn a_change_the_drops_that_it_leads_to_and_its_end_are_told() {
    let labs = Labs::new();
    up(&labs);
    let mut watcher = Watcher::begin(&labs);
    labs.labsim(&["exec", "rs1", "--", "ip", "addr", "del", VIP, "dev", "lo"]).exits(0);
    watcher.until("rs1: changed: gone: address 172.16.4.99/32 on lo");
    labs.labsim(&["step", "login"]).exits(0);
    watcher.until("step login: timeout: ");
    watcher.until("no interface has this address [vip-missing]");
    let drop = "their destination is no address of the node (IpInAddrErrors +";
    let said = watcher.seen.iter().any(|line| line.contains(drop));
    if !said {
        watcher.until(drop);
    }
    labs.labsim(&["exec", "rs1", "--", "ip", "addr", "add", VIP, "dev", "lo"]).exits(0);
    watcher.until("rs1: not changed any more: gone: address 172.16.4.99/32 on lo");
    // Names of devices are a program's own.
    let add = ["exec", "rs2", "--", "ip", "link", "add", "e\u{1b}[31m", "type", "veth"];
    labs.labsim(&add).exits(0);
    let line = watcher.until("rs2: changed: new: device e");
    assert!(line.contains("\\u{1b}[31m"), "{line}");
}

#[test]
fn members_that_monitors_find_down_and_forwarders_that_end_are_told() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/monitor.yaml", "--name", "one"]).exits(0);
    let mut watcher = Watcher::begin(&labs);
    labs.labsim(&["exec", "rs1", "--", "ip", "link", "set", "eth0", "down"]).exits(0);
    watcher.until("rs1: changed: eth0 is down");
    let is_down =
        |line: &String| line.contains(" lb: member 10.1.1.51:") && line.contains(" is down");
    if !watcher.seen.iter().any(is_down) {
        watcher.until(" is down: ");
    }
    let children = labs.processes("one");
    let is_forwarder = |pid: &&i32| {
        let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.windows(9).any(|it| it == b"forwarder")
            && command.windows(7).any(|it| it == b"--stdio")
    };
    let forwarder = children.iter().find(is_forwarder).unwrap();
    kill(Pid::from_raw(*forwarder), Signal::SIGKILL).unwrap();
    watcher.until("lb: forwarder: ");
    labs.labsim(&["reset"]).exits(0);
    watcher.until("lb: forwarder runs again");
}

#[test]
fn a_watcher_that_does_not_read_or_is_killed_keeps_nothing_waiting() {
    let labs = Labs::new();
    up(&labs);
    let mut silent: Vec<Child> = (0..3)
        .map(|_| {
            let mut command = labs.command(&["watch"]);
            command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
        })
        .collect();
    let mut reads = Watcher::begin(&labs);
    kill(Pid::from_raw(i32::try_from(silent[0].id()).unwrap()), Signal::SIGSTOP).unwrap();
    silent[1].kill().unwrap();
    for _ in 0..10 {
        labs.labsim(&["step", "login"]).exits(0).says("step login: pass");
        reads.until("step login: pass");
    }
    labs.labsim(&["status"]).exits(0);
    let processes = labs.processes("one");
    labs.labsim(&["down"]).exits(0);
    until_gone(&processes);
    reads.ended().exits(0);
    kill(Pid::from_raw(i32::try_from(silent[0].id()).unwrap()), Signal::SIGCONT).unwrap();
    for watcher in &mut silent {
        drop(watcher.stdout.take());
        watcher.wait().unwrap();
    }
}

#[test]
fn who_watches_no_lab_is_told_and_a_closed_output_ends_it() {
    let labs = Labs::new();
    labs.labsim(&["watch"]).exits(2).says("no lab is up; `labsim up FILE` makes one");
    up(&labs);
    labs.labsim(&["watch", "two"]).exits(2).says("no lab `two` is up");
    let mut watcher = labs.command(&["watch"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(watcher.stdout.take());
    let began = Instant::now();
    while watcher.try_wait().unwrap().is_none() {
        // It finds out by the next line.
        labs.labsim(&["step", "login"]).exits(0);
        assert!(began.elapsed() < DEADLINE, "it watches still");
    }
}

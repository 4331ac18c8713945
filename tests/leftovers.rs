//! However a run ends, nothing of it is left: processes, files, links, namespaces.
//!
//! One test, because it makes this process the reaper of orphans and waits for all of them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

#[path = "cli/support/mod.rs"]
mod support;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};
use support::{DEADLINE, Desk};

/// One with a relay between the ends of a link among them.
const SCENARIOS: [&str; 2] = ["scenarios/tacacs-ipip.yaml", "scenarios/link-delay.yaml"];
#[test]
#[expect(clippy::zombie_processes, reason = "everybody is reaped, orphans included")]
fn nothing_is_left_of_a_run_that_was_killed_or_interrupted() {
    nix::sys::prctl::set_child_subreaper(true).unwrap();
    let desk = Desk::new();
    let links = host_links();
    let mut random = 0x9e37_79b9_7f4a_7c15u64;

    // A run takes some tens of milliseconds: the moments cover all of it and its end.
    for scenario in SCENARIOS.into_iter().cycle().take(30) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let moment = Duration::from_micros(random % 80_000);
        let child = desk.command(&["run", scenario]).stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(moment);
        let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
        kill(pid, Signal::SIGKILL).unwrap();
        reap_everybody();
    }

    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        let began = interrupt_while_it_waits(&desk, signal);
        assert!(began.elapsed() < DEADLINE);
        reap_everybody();
    }

    assert_eq!(host_links(), links, "a link is left in the host's namespace");
    let files: BTreeSet<String> = std::fs::read_dir(desk.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(files, BTreeSet::from(["scenarios".to_owned(), "topologies".to_owned()]));
}

/// Interrupts a run in the middle of a login that nobody answers, and checks its exit code.
fn interrupt_while_it_waits(desk: &Desk, signal: Signal) -> Instant {
    std::fs::create_dir_all(desk.path("slow")).unwrap();
    let extends = "extends: ../scenarios/link-delay.yaml\n";
    desk.write("slow/slow.yaml", format!("{extends}{}", support::NO_ANSWER));
    let mut child = desk
        .command(&["run", "slow/slow.yaml", "--out", "slow/out"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let events = desk.path("slow/out/slow/events.jsonl");
    let began = Instant::now();
    while !std::fs::read_to_string(&events).is_ok_and(|text| text.contains("step_started")) {
        assert!(began.elapsed() < DEADLINE, "the step never began");
        std::thread::yield_now();
    }
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
    let interrupted = Instant::now();
    let said: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(said.iter().any(|line| line.starts_with("INTERRUPTED slow")), "{said:?}");
    std::fs::remove_dir_all(desk.path("slow")).unwrap();
    interrupted
}

/// Waits until no child and no orphan of one is left.
fn reap_everybody() {
    let deadline = Instant::now() + DEADLINE;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return,
            Ok(WaitStatus::StillAlive) => {
                assert!(Instant::now() < deadline, "a process outlives its labsim");
                std::thread::yield_now();
            }
            Ok(_) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

fn host_links() -> BTreeSet<String> {
    std::fs::read_dir("/sys/class/net")
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

//! Processes in nodes: where they run, what they inherit, and when they end.

use crate::helpers;
use crate::hosts::node;
use crate::shape::{build, name, pair, shipped};
use labsim_lab::{Child, Isolation, Lab, LabPlan, NewLab, Sandboxed, inherit_text};
use labsim_sys::testing::forbid_call;
use labsim_test_support::soon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getpgid};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

labsim_test_support::tests![
    a_child_runs_in_its_node,
    a_child_that_starts_before_the_lab_is_built_finds_the_rest_of_it_there,
    a_child_of_a_lab_that_is_not_built_ends_with_it,
    a_child_reads_the_text_that_it_inherits_and_inherits_nothing_else,
    a_child_has_its_own_process_group,
    children_end_with_their_handle_and_with_the_lab,
    a_grandchild_in_the_group_ends_too,
    a_child_dies_when_labsim_is_killed,
    a_sandbox_that_the_kernel_grants_refuses_nothing,
    a_refused_pid_namespace_and_a_refused_folder_are_named,
    a_refused_proc_is_named_and_the_process_starts,
    a_program_that_does_not_exist_is_an_error_and_not_a_refused_sandbox,
];

fn output(mut child: Child) -> String {
    let mut text = String::new();
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(child.wait().unwrap().success());
    text
}

fn a_child_runs_in_its_node() {
    let lab = shipped();
    let mut command = Command::new("cat");
    command.arg("/proc/net/dev").stdout(Stdio::piped());
    let text = output(node(&lab, "router").spawn(&mut command).unwrap());
    assert!(text.contains("servers:") && text.contains("client:"), "{text}");
}

fn a_child_that_starts_before_the_lab_is_built_finds_the_rest_of_it_there() {
    let plan = LabPlan::of_topology(&pair());
    let lab = NewLab::create(&plan).unwrap();
    let mut command = Command::new("sh");
    command.arg("-c").arg("cat /proc/net/dev; read line; cat /proc/net/dev");
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = lab.node(&name("a")).unwrap().spawn(&mut command).unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let loopback = lines.find(|line| line.contains(':')).unwrap();
    assert!(loopback.trim_start().starts_with("lo:"), "{loopback}");
    let _lab = lab.build().unwrap();
    writeln!(child.stdin.take().unwrap()).unwrap();
    assert!(lines.any(|line| line.trim_start().starts_with("eth0:")));
    assert!(child.wait().unwrap().success());
}

fn a_child_of_a_lab_that_is_not_built_ends_with_it() {
    let plan = LabPlan::of_topology(&pair());
    let lab = NewLab::create(&plan).unwrap();
    let child = lab.node(&name("a")).unwrap().spawn(Command::new("sleep").arg("60")).unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    drop(lab);
    assert!(kill(pid, None).is_err(), "it runs on");
}

fn a_child_reads_the_text_that_it_inherits_and_inherits_nothing_else() {
    let lab = shipped();
    let mut command = Command::new("sh");
    let path = inherit_text(&mut command, "port: 49\n").unwrap();
    command.arg("-c").arg("cat \"$0\"; for i in /proc/$$/fd/*; do readlink \"$i\"; done; true");
    command.arg(&path).stdin(Stdio::null()).stdout(Stdio::piped());
    let text = output(node(&lab, "client").spawn(&mut command).unwrap());
    let (first, descriptors) = text.split_once('\n').unwrap();
    assert_eq!(first, "port: 49");
    assert_eq!(descriptors.matches("memfd:").count(), 1, "{descriptors}");
    for foreign in ["net:", "tun", "socket:", "eventpoll", "eventfd"] {
        assert!(!descriptors.contains(foreign), "{descriptors}");
    }
}

fn a_child_has_its_own_process_group() {
    let lab = shipped();
    let child = node(&lab, "client").spawn(Command::new("sleep").arg("60")).unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    assert_eq!(getpgid(Some(pid)), Ok(pid));
}

/// Waits until a process is gone, or has become a zombie of somebody's.
fn gone(pid: Pid) {
    let deadline = soon();
    while kill(pid, None).is_ok() && !zombie(pid) {
        assert!(Instant::now() < deadline, "{pid} is still there");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn zombie(pid: Pid) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| stat.rsplit(')').next().unwrap_or_default().trim().starts_with('Z'))
}

fn children_end_with_their_handle_and_with_the_lab() {
    let lab = shipped();
    let first = node(&lab, "client").spawn(Command::new("sleep").arg("60")).unwrap();
    let second = node(&lab, "lb").spawn(Command::new("sleep").arg("60")).unwrap();
    let [a, b] = [&first, &second].map(|it| Pid::from_raw(it.id().cast_signed()));
    drop(first);
    assert!(kill(a, None).is_err(), "it is not even a zombie");
    assert!(kill(b, None).is_ok());
    drop(lab);
    assert!(kill(b, None).is_err());
    drop(second);
}

fn a_grandchild_in_the_group_ends_too() {
    let lab = build(&LabPlan::of_topology(&pair()));
    let mut command = Command::new("sh");
    command.arg("-c").arg("sleep 60 & echo $!; wait").stdout(Stdio::piped());
    let mut child = node(&lab, "a").spawn(&mut command).unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let grandchild = Pid::from_raw(line.trim().parse().unwrap());
    assert!(kill(grandchild, None).is_ok());
    drop(lab);
    gone(grandchild);
}

fn a_child_dies_when_labsim_is_killed() {
    let mut labsim = helpers::start("sleeper");
    let mut line = String::new();
    BufReader::new(labsim.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let child = Pid::from_raw(line.trim().parse().unwrap());
    assert!(kill(child, None).is_ok());
    kill(Pid::from_raw(labsim.id().cast_signed()), Signal::SIGKILL).unwrap();
    labsim.wait().unwrap();
    gone(child);
}

/// Starts a shell in a sandbox; it prints its folder and the file that it finds there.
fn sandboxed(lab: &Lab) -> Child {
    let prepare = |_: &str| {
        let mut command = Command::new("sh");
        command.arg("-c").arg("pwd; cat greeting").stdin(Stdio::null()).stdout(Stdio::piped());
        let files = [("greeting".into(), "hello".to_owned())].into();
        Sandboxed { command, files }
    };
    node(lab, "client").spawn_sandboxed(prepare).unwrap()
}

fn refused(child: &Child) -> Vec<Isolation> {
    child.refused_isolation().iter().map(|refused| refused.isolation).collect()
}

/// Has a system call fail on the thread that starts the lab's processes, and in them.
fn forbid(lab: &Lab, number: i64, argument: Option<(usize, u32)>) {
    node(lab, "client").run(|| forbid_call(number, argument)).unwrap().unwrap();
}

fn a_sandbox_that_the_kernel_grants_refuses_nothing() {
    let lab = shipped();
    let child = sandboxed(&lab);
    assert_eq!(refused(&child), []);
    assert_eq!(output(child), "/var/tmp/labsim\nhello");
}

fn a_refused_pid_namespace_and_a_refused_folder_are_named() {
    let lab = shipped();
    forbid(&lab, libc::SYS_unshare, None);
    let child = sandboxed(&lab);
    assert_eq!(refused(&child), [Isolation::PidNamespace, Isolation::PrivateFolder]);
    let text = child.refused_isolation()[1].to_string();
    assert_eq!(text, "private folder: Operation not permitted");
    let (folder, greeting) = {
        let text = output(child);
        let (folder, greeting) = text.split_once('\n').unwrap();
        (folder.to_owned(), greeting.to_owned())
    };
    assert_eq!(greeting, "hello");
    assert!(folder.starts_with(std::env::temp_dir().to_str().unwrap()), "{folder}");
    assert!(!std::path::Path::new(&folder).exists(), "the folder goes with the handle");
}

fn a_refused_proc_is_named_and_the_process_starts() {
    /// `MS_NOSUID | MS_NODEV | MS_NOEXEC`, as for no other mount of a sandbox; the fourth argument.
    const PROC_FLAGS: (usize, u32) = (3, 2 | 4 | 8);
    let lab = shipped();
    forbid(&lab, libc::SYS_mount, Some(PROC_FLAGS));
    let child = sandboxed(&lab);
    assert_eq!(refused(&child), [Isolation::OwnProc]);
    assert_eq!(output(child), "/var/tmp/labsim\nhello");
}

fn a_program_that_does_not_exist_is_an_error_and_not_a_refused_sandbox() {
    let lab = shipped();
    let prepare = |_: &str| Sandboxed {
        command: Command::new("/no-such-program-of-this-host"),
        files: [].into(),
    };
    let error = node(&lab, "client").spawn_sandboxed(prepare).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::NotFound);
}

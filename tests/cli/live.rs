//! Labs that stay up: made, entered and ended as a user would, each test with a folder of labs of its
//! own.

use crate::support::labs::{Labs, descendants, until_gone};
use crate::support::{DEADLINE, Ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn a_lab_stays_up_until_it_is_ended_and_nothing_of_it_is_left() {
    let labs = Labs::new();
    labs.labsim(&["down"]).exits(2).says("no lab is up; `labsim up FILE` makes one");
    let up = labs.labsim(&["up", "scenarios/tacacs-ipip.yaml"]).exits(0);
    up.says("tacacs-ipip is up: client, router, lb, rs1, rs2, rs3 in ");
    // It is made: its file is not needed any more.
    fs::remove_file(labs.0.path("scenarios/tacacs-ipip.yaml")).unwrap();
    labs.labsim(&["list"]).exits(0).says("tacacs-ipip: 6 nodes, up for ");
    let status = labs.labsim(&["status"]).exits(0);
    status.says("rs1\n  lo 172.16.4.99/32 (VIP)\n  eth0 10.1.1.51/24\n");
    status
        .says("lb\n  eth0 172.16.0.10/24\n  virtual server 172.16.4.99:49\n  forwarder: running\n");
    status.says("  TACACS+ server: running\n");
    let processes = labs.processes("tacacs-ipip");
    labs.labsim(&["down"]).exits(0).says("tacacs-ipip is down");
    assert_eq!(labs.folders(), [""; 0]);
    assert!(!labs.0.path("runtime/labsim").exists(), "an empty folder is left");
    until_gone(&processes);
}

#[test]
fn a_lab_holds_no_file_of_its_caller_open() {
    let labs = Labs::new();
    let up = labs.command(&["up", "scenarios/tacacs-ipip.yaml", "--name", "one"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec \"$@\" 9>&1 >/dev/null", "sh"]).arg(up.get_program());
    shell.args(up.get_args()).current_dir(up.get_current_dir().unwrap());
    shell.envs(up.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    assert!(child.wait().unwrap().success());
    // Its end: no process has the other end of the pipe any more, and the lab is up.
    let (sender, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || sender.send(output.read_to_end(&mut Vec::new()).is_ok()));
    assert_eq!(ended.recv_timeout(DEADLINE), Ok(true));
    labs.labsim(&["down", "one"]).exits(0);
}

#[test]
fn a_command_in_a_node_has_the_callers_streams_and_its_exit_code_is_the_callers() {
    let labs = Labs::new();
    labs.up("one");
    let mut child = labs
        .command(&[
            "exec",
            "rs2",
            "--",
            "sh",
            "-c",
            "cat; hostname; cat /proc/net/fib_trie; exit 7",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"in and out\n").unwrap();
    let ended = Ended::of(child.wait_with_output()).exits(7);
    assert!(ended.stdout.starts_with("in and out\n"), "{ended:?}");
    ended.says("10.1.1.52");
    assert!(!ended.stdout.contains("10.1.1.51"), "it is in rs2 alone: {ended:?}");
    let environment =
        labs.labsim(&["exec", "rs1", "--", "sh", "-c", "echo $LABSIM_LAB $LABSIM_NODE"]);
    environment.exits(0).says("one rs1");
    labs.labsim(&["exec", "rs1", "--", "sh", "-c", "kill -9 $$"]).exits(128 + 9);
    labs.labsim(&["exec", "rs1", "--", "/no/such"]).exits(127).says("`/no/such` cannot be started");
    labs.labsim(&["exec", "rs1", "--", "/etc"]).exits(126);
    let unknown = labs.labsim(&["exec", "rs9", "--", "true"]).exits(2);
    unknown.says(
        "the lab has no node `rs9`; did you mean `rs1`? Its nodes: client, router, lb, rs1, rs2, rs3",
    );
    let unknown = labs.labsim(&["exec", "database", "--", "true"]).exits(2);
    unknown.says("the lab has no node `database`; its nodes: client, ");
    let names = labs.labsim(&["exec", "client", "--", "cat", "/etc/hosts"]).exits(0);
    if names.stdout.contains("rs1") {
        names.says("10.1.1.51 rs1\n").says("192.168.11.201 client\n");
        assert!(!names.stdout.contains("172.16.4.99"), "the VIP is no node's alone: {names:?}");
    }
}

#[test]
fn a_signal_reaches_the_command_in_the_node() {
    let labs = Labs::new();
    labs.up("one");
    let script = "trap 'echo caught; exit 5' TERM; echo ready; while :; do sleep 0.01; done";
    let mut child = labs
        .command(&["exec", "client", "--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "caught");
    assert_eq!(child.wait().unwrap().code(), Some(5));
}

#[test]
fn nothing_outlives_a_holder_that_is_killed() {
    let labs = Labs::new();
    labs.up("one");
    let holder = labs.holder("one");
    let mut child = labs
        .command(&["exec", "rs1", "--", "sh", "-c", "setsid sleep 1000 & echo ready; wait"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let mut processes = labs.processes("one");
    processes.extend(descendants(i32::try_from(child.id()).unwrap()));
    kill(holder, Signal::SIGKILL).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(128 + 9));
    // Also what has left the session of what was killed, and so their namespaces.
    until_gone(&processes);
    assert_eq!(labs.folders(), ["one"]);
    let list = labs.labsim(&["list"]).exits(0);
    assert_eq!((list.stdout, list.stderr), (String::new(), String::new()));
    assert_eq!(labs.folders(), [""; 0], "the next command sweeps");
    labs.up("one");
}

#[test]
fn a_command_in_a_node_ends_with_a_labsim_that_is_killed() {
    let labs = Labs::new();
    labs.up("one");
    let mut child = labs
        .command(&["exec", "rs1", "--", "sh", "-c", "echo ready; exec sleep 1000"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert_eq!(lines.next().unwrap().unwrap(), "ready");
    let processes = descendants(i32::try_from(child.id()).unwrap());
    child.kill().unwrap();
    child.wait().unwrap();
    until_gone(&processes);
    labs.labsim(&["exec", "rs1", "--", "true"]).exits(0);
}

#[test]
fn an_up_that_is_killed_leaves_a_lab_that_can_be_ended_or_none() {
    let labs = Labs::new();
    // Making a lab takes some tens of milliseconds: the moments cover all of it.
    for moment in (0..80).step_by(8) {
        let mut up = labs.command(&["up", "scenarios/tacacs-ipip.yaml"]);
        let mut up = up.stdout(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        up.kill().unwrap();
        up.wait().unwrap();
        labs.labsim(&["down", "--all"]).exits(0);
        assert_eq!(labs.folders(), [""; 0], "killed after {moment} ms");
    }
}

#[test]
fn labs_of_one_file_are_side_by_side_under_names_that_are_taken_once() {
    let labs = Labs::new();
    labs.up("a");
    labs.up("b");
    let again = labs.labsim(&["up", "scenarios/tacacs-ipip.yaml", "--name", "a"]).exits(2);
    again.says(
        "a lab `a` is up; `labsim down a` ends it, `labsim up --name NAME` makes another one",
    );
    let which = labs.labsim(&["exec", "rs1", "--", "true"]).exits(2);
    which.says("several labs are up; name one of them: a, b");
    let unknown = labs.labsim(&["status", "c"]).exits(2);
    unknown.says("no lab `c` is up; up: a, b");
    labs.up("rack-12");
    for command in [
        &["status", "rack-1"][..],
        &["check", "rack-1"],
        &["down", "rack-1"],
        &["exec", "rs1", "--name", "rack-1", "--", "true"],
        &["step", "--name", "rack-1"],
    ] {
        let unknown = labs.labsim(command).exits(2);
        unknown.says("no lab `rack-1` is up; did you mean `rack-12`? Up: a, b, rack-12");
    }
    labs.labsim(&["down", "rack-12"]).exits(0);
    labs.labsim(&["exec", "rs1", "--name", "a", "--", "sh", "-c", "echo $LABSIM_LAB"]).says("a\n");
    labs.labsim(&["down", "a"]).exits(0);
    labs.labsim(&["exec", "rs1", "--", "sh", "-c", "echo $LABSIM_LAB"]).exits(0).says("b\n");
    let processes = labs.processes("b");
    labs.labsim(&["down", "--all"]).exits(0).says("b is down");
    until_gone(&processes);
}

#[test]
fn what_cannot_be_built_leaves_nothing() {
    let labs = Labs::new();
    for name in ["a/b", "..", ""] {
        let option = format!("--name={name}");
        let refused = labs.labsim(&["up", "scenarios/tacacs-ipip.yaml", &option]).exits(2);
        refused.says("is no name of a lab");
    }
    labs.0.write("scenarios/bad.yaml", "steps: 3\n");
    labs.labsim(&["up", "scenarios/bad.yaml"]).exits(2);
    let program =
        "processes: {missing: {node: client, program: [no-such-program], ready: {exit: 0}}}\n";
    let file = labs.0.over("missing", "tacacs-ipip", program);
    let missing = labs.labsim(&["up", &file]);
    assert!(missing.code != Some(0) && !missing.stderr.is_empty(), "{missing:?}");
    assert_eq!(labs.folders(), [""; 0]);
}

#[test]
fn the_folder_of_labs_is_the_users_alone_and_no_link() {
    let labs = Labs::new();
    labs.up("one");
    for folder in ["runtime/labsim", "runtime/labsim/one"] {
        let mode = fs::metadata(labs.0.path(folder)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "{folder}");
    }
    labs.labsim(&["down"]).exits(0);
    let folder = labs.0.path("runtime/labsim");
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    let open = labs.labsim(&["up", "scenarios/tacacs-ipip.yaml"]).exits(2);
    open.says("it has to be this user's alone, mode 0700");
    fs::remove_dir(&folder).unwrap();
    fs::create_dir(labs.0.path("elsewhere")).unwrap();
    symlink(labs.0.path("elsewhere"), &folder).unwrap();
    labs.labsim(&["up", "scenarios/tacacs-ipip.yaml"]).exits(2).says("the folder of labs");
    labs.labsim(&["list"]).exits(2).says("the folder of labs");
    assert_eq!(fs::read_dir(labs.0.path("elsewhere")).unwrap().count(), 0);
}

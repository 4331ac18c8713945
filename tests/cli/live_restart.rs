//! Labs that are built again from what they were made of.

use crate::support::labs::{Labs, descendants, parent, until_gone};
use crate::support::{DEADLINE, Ended};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const VIP: &str = "172.16.4.99/32";

#[test]
fn a_lab_is_built_again_from_what_it_was_made_of_and_has_its_name() {
    let labs = Labs::new();
    labs.labsim(&["up", "scenarios/tacacs-ipip.yaml", "--name", "one", "--tunnel", "userspace"])
        .exits(0);
    labs.up("two");
    labs.labsim(&["exec", "rs1", "--name", "one", "--", "ip", "addr", "del", VIP, "dev", "lo"])
        .exits(0);
    // The file, and those that it extends, are gone, and something else is there.
    for folder in ["scenarios", "topologies"] {
        fs::remove_dir_all(labs.0.path(folder)).unwrap();
    }
    fs::create_dir(labs.0.path("scenarios")).unwrap();
    labs.0.write("scenarios/tacacs-ipip.yaml", "steps: 3\n");
    let (before, others) = (labs.processes("one"), labs.processes("two"));
    let again = labs.labsim(&["restart", "one"]).exits(0);
    again.says("one is up again: client, router, lb, rs1, rs2, rs3 in ");
    until_gone(&before);
    assert!(labs.processes("one").is_disjoint(&before));
    let status = labs.labsim(&["status", "one"]).exits(0);
    status.says("rs1\n  lo 172.16.4.99/32 (VIP)\n").says("scenarios/tacacs-ipip.yaml");
    status.says("tunnel: userspace");
    assert_eq!(labs.processes("two"), others, "another lab stays as it is");
    labs.labsim(&["check", "one"]).exits(0).says("PASS one: 8 of 8 ");
    // As often as wanted.
    labs.labsim(&["restart", "one"]).exits(0);
    labs.labsim(&["restart"]).exits(2).says("several labs are up; name one of them: one, two");
    labs.labsim(&["restart", "ones"]).exits(2).says("did you mean `one`?");
    let last = labs.processes("one");
    labs.labsim(&["down", "--all"]).exits(0);
    until_gone(&last);
    assert_eq!(labs.folders(), [""; 0]);
}

#[test]
fn a_lab_that_cannot_be_built_again_stays_up_as_it_was() {
    let labs = Labs::new();
    let tool = labs.0.write("tool", "#!/bin/sh\necho ready; exec sleep 1000\n");
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    let process = format!(
        "processes: {{tool: {{node: rs1, command: [{}], ready: {{line: ready}}}}}}\n",
        tool.display()
    );
    let file = labs.0.over("tool", "tacacs-ipip", &process);
    labs.labsim(&["up", &file]).exits(0);
    labs.labsim(&["exec", "rs2", "--", "ip", "addr", "del", VIP, "dev", "lo"]).exits(0);
    let before = labs.processes("tool");
    // One that ends at once is found after all nodes were made.
    fs::write(&tool, "#!/bin/sh\necho it is brok''en; exit 7\n").unwrap();
    let failed = labs.labsim(&["restart"]).exits(1);
    failed.says("the lab `tool` cannot be built again, and stays up as it was: ");
    failed.says("ended with exit code 7").says("it is broken");
    fs::remove_file(&tool).unwrap();
    let failed = labs.labsim(&["restart"]);
    assert!(matches!(failed.code, Some(1 | 3)), "{failed:?}");
    failed.says("the lab `tool` cannot be built again, and stays up as it was: ");
    assert_eq!(labs.processes("tool"), before);
    let status = labs.labsim(&["status"]).exits(0);
    status.says("rs2\n  eth0 10.1.1.52/24\n").says("process tool: running");
    labs.labsim(&["down"]).exits(0);
    assert_eq!(labs.folders(), [""; 0]);
}

#[test]
fn a_command_in_the_lab_ends_with_the_earlier_one() {
    let labs = Labs::new();
    labs.up("one");
    let mut command = labs.command(&["exec", "rs1", "--", "sleep", "1000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    // The command itself, under labsim.
    while descendants(child.id().cast_signed()).len() < 2 {
        assert!(began.elapsed() < DEADLINE);
    }
    labs.labsim(&["restart"]).exits(0);
    let ended = Ended::of(child.wait_with_output()).exits(128 + 9);
    ended.says("the lab `one` has ended");
}

/// Kills something some milliseconds after a restart has begun, and ends what is left then.
fn killed(labs: &Labs, moment: u64, kill: impl FnOnce(&mut Child)) {
    labs.labsim(&["down", "--all"]).exits(0);
    labs.up("one");
    let mut processes = labs.processes("one");
    let mut command = labs.command(&["restart"]);
    let mut restart = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    thread::sleep(Duration::from_millis(moment));
    processes.extend(descendants(restart.id().cast_signed()));
    kill(&mut restart);
    restart.wait().unwrap();
    // One that is being killed may not answer.
    let up = labs.labsim(&["list"]).stdout;
    assert!(up.is_empty() || (up.starts_with("one: ") && up.lines().count() == 1), "{up}");
    labs.labsim(&["down", "--all"]).exits(0);
    let began = Instant::now();
    // Also what was being built, and had no name yet.
    while processes.iter().any(|it| parent(*it).is_some()) || !labs.folders().is_empty() {
        assert!(began.elapsed() < DEADLINE, "after {moment} ms: {processes:?}");
        labs.labsim(&["down", "--all"]).exits(0);
    }
}

/// Building and ending take some tens of milliseconds: the moments cover all of it.
fn moments() -> impl Iterator<Item = u64> {
    (0..120).step_by(24)
}

#[test]
fn a_restart_that_is_killed_leaves_one_lab_or_none() {
    let labs = Labs::new();
    moments().for_each(|moment| killed(&labs, moment, |restart| restart.kill().unwrap()));
}

#[test]
fn a_holder_that_is_killed_during_a_restart_leaves_one_lab_or_none() {
    let labs = Labs::new();
    for moment in moments() {
        // The one whose lab is built, and what it has started; none, if the restart is done.
        killed(&labs, moment, |restart| {
            let own = restart.id().cast_signed();
            for process in descendants(own).into_iter().filter(|process| *process != own) {
                let _ = kill(Pid::from_raw(process), Signal::SIGKILL);
            }
        });
        // The one whose place it takes, or the one that has taken it.
        killed(&labs, moment, |_| {
            let socket = labs.0.path("runtime/labsim/one/socket");
            if let Ok(socket) = UnixStream::connect(socket) {
                let holder = getsockopt(&socket, sockopt::PeerCredentials).unwrap().pid();
                assert!(holder > 1, "no process's number");
                let _ = kill(Pid::from_raw(holder), Signal::SIGKILL);
            }
        });
    }
}

#[test]
fn of_several_restarts_at_once_one_lab_is_left() {
    let labs = Labs::new();
    labs.up("one");
    let restart = || {
        let mut command = labs.command(&["restart"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let several: Vec<_> = (0..3).map(|_| restart()).collect();
    let ended: Vec<_> = several.into_iter().map(|it| Ended::of(it.wait_with_output())).collect();
    assert!(ended.iter().any(|it| it.code == Some(0)), "{ended:?}");
    for refused in ended.into_iter().filter(|it| it.code != Some(0)) {
        // One that came when there was none, one that asked a lab at its end, and one whose name another
        // took.
        let known = ["no lab ", "does not answer", "cannot take its place: "];
        assert!(known.iter().any(|text| refused.stderr.contains(text)), "{refused:?}");
    }
    let list = labs.labsim(&["list"]).exits(0).stdout;
    assert!(list.starts_with("one: ") && list.lines().count() == 1, "{list}");
    labs.labsim(&["exec", "rs1", "--", "true"]).exits(0);
}

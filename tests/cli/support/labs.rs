//! Labs that stay up, and their processes.

use super::{DEADLINE, Desk, Ended};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Pid;
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Instant;

/// A desk with a folder of labs, all of which end with it.
pub(crate) struct Labs(pub(crate) Desk);

impl Labs {
    pub(crate) fn new() -> Self {
        let desk = Desk::new();
        fs::create_dir(desk.path("runtime")).unwrap();
        Self(desk)
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.0.command(args);
        command.env("XDG_RUNTIME_DIR", self.0.path("runtime"));
        command
    }

    pub(crate) fn labsim(&self, args: &[&str]) -> Ended {
        Ended::of(self.command(args).output())
    }

    pub(crate) fn up(&self, name: &str) {
        let up = self.labsim(&["up", "scenarios/tacacs-ipip.yaml", "--name", name]).exits(0);
        assert!(up.stdout.starts_with(&format!("{name} is up: client, router, lb, rs1")), "{up:?}");
    }

    /// What stands in the folder of labs; nothing if there is no such folder.
    pub(crate) fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.0.path("runtime/labsim")).into_iter().flatten();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    /// The process that holds a lab: it is the one that listens.
    pub(crate) fn holder(&self, name: &str) -> Pid {
        let socket = self.0.path("runtime/labsim").join(name).join("socket");
        let socket = UnixStream::connect(socket).unwrap();
        Pid::from_raw(getsockopt(&socket, sockopt::PeerCredentials).unwrap().pid())
    }

    /// All processes of a lab: the holder's parent, and what comes from it.
    pub(crate) fn processes(&self, name: &str) -> BTreeSet<i32> {
        descendants(parent(self.holder(name).as_raw()).unwrap())
    }
}

/// A process's parent; `None` once it has ended.
pub(crate) fn parent(process: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let value = |key| status.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
    // Whoever has to wait for it may not do so.
    value("PPid:").filter(|_| !value("State:").unwrap().starts_with('Z'))?.parse().ok()
}

/// A process and all that come from it.
pub(crate) fn descendants(of: i32) -> BTreeSet<i32> {
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let all: Vec<i32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
    let mut found = BTreeSet::from([of]);
    loop {
        let is_new = |it: &&i32| {
            !found.contains(*it) && parent(**it).is_some_and(|parent| found.contains(&parent))
        };
        let new: Vec<i32> = all.iter().filter(is_new).copied().collect();
        if new.is_empty() {
            return found;
        }
        found.extend(new);
    }
}

pub(crate) fn until_gone(processes: &BTreeSet<i32>) {
    assert!(processes.len() >= 2, "there are more: {processes:?}");
    let began = Instant::now();
    while let Some(left) = processes.iter().find(|it| parent(**it).is_some()) {
        assert!(began.elapsed() < DEADLINE, "process {left} is left");
        std::thread::yield_now();
    }
}

impl Drop for Labs {
    fn drop(&mut self) {
        let _ = self.command(&["down", "--all"]).output();
    }
}

//! Processes in a lab that is up.

use crate::client::{Lab, Namespaces};
use crate::error::LiveError;
use crate::folder::HOSTS;
use crate::shell;
use labsim_sys::enter::{self, NodeView, View};
use labsim_sys::named_netns;
use labsim_sys::pidfd::PidFd;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::sys::termios::{SetArg, tcgetattr, tcsetattr};
use nix::unistd::{Pid, getpgrp, tcgetpgrp, tcsetpgrp};
use std::ffi::{CString, OsString};
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus};

/// Signals that are passed on.
const PASSED: [Signal; 6] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGUSR1,
    Signal::SIGUSR2,
];
/// `SI_USER` (sigaction(2)): somebody called kill(2). A terminal's signals reach the whole group, the
/// process in the node as well.
const BY_A_PROCESS: i32 = 0;

/// What is started in a lab.
#[derive(Debug)]
pub enum Entry {
    /// A program and its arguments, in a node.
    Command {
        /// The node.
        node: String,
        /// The program and its arguments.
        command: Vec<OsString>,
    },
    /// An interactive shell, in a node.
    Shell {
        /// The node.
        node: String,
    },
    /// An interactive shell in the network that this process is in, where ip-netns(8) finds the nodes,
    /// and no other network namespaces.
    Control,
}

impl Entry {
    fn node(&self) -> Option<&str> {
        match self {
            Self::Command { node, .. } | Self::Shell { node } => Some(node),
            Self::Control => None,
        }
    }

    /// The program, for a sentence.
    fn program(&self) -> String {
        match self {
            Self::Command { command, .. } => {
                let program = command.first().map(|it| it.to_string_lossy()).unwrap_or_default();
                format!("`{}`", program.escape_debug())
            }
            Self::Shell { .. } | Self::Control => "the shell".to_owned(),
        }
    }
}

/// How what was started has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code, or 128 and the number of the signal that ended it, as in a shell.
    pub code: u8,
    /// Whether it ended with the lab.
    pub with_lab: bool,
}

/// Starts a process in a lab, with this process's standard streams, and waits for its end. Signals that
/// this process is sent are passed on to it. It ends with this process, and with the lab.
///
/// This process needs a single thread, and may not be used for anything else afterwards.
///
/// # Errors
/// The holder refuses or does not answer, a namespace cannot be entered, or the program cannot be
/// started.
pub fn enter(lab: &Lab, entry: &Entry) -> Result<Ended, LiveError> {
    let holder = lab.holder();
    let node = entry.node();
    let mut command = match entry {
        Entry::Command { command, .. } => {
            let mut words = command.iter();
            let mut command =
                Command::new(words.next().map(OsString::as_os_str).unwrap_or_default());
            command.args(words);
            command
        }
        Entry::Shell { .. } | Entry::Control => shell::interactive(lab, node),
    };
    command.env("LABSIM_LAB", lab.name().as_str()).env("PATH", shell::path());
    let node = if let Some(node) = node {
        command.env("LABSIM_NODE", node);
        let Namespaces { network, pids, user } = lab.namespaces(node)?;
        join(user, &pids).map_err(LiveError::Enter)?;
        Some(NodeView { network, host_name: node.into() })
    } else {
        command.env_remove("LABSIM_NODE");
        show_nodes(lab)?;
        None
    };
    let hosts = CString::new(lab.file(HOSTS).as_os_str().as_bytes());
    let hosts = hosts.map_err(|error| LiveError::Enter(error.into()))?;
    let own_group = !matches!(entry, Entry::Command { .. });
    let view = View { node, hosts, own_group };
    enter::enter(&mut command, view).map_err(LiveError::Enter)?;
    let status = run(command).map_err(|source| LiveError::Start {
        program: entry.program(),
        place: entry.node().unwrap_or("the lab").to_owned(),
        source,
    })?;
    let is_killed = status.signal() == Some(Signal::SIGKILL as i32);
    // The holder ends before what it holds.
    let has_ended = |holder: PidFd| holder.has_ended_within(0).unwrap_or(false);
    Ok(Ended { code: code(status), with_lab: is_killed && holder.is_some_and(has_ended) })
}

/// The user namespace first: it has the rights for all others.
fn join(user: Option<OwnedFd>, pids: &OwnedFd) -> io::Result<()> {
    if let Some(user) = user {
        enter::join_user(user.as_fd())?;
    }
    enter::join_pid(pids.as_fd())
}

/// Has ip-netns(8) find the nodes.
fn show_nodes(lab: &Lab) -> Result<(), LiveError> {
    let mut networks = Vec::new();
    let mut others = None;
    for node in lab.status()?.nodes {
        let Namespaces { network, pids, user } = lab.namespaces(&node.name)?;
        networks.push((node.name, network));
        others = Some((user, pids));
    }
    // Every lab has nodes.
    if let Some((user, pids)) = others {
        join(user, &pids).map_err(LiveError::Enter)?;
    }
    named_netns::show(&networks).map_err(LiveError::Enter)
}

/// Starts it and waits for its end.
fn run(mut command: Command) -> io::Result<ExitStatus> {
    let mut mask: SigSet = PASSED.into_iter().chain([Signal::SIGCHLD]).collect();
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC)?;
    // It stays pending: a shell that has taken the terminal leaves this process in its background.
    mask.add(Signal::SIGTTOU);
    mask.thread_block()?;
    let stdin = io::stdin();
    let terminal = tcgetpgrp(&stdin).is_ok_and(|group| group == getpgrp());
    let settings = tcgetattr(&stdin);
    let mut child = labsim_sys::fork_exec::spawn(&mut command)?;
    // It holds the node's namespace, and this process is not to.
    drop(command);
    let status = wait(&mut child, &signals)?;
    if terminal {
        let _ = tcsetpgrp(&stdin, getpgrp());
        // A shell that is killed leaves it without echo.
        if let (Ok(settings), Some(_)) = (settings, status.signal()) {
            let _ = tcsetattr(&stdin, SetArg::TCSADRAIN, &settings);
        }
    }
    Ok(status)
}

fn wait(child: &mut Child, signals: &SignalFd) -> io::Result<ExitStatus> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status);
        }
        let Some(signal) = signals.read_signal()? else { continue };
        let number = Signal::try_from(signal.ssi_signo.cast_signed());
        if let Ok(number) = number
            && number != Signal::SIGCHLD
            && signal.ssi_code == BY_A_PROCESS
        {
            // The child was not waited for, so its number is still its own.
            let _ = kill(Pid::from_raw(child.id().cast_signed()), number);
        }
    }
}

fn code(status: ExitStatus) -> u8 {
    let signal = status.signal().map(|signal| 128 + signal);
    let code = status.code().or(signal).unwrap_or(255);
    u8::try_from(code).unwrap_or(255)
}

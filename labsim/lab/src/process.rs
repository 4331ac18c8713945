//! Child processes in nodes: they start in the node's namespace and end with the lab.

mod sandbox;

pub use labsim_sys::child::{Isolation, Refused as RefusedIsolation};
pub use sandbox::Sandboxed;

use crate::lab::Node;
use labsim_sys::child::{die_with_parent, inherit};
use labsim_sys::fork_exec;
use labsim_sys::pidfd::PidFd;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{self, Write};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{self, Command};
use std::sync::{Arc, Mutex, PoisonError};

/// How long a killed child may take to be gone.
const DEATH_MILLISECONDS: u16 = 1000;

impl Node {
    /// Starts `command` inside the node.
    ///
    /// The child and its group are killed when the handle or the lab is dropped, and the child by
    /// the kernel when labsim dies in whatever
    /// way (PR_SET_PDEATHSIG(2const)). It has its own process group, so that a terminal's Ctrl-C
    /// reaches labsim alone, which ends it cleanly. Of labsim's descriptors it inherits the
    /// standard ones and those of [`inherit_text`].
    ///
    /// # Errors
    /// Those of [`Command::spawn`].
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        bind_to_labsim(command);
        self.start(command)
    }

    fn start(&self, command: &mut Command) -> io::Result<Child> {
        // The death signal follows the thread that starts the child: the worker thread lives as
        // long as the lab.
        let process = self.run(|| fork_exec::spawn(command))??;
        let tracked = self.children().track(&process)?;
        Ok(Child { process, tracked, folder: None, refused: Vec::new() })
    }
}

/// A process group of its own, and an end with labsim's.
fn bind_to_labsim(command: &mut Command) {
    command.process_group(0);
    die_with_parent(command);
}

/// Hands `text` to a child without a file: returns the path under which the child, and only it,
/// can read it.
///
/// # Errors
/// The memory file cannot be made.
pub fn inherit_text(command: &mut Command, text: &str) -> io::Result<PathBuf> {
    let memory = memfd_create(c"labsim", MFdFlags::MFD_CLOEXEC)?;
    File::from(memory.try_clone()?).write_all(text.as_bytes())?;
    let path = PathBuf::from(format!("/proc/self/fd/{}", memory.as_raw_fd()));
    inherit(command, memory);
    Ok(path)
}

/// A process in a node. Dropping it kills the process and its group, and reaps it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    tracked: Arc<Tracked>,
    /// Removed after the process.
    folder: Option<sandbox::TemporaryFolder>,
    refused: Vec<RefusedIsolation>,
}

impl Child {
    /// The isolations that [`Node::spawn_sandboxed`] asked for and the kernel refused. Without
    /// [`Isolation::PrivateFolder`] the process's files lie in a folder of mode 0700 among the
    /// host's temporary files; without [`Isolation::PidNamespace`] its children that left its
    /// process group outlive it; without [`Isolation::OwnProc`] it sees the host's processes.
    #[must_use]
    pub fn refused_isolation(&self) -> &[RefusedIsolation] {
        &self.refused
    }
}

impl Deref for Child {
    type Target = process::Child;

    fn deref(&self) -> &process::Child {
        &self.process
    }
}

impl DerefMut for Child {
    fn deref_mut(&mut self) -> &mut process::Child {
        &mut self.process
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.tracked.kill();
        self.tracked.reap();
    }
}

/// The children of a lab.
#[derive(Debug, Default)]
pub(crate) struct Children(Mutex<Vec<Arc<Tracked>>>);

/// A child by descriptor: its number may be another process's by the time it is used.
#[derive(Debug)]
struct Tracked {
    pid: Pid,
    descriptor: PidFd,
}

impl Children {
    fn track(&self, child: &process::Child) -> io::Result<Arc<Tracked>> {
        let pid = Pid::from_raw(child.id().cast_signed());
        let descriptor = PidFd::open(child.id())?;
        let tracked = Arc::new(Tracked { pid, descriptor });
        let mut children = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.is_unreaped());
        children.push(Arc::clone(&tracked));
        Ok(tracked)
    }

    /// Kills and reaps the remaining children.
    pub(crate) fn kill(&self) {
        let children = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        // All at once first: a process may take a while to be gone.
        children.iter().for_each(|child| child.kill());
        children.iter().for_each(|child| child.reap());
    }
}

impl Tracked {
    fn kill(&self) {
        if self.is_unreaped() {
            // The leader was not waited for, so the group's number is still its own.
            let _ = killpg(self.pid, Signal::SIGKILL);
            let _ = self.descriptor.signal(Signal::SIGKILL as i32);
        }
    }

    fn reap(&self) {
        if !self.is_unreaped() {
            return;
        }
        let mut ended = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ended, PollTimeout::from(DEATH_MILLISECONDS)).is_ok_and(|count| count > 0) {
            // Another thread may have waited for it meanwhile: nothing is left to reap then.
            let _ = waitid(Id::PIDFd(self.descriptor.as_fd()), WaitPidFlag::WEXITED);
        }
    }

    fn is_unreaped(&self) -> bool {
        self.descriptor.signal(0).is_ok()
    }
}

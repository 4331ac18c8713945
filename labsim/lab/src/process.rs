//! Child processes in nodes: they start in the node's namespace and end with the lab.

mod private;

pub use private::Private;

use crate::lab::Node;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, getpid, getppid};
use std::fs::File;
use std::io::{self, Write};
use std::ops::{Deref, DerefMut};
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
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
    /// reaches labsim alone, which ends it in good order. Of labsim's descriptors it inherits the
    /// standard ones and those of [`inherit_text`].
    ///
    /// # Errors
    /// Those of [`Command::spawn`].
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
        bind_to_labsim(command);
        self.start(command)
    }

    fn start(&self, command: &mut Command) -> io::Result<Child> {
        // The death signal follows the thread that starts the child: the entry thread lives as
        // long as the lab.
        let process = self.run(|| command.spawn())??;
        let tracked = self.children().track(&process)?;
        Ok(Child { process, tracked, folder: None })
    }
}

/// A process group of its own, and an end with labsim's.
fn bind_to_labsim(command: &mut Command) {
    let labsim = getpid();
    command.process_group(0);
    // SAFETY: between fork and exec the closure makes two system calls and touches no memory
    // of the parent's but the number that it captured.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // Labsim may have died before the line above: then nobody will send the signal.
            match getppid() == labsim {
                true => Ok(()),
                false => Err(Errno::ESRCH.into()),
            }
        })
    };
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
    // SAFETY: between fork and exec the closure makes one system call on a descriptor that it
    // owns. Only in the child does the descriptor survive the exec.
    unsafe {
        command.pre_exec(move || {
            fcntl(&memory, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        })
    };
    Ok(path)
}

/// A process in a node. Dropping it kills the process and its group, and reaps it.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    tracked: Arc<Tracked>,
    /// Removed after the process.
    folder: Option<private::Temporary>,
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
    descriptor: OwnedFd,
}

impl Children {
    fn track(&self, child: &process::Child) -> io::Result<Arc<Tracked>> {
        let pid = Pid::from_raw(child.id().cast_signed());
        // SAFETY: pidfd_open takes a number and flags; the child is not reaped yet, so it is its.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let descriptor = i32::try_from(Errno::result(descriptor)?).map_err(io::Error::other)?;
        // SAFETY: the call returned a new descriptor that nobody else owns.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let tracked = Arc::new(Tracked { pid, descriptor });
        let mut children = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(|child| child.is_unreaped());
        children.push(Arc::clone(&tracked));
        Ok(tracked)
    }

    /// Kills and reaps whoever is left.
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
            // Nobody has waited for the leader, so the group's number is still its own.
            let _ = killpg(self.pid, Signal::SIGKILL);
            self.signal(Signal::SIGKILL as i32);
        }
    }

    fn reap(&self) {
        if !self.is_unreaped() {
            return;
        }
        let mut ended = [PollFd::new(self.descriptor.as_fd(), PollFlags::POLLIN)];
        if poll(&mut ended, PollTimeout::from(DEATH_MILLISECONDS)).is_ok_and(|count| count > 0) {
            // Somebody may have waited for it meanwhile: nothing is left to reap then.
            let _ = waitid(Id::PIDFd(self.descriptor.as_fd()), WaitPidFlag::WEXITED);
        }
    }

    fn is_unreaped(&self) -> bool {
        self.signal(0)
    }

    fn signal(&self, signal: i32) -> bool {
        // SAFETY: takes a descriptor that is open, a number, no information and no flags.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.descriptor.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            ) == 0
        }
    }
}

//! Child processes in nodes: they start in the node's namespace and end with the lab.

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
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

/// How long a killed child may take to be gone.
const DEATH_MILLISECONDS: u16 = 1000;

impl Node {
    /// Starts `command` inside the node.
    ///
    /// The child is killed when the lab is dropped, and by the kernel when labsim dies in whatever
    /// way (PR_SET_PDEATHSIG(2const)). It has its own process group, so that a terminal's Ctrl-C
    /// reaches labsim alone, which ends it in good order. Of labsim's descriptors it inherits the
    /// standard ones and those of [`inherit_text`].
    ///
    /// The lab reaps what the caller has not waited for: wait for the child before the lab ends.
    ///
    /// # Errors
    /// Those of [`Command::spawn`].
    pub fn spawn(&self, command: &mut Command) -> io::Result<Child> {
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
        // The death signal follows the thread that starts the child: the entry thread lives as
        // long as the lab.
        let child = self.run(|| command.spawn())??;
        self.children().track(&child)?;
        Ok(child)
    }
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

/// The children of a lab, by descriptor: a number may be another process's by the time it is used.
#[derive(Debug, Default)]
pub(crate) struct Children(Mutex<Vec<Tracked>>);

#[derive(Debug)]
struct Tracked {
    pid: Pid,
    descriptor: OwnedFd,
}

impl Children {
    fn track(&self, child: &Child) -> io::Result<()> {
        let pid = Pid::from_raw(child.id().cast_signed());
        // SAFETY: pidfd_open takes a number and flags; the child is not reaped yet, so it is its.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.as_raw(), 0) };
        let descriptor = i32::try_from(Errno::result(descriptor)?).map_err(io::Error::other)?;
        // SAFETY: the call returned a new descriptor that nobody else owns.
        let descriptor = unsafe { OwnedFd::from_raw_fd(descriptor) };
        let mut children = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain(Tracked::is_unreaped);
        children.push(Tracked { pid, descriptor });
        Ok(())
    }

    /// Kills and reaps whoever is left.
    pub(crate) fn kill(&self) {
        let mut children = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for child in children.iter().filter(|child| child.is_unreaped()) {
            // Nobody has waited for the leader, so the group's number is still its own.
            let _ = killpg(child.pid, Signal::SIGKILL);
            child.signal(Signal::SIGKILL as i32);
        }
        for child in children.drain(..) {
            let mut ended = [PollFd::new(child.descriptor.as_fd(), PollFlags::POLLIN)];
            if poll(&mut ended, PollTimeout::from(DEATH_MILLISECONDS)).is_ok_and(|n| n > 0) {
                // The caller may have waited for it meanwhile: nothing is left to reap then.
                let _ = waitid(Id::PIDFd(child.descriptor.as_fd()), WaitPidFlag::WEXITED);
            }
        }
    }
}

impl Tracked {
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

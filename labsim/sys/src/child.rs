//! What a child process does between fork and exec (`CommandExt::pre_exec`): bound to its parent's
//! life, with inherited descriptors, and with the isolation that the kernel grants.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid, pipe2, read, write};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

/// Has the kernel kill the child when the thread that starts it ends, however it ends
/// (PR_SET_PDEATHSIG(2const)).
pub fn die_with_parent(command: &mut Command) {
    let parent = getpid();
    // SAFETY: between fork and exec the closure makes two system calls and touches no memory
    // of the parent's but the number that it captured.
    unsafe {
        command.pre_exec(move || {
            nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before the line above: then the signal is never sent.
            match getppid() == parent {
                true => Ok(()),
                false => Err(Errno::ESRCH.into()),
            }
        })
    };
}

/// Has the child inherit a descriptor under its number. In this process it stays close-on-exec, and
/// is closed with `command`.
pub fn inherit(command: &mut Command, descriptor: OwnedFd) {
    // SAFETY: between fork and exec the closure makes one system call on a descriptor that it
    // owns. Only in the child does the descriptor survive the exec.
    unsafe {
        command.pre_exec(move || {
            fcntl(&descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
            Ok(())
        })
    };
}

/// An isolation that a child process can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isolation {
    /// A PID namespace of its own (pid_namespaces(7)): whatever the child starts ends with it.
    PidNamespace,
    /// A folder on a tmpfs in a mount namespace of its own (mount_namespaces(7)).
    PrivateFolder,
    /// A `/proc` that shows the processes of its own PID namespace alone.
    OwnProc,
}

impl Isolation {
    const ALL: [Self; 3] = [Self::PidNamespace, Self::PrivateFolder, Self::OwnProc];
}

impl fmt::Display for Isolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PidNamespace => "PID namespace",
            Self::PrivateFolder => "private folder",
            Self::OwnProc => "own /proc",
        })
    }
}

/// An isolation that the kernel refused to a child process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Which.
    pub isolation: Isolation,
    /// The kernel's error.
    pub errno: Errno,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.isolation, self.errno.desc())
    }
}

/// The child's end of a channel for refused isolations: what happens between fork and exec can be
/// reported in no other way while the child goes on.
#[derive(Debug, Clone)]
pub struct Refusals(Arc<OwnedFd>);

/// The parent's end.
#[derive(Debug)]
pub struct RefusalReader(OwnedFd);

/// Opens the channel.
///
/// # Errors
/// Without a free descriptor.
pub fn refusals() -> io::Result<(Refusals, RefusalReader)> {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC | OFlag::O_NONBLOCK)?;
    Ok((Refusals(Arc::new(writer)), RefusalReader(reader)))
}

/// A refusal's bytes: the isolation, and the error.
const RECORD: usize = 5;

impl Refusals {
    /// Records a refusal. Allocates nothing, so that it may be called between fork and exec.
    pub(crate) fn record(&self, isolation: Isolation, errno: Errno) {
        let mut record = [isolation as u8, 0, 0, 0, 0];
        record[1..].copy_from_slice(&(errno as i32).to_ne_bytes());
        // Whole or not at all, as it is shorter than PIPE_BUF (pipe(7)); the pipe holds thousands.
        let _ = write(&self.0, &record);
    }
}

impl RefusalReader {
    /// The refusals that were recorded up to now. Never waits. When [`Command::spawn`] has
    /// returned, the child has recorded all.
    #[must_use]
    pub fn read(&self) -> Vec<Refused> {
        let mut refused = Vec::new();
        let mut record = [0; RECORD];
        while let Ok(RECORD) = read(&self.0, &mut record) {
            let [isolation, errno @ ..] = record;
            let of_number = |it: &Isolation| *it as u8 == isolation;
            if let Some(isolation) = Isolation::ALL.into_iter().find(of_number) {
                let errno = Errno::from_raw(i32::from_ne_bytes(errno));
                refused.push(Refused { isolation, errno });
            }
        }
        refused
    }
}

#[cfg(test)]
mod tests {
    use super::{Isolation, Refused, refusals};
    use nix::errno::Errno;

    #[test]
    fn every_refusal_arrives_with_its_error_and_none_is_waited_for() {
        let (refusals, reader) = refusals().unwrap();
        assert_eq!(reader.read(), []);
        let all = Isolation::ALL.map(|isolation| Refused { isolation, errno: Errno::EPERM });
        for refused in all {
            refusals.clone().record(refused.isolation, refused.errno);
        }
        assert_eq!(reader.read(), all);
        drop(refusals);
        assert_eq!(reader.read(), []);
        assert_eq!(all[0].to_string(), "PID namespace: Operation not permitted");
    }
}

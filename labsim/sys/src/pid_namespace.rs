//! A PID namespace for a child process: whatever it starts, and however that hides, dies with it.
//!
//! The child stays as the supervisor; its child is the namespace's first process, and the program
//! is that one's child. The first process's end is the end of all others (pid_namespaces(7)); it
//! ends with the program, and with the supervisor, which ends with this process.
//!
//! [`detach`] is for what goes on after this process, and still ends as a whole.

use crate::child::{Isolation, Refusals};
use crate::close::{close_all, close_before_exec};
use crate::fork::{exit_after, require_single_thread};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, dup2_stderr, dup2_stdin, dup2_stdout, fork, pipe, setsid};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the program run in a PID namespace of its own. Where the kernel refuses one, the program
/// runs without, and `refusals` tells ([`Isolation::PidNamespace`]).
///
/// The exit code is the program's; a signal's number counts from 128 on, as in a shell.
pub fn supervise(command: &mut Command, refusals: Refusals) {
    // SAFETY: between fork and exec the closure makes system calls only. Of the processes that
    // come out of it, one returns and becomes the program; the others never leave it.
    unsafe { command.pre_exec(move || Ok(enter(&refusals)?)) };
}

/// Returns in the program's process.
fn enter(refusals: &Refusals) -> nix::Result<()> {
    if let Err(errno) = unshare(CloneFlags::CLONE_NEWPID) {
        refusals.record(Isolation::PidNamespace, errno);
        return Ok(());
    }
    let (end_seen, end_shown) = pipe()?;
    // SAFETY: the process has one thread, and its children make system calls only.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => {
            // Its pipes are the program's; the one end that it holds says that it lives.
            wait_for(child, Some(end_shown.as_raw_fd()))
        }
        ForkResult::Child => {
            drop(end_shown);
            follow_supervisor(end_seen)?;
            // SAFETY: as above.
            match unsafe { fork() }? {
                ForkResult::Parent { child } => wait_for(child, None),
                ForkResult::Child => Ok(()),
            }
        }
    }
}

/// Runs `work` in a process that goes on after this one: in a session of its own, without this
/// process's standard streams, as the one child of the first process of a new PID namespace
/// (pid_namespaces(7)). The end of either is the end of every process in the namespace. Returns at
/// once; children that this process starts afterwards would be in the namespace, too.
///
/// # Errors
/// This process has several threads, or the kernel refuses the namespace (`EPERM` without
/// CAP_SYS_ADMIN, `ENOSPC` where `user.max_pid_namespaces` is used up) or a process.
pub fn detach(work: impl FnOnce()) -> io::Result<()> {
    require_single_thread()?;
    let null = File::options().read(true).write(true).open("/dev/null")?;
    unshare(CloneFlags::CLONE_NEWPID)?;
    // SAFETY: the process has one thread, so no lock is held by another; the children leave by
    // _exit.
    if let ForkResult::Child = unsafe { fork() }? {
        exit_after(|| {
            // The first process leads no group, so this cannot be refused.
            let _ = setsid();
            // SAFETY: as above.
            match unsafe { fork() } {
                Ok(ForkResult::Parent { child }) => wait_for(child, None),
                Ok(ForkResult::Child) => {
                    let silent = dup2_stdin(&null)
                        .and_then(|()| dup2_stdout(&null))
                        .and_then(|()| dup2_stderr(&null));
                    drop(null);
                    if silent.is_ok() {
                        work();
                    }
                }
                Err(_) => {}
            }
        });
    }
    Ok(())
}

/// Ends with the supervisor, even if that one has ended already. Its number is not visible in here.
pub(crate) fn follow_supervisor(end_seen: OwnedFd) -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut supervisor = [PollFd::new(end_seen.as_fd(), PollFlags::empty())];
    match poll(&mut supervisor, PollTimeout::ZERO)? {
        0 => Ok(()),
        _ => Err(Errno::ESRCH),
    }
}

/// Reaps whatever ends, and ends as `child` did. Only a SIGKILL ends it before.
fn wait_for(child: Pid, but: Option<RawFd>) -> ! {
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None);
    close_before_exec();
    close_all(but);
    let code = loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => break code,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => break 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break 255,
        }
    };
    // SAFETY: ends the process at once, without running the exit handlers of the parent.
    unsafe { libc::_exit(code) }
}

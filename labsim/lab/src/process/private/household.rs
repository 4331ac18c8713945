//! A PID namespace for a process: whatever it starts, and however that hides, dies with it.
//!
//! labsim's child stays as the keeper; its child is the namespace's first process, and the program
//! is that one's child. The first process's end is the end of all others (pid_namespaces(7)); it
//! ends with the program, and with the keeper, which ends with labsim.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, unshare};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork, pipe};
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;

/// Has the program run in a PID namespace of its own, if the kernel allows one.
///
/// The exit code is the program's; a signal's number counts from 128 on, as in a shell.
pub(super) fn keep(command: &mut Command) {
    // SAFETY: between fork and exec the closure makes system calls only. Of the processes that
    // come out of it, one returns and becomes the program; the others never leave it.
    unsafe { command.pre_exec(|| Ok(enter()?)) };
}

/// Returns in the program's process.
fn enter() -> nix::Result<()> {
    if unshare(CloneFlags::CLONE_NEWPID).is_err() {
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
            follow_keeper(end_seen)?;
            // SAFETY: as above.
            match unsafe { fork() }? {
                ForkResult::Parent { child } => wait_for(child, None),
                ForkResult::Child => Ok(()),
            }
        }
    }
}

/// Ends with the keeper, even if that one is gone already. Its number is not to be seen from here.
fn follow_keeper(end_seen: OwnedFd) -> nix::Result<()> {
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
    let mut keeper = [PollFd::new(end_seen.as_fd(), PollFlags::empty())];
    match poll(&mut keeper, PollTimeout::ZERO)? {
        0 => Ok(()),
        _ => Err(Errno::ESRCH),
    }
}

/// Reaps whatever ends, and ends as `child` did. Only a SIGKILL ends it before.
fn wait_for(child: Pid, but: Option<RawFd>) -> ! {
    let _ = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::all()), None);
    close_all(but);
    let code = loop {
        match waitpid(None, None) {
            Ok(WaitStatus::Exited(pid, code)) if pid == child => break code,
            Ok(WaitStatus::Signaled(pid, signal, _)) if pid == child => break 128 + signal as i32,
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => break 255,
        }
    };
    // SAFETY: ends the process at once, without running the exit handlers of labsim.
    unsafe { libc::_exit(code) }
}

/// Closes every descriptor but one: pipes end with the program.
fn close_all(but: Option<RawFd>) {
    let last = libc::c_uint::MAX;
    let but = but.map_or(last, RawFd::cast_unsigned);
    for (from, to) in [(0, but.saturating_sub(1)), (but.saturating_add(1), last)] {
        if from > to {
            continue;
        }
        // SAFETY: takes numbers only. The process uses no other descriptor from here on.
        let closed = unsafe { libc::syscall(libc::SYS_close_range, from, to, 0) };
        if closed != 0 {
            for descriptor in from..to.min(1 << 16) {
                // SAFETY: as above; kernels before 5.9 have no close_range(2).
                unsafe { libc::close(descriptor.cast_signed()) };
            }
        }
    }
}

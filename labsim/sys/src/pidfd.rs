//! Processes by descriptor (pidfd_open(2)): a process's number may be another's by the time it is
//! used.

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// A process. Its descriptor polls readable once it has ended.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// Opens the process with that number (Linux 5.3). Of a child that was not waited for, the
    /// number is still its own.
    ///
    /// # Errors
    /// `ESRCH` if there is no such process.
    pub fn open(pid: u32) -> io::Result<Self> {
        // SAFETY: pidfd_open takes a number and flags.
        let descriptor = unsafe { libc::syscall(libc::SYS_pidfd_open, pid.cast_signed(), 0) };
        let descriptor = i32::try_from(Errno::result(descriptor)?).map_err(io::Error::other)?;
        // SAFETY: the call returned a new descriptor without another owner.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Sends a signal to the process (pidfd_send_signal(2)); signal 0 only tests whether it is
    /// still to be waited for.
    ///
    /// # Errors
    /// `ESRCH` once it has ended and was waited for.
    pub fn signal(&self, signal: i32) -> Result<(), Errno> {
        // SAFETY: takes a descriptor that is open, a number, no information and no flags.
        Errno::result(unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                signal,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            )
        })
        .map(drop)
    }

    /// Waits for its end. Returns whether it has ended.
    ///
    /// # Errors
    /// Those of poll(2).
    pub fn has_ended_within(&self, milliseconds: u16) -> Result<bool, Errno> {
        let mut ended = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        Ok(poll(&mut ended, PollTimeout::from(milliseconds))? > 0)
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

//! Child processes without an exec (fork(2)), for work that must not happen in this process.

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, Pid, fork, pipe};
use std::fs::File;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `work` in a child process, and returns the bytes that it returned there. Nothing else of
/// what it does reaches this process.
///
/// # Errors
/// This process has several threads, of which one might hold a lock that the child would wait for;
/// the kernel creates no process; or `work` panicked.
pub fn run_in_child<const LENGTH: usize>(
    work: impl FnOnce() -> [u8; LENGTH],
) -> io::Result<[u8; LENGTH]> {
    require_single_thread()?;
    let (reader, writer) = pipe()?;
    // SAFETY: the process has one thread, so no lock is held by another; the child leaves by _exit.
    match unsafe { fork() }? {
        ForkResult::Child => exit_after(|| {
            drop(reader);
            let answer = work();
            let _ = File::from(writer).write_all(&answer);
        }),
        ForkResult::Parent { child } => {
            drop(writer);
            let mut answer = [0; LENGTH];
            let read = File::from(reader).read_exact(&mut answer);
            waitpid(child, None)?;
            read.map(|()| answer)
        }
    }
}

/// A child process that waits, and does its work on request: from the namespaces and with
/// the rights that this process had when it was started. Dropping it ends and reaps it.
#[derive(Debug)]
pub struct Helper {
    child: Pid,
    go: Option<File>,
}

impl Helper {
    /// Starts it. `work` runs only after [`Self::run`].
    ///
    /// # Errors
    /// This process has several threads, or the kernel creates no process.
    pub fn start(work: impl FnOnce()) -> io::Result<Self> {
        require_single_thread()?;
        let (reader, writer) = pipe()?;
        // SAFETY: as in `run_in_child`.
        match unsafe { fork() }? {
            ForkResult::Child => exit_after(|| {
                drop(writer);
                // The pipe's end without a byte is the end, or the failure, of the parent.
                if File::from(reader).read_exact(&mut [0]).is_ok() {
                    work();
                }
            }),
            ForkResult::Parent { child } => {
                drop(reader);
                Ok(Self { child, go: Some(File::from(writer)) })
            }
        }
    }

    /// Has it do its work, and waits for its end.
    ///
    /// # Errors
    /// It has ended before.
    pub fn run(mut self) -> io::Result<()> {
        self.go.take().map_or(Ok(()), |mut go| go.write_all(&[1]))
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.go.take());
        // The child is waited for here only.
        let _ = waitpid(self.child, None);
    }
}

/// Ends the child at once after `work`, without this program's exit handlers or destructors, also
/// where it panics.
pub(crate) fn exit_after(work: impl FnOnce()) -> ! {
    let code = i32::from(catch_unwind(AssertUnwindSafe(work)).is_err());
    // SAFETY: ends the process; nothing of it runs afterwards.
    unsafe { libc::_exit(code) }
}

pub(crate) fn require_single_thread() -> io::Result<()> {
    match std::fs::read_dir("/proc/self/task")?.count() {
        1 => Ok(()),
        threads => Err(io::Error::other(format!(
            "the process has {threads} threads, and only one with a single thread can fork"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::{Helper, run_in_child};

    #[test]
    fn a_process_with_several_threads_is_not_forked() {
        // The test harness has at least its own thread beside this one.
        let error = run_in_child(|| [0; 1]).unwrap_err().to_string();
        assert!(error.contains("threads"), "{error}");
        assert!(Helper::start(|| ()).is_err());
    }
}

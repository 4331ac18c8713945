//! Child processes, and the time in which they hold copies of this process's descriptors.
//!
//! fork(2) copies every descriptor, and only execve(2) closes the copies that are close-on-exec. What
//! another thread closes in between stays open until then: a port still accepts connections, and a
//! connection is neither ended nor reset.

use std::collections::BTreeSet;
use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Children between fork(2) and execve(2), by the order of their start.
struct Starting {
    next: u64,
    numbers: BTreeSet<u64>,
}

static STARTING: Mutex<Starting> = Mutex::new(Starting { next: 0, numbers: BTreeSet::new() });

fn starting() -> MutexGuard<'static, Starting> {
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a child process. Returns once it has closed its copies, or once its execve(2) has failed.
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    // With a closure, std forks and waits for the end of a pipe that execve(2) closes. The kernel ends
    // it after the other copies are closed (do_close_on_exec in fs/file.c; the last reference of a
    // pipe goes when the call returns). Without one, std calls posix_spawn(3), which returns before.
    // SAFETY: the closure does nothing.
    unsafe { command.pre_exec(|| Ok(())) };
    let number = {
        let mut starting = starting();
        starting.next += 1;
        let number = starting.next;
        starting.numbers.insert(number);
        number
    };
    let child = command.spawn();
    starting().numbers.remove(&number);
    child
}

/// A point in time, to wait until nothing that was closed before it is open in a child process that
/// [`spawn`] starts.
#[derive(Debug, Clone, Copy)]
pub struct ClosedBefore(u64);

impl ClosedBefore {
    /// This moment.
    #[must_use]
    pub fn now() -> Self {
        Self(starting().next)
    }

    /// Whether every child that was started before has closed its copies.
    #[must_use]
    pub fn holds(self) -> bool {
        starting().numbers.first().is_none_or(|first| *first > self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{read, write};
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    const DEADLINE: Duration = Duration::from_secs(20);

    /// Waits for what comes about by itself.
    fn wait_for(what: &str, mut is_there: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !is_there() {
            assert!(Instant::now() < deadline, "not in time: {what}");
            std::thread::yield_now();
        }
    }

    #[test]
    fn a_closed_connection_is_open_until_a_child_that_started_before_has_begun() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        // The child says that it is there, and stays before its execve(2) until a byte comes.
        let (mut control, held) = UnixStream::pair().unwrap();
        control.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut command = Command::new("true");
        let hold = move || {
            write(&held, &[0])?;
            Ok(read(&held, &mut [0]).map(drop)?)
        };
        // SAFETY: the closure makes two system calls on a descriptor that it owns.
        unsafe { command.pre_exec(hold) };
        std::thread::scope(|scope| {
            let child = scope.spawn(|| spawn(&mut command).and_then(|mut child| child.wait()));
            control.read_exact(&mut [0]).unwrap();
            drop(client);
            let closed = ClosedBefore::now();
            let end = server.read(&mut [0]).map_err(|error| error.kind());
            let holds = closed.holds();
            control.write_all(&[0]).unwrap();
            assert_eq!(end, Err(ErrorKind::WouldBlock), "no child holds a copy");
            assert!(!holds);
            child.join().unwrap().unwrap();
            wait_for("its end", || closed.holds());
            wait_for("the connection's end", || matches!(server.read(&mut [0]), Ok(0)));
        });
    }
}

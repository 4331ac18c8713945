//! Child processes, and the time in which they hold copies of this process's descriptors.
//!
//! fork(2) copies every descriptor, and only execve(2) closes the copies that are close-on-exec. What
//! another thread closes in between stays open until then: a port still accepts connections, and a
//! connection is neither ended nor reset.

use crate::close::close_before_exec;
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

/// Starts a child process. Returns once it has closed its copies of whatever is close-on-exec, pipes and
/// Unix sockets perhaps excepted, or once its execve(2) has failed.
///
/// # Errors
/// Those of [`Command::spawn`].
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    // With a closure, std forks and waits for the end of a socket that execve(2) closes. Without one, it
    // calls posix_spawn(3), which returns before.
    // SAFETY: the closure makes system calls only, and is the last.
    unsafe {
        command.pre_exec(|| {
            close_before_exec();
            Ok(())
        })
    };
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
    use nix::sys::socket::{setsockopt, sockopt};
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

    /// A command whose child says that it is there, and stays before its execve(2) until a byte comes.
    fn held_command() -> (Command, UnixStream) {
        let (control, held) = UnixStream::pair().unwrap();
        control.set_read_timeout(Some(DEADLINE)).unwrap();
        let mut command = Command::new("true");
        let hold = move || {
            write(&held, &[0])?;
            Ok(read(&held, &mut [0]).map(drop)?)
        };
        // SAFETY: the closure makes two system calls on a descriptor that it owns.
        unsafe { command.pre_exec(hold) };
        (command, control)
    }

    #[test]
    fn a_closed_connection_is_open_until_a_child_that_started_before_has_begun() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        let (mut command, mut control) = held_command();
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

    #[test]
    fn a_program_that_does_not_exist_is_an_error() {
        let error = spawn(&mut Command::new("/no-such-program-of-this-host")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
    }

    /// A pair of connected sockets of which the first takes a second to be closed: what it sent is not
    /// read, and it lingers (socket(7)).
    fn slow_to_close() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut slow = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (peer, _) = listener.accept().unwrap();
        let linger = libc::linger { l_onoff: 1, l_linger: 1 };
        setsockopt(&slow, sockopt::Linger, &linger).unwrap();
        slow.set_nonblocking(true).unwrap();
        while slow.write(&[0; 4096]).is_ok() {}
        (slow, peer)
    }

    #[test]
    fn a_port_is_closed_once_no_child_holds_it_even_if_another_socket_is_slow_to_close() {
        // The kernel closes in the reverse order of the numbers, as far as exec leaves it to itself.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (slow, _peer) = slow_to_close();
        let (mut command, mut control) = held_command();
        std::thread::scope(|scope| {
            let child = scope.spawn(|| spawn(&mut command).and_then(|mut child| child.wait()));
            control.read_exact(&mut [0]).unwrap();
            drop((listener, slow));
            assert!(TcpStream::connect(address).is_ok(), "no child holds a copy");
            let closed = ClosedBefore::now();
            control.write_all(&[0]).unwrap();
            wait_for("no copy", || closed.holds());
            let refused = TcpStream::connect(address).map_err(|error| error.kind());
            assert_eq!(refused.map(drop), Err(ErrorKind::ConnectionRefused));
            child.join().unwrap().unwrap();
        });
    }
}

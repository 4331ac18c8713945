//! Commands to a running forwarder, from other threads of its process.
//!
//! The forwarder executes them between two rounds of packets, without a lock and without waiting:
//! each command carries the channel for its answer.

use super::Snapshot;
use crate::Error;
use labsim_forwarder::{Changes, CheckedConfig, MirroredFlow, MirroredFlows, Problem};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

/// A command to a forwarder.
pub(super) enum Command {
    /// Tell what was counted.
    Count(mpsc::Sender<Snapshot>),
    /// Take another configuration over.
    Reconfigure(Box<CheckedConfig>, mpsc::Sender<Result<Changes, ReconfigureError>>),
    /// Forget everything but the configuration, and which members are down; whether that was done.
    BeginAnew(mpsc::Sender<bool>),
    /// Send a monitor's packet to a member.
    Probe(Box<Probe>),
    /// Take a member out of the schedule, or bring it back; whether there is such a member.
    SetDown(MemberState, mpsc::Sender<bool>),
    /// Tell a page of the flows that are mirrored, from this place on.
    MirroredFlows(u32, mpsc::Sender<MirroredFlows>),
    /// Take copies of flows over; how many were.
    AddMirroredFlows(Vec<MirroredFlow>, mpsc::Sender<u64>),
    /// End in command.
    Stop,
}

/// A member of a pool.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemberId {
    /// The pool's name.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
}

/// A monitor's packet.
#[derive(Debug)]
pub(super) struct Probe {
    pub(super) to: MemberId,
    pub(super) packet: Vec<u8>,
}

/// Whether a member is down.
#[derive(Debug)]
pub(super) struct MemberState {
    pub(super) member: MemberId,
    pub(super) down: bool,
}

/// Why a configuration was not taken over.
#[derive(Debug, thiserror::Error)]
pub enum ReconfigureError {
    /// The engine keeps the one that it had.
    #[error("the configuration cannot be used")]
    Problems(Vec<Problem>),
    /// The engine has it, and the kernel refused what it needs for it: packets for what is new may
    /// not be handed over.
    #[error("the configuration was taken over, but not by the kernel: {0}")]
    Kernel(Error),
    /// The forwarder has ended.
    #[error("the forwarder has ended")]
    Gone,
}

/// Where commands are given. Dropping the last one ends the forwarder.
#[derive(Debug, Clone)]
pub struct Handle {
    // Before the waker, which rings when it is gone.
    commands: Sender<Command>,
    waker: Waker,
}

/// Wakes the forwarder, also when it is dropped.
#[derive(Debug, Clone)]
struct Waker(Arc<EventFd>);

impl Waker {
    fn wake(&self) {
        // Fails only at 2^64 - 2 unread wakes.
        let _ = self.0.write(1);
    }
}

impl Drop for Waker {
    fn drop(&mut self) {
        self.wake();
    }
}

/// Where a forwarder gets its commands.
#[derive(Debug)]
pub struct Commands {
    commands: Receiver<Command>,
    waker: Arc<EventFd>,
}

/// A way to send commands to the forwarder that gets the other end.
///
/// # Errors
/// The kernel has no descriptor left.
pub fn commands() -> Result<(Handle, Commands), Error> {
    let waker = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|errno| Error::system("a descriptor for commands (eventfd(2))")(errno.into()))?;
    let waker = Arc::new(waker);
    let (sender, receiver) = mpsc::channel();
    let handle = Handle { commands: sender, waker: Waker(Arc::clone(&waker)) };
    Ok((handle, Commands { commands: receiver, waker }))
}

impl Handle {
    /// What was counted, after everything that reached the forwarder before has been dealt with;
    /// `None` if it has ended.
    #[must_use]
    pub fn count(&self) -> Option<Snapshot> {
        self.ask(Command::Count)
    }

    /// Has another configuration taken over, and waits for it.
    ///
    /// # Errors
    /// Why not.
    pub fn reconfigure(&self, checked: CheckedConfig) -> Result<Changes, ReconfigureError> {
        let checked = Box::new(checked);
        self.ask(|answer| Command::Reconfigure(checked, answer))
            .unwrap_or(Err(ReconfigureError::Gone))
    }

    /// Has flows, clients that persist, neighbours and counters forgotten, and waits for it. Members that
    /// are down stay so. `false` if there is no forwarder any more.
    #[must_use]
    pub fn begin_anew(&self) -> bool {
        self.ask(Command::BeginAnew).unwrap_or(false)
    }

    /// Has a monitor's IP packet sent to a member, the way of clients' packets. Waits for nothing.
    pub fn probe(&self, to: MemberId, packet: Vec<u8>) {
        self.send(Command::Probe(Box::new(Probe { to, packet })));
    }

    /// RxFilter a member out of the schedule, or brings it back, and waits for it; `false` if there
    /// is no such member that is watched, or no forwarder any more.
    #[must_use]
    pub fn set_down(&self, member: MemberId, down: bool) -> bool {
        let state = MemberState { member, down };
        self.ask(|answer| Command::SetDown(state, answer)).unwrap_or(false)
    }

    /// A page of copies of the flows whose virtual servers mirror, from 0 or from the last page's `next`; `None`
    /// if there is no forwarder any more.
    #[must_use]
    pub fn mirrored_flows(&self, from: u32) -> Option<MirroredFlows> {
        self.ask(|answer| Command::MirroredFlows(from, answer))
    }

    /// Has copies of another forwarder's flows taken over, and waits for it; returns how many were, or `None`
    /// if there is no forwarder any more.
    #[must_use]
    pub fn add_mirrored_flows(&self, flows: Vec<MirroredFlow>) -> Option<u64> {
        self.ask(|answer| Command::AddMirroredFlows(flows, answer))
    }

    /// Ends the forwarder in command.
    pub fn stop(&self) {
        self.send(Command::Stop);
    }

    fn ask<T>(&self, command: impl FnOnce(mpsc::Sender<T>) -> Command) -> Option<T> {
        let (answer, answered) = mpsc::channel();
        self.send(command(answer));
        answered.recv().ok()
    }

    fn send(&self, command: Command) {
        // Without a forwarder the command is dropped, and with it the channel of its answer.
        let _ = self.commands.send(command);
        self.waker.wake();
    }
}

impl Commands {
    /// The next command that is there; [`Command::Stop`] once every handle is dropped.
    pub(super) fn next(&self) -> Option<Command> {
        match self.commands.try_recv() {
            Ok(command) => Some(command),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Command::Stop),
        }
    }

    /// Forgets that it was woken, before it looks at the commands.
    pub(super) fn drain(&self) {
        let _ = self.waker.read();
    }
}

impl AsFd for Commands {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.waker.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{Command, commands};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    fn woken(commands: &super::Commands) -> bool {
        let mut fds = [PollFd::new(commands.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn an_order_wakes_and_so_does_the_end_of_whoever_could_give_one() {
        let (handle, commands) = commands().unwrap();
        assert!(!woken(&commands) && commands.next().is_none());
        handle.stop();
        assert!(woken(&commands));
        commands.drain();
        assert!(matches!(commands.next(), Some(Command::Stop)));
        assert!(!woken(&commands) && commands.next().is_none());
        drop(handle);
        assert!(woken(&commands));
        assert!(matches!(commands.next(), Some(Command::Stop)));
    }

    #[test]
    fn who_asks_a_forwarder_that_is_gone_is_told() {
        let (handle, commands) = commands().unwrap();
        let asking = std::thread::spawn(move || handle.count());
        drop(commands);
        assert_eq!(asking.join().unwrap(), None);
    }
}

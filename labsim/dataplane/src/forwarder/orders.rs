//! Orders to a forwarder at work, from other threads of its process.
//!
//! The forwarder looks at them between two turns of packets. It takes no lock for that and waits
//! for nobody: whoever orders hands over what is to be done with the answer.

use super::Snapshot;
use crate::Error;
use labsim_forwarder::{Changes, Plan, Problem};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};

/// What a forwarder can be told to do.
pub(super) enum Order {
    /// Tell what was counted.
    Count(mpsc::Sender<Snapshot>),
    /// Take another configuration over.
    Reconfigure(Box<Plan>, mpsc::Sender<Result<Changes, Refusal>>),
    /// Send a monitor's packet to a member.
    Probe(Box<Probe>),
    /// Take a member out of the schedule, or bring it back; whether there is such a member.
    SetDown(MemberState, mpsc::Sender<bool>),
    /// End in order.
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
pub enum Refusal {
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

/// Where orders are given. Dropping the last one ends the forwarder.
#[derive(Debug, Clone)]
pub struct Handle {
    // Before the bell, which rings when it is gone.
    orders: Sender<Order>,
    bell: Bell,
}

/// Wakes the forwarder, also when it is dropped.
#[derive(Debug, Clone)]
struct Bell(Arc<EventFd>);

impl Bell {
    fn ring(&self) {
        // Fails only when it has been rung and not been heard 2^64 - 2 times.
        let _ = self.0.write(1);
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.ring();
    }
}

/// Where a forwarder gets its orders.
#[derive(Debug)]
pub struct Orders {
    orders: Receiver<Order>,
    bell: Arc<EventFd>,
}

/// A way to give orders to the forwarder that gets the other end.
///
/// # Errors
/// The kernel has no descriptor left.
pub fn orders() -> Result<(Handle, Orders), Error> {
    let bell = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)
        .map_err(|errno| Error::system("a descriptor for orders (eventfd(2))")(errno.into()))?;
    let bell = Arc::new(bell);
    let (sender, receiver) = mpsc::channel();
    let handle = Handle { orders: sender, bell: Bell(Arc::clone(&bell)) };
    Ok((handle, Orders { orders: receiver, bell }))
}

impl Handle {
    /// What was counted, after everything that reached the forwarder before has been dealt with;
    /// `None` if it has ended.
    #[must_use]
    pub fn count(&self) -> Option<Snapshot> {
        self.ask(Order::Count)
    }

    /// Has another configuration taken over, and waits for it.
    ///
    /// # Errors
    /// Why not.
    pub fn reconfigure(&self, plan: Plan) -> Result<Changes, Refusal> {
        let plan = Box::new(plan);
        self.ask(|answer| Order::Reconfigure(plan, answer)).unwrap_or(Err(Refusal::Gone))
    }

    /// Has a monitor's IP packet sent to a member, the way of clients' packets. Waits for nothing.
    pub fn probe(&self, to: MemberId, packet: Vec<u8>) {
        self.give(Order::Probe(Box::new(Probe { to, packet })));
    }

    /// Takes a member out of the schedule, or brings it back, and waits for it; `false` if there is
    /// no such member that is watched, or no forwarder any more.
    #[must_use]
    pub fn set_down(&self, member: MemberId, down: bool) -> bool {
        let state = MemberState { member, down };
        self.ask(|answer| Order::SetDown(state, answer)).unwrap_or(false)
    }

    /// Ends the forwarder in order.
    pub fn stop(&self) {
        self.give(Order::Stop);
    }

    fn ask<T>(&self, order: impl FnOnce(mpsc::Sender<T>) -> Order) -> Option<T> {
        let (answer, answered) = mpsc::channel();
        self.give(order(answer));
        answered.recv().ok()
    }

    fn give(&self, order: Order) {
        // Without a forwarder the order is dropped, and whoever waits for its answer is told.
        let _ = self.orders.send(order);
        self.bell.ring();
    }
}

impl Orders {
    /// The next order that is there; [`Order::Stop`] if nobody can give one any more.
    pub(super) fn next(&self) -> Option<Order> {
        match self.orders.try_recv() {
            Ok(order) => Some(order),
            Err(TryRecvError::Empty) => None,
            Err(TryRecvError::Disconnected) => Some(Order::Stop),
        }
    }

    /// Forgets that it was woken, before it looks at the orders.
    pub(super) fn hear(&self) {
        let _ = self.bell.read();
    }
}

impl AsFd for Orders {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::{Order, orders};
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use std::os::fd::AsFd;

    fn woken(orders: &super::Orders) -> bool {
        let mut fds = [PollFd::new(orders.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).unwrap() == 1
    }

    #[test]
    fn an_order_wakes_and_so_does_the_end_of_whoever_could_give_one() {
        let (handle, orders) = orders().unwrap();
        assert!(!woken(&orders) && orders.next().is_none());
        handle.stop();
        assert!(woken(&orders));
        orders.hear();
        assert!(matches!(orders.next(), Some(Order::Stop)));
        assert!(!woken(&orders) && orders.next().is_none());
        drop(handle);
        assert!(woken(&orders));
        assert!(matches!(orders.next(), Some(Order::Stop)));
    }

    #[test]
    fn who_asks_a_forwarder_that_is_gone_is_told() {
        let (handle, orders) = orders().unwrap();
        let asking = std::thread::spawn(move || handle.count());
        drop(orders);
        assert_eq!(asking.join().unwrap(), None);
    }
}

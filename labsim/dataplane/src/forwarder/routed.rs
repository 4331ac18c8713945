//! The host's other interfaces: packets to VIPs that come in there are the forwarder's too. What goes out
//! by them the host's kernel sends, which has the routes and the neighbours.

use crate::ingress_drop::VipIngressDrop;
use crate::kernel::{Interface, RoutedInterface};
use crate::packet::receiver::{Interfaces, Place, Receiver};
use crate::{Error, SocketCounters};
use labsim_forwarder::RxFilter;
use labsim_sys::Errno;
use labsim_sys::ring::RingFrame;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use std::os::fd::{AsFd, BorrowedFd};

/// A receiver for each of them.
#[derive(Debug)]
pub(super) struct Routed {
    interfaces: Vec<(Receiver, VipIngressDrop)>,
    ready: Epoll,
}

impl Routed {
    /// Opens them; frames come in from here on.
    pub(super) fn open(
        interface: &Interface,
        rx_filter: &RxFilter,
        place: Place,
    ) -> Result<Self, Error> {
        let failed = |errno: Errno| {
            Error::system("a descriptor of several sockets (epoll(7))")(errno.into())
        };
        let ready = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
        let mut interfaces = Vec::new();
        for RoutedInterface { name, index } in &interface.routed {
            // Before the receiver, as on the first interface.
            let ingress_drop = VipIngressDrop::new(name, &rx_filter.kept_from_host)?;
            let at = Interfaces { bound_to: *index, groups_at: *index };
            let receiver = Receiver::open(at, interface.port.mtu, rx_filter, place)?;
            ready.add(&receiver, EpollEvent::new(EpollFlags::EPOLLIN, 0)).map_err(failed)?;
            interfaces.push((receiver, ingress_drop));
        }
        Ok(Self { interfaces, ready })
    }

    /// Hands up to `turn` frames of each to `take`.
    pub(super) fn receive(&mut self, turn: usize, mut take: impl FnMut(RingFrame<'_>)) {
        for (receiver, _) in &mut self.interfaces {
            for _ in 0..turn {
                if receiver.receive(&mut take).is_none() {
                    break;
                }
            }
        }
    }

    /// Whether frames were fetched that are not handed out yet, of which polling does not tell.
    pub(super) fn has_fetched(&self) -> bool {
        self.interfaces.iter().any(|(receiver, _)| receiver.has_fetched())
    }

    /// Takes other packets from here on.
    pub(super) fn change(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        for (receiver, ingress_drop) in &mut self.interfaces {
            ingress_drop.change(&rx_filter.kept_from_host)?;
            receiver.set_filter(rx_filter)?;
        }
        Ok(())
    }

    /// Takes the errors of all: one that went down would be ready for ever.
    pub(super) fn take_error(&self) -> Result<(), Error> {
        self.interfaces.iter().try_for_each(|(receiver, _)| receiver.take_error())
    }

    /// Adds what these rings counted.
    pub(super) fn add_to(&mut self, counters: &mut SocketCounters) {
        for (receiver, _) in &mut self.interfaces {
            let own = receiver.counters();
            counters.received += own.received;
            counters.dropped += own.dropped;
            counters.oversized += own.oversized;
        }
    }
}

impl AsFd for Routed {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ready.0.as_fd()
    }
}

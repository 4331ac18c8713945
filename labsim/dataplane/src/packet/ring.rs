//! The receiving side: a packet ring of the frames that the engine is given.

use super::filter;
use super::groups::Groups;
use crate::{Error, SocketCounters};
use labsim_forwarder::RxFilter;
use labsim_sys::filter::{Instruction, attach as attach_filter};
use labsim_sys::packet::{ALL_PROTOCOLS, bound_interface, ignore_outgoing};
use labsim_sys::ring::{PacketRing, RingFrame};
use labsim_sys::socket;
use std::os::fd::{AsFd, BorrowedFd};
use tracing::debug;

/// Frames that the ring holds: some milliseconds of a busy link, while another process has its
/// turn on the processor. With half as many some frames are lost at the full rate; with twice as
/// many none is gained, and the slots no longer stay in the processors' caches.
const SLOTS: u32 = 2048;
/// The kernel keeps frames that are longer than a slot in at most this many bytes.
const LARGE_FRAMES_BYTES: i32 = 4 << 20;

/// The ring, and what it counted.
#[derive(Debug)]
pub(crate) struct Ring {
    ring: PacketRing,
    interface: u32,
    groups: Groups,
    counters: SocketCounters,
}

impl Ring {
    /// Opens the ring on an interface of the calling thread's namespace. Frames are in it from
    /// here on.
    pub(crate) fn open(interface: u32, mtu: usize, rx_filter: &RxFilter) -> Result<Self, Error> {
        Self::open_at(interface, interface, mtu, rx_filter)
    }

    /// The same for frames that are heard at another interface than the one that they came in by, whose
    /// multicast groups are joined.
    pub(crate) fn open_at(
        heard: u32,
        interface: u32,
        mtu: usize,
        rx_filter: &RxFilter,
    ) -> Result<Self, Error> {
        let socket = super::open()?;
        // Used only while frames that are longer than a slot wait: less room costs some of those.
        let _ = socket::set_receive_queue(socket.as_fd(), LARGE_FRAMES_BYTES);
        ignore_outgoing(socket.as_fd()).map_err(Error::ignore_outgoing)?;
        attach(socket.as_fd(), &filter::program(rx_filter))?;
        let ring = PacketRing::new(socket, SLOTS, mtu + 14)?;
        let (groups, counters) = (Groups::default(), SocketCounters::default());
        let mut ring = Self { ring, interface, groups, counters };
        ring.join(rx_filter)?;
        // Bound last: nothing comes in before filter and ring are there.
        super::bind(ring.as_fd(), heard, ALL_PROTOCOLS)?;
        debug!(interface = heard, slots = SLOTS, mtu, "packet ring opened");
        Ok(ring)
    }

    /// RxFilter these frames from here on; what is in the ring stays there.
    pub(crate) fn set_filter(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        attach(self.as_fd(), &filter::program(rx_filter))?;
        self.join(rx_filter)
    }

    fn join(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        self.groups.set(self.interface, &rx_filter.owned)
    }

    /// Hands the next frame to `take` and gives its slot back afterwards; `None` if none is there.
    pub(crate) fn receive<R>(&mut self, take: impl FnMut(RingFrame<'_>) -> R) -> Option<R> {
        self.ring.receive(take)
    }

    /// The frames that [`Self::receive`] hands out next, for a look at their headers.
    pub(crate) fn pending(&mut self) -> impl Iterator<Item = &[u8]> {
        self.ring.pending()
    }

    /// Takes the error that polling reported. An interface that goes down is waited for: the kernel
    /// goes on receiving when it comes up. One that is deleted never comes back.
    pub(crate) fn take_error(&self) -> Result<(), Error> {
        let _ = socket::take_error(self.as_fd());
        match bound_interface(self.as_fd()) {
            Ok(Some(_)) => Ok(()),
            Ok(None) | Err(_) => Err(Error::InterfaceGone),
        }
    }

    /// Frames handed over and dropped so far. The kernel's own counts restart with every reading,
    /// and are added up here.
    pub(crate) fn counters(&mut self) -> SocketCounters {
        if let Ok(statistics) = self.ring.take_statistics() {
            self.counters.received += u64::from(statistics.received);
            self.counters.dropped += u64::from(statistics.dropped);
        }
        self.counters.oversized = self.ring.incomplete();
        self.counters
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

pub(crate) fn attach(socket: BorrowedFd<'_>, program: &[Instruction]) -> Result<(), Error> {
    attach_filter(socket, program)
        .map_err(Error::system("a filter for the packet socket (SO_ATTACH_FILTER)"))
}

//! The receiving side: the frames that the engine is given, in a packet ring, or in the queue of a packet socket.

use super::filter;
use super::groups::Groups;
use crate::{Error, SocketCounters};
use labsim_forwarder::{Engine, RxFilter};
use labsim_sys::filter::{Instruction, attach as attach_filter};
use labsim_sys::packet::{ALL_PROTOCOLS, Statistics, ignore_outgoing};
use labsim_sys::packet_queue::PacketQueue;
use labsim_sys::ring::{PacketRing, RingFrame};
use labsim_sys::socket;
use labsim_wire::ethernet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tracing::debug;

/// Frames that the ring holds: some milliseconds of a busy link, while another process has its
/// turn on the processor. With half as many some frames are lost at the full rate; with twice as
/// many none is gained, and the slots no longer stay in the processors' caches.
const SLOTS: u32 = 2048;
/// The kernel keeps frames that are longer than a slot in at most this many bytes.
const LARGE_FRAMES_BYTES: i32 = 4 << 20;

/// What a queue has to hold to be enough: the frames of some bursts, by the memory that the kernel counts for them.
const QUEUE_BYTES: i32 = 16 << 20;

/// Where frames wait for the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// In a ring, which takes the most frames a second.
    Ring,
    /// In the socket's queue, which is opened and closed sooner; in a ring where the kernel grants no queue of that
    /// size.
    Queue,
}

/// By number: where frames are received, and where they come in by, whose multicast groups are joined.
/// With the fast path these are two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Interfaces {
    pub(crate) bound_to: u32,
    pub(crate) groups_at: u32,
}

/// The socket, and what it counted.
#[derive(Debug)]
pub(crate) struct Receiver {
    source: Source,
    groups_at: u32,
    groups: Groups,
    counters: SocketCounters,
}

#[derive(Debug)]
enum Source {
    Ring(PacketRing),
    Queue(Box<PacketQueue>),
}

impl Source {
    fn open(socket: OwnedFd, mtu: usize, place: Place) -> Result<Self, Error> {
        if place == Place::Queue && has_queue(socket.as_fd()) {
            return Ok(Self::Queue(Box::new(PacketQueue::new(socket)?)));
        }
        // Used only while frames that are longer than a slot wait: less room costs some of those.
        let _ = socket::set_receive_queue(socket.as_fd(), LARGE_FRAMES_BYTES);
        Ok(Self::Ring(PacketRing::new(socket, SLOTS, mtu + ethernet::HEADER_LEN)?))
    }

    fn take_statistics(&self) -> io::Result<Statistics> {
        match self {
            Self::Ring(ring) => ring.take_statistics(),
            Self::Queue(queue) => queue.take_statistics(),
        }
    }

    fn incomplete(&self) -> u64 {
        match self {
            Self::Ring(ring) => ring.incomplete(),
            Self::Queue(queue) => queue.incomplete(),
        }
    }
}

/// Gives the socket a queue of [`QUEUE_BYTES`]; whether the kernel grants it. Without CAP_NET_ADMIN in the initial
/// user namespace it grants as much as `net.core.rmem_max` says.
fn has_queue(socket: BorrowedFd<'_>) -> bool {
    let _ = socket::set_receive_queue(socket, QUEUE_BYTES);
    // The kernel doubles what was asked for (socket(7)).
    socket::receive_queue(socket).is_ok_and(|bytes| bytes >= QUEUE_BYTES)
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Ring(ring) => ring.as_fd(),
            Self::Queue(queue) => queue.as_fd(),
        }
    }
}

impl Receiver {
    /// Opens it in the calling thread's namespace. Frames wait in it from here on.
    pub(crate) fn open(
        interfaces: Interfaces,
        mtu: usize,
        rx_filter: &RxFilter,
        place: Place,
    ) -> Result<Self, Error> {
        let socket = super::open()?;
        ignore_outgoing(socket.as_fd()).map_err(Error::ignore_outgoing)?;
        attach(socket.as_fd(), &filter::program(rx_filter))?;
        let source = Source::open(socket, mtu, place)?;
        let Interfaces { bound_to, groups_at } = interfaces;
        let (groups, counters) = (Groups::default(), SocketCounters::default());
        let mut receiver = Self { source, groups_at, groups, counters };
        receiver.join(rx_filter)?;
        // Bound last: nothing comes in before filter and ring are there.
        super::bind(receiver.as_fd(), bound_to, ALL_PROTOCOLS)?;
        debug!(bound_to, place = ?receiver.place(), mtu, "receiving socket opened");
        Ok(receiver)
    }

    /// Where frames really wait.
    pub(crate) const fn place(&self) -> Place {
        match &self.source {
            Source::Ring(_) => Place::Ring,
            Source::Queue(_) => Place::Queue,
        }
    }

    /// RxFilter these frames from here on; what waits already stays there.
    pub(crate) fn set_filter(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        attach(self.as_fd(), &filter::program(rx_filter))?;
        self.join(rx_filter)
    }

    fn join(&mut self, rx_filter: &RxFilter) -> Result<(), Error> {
        self.groups.set(self.groups_at, &rx_filter.owned)
    }

    /// Hands the next frame to `take`, whose bytes are another's afterwards; `None` if none is there.
    pub(crate) fn receive<R>(&mut self, take: impl FnMut(RingFrame<'_>) -> R) -> Option<R> {
        match &mut self.source {
            Source::Ring(ring) => ring.receive(take),
            Source::Queue(queue) => queue.receive(take),
        }
    }

    /// Shows the engine the headers of the frames that [`Self::receive`] hands out next.
    pub(crate) fn prefetch(&mut self, engine: &Engine) {
        match &mut self.source {
            Source::Ring(ring) => engine.prefetch(ring.pending()),
            Source::Queue(queue) => engine.prefetch(queue.pending()),
        }
    }

    /// Whether frames were fetched that are not handed out yet, of which polling does not tell.
    pub(crate) fn has_fetched(&self) -> bool {
        match &self.source {
            Source::Ring(_) => false,
            Source::Queue(queue) => queue.has_fetched(),
        }
    }

    /// Takes the error that polling reported. An interface that goes down is waited for: the kernel
    /// goes on receiving when it comes up. One that is deleted never comes back.
    pub(crate) fn take_error(&self) -> Result<(), Error> {
        let _ = socket::take_error(self.as_fd());
        super::check_bound(self.as_fd())
    }

    /// Frames handed over and dropped so far. The kernel's own counts restart with every reading,
    /// and are added up here.
    pub(crate) fn counters(&mut self) -> SocketCounters {
        if let Ok(statistics) = self.source.take_statistics() {
            self.counters.received += u64::from(statistics.received);
            self.counters.dropped += u64::from(statistics.dropped);
        }
        self.counters.oversized = self.source.incomplete();
        self.counters
    }
}

impl AsFd for Receiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.source.as_fd()
    }
}

pub(crate) fn attach(socket: BorrowedFd<'_>, program: &[Instruction]) -> Result<(), Error> {
    attach_filter(socket, program)
        .map_err(Error::system("a filter for the packet socket (SO_ATTACH_FILTER)"))
}

//! labsim's relay: what stands between the two ends of an impaired link. Each end of the link has a
//! veth pair of its own, whose inner end is in the lab's fabric; a thread takes frames from the one
//! inner end and sends them out of the other.
//!
//! Who impairs is a choice for each direction ([`Onward`]): a [`labsim_impairment::Line`] here, or
//! the kernel's netem on the device that frames are sent out of. Frames are moved in the same way
//! for both.
//!
//! - *Times.* A frame is never sent before its time: its delay begins when it is read from the
//!   socket, which is after it was captured at its sender. It is sent late by what the timer and
//!   the scheduler take: ppoll(2) with a timer slack of 1 ns (prctl(2)) wakes the thread within
//!   some 50 µs on an idle machine, and after milliseconds on a busy one.
//! - *Offloads.* Frames travel with the kernel's note about what is left to do to them
//!   (`PACKET_VNET_HDR`), so half-made checksums stay as they are and one large frame stays one, as
//!   on a link without a relay. Loss and delay are then of the large frame, as netem's are.
//! - *Markers* ([`ethertype::MARKER`]), which the captures send across a link to know that it is
//!   empty, are not traffic: they are never lost, doubled or counted, and arrive when everything
//!   has that was there before them. Through netem they would not: they wait here until it holds
//!   nothing and then go round it (`PACKET_QDISC_BYPASS`).
//! - *Nothing is lost in silence.* What does not arrive is in [`Counters`].
//! - VLAN tags that a sender leaves to the device (802.1Q devices in a node) are not carried.
//!
//! [`ethertype::MARKER`]: labsim_wire::ethernet::ethertype::MARKER

mod direction;
mod worker;

use crate::Error;
use direction::Direction;
use labsim_impairment::Impairment;
use labsim_sys::packet::{VNET_HEADER, ignore_outgoing, set_vnet_header};
use labsim_sys::socket::{set_nonblocking, set_receive_queue};
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// What may wait in a socket while the thread has no turn, by the memory that the kernel counts.
const ROOM: i32 = 8 << 20;

/// One end of a link, as the relay sees it.
pub struct End {
    /// A packet socket (`SOCK_RAW`), bound to the inner end for every protocol. It becomes
    /// non-blocking.
    pub socket: OwnedFd,
    /// What becomes of the frames that come in here, on their way to the other end.
    pub onward: Onward,
}

/// What becomes of the frames of one direction.
pub enum Onward {
    /// They are impaired here; [`Impairment::default`] sends them on at once.
    Impaired(Impairment),
    /// They are sent on at once, and netem on the device there impairs them.
    Netem(Backlog),
}

/// Asks the kernel's netem.
pub type Backlog = Box<dyn FnMut() -> io::Result<Queued> + Send>;

/// What netem holds, and what it has dropped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Queued {
    /// Frames that wait.
    pub waiting: u64,
    /// Frames that it dropped since it was made.
    pub dropped: u64,
}

/// What became of the frames of one direction, markers not among them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Came in.
    pub taken: u64,
    /// Lost by chance.
    pub lost: u64,
    /// Lost because too many waited.
    pub queue_full: u64,
    /// Copies that were made.
    pub duplicated: u64,
    /// Overtook others without a delay.
    pub reordered: u64,
    /// Dropped by netem, which counts chance and a full queue together.
    pub netem_dropped: u64,
    /// Sent on.
    pub sent: u64,
    /// Refused by the kernel when they were sent.
    pub send_refused: u64,
    /// Dropped by the kernel because the thread did not read fast enough, or too long to be read.
    pub receive_dropped: u64,
}

impl Counters {
    /// Frames that came in, or were copied, and never arrived at the other end.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        let Self { lost, queue_full, netem_dropped, send_refused, receive_dropped, .. } = self;
        lost + queue_full + netem_dropped + send_refused + receive_dropped
    }

    /// Each by its name, those that are 0 among them.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("taken", self.taken),
            ("lost", self.lost),
            ("queue_full", self.queue_full),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("netem_dropped", self.netem_dropped),
            ("sent", self.sent),
            ("send_refused", self.send_refused),
            ("receive_dropped", self.receive_dropped),
        ]
        .into_iter()
    }
}

/// A running relay of any number of links: a thread that ends when this is dropped.
#[derive(Debug)]
pub struct Relay {
    wake: Arc<EventFd>,
    counters: Shared,
    thread: Option<JoinHandle<()>>,
}

/// By link, what came in at its first end and at its second.
type Shared = Arc<Mutex<Vec<[Counters; 2]>>>;

impl Relay {
    /// Starts relaying between the two ends of each link. It can be called from any thread in any
    /// namespace.
    ///
    /// # Errors
    /// The kernel refuses an event descriptor, a socket option or a thread.
    pub fn start(links: Vec<[End; 2]>) -> Result<Self, Error> {
        for end in links.iter().flatten() {
            prepare(end.socket.as_fd())?;
        }
        Self::spawn(links, VNET_HEADER)
    }

    /// Starts the thread. `note` is how many bytes precede each frame in its socket.
    fn spawn(links: Vec<[End; 2]>, note: usize) -> Result<Self, Error> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = EventFd::from_value_and_flags(0, flags)
            .map_err(|error| Error::system("an event descriptor (eventfd(2))")(error.into()))?;
        let wake = Arc::new(wake);
        let counters = Arc::new(Mutex::new(vec![[Counters::default(); 2]; links.len()]));
        let directions = links.into_iter().flat_map(|[first, second]| {
            let onward = [first.onward, second.onward];
            let sockets = [Arc::new(first.socket), Arc::new(second.socket)];
            let [a, b] = onward;
            let [here, there] = &sockets;
            [
                Direction::new(Arc::clone(here), Arc::clone(there), a, note),
                Direction::new(Arc::clone(there), Arc::clone(here), b, note),
            ]
        });
        let worker =
            worker::Worker::new(directions.collect(), Arc::clone(&wake), Arc::clone(&counters));
        let thread = std::thread::Builder::new()
            .name("relay".to_owned())
            .stack_size(64 * 1024)
            .spawn(move || worker.run())
            .map_err(Error::system("a thread for the relay"))?;
        Ok(Self { wake, counters, thread: Some(thread) })
    }

    /// What became of frames, by link in the order of [`Self::start`]: of those that came in at its
    /// first end, and at its second. Whatever arrived before a marker did is counted when it does.
    #[must_use]
    pub fn counters(&self) -> Vec<[Counters; 2]> {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // An event descriptor takes as many as there can be calls: this cannot fail.
            let _ = self.wake.write(1);
            let _ = thread.join();
        }
    }
}

/// Has a packet socket show what comes in, with the kernel's note in front of each frame.
fn prepare(socket: BorrowedFd<'_>) -> Result<(), Error> {
    set_nonblocking(socket).map_err(Error::nonblocking)?;
    ignore_outgoing(socket).map_err(Error::ignore_outgoing)?;
    set_vnet_header(socket).map_err(Error::system("PACKET_VNET_HDR (packet(7))"))?;
    // Less room costs dropped frames, which are counted.
    let _ = set_receive_queue(socket, ROOM);
    Ok(())
}

#[cfg(test)]
#[path = "relay/relay_tests.rs"]
mod relay_tests;

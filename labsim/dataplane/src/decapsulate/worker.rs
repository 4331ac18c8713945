//! The decapsulator's thread: waits for either side, moves what is there, counts.

use super::inner::{Refusal, take_off};
use super::refuse::Refuser;
use super::{Counters, InnerEnd, Protocol};
use crate::{Error, latency, socket};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use nix::sys::socket::{MsgFlags, recv};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest IPv4 packet, and room for a link-layer header on the way out.
const LARGEST: usize = 65_535 + 14;
/// Packets of one side before the other is looked at.
const TURN: usize = 64;
/// More than a device's queue holds (`txqueuelen`, 500 of a TUN).
const DEVICE_QUEUE: usize = 2048;
/// Ethernet's type of IPv4.
const ETHERTYPE_IPV4: [u8; 2] = [0x08, 0x00];

/// Where to tell that the queue was emptied.
pub(super) type Drained = SyncSender<()>;

/// What the thread is told: each order comes with a wake.
pub(super) struct Orders {
    wake: Arc<EventFd>,
    requests: Receiver<Drained>,
}

impl Orders {
    pub(super) fn new(wake: Arc<EventFd>, requests: Receiver<Drained>) -> Self {
        Self { wake, requests }
    }
}

/// Everything that the thread holds.
pub(super) struct Worker {
    protocol: Protocol,
    outer: OwnedFd,
    inner: InnerEnd,
    /// Whether a veth pair's ends were up together at any time. Only until then it is asked for
    /// with each packet: the question takes a lock of the whole kernel's.
    has_been_up: bool,
    refuser: Refuser,
    orders: Orders,
    shared: Arc<Mutex<Counters>>,
    counters: Counters,
    buffer: Box<[u8]>,
}

/// Whether a descriptor may give more.
#[derive(PartialEq, Eq)]
enum Turn {
    More,
    Empty,
    Broken,
}

impl Worker {
    pub(super) fn new(
        protocol: Protocol,
        (outer, answers): (OwnedFd, OwnedFd),
        inner: InnerEnd,
        orders: Orders,
        shared: Arc<Mutex<Counters>>,
    ) -> Result<Self, Error> {
        socket::set_nonblocking(outer.as_fd())?;
        match &inner {
            InnerEnd::Tun(device) => socket::set_nonblocking(device.as_fd())?,
            InnerEnd::VethPeer { socket, .. } => {
                socket::set_nonblocking(socket.as_fd())?;
                socket::ignore_outgoing(socket.as_fd())?;
            }
        }
        let buffer = vec![0; LARGEST].into_boxed_slice();
        let (refuser, counters) = (Refuser::new(answers), Counters::default());
        let has_been_up = false;
        Ok(Self { protocol, outer, inner, has_been_up, refuser, orders, shared, counters, buffer })
    }

    pub(super) fn run(mut self) {
        // Only a matter of latency: a kernel that refuses it changes nothing else.
        let _ = latency::prefer_short_slices();
        loop {
            let (ordered, outer, inner) = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(_) => break,
            };
            // Before the queue is read: whoever asked, asked about packets that are in it now.
            let (waiting, stopping) =
                if ordered { self.take_orders() } else { (Vec::new(), false) };
            let mut broken = false;
            if outer || ordered {
                // Who waits, waits for all that is queued, and not for what still comes.
                let queued =
                    if ordered { socket::queued_at_most(self.outer.as_fd()) } else { None };
                let packets = queued.unwrap_or(0).max(TURN);
                broken |= self.drain(packets, Self::take_one);
            }
            if inner || ordered {
                let packets = if ordered { DEVICE_QUEUE } else { TURN };
                broken |= self.drain(packets, Self::drop_one);
            }
            self.publish();
            for drained in waiting.iter().filter(|_| !broken) {
                // Nobody may be waiting any more.
                let _ = drained.try_send(());
            }
            if stopping || broken {
                break;
            }
        }
        self.publish();
    }

    /// Who waits for the queue to be emptied, and whether this is the end.
    fn take_orders(&self) -> (Vec<Drained>, bool) {
        // Woken later than this read, it comes here again.
        let _ = self.orders.wake.read();
        let mut waiting = Vec::new();
        loop {
            match self.orders.requests.try_recv() {
                Ok(drained) => waiting.push(drained),
                Err(TryRecvError::Empty) => return (waiting, false),
                Err(TryRecvError::Disconnected) => return (waiting, true),
            }
        }
    }

    fn wait(&self) -> nix::Result<(bool, bool, bool)> {
        let mut fds = [
            PollFd::new(self.orders.wake.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.outer.as_fd(), PollFlags::POLLIN),
            PollFd::new(self.inner.descriptor(), PollFlags::POLLIN),
        ];
        poll(&mut fds, PollTimeout::NONE)?;
        let ready = |fd: &PollFd<'_>| fd.any().unwrap_or(true);
        Ok((ready(&fds[0]), ready(&fds[1]), ready(&fds[2])))
    }

    /// Moves up to `packets` packets; true if the descriptor is broken for good.
    fn drain(&mut self, packets: usize, one: fn(&mut Self) -> Turn) -> bool {
        for _ in 0..packets {
            match one(self) {
                Turn::More => {}
                Turn::Empty => return false,
                Turn::Broken => return true,
            }
        }
        false
    }

    fn take_one(&mut self) -> Turn {
        let length = match recv(self.outer.as_raw_fd(), &mut self.buffer, MsgFlags::MSG_DONTWAIT) {
            Ok(length) => length,
            Err(Errno::EAGAIN) => return Turn::Empty,
            Err(Errno::EBADF | Errno::ENOTSOCK) => return Turn::Broken,
            // The error of an earlier packet (ICMP), told once; the next call goes on.
            Err(_) => return Turn::More,
        };
        match take_off(self.protocol, &mut self.buffer[..length]) {
            Ok(place) => match self.hand_over(place.clone()) {
                Ok(()) => {
                    self.counters.rx_packets += 1;
                    self.counters.rx_bytes += place.len() as u64;
                }
                // A TUN whose device was deleted.
                Err(Errno::EBADFD) => return Turn::Broken,
                // Nor is a kernel's tunnel there while its device is down.
                Err(Errno::EIO | Errno::ENETDOWN) => {
                    self.counters.rx_device_down += 1;
                    self.refuser.refuse(&self.buffer[..length]);
                }
                Err(_) => self.counters.rx_device_refused += 1,
            },
            Err(Refusal::Truncated) => self.counters.rx_truncated += 1,
            Err(Refusal::NotIpv4) => self.counters.rx_not_ipv4 += 1,
            Err(Refusal::GreMalformed) => self.counters.rx_gre_malformed += 1,
            Err(Refusal::GreKey) => {
                self.counters.rx_key_mismatch += 1;
                self.refuser.refuse(&self.buffer[..length]);
            }
            Err(Refusal::GreChecksum) => self.counters.rx_checksum += 1,
            Err(Refusal::GreChecksumUnwanted) => self.counters.rx_checksum_unwanted += 1,
            Err(Refusal::Ecn) => self.counters.rx_ecn_dropped += 1,
        }
        Turn::More
    }

    fn hand_over(&mut self, place: std::ops::Range<usize>) -> nix::Result<()> {
        match &self.inner {
            InnerEnd::Tun(device) => nix::unistd::write(device, &self.buffer[place]).map(|_| ()),
            InnerEnd::VethPeer { socket, tunnel } => {
                // A frame for an end that is down is lost without an error.
                self.has_been_up = self.has_been_up || socket::has_carrier(socket.as_fd())?;
                if !self.has_been_up {
                    return Err(Errno::ENETDOWN);
                }
                // The outer header, which is longer, gives its place to the link-layer header.
                let start = place.start - 14;
                self.buffer[start..start + 6].copy_from_slice(tunnel);
                self.buffer[start + 6..start + 12].copy_from_slice(&[2, 0, 0, 0, 0, 4]);
                self.buffer[start + 12..start + 14].copy_from_slice(&ETHERTYPE_IPV4);
                nix::unistd::write(socket, &self.buffer[start..place.end]).map(|_| ())
            }
        }
    }

    fn drop_one(&mut self) -> Turn {
        let (descriptor, link_header) = match &self.inner {
            InnerEnd::Tun(device) => (device, 0),
            InnerEnd::VethPeer { socket, .. } => (socket, 14),
        };
        match nix::unistd::read(descriptor, &mut self.buffer) {
            Ok(length) => {
                self.counters.tx_dropped += 1;
                self.counters.tx_dropped_bytes += length.saturating_sub(link_header) as u64;
                Turn::More
            }
            Err(Errno::EAGAIN) => Turn::Empty,
            Err(Errno::EBADF | Errno::EBADFD) => Turn::Broken,
            Err(_) => Turn::Empty,
        }
    }

    fn publish(&mut self) {
        if let Some(drops) = socket::receive_drops(self.outer.as_fd()) {
            self.counters.rx_queue_dropped = drops;
        }
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = self.counters;
    }
}

impl InnerEnd {
    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tun(device) => device.as_fd(),
            Self::VethPeer { socket, .. } => socket.as_fd(),
        }
    }
}

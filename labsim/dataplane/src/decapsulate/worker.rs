//! The decapsulator's thread: waits for either side, moves what is there, counts.

use super::inner::{Refusal, take_off};
use super::outer::Outer;
use super::refuse::Refuser;
use super::{Counters, InnerEnd};
use crate::Error;
use labsim_model::TunnelKind;
use labsim_sys::{Errno, device, packet, socket};
use labsim_wire::ethernet::ethertype;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::EventFd;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::sync::{Arc, Mutex, PoisonError};

/// The largest IP packet, an outer IPv6 header not included, and that.
const LARGEST: usize = 65_535 + 40;
/// Packets of one side before the other is looked at.
const TURN: usize = 64;
/// More than a device's queue holds (`txqueuelen`, 500 of a TUN).
const DEVICE_QUEUE: usize = 2048;

/// Where to report that the queue was emptied.
pub(super) type Drained = SyncSender<()>;

/// Commands to the thread; each comes with a wake.
pub(super) struct Commands {
    wake: Arc<EventFd>,
    requests: Receiver<Drained>,
}

impl Commands {
    pub(super) fn new(wake: Arc<EventFd>, requests: Receiver<Drained>) -> Self {
        Self { wake, requests }
    }
}

/// Everything that the thread holds.
pub(super) struct Worker {
    protocol: TunnelKind,
    outer: Vec<Outer>,
    inner: InnerEnd,
    /// Whether a veth pair's ends were up together at any time. Only until then it is asked for
    /// with each packet: the question takes a lock of the whole kernel's.
    has_been_up: bool,
    refuser: Refuser,
    commands: Commands,
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
        protocol: TunnelKind,
        outer: Vec<OwnedFd>,
        answers: OwnedFd,
        inner: InnerEnd,
        commands: Commands,
        shared: Arc<Mutex<Counters>>,
    ) -> Result<Self, Error> {
        let numbers = protocol.ip_protocols().iter();
        let outer = outer
            .into_iter()
            .zip(numbers)
            .map(|(socket, number)| Outer::new(socket, protocol, *number))
            .collect::<Result<_, _>>()?;
        match &inner {
            InnerEnd::Tun(device) => {
                socket::set_nonblocking(device.as_fd()).map_err(Error::nonblocking)?
            }
            InnerEnd::VethPeer { socket: peer, .. } => {
                socket::set_nonblocking(peer.as_fd()).map_err(Error::nonblocking)?;
                packet::ignore_outgoing(peer.as_fd()).map_err(Error::ignore_outgoing)?;
            }
        }
        let buffer = vec![0; LARGEST].into_boxed_slice();
        let (refuser, counters) =
            (Refuser::new(answers, protocol.outer_ipv4()), Counters::default());
        let has_been_up = false;
        Ok(Self {
            protocol,
            outer,
            inner,
            has_been_up,
            refuser,
            commands,
            shared,
            counters,
            buffer,
        })
    }

    pub(super) fn run(mut self) {
        crate::forwarder::prefer_short_slices();
        loop {
            let (commanded, outer, inner) = match self.wait() {
                Ok(ready) => ready,
                Err(Errno::EINTR) => continue,
                Err(_) => break,
            };
            // Before the queue is read: the request is about packets that are in it now.
            let (waiting, stopping) =
                if commanded { self.take_commands() } else { (Vec::new(), false) };
            let mut broken = false;
            if outer || commanded {
                for place in 0..self.outer.len() {
                    // Who waits, waits for all that is queued, and not for what still comes.
                    let queued = if commanded { self.outer[place].queue_bound() } else { 0 };
                    broken |= self.drain(queued.max(TURN), |it| it.take_one(place));
                }
            }
            if inner || commanded {
                let packets = if commanded { DEVICE_QUEUE } else { TURN };
                broken |= self.drain(packets, Self::drop_one);
            }
            self.publish();
            for drained in waiting.iter().filter(|_| !broken) {
                // The thread that asked may have given up.
                let _ = drained.try_send(());
            }
            if stopping || broken {
                break;
            }
        }
        self.publish();
    }

    /// Who waits for the queue to be emptied, and whether this is the end.
    fn take_commands(&self) -> (Vec<Drained>, bool) {
        // Woken later than this read, it comes here again.
        let _ = self.commands.wake.read();
        let mut waiting = Vec::new();
        loop {
            match self.commands.requests.try_recv() {
                Ok(drained) => waiting.push(drained),
                Err(TryRecvError::Empty) => return (waiting, false),
                Err(TryRecvError::Disconnected) => return (waiting, true),
            }
        }
    }

    fn wait(&self) -> nix::Result<(bool, bool, bool)> {
        let readable = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
        let wake = self.commands.wake.as_fd();
        // The last one stands for a socket that there is not.
        let outer = |place: usize| self.outer.get(place).map_or(wake, Outer::descriptor);
        let mut fds = [wake, self.inner.descriptor(), outer(0), outer(1)].map(readable);
        poll(&mut fds, PollTimeout::NONE)?;
        let [wake, inner, outer @ ..] = fds.map(|fd| fd.any().unwrap_or(true));
        Ok((wake, outer.contains(&true), inner))
    }

    /// Moves up to `packets` packets; true if the descriptor is broken for good.
    fn drain(&mut self, packets: usize, one: impl Fn(&mut Self) -> Turn) -> bool {
        for _ in 0..packets {
            match one(self) {
                Turn::More => {}
                Turn::Empty => return false,
                Turn::Broken => return true,
            }
        }
        false
    }

    fn take_one(&mut self, place: usize) -> Turn {
        let outer = &mut self.outer[place];
        let number = outer.number;
        let length = match outer.receive(&mut self.buffer) {
            Ok(length) => length,
            Err(Errno::EAGAIN) => return Turn::Empty,
            Err(Errno::EBADF | Errno::ENOTSOCK) => return Turn::Broken,
            // The error of an earlier packet (ICMP), reported once; the next call goes on.
            Err(_) => return Turn::More,
        };
        match take_off(self.protocol, number, &mut self.buffer[..length]) {
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
            Err(Refusal::NotIp) => self.counters.rx_not_ip += 1,
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
                self.has_been_up = self.has_been_up || has_carrier(socket)?;
                if !self.has_been_up {
                    return Err(Errno::ENETDOWN);
                }
                // The outer header, which is longer, gives its place to the link-layer header.
                let start = place.start - 14;
                self.buffer[start..start + 6].copy_from_slice(tunnel);
                self.buffer[start + 6..start + 12].copy_from_slice(&[2, 0, 0, 0, 0, 4]);
                let version = self.buffer[place.start] >> 4;
                let ethertype = if version == 4 { ethertype::IPV4 } else { ethertype::IPV6 };
                self.buffer[start + 12..start + 14].copy_from_slice(&ethertype.to_be_bytes());
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
        if let Some(drops) = self.outer.iter().map(Outer::drops).sum() {
            self.counters.rx_queue_dropped = drops;
        }
        *self.shared.lock().unwrap_or_else(PoisonError::into_inner) = self.counters;
    }
}

/// Whether both ends of the veth pair are up that a packet socket is bound to.
fn has_carrier(socket: &OwnedFd) -> nix::Result<bool> {
    match packet::bound_interface(socket.as_fd()) {
        Ok(Some(index)) => device::has_carrier_by_index(socket, index),
        Ok(None) | Err(_) => Err(Errno::ENODEV),
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

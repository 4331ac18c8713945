//! The sending side: frames are written into one buffer and handed to the kernel many at a time.
//!
//! Two ways that look faster are not taken. A transmit ring hands its own pages to the receiver,
//! and a veth gives a slot back before the other namespace has read it. `PACKET_QDISC_BYPASS`
//! passes by the taps too: captures would miss what the forwarder sends.
//!
//! A frame to the interface's own link-layer address never leaves: its packet is the host's own kernel's
//! ([`HostSocket`]).

use super::host::HostSocket;
use crate::kernel::Interface;
use crate::{Error, SocketCounters};
use labsim_forwarder::Transmit;
use labsim_sys::batch;
use labsim_wire::EmitError;
use labsim_wire::ethernet::{self, Mac};
use nix::poll::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::{AsFd, OwnedFd};

/// Frames of one system call.
const FRAMES: usize = batch::MAX_SENT;
/// How long a full device is waited for before a frame is dropped, in milliseconds.
const FULL_DEVICE_WAIT_MS: u8 = 10;

/// Frames on their way to one interface.
#[derive(Debug)]
pub(crate) struct Batch {
    socket: OwnedFd,
    bytes: Box<[u8]>,
    room: usize,
    lengths: [usize; FRAMES],
    queued: usize,
    own: Mac,
    host: Option<HostSocket>,
    sent: u64,
    to_host: u64,
    errors: u64,
}

impl Batch {
    /// Opens the sending side of an interface of the calling thread's namespace, for packets of up to
    /// `mtu` bytes.
    pub(crate) fn open(interface: &Interface, mtu: usize) -> Result<Self, Error> {
        let socket = super::open()?;
        super::bind(socket.as_fd(), interface.index, 0)?;
        Ok(Self {
            host: Some(HostSocket::open()?),
            ..Self::of(socket, interface.port.mac, mtu + 14)
        })
    }

    /// Frames of up to `room` bytes from that address, without a way to the host.
    fn of(socket: OwnedFd, own: Mac, room: usize) -> Self {
        let bytes = vec![0; FRAMES * room].into_boxed_slice();
        let lengths = [0; FRAMES];
        Self {
            socket,
            bytes,
            room,
            lengths,
            queued: 0,
            own,
            host: None,
            sent: 0,
            to_host: 0,
            errors: 0,
        }
    }

    /// Whether the interface is still there.
    pub(crate) fn check_bound(&self) -> Result<(), Error> {
        super::check_bound(self.socket.as_fd())
    }

    /// Hands everything that is queued to the kernel.
    pub(crate) fn flush(&mut self) {
        let mut done = 0;
        let mut waited = false;
        while done < self.queued {
            match self.send(done) {
                Ok(sent) => {
                    self.sent += sent as u64;
                    done += sent;
                    waited = false;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !waited => {
                    let mut writable = [PollFd::new(self.socket.as_fd(), PollFlags::POLLOUT)];
                    // Whether it was in vain shows with the next attempt.
                    let _ = poll(&mut writable, FULL_DEVICE_WAIT_MS);
                    waited = true;
                }
                // The frame that the kernel does not take: its device is down or full.
                Err(_) => {
                    self.errors += 1;
                    done += 1;
                }
            }
        }
        self.queued = 0;
    }

    /// Adds its counts to what the receiving side counted.
    pub(crate) fn add_to(&self, counters: &mut SocketCounters) {
        counters.sent += self.sent;
        counters.to_host += self.to_host;
        counters.send_errors += self.errors;
    }

    /// One system call for all frames from `first` on; how many were taken.
    fn send(&self, first: usize) -> io::Result<usize> {
        let slots = self.bytes.chunks_exact(self.room).zip(self.lengths);
        let frames = slots.take(self.queued).skip(first);
        batch::send(self.socket.as_fd(), frames.filter_map(|(slot, length)| slot.get(..length)))
    }
}

impl Transmit for Batch {
    fn transmit(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        if length > self.room {
            return false;
        }
        if self.queued == FRAMES {
            self.flush();
        }
        let start = self.queued * self.room;
        let frame = &mut self.bytes[start..start + length];
        if fill(frame).is_err() {
            return false;
        }
        if frame.starts_with(&self.own.0) {
            let packet = frame.get(ethernet::HEADER_LEN..).unwrap_or_default();
            let taken = self.host.as_ref().is_some_and(|host| host.send(packet));
            self.to_host += u64::from(taken);
            self.errors += u64::from(!taken);
            return taken;
        }
        self.lengths[self.queued] = length;
        self.queued += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::Batch;
    use labsim_forwarder::Transmit;
    use labsim_wire::ethernet::Mac;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    /// A batch whose device is a socket that holds a few datagrams.
    fn batch() -> (Batch, UnixDatagram) {
        let (near, far) = UnixDatagram::pair().unwrap();
        nix::sys::socket::setsockopt(&near, nix::sys::socket::sockopt::SndBuf, &1).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        (Batch::of(near.into(), Mac([0xff; 6]), 16), far)
    }

    fn write(batch: &mut Batch, number: u8) -> bool {
        batch.transmit(usize::from(number % 16) + 1, |frame| {
            frame.fill(number);
            Ok(())
        })
    }

    #[test]
    fn frames_leave_in_their_order_and_whole_however_many_the_device_takes_at_once() {
        let (mut batch, far) = batch();
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 64];
            for number in 0..200u8 {
                let length = far.recv(&mut buffer).unwrap();
                assert_eq!(buffer[..length], vec![number; usize::from(number % 16) + 1]);
            }
        });
        for number in 0..200 {
            assert!(write(&mut batch, number));
        }
        batch.flush();
        reader.join().unwrap();
        assert_eq!((batch.sent, batch.errors), (200, 0));
    }

    #[test]
    fn a_device_that_stays_full_costs_the_frames_and_no_more() {
        let (mut batch, far) = batch();
        for number in 0..30 {
            assert!(write(&mut batch, number));
        }
        batch.flush();
        assert!(batch.errors > 0);
        assert_eq!(batch.sent + batch.errors, 30);
        for _ in 0..batch.sent {
            far.recv(&mut [0; 64]).unwrap();
        }
    }

    #[test]
    fn a_frame_longer_than_its_room_is_refused() {
        let (mut batch, _far) = batch();
        assert!(!batch.transmit(17, |_| Ok(())));
        assert!(batch.transmit(16, |_| Ok(())));
        assert_eq!(batch.queued, 1);
    }
}

//! The sending side: frames are written into one buffer and handed to the kernel many at a time.
//!
//! Two ways that look faster are not taken. A transmit ring hands its own pages to the receiver,
//! and a veth gives a slot back before the other namespace has read it. `PACKET_QDISC_BYPASS`
//! passes by the taps too: captures would miss what the forwarder sends.

use crate::{Error, SocketCounters};
use labsim_forwarder::Transmit;
use labsim_wire::EmitError;
use nix::poll::{PollFd, PollFlags, poll};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Frames of one system call.
const FRAMES: usize = 64;
/// How long a full device is waited for before a frame is dropped, in milliseconds.
const PATIENCE: u8 = 10;

/// Frames on their way to one interface.
#[derive(Debug)]
pub(crate) struct Batch {
    socket: OwnedFd,
    bytes: Box<[u8]>,
    room: usize,
    lengths: [usize; FRAMES],
    queued: usize,
    sent: u64,
    errors: u64,
}

impl Batch {
    /// Opens the sending side of an interface of the calling thread's namespace.
    pub(crate) fn open(interface: u32, mtu: usize) -> Result<Self, Error> {
        let socket = super::open()?;
        super::bind(socket.as_fd(), interface, 0)?;
        let room = mtu + 14;
        let bytes = vec![0; FRAMES * room].into_boxed_slice();
        Ok(Self { socket, bytes, room, lengths: [0; FRAMES], queued: 0, sent: 0, errors: 0 })
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
                    let _ = poll(&mut writable, PATIENCE);
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
        counters.send_errors += self.errors;
    }

    /// One system call for all frames from `first` on; how many were taken.
    fn send(&mut self, first: usize) -> io::Result<usize> {
        // SAFETY: all-zero bytes are an iovec and an mmsghdr: null pointers and lengths of 0.
        let mut vectors: [libc::iovec; FRAMES] = unsafe { std::mem::zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; FRAMES] = unsafe { std::mem::zeroed() };
        let count = self.queued - first;
        for index in 0..count {
            let start = (first + index) * self.room;
            let frame = &mut self.bytes[start..start + self.lengths[first + index]];
            vectors[index] =
                libc::iovec { iov_base: frame.as_mut_ptr().cast(), iov_len: frame.len() };
            messages[index].msg_hdr.msg_iov = &raw mut vectors[index];
            messages[index].msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: `messages` holds `count` headers whose vectors point into `self.bytes`; both
        // outlive the call, which only reads the frames.
        let sent = unsafe {
            libc::sendmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                count as libc::c_uint,
                libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
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
        let filled = fill(&mut self.bytes[start..start + length]).is_ok();
        if filled {
            self.lengths[self.queued] = length;
            self.queued += 1;
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::{Batch, FRAMES};
    use labsim_forwarder::Transmit;
    use std::os::unix::net::UnixDatagram;
    use std::time::Duration;

    /// A batch whose device is a socket that holds a few datagrams.
    fn batch() -> (Batch, UnixDatagram) {
        let (near, far) = UnixDatagram::pair().unwrap();
        nix::sys::socket::setsockopt(&near, nix::sys::socket::sockopt::SndBuf, &1).unwrap();
        far.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let bytes = vec![0; FRAMES * 16].into_boxed_slice();
        let socket = near.into();
        let lengths = [0; FRAMES];
        (Batch { socket, bytes, room: 16, lengths, queued: 0, sent: 0, errors: 0 }, far)
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

//! Packet sockets without a ring: frames wait in the socket's queue, and one system call fetches many
//! (recvmmsg(2)). Such a socket opens at once, and closes in one grace period of the kernel; a ring takes one to
//! be made and two more to be closed (`packet_set_ring`, `packet_release`), some 8 ms each.

use crate::packet::{Statistics, VNET_HEADER, set_vnet_header, take_statistics};
use crate::ring::{LARGEST_FRAME, RingFrame};
use crate::{CallError, Errno};
use std::io;
use std::mem::zeroed;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Frames that one system call fetches at most.
const FETCHED: usize = 64;
/// Room for each. An odd number of cache lines, so that the frames' headers do not share a set of the cache.
const SLOT: usize = (LARGEST_FRAME.div_ceil(64) | 1) * 64;

/// A packet socket, and the frames that were fetched from its queue.
#[derive(Debug)]
pub struct PacketQueue {
    socket: OwnedFd,
    /// Pages that no frame has needed cost nothing.
    bytes: Box<[u8]>,
    /// Of what was fetched, [`VNET_HEADER`] included; 0 of a frame that did not fit.
    lengths: [usize; FETCHED],
    fetched: usize,
    next: usize,
    incomplete: u64,
}

impl PacketQueue {
    /// For an unbound packet socket. Frames come in once it is bound.
    ///
    /// # Errors
    /// The call that failed.
    pub fn new(socket: OwnedFd) -> Result<Self, CallError> {
        set_vnet_header(socket.as_fd()).map_err(CallError::of("PACKET_VNET_HDR (packet(7))"))?;
        Ok(Self {
            socket,
            bytes: vec![0; FETCHED * SLOT].into_boxed_slice(),
            lengths: [0; FETCHED],
            fetched: 0,
            next: 0,
            incomplete: 0,
        })
    }

    /// Hands the next frame to `take`; `None` if none is there.
    pub fn receive<R>(&mut self, mut take: impl FnMut(RingFrame<'_>) -> R) -> Option<R> {
        while self.next < self.fetched || self.fetch() {
            let place = self.next;
            self.next += 1;
            let length = self.lengths.get(place).copied().unwrap_or_default();
            let bytes = self.bytes.get_mut(place * SLOT..)?.get_mut(..length)?;
            if let Some((offload, frame)) = bytes.split_at_mut_checked(VNET_HEADER)
                && let Ok(offload) = <[u8; VNET_HEADER]>::try_from(&*offload)
            {
                return Some(take(RingFrame { offload, frame }));
            }
            self.incomplete += 1;
        }
        None
    }

    /// The frames that [`Self::receive`] hands out next, as far as they have been fetched: for a look at their
    /// headers.
    pub fn pending(&mut self) -> impl Iterator<Item = &[u8]> {
        if self.next == self.fetched {
            self.fetch();
        }
        let slots = self.bytes.chunks_exact(SLOT).zip(self.lengths);
        let waiting = slots.take(self.fetched).skip(self.next);
        waiting.filter_map(|(slot, length)| slot.get(VNET_HEADER..length))
    }

    /// Whether frames were fetched that [`Self::receive`] has not handed out.
    #[must_use]
    pub fn has_fetched(&self) -> bool {
        self.next < self.fetched
    }

    /// Frames that did not fit, since the socket was opened.
    #[must_use]
    pub fn incomplete(&self) -> u64 {
        self.incomplete
    }

    /// Reads and resets the socket's counters.
    ///
    /// # Errors
    /// Those of getsockopt(2).
    pub fn take_statistics(&self) -> io::Result<Statistics> {
        take_statistics(self.socket.as_fd())
    }

    /// Fetches what waits; whether anything did. An error of the interface, of which polling tells, is taken here
    /// if it comes first: whether the interface still exists has to be looked at when links change.
    fn fetch(&mut self) -> bool {
        (self.next, self.fetched) = (0, 0);
        // SAFETY: all zeroes are an iovec and an mmsghdr: null pointers and lengths of 0.
        let mut vectors: [libc::iovec; FETCHED] = unsafe { zeroed() };
        // SAFETY: as above.
        let mut messages: [libc::mmsghdr; FETCHED] = unsafe { zeroed() };
        let slots = self.bytes.chunks_exact_mut(SLOT);
        for ((slot, vector), message) in slots.zip(&mut vectors).zip(&mut messages) {
            *vector = libc::iovec { iov_base: slot.as_mut_ptr().cast(), iov_len: slot.len() };
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: every message points at a slot of its own that outlives the call, with its size; no timeout is
        // given.
        let received = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                messages.as_mut_ptr(),
                FETCHED as libc::c_uint,
                libc::MSG_DONTWAIT as _,
                std::ptr::null_mut(),
            )
        };
        let received = Errno::result(received).ok().and_then(|count| usize::try_from(count).ok());
        self.fetched = received.unwrap_or_default().min(FETCHED);
        for (length, message) in self.lengths.iter_mut().zip(&messages).take(self.fetched) {
            let is_whole = message.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
            *length = if is_whole { message.msg_len as usize } else { 0 };
        }
        self.fetched > 0
    }
}

impl AsFd for PacketQueue {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

//! Receive rings of packet sockets: TPACKET_V2 (Documentation/networking/packet_mmap.rst). Version
//! 2 wakes its reader for every frame; version 3 keeps frames back until a block is full or some
//! milliseconds have passed.

use crate::CallError;
use crate::packet::{Statistics, VNET_HEADER, set_vnet_header, take_statistics};
use crate::socket::{Plain, set_int, set_option};
use nix::sys::socket::{MsgFlags, recv};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

const BLOCK_BYTES: u32 = 128 * 1024;
/// What precedes a frame in its slot: the ring's header, an address and alignment.
const SLOT_OVERHEAD: usize = 128;
/// The largest frame that segmentation offload makes, and its header.
pub(crate) const LARGEST_FRAME: usize = 65_535 + 14 + VNET_HEADER;

/// A frame that was received.
pub struct RingFrame<'a> {
    /// `struct virtio_net_hdr` (linux/virtio_net.h): what hardware would still have to do to it.
    pub offload: [u8; VNET_HEADER],
    /// From its link-layer header on. It may be written to.
    pub frame: &'a mut [u8],
}

/// A packet socket and its receive ring.
#[derive(Debug)]
pub struct PacketRing {
    socket: OwnedFd,
    memory: NonNull<u8>,
    length: usize,
    slots: usize,
    slot_bytes: usize,
    next: usize,
    /// For frames that are longer than a slot.
    large: Box<[u8]>,
    incomplete: u64,
}

/// `struct tpacket_req`.
#[repr(C)]
#[derive(Default)]
struct Request {
    block_size: u32,
    block_count: u32,
    frame_size: u32,
    frame_count: u32,
}

// SAFETY: a plain structure of integers.
unsafe impl Plain for Request {}

// SAFETY: the mapping is used through this handle alone, and belongs to the process, not to a thread.
unsafe impl Send for PacketRing {}

impl PacketRing {
    /// Gives an unbound packet socket a ring of `slots` frames (a power of two from 64 on) of up to
    /// `frame_bytes` bytes each, from the link-layer header on. Longer frames wait in the socket's
    /// queue. Frames come in once the socket is bound.
    ///
    /// # Errors
    /// The call that failed: the kernel has no TPACKET_V2, or too little memory.
    pub fn new(socket: OwnedFd, slots: u32, frame_bytes: usize) -> Result<Self, CallError> {
        let fd = socket.as_fd();
        let packet = libc::SOL_PACKET;
        let version = libc::tpacket_versions::TPACKET_V2 as i32;
        set_int(fd, packet, libc::PACKET_VERSION, version)
            .map_err(CallError::of("TPACKET_V2 (packet(7))"))?;
        set_vnet_header(fd).map_err(CallError::of("PACKET_VNET_HDR (packet(7))"))?;
        set_int(fd, packet, libc::PACKET_COPY_THRESH, 1)
            .map_err(CallError::of("PACKET_COPY_THRESH (packet(7))"))?;
        let slot_bytes = (frame_bytes + SLOT_OVERHEAD).next_power_of_two().max(2048);
        let block_size = BLOCK_BYTES.max(slot_bytes as u32);
        let request = Request {
            block_size,
            block_count: slots * slot_bytes as u32 / block_size,
            frame_size: slot_bytes as u32,
            frame_count: slots,
        };
        set_option(fd, packet, libc::PACKET_RX_RING, &request)
            .map_err(CallError::of("a receive ring (PACKET_RX_RING, packet(7))"))?;
        let slots = slots as usize;
        let length = slots * slot_bytes;
        let memory =
            map(fd, length).map_err(CallError::of("mapping the receive ring (mmap(2))"))?;
        let large = vec![0; LARGEST_FRAME].into_boxed_slice();
        Ok(Self { socket, memory, length, slots, slot_bytes, next: 0, large, incomplete: 0 })
    }

    /// Hands the next frame to `take` and gives its slot back afterwards; `None` if none is there.
    pub fn receive<R>(&mut self, mut take: impl FnMut(RingFrame<'_>) -> R) -> Option<R> {
        loop {
            let slot = self.slot(self.next);
            // SAFETY: a slot begins with a tpacket2_hdr whose first field is the status, aligned
            // like the slot. It is only used as an atomic, by the kernel too.
            let status = unsafe { AtomicU32::from_ptr(slot.cast().as_ptr()) };
            let flags = status.load(Ordering::Acquire);
            if flags & libc::TP_STATUS_USER == 0 {
                return None;
            }
            self.next = (self.next + 1) % self.slots;
            let taken = if flags & libc::TP_STATUS_COPY == 0 {
                // SAFETY: the slot is this process's (TP_STATUS_USER) until its status is given
                // back below.
                unsafe { parts(slot, self.slot_bytes) }.map(&mut take)
            } else {
                self.receive_large(&mut take)
            };
            status.store(libc::TP_STATUS_KERNEL, Ordering::Release);
            if taken.is_some() {
                return taken;
            }
            self.incomplete += 1;
        }
    }

    /// The frames that [`Self::receive`] hands out next, as far as they are there and fit their
    /// slots, unchanged: for a look at their headers.
    pub fn pending(&mut self) -> impl Iterator<Item = &[u8]> {
        let slots = (0..self.slots).map(|ahead| (self.next + ahead) % self.slots);
        slots.map_while(|place| {
            let slot = self.slot(place);
            // SAFETY: as in `receive`.
            let status = unsafe { AtomicU32::from_ptr(slot.cast().as_ptr()) };
            let flags = status.load(Ordering::Acquire);
            if flags & libc::TP_STATUS_USER == 0 || flags & libc::TP_STATUS_COPY != 0 {
                return None;
            }
            // SAFETY: the slot is this process's until `receive` gives it back; that, and another
            // look, the result's borrow of the ring forbids. Each slot comes up once.
            let RingFrame { frame, .. } = unsafe { parts(slot, self.slot_bytes) }?;
            Some(&*frame)
        })
    }

    /// Frames that the kernel could not store whole, since the ring was made.
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

    /// The beginning of a slot.
    fn slot(&self, place: usize) -> NonNull<u8> {
        debug_assert!(place < self.slots);
        // SAFETY: callers give places below `slots`, so the slot lies inside the mapping.
        unsafe { self.memory.add(place * self.slot_bytes) }
    }

    /// A frame longer than its slot: the kernel keeps a whole copy in the socket's queue, in the
    /// ring's order (`PACKET_COPY_THRESH`).
    fn receive_large<R>(&mut self, take: &mut impl FnMut(RingFrame<'_>) -> R) -> Option<R> {
        let flags = MsgFlags::MSG_DONTWAIT;
        let length = recv(self.socket.as_raw_fd(), &mut self.large, flags).ok()?;
        let (offload, frame) = self.large.get_mut(..length)?.split_at_mut_checked(VNET_HEADER)?;
        let offload = <[u8; VNET_HEADER]>::try_from(&*offload).ok()?;
        Some(take(RingFrame { offload, frame }))
    }
}

impl AsFd for PacketRing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for PacketRing {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this address and length, and nothing borrows from it:
        // every reference into it ends inside `receive` or with `pending`'s borrow.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.length) };
    }
}

/// A slot's frame; `None` if the kernel could not put all of it there.
///
/// # Safety
/// `slot` is the beginning of a slot of `slot_bytes` bytes that belongs to this process, and no
/// other reference to what follows its header exists for the result's lifetime.
unsafe fn parts<'a>(slot: NonNull<u8>, slot_bytes: usize) -> Option<RingFrame<'a>> {
    const HEADER: usize = size_of::<libc::tpacket2_hdr>();
    // SAFETY: the header was written by the kernel before the status was; it is copied out.
    let header = unsafe { slot.cast::<libc::tpacket2_hdr>().read() };
    // SAFETY: the slot's bytes behind the header, initialised by the kernel's zeroed pages.
    let rest =
        unsafe { std::slice::from_raw_parts_mut(slot.add(HEADER).as_ptr(), slot_bytes - HEADER) };
    if header.tp_snaplen != header.tp_len {
        return None;
    }
    let start = usize::from(header.tp_mac).checked_sub(HEADER + VNET_HEADER)?;
    let end = start + VNET_HEADER + header.tp_snaplen as usize;
    let (offload, frame) = rest.get_mut(start..end)?.split_at_mut_checked(VNET_HEADER)?;
    let offload = <[u8; VNET_HEADER]>::try_from(&*offload).ok()?;
    Some(RingFrame { offload, frame })
}

fn map(socket: BorrowedFd<'_>, length: usize) -> io::Result<NonNull<u8>> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice; the socket's ring is as long.
    let memory = unsafe {
        libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, socket.as_raw_fd(), 0)
    };
    if memory == libc::MAP_FAILED {
        return Err(io::Error::last_os_error());
    }
    NonNull::new(memory.cast()).ok_or_else(|| io::ErrorKind::AddrNotAvailable.into())
}

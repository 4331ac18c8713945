//! The receiving side: a TPACKET_V2 ring (Documentation/networking/packet_mmap.rst). Version 2
//! wakes its reader for every frame; version 3 keeps frames back until a block is full or some
//! milliseconds have passed.

use super::filter::{self, Instruction};
use super::groups::Groups;
use crate::{Error, SocketCounters, socket};
use labsim_forwarder::Takes;
use nix::sys::socket::{MsgFlags, recv};
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

/// Frames that the ring holds: some milliseconds of a busy link, while another process has its
/// turn on the processor. With half as many some frames are lost at the full rate; with twice as
/// many none is gained, and the slots no longer stay in the processors' caches.
const SLOTS: u32 = 2048;
const BLOCK_BYTES: u32 = 128 * 1024;
/// What precedes a frame in its slot: the ring's header, an address and alignment.
const SLOT_OVERHEAD: usize = 128;
/// The kernel keeps frames that are longer than a slot in at most this many bytes.
const LARGE_FRAMES_BYTES: i32 = 4 << 20;
/// The largest frame that segmentation offload makes, and its header.
const LARGEST_FRAME: usize = 65_535 + 14 + VNET_HEADER;
/// `struct virtio_net_hdr`: what hardware would still have to do to a frame.
pub(crate) const VNET_HEADER: usize = 10;
const ETH_P_ALL: u16 = 0x0003;

/// A frame that was received.
pub(crate) struct Received<'a> {
    /// What is left to do to it; see [`super::offload`].
    pub(crate) offload: [u8; VNET_HEADER],
    /// From its link-layer header on. It may be written to.
    pub(crate) frame: &'a mut [u8],
}

/// The ring and its socket.
#[derive(Debug)]
pub(crate) struct Ring {
    socket: OwnedFd,
    interface: u32,
    groups: Groups,
    memory: NonNull<u8>,
    length: usize,
    slot_bytes: usize,
    next: usize,
    /// For frames that are longer than a slot.
    large: Box<[u8]>,
    counters: SocketCounters,
}

// SAFETY: packet sockets take these plain structures of integers; `sock_fprog`'s pointer is
// followed for `len` instructions.
unsafe impl socket::Plain for Request {}
// SAFETY: as above.
unsafe impl socket::Plain for Program {}
// SAFETY: as above.
unsafe impl socket::Plain for Statistics {}

/// `struct tpacket_req`.
#[repr(C)]
#[derive(Default)]
struct Request {
    block_size: u32,
    block_count: u32,
    frame_size: u32,
    frame_count: u32,
}

/// `struct sock_fprog`.
#[repr(C)]
struct Program {
    length: u16,
    instructions: *const Instruction,
}

impl Default for Program {
    fn default() -> Self {
        Self { length: 0, instructions: std::ptr::null() }
    }
}

/// `struct tpacket_stats`.
#[repr(C)]
#[derive(Default)]
struct Statistics {
    packets: u32,
    drops: u32,
}

impl Ring {
    /// Opens the ring on an interface of the calling thread's namespace. Frames are in it from
    /// here on.
    pub(crate) fn open(interface: u32, mtu: usize, takes: &Takes) -> Result<Self, Error> {
        let socket = super::open()?;
        let fd = socket.as_fd();
        let packet = libc::SOL_PACKET;
        let set = |option, value: i32, name: &str| {
            socket::set_option(fd, packet, option, &value)
                .map_err(Error::system(format!("{name} (packet(7))")))
        };
        set(libc::PACKET_VERSION, libc::tpacket_versions::TPACKET_V2 as i32, "TPACKET_V2")?;
        set(libc::PACKET_VNET_HDR, 1, "PACKET_VNET_HDR")?;
        set(libc::PACKET_COPY_THRESH, 1, "PACKET_COPY_THRESH")?;
        // Used only while frames that are longer than a slot wait.
        socket::make_room(fd, LARGE_FRAMES_BYTES);
        socket::ignore_outgoing(fd)?;
        attach(fd, &filter::program(takes))?;
        let slot_bytes = (mtu + 14 + SLOT_OVERHEAD).next_power_of_two().max(2048);
        let block_size = BLOCK_BYTES.max(slot_bytes as u32);
        let request = Request {
            block_size,
            block_count: SLOTS * slot_bytes as u32 / block_size,
            frame_size: slot_bytes as u32,
            frame_count: SLOTS,
        };
        socket::set_option(fd, packet, libc::PACKET_RX_RING, &request)
            .map_err(Error::system("a receive ring (PACKET_RX_RING, packet(7))"))?;
        let length = SLOTS as usize * slot_bytes;
        let memory = map(fd, length)?;
        let large = vec![0; LARGEST_FRAME].into_boxed_slice();
        let counters = SocketCounters::default();
        let mut ring = Self {
            socket,
            interface,
            groups: Groups::default(),
            memory,
            length,
            slot_bytes,
            next: 0,
            large,
            counters,
        };
        ring.join(takes)?;
        // Bound last: nothing comes in before filter and ring are there.
        super::bind(ring.socket.as_fd(), interface, ETH_P_ALL)?;
        Ok(ring)
    }

    /// Takes these frames from here on; what is in the ring stays there.
    pub(crate) fn set_takes(&mut self, takes: &Takes) -> Result<(), Error> {
        attach(self.socket.as_fd(), &filter::program(takes))?;
        self.join(takes)
    }

    fn join(&mut self, takes: &Takes) -> Result<(), Error> {
        self.groups.set(self.socket.as_fd(), self.interface, &takes.whole)
    }

    /// Hands the next frame to `take` and gives its slot back afterwards; `None` if none is there.
    pub(crate) fn receive<R>(&mut self, mut take: impl FnMut(Received<'_>) -> R) -> Option<R> {
        loop {
            // SAFETY: `next` is below SLOTS, so the slot lies inside the mapping.
            let slot = unsafe { self.memory.add(self.next * self.slot_bytes) };
            // SAFETY: a slot begins with a tpacket2_hdr whose first field is the status, aligned
            // like the slot. It is only used as an atomic, by the kernel too.
            let status = unsafe { AtomicU32::from_ptr(slot.cast().as_ptr()) };
            let flags = status.load(Ordering::Acquire);
            if flags & libc::TP_STATUS_USER == 0 {
                return None;
            }
            self.next = (self.next + 1) % SLOTS as usize;
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
            self.counters.oversized += 1;
        }
    }

    /// The frames that [`Self::receive`] hands out next, as far as they are there and fit their
    /// slots, as they came: for a look at their headers.
    pub(crate) fn coming(&mut self) -> impl Iterator<Item = &[u8]> {
        let slots = (0..SLOTS as usize).map(|ahead| (self.next + ahead) % SLOTS as usize);
        slots.map_while(|slot| {
            // SAFETY: the number is below SLOTS, so the slot lies inside the mapping.
            let slot = unsafe { self.memory.add(slot * self.slot_bytes) };
            // SAFETY: as in `receive`.
            let status = unsafe { AtomicU32::from_ptr(slot.cast().as_ptr()) };
            let flags = status.load(Ordering::Acquire);
            if flags & libc::TP_STATUS_USER == 0 || flags & libc::TP_STATUS_COPY != 0 {
                return None;
            }
            // SAFETY: the slot is this process's until `receive` gives it back; that, and another
            // look, the result's borrow of the ring forbids. Each slot comes up once.
            let Received { frame, .. } = unsafe { parts(slot, self.slot_bytes) }?;
            Some(&*frame)
        })
    }

    /// A frame longer than its slot: the kernel keeps a whole copy in the socket's queue, in the
    /// ring's order (`PACKET_COPY_THRESH`).
    fn receive_large<R>(&mut self, take: &mut impl FnMut(Received<'_>) -> R) -> Option<R> {
        let flags = MsgFlags::MSG_DONTWAIT;
        let length = recv(self.socket.as_raw_fd(), &mut self.large, flags).ok()?;
        let (offload, frame) = self.large.get_mut(..length)?.split_at_mut_checked(VNET_HEADER)?;
        let offload = <[u8; VNET_HEADER]>::try_from(&*offload).ok()?;
        Some(take(Received { offload, frame }))
    }

    /// Takes the error that polling told of. An interface that goes down is waited for: the kernel
    /// goes on receiving when it comes up. One that is deleted never comes back.
    pub(crate) fn take_error(&self) -> Result<(), Error> {
        let _: io::Result<i32> =
            socket::get_option(self.socket.as_fd(), libc::SOL_SOCKET, libc::SO_ERROR);
        // SAFETY: all-zero bytes are a sockaddr_ll.
        let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
        let mut length = size_of_val(&address) as libc::socklen_t;
        // SAFETY: `address` is writable for the length that is told.
        let result = unsafe {
            libc::getsockname(self.socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
        };
        if result == 0 && address.sll_ifindex > 0 { Ok(()) } else { Err(Error::InterfaceGone) }
    }

    /// Frames handed over and dropped so far. The kernel's own counts restart with every reading
    /// (`PACKET_STATISTICS`), and are added up here.
    pub(crate) fn counters(&mut self) -> SocketCounters {
        let read: io::Result<Statistics> =
            socket::get_option(self.socket.as_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS);
        if let Ok(statistics) = read {
            // The kernel counts the dropped ones among the packets.
            let handed = statistics.packets.saturating_sub(statistics.drops);
            self.counters.received += u64::from(handed);
            self.counters.dropped += u64::from(statistics.drops);
        }
        self.counters
    }
}

impl AsFd for Ring {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping was made with this address and length, and nothing borrows from it:
        // every reference into it ends inside `receive`.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), self.length) };
    }
}

/// A slot's frame; `None` if the kernel could not put all of it there.
///
/// # Safety
/// `slot` is the beginning of a slot of `slot_bytes` bytes that belongs to this process, and no
/// other reference to what follows its header exists for the result's lifetime.
unsafe fn parts<'a>(slot: NonNull<u8>, slot_bytes: usize) -> Option<Received<'a>> {
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
    Some(Received { offload, frame })
}

pub(crate) fn attach(socket: BorrowedFd<'_>, program: &[Instruction]) -> Result<(), Error> {
    let program = Program {
        length: u16::try_from(program.len()).unwrap_or(u16::MAX),
        instructions: program.as_ptr(),
    };
    socket::set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &program)
        .map_err(Error::system("a filter for the packet socket (SO_ATTACH_FILTER)"))
}

fn map(socket: BorrowedFd<'_>, length: usize) -> Result<NonNull<u8>, Error> {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    // SAFETY: a new mapping at an address of the kernel's choice; the socket's ring is as long.
    let memory = unsafe {
        libc::mmap(std::ptr::null_mut(), length, access, libc::MAP_SHARED, socket.as_raw_fd(), 0)
    };
    let error = || Error::system("mapping the receive ring (mmap(2))")(io::Error::last_os_error());
    if memory == libc::MAP_FAILED {
        return Err(error());
    }
    NonNull::new(memory.cast()).ok_or_else(error)
}

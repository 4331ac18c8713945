//! Packet sockets (packet(7)): opened, bound, and their options.

use crate::socket::{Plain, get_option, set_int};
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

/// `ETH_P_ALL`: every protocol.
pub const ALL_PROTOCOLS: u16 = 0x0003;
/// `struct virtio_net_hdr` (linux/virtio_net.h), in bytes: what [`set_vnet_header`] puts in front
/// of each frame.
pub const VNET_HEADER: usize = 10;

/// A packet socket for whole frames (`SOCK_RAW`) in the calling thread's network namespace,
/// nonblocking and close-on-exec. It receives nothing until it is bound to a protocol.
///
/// # Errors
/// `EPERM` without CAP_NET_RAW; `EAFNOSUPPORT` on a kernel without packet sockets.
pub fn open() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    Ok(socket(AddressFamily::Packet, SockType::Raw, flags, None)?)
}

/// Binds to an interface by number, 0 for all, and to a protocol (an ethertype or
/// [`ALL_PROTOCOLS`]), 0 for a socket that only sends.
///
/// # Errors
/// `ENODEV` if the namespace has no such interface.
pub fn bind(socket: BorrowedFd<'_>, interface: u32, protocol: u16) -> io::Result<()> {
    let address = link_address(interface, protocol);
    // SAFETY: the address is a sockaddr_ll that outlives the call, of the length that is given.
    let bound =
        unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), ADDRESS_LENGTH) };
    Ok(Errno::result(bound).map(drop)?)
}

/// The number of the interface that a packet socket is bound to; 0 if it is bound to all. `None`
/// if the interface was deleted.
///
/// # Errors
/// Those of getsockname(2).
pub fn bound_interface(socket: BorrowedFd<'_>) -> io::Result<Option<u32>> {
    let mut address = link_address(0, 0);
    let mut length = ADDRESS_LENGTH;
    // SAFETY: `address` is writable for `length` bytes, of which the kernel writes at most those
    // and says how many.
    Errno::result(unsafe {
        libc::getsockname(socket.as_raw_fd(), (&raw mut address).cast(), &raw mut length)
    })?;
    // The kernel shows -1 once the interface has gone (`packet_notifier` of
    // net/packet/af_packet.c).
    Ok(u32::try_from(address.sll_ifindex).ok())
}

/// Sends a frame out of an interface, whatever the socket is bound to.
///
/// # Errors
/// `ENETDOWN` if the interface is down, `ENXIO` if there is none, `ENOBUFS` if its queue is full.
pub fn send_to(
    socket: BorrowedFd<'_>,
    interface: u32,
    protocol: u16,
    frame: &[u8],
) -> io::Result<()> {
    let to = link_address(interface, protocol);
    // SAFETY: the bytes and the address outlive the call, and their lengths are given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            0,
            (&raw const to).cast(),
            ADDRESS_LENGTH,
        )
    };
    Ok(Errno::result(sent).map(drop)?)
}

/// Hides frames from the socket that its own namespace sends (`PACKET_IGNORE_OUTGOING`, Linux
/// 4.20).
///
/// # Errors
/// `ENOPROTOOPT` on an older kernel.
pub fn ignore_outgoing(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)
}

/// Puts the kernel's offload state in front of each frame, both ways (`PACKET_VNET_HDR`):
/// [`VNET_HEADER`] bytes.
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_vnet_header(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)
}

/// Adds to each received frame where its network header begins (`PACKET_AUXDATA`).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_auxdata(socket: BorrowedFd<'_>) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)
}

/// Sends frames past queueing disciplines and taps, or through them (`PACKET_QDISC_BYPASS`, Linux
/// 3.14).
///
/// # Errors
/// `ENOPROTOOPT` on an older kernel.
pub fn set_qdisc_bypass(socket: BorrowedFd<'_>, bypass: bool) -> io::Result<()> {
    set_int(socket, libc::SOL_PACKET, libc::PACKET_QDISC_BYPASS, bypass.into())
}

/// `struct tpacket_stats`.
#[repr(C)]
#[derive(Default)]
struct RawStatistics {
    packets: u32,
    drops: u32,
}

// SAFETY: two integers.
unsafe impl Plain for RawStatistics {}

/// Frames of a packet socket since they were read last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Handed over.
    pub received: u32,
    /// Dropped because the queue or ring was full.
    pub dropped: u32,
}

/// Reads and resets the socket's counters (`PACKET_STATISTICS`).
///
/// # Errors
/// Those of getsockopt(2).
pub fn take_statistics(socket: BorrowedFd<'_>) -> io::Result<Statistics> {
    let RawStatistics { packets, drops } =
        get_option(socket, libc::SOL_PACKET, libc::PACKET_STATISTICS)?;
    // The kernel counts the dropped ones among the packets.
    Ok(Statistics { received: packets.saturating_sub(drops), dropped: drops })
}

/// Of a `sockaddr_ll`, in bytes.
pub(crate) const ADDRESS_LENGTH: libc::socklen_t =
    size_of::<libc::sockaddr_ll>() as libc::socklen_t;

pub(crate) fn link_address(interface: u32, protocol: u16) -> libc::sockaddr_ll {
    libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: protocol.to_be(),
        sll_ifindex: interface.cast_signed(),
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    }
}

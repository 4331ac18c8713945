//! Socket options and calls of socket(7), raw(7) and ip(7) that nix does not wrap.

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `SK_MEMINFO_RMEM_ALLOC` (include/uapi/linux/sock_diag.h).
const MEMINFO_QUEUED: usize = 0;
/// `SK_MEMINFO_DROPS` (include/uapi/linux/sock_diag.h).
const MEMINFO_DROPS: usize = 8;
/// Less than the kernel charges for any packet in a queue: its structures alone are larger.
const LEAST_CHARGE: usize = 256;

/// `IPPROTO_RAW`: a raw socket of this protocol sends whole packets and receives none (raw(7)).
pub const PROTOCOL_RAW: u8 = 255;

/// A raw socket (raw(7)) in the calling thread's network namespace, nonblocking and close-on-exec.
/// `protocol` is the number in IP's header, or [`PROTOCOL_RAW`].
///
/// # Errors
/// `EPERM` without CAP_NET_RAW.
pub fn raw(ipv4: bool, protocol: u8) -> io::Result<OwnedFd> {
    let family = if ipv4 { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: three plain numbers; nix has no names for these protocols.
    let descriptor =
        Errno::result(unsafe { libc::socket(family, kind, libc::c_int::from(protocol)) })?;
    // SAFETY: the call returned a new descriptor without another owner.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
}

/// Dissolves a connection at once, even if a child process has a copy of the descriptor: the kernel
/// sends RST if the peer has to learn of it (connect(2) to `AF_UNSPEC`).
///
/// # Errors
/// Those of connect(2).
pub fn disconnect(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all zeroes is a valid address of family AF_UNSPEC, and outlives the call.
    let address: libc::sockaddr = unsafe { std::mem::zeroed() };
    let length = size_of::<libc::sockaddr>() as libc::socklen_t;
    // SAFETY: as above.
    let result = unsafe { libc::connect(socket.as_raw_fd(), &raw const address, length) };
    Errno::result(result).map(drop).map_err(io::Error::from)
}

/// `struct ipv6_mreq`.
#[repr(C)]
#[derive(Default)]
struct Ipv6Membership {
    group: [u8; 16],
    interface: u32,
}

// SAFETY: a plain structure of integers without padding.
unsafe impl Plain for Ipv6Membership {}

/// Has the kernel join a group on an interface as long as the IPv6 socket is open and has not left
/// (`IPV6_ADD_MEMBERSHIP`, ipv6(7)): it takes frames to the group in, and reports it to the segment by MLD
/// (RFC 9777), when it joins and when it is asked.
///
/// # Errors
/// `ENODEV` if there is no such interface, `EADDRINUSE` if the socket is a member already.
pub fn join_ipv6_group(socket: BorrowedFd<'_>, interface: u32, group: Ipv6Addr) -> io::Result<()> {
    let membership = Ipv6Membership { group: group.octets(), interface };
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_ADD_MEMBERSHIP, &membership)
}

/// Takes [`join_ipv6_group`] back (`IPV6_DROP_MEMBERSHIP`).
///
/// # Errors
/// Those of setsockopt(2).
pub fn leave_ipv6_group(socket: BorrowedFd<'_>, interface: u32, group: Ipv6Addr) -> io::Result<()> {
    let membership = Ipv6Membership { group: group.octets(), interface };
    set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_DROP_MEMBERSHIP, &membership)
}

/// Makes reads and writes return at once (`O_NONBLOCK`, fcntl(2)).
///
/// # Errors
/// Those of fcntl(2).
pub fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_retain(fcntl(descriptor, FcntlArg::F_GETFL)?);
    fcntl(descriptor, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Sets the receive queue's size in bytes: beyond the host's limit where that is allowed
/// (`SO_RCVBUFFORCE`, CAP_NET_ADMIN of the initial user namespace), otherwise up to the limit
/// (`SO_RCVBUF`).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_receive_queue(socket: BorrowedFd<'_>, bytes: i32) -> io::Result<()> {
    let level = libc::SOL_SOCKET;
    set_option(socket, level, libc::SO_RCVBUFFORCE, &bytes)
        .or_else(|_| set_option(socket, level, libc::SO_RCVBUF, &bytes))
}

/// The receive queue's size in bytes, twice what was asked for (`SO_RCVBUF`).
///
/// # Errors
/// Those of getsockopt(2).
pub fn receive_queue(socket: BorrowedFd<'_>) -> io::Result<i32> {
    get_int(socket, libc::SOL_SOCKET, libc::SO_RCVBUF)
}

/// Packets that the kernel dropped because the socket's queue was full, since the socket was made
/// (`SO_MEMINFO`, Linux 4.12); `None` on an older kernel.
#[must_use]
pub fn receive_drops(socket: BorrowedFd<'_>) -> Option<u64> {
    Some(u64::from(memory(socket)?[MEMINFO_DROPS]))
}

/// An upper bound of the number of packets in the socket's queue at this moment (`SO_MEMINFO`).
#[must_use]
pub fn queue_bound(socket: BorrowedFd<'_>) -> Option<usize> {
    Some(memory(socket)?[MEMINFO_QUEUED] as usize / LEAST_CHARGE + 1)
}

fn memory(socket: BorrowedFd<'_>) -> Option<[u32; MEMINFO_DROPS + 1]> {
    get_option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO).ok()
}

/// Reads and clears the socket's pending error (`SO_ERROR`); 0 if there is none.
///
/// # Errors
/// Those of getsockopt(2).
pub fn take_error(socket: BorrowedFd<'_>) -> io::Result<i32> {
    get_option(socket, libc::SOL_SOCKET, libc::SO_ERROR)
}

/// Sets an option whose value is an int (setsockopt(2)).
///
/// # Errors
/// Those of setsockopt(2).
pub fn set_int(socket: BorrowedFd<'_>, level: i32, option: i32, value: i32) -> io::Result<()> {
    set_option(socket, level, option, &value)
}

/// Gets an option whose value is an int (getsockopt(2)).
///
/// # Errors
/// Those of getsockopt(2).
pub fn get_int(socket: BorrowedFd<'_>, level: i32, option: i32) -> io::Result<i32> {
    get_option(socket, level, option)
}

/// The longest segment that a connected TCP socket sends at the moment, in bytes, without options
/// (`TCP_MAXSEG`, tcp(7)).
///
/// # Errors
/// It is no TCP socket.
pub fn segment_size(socket: BorrowedFd<'_>) -> io::Result<i32> {
    get_int(socket, libc::IPPROTO_TCP, libc::TCP_MAXSEG)
}

/// Restricts a socket to one interface (`SO_BINDTODEVICE`, socket(7)).
///
/// # Errors
/// `ENODEV` if the namespace has no such interface; `EPERM` without CAP_NET_RAW.
pub fn bind_to_device(socket: BorrowedFd<'_>, interface: &str) -> io::Result<()> {
    // SAFETY: the name is readable for the length that is given; the kernel needs no terminator.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTODEVICE,
            interface.as_ptr().cast(),
            interface.len() as libc::socklen_t,
        )
    };
    Ok(Errno::result(result).map(drop)?)
}

/// Values that the kernel may read and write byte by byte: any bit pattern is one.
///
/// # Safety
/// The type has no padding and no invalid bit pattern, and a pointer in it is one that the option
/// makes the kernel follow only as far as the value itself says.
pub(crate) unsafe trait Plain: Default {}

// SAFETY: an integer.
unsafe impl Plain for i32 {}
// SAFETY: an array of integers.
unsafe impl Plain for [u32; MEMINFO_DROPS + 1] {}

/// setsockopt(2).
pub(crate) fn set_option<T: Plain>(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
    value: &T,
) -> io::Result<()> {
    let length = size_of::<T>() as libc::socklen_t;
    let place = std::ptr::from_ref(value).cast();
    // SAFETY: `value` is readable for `length` bytes during the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, place, length) };
    Ok(Errno::result(result).map(drop)?)
}

/// getsockopt(2).
pub(crate) fn get_option<T: Plain>(
    socket: BorrowedFd<'_>,
    level: i32,
    option: i32,
) -> io::Result<T> {
    let mut value = T::default();
    let mut length = size_of::<T>() as libc::socklen_t;
    let place = std::ptr::from_mut(&mut value).cast();
    // SAFETY: `value` is writable for `length` bytes, which the kernel does not exceed, and
    // `Plain` promises that any bytes are a value.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, place, &raw mut length) };
    Errno::result(result)?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::{queue_bound, receive_drops, set_nonblocking};
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn the_bound_of_a_queue_is_above_what_is_in_it() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for count in 1..=100 {
            sender.send_to(&[], receiver.local_addr().unwrap()).unwrap();
            assert!(queue_bound(receiver.as_fd()).unwrap() > count);
        }
    }

    #[test]
    fn drops_of_a_full_queue_are_counted() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(receive_drops(receiver.as_fd()), Some(0));
        set_nonblocking(sender.as_fd()).unwrap();
        let to = receiver.local_addr().unwrap();
        for _ in 0..10_000 {
            sender.send_to(&[0; 1000], to).unwrap();
        }
        assert!(receive_drops(receiver.as_fd()).unwrap() > 0);
    }
}

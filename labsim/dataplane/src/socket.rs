//! Socket options and calls of packet(7) and socket(7) that nix does not wrap.

use crate::Error;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `SK_MEMINFO_RMEM_ALLOC` (include/uapi/linux/sock_diag.h).
const MEMINFO_QUEUED: usize = 0;
/// Less than the kernel charges for any packet in a queue: its structures alone are larger.
const LEAST_CHARGE: usize = 256;
/// `SK_MEMINFO_DROPS` (include/uapi/linux/sock_diag.h).
const MEMINFO_DROPS: usize = 8;

/// Makes reads and writes return at once.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> Result<(), Error> {
    let change = || -> nix::Result<()> {
        let flags = OFlag::from_bits_retain(fcntl(fd, FcntlArg::F_GETFL)?);
        fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK)).map(|_| ())
    };
    change()
        .map_err(|error| Error::system("a descriptor without blocking (fcntl(2))")(error.into()))
}

/// Keeps a packet socket from seeing what its own namespace sends (`PACKET_IGNORE_OUTGOING`,
/// Linux 4.20).
pub(crate) fn ignore_outgoing(socket: BorrowedFd<'_>) -> Result<(), Error> {
    set_option(socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, &1i32)
        .map_err(Error::system("PACKET_IGNORE_OUTGOING (packet(7))"))
}

/// Room for what waits in a socket: as much as is wanted where that is allowed, else as much as any
/// socket may have. Less room costs dropped frames, which are counted, and nothing else.
pub(crate) fn make_room(socket: BorrowedFd<'_>, bytes: i32) {
    let level = libc::SOL_SOCKET;
    if set_option(socket, level, libc::SO_RCVBUFFORCE, &bytes).is_err() {
        let _ = set_option(socket, level, libc::SO_RCVBUF, &bytes);
    }
}

/// Packets that the kernel dropped because the socket's queue was full, since it was made
/// (`SO_MEMINFO`, Linux 4.12).
pub(crate) fn receive_drops(socket: BorrowedFd<'_>) -> Option<u64> {
    Some(u64::from(memory(socket)?[MEMINFO_DROPS]))
}

/// A number of packets that the socket's queue cannot exceed at this moment.
pub(crate) fn queued_at_most(socket: BorrowedFd<'_>) -> Option<usize> {
    Some(memory(socket)?[MEMINFO_QUEUED] as usize / LEAST_CHARGE + 1)
}

fn memory(socket: BorrowedFd<'_>) -> Option<[u32; MEMINFO_DROPS + 1]> {
    get_option(socket, libc::SOL_SOCKET, libc::SO_MEMINFO).ok()
}

/// Whether the device that a packet socket is bound to has a carrier: for an end of a veth pair,
/// whether both ends are up (`ETHTOOL_GLINK`, linux/ethtool.h).
pub(crate) fn has_carrier(socket: BorrowedFd<'_>) -> nix::Result<bool> {
    #[repr(C)]
    struct Value {
        command: u32,
        data: u32,
    }
    const GET_LINK: u32 = 0x0a;
    // SAFETY: all zeroes are a valid sockaddr_ll.
    let mut bound: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    let mut length = size_of_val(&bound) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes of the address, and how many they are (18).
    Errno::result(unsafe {
        libc::getsockname(socket.as_raw_fd(), (&raw mut bound).cast(), &raw mut length)
    })?;
    // SAFETY: all zeroes are a valid ifreq: an empty name and a null pointer.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    request.ifr_ifru.ifru_ifindex = bound.sll_ifindex;
    // SAFETY: SIOCGIFNAME reads the number and writes the terminated name into the request.
    Errno::result(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFNAME as _, &raw mut request)
    })?;
    let mut value = Value { command: GET_LINK, data: 0 };
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the name is terminated, and the data points at a value of the command's type, which
    // outlives the call.
    Errno::result(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request)
    })?;
    Ok(value.data != 0)
}

/// Values that the kernel may read and write byte by byte: any bit pattern is one.
///
/// # Safety
/// The type has no padding, no pointer that the kernel does not follow as the option says, and no
/// invalid bit pattern.
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
    // SAFETY: `value` is readable for `length` bytes during the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            length,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
    // `Plain` promises that whatever is written is a value.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, place, &raw mut length) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use super::{queued_at_most, receive_drops, set_nonblocking};
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn the_bound_of_a_queue_is_above_what_is_in_it() {
        let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for count in 1..=100 {
            sender.send_to(&[], receiver.local_addr().unwrap()).unwrap();
            assert!(queued_at_most(receiver.as_fd()).unwrap() > count);
        }
    }

    #[test]
    fn drops_of_a_full_queue_are_told() {
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

//! Requests about network devices by ioctl(2): netdevice(7), linux/ethtool.h and tun(4).

use nix::errno::Errno;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// Asks whether there is a link (linux/ethtool.h).
const ETHTOOL_GLINK: u32 = 0x0a;
/// Switches transmit checksum offload (linux/ethtool.h).
const ETHTOOL_STXCSUM: u32 = 0x17;

const TUNSETIFF: libc::Ioctl = nix::request_code_write!(b'T', 202, size_of::<libc::c_int>());
const TUNSETPERSIST: libc::Ioctl = nix::request_code_write!(b'T', 203, size_of::<libc::c_int>());
const TUNSETIFINDEX: libc::Ioctl = nix::request_code_write!(b'T', 218, size_of::<libc::c_uint>());

/// `struct ethtool_value` (linux/ethtool.h).
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Turns transmit checksum offload off. The kernel then drops scatter-gather and every
/// segmentation offload by itself, as they need it: one request yields finished checksums and
/// no frame above the MTU.
///
/// `socket` is any socket of the device's network namespace, here and below.
///
/// # Errors
/// `ENODEV` if there is no such device; `EPERM` without CAP_NET_ADMIN.
pub fn disable_offloads(socket: &impl AsFd, name: &str) -> Result<(), Errno> {
    ethtool(socket.as_fd(), named(name), ETHTOOL_STXCSUM, 0).map(drop)
}

/// Whether the device has a carrier (for an end of a veth pair: whether both ends are up); and if
/// it has, frames go through when this returns.
///
/// A device whose far end came up later has its queues opened by a worker of the kernel's some
/// time after; until then it drops what is sent. Asking for the link's state does that at once
/// (`linkwatch_sync_dev`).
///
/// # Errors
/// `ENODEV` if there is no such device.
pub fn has_carrier(socket: &impl AsFd, name: &str) -> Result<bool, Errno> {
    Ok(ethtool(socket.as_fd(), named(name), ETHTOOL_GLINK, 0)? != 0)
}

/// [`has_carrier`] of the device with that number.
///
/// # Errors
/// `ENODEV` if there is no such device.
pub fn has_carrier_by_index(socket: &impl AsFd, index: u32) -> Result<bool, Errno> {
    Ok(ethtool(socket.as_fd(), numbered(socket.as_fd(), index)?, ETHTOOL_GLINK, 0)? != 0)
}

/// The name of the device with that number, in the namespace of the socket, of whatever kind that is.
///
/// # Errors
/// `ENODEV` if there is no such device.
pub fn name_of(socket: &impl AsFd, index: u32) -> Result<String, Errno> {
    let name = numbered(socket.as_fd(), index)?.ifr_name;
    let bytes = name.iter().map(|byte| byte.cast_unsigned()).take_while(|byte| *byte != 0);
    Ok(String::from_utf8_lossy(&bytes.collect::<Vec<u8>>()).into_owned())
}

/// A request with the name of the device with that number.
fn numbered(socket: BorrowedFd<'_>, index: u32) -> Result<libc::ifreq, Errno> {
    let mut request = named("");
    request.ifr_ifru.ifru_ifindex = index.cast_signed();
    // SAFETY: SIOCGIFNAME reads the number and writes the terminated name into the request.
    unsafe { about(socket, libc::SIOCGIFNAME, &mut request) }?;
    Ok(request)
}

fn ethtool(
    socket: BorrowedFd<'_>,
    mut request: libc::ifreq,
    command: u32,
    data: u32,
) -> Result<u32, Errno> {
    let mut value = EthtoolValue { command, data };
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request's name is terminated, and its data points at a value of the type that
    // both commands take, which outlives the call.
    unsafe { about(socket, libc::SIOCETHTOOL, &mut request) }?;
    Ok(value.data)
}

/// The number of a device.
///
/// # Errors
/// `ENODEV` if there is no such device.
pub fn index_of(socket: &impl AsFd, name: &str) -> Result<u32, Errno> {
    let mut request = named(name);
    // SAFETY: SIOCGIFINDEX reads the terminated name and writes the number into the request.
    unsafe { about(socket.as_fd(), libc::SIOCGIFINDEX, &mut request) }?;
    // SAFETY: a call that succeeded has filled this member.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    u32::try_from(index).map_err(|_| Errno::ENODEV)
}

/// The MTU of a device, in bytes.
///
/// # Errors
/// `ENODEV` if there is no such device.
pub fn mtu_of(socket: &impl AsFd, name: &str) -> Result<u32, Errno> {
    let mut request = named(name);
    // SAFETY: SIOCGIFMTU reads the terminated name and writes the MTU into the request.
    unsafe { about(socket.as_fd(), libc::SIOCGIFMTU, &mut request) }?;
    // SAFETY: a call that succeeded has filled this member.
    Ok(unsafe { request.ifr_ifru.ifru_mtu }.cast_unsigned())
}

/// The flags of a device (`IFF_UP`, `IFF_RUNNING`, ...; netdevice(7)).
///
/// # Errors
/// `ENODEV` if there is no such device.
pub fn flags_of(socket: &impl AsFd, name: &str) -> Result<i32, Errno> {
    let mut request = named(name);
    // SAFETY: SIOCGIFFLAGS reads the terminated name and writes the flags into the request.
    unsafe { about(socket.as_fd(), libc::SIOCGIFFLAGS, &mut request) }?;
    // SAFETY: a call that succeeded has filled this member.
    Ok(unsafe { request.ifr_ifru.ifru_flags }.into())
}

/// Sets a device down: it has no flag afterwards.
///
/// # Errors
/// `ENODEV` if there is no such device; `EPERM` without CAP_NET_ADMIN.
pub fn set_down(socket: &impl AsFd, name: &str) -> Result<(), Errno> {
    let mut request = named(name);
    // SAFETY: SIOCSIFFLAGS reads the terminated name and the flags.
    unsafe { about(socket.as_fd(), libc::SIOCSIFFLAGS, &mut request) }
}

/// Why there is no TUN device.
#[derive(Debug)]
pub enum TunError {
    /// `/dev/net/tun` does not open.
    Open(io::Error),
    /// It opens, and the kernel rejects the device.
    Create(Errno),
}

/// Creates a TUN device (packets without a header in front, `IFF_NO_PI`, tun(4)) in the calling
/// thread's network namespace; `index` 0 leaves its number to the kernel. The descriptor carries
/// its packets; closing it deletes the device, unless [`persist_tun`] was called.
///
/// # Errors
/// `/dev/net/tun` is missing or closed to this user, or the name or number is in use.
pub fn create_tun(name: &str, index: u32) -> Result<OwnedFd, TunError> {
    let tun =
        File::options().read(true).write(true).open("/dev/net/tun").map_err(TunError::Open)?;
    let wanted: libc::c_int = libc::c_int::try_from(index).unwrap_or_default();
    // SAFETY: TUNSETIFINDEX reads an int, which outlives the call.
    Errno::result(unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETIFINDEX, &raw const wanted) })
        .map_err(TunError::Create)?;
    let mut request = named(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads the terminated name and the flags and writes the name back.
    unsafe { about(tun.as_fd(), TUNSETIFF, &mut request) }.map_err(TunError::Create)?;
    Ok(tun.into())
}

/// Has a TUN device go with its namespace, and not with its descriptor, whose close would wait for
/// several of the kernel's grace periods, some 30 ms.
///
/// # Errors
/// Those of ioctl(2).
pub fn persist_tun(tun: &OwnedFd) -> Result<(), Errno> {
    // SAFETY: TUNSETPERSIST takes its argument by value.
    Errno::result(unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETPERSIST, 1) }).map(drop)
}

/// An ioctl that takes an ifreq.
///
/// # Safety
/// The command reads and writes an ifreq, and a pointer in it outlives the call.
unsafe fn about(
    socket: BorrowedFd<'_>,
    command: libc::Ioctl,
    request: &mut libc::ifreq,
) -> Result<(), Errno> {
    // SAFETY: the caller's promise.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), command as _, &raw mut *request) })
        .map(drop)
}

/// A request about a device of that name, of which the first 15 bytes count (`IFNAMSIZ`).
fn named(name: &str) -> libc::ifreq {
    // SAFETY: all zeroes are a valid ifreq: an empty name and a null pointer.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let longest = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name.iter_mut().zip(name.bytes()).take(longest) {
        *to = from as libc::c_char;
    }
    request
}

#[cfg(test)]
mod tests {
    use super::{flags_of, index_of, mtu_of};
    use nix::errno::Errno;
    use std::net::UdpSocket;

    #[test]
    fn the_loopback_device_is_described_and_a_missing_one_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert_eq!(index_of(&socket, "lo"), Ok(1));
        assert_eq!(mtu_of(&socket, "lo"), Ok(65_536));
        assert_ne!(flags_of(&socket, "lo").unwrap() & libc::IFF_LOOPBACK, 0);
        assert_eq!(index_of(&socket, "no-such-device-of-this-host"), Err(Errno::ENODEV));
    }
}

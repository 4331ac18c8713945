//! Devices beyond netlink: offload switches, device numbers, TUN devices.

use labsim_scenario::model::InterfaceName;
use nix::errno::Errno;
use std::fs::File;
use std::io::ErrorKind;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// Asks whether there is a link (linux/ethtool.h).
const ETHTOOL_GLINK: u32 = 0x0a;
/// Switches transmit checksum offload (linux/ethtool.h).
const ETHTOOL_STXCSUM: u32 = 0x17;

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
/// `socket` is any socket of the device's namespace.
pub(crate) fn offloads_off(socket: &impl AsFd, name: &InterfaceName) -> Result<(), Errno> {
    ethtool(socket, name, ETHTOOL_STXCSUM, 0).map(drop)
}

/// Whether the device has a carrier; and if it has, frames go through when this returns.
///
/// A device whose far end came up later has its queues opened by a worker of the kernel's some
/// time after; until then it drops what is sent. Asking for the link's state does that at once
/// (`linkwatch_sync_dev`).
pub(crate) fn has_carrier(socket: &impl AsFd, name: &InterfaceName) -> Result<bool, Errno> {
    Ok(ethtool(socket, name, ETHTOOL_GLINK, 0)? != 0)
}

fn ethtool(
    socket: &impl AsFd,
    name: &InterfaceName,
    command: u32,
    data: u32,
) -> Result<u32, Errno> {
    let mut value = EthtoolValue { command, data };
    let mut request = named(name);
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: the request's name is terminated, and its data points at a value of the type that
    // both commands take, which outlives the call.
    Errno::result(unsafe {
        libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request)
    })?;
    Ok(value.data)
}

/// The number of a device, for one that the kernel made by itself.
pub(crate) fn index_of(socket: &impl AsFd, name: &InterfaceName) -> Result<u32, Errno> {
    let mut request = named(name);
    // SAFETY: SIOCGIFINDEX reads the terminated name and writes the number into the request.
    Errno::result(unsafe {
        libc::ioctl(socket.as_fd().as_raw_fd(), libc::SIOCGIFINDEX as _, &raw mut request)
    })?;
    // SAFETY: a call that succeeded has filled this member.
    let index = unsafe { request.ifr_ifru.ifru_ifindex };
    u32::try_from(index).map_err(|_| Errno::ENODEV)
}

/// Makes a TUN device (packets without a header in front, tun(4)) in the namespace of the calling
/// thread. The descriptor carries its packets.
pub(crate) fn open_tun(name: &InterfaceName, index: u32) -> Result<OwnedFd, TunError> {
    let tun =
        File::options().read(true).write(true).open("/dev/net/tun").map_err(TunError::Open)?;
    let wanted: libc::c_int = libc::c_int::try_from(index).unwrap_or_default();
    // SAFETY: TUNSETIFINDEX reads an int, which outlives the call.
    Errno::result(unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETIFINDEX, &raw const wanted) })
        .map_err(TunError::Make)?;
    let mut request = named(name);
    request.ifr_ifru.ifru_flags = (libc::IFF_TUN | libc::IFF_NO_PI) as libc::c_short;
    // SAFETY: TUNSETIFF reads the terminated name and the flags and writes the name back.
    Errno::result(unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETIFF, &raw mut request) })
        .map_err(TunError::Make)?;
    // The device goes with its namespace. Without this it would go when the descriptor is closed,
    // and the close would wait for several grace periods, some 30 ms.
    // SAFETY: TUNSETPERSIST takes its argument by value.
    Errno::result(unsafe { libc::ioctl(tun.as_raw_fd(), TUNSETPERSIST, 1) })
        .map_err(TunError::Make)?;
    Ok(tun.into())
}

/// Why there is no TUN device.
#[derive(Debug)]
pub(crate) enum TunError {
    /// `/dev/net/tun` does not open.
    Open(std::io::Error),
    /// It opens, and the device is refused.
    Make(Errno),
}

impl TunError {
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Open(error) => match error.kind() {
                ErrorKind::NotFound => "/dev/net/tun is missing".into(),
                ErrorKind::PermissionDenied => "/dev/net/tun is not for this user".into(),
                _ => format!("/dev/net/tun does not open ({error})"),
            },
            Self::Make(errno) => format!("the kernel refuses it ({})", errno.desc()),
        }
    }

    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::Open(error) if error.kind() == ErrorKind::PermissionDenied => {
                "let everybody open it, as udev does: `chmod 0666 /dev/net/tun`".into()
            }
            Self::Make(Errno::EPERM) => "run as root, or grant CAP_NET_ADMIN".into(),
            Self::Open(_) | Self::Make(_) => {
                "in a container: `--device /dev/net/tun`; elsewhere: `modprobe tun`".into()
            }
        }
    }
}

const TUNSETIFF: libc::Ioctl = nix::request_code_write!(b'T', 202, size_of::<libc::c_int>());
const TUNSETPERSIST: libc::Ioctl = nix::request_code_write!(b'T', 203, size_of::<libc::c_int>());
const TUNSETIFINDEX: libc::Ioctl = nix::request_code_write!(b'T', 218, size_of::<libc::c_uint>());

fn named(name: &InterfaceName) -> libc::ifreq {
    // SAFETY: all zeroes are a valid ifreq: an empty name and a null pointer.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // A name has at most 15 bytes, so a terminator is left.
    for (to, from) in request.ifr_name.iter_mut().zip(name.as_str().bytes()) {
        *to = from as libc::c_char;
    }
    request
}

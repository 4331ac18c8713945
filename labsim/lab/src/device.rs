//! Why a TUN device cannot be created, and what helps.

use crate::kernel_module::how_to_load;
use labsim_sys::Errno;
use labsim_sys::device::TunError;
use std::io::ErrorKind;

/// Why the device cannot be created.
pub(crate) fn tun_reason(error: &TunError) -> String {
    match error {
        TunError::Open(error) => match error.kind() {
            ErrorKind::NotFound => "/dev/net/tun is missing".into(),
            ErrorKind::PermissionDenied => "/dev/net/tun is closed to this user".into(),
            _ => format!("/dev/net/tun does not open ({error})"),
        },
        TunError::Create(errno) => format!("the kernel refuses it ({})", errno.desc()),
    }
}

/// What helps.
pub(crate) fn tun_remedy(error: &TunError) -> String {
    match error {
        TunError::Open(error) if error.kind() == ErrorKind::PermissionDenied => {
            "open it to all users, as udev does: `chmod 0666 /dev/net/tun`".into()
        }
        TunError::Create(Errno::EPERM) => "run as root, or grant CAP_NET_ADMIN".into(),
        TunError::Open(_) | TunError::Create(_) => {
            format!("in a container: `--device /dev/net/tun`; elsewhere: {}", how_to_load("tun"))
        }
    }
}

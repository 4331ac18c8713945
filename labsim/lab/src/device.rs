//! TUN devices: made to go with their namespace; why one cannot be created, and what helps.

use crate::kernel_module::how_to_load;
use labsim_sys::Errno;
use labsim_sys::device::{TunError, create_tun, persist_tun};
use std::io::ErrorKind;
use std::os::fd::OwnedFd;

/// Creates a TUN device in the calling thread's namespace that goes with the namespace: to close it is
/// not to delete it, for which the caller would wait.
pub(crate) fn create_lasting_tun(name: &str, index: u32) -> Result<OwnedFd, TunError> {
    let tun = create_tun(name, index)?;
    persist_tun(&tun).map_err(TunError::Create)?;
    Ok(tun)
}

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

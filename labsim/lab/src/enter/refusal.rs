//! Why this machine refuses namespaces, and what helps.

use super::{Refused, Stage};
use nix::errno::Errno;
use std::io;

/// Rights that this process could not get. Each says what is missing and what helps.
#[derive(Debug, thiserror::Error)]
pub enum RightsError {
    /// Ubuntu's AppArmor rule takes the capabilities away inside user namespaces.
    #[error(
        "AppArmor takes the rights from user namespaces here \
         (kernel.apparmor_restrict_unprivileged_userns = 1): run as root, or allow them with \
         `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`"
    )]
    AppArmor,
    /// `user.max_user_namespaces` is used up, or 0.
    #[error(
        "no more user namespaces are allowed (user.max_user_namespaces = {limit}): run as root, \
         or raise it with `sysctl -w user.max_user_namespaces=15000`"
    )]
    UserNamespaceLimit {
        /// The limit as the kernel shows it.
        limit: String,
    },
    /// `user.max_net_namespaces` is used up, or 0.
    #[error(
        "no more network namespaces are allowed (user.max_net_namespaces = {limit}): raise it \
         with `sysctl -w user.max_net_namespaces=15000`"
    )]
    NetworkNamespaceLimit {
        /// The limit as the kernel shows it.
        limit: String,
    },
    /// Debian's switch is off.
    #[error(
        "user namespaces are for root only here (kernel.unprivileged_userns_clone = 0): run as \
         root, or allow them with `sysctl -w kernel.unprivileged_userns_clone=1`"
    )]
    UserNamespacesOff,
    /// A system call filter forbids it, as a container's default one does.
    #[error(
        "a system call filter forbids namespaces, as in a container without privileges: start \
         the container with `--privileged`, or with `--cap-add SYS_ADMIN --cap-add NET_ADMIN \
         --cap-add NET_RAW --device /dev/net/tun --security-opt systempaths=unconfined \
         --security-opt apparmor=unconfined`"
    )]
    Filtered,
    /// The kernel has no user namespaces, or this process has several threads.
    #[error(
        "the kernel makes no user namespace for this process (it is built without \
         CONFIG_USER_NS, or the process already has several threads): run as root"
    )]
    NoUserNamespaces,
    /// The user namespace's maps could not be written.
    #[error("{file} cannot be written ({source}): run as root, with CAP_SYS_ADMIN")]
    Map {
        /// Which of the three files.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A capability is missing, and a user namespace does not give it either.
    #[error("{capability} is missing ({source}): run as root, or grant it to this process")]
    Capability {
        /// As capabilities(7) names it.
        capability: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The trial itself could not be made.
    #[error("namespaces cannot be tried: {0}")]
    Trial(io::Error),
}

/// unshare(CLONE_NEWUSER) failed, after a network namespace had been refused as `first` says.
pub(super) fn no_user_namespace(errno: Errno, first: &Refused) -> RightsError {
    match errno {
        Errno::ENOSPC | Errno::EUSERS => {
            RightsError::UserNamespaceLimit { limit: setting("user/max_user_namespaces") }
        }
        Errno::EINVAL | Errno::ENOSYS => RightsError::NoUserNamespaces,
        _ if setting("kernel/unprivileged_userns_clone") == "0" => RightsError::UserNamespacesOff,
        _ if setting("kernel/apparmor_restrict_unprivileged_userns") == "1" => {
            RightsError::AppArmor
        }
        _ if filtered() => RightsError::Filtered,
        _ => missing(first),
    }
}

/// The maps of a user namespace that was made could not be written.
pub(super) fn no_identity_map(file: &'static str, source: io::Error) -> RightsError {
    if setting("kernel/apparmor_restrict_unprivileged_userns") == "1" {
        RightsError::AppArmor
    } else {
        RightsError::Map { file, source }
    }
}

/// A user namespace was made, and it does not help.
pub(super) fn powerless_user_namespace(refused: &Refused) -> RightsError {
    match refused.errno {
        Errno::ENOSPC => {
            RightsError::NetworkNamespaceLimit { limit: setting("user/max_net_namespaces") }
        }
        _ if setting("kernel/apparmor_restrict_unprivileged_userns") == "1" => {
            RightsError::AppArmor
        }
        _ if refused.stage == Stage::Namespace && filtered() => RightsError::Filtered,
        _ => missing(refused),
    }
}

fn missing(refused: &Refused) -> RightsError {
    let capability = match refused.stage {
        Stage::Namespace => "CAP_SYS_ADMIN",
        Stage::Configure => "CAP_NET_ADMIN",
        Stage::Capture => "CAP_NET_RAW",
    };
    RightsError::Capability { capability, source: refused.errno.into() }
}

/// A setting below /proc/sys, empty where the kernel has none of that name.
fn setting(path: &str) -> String {
    std::fs::read_to_string(format!("/proc/sys/{path}"))
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

/// Whether a seccomp filter is set on this process (`Seccomp: 2`, proc_pid_status(5)).
fn filtered() -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| {
        status
            .lines()
            .filter_map(|line| line.strip_prefix("Seccomp:"))
            .any(|mode| mode.trim() == "2")
    })
}

//! Why this machine refuses namespaces, and what helps.

use super::host_policy::HostPolicy;
use super::{Refused, Stage};
use labsim_sys::Errno;
use std::io;

/// Privileges that this process does not have. Each says what is missing and what helps.
#[derive(Debug, thiserror::Error)]
pub enum PrivilegeError {
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
        "only root may create user namespaces here (kernel.unprivileged_userns_clone = 0): run as \
         root, or allow them with `sysctl -w kernel.unprivileged_userns_clone=1`"
    )]
    UserNamespacesOff,
    /// A system call filter forbids it, as docker's default one does to a process without
    /// CAP_SYS_ADMIN (seccomp(2)).
    #[error(
        "{capability} is missing, and a system call filter (seccomp) forbids the user namespace \
         that could replace it: start the container with `--cap-add {}`, or, for a user \
         without rights, with `--security-opt seccomp=unconfined`; in a unit of systemd, set \
         `RestrictNamespaces=no`",
        option(.capability)
    )]
    Filtered {
        /// As capabilities(7) names it.
        capability: &'static str,
    },
    /// The kernel has no user namespaces, or this process has several threads.
    #[error(
        "the kernel makes no user namespace for this process (it is built without \
         CONFIG_USER_NS, or the process already has several threads): run as root"
    )]
    NoUserNamespaces,
    /// Root without CAP_SETFCAP may not be root of a user namespace either
    /// (user_namespaces(7), since Linux 5.12).
    #[error(
        "{capability} is missing, and CAP_SETFCAP, with which root could make a user namespace \
         that replaces it: grant one of them to this process (in a container: `--cap-add \
         {}`, or `--cap-add SETFCAP`)",
        option(.capability)
    )]
    NoStandIn {
        /// As capabilities(7) names it.
        capability: &'static str,
    },
    /// The user namespace's maps could not be written.
    #[error("{file} cannot be written ({source}): run as root, with CAP_SYS_ADMIN")]
    Map {
        /// Which of the three files.
        file: &'static str,
        /// Why.
        source: io::Error,
    },
    /// A capability is missing, and a user namespace does not give it either.
    #[error(
        "{capability} is missing ({source}): run as root, or grant it to this process (in a \
         container: `--cap-add {}`)",
        option(.capability)
    )]
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

/// As docker and podman spell a capability.
fn option(capability: &str) -> &str {
    capability.trim_start_matches("CAP_")
}

/// unshare(CLONE_NEWUSER) failed, after a network namespace had been refused as `first` says.
pub(super) fn no_user_namespace(
    errno: Errno,
    first: &Refused,
    policy: &HostPolicy,
) -> PrivilegeError {
    match errno {
        Errno::ENOSPC | Errno::EUSERS => {
            PrivilegeError::UserNamespaceLimit { limit: policy.max_user_namespaces.clone() }
        }
        Errno::EINVAL | Errno::ENOSYS => PrivilegeError::NoUserNamespaces,
        _ if policy.unprivileged_userns_clone == "0" => PrivilegeError::UserNamespacesOff,
        _ if policy.apparmor_restricts == "1" => PrivilegeError::AppArmor,
        _ if policy.filtered => PrivilegeError::Filtered { capability: first.capability() },
        _ => first.missing(),
    }
}

/// The maps of a user namespace that was made could not be written.
pub(super) fn no_identity_map(
    file: &'static str,
    source: io::Error,
    first: &Refused,
    was_root: bool,
    policy: &HostPolicy,
) -> PrivilegeError {
    match source.kind() {
        _ if policy.apparmor_restricts == "1" => PrivilegeError::AppArmor,
        io::ErrorKind::PermissionDenied if was_root => {
            PrivilegeError::NoStandIn { capability: first.capability() }
        }
        _ => PrivilegeError::Map { file, source },
    }
}

/// A user namespace was made, and it does not help.
pub(super) fn powerless_user_namespace(refused: &Refused, policy: &HostPolicy) -> PrivilegeError {
    match refused.errno {
        Errno::ENOSPC => {
            PrivilegeError::NetworkNamespaceLimit { limit: policy.max_net_namespaces.clone() }
        }
        _ if policy.apparmor_restricts == "1" => PrivilegeError::AppArmor,
        _ if refused.stage == Stage::Namespace && policy.filtered => {
            PrivilegeError::Filtered { capability: refused.capability() }
        }
        _ => refused.missing(),
    }
}

impl Refused {
    /// What would have allowed it.
    fn capability(&self) -> &'static str {
        match self.stage {
            Stage::Namespace => "CAP_SYS_ADMIN",
            Stage::Configure => "CAP_NET_ADMIN",
            Stage::Capture => "CAP_NET_RAW",
            Stage::Listen => "CAP_NET_BIND_SERVICE",
        }
    }

    fn missing(&self) -> PrivilegeError {
        PrivilegeError::Capability { capability: self.capability(), source: self.errno.into() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: Refused = Refused { stage: Stage::Namespace, errno: Errno::EPERM };

    fn says(error: &PrivilegeError, parts: &[&str]) {
        let text = error.to_string();
        for part in parts {
            assert!(text.contains(part), "nothing says `{part}`: {text}");
        }
    }

    /// What Ubuntu 24.04 shows: depending on its profiles, the namespace is refused, or its map,
    /// or whatever is done in it.
    #[test]
    fn apparmors_rule_is_named_wherever_it_bites() {
        let policy = HostPolicy { apparmor_restricts: "1".into(), ..HostPolicy::default() };
        let parts = ["kernel.apparmor_restrict_unprivileged_userns = 1", "run as root"];
        says(&no_user_namespace(Errno::EACCES, &FIRST, &policy), &parts);
        let map = |was_root| {
            let refused = io::Error::from(Errno::EPERM);
            no_identity_map("/proc/self/uid_map", refused, &FIRST, was_root, &policy)
        };
        says(&map(false), &parts);
        says(&map(true), &parts);
        says(&powerless_user_namespace(&FIRST, &policy), &parts);
        let off = HostPolicy { apparmor_restricts: "0".into(), ..HostPolicy::default() };
        says(&no_user_namespace(Errno::EACCES, &FIRST, &off), &["CAP_SYS_ADMIN is missing"]);
    }

    #[test]
    fn debians_switch_is_named() {
        let policy = HostPolicy { unprivileged_userns_clone: "0".into(), ..HostPolicy::default() };
        let error = no_user_namespace(Errno::EPERM, &FIRST, &policy);
        says(&error, &["kernel.unprivileged_userns_clone = 0", "sysctl -w"]);
    }

    #[test]
    fn a_limit_is_named_with_its_value() {
        let policy = HostPolicy { max_user_namespaces: "0".into(), ..HostPolicy::default() };
        let error = no_user_namespace(Errno::ENOSPC, &FIRST, &policy);
        says(&error, &["user.max_user_namespaces = 0", "sysctl -w user.max_user_namespaces"]);
    }

    #[test]
    fn a_filter_is_named_with_the_option_that_lifts_it() {
        let policy = HostPolicy { filtered: true, ..HostPolicy::default() };
        let error = no_user_namespace(Errno::EPERM, &FIRST, &policy);
        says(&error, &["seccomp", "`--cap-add SYS_ADMIN`", "RestrictNamespaces=no"]);
    }

    #[test]
    fn root_without_the_right_to_stand_in_is_told_the_capability_that_it_lacks() {
        for (stage, option) in [
            (Stage::Configure, "NET_ADMIN"),
            (Stage::Capture, "NET_RAW"),
            (Stage::Listen, "NET_BIND_SERVICE"),
        ] {
            let first = Refused { stage, errno: Errno::EPERM };
            let refused = io::Error::from(Errno::EPERM);
            let policy = HostPolicy::default();
            let error = no_identity_map("/proc/self/uid_map", refused, &first, true, &policy);
            says(&error, &[&format!("CAP_{option} is missing"), &format!("`--cap-add {option}`")]);
        }
    }
}

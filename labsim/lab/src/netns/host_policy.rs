//! The host's rules for namespaces: sysctls, seccomp, AppArmor.

use std::fs::read_to_string;

/// Read after a refusal, to find the rule that caused it. Empty where the kernel has no such
/// setting.
#[derive(Debug, Default)]
pub(crate) struct HostPolicy {
    /// `user.max_user_namespaces`.
    pub(crate) max_user_namespaces: String,
    /// `user.max_net_namespaces`.
    pub(crate) max_net_namespaces: String,
    /// `kernel.unprivileged_userns_clone`, Debian's switch.
    pub(crate) unprivileged_userns_clone: String,
    /// `kernel.apparmor_restrict_unprivileged_userns`, Ubuntu's.
    pub(crate) apparmor_restricts: String,
    /// Whether a seccomp filter is set on this process (`Seccomp: 2`, proc_pid_status(5)).
    pub(crate) filtered: bool,
}

impl HostPolicy {
    pub(crate) fn read() -> Self {
        Self {
            max_user_namespaces: setting("user/max_user_namespaces"),
            max_net_namespaces: setting("user/max_net_namespaces"),
            unprivileged_userns_clone: setting("kernel/unprivileged_userns_clone"),
            apparmor_restricts: setting("kernel/apparmor_restrict_unprivileged_userns"),
            filtered: read_to_string("/proc/self/status").is_ok_and(|text| has_filter(&text)),
        }
    }
}

/// A setting below /proc/sys.
fn setting(path: &str) -> String {
    read_to_string(format!("/proc/sys/{path}"))
        .map(|text| text.trim().to_owned())
        .unwrap_or_default()
}

fn has_filter(status: &str) -> bool {
    let mut modes = status.lines().filter_map(|line| line.strip_prefix("Seccomp:"));
    modes.any(|mode| mode.trim() == "2")
}

/// The AppArmor profile that confines this process, such as `docker-default`: it forbids mounts
/// and writing below `/proc/sys/net`, whatever capabilities there are.
pub(crate) fn apparmor_profile() -> Option<String> {
    // The folder is AppArmor's own; the file above it is whichever security module's comes first.
    profile_in(&read_to_string("/proc/thread-self/attr/apparmor/current").ok()?)
}

/// From `NAME (MODE)`; an unconfined process has no mode, and a complaining profile no effect.
fn profile_in(text: &str) -> Option<String> {
    let (name, mode) = text.trim_end_matches(['\n', '\0']).rsplit_once(" (")?;
    (mode != "complain)").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_told_from_none() {
        assert!(has_filter("Name:\tx\nSeccomp:\t2\nSeccomp_filters:\t1\n"));
        assert!(!has_filter("Name:\tx\nSeccomp:\t0\nSeccomp_filters:\t0\n"));
    }

    #[test]
    fn a_profile_that_confines_is_named() {
        assert_eq!(profile_in("docker-default (enforce)\n").as_deref(), Some("docker-default"));
        assert_eq!(profile_in("docker-default (complain)\n"), None);
        assert_eq!(profile_in("unconfined\n"), None);
        assert_eq!(profile_in(""), None);
    }
}

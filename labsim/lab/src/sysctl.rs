//! Settings below `/proc/sys`: written, and read back.

use crate::error::descriptors_hint;
use crate::kernel_module::how_to_load;
use crate::netns::apparmor_profile;
use crate::plan::Sysctl;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::Path;
use tracing::debug;

/// What the kernel's text of a setting may take.
const VALUE_BYTES: usize = 1024;

/// Why a setting is not as it was wanted.
#[derive(Debug, thiserror::Error)]
pub enum SysctlError {
    /// The kernel, or this namespace, has no such setting.
    #[error("sysctl {key}: unknown to this kernel in a network namespace")]
    Unknown {
        /// Dotted.
        key: String,
    },
    /// `/proc/sys` is read-only, as in a container without privileges.
    #[error(
        "sysctl {key} = {wanted}: /proc/sys is read-only; {}",
        read_only_remedy(apparmor_profile())
    )]
    ReadOnly {
        /// Dotted.
        key: String,
        /// The value that was written.
        wanted: String,
    },
    /// AppArmor forbids it to processes of this profile, as docker's default one does.
    #[error("sysctl {key} = {wanted}: AppArmor's profile {profile} denies it; {UNCONFINED}")]
    AppArmor {
        /// Dotted.
        key: String,
        /// The value that was written.
        wanted: String,
        /// The profile.
        profile: String,
    },
    /// The kernel refused the value, or the process may not set it.
    #[error("sysctl {key} = {wanted}: the kernel rejects it: {source}{}", descriptors_hint(.source))]
    Refused {
        /// Dotted.
        key: String,
        /// The value that was written.
        wanted: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel accepted it and reads back another value.
    #[error("sysctl {key}: set to {wanted}, but the kernel reads back {got}")]
    Differs {
        /// Dotted.
        key: String,
        /// The value that was written.
        wanted: String,
        /// The value that was read back.
        got: String,
    },
}

/// What helps against an AppArmor profile.
const UNCONFINED: &str = "start the container with `--security-opt apparmor=unconfined`";

/// What helps against a read-only `/proc/sys`, which labsim could not make writable for itself.
fn read_only_remedy(profile: Option<String>) -> String {
    match profile {
        Some(profile) => {
            format!("AppArmor's profile {profile} denies making it writable; {UNCONFINED}")
        }
        None => "start the container with `--cap-add SYS_ADMIN`, by which labsim makes it \
                 writable for itself alone, or, for a user without rights, with `--security-opt \
                 systempaths=unconfined` (podman: `--security-opt unmask=/proc/sys`)"
            .to_owned(),
    }
}

impl SysctlError {
    /// What helps.
    pub(crate) fn remedy(&self) -> String {
        match self {
            Self::ReadOnly { .. } => read_only_remedy(apparmor_profile()),
            Self::AppArmor { .. } => UNCONFINED.to_owned(),
            Self::Unknown { .. } => "use a kernel that has it".to_owned(),
            Self::Refused { .. } | Self::Differs { .. } => {
                "run as root, outside of a sandbox that guards /proc/sys".to_owned()
            }
        }
    }
}

impl Sysctl {
    /// Sets it in the namespace of the calling thread (network settings are the namespace's own)
    /// and reads it back.
    pub(crate) fn set(&self) -> Result<(), SysctlError> {
        let (key, wanted) = (self.key.clone(), self.value.clone());
        let set = || {
            let file = File::options()
                .read(true)
                .write(true)
                .open(format!("/proc/sys/{}", self.path()))?;
            file.write_at(self.value.as_bytes(), 0)?;
            read_text(&file)
        };
        match set() {
            Ok(got) if same(&self.value, &got) => {
                debug!(key, value = wanted, read_back = got.trim(), "sysctl written");
                Ok(())
            }
            Ok(got) => Err(SysctlError::Differs { key, wanted, got: got.trim().to_owned() }),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(SysctlError::Unknown { key }),
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {
                Err(SysctlError::ReadOnly { key, wanted })
            }
            Err(source) => Err(match apparmor_profile() {
                Some(profile) if source.kind() == ErrorKind::PermissionDenied => {
                    SysctlError::AppArmor { key, wanted, profile }
                }
                _ => SysctlError::Refused { key, wanted, source },
            }),
        }
    }
}

fn read_text(file: &File) -> io::Result<String> {
    let mut buffer = [0; VALUE_BYTES];
    let length = file.read_at(&mut buffer, 0)?;
    Ok(String::from_utf8_lossy(buffer.get(..length).unwrap_or_default()).into_owned())
}

/// Equal but for white space: the kernel separates several numbers with tabs.
fn same(wanted: &str, got: &str) -> bool {
    wanted.split_whitespace().eq(got.split_whitespace())
}

/// Whether this kernel runs IPv6.
pub(crate) fn has_ipv6() -> bool {
    Path::new("/proc/sys/net/ipv6/conf/default").exists()
}

/// What helps a kernel that does not: it was booted with `ipv6.disable=1`, or has no such module
/// (Documentation/networking/ipv6.rst).
pub(crate) fn ipv6_remedy() -> String {
    match Path::new("/sys/module/ipv6/parameters/disable").exists() {
        true => "boot it without `ipv6.disable=1`".into(),
        false => how_to_load("ipv6"),
    }
}

/// The IPv4 interface settings of a fresh namespace, brought back to the kernel's own defaults.
///
/// A new namespace copies the settings of the initial one (`net.core.devconf_inherit_init_net`),
/// so a host with, say, `rp_filter = 2` would change what a lab shows. They are read in the first
/// namespace of a lab, and what differs is written in every one.
#[derive(Debug)]
pub(crate) struct Baseline {
    differing: Vec<Sysctl>,
    /// `forwarding` under `all` and `default`, and `accept_redirects` under `all`.
    forwards: bool,
    forwards_by_default: bool,
    accepts_redirects: bool,
    ipv6: bool,
}

/// The IPv4 interface settings that change what a host does, and their defaults under `all` and
/// under `default` (`ipv4_devconf` and `ipv4_devconf_dflt` of net/ipv4/devinet.c). What depends on
/// whether the node forwards is not among them.
const DEFAULTS: [(&str, &str, &str); 26] = [
    ("accept_local", "0", "0"),
    ("accept_source_route", "0", "1"),
    ("arp_accept", "0", "0"),
    ("arp_announce", "0", "0"),
    ("arp_evict_nocarrier", "1", "1"),
    ("arp_filter", "0", "0"),
    ("arp_ignore", "0", "0"),
    ("arp_notify", "0", "0"),
    ("bc_forwarding", "0", "0"),
    ("bootp_relay", "0", "0"),
    ("disable_policy", "0", "0"),
    ("disable_xfrm", "0", "0"),
    ("drop_gratuitous_arp", "0", "0"),
    ("drop_unicast_in_l2_multicast", "0", "0"),
    ("force_igmp_version", "0", "0"),
    ("ignore_routes_with_linkdown", "0", "0"),
    ("log_martians", "0", "0"),
    ("medium_id", "0", "0"),
    ("promote_secondaries", "0", "0"),
    ("proxy_arp", "0", "0"),
    ("proxy_arp_pvlan", "0", "0"),
    ("route_localnet", "0", "0"),
    ("rp_filter", "0", "0"),
    ("secure_redirects", "1", "1"),
    ("send_redirects", "1", "1"),
    ("shared_media", "1", "1"),
];

impl Baseline {
    /// Reads what the calling thread's namespace, a fresh one, has copied from the host. A setting
    /// that this kernel does not have is skipped.
    pub(crate) fn read() -> Self {
        let mut differing = Vec::new();
        let rest = [("accept_redirects", "", "1")];
        for (setting, all, default) in DEFAULTS.into_iter().chain(rest) {
            for (folder, wanted) in [("all", all), ("default", default)] {
                let got = copied(folder, setting);
                if wanted.is_empty() || got.is_none_or(|got| same(wanted, &got)) {
                    continue;
                }
                // `lo` was there before anything could be set, and has the host's `default`.
                let folders: &[_] = if folder == "all" { &["all"] } else { &["default", "lo"] };
                differing.extend(folders.iter().map(|folder| interface(folder, setting, wanted)));
            }
        }
        let is_on = |folder, setting| copied(folder, setting).is_some_and(|got| same("1", &got));
        Self {
            differing,
            forwards: is_on("all", "forwarding"),
            forwards_by_default: is_on("default", "forwarding"),
            accepts_redirects: is_on("all", "accept_redirects"),
            ipv6: has_ipv6(),
        }
    }

    /// Whether this kernel runs IPv6.
    pub(crate) fn ipv6(&self) -> bool {
        self.ipv6
    }

    /// Sets what differs in the calling thread's namespace, and whether it forwards.
    pub(crate) fn set(&self, forward: bool) -> Result<(), SysctlError> {
        self.differing.iter().try_for_each(Sysctl::set)?;
        let on_off = |on| if on { "1" } else { "0" };
        if self.forwards != forward {
            // The kernel goes through all interfaces, and has a router take no redirects.
            let key = "net.ipv4.ip_forward";
            return Sysctl::new(key, on_off(forward)).set();
        }
        if self.accepts_redirects == forward {
            interface("all", "accept_redirects", on_off(!forward)).set()?;
        }
        if self.forwards_by_default != forward {
            for folder in ["default", "lo"] {
                interface(folder, "forwarding", on_off(forward)).set()?;
            }
        }
        Ok(())
    }
}

fn interface(folder: &str, setting: &str, value: &str) -> Sysctl {
    Sysctl::new(format!("net.ipv4.conf.{folder}.{setting}"), value)
}

fn copied(folder: &str, setting: &str) -> Option<String> {
    let path = format!("/proc/sys/net/ipv4/conf/{folder}/{setting}");
    read_text(&File::open(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTION: &str = "`--security-opt apparmor=unconfined`";

    /// docker's profile denies the mount that would make `/proc/sys` writable.
    #[test]
    fn the_profile_that_keeps_proc_sys_read_only_is_named() {
        let text = read_only_remedy(Some("docker-default".into()));
        assert!(text.contains("docker-default") && text.contains(OPTION), "{text}");
        let text = read_only_remedy(None);
        assert!(text.contains("`--cap-add SYS_ADMIN`") && !text.contains(OPTION), "{text}");
    }

    /// And it denies what is written there, where the engine leaves it writable.
    #[test]
    fn the_profile_that_forbids_a_setting_is_named() {
        let error = SysctlError::AppArmor {
            key: "net.ipv4.ip_forward".into(),
            wanted: "1".into(),
            profile: "docker-default".into(),
        };
        let text = error.to_string();
        for part in ["net.ipv4.ip_forward = 1", "docker-default", OPTION] {
            assert!(text.contains(part), "nothing says `{part}`: {text}");
        }
    }
}

//! What can go wrong while a lab is built, each in a sentence with the remedy.

use crate::kernel_module::how_to_load;
use crate::sysctl::SysctlError;
use labsim_scenario::model::Place;
use nix::errno::Errno;
use std::io;

/// A lab that could not be built. Whatever had been made is undone when this is returned.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// No network namespace could be made.
    #[error("cannot create a network namespace for {node}: {source}{}", rights_hint(.source))]
    Namespace {
        /// For which node.
        node: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel refused a request.
    #[error("{operation}: {reason}")]
    Refused {
        /// Such as `address 10.1.1.51/24 on rs1:eth0`.
        operation: String,
        /// What the kernel said.
        reason: String,
    },
    /// A capability is missing inside the namespace.
    #[error(
        "{operation}: {capability} is missing; run as root, or grant it (in a container: \
         `--cap-add {}`)",
        .capability.trim_start_matches("CAP_")
    )]
    Capability {
        /// What was tried.
        operation: String,
        /// As capabilities(7) names it.
        capability: &'static str,
    },
    /// A setting is not as it was wanted.
    #[error("{}{node}: {source}", prefix(.place.as_deref()))]
    Sysctl {
        /// Its place in the file, if a file has it.
        place: Option<Box<Place>>,
        /// In which node.
        node: String,
        /// Which, and why.
        source: SysctlError,
    },
    /// The plan needs a TUN device, and none can be created.
    #[error("{node}: cannot create the TUN device {name}: {reason}; {remedy}")]
    Tun {
        /// In which node.
        node: String,
        /// The device.
        name: String,
        /// Why.
        reason: String,
        /// What helps.
        remedy: String,
    },
    /// The kernel has no such tunnel, and the plan demands it.
    #[error(
        "{node}: the kernel has no {module} module; {}, or use the userspace tunnel",
        how_to_load(.module)
    )]
    NoKernelTunnel {
        /// In which node.
        node: String,
        /// The module.
        module: &'static str,
    },
    /// The kernel has no packet filter, or lacks a part of it.
    #[error(
        "{node}: the kernel has no nftables for {what} ({reason}); {}, or use a kernel with \
         CONFIG_NF_TABLES_INET",
        how_to_load("-a nf_tables nft_ct nft_reject_inet")
    )]
    NoFilter {
        /// In which node.
        node: String,
        /// Such as ``the rule `ct state invalid drop` ``.
        what: String,
        /// What the kernel said.
        reason: String,
    },
    /// netem was set, and is not what was set.
    #[error(
        "netem does not apply the impairment of frames from {sender} ({}); use labsim's own relay: \
         `--impairments relay`",
        .differences.join("; ")
    )]
    NotAsSet {
        /// `node:interface`.
        sender: String,
        /// A sentence for each setting that differs.
        differences: Vec<String>,
    },
    /// A link that is up at both ends has no carrier.
    #[error("{interface} is up but has no carrier")]
    NoCarrier {
        /// `node:interface`.
        interface: String,
    },
    /// This process could not do its own part.
    #[error("{what}: {source}{}", descriptors_hint(.source))]
    Process {
        /// What was tried.
        what: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
}

/// A place before a message about it.
fn prefix(place: Option<&Place>) -> String {
    place.map(|place| format!("{place}: ")).unwrap_or_default()
}

fn rights_hint(source: &io::Error) -> &'static str {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EPERM) => "; CAP_SYS_ADMIN is missing: run as root",
        Some(Errno::ENOSPC) => {
            "; user.max_net_namespaces is used up: raise it with \
             `sysctl -w user.max_net_namespaces=15000`"
        }
        _ => descriptors_hint(source),
    }
}

/// What helps when descriptors have run out.
pub(crate) fn descriptors_hint(source: &io::Error) -> &'static str {
    match source.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EMFILE | Errno::ENFILE) => "; raise the limit of open files (`ulimit -n`)",
        _ => "",
    }
}

//! Why the data plane cannot start or go on, and what to do about it.

use labsim_forwarder::Problem;
use std::io;
use std::net::IpAddr;

/// Why the data plane cannot start or go on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong, or does not fit the interface.
    #[error("the configuration cannot be used: {}", sentences(.0))]
    Config(Vec<Problem>),
    /// The interface does not exist in this namespace.
    #[error("no interface `{0}` in this network namespace")]
    NoInterface(String),
    /// The interface exists but carries nothing.
    #[error("the interface `{interface}` cannot be used: {reason}")]
    Interface {
        /// The interface's name.
        interface: String,
        /// What is missing, and what to do.
        reason: String,
    },
    /// The interface was deleted while frames were moved.
    #[error("the interface was deleted")]
    InterfaceGone,
    /// A VIP is an address of the namespace, so that monitors' packets to it never leave.
    #[error(
        "a transparent monitor cannot probe the VIP {0}, which is an address of this network \
         namespace: packets to it never leave; remove the address, or remove `transparent`"
    )]
    VipIsOwn(IpAddr),
    /// The host's kernel would handle the forwarder's packets as well, and has nothing that keeps it from
    /// them.
    #[error(
        "{because}, so the kernel has to be kept from the packets that the forwarder takes, and it \
         refuses the rule at the ingress of `{interface}` that drops its own copies ({source}); load \
         nf_tables, or grant CAP_NET_ADMIN in this network namespace"
    )]
    IngressDropUnsupported {
        /// What the kernel would do with them, as a clause.
        because: String,
        /// The interface's name.
        interface: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// The same, from a kernel that has what it needs, and refuses the rule for another reason.
    #[error(
        "{because}, so the kernel has to be kept from the packets that the forwarder takes, and it \
         refuses the rule at the ingress of `{interface}` that drops its own copies: {reason}"
    )]
    IngressDropRefused {
        /// What the kernel would do with them, as a clause.
        because: String,
        /// The interface's name.
        interface: String,
        /// The error's name, and what the kernel said.
        reason: String,
    },
    /// The kernel has no filters at an interface's ingress, and would take packets that are not for it.
    #[error(
        "{purpose} needs {what} at an interface's ingress, and the kernel has no {module} ({source}); \
         load that module, or use a kernel that has it"
    )]
    IngressFilterUnsupported {
        /// What needs it: `source address translation`.
        purpose: &'static str,
        /// What cannot be made: `a queueing discipline`.
        what: &'static str,
        /// The kernel's module for it.
        module: &'static str,
        /// What the kernel said.
        source: io::Error,
    },
    /// The kernel may give its own sockets a port that source translation uses.
    #[error(
        "snat_ports {first} to {last} overlap the ports that the kernel gives to its own sockets \
         ({setting} is {kernel_first} to {kernel_last}); change one of the two"
    )]
    PortsCollide {
        /// The lowest port of the translation.
        first: u16,
        /// The highest.
        last: u16,
        /// The setting, as a dotted key.
        setting: &'static str,
        /// The lowest port of the kernel's.
        kernel_first: u16,
        /// The highest.
        kernel_last: u16,
    },
    /// The kernel cannot forward established flows.
    #[error("no fast path: {0}")]
    FastPath(#[from] labsim_fast_path::Error),
    /// A call to the kernel failed.
    #[error("{what}: {source}")]
    System {
        /// What was tried, and what it needs.
        what: String,
        /// What the kernel said.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    pub(crate) fn nonblocking(source: io::Error) -> Self {
        Self::system("a descriptor without blocking (fcntl(2))")(source)
    }

    pub(crate) fn ignore_outgoing(source: io::Error) -> Self {
        Self::system("PACKET_IGNORE_OUTGOING (packet(7))")(source)
    }
}

impl From<labsim_sys::CallError> for Error {
    fn from(error: labsim_sys::CallError) -> Self {
        let labsim_sys::CallError { what, source } = error;
        Self::System { what: what.to_owned(), source }
    }
}

fn sentences(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.join("; ")
}

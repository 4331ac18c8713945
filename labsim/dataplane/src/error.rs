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
    #[error("there is no interface `{0}` in this network namespace")]
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
    /// A VIP is the namespace's own, so that what monitors send to it goes nowhere.
    #[error(
        "a transparent monitor cannot probe the VIP {0}, which is an address of this network \
         namespace too: packets to it never leave; take it off, or take `transparent` out"
    )]
    VipIsOwn(IpAddr),
    /// The kernel forwards packets by itself, so each would travel twice or in a circle.
    #[error(
        "the kernel of this namespace forwards packets itself ({setting} is 1): packets would \
         travel twice or in a circle; set {setting} to 0"
    )]
    KernelForwards {
        /// The setting, as a dotted key.
        setting: String,
    },
    /// The kernel may give its own sockets a port that is to stand in for a client's.
    #[error(
        "snat_ports {first} to {last} overlap the ports that the kernel gives to its own sockets \
         ({setting} is {kernel_first} to {kernel_last}); change one of the two"
    )]
    PortsCollide {
        /// The lowest port that stands in for clients'.
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
}

fn sentences(problems: &[Problem]) -> String {
    let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
    all.join("; ")
}

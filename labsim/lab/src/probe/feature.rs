//! What a machine can have that labs need.

use labsim_scenario::model::TunnelKind;
use std::fmt;

/// Something that labs are made of, or could be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feature {
    /// Without them there is no lab.
    NetworkNamespaces,
    /// Links.
    Veth,
    /// Segments.
    Bridge,
    /// The userspace tunnel's device.
    Tun,
    /// Captures, and the forwarder.
    PacketSockets,
    /// A writable `/proc/sys`.
    Sysctls,
    /// The kernel's own tunnel of a kind.
    KernelTunnel(TunnelKind),
    /// Delay and loss by the kernel.
    Netem,
    /// Packet filters.
    Nftables,
    /// Linux Virtual Server.
    Ipvs,
    /// Addresses of that family.
    Ipv6,
}

impl Feature {
    /// All of them, those that every lab needs first.
    pub fn all() -> impl Iterator<Item = Self> {
        let needed = [
            Self::NetworkNamespaces,
            Self::Veth,
            Self::Bridge,
            Self::PacketSockets,
            Self::Sysctls,
            Self::Tun,
        ];
        let tunnels = TunnelKind::ALL.map(Self::KernelTunnel);
        needed.into_iter().chain(tunnels).chain([
            Self::Netem,
            Self::Nftables,
            Self::Ipvs,
            Self::Ipv6,
        ])
    }
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::KernelTunnel(kind) => return f.pad(&format!("kernel {}", kind.name())),
            Self::NetworkNamespaces => "network namespaces",
            Self::Veth => "veth",
            Self::Bridge => "bridge",
            Self::Tun => "TUN",
            Self::PacketSockets => "packet sockets",
            Self::Sysctls => "sysctls",
            Self::Netem => "netem",
            Self::Nftables => "nftables",
            Self::Ipvs => "IPVS",
            Self::Ipv6 => "IPv6",
        };
        f.pad(name)
    }
}

//! Tunnels and their ends.

use super::{GreOptions, InterfaceName};
use std::net::IpAddr;

/// How packets are put into a tunnel, whatever the families inside and outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelProtocol {
    /// IP in IP: RFC 2003, RFC 4213 (IPv6 in IPv4), RFC 2473 (both in IPv6).
    Ipip,
    /// GRE (RFC 2784, RFC 2890, RFC 7676).
    Gre(GreOptions),
}

/// A tunnel's end as Linux has it: each kind is a module and a device of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelKind {
    /// IPv4 in IPv4.
    Ipip,
    /// IPv6 in IPv4.
    Sit,
    /// IPv4 and IPv6 in IPv6.
    Ip6tnl,
    /// GRE over IPv4, with either family inside.
    Gre(GreOptions),
    /// GRE over IPv6, with either family inside.
    Ip6gre(GreOptions),
}

impl TunnelKind {
    /// The kind that takes off these headers, where IPv4 is outside, and inside.
    #[must_use]
    pub const fn of(protocol: TunnelProtocol, outer_ipv4: bool, inner_ipv4: bool) -> Self {
        match (protocol, outer_ipv4) {
            (TunnelProtocol::Ipip, true) if inner_ipv4 => Self::Ipip,
            (TunnelProtocol::Ipip, true) => Self::Sit,
            (TunnelProtocol::Ipip, false) => Self::Ip6tnl,
            (TunnelProtocol::Gre(options), true) => Self::Gre(options),
            (TunnelProtocol::Gre(options), false) => Self::Ip6gre(options),
        }
    }

    /// The kind of device, as ip-link(8) has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Sit => "sit",
            Self::Ip6tnl => "ip6tnl",
            Self::Gre(_) => "gre",
            Self::Ip6gre(_) => "ip6gre",
        }
    }

    /// The kernel's module.
    #[must_use]
    pub const fn module(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Sit => "sit",
            Self::Ip6tnl => "ip6_tunnel",
            Self::Gre(_) => "ip_gre",
            Self::Ip6gre(_) => "ip6_gre",
        }
    }

    /// The device that the module puts into every namespace, which takes what no other tunnel
    /// matches; or, where that one takes nothing of the kind, the first beside it: `gre0` and
    /// `ip6gre0` know neither a key nor a checksum, and `ip6tnl0` drops whatever is not from a
    /// remote end that it was told of, which it cannot be (`ip6_tnl_rcv_ctl` of
    /// net/ipv6/ip6_tunnel.c).
    #[must_use]
    pub fn usual_device(self) -> &'static str {
        match self {
            Self::Ipip => "tunl0",
            Self::Sit => "sit0",
            Self::Ip6tnl => "ip6tnl1",
            Self::Gre(options) if options == GreOptions::default() => "gre0",
            Self::Gre(_) => "gre1",
            Self::Ip6gre(options) if options == GreOptions::default() => "ip6gre0",
            Self::Ip6gre(_) => "ip6gre1",
        }
    }

    /// Whether the header outside is IPv4's.
    #[must_use]
    pub const fn outer_ipv4(self) -> bool {
        matches!(self, Self::Ipip | Self::Sit | Self::Gre(_))
    }

    /// What GRE's header has in it, where it is one.
    #[must_use]
    pub const fn gre(self) -> Option<GreOptions> {
        match self {
            Self::Gre(options) | Self::Ip6gre(options) => Some(options),
            Self::Ipip | Self::Sit | Self::Ip6tnl => None,
        }
    }

    /// Bytes of the headers that are taken off: the outer one, and GRE's.
    #[must_use]
    pub fn overhead(self) -> u32 {
        let outer = if self.outer_ipv4() { 20 } else { 40 };
        let gre = self.gre().map_or(0, |options| {
            4 + 4 * (u32::from(options.checksum) + u32::from(options.key.is_some()))
        });
        outer + gre
    }
}

/// `tunl0` or its like.
#[derive(Debug, Clone)]
pub struct TunnelDevice {
    /// What comes out of it.
    pub kind: TunnelKind,
    /// [`TunnelKind::usual_device`] unless a file says otherwise.
    pub name: InterfaceName,
    /// Whether it is up.
    pub up: bool,
    /// The address on it, `scope host`: the server's own IPv4 address by default, if IPv4 comes out.
    /// Without one and with a loose rp_filter the kernel drops every IPv4 packet that does.
    pub address: Option<IpAddr>,
    /// The node's own address that tunnel packets are for.
    pub local: Option<IpAddr>,
}

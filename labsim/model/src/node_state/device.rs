//! Network devices, and which tunnel a packet belongs to.

use super::NodeState;
use crate::{GueOptions, TunnelKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// A network device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Device {
    /// Its number (`ifindex`).
    pub index: u32,
    /// Its name.
    pub name: String,
    /// The kernel's word for what it is: `veth`, `ipip`, `gre`, `tun`; absent of `lo` and of
    /// hardware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Whether it was set up (`IFF_UP`).
    pub up: bool,
    /// Whether its link is there (`IFF_LOWER_UP`): false of a veth whose other end is down.
    pub carrier: bool,
    /// Whether it resolves no neighbours (`IFF_NOARP`).
    pub noarp: bool,
    /// In bytes.
    pub mtu: u32,
    /// Its link-layer address, if that has six bytes: `02:00:00:00:00:65`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Of a tunnel: what it takes and where it ends. Of a device that stands for a tunnel in
    /// labsim's lab, that tunnel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tunnel: Option<Tunnel>,
    /// Its queueing disciplines.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub qdiscs: Vec<Qdisc>,
}

/// A queueing discipline of a device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Qdisc {
    /// `noqueue`, `pfifo_fast`, `netem`, `tbf`, `clsact`.
    pub kind: String,
    /// Whether it is the device's own, and not one of a class.
    pub root: bool,
    /// Frames that it has dropped since it was made; absent where the kernel does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drops: Option<u64>,
}

/// The settings of a tunnel device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tunnel {
    /// What it takes off.
    pub kind: TunnelDeviceKind,
    /// The outer destination that it takes; absent if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<IpAddr>,
    /// The outer source that it takes, and where it sends; absent if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<IpAddr>,
    /// Of GRE: the key of packets that it takes; absent if they have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<u32>,
    /// Of GRE: whether packets that it takes have a checksum.
    #[serde(default)]
    pub checksum: bool,
    /// The outer TTL or hop limit of what it sends; 0 copies the inner one.
    #[serde(default)]
    pub ttl: u8,
    /// The outer TOS of what it sends; bit 0 set copies the inner one (ip-link(8)).
    #[serde(default)]
    pub tos: u8,
    /// Of IPv6 outside: the one inner protocol that it takes, 4 or 41; absent if both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inner_protocol: Option<u8>,
    /// The UDP port and variant at which it takes GUE packets, as the lab was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gue: Option<GueOptions>,
    /// Whether labsim's own decapsulator does the tunnel's work, and the device is a TUN device or
    /// a veth end that stands for it.
    #[serde(default)]
    pub userspace: bool,
}

impl Tunnel {
    /// One that takes packets of any ends, without options.
    #[must_use]
    pub const fn new(kind: TunnelDeviceKind) -> Self {
        Self {
            kind,
            local: None,
            remote: None,
            key: None,
            checksum: false,
            ttl: 0,
            tos: 0,
            inner_protocol: None,
            gue: None,
            userspace: false,
        }
    }
}

/// What a tunnel device takes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TunnelDeviceKind {
    /// IPv4 in IPv4: `tunl0`.
    Ipip,
    /// IPv6 in IPv4: `sit0`.
    Sit,
    /// Either in IPv6: `ip6tnl0`.
    Ip6tnl,
    /// GRE over IPv4: `gre0`.
    Gre,
    /// GRE over IPv6: `ip6gre0`.
    Ip6gre,
}

impl From<TunnelKind> for TunnelDeviceKind {
    fn from(kind: TunnelKind) -> Self {
        match kind {
            TunnelKind::Ipip | TunnelKind::GueIpip(_) => Self::Ipip,
            TunnelKind::Sit | TunnelKind::GueSit(_) => Self::Sit,
            TunnelKind::Ip6tnl | TunnelKind::GueIp6tnl(_) => Self::Ip6tnl,
            TunnelKind::Gre(_) => Self::Gre,
            TunnelKind::Ip6gre(_) => Self::Ip6gre,
        }
    }
}

impl TunnelDeviceKind {
    /// The kernel's word (`IFLA_INFO_KIND`), and `ip link`'s.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ipip => "ipip",
            Self::Sit => "sit",
            Self::Ip6tnl => "ip6tnl",
            Self::Gre => "gre",
            Self::Ip6gre => "ip6gre",
        }
    }

    /// The device that the kernel's module puts into every namespace.
    #[must_use]
    pub const fn fallback_device(self) -> &'static str {
        match self {
            Self::Ipip => "tunl0",
            Self::Sit => "sit0",
            Self::Ip6tnl => "ip6tnl0",
            Self::Gre => "gre0",
            Self::Ip6gre => "ip6gre0",
        }
    }

    /// The protocol numbers of outer headers that it takes.
    #[must_use]
    pub const fn protocols(self) -> &'static [u8] {
        match self {
            Self::Ipip => &[4],
            Self::Sit => &[41],
            Self::Ip6tnl => &[4, 41],
            Self::Gre | Self::Ip6gre => &[47],
        }
    }

    /// Whether the outer header is IPv4's.
    #[must_use]
    pub const fn outer_ipv4(self) -> bool {
        matches!(self, Self::Ipip | Self::Sit | Self::Gre)
    }
}

impl fmt::Display for TunnelDeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// The outer headers of a tunnel packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OuterPacket {
    /// Its source.
    pub source: IpAddr,
    /// Its destination.
    pub destination: IpAddr,
    /// The protocol number: 4, 41 or 47.
    pub protocol: u8,
    /// Of GRE: its key, if it has one.
    pub key: Option<u32>,
}

impl NodeState {
    /// The device of that name.
    #[must_use]
    pub fn device(&self, name: &str) -> Option<&Device> {
        self.devices.iter().find(|device| device.name == name)
    }

    /// The tunnel devices that match a packet, whether they are up or down, the one that the kernel
    /// prefers first: both ends given, then the remote one, then the local one, then neither, then
    /// the module's own device, which takes any ends and, of GRE, any key (`ip_tunnel_lookup` of
    /// net/ipv4/ip_tunnel.c; net/ipv6's are alike). The kernel gives the packet to the first of
    /// them that is up, which may still refuse it: for GRE's checksum, or `ip6tnl0` for IPv4
    /// inside.
    ///
    /// Devices that are bound to a lower one (`dev`) or have no settings of their own
    /// (`external`) are not distinguished.
    #[must_use]
    pub fn tunnels_for(&self, packet: &OuterPacket) -> Vec<&Device> {
        let mut matching: Vec<_> = self
            .devices
            .iter()
            .filter_map(|device| Some((rank(device, packet)?, device)))
            .collect();
        matching.sort_by_key(|(rank, _)| *rank);
        matching.into_iter().map(|(_, device)| device).collect()
    }

    /// All tunnel devices of the node.
    pub fn tunnels(&self) -> impl Iterator<Item = (&Device, &Tunnel)> {
        self.devices.iter().filter_map(|device| Some((device, device.tunnel.as_ref()?)))
    }
}

/// How well a tunnel device matches, 0 best; `None` if it does not.
fn rank(device: &Device, packet: &OuterPacket) -> Option<u8> {
    let tunnel = device.tunnel.as_ref()?;
    let kind = tunnel.kind;
    if kind.outer_ipv4() != packet.destination.is_ipv4()
        || !kind.protocols().contains(&packet.protocol)
    {
        return None;
    }
    // A device of labsim's own stands for its tunnel alone, not for what a module would add.
    let fallback = device.name == kind.fallback_device() && !tunnel.userspace;
    if fallback {
        return Some(4);
    }
    let is = |end: Option<IpAddr>, address| end.is_none_or(|end| end == address);
    let ends = is(tunnel.local, packet.destination) && is(tunnel.remote, packet.source);
    let protocol = tunnel.inner_protocol.is_none_or(|protocol| protocol == packet.protocol);
    if !ends || !protocol || tunnel.key != packet.key {
        return None;
    }
    Some(match (tunnel.local, tunnel.remote) {
        (Some(_), Some(_)) => 0,
        (None, Some(_)) => 1,
        (Some(_), None) => 2,
        (None, None) => 3,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(name: &str, kind: TunnelDeviceKind, ends: [Option<&str>; 2]) -> Device {
        let [local, remote] = ends.map(|end| end.map(|end| end.parse().unwrap()));
        let tunnel = Tunnel { local, remote, ..Tunnel::new(kind) };
        Device { name: name.to_owned(), tunnel: Some(tunnel), ..Device::default() }
    }

    fn found(state: &NodeState, protocol: u8, key: Option<u32>) -> Vec<&str> {
        let [source, destination] = ["10.1.1.2", "10.1.1.51"].map(|text| text.parse().unwrap());
        let packet = OuterPacket { source, destination, protocol, key };
        state.tunnels_for(&packet).iter().map(|device| device.name.as_str()).collect()
    }

    #[test]
    fn the_closest_ends_come_first_and_the_fallback_last() {
        use TunnelDeviceKind::{Gre, Ip6tnl, Ipip, Sit};
        let state = NodeState {
            devices: vec![
                Device { name: "eth0".to_owned(), ..Device::default() },
                tunnel("tunl0", Ipip, [None, None]),
                tunnel("any", Ipip, [None, None]),
                tunnel("near", Ipip, [Some("10.1.1.51"), None]),
                tunnel("far", Ipip, [None, Some("10.1.1.2")]),
                tunnel("both", Ipip, [Some("10.1.1.51"), Some("10.1.1.2")]),
                tunnel("other", Ipip, [Some("10.1.1.52"), None]),
                tunnel("sit0", Sit, [None, None]),
                tunnel("gre0", Gre, [None, None]),
                tunnel("ip6tnl0", Ip6tnl, [None, None]),
            ],
            ..NodeState::default()
        };
        assert_eq!(found(&state, 4, None), ["both", "far", "near", "any", "tunl0"]);
        assert_eq!(found(&state, 41, None), ["sit0"]);
        assert_eq!(found(&state, 47, None), ["gre0"]);
        assert_eq!(found(&state, 17, None), [] as [&str; 0]);
    }

    #[test]
    fn a_key_decides_except_for_the_modules_own_device() {
        let mut keyed = tunnel("gre1", TunnelDeviceKind::Gre, [None, None]);
        keyed.tunnel.as_mut().unwrap().key = Some(7);
        let plain = tunnel("gre2", TunnelDeviceKind::Gre, [None, None]);
        let own = tunnel("gre0", TunnelDeviceKind::Gre, [None, None]);
        let mut stands_for = tunnel("gre0", TunnelDeviceKind::Gre, [None, None]);
        stands_for.tunnel.as_mut().unwrap().userspace = true;
        let with = |last: Device| NodeState {
            devices: vec![keyed.clone(), plain.clone(), last],
            ..NodeState::default()
        };
        assert_eq!(found(&with(own.clone()), 47, Some(7)), ["gre1", "gre0"]);
        assert_eq!(found(&with(own.clone()), 47, Some(8)), ["gre0"]);
        assert_eq!(found(&with(own), 47, None), ["gre2", "gre0"]);
        assert_eq!(found(&with(stands_for), 47, Some(8)), [] as [&str; 0]);
    }
}

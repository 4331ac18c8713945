//! What will be built, in the order of building. Pure: without any kernel call.

mod display;
mod of_scenario;
mod relays;

use crate::filter::FilterPlan;
use ipnet::IpNet;
use labsim_scenario::model::{
    Impairment, InterfaceName, NodeName, Place, Route, RouteMetrics, Scope, SegmentName, Setting,
    TunnelKind,
};
use std::net::IpAddr;

/// How tunnelled packets come out on a real server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TunnelMode {
    /// A device of the kernel's own module.
    Kernel,
    /// A TUN device of the same name, which a decapsulator in user space feeds.
    Userspace,
    /// The end of a veth pair of the same name, likewise, where no TUN device can be created.
    /// Captures show Ethernet frames on it.
    UserspaceVeth,
}

/// How tunnelled packets come out, by the kind of tunnel: a kernel may have one module and lack
/// another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TunnelModes([TunnelMode; TunnelKind::ALL.len()]);

impl TunnelModes {
    /// The mode of a kind of tunnels.
    #[must_use]
    pub fn of(&self, kind: TunnelKind) -> TunnelMode {
        let mut all = TunnelKind::ALL.iter().zip(self.0);
        // Every kind is one of them.
        all.find(|(one, _)| one.is_like(kind)).map_or(TunnelMode::Userspace, |(_, mode)| mode)
    }

    /// Has the tunnels of a kind end so.
    pub fn set(&mut self, kind: TunnelKind, mode: TunnelMode) {
        for (one, place) in TunnelKind::ALL.iter().zip(&mut self.0) {
            if one.is_like(kind) {
                *place = mode;
            }
        }
    }
}

/// The same for all.
impl From<TunnelMode> for TunnelModes {
    fn from(mode: TunnelMode) -> Self {
        Self([mode; TunnelKind::ALL.len()])
    }
}

/// Where a key goes on with a device's name, which may hold dots, and a last word without any.
const PER_DEVICE: [&str; 4] =
    ["net.ipv4.conf.", "net.ipv4.neigh.", "net.ipv6.conf.", "net.ipv6.neigh."];

/// A whole lab. `Display` prints it for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabPlan {
    /// The topology's name.
    pub name: String,
    /// One namespace each, in the file's order.
    pub nodes: Vec<NodePlan>,
    /// The segments' bridges; all live in one hidden namespace, the switch namespace.
    pub bridges: Vec<BridgePlan>,
    /// One veth pair each.
    pub links: Vec<VethLink>,
}

/// One node: a namespace and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodePlan {
    /// The node.
    pub name: NodeName,
    /// Whether it is a router (`net.ipv4.ip_forward`). A router also takes no redirects, which is
    /// the kernel's own doing.
    pub forward: bool,
    /// Set before there is any interface: they become the interfaces' defaults.
    pub early_sysctls: Vec<Sysctl>,
    /// Its veth ends, in the file's order.
    pub interfaces: Vec<InterfacePlan>,
    /// A real server's tunnel devices.
    pub tunnels: Vec<TunnelPlan>,
    /// Addresses, in the order they are added.
    pub addresses: Vec<AddressPlan>,
    /// Routes, in the order they are added.
    pub routes: Vec<RoutePlan>,
    /// Set when every device exists.
    pub late_sysctls: Vec<Sysctl>,
    /// Packet filters, made last of all.
    pub filters: Vec<FilterPlan>,
}

/// A veth end in a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InterfacePlan {
    /// Its name.
    pub name: InterfaceName,
    /// Its number in the namespace (`ifindex`), chosen by the plan.
    pub index: u32,
    /// Its MAC address: locally administered, the same in every run.
    pub mac: [u8; 6],
    /// In bytes.
    pub mtu: u32,
    /// Whether checksum and segmentation offloads stay on.
    pub offloads: bool,
    /// Whether IPv6 runs on it: where it has an IPv6 address.
    pub ipv6: bool,
}

/// A tunnel device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TunnelPlan {
    /// What it takes off.
    pub kind: TunnelKind,
    /// `tunl0`, `gre0`, `gre1`.
    pub name: InterfaceName,
    /// Its number in the namespace, unless the kernel made the device by itself.
    pub index: u32,
    /// Kernel device or TUN.
    pub mode: TunnelMode,
    /// Whether it is up.
    pub up: bool,
    /// In bytes: what the kernel's module gives it, 1500 less the outer headers; the greatest for
    /// [`TunnelMode::UserspaceVeth`].
    pub mtu: u32,
    /// The server's own address. A tunnel of the kernel's that nothing else distinguishes from
    /// others ends there only, as there can be one alone that ends everywhere, which is `gre0` or
    /// its like.
    pub local: Option<IpAddr>,
    /// Its MAC address, used by [`TunnelMode::UserspaceVeth`] only.
    pub mac: [u8; 6],
    /// The pair's other end, in the switch namespace, where the decapsulator is.
    pub peer: Option<InterfacePlan>,
}

/// An address of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPlan {
    /// On which interface: one of the node's, its tunnel device, or `lo`.
    pub interface: InterfaceName,
    /// With its prefix length; host bits are kept.
    pub address: IpNet,
    /// Where the address is valid.
    pub scope: Scope,
    /// Such as `lo:0`; IPv4 only.
    pub label: Option<String>,
    /// Whether the kernel may choose it as the source of packets that have none; of IPv6, where an address
    /// that it may not is deprecated (RFC 4862).
    pub preferred: bool,
}

/// A route of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutePlan {
    /// Packet sizes that it sets.
    pub metrics: RouteMetrics,
    /// Where to, and by which next hops.
    pub route: Route,
}

/// A setting below `/proc/sys`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sysctl {
    /// Dotted, such as `net.ipv4.conf.all.rp_filter`.
    pub key: String,
    /// As it is written.
    pub value: String,
    /// Its place in the file; `None` of what labsim itself sets.
    pub place: Option<Place>,
}

/// A segment's bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BridgePlan {
    /// The segment.
    pub segment: SegmentName,
    /// The device in the switch namespace.
    pub name: InterfaceName,
    /// Its number in the switch namespace.
    pub index: u32,
    /// Its MAC address.
    pub mac: [u8; 6],
    /// In bytes.
    pub mtu: u32,
}

/// A veth pair, or two with a relay between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethLink {
    /// Where it is plugged in.
    pub ends: [VethLinkEnd; 2],
    /// Set if frames on it are impaired.
    pub relay: Option<RelayPlan>,
}

/// What is between the ends of an impaired veth link: each end has a pair of its own into the
/// switch namespace, and frames are relayed between the inner ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RelayPlan {
    /// The other ends of the pairs of [`VethLink::ends`], in the switch namespace.
    pub inner: [InterfacePlan; 2],
    /// What becomes of the frames that each of [`VethLink::ends`] sends.
    pub impairments: [Option<Impairment>; 2],
    /// Whether the kernel's netem does that, on the inner end that they leave by.
    pub netem: bool,
}

/// An end of a veth pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VethLinkEnd {
    /// An interface of a node, by position in [`LabPlan::nodes`] and [`NodePlan::interfaces`].
    Node {
        /// Position of the node.
        node: usize,
        /// Position of the interface in the node.
        interface: usize,
    },
    /// A port of a bridge, by position in [`LabPlan::bridges`].
    Port {
        /// Position of the bridge.
        bridge: usize,
        /// The port as the switch namespace sees it.
        port: InterfacePlan,
    },
}

/// Hands out device numbers and locally administered MAC addresses, the same ones in every run
/// and each only once in a lab. Devices of the switch namespace are named after their numbers. (Where both ends of a veth pair have the same number, the kernel
/// takes its time, up to a second, to notice that the link has come up.)
struct IfIndexAllocator(u32);

impl IfIndexAllocator {
    fn next(&mut self) -> (u32, [u8; 6]) {
        let number = self.0;
        self.0 += 1;
        let [a, b, c, d] = number.to_be_bytes();
        (number, [0x02, 0x00, a, b, c, d])
    }
}

impl Sysctl {
    /// One that no file has.
    pub(crate) fn new(key: impl Into<String>, value: impl Into<String>) -> Self {
        Self { key: key.into(), value: value.into(), place: None }
    }

    /// One of a file.
    pub(crate) fn of_file((key, setting): (&String, &Setting)) -> Self {
        let Setting { value, place } = setting.clone();
        Self { key: key.clone(), value, place: Some(place) }
    }

    /// Where it lies below `/proc/sys/`. A device's name keeps its dots.
    #[must_use]
    pub fn path(&self) -> String {
        let device = PER_DEVICE.iter().find_map(|folder| {
            let (device, leaf) = self.key.strip_prefix(folder)?.rsplit_once('.')?;
            Some(format!("{}{device}/{leaf}", folder.replace('.', "/")))
        });
        device.unwrap_or_else(|| self.key.replace('.', "/"))
    }

    /// The device that has to exist before it can be set, if the key names one.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        let rest = PER_DEVICE.iter().find_map(|folder| self.key.strip_prefix(folder))?;
        let (device, _) = rest.rsplit_once('.')?;
        (!["all", "default", "lo"].contains(&device)).then_some(device)
    }
}

impl LabPlan {
    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&NodePlan> {
        self.nodes.iter().find(|node| node.name == *name)
    }

    /// Whether the plan needs the switch namespace, the hidden namespace of bridges and relays.
    #[must_use]
    pub fn needs_switch_ns(&self) -> bool {
        !self.bridges.is_empty()
            || self.tunnels().any(|tunnel| tunnel.peer.is_some())
            || self.links.iter().any(|link| link.relay.is_some())
    }

    fn tunnels(&self) -> impl Iterator<Item = &TunnelPlan> {
        self.nodes.iter().flat_map(|node| &node.tunnels)
    }
}

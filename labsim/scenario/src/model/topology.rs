//! Nodes and how they are wired.

use super::{InterfaceName, NodeName, RouteMetrics, SegmentName, Setting};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// A wired set of nodes: every interface is linked exactly once.
#[derive(Debug, Clone)]
pub struct Topology {
    /// The topology file's name without its ending.
    pub name: String,
    /// The nodes, in the file's order.
    pub nodes: Vec<Node>,
    /// Point-to-point links.
    pub links: Vec<Link>,
    /// Shared segments: a bridge each.
    pub segments: Vec<Segment>,
}

impl Topology {
    /// The node of that name.
    #[must_use]
    pub fn node(&self, name: &NodeName) -> Option<&Node> {
        self.nodes.iter().find(|node| node.name == *name)
    }
}

/// One host or router: a network namespace.
#[derive(Debug, Clone)]
pub struct Node {
    /// Unique in the topology.
    pub name: NodeName,
    /// Whether its kernel forwards packets between its interfaces (`ip_forward`, and IPv6's).
    pub forward: bool,
    /// Its interfaces, `lo` not among them, in the file's order.
    pub interfaces: Vec<Interface>,
    /// Its routes beyond the connected ones, the inferred default routes among them.
    pub routes: Vec<Route>,
    /// Settings below `/proc/sys/net`, by dotted key without exception, such as
    /// `net.ipv4.conf.all.rp_filter`.
    pub sysctls: BTreeMap<String, Setting>,
    /// Where pictures show it: column and row, from 0; no other node has the same.
    pub at: Option<[u32; 2]>,
}

impl Node {
    /// Where the node as a load balancer with these VIPs has its neighbours and answers for the VIPs: the
    /// first interface with the subnet of one of them, else its first.
    #[must_use]
    pub fn main_interface(&self, vips: &[IpAddr]) -> Option<&Interface> {
        let is_near = |interface: &&Interface| {
            interface.addresses.iter().any(|net| vips.iter().any(|vip| net.contains(vip)))
        };
        self.interfaces.iter().find(is_near).or_else(|| self.interfaces.first())
    }
}

/// One end of a link, or a port's far end on a segment.
#[derive(Debug, Clone)]
pub struct Interface {
    /// Unique in the node.
    pub name: InterfaceName,
    /// Addresses with their prefix lengths; host bits are kept.
    pub addresses: Vec<IpNet>,
    /// MTU in bytes (the IP packet's size), from the link, segment or interface; 1500 by default.
    pub mtu: u32,
    /// Whether checksum, segmentation and receive offloads stay on; off by default, because they
    /// show half-made checksums and frames above the MTU in captures.
    pub offloads: bool,
}

/// A route of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination; `0.0.0.0/0` or `::/0` for a default route.
    pub destination: IpNet,
    /// The next hops: one, or several of the destination's family that share the flows (ECMP). On
    /// subnets of the interface.
    pub via: Vec<IpAddr>,
    /// The interface that they are reached through.
    pub interface: InterfaceName,
}

impl Route {
    /// The route as ip-route(8) takes it: `10.0.0.0/8 via 10.1.1.1 dev eth0 mtu 1400`.
    #[must_use]
    pub fn arguments(&self, metrics: RouteMetrics) -> String {
        format!("{}{}", self.destination, self.next_hops(metrics))
    }

    /// The next hops as a sentence has them: `10.1.1.1`, `10.1.1.1 and 10.1.1.2`.
    #[must_use]
    pub fn describe_next_hops(&self) -> String {
        let hops: Vec<String> = self.via.iter().map(ToString::to_string).collect();
        hops.join(" and ")
    }

    /// What ip-route(8) takes after the destination: ` via 10.1.1.1 dev eth0 mtu 1400`, or of several
    /// next hops ` mtu 1400 nexthop via 10.1.1.1 dev eth0 nexthop via 10.1.1.2 dev eth0`.
    #[must_use]
    pub fn next_hops(&self, metrics: RouteMetrics) -> String {
        let Self { via, interface, .. } = self;
        match via.as_slice() {
            [only] => format!(" via {only} dev {interface}{metrics}"),
            several => {
                let hops = several.iter().map(|hop| format!(" nexthop via {hop} dev {interface}"));
                format!("{metrics}{}", hops.collect::<String>())
            }
        }
    }
}

/// Where a link or a segment ends.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Attachment {
    /// The node.
    pub node: NodeName,
    /// Its interface.
    pub interface: InterfaceName,
}

/// As captures are named: `rs1:eth0`.
impl fmt::Display for Attachment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.node, self.interface)
    }
}

/// A cable between two interfaces.
#[derive(Debug, Clone)]
pub struct Link {
    /// Its two ends.
    pub ends: [Attachment; 2],
}

/// A switch without settings, and what is plugged into it.
#[derive(Debug, Clone)]
pub struct Segment {
    /// Unique among the segments.
    pub name: SegmentName,
    /// At least one.
    pub ports: Vec<Attachment>,
    /// MTU of the bridge: the largest of its ports'.
    pub mtu: u32,
}

//! Nodes and how they are wired.

use super::{InterfaceName, NodeName};
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
    pub sysctls: BTreeMap<String, String>,
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
    /// The next hop: on one of the node's own subnets.
    pub via: IpAddr,
    /// The interface that the next hop is reached through.
    pub interface: InterfaceName,
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
    /// Unique among the segments; names the bridge.
    pub name: InterfaceName,
    /// At least one.
    pub ports: Vec<Attachment>,
    /// MTU of the bridge: the largest of its ports'.
    pub mtu: u32,
}

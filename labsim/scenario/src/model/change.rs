//! Changes of nodes while a lab runs.

use super::{FilterName, InterfaceName, NodeName, RouteMetrics, Scope, Setting};
use ipnet::IpNet;
use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

/// What a step changes in a running lab's node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeChange {
    /// A route is set or removed.
    Route {
        /// The node.
        node: NodeName,
        /// The destination; `0.0.0.0/0` or `::/0` for a default route.
        destination: IpNet,
        /// What becomes of packets to it.
        target: RouteTarget,
    },
    /// Kernel settings are written.
    Sysctls {
        /// The node.
        node: NodeName,
        /// By dotted key; at least one.
        sysctls: BTreeMap<String, Setting>,
    },
    /// An address is added or removed.
    Address {
        /// The node.
        node: NodeName,
        /// One of the node's interfaces, its tunnel device, or `lo`.
        interface: InterfaceName,
        /// With its prefix length; host bits are kept.
        address: IpNet,
        /// Where a new address is valid.
        scope: Scope,
        /// Whether it is added.
        present: bool,
    },
    /// A packet filter is put in or taken out, on all of its nodes.
    Filter {
        /// Its name.
        filter: FilterName,
        /// Whether it is put in.
        present: bool,
    },
}

/// What becomes of packets to a route's destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteTarget {
    /// They go to a next hop.
    Via {
        /// The next hop, on one of the node's own subnets.
        via: IpAddr,
        /// The interface that it is reached through.
        interface: InterfaceName,
        /// Packet sizes.
        metrics: RouteMetrics,
    },
    /// They are dropped.
    Blackhole,
    /// They are dropped, and their sender is told.
    Unreachable,
    /// There is no such route.
    Removed,
}

/// As a step's description says it: `sets the route of rs1 to 0.0.0.0/0 via 10.1.1.1`.
impl fmt::Display for NodeChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Route { node, destination, target } => match target {
                RouteTarget::Via { via, metrics, .. } => {
                    write!(f, "sets the route of {node} to {destination} via {via}{metrics}")
                }
                RouteTarget::Blackhole => {
                    write!(f, "has {node} drop packets to {destination} (blackhole)")
                }
                RouteTarget::Unreachable => {
                    write!(f, "has {node} refuse packets to {destination} (unreachable)")
                }
                RouteTarget::Removed => write!(f, "removes the route of {node} to {destination}"),
            },
            Self::Sysctls { node, sysctls } => {
                for (place, (key, setting)) in sysctls.iter().enumerate() {
                    let before = if place == 0 { "sets " } else { ", " };
                    write!(f, "{before}{key} = {}", setting.value)?;
                }
                write!(f, " on {node}")
            }
            Self::Address { node, interface, address, present: true, .. } => {
                write!(f, "adds {address} to {node}:{interface}")
            }
            Self::Address { node, interface, address, present: false, .. } => {
                write!(f, "removes {address} from {node}:{interface}")
            }
            Self::Filter { filter, present: true } => write!(f, "puts the filter {filter} in"),
            Self::Filter { filter, present: false } => write!(f, "takes the filter {filter} out"),
        }
    }
}

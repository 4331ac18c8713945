//! What a node's kernel is set up with, as it was read: what explains a cause that packets show.
//!
//! Device names are text, as programs in a node may make devices of any name.

mod address;
mod device;
mod filter;
mod neighbour;
mod route;
mod socket;
mod sysctl;

pub use address::{Address, AddressScope};
pub use device::{Device, OuterPacket, Qdisc, Tunnel, TunnelDeviceKind};
pub use filter::{FilterChain, FilterRule};
pub use neighbour::{Neighbour, NeighbourState};
pub use route::{NextHop, Route, RouteKind, RouteQuery, Rule, RuleAction};
pub use socket::{BoundSocket, SocketState};
pub use sysctl::Sysctls;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;

/// The state of one node at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NodeState {
    /// Network devices, by their numbers.
    pub devices: Vec<Device>,
    /// Addresses, in the order in which the kernel has them: IPv4's, then IPv6's.
    pub addresses: Vec<Address>,
    /// The routes of all tables.
    pub routes: Vec<Route>,
    /// Which table is for which packets, in the order in which the kernel asks.
    pub rules: Vec<Rule>,
    /// The link-layer addresses that it knows or asks for.
    pub neighbours: Vec<Neighbour>,
    /// Settings below `/proc/sys/net`.
    pub sysctls: Sysctls,
    /// Sockets that have a local port or, of raw ones, a protocol.
    pub sockets: Vec<BoundSocket>,
    /// Chains of nftables, with their rules; iptables of today's systems makes these too.
    pub filters: Vec<FilterChain>,
    /// What could not be read, or not all of it, and why. That something is absent from such a part
    /// proves nothing.
    pub incomplete: BTreeMap<StatePart, String>,
}

/// A part of a node's state that is read at once.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum StatePart {
    /// [`NodeState::devices`].
    Devices,
    /// [`NodeState::addresses`].
    Addresses,
    /// [`NodeState::routes`].
    Routes,
    /// [`NodeState::rules`].
    Rules,
    /// [`NodeState::neighbours`].
    Neighbours,
    /// [`NodeState::sysctls`].
    Sysctls,
    /// [`NodeState::sockets`].
    Sockets,
    /// [`NodeState::filters`]. Set as well where the node has tables of the older iptables, which
    /// are not read.
    Filters,
    /// [`Device::qdiscs`].
    Qdiscs,
}

impl fmt::Display for StatePart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Devices => "devices",
            Self::Addresses => "addresses",
            Self::Routes => "routes",
            Self::Rules => "routing rules",
            Self::Neighbours => "neighbours",
            Self::Sysctls => "sysctls",
            Self::Sockets => "sockets",
            Self::Filters => "packet filters",
            Self::Qdiscs => "queueing disciplines",
        })
    }
}

impl NodeState {
    /// Whether a part was read as a whole, so that what is not in it is not there.
    #[must_use]
    pub fn is_complete(&self, part: StatePart) -> bool {
        !self.incomplete.contains_key(&part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_that_was_not_read_is_not_complete() {
        let mut state = NodeState::default();
        assert!(state.is_complete(StatePart::Sockets));
        state.incomplete.insert(StatePart::Sockets, "EPERM".to_owned());
        assert!(!state.is_complete(StatePart::Sockets));
        assert!(state.is_complete(StatePart::Routes));
        let text = serde_json::to_string(&state).unwrap();
        assert_eq!(serde_json::from_str::<NodeState>(&text).unwrap(), state);
    }
}

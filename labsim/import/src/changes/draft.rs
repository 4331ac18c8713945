//! What files are to express.

use super::ChangedNode;
use crate::lab::server_state::ServerState;
use ipnet::IpNet;
use labsim_model::NodeState;
use labsim_scenario::model::NodeName;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Changes by node, and what the nodes are set up with then.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    pub(crate) nodes: BTreeMap<NodeName, DraftNode>,
    /// By name: whether nodes have them.
    pub(crate) filters: BTreeMap<String, bool>,
    pub(crate) expected: BTreeMap<NodeName, NodeState>,
}

/// Changes of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct DraftNode {
    pub(crate) forward: Option<bool>,
    pub(crate) sysctls: BTreeMap<String, String>,
    /// By the destination as it is written.
    pub(crate) routes: BTreeMap<String, DraftRoute>,
    /// Addresses and MTU, by interface.
    pub(crate) interfaces: BTreeMap<String, (Vec<IpNet>, Option<u32>)>,
    pub(crate) server: Option<ServerState>,
}

/// What becomes of a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DraftRoute {
    /// It has these next hops.
    Via(Vec<IpAddr>),
    /// The file's is taken out.
    Removed,
    /// None is inferred.
    None,
}

impl Draft {
    pub(super) fn new(nodes: &[ChangedNode]) -> Self {
        let expected = nodes.iter().map(|node| (node.name.clone(), node.built.clone()));
        Self { nodes: BTreeMap::new(), filters: BTreeMap::new(), expected: expected.collect() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.nodes.is_empty() && self.filters.is_empty()
    }
}

impl DraftNode {
    /// Whether the topology has something of it.
    pub(crate) fn is_in_topology(&self) -> bool {
        self.forward.is_some()
            || !self.sysctls.is_empty()
            || !self.routes.is_empty()
            || !self.interfaces.is_empty()
    }
}

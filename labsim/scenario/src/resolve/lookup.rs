//! What a scenario can ask about its topology.

use super::Report;
use super::address;
use super::scenario::TopologyContext;
use crate::file::Texts;
use crate::model::{Attachment, Node, NodeName};
use crate::text::{listed, quoted};
use ipnet::IpNet;
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// The topology's nodes and addresses. Where the topology's file has errors, names and addresses
/// that are not in it are taken for good ones: one error is not reported as a hundred.
pub(super) struct Lookup<'a> {
    topology: &'a TopologyContext<'a>,
    nodes: HashMap<&'a NodeName, &'a Node>,
}

impl<'a> Lookup<'a> {
    pub(super) fn new(topology: &'a TopologyContext<'a>) -> Self {
        let nodes = topology.resolved.iter().flat_map(|resolved| &resolved.topology.nodes);
        Self { topology, nodes: nodes.map(|node| (&node.name, node)).collect() }
    }

    /// Whether a name that is not found does not exist.
    pub(super) fn knows_names(&self) -> bool {
        self.topology.knows_names
    }

    /// Whether an address that is not found does not exist.
    pub(super) fn knows_addresses(&self) -> bool {
        self.topology.knows_addresses
    }

    /// The names of all nodes.
    pub(super) fn node_names(&self) -> impl Iterator<Item = &'a NodeName> {
        self.nodes.keys().copied()
    }

    /// The node of that name.
    pub(super) fn get(&self, name: &NodeName) -> Option<&'a Node> {
        self.nodes.get(name).copied()
    }

    /// Who has an address.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'a Attachment> {
        self.topology.resolved.and_then(|resolved| resolved.owners.get(&address))
    }

    /// An address of a node that a prefix contains.
    pub(super) fn address_in(&self, net: &IpNet) -> Option<IpAddr> {
        let owners = self.topology.resolved.into_iter().flat_map(|resolved| resolved.owners.keys());
        owners.copied().filter(|address| net.contains(address)).min()
    }

    /// Checks that a node exists.
    pub(super) fn node(&self, name: &Located<String>, report: &mut Report<'_>) -> Option<NodeName> {
        let known = NodeName::new(name).ok();
        if known.is_none() && !self.knows_names() {
            // The topology has an error, this name's perhaps.
            return None;
        }
        if let Some(name) =
            known.filter(|name| !self.knows_names() || self.nodes.contains_key(name))
        {
            return Some(name);
        }
        let nodes = self.topology.resolved.iter().flat_map(|resolved| &resolved.topology.nodes);
        let nodes: Vec<&NodeName> = nodes.map(|node| &node.name).collect();
        report.at(
            name.span,
            file::UNKNOWN_NAME,
            format!(
                "unknown node {}; the topology has {}",
                quoted(name),
                listed(nodes.into_iter())
            ),
        );
        None
    }

    /// Reads a list of nodes: at least one, each once.
    pub(super) fn nodes(
        &self,
        texts: &Located<Texts>,
        report: &mut Report<'_>,
    ) -> Vec<Located<NodeName>> {
        let names = address::each(texts);
        if names.is_empty() {
            report.at(texts.span, file::MISSING_VALUE, "no node is named; name at least one");
        }
        let (mut nodes, mut seen) = (Vec::new(), HashSet::new());
        for name in names {
            let Some(node) = self.node(&name, report) else { continue };
            if seen.insert(node.clone()) {
                nodes.push(Located::new(node, name.span));
            } else {
                report.at(
                    name.span,
                    file::DUPLICATE_VALUE,
                    format!("`{node}` is named twice; keep one"),
                );
            }
        }
        nodes
    }
}

/// The VIPs that a scenario names, whether or not the node that holds them is valid.
#[derive(Default)]
pub(super) struct Vips {
    known: HashSet<IpAddr>,
    /// Whether one of them could not be read: then any address may be the one that was meant.
    unclear: bool,
}

impl Vips {
    /// Remembers an address that was read, or that one could not be.
    pub(super) fn add(&mut self, address: Option<IpAddr>) {
        self.unclear |= address.is_none();
        self.known.extend(address);
    }

    /// Whether this may be one of them.
    pub(super) fn may_hold(&self, address: IpAddr) -> bool {
        self.unclear || self.known.contains(&address)
    }
}

//! Load balancers: what their nodes and the rest of the scenario require of them. What is wrong with
//! one by itself is [`LoadBalancer::check`]'s, as in a forwarder's file.

mod own_node;
mod secrets;
mod topology;
mod warnings;

pub(super) use own_node::check_own_nodes;
pub(super) use secrets::fill_secrets;

use super::Report;
use super::lookup::{Lookup, Vips};
use crate::model::{LoadBalancer, Node, NodeName};
use crate::text::counted;
use labsim_codes::file;
use labsim_model::{KeyPath, is_unread};
use labsim_yaml::{Located, Span, Table};
use std::collections::BTreeMap;

/// Most interfaces of a load balancer's node.
const INTERFACES: usize = 16;

/// Resolves all load balancers.
pub(super) fn load_balancers(
    table: &Table<LoadBalancer>,
    vips: &mut Vips,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) -> BTreeMap<NodeName, LoadBalancer> {
    let mut all = BTreeMap::new();
    for (key, balancer) in table.iter() {
        let name = lookup.node(key, report);
        let node = name.as_ref().and_then(|name| lookup.get(name));
        if let Some(node) = node {
            check_role(key, node, lookup, report);
        }
        for problem in balancer.check() {
            report.problem(&["load_balancers", key], problem);
        }
        let mut balancer = balancer.clone();
        for server in balancer.virtual_servers.values() {
            let vip = &server.destination;
            vips.add((!vip.is_unread()).then(|| vip.ip()));
        }
        balancer.virtual_servers.retain(|_, server| !server.destination.is_unread());
        let part = Part { key, node, balancer: &balancer, lookup };
        part.check_servers(report);
        part.check_pools(report);
        part.warn_of_faults(report);
        part.warn_of_servers(report);
        for pool in balancer.pools.values_mut() {
            pool.members.retain(|member| !is_unread(member.address));
        }
        if let Some(name) = name {
            all.insert(name, balancer);
        }
    }
    all
}

/// Checks that a node can be a load balancer.
fn check_role(key: &Located<String>, node: &Node, lookup: &Lookup<'_>, report: &mut Report<'_>) {
    let interfaces = node.interfaces.len();
    if !(1..=INTERFACES).contains(&interfaces) && lookup.knows_names() {
        let message = format!(
            "`{key}` has {}, and a load balancer works on 1 to {INTERFACES}",
            counted(interfaces, "interface")
        );
        report.at(key.span, file::NODE_ROLE, message);
    }
}

/// A load balancer in its scenario.
struct Part<'a> {
    key: &'a str,
    /// The node, if it exists.
    node: Option<&'a Node>,
    balancer: &'a LoadBalancer,
    lookup: &'a Lookup<'a>,
}

impl Part<'_> {
    /// The place of a value in the file.
    fn place(&self, path: &KeyPath, report: &Report<'_>) -> Span {
        report.span_of(&["load_balancers", self.key], path)
    }
}

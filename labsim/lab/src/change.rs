//! Nodes that are changed while a lab runs: routes, kernel settings, addresses, packet filters.

use crate::build::{await_addresses_here, refusal_error, set_sysctls};
use crate::error::BuildError;
use crate::lab::{Lab, Node};
use crate::netlink::request;
use crate::plan::{AddressPlan, RoutePlan, Sysctl};
use ipnet::IpNet;
use labsim_scenario::model::{InterfaceName, NodeChange, NodeName, Route, RouteTarget};
use labsim_sys::netlink::{Batch, Request, Socket};
use netlink_packet_route::route::RouteType;
use std::io;

/// The loopback device's number: the first of every namespace.
const LOOPBACK: u32 = 1;

impl Lab {
    /// Changes a node as the commands ip-route(8), ip-address(8), sysctl(8) and nft(8) do. When it
    /// returns, the node takes packets for a new address.
    ///
    /// # Errors
    /// The node does not exist, or the kernel refused the change.
    pub fn change_node(&self, change: &NodeChange) -> Result<(), BuildError> {
        let what = || change.to_string();
        match change {
            NodeChange::Route { node, destination, target } => {
                let node = self.of(node, what)?;
                let request = match target {
                    RouteTarget::Via { via, interface, metrics } => {
                        let (destination, interface) = (*destination, interface.clone());
                        let index = node.index_of(&interface);
                        let route = Route { destination, via: vec![*via], interface };
                        let plan = RoutePlan { metrics: *metrics, route };
                        request::only_route(&plan, index)
                    }
                    RouteTarget::Blackhole => {
                        request::dead_route(destination, RouteType::BlackHole)
                    }
                    RouteTarget::Unreachable => {
                        request::dead_route(destination, RouteType::Unreachable)
                    }
                    RouteTarget::Removed => request::no_route(destination),
                };
                node.inside(|| send(request, what))
            }
            NodeChange::Sysctls { node, sysctls } => {
                let node = self.of(node, what)?;
                let settings: Vec<Sysctl> = sysctls.iter().map(Sysctl::of_file).collect();
                node.inside(|| set_sysctls(node.name(), &settings))
            }
            NodeChange::Address { node, interface, address, scope, present } => {
                let node = self.of(node, what)?;
                let plan = AddressPlan {
                    interface: interface.clone(),
                    address: *address,
                    scope: *scope,
                    label: None,
                    preferred: true,
                };
                let index = node.index_of(interface);
                let request = match present {
                    true => request::address(&plan, index),
                    false => request::no_address(&plan, index),
                };
                node.inside(|| {
                    send(request, what)?;
                    match address {
                        IpNet::V6(_) if *present => await_addresses_here(node.plan()),
                        _ => Ok(()),
                    }
                })
            }
            NodeChange::Filter { filter, present } => {
                let nodes = self.nodes().filter(|node| {
                    node.plan().filters.iter().any(|planned| planned.name == *filter)
                });
                nodes
                    .into_iter()
                    .try_for_each(|node| node.inside(|| node.set_filter_here(filter, *present)))
            }
        }
    }

    fn of(&self, name: &NodeName, what: impl Fn() -> String) -> Result<&Node, BuildError> {
        self.node(name).ok_or_else(|| BuildError::Refused {
            operation: what(),
            reason: "the lab has no such node".to_owned(),
        })
    }
}

impl Node {
    /// Runs `work` on a thread that is in the node.
    fn inside(
        &self,
        work: impl FnOnce() -> Result<(), BuildError> + Send,
    ) -> Result<(), BuildError> {
        let entered =
            |source: io::Error| BuildError::Namespace { node: self.name().to_string(), source };
        self.run(work).map_err(entered)?
    }

    /// A device's number; 0, which the kernel refuses, of one that the node does not have.
    fn index_of(&self, name: &InterfaceName) -> u32 {
        let interface = self.plan().interfaces.iter().find(|it| it.name == *name);
        let tunnel = || self.tunnels().find(|(tunnel, _)| tunnel.name == *name);
        let index = interface.map(|it| it.index).or_else(|| tunnel().map(|(_, index)| index));
        index.unwrap_or(if name.as_str() == "lo" { LOOPBACK } else { 0 })
    }
}

fn send(request: Request, what: impl Fn() -> String) -> Result<(), BuildError> {
    let failed = |refusal| refusal_error::<()>(&refusal, what());
    let mut netlink = Socket::open().map_err(|errno| failed(errno.into()))?;
    let mut batch = Batch::default();
    batch.push(request, ());
    batch.send(&mut netlink).map_err(failed)
}

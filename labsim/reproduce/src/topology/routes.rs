//! Which way nodes send what is for others.

use super::{HOSTS, Node, Topology};
use crate::yaml::quoted;
use std::collections::BTreeMap;
use std::net::IpAddr;

impl Topology {
    /// Whether no router is between a node and a host.
    pub(crate) fn is_beside(&self, node: &str, host: &str) -> bool {
        let both = self.node(node).zip(self.node(host));
        both.is_some_and(|(from, to)| self.next(from, to).is_some_and(|(next, _)| next == to))
    }

    /// The next node on the way to another one, and the addresses that it has there.
    fn next(&self, from: usize, to: usize) -> Option<(usize, &[IpAddr])> {
        // The way back from the destination, which is a tree.
        let mut next: BTreeMap<usize, (usize, &[IpAddr])> = BTreeMap::new();
        let mut left = vec![to];
        while let Some(node) = left.pop() {
            let ports = self.nodes.get(node).map(|it| it.ports.as_slice()).unwrap_or_default();
            for port in ports {
                for (place, other) in self.nodes.iter().enumerate() {
                    let is_beside = other.ports.iter().any(|it| it.network == port.network);
                    if is_beside && place != to && !next.contains_key(&place) && place != node {
                        next.insert(place, (node, &port.addresses));
                        if other.is_router {
                            left.push(place);
                        }
                    }
                }
            }
        }
        next.get(&from).copied()
    }

    /// A node's routes: what a prefix or address is sent to.
    pub(super) fn routes(&self, node: usize) -> Vec<(String, IpAddr)> {
        let Some(own) = self.nodes.get(node) else { return Vec::new() };
        let families = 0..self.families.len();
        families.flat_map(|family| self.routes_of(family, own, node)).collect()
    }

    /// The routes of one family.
    fn routes_of(&self, family: usize, own: &Node, node: usize) -> Vec<(String, IpAddr)> {
        let Some(addresses) = self.families.get(family) else { return Vec::new() };
        let everything = match (self.families.len(), addresses.is_ipv4) {
            (1, _) => "default",
            (_, true) => "0.0.0.0/0",
            (_, false) => "\"::/0\"",
        };
        let of_family = |all: &[IpAddr]| all.get(family).copied();
        if let Some((_, via)) = self.defaults.iter().find(|(name, _)| *name == own.name) {
            let via = of_family(via);
            return via.map(|via| (everything.to_owned(), via)).into_iter().collect();
        }
        let next = |to: usize| of_family(self.next(node, to)?.1);
        let mut routes = Vec::new();
        // Answers and requests of a host go to the same router, as a rule: that is its default.
        let first = if own.name == HOSTS[0] { HOSTS[1] } else { HOSTS[0] };
        let default = self.node(first).and_then(next).filter(|_| !own.is_router);
        let is_beside = |host: &str| {
            let port = self.node(host).and_then(|it| self.nodes.get(it)?.ports.first());
            port.is_some_and(|port| own.is_on(port.network))
        };
        if let Some(default) = default.filter(|_| !is_beside(first)) {
            routes.push((everything.to_owned(), default));
        }
        for host in HOSTS.into_iter().chain(self.further()) {
            let is_ipv4 = addresses.is_ipv4;
            let to = self.node(host).filter(|to| *to != node);
            let (Some(via), Some(address)) = (to.and_then(next), self.address(host, is_ipv4))
            else {
                continue;
            };
            let is_default = routes.iter().any(|(to, by)| to == everything && *by == via);
            if !is_beside(host) && !is_default {
                routes.push((quoted(address), via));
            }
            let Some(vip) = addresses.vip.filter(|_| host == HOSTS[1]) else { continue };
            // The VIP is the load balancer's; who shares its network asks for it there.
            let has_vip = own.ports.iter().any(|port| self.has_address(port.network, vip));
            if !(is_default || has_vip && is_beside(host)) {
                routes.push((quoted(vip), via));
            }
        }
        routes
    }
}

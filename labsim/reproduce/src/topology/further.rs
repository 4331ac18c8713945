//! The pool's further members as hosts: on the server's network, or on another one behind the same router.

use super::{HOSTS, INTERFACE, Node, Port, Topology};
use crate::members::node_name;
use crate::network::Network;
use ipnet::IpNet;
use std::net::IpAddr;

/// The prefix of an interface of the router towards a network of further members.
const FURTHER: &str = "servers";

impl Topology {
    /// Adds the hosts of a pool's further members.
    pub(super) fn add_further(&mut self, network: &Network) {
        for member in &network.members.further {
            let address = member.address.ip();
            let name = node_name(self.further.len());
            let added = self.network_of(address).and_then(|network| {
                let own = self
                    .families
                    .iter()
                    .map(|it| Some(address).filter(|own| own.is_ipv4() == it.is_ipv4));
                let addresses = self.free(network, own.collect()).ok()?;
                Some(Port { interface: INTERFACE.to_owned(), addresses, network })
            });
            match added {
                Some(port) => {
                    self.nodes.push(Node {
                        name: name.clone(),
                        is_router: false,
                        ports: vec![port],
                    });
                    self.further.push((name, address));
                }
                None => self.unplaced.push(address),
            }
        }
    }

    /// The nodes of further members.
    pub(crate) fn further(&self) -> impl Iterator<Item = &str> {
        self.further.iter().map(|(name, _)| name.as_str())
    }

    /// Further members that no network has room for.
    pub(crate) fn unplaced(&self) -> &[IpAddr] {
        &self.unplaced
    }

    /// The network that a further member is on: one that has its address, or a new one.
    fn network_of(&mut self, address: IpAddr) -> Option<usize> {
        let has = |net: &IpNet| net.contains(&address);
        let own = self.networks.iter().position(|nets| nets.iter().any(has));
        match own {
            Some(own) => {
                let net = *self.networks.get(own)?.iter().find(|it| has(it))?;
                let is_host = ![net.network(), net.broadcast()].contains(&address);
                let is_of_servers = self.server_network() == Some(own)
                    || self.further.iter().any(|(name, _)| {
                        self.node(name)
                            .and_then(|it| self.nodes.get(it))
                            .is_some_and(|it| it.is_on(own))
                    });
                Some(own).filter(|_| is_host && is_of_servers)
            }
            None => self.add_behind_router(address),
        }
    }

    /// The server's network.
    fn server_network(&self) -> Option<usize> {
        Some(self.nodes.get(self.node(HOSTS[2])?)?.ports.first()?.network)
    }

    /// A new network behind the router that is next to the server.
    fn add_behind_router(&mut self, address: IpAddr) -> Option<usize> {
        // A segment in the middle has the routers of other hosts too.
        let server = self.server_network().filter(|it| self.middle != Some(*it))?;
        let router = self.nodes.iter().position(|it| it.is_router && it.is_on(server))?;
        let hosts = self.families.iter().flat_map(|it| it.hosts.into_iter().chain([it.vip]));
        let others: Vec<IpAddr> = hosts.flatten().collect();
        let mut nets = Vec::new();
        for family in 0..self.families.len() {
            let is_ipv4 = self.families.get(family)?.is_ipv4;
            nets.push(if address.is_ipv4() == is_ipv4 {
                self.taken.network(&[address], &others)?
            } else {
                self.numbered_network(is_ipv4)?
            });
        }
        let overlaps = |net: &IpNet| {
            let mut known = self.networks.iter().flatten();
            known.any(|it| it.contains(&net.network()) || net.contains(&it.network()))
        };
        if nets.iter().any(overlaps) {
            return None;
        }
        self.numbered += u8::from(nets.len() > 1);
        self.networks.push(nets);
        let network = self.networks.len() - 1;
        let interface = format!("{FURTHER}{network}");
        let port = self.port(&interface, network).ok();
        let (Some(port), Some(router)) = (port, self.nodes.get_mut(router)) else {
            self.networks.pop();
            return None;
        };
        router.ports.push(port);
        Some(network)
    }
}

//! The topology: hosts, chains of routers that make a tree of them, and everyone's addresses.

mod further;
mod routes;
mod text;

use crate::network::Network;
use crate::subnet::Taken;
use crate::wiring::Wiring;
use ipnet::IpNet;
use std::net::IpAddr;

/// The router in the middle.
pub(crate) const ROUTER: &str = "router";
/// The hosts, in the order of the file; routers of a host's chain begin with its name.
pub(crate) const HOSTS: [&str; 3] = ["client", "lb", "server"];
/// The place of the load balancer among them.
const BALANCER: usize = 1;
/// The router next to the load balancer, if its chain has one.
pub(crate) const BALANCER_ROUTER: &str = "lb-r1";
/// The firewall that answers pass.
const FIREWALL: &str = "firewall";
/// The number of the network between firewall and router: the last of those between routers.
const FIREWALL_NETWORK: u8 = u8::MAX;
/// An interface of a router towards the middle.
const INWARD: &str = "inward";
/// And towards its host.
const OUTWARD: &str = "outward";
/// The only interface of a host.
const INTERFACE: &str = "eth0";

/// An interface on a network.
#[derive(Debug, Clone)]
struct Port {
    interface: String,
    /// One of each family.
    addresses: Vec<IpAddr>,
    network: usize,
}

/// A host or a router.
#[derive(Debug, Clone)]
struct Node {
    name: String,
    is_router: bool,
    ports: Vec<Port>,
}

impl Node {
    fn is_on(&self, network: usize) -> bool {
        self.ports.iter().any(|port| port.network == network)
    }
}

/// A family, and the addresses of it that are not chosen.
#[derive(Debug, Clone, Copy)]
struct Family {
    is_ipv4: bool,
    /// Those of the hosts.
    hosts: [Option<IpAddr>; 3],
    vip: Option<IpAddr>,
}

/// The families of a network: that of the VIP, and, where tunnels are of the other one, that too.
fn families(network: &Network) -> Vec<Family> {
    let family = |is_ipv4: bool| {
        let own = |address: IpAddr| Some(address).filter(|it| it.is_ipv4() == is_ipv4);
        let hosts = [network.client, network.balancer, network.server].map(own);
        Family { is_ipv4, hosts, vip: own(network.vip) }
    };
    let inside = network.vip.is_ipv4();
    let outside = Some(!inside).filter(|it| network.server.is_ipv4() == *it);
    std::iter::once(inside).chain(outside).map(family).collect()
}

/// Nodes and networks.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    families: Vec<Family>,
    nodes: Vec<Node>,
    /// A prefix of each family.
    networks: Vec<Vec<IpNet>>,
    taken: Taken,
    /// Networks that were given prefixes of their own number.
    numbered: u8,
    /// Default routes that are not those of the tree, by the node's name.
    defaults: Vec<(&'static str, Vec<IpAddr>)>,
    /// The segment in the middle, if no router is there.
    middle: Option<usize>,
    /// The nodes of the pool's further members, and the member's address of each.
    further: Vec<(String, IpAddr)>,
    /// Further members that no network has room for.
    unplaced: Vec<IpAddr>,
}

impl Topology {
    /// The tree of a network.
    ///
    /// # Errors
    /// Why its addresses do not fit into one.
    pub(crate) fn new(network: &Network) -> Result<Self, String> {
        let hops = network.hops;
        let chains = [hops.client, hops.balancer, hops.server];
        let families = families(network);
        let known = families.iter().flat_map(|it| it.hosts.into_iter().chain([it.vip]));
        let further = network.members.further.iter().map(|it| Some(it.address.ip()));
        let mut topology = Self {
            taken: Taken::new(known.chain(further)),
            families,
            nodes: Vec::new(),
            networks: Vec::new(),
            numbered: 0,
            defaults: Vec::new(),
            middle: None,
            further: Vec::new(),
            unplaced: Vec::new(),
        };
        // The segment in the middle, with the hosts that no router separates from it.
        let middle = if hops.has_router {
            topology.nodes.push(Node {
                name: ROUTER.to_owned(),
                is_router: true,
                ports: Vec::new(),
            });
            None
        } else {
            let attached = chains.iter().enumerate().filter(|(_, chain)| **chain == 0);
            let attached: Vec<usize> = attached.map(|(host, _)| host).collect();
            Some(topology.add_network(&attached)?)
        };
        topology.middle = middle;
        for (host, (name, chain)) in HOSTS.into_iter().zip(chains).enumerate() {
            let own = match middle {
                Some(middle) if chain == 0 => middle,
                _ => topology.add_network(&[host])?,
            };
            let addresses = topology.addresses_of(host, own)?;
            let port = Port { interface: INTERFACE.to_owned(), addresses, network: own };
            topology.nodes.push(Node {
                name: name.to_owned(),
                is_router: false,
                ports: vec![port],
            });
            let mut outward = own;
            for place in 1..=chain {
                let is_last = place == chain;
                let inward = match middle {
                    Some(middle) if is_last => middle,
                    _ => topology.add_network(&[])?,
                };
                let ports = [(OUTWARD, outward), (INWARD, inward)];
                let ports = ports.map(|(interface, network)| topology.port(interface, network));
                topology.nodes.push(Node {
                    name: format!("{name}-r{place}"),
                    is_router: true,
                    ports: ports.into_iter().collect::<Result<_, _>>()?,
                });
                outward = inward;
            }
            if middle.is_none() {
                let port = topology.port(router_port(name), outward)?;
                if let Some(router) = topology.nodes.first_mut() {
                    router.ports.push(port);
                }
            }
        }
        topology.add_further(network);
        Ok(topology)
    }

    /// Adds the network of hosts that share a segment.
    fn add_network(&mut self, attached: &[usize]) -> Result<usize, String> {
        let mut nets = Vec::new();
        let mut is_numbered = false;
        for Family { is_ipv4, hosts, vip } in &self.families {
            let is_attached = |(host, _): &(usize, IpAddr)| attached.contains(host);
            let all = hosts.iter().enumerate();
            let all = all.filter_map(|(host, address)| Some((host, (*address)?)));
            let (own, others): (Vec<_>, Vec<_>) = all.partition(is_attached);
            let addresses = |of: Vec<(usize, IpAddr)>| of.into_iter().map(|(_, address)| address);
            let own: Vec<IpAddr> = addresses(own).collect();
            // Who has the VIP in its network asks for it there, which reaches the load balancer there only.
            let vip = vip.filter(|_| !attached.contains(&BALANCER));
            let others: Vec<IpAddr> = addresses(others).chain(vip).collect();
            nets.push(if own.is_empty() {
                is_numbered = true;
                self.numbered_network(*is_ipv4).ok_or("too many routers")?
            } else {
                self.taken.network(&own, &others).ok_or_else(|| no_network(&own))?
            });
        }
        self.numbered = self.numbered.saturating_add(u8::from(is_numbered));
        self.networks.push(nets);
        Ok(self.networks.len() - 1)
    }

    /// The next network of those without known hosts.
    fn numbered_network(&self, is_ipv4: bool) -> Option<IpNet> {
        let net = Taken::between_routers(self.numbered, is_ipv4);
        net.filter(|_| self.numbered < FIREWALL_NETWORK)
    }

    /// The addresses of a host: those that it has, and free ones of families that it has none of.
    fn addresses_of(&mut self, host: usize, network: usize) -> Result<Vec<IpAddr>, String> {
        let own: Vec<Option<IpAddr>> =
            self.families.iter().map(|it| it.hosts.get(host).copied().flatten()).collect();
        self.free(network, own)
    }

    /// An interface with free addresses of a network.
    fn port(&mut self, interface: &str, network: usize) -> Result<Port, String> {
        let addresses = self.free(network, vec![None; self.families.len()])?;
        Ok(Port { interface: interface.to_owned(), addresses, network })
    }

    fn free(&mut self, network: usize, own: Vec<Option<IpAddr>>) -> Result<Vec<IpAddr>, String> {
        let nets = self.networks.get(network).map(Vec::as_slice).unwrap_or_default();
        let taken = &mut self.taken;
        let addresses = nets.iter().zip(own).map(|(net, own)| own.or_else(|| taken.take(*net)));
        let addresses: Option<Vec<IpAddr>> = addresses.collect();
        addresses.ok_or_else(|| "a network has no address left".to_owned())
    }

    /// The same with a firewall between the server and the router, which requests do not pass.
    fn with_reply_firewall(mut self) -> Option<Self> {
        let server = self.nodes.get(self.node(HOSTS[2])?)?.ports.first()?.network;
        let nets = self.families.iter();
        let nets = nets.map(|it| Taken::between_routers(FIREWALL_NETWORK, it.is_ipv4));
        self.networks.push(nets.collect::<Option<_>>()?);
        let between = self.networks.len() - 1;
        let outward = self.port(OUTWARD, server).ok()?;
        let inward = self.port(INWARD, between).ok()?;
        let router = self.port(FIREWALL, between).ok()?;
        self.defaults =
            vec![(HOSTS[2], outward.addresses.clone()), (FIREWALL, router.addresses.clone())];
        let place = self.node(ROUTER)?;
        self.nodes.get_mut(place)?.ports.push(router);
        let ports = vec![outward, inward];
        self.nodes.push(Node { name: FIREWALL.to_owned(), is_router: true, ports });
        Some(self)
    }

    /// The topology of a fault; `None` if this network has none.
    pub(crate) fn wired(&self, wiring: Wiring) -> Option<Self> {
        match wiring {
            Wiring::ReplyFirewall => self.clone().with_reply_firewall(),
            _ => Some(self.clone()),
        }
    }

    /// Whether load balancer and server are on one segment whose network has the VIP.
    pub(crate) fn has_vip_on_servers_segment(&self, vip: IpAddr) -> bool {
        let network = |host: &str| Some(self.nodes.get(self.node(host)?)?.ports.first()?.network);
        let of_server = network(HOSTS[2]);
        network(HOSTS[1]) == of_server && of_server.is_some_and(|it| self.has_address(it, vip))
    }

    /// Whether an address is one of a network.
    fn has_address(&self, network: usize, address: IpAddr) -> bool {
        let nets = self.networks.get(network);
        nets.is_some_and(|nets| nets.iter().any(|net| net.contains(&address)))
    }

    fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|it| it.name == name)
    }

    /// Whether there is a node of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    /// A host's address of a family.
    pub(crate) fn address(&self, host: &str, is_ipv4: bool) -> Option<IpAddr> {
        let port = self.nodes.get(self.node(host)?)?.ports.first()?;
        port.addresses.iter().find(|it| it.is_ipv4() == is_ipv4).copied()
    }

    /// The network of a host, of a family.
    pub(crate) fn network(&self, host: &str, is_ipv4: bool) -> Option<IpNet> {
        let port = self.nodes.get(self.node(host)?)?.ports.first()?;
        let mut nets = self.networks.get(port.network)?.iter();
        nets.find(|it| it.addr().is_ipv4() == is_ipv4).copied()
    }
}

fn no_network(hosts: &[IpAddr]) -> String {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    format!(
        "{} are on one segment by their TTLs, and no prefix has these addresses and no others",
        hosts.join(" and ")
    )
}

/// The interface of the middle router towards a host.
pub(crate) fn router_port(host: &str) -> &'static str {
    match host {
        "client" => "clients",
        "lb" => "balancer",
        _ => "servers",
    }
}

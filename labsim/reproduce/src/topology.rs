//! The topology's text: hosts, chains of routers, and the routes that make a tree of them.

use crate::network::Network;
use crate::subnet::Taken;
use crate::wiring::Wiring;
use ipnet::Ipv4Net;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

/// The router in the middle.
pub(crate) const ROUTER: &str = "router";
/// The hosts, in the order of the file; routers of a host's chain begin with its name.
pub(crate) const HOSTS: [&str; 3] = ["client", "lb", "server"];
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
/// The segment in the middle.
const MIDDLE: &str = "middle";
/// The only interface of a host.
const INTERFACE: &str = "eth0";

/// An interface on a network.
#[derive(Debug, Clone)]
struct Port {
    interface: String,
    address: Ipv4Addr,
    network: usize,
}

/// A host or a router.
#[derive(Debug, Clone)]
struct Node {
    name: String,
    is_router: bool,
    ports: Vec<Port>,
}

/// Nodes and networks.
#[derive(Debug, Clone)]
pub(crate) struct Topology {
    nodes: Vec<Node>,
    networks: Vec<Ipv4Net>,
    vip: Ipv4Addr,
    taken: Taken,
    /// Default routes that are not those of the tree, by the node's name.
    defaults: Vec<(&'static str, Ipv4Addr)>,
}

impl Topology {
    /// The tree of a network.
    ///
    /// # Errors
    /// Why its addresses do not fit into one.
    pub(crate) fn new(network: &Network) -> Result<Self, String> {
        let hops = network.hops;
        let addresses = [network.client, network.balancer, network.server];
        let chains = [hops.client, hops.balancer, hops.server];
        let mut taken = Taken::new(addresses.into_iter().chain([network.vip]).map(Some));
        let mut topology = Self {
            nodes: Vec::new(),
            networks: Vec::new(),
            vip: network.vip,
            taken: taken.clone(),
            defaults: Vec::new(),
        };
        let no_network = |hosts: &[Ipv4Addr]| {
            let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
            format!(
                "{} are on one segment by their TTLs, and no prefix has these addresses and no others",
                hosts.join(" and ")
            )
        };
        // The segment in the middle, with the hosts that no router separates from it.
        let mut number = 0;
        let mut between = |topology: &mut Self| {
            let net = Taken::between_routers(number);
            number = number.saturating_add(1);
            let net = net.ok_or("too many routers")?;
            topology.networks.push(net);
            Ok::<usize, String>(topology.networks.len() - 1)
        };
        let others = |of: &[Ipv4Addr]| -> Vec<Ipv4Addr> {
            let mut others: Vec<Ipv4Addr> =
                addresses.into_iter().filter(|it| !of.contains(it)).collect();
            // Who has the VIP in its network asks for it by ARP, which reaches the load balancer there only.
            if !of.contains(&network.balancer) {
                others.push(network.vip);
            }
            others
        };
        let middle = if hops.has_router {
            topology.nodes.push(Node {
                name: ROUTER.to_owned(),
                is_router: true,
                ports: Vec::new(),
            });
            None
        } else {
            let attached = addresses.into_iter().zip(chains).filter(|(_, chain)| *chain == 0);
            let attached: Vec<Ipv4Addr> = attached.map(|(address, _)| address).collect();
            if attached.is_empty() {
                Some(between(&mut topology)?)
            } else {
                let net = taken.network(&attached, &others(&attached));
                topology.networks.push(net.ok_or_else(|| no_network(&attached))?);
                Some(topology.networks.len() - 1)
            }
        };
        for ((name, address), chain) in HOSTS.into_iter().zip(addresses).zip(chains) {
            let own = match middle {
                Some(middle) if chain == 0 => middle,
                _ => {
                    let net = taken.network(&[address], &others(&[address]));
                    topology.networks.push(net.ok_or_else(|| no_network(&[address]))?);
                    topology.networks.len() - 1
                }
            };
            let port = Port { interface: INTERFACE.to_owned(), address, network: own };
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
                    _ => between(&mut topology)?,
                };
                let mut ports = Vec::new();
                for (interface, network) in [(OUTWARD, outward), (INWARD, inward)] {
                    let address = topology.take(&mut taken, network)?;
                    ports.push(Port { interface: interface.to_owned(), address, network });
                }
                topology.nodes.push(Node {
                    name: format!("{name}-r{place}"),
                    is_router: true,
                    ports,
                });
                outward = inward;
            }
            if middle.is_none() {
                let address = topology.take(&mut taken, outward)?;
                let port =
                    Port { interface: router_port(name).to_owned(), address, network: outward };
                if let Some(router) = topology.nodes.first_mut() {
                    router.ports.push(port);
                }
            }
        }
        topology.taken = taken;
        Ok(topology)
    }

    /// The same with a firewall between the server and the router, which requests do not pass.
    fn with_reply_firewall(mut self) -> Option<Self> {
        let server = self.nodes.get(self.node(HOSTS[2])?)?.ports.first()?.network;
        self.networks.push(Taken::between_routers(FIREWALL_NETWORK)?);
        let between = self.networks.len() - 1;
        let mut taken = self.taken.clone();
        let mut port = |topology: &Self, interface: &str, network: usize| {
            let address = taken.take(*topology.networks.get(network)?)?;
            Some(Port { interface: interface.to_owned(), address, network })
        };
        let outward = port(&self, OUTWARD, server)?;
        let inward = port(&self, INWARD, between)?;
        let router = port(&self, FIREWALL, between)?;
        self.defaults = vec![(HOSTS[2], outward.address), (FIREWALL, router.address)];
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
    pub(crate) fn has_vip_on_servers_segment(&self, vip: Ipv4Addr) -> bool {
        let network = |host: &str| Some(self.nodes.get(self.node(host)?)?.ports.first()?.network);
        network(HOSTS[1]) == network(HOSTS[2])
            && self.network(HOSTS[2]).is_some_and(|net| net.contains(&vip))
    }

    fn take(&self, taken: &mut Taken, network: usize) -> Result<Ipv4Addr, String> {
        let net = self.networks.get(network);
        net.and_then(|net| taken.take(*net))
            .ok_or_else(|| "a network has no address left".to_owned())
    }

    fn node(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|it| it.name == name)
    }

    /// Whether there is a node of this name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.node(name).is_some()
    }

    /// A host's address.
    pub(crate) fn address(&self, host: &str) -> Option<Ipv4Addr> {
        Some(self.nodes.get(self.node(host)?)?.ports.first()?.address)
    }

    /// The network of a host.
    pub(crate) fn network(&self, host: &str) -> Option<Ipv4Net> {
        let port = self.nodes.get(self.node(host)?)?.ports.first()?;
        self.networks.get(port.network).copied()
    }

    /// The address that a node sends to what is for `host` to, if that is not the host itself.
    pub(crate) fn next_hop(&self, node: &str, host: &str) -> Option<Ipv4Addr> {
        let (from, to) = (self.node(node)?, self.node(host)?);
        let next = self.next(from, to)?;
        (next.0 != to).then_some(next.1)
    }

    /// The next node on the way to another one, and its address.
    fn next(&self, from: usize, to: usize) -> Option<(usize, Ipv4Addr)> {
        // The way back from the destination, which is a tree.
        let mut next: BTreeMap<usize, (usize, Ipv4Addr)> = BTreeMap::new();
        let mut left = vec![to];
        while let Some(node) = left.pop() {
            let ports = self.nodes.get(node).map(|it| it.ports.as_slice()).unwrap_or_default();
            for port in ports {
                for (place, other) in self.nodes.iter().enumerate() {
                    let is_beside = other.ports.iter().any(|it| it.network == port.network);
                    if is_beside && place != to && !next.contains_key(&place) && place != node {
                        next.insert(place, (node, port.address));
                        if other.is_router {
                            left.push(place);
                        }
                    }
                }
            }
        }
        next.get(&from).copied()
    }

    fn is_on(&self, node: &Node, network: usize) -> bool {
        node.ports.iter().any(|port| port.network == network)
    }

    /// A node's routes: what a prefix or address is sent to.
    fn routes(&self, node: usize) -> Vec<(String, Ipv4Addr)> {
        let Some(own) = self.nodes.get(node) else { return Vec::new() };
        if let Some((_, via)) = self.defaults.iter().find(|(name, _)| *name == own.name) {
            return vec![("default".to_owned(), *via)];
        }
        let mut routes = Vec::new();
        // Answers and requests of a host go to the same router, as a rule: that is its default.
        let first = if own.name == HOSTS[0] { HOSTS[1] } else { HOSTS[0] };
        let default = self.node(first).and_then(|to| self.next(node, to));
        let default = default.map(|(_, address)| address).filter(|_| !own.is_router);
        let is_beside = |host: &str| {
            let port = self.node(host).and_then(|it| self.nodes.get(it)?.ports.first());
            port.is_some_and(|port| self.is_on(own, port.network))
        };
        if let Some(default) = default.filter(|_| !is_beside(first)) {
            routes.push(("default".to_owned(), default));
        }
        for host in HOSTS {
            let (Some(to), Some(address)) = (self.node(host), self.address(host)) else { continue };
            let Some((_, via)) = self.next(node, to).filter(|_| to != node) else { continue };
            let is_default = routes.iter().any(|(to, by)| to == "default" && *by == via);
            if !is_beside(host) && !is_default {
                routes.push((address.to_string(), via));
            }
            if host != HOSTS[1] {
                continue;
            }
            // The VIP is the load balancer's; who shares its network asks for it there.
            let has_vip = own.ports.iter().any(|port| {
                self.networks.get(port.network).is_some_and(|net| net.contains(&self.vip))
            });
            if !(is_default || has_vip && is_beside(host)) {
                routes.push((self.vip.to_string(), via));
            }
        }
        routes
    }

    /// Writes the file.
    pub(crate) fn text(&self, header: &str, network: &Network, wiring: Wiring) -> String {
        let mut out = format!("{header}\nnodes:\n");
        for (place, node) in self.nodes.iter().enumerate() {
            let mut keys = Vec::new();
            if node.is_router {
                let is_off = wiring == Wiring::RouterOff && node.name == ROUTER;
                keys.push(format!("forward: {}", !is_off));
            }
            let ports = node.ports.iter().map(|port| {
                let length = self.networks.get(port.network).map_or(WHOLE, Ipv4Net::prefix_len);
                format!("{}: {}/{length}", port.interface, port.address)
            });
            keys.push(format!("interfaces: {{{}}}", ports.collect::<Vec<_>>().join(", ")));
            let routes = self.routes(place);
            if !routes.is_empty() {
                let routes = routes.iter().map(|(to, via)| format!("{to}: {via}"));
                keys.push(format!("routes: {{{}}}", routes.collect::<Vec<_>>().join(", ")));
            }
            let ttl = match node.name.as_str() {
                "client" => Some(network.client_ttl),
                "server" => Some(network.server_ttl),
                _ => None,
            };
            if let Some(ttl) = ttl {
                let timestamps = u8::from(network.has_timestamps);
                keys.push(format!(
                    "sysctls: {{net.ipv4.ip_default_ttl: {ttl}, net.ipv4.tcp_timestamps: {timestamps}}}"
                ));
            }
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {}: {{{}}}", node.name, keys.join(", "));
        }
        let (mut links, mut segments) = (String::new(), String::new());
        for number in 0..self.networks.len() {
            let ports = self.nodes.iter().flat_map(|node| {
                let own = node.ports.iter().filter(move |port| port.network == number);
                own.map(move |port| format!("\"{}:{}\"", node.name, port.interface))
            });
            let ports: Vec<String> = ports.collect();
            let (count, ports) = (ports.len(), ports.join(", "));
            let is_of = |host: &str| ports.contains(&format!("\"{host}:{INTERFACE}\""));
            let options = match wiring {
                Wiring::Offloads => ", offloads: true".to_owned(),
                Wiring::NarrowBalancer if is_of(HOSTS[1]) => mtu(network),
                Wiring::NarrowServer if is_of(HOSTS[2]) => mtu(network),
                _ => String::new(),
            };
            if count > 2 || !wiring.has_links() {
                let name = if count > 2 { MIDDLE.to_owned() } else { format!("net{}", number + 1) };
                let _ = writeln!(segments, "  {name}: [{ports}]");
            } else {
                let _ = writeln!(links, "  - {{endpoints: [{ports}]{options}}}");
            }
        }
        for (key, lines) in [("links", links), ("segments", segments)] {
            if !lines.is_empty() {
                let _ = write!(out, "\n{key}:\n{lines}");
            }
        }
        out
    }
}

/// The prefix length of one address.
const WHOLE: u8 = 32;

fn mtu(network: &Network) -> String {
    network.narrow_mtu.map(|mtu| format!(", mtu: {mtu}")).unwrap_or_default()
}

/// The interface of the middle router towards a host.
pub(crate) fn router_port(host: &str) -> &'static str {
    match host {
        "client" => "clients",
        "lb" => "balancer",
        _ => "servers",
    }
}

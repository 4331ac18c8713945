//! What a host's state means for one real server of a scenario.

use super::host::{Address, Host, Link, Socket};
use super::settings::settings;
use crate::address::check_unicast;
use crate::lab::server_state::{Listening, ServerState, Tunnel, Vip, protocol};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use labsim_model::{GreOptions, TunnelKind, TunnelProtocol};
use labsim_scenario::model::{
    InterfaceName, Listen, Node, RealServer, RouteMetrics, Scenario, Scope,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

const TUNNEL_DOWN: &str = "tunnel device that is down";
const OTHER_DEVICE: &str = "the lab's node does not have this device";
/// Least and most of a route's MTU and MSS in a scenario.
const MTU: (u32, u32) = (68, 65_520);
const MSS: (u32, u32) = (48, 65_495);
/// Most VIPs of a real server.
const VIPS: usize = 256;
const DERIVED: &str = "route that the kernel makes of an address";

/// The state of a scenario's real server, as the host has it. None if the texts are about another host.
pub(super) fn state(
    host: &Host,
    scenario: &Scenario,
    node: &Node,
    report: &mut Report<'_>,
) -> Option<ServerState> {
    let base = scenario.real_servers.get(&node.name);
    let mut state = base.map(ServerState::from).unwrap_or_default();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for name in ["all", "lo"] {
        names.insert(name.to_owned(), name.to_owned());
    }
    let own: BTreeSet<IpAddr> =
        node.interfaces.iter().flat_map(|it| &it.addresses).map(ipnet::IpNet::addr).collect();
    if host.has_addresses {
        let mut reader =
            Addresses { host, scenario, node, own: &own, base, names: &mut names, report };
        reader.take(&mut state)?;
    } else {
        for interface in &node.interfaces {
            names.insert(interface.name.to_string(), interface.name.to_string());
        }
        if let Some(tunnel) = &state.tunnel {
            names.insert(tunnel.device.clone(), tunnel.device.clone());
        }
        if let Some(first) = first_place(host) {
            let why = "no `ip addr` among the files: VIP and tunnel of the scenario are used";
            report.warn(first, format!("addresses of {}", node.name), why);
        }
        for link in &host.links {
            let what = format!("device {}", printable(&link.name));
            let why = "without addresses it is not known which of the lab's it is; give `ip addr`";
            report.not_imported(link.place, what, why);
        }
    }
    settings(host, &names, &mut state, report);
    if host.has_routes {
        routes(host, node, &names, &mut state, report);
    }
    let vips: Vec<IpAddr> = state.vips.iter().map(|vip| vip.address).collect();
    let mut at = |is_tcp, port, servers: usize| {
        let found = listening(&host.sockets, is_tcp, port, &own, &vips);
        if found != Listening::Nowhere || servers > 1 {
            return Some(found);
        }
        let place = first_place(host).unwrap_or_else(|| Place::new(0, 0, 0));
        let why = "the lab's server listens there, as it is the one that has the secret";
        report.skip(place, format!("port {port} without a socket"), why)
    };
    if let (true, Some(server)) = (host.has_tcp, scenario.tacacs_servers.get(&node.name)) {
        state.tacacs = at(true, server.port, scenario.tacacs_servers.len());
    }
    if let (true, Some(server)) = (host.has_udp, scenario.radius_servers.get(&node.name)) {
        state.radius = at(false, server.authentication_port, scenario.radius_servers.len());
    }
    Some(state)
}

fn first_place(host: &Host) -> Option<Place> {
    let sysctls = host.sysctls.values().map(|it| it.place);
    let routes = host.routes.iter().map(|it| it.place);
    sysctls.chain(routes).chain(host.links.iter().map(|it| it.place)).min()
}

struct Addresses<'a, 's> {
    host: &'a Host,
    scenario: &'a Scenario,
    node: &'a Node,
    /// The node's addresses in the scenario.
    own: &'a BTreeSet<IpAddr>,
    base: Option<&'a RealServer>,
    /// What the lab calls the host's interfaces.
    names: &'a mut BTreeMap<String, String>,
    report: &'a mut Report<'s>,
}

impl<'a> Addresses<'a, '_> {
    fn take(&mut self, state: &mut ServerState) -> Option<()> {
        let found = self.own.iter().find_map(|address| self.host.link_with(*address));
        let Some(main) = found.filter(|link| !link.is_loopback()) else {
            let own: Vec<String> = self.own.iter().map(ToString::to_string).collect();
            let message = format!(
                "no interface in these files has the address of {} ({}); name the node that has this \
                 host's address",
                self.node.name,
                own.join(", ")
            );
            let place = self.host.links.first().map_or(Place::new(0, 0, 0), |link| link.place);
            return self.report.reject(place, message);
        };
        let interface = self.node.interfaces.iter().find(|interface| {
            interface
                .addresses
                .iter()
                .any(|net| main.addresses.iter().any(|it| it.net.addr() == net.addr()))
        })?;
        self.names.insert(main.name.clone(), interface.name.to_string());
        if let Some(mtu) = main.mtu.filter(|mtu| *mtu != interface.mtu) {
            let what = format!("MTU {mtu} of {}", printable(&main.name));
            let why = format!(
                "{}:{} of the topology has {}; write it there if it matters",
                self.node.name, interface.name, interface.mtu
            );
            self.report.not_imported(main.place, what, why);
        }
        if main.up == Some(false) {
            let why = "the lab's interface is up";
            self.report.not_imported(main.place, format!("{}: down", printable(&main.name)), why);
        }
        let tunnel = self.tunnel();
        if !self.host.links.iter().any(Link::is_loopback) {
            let why = "lo is not shown: the VIPs that the scenario has on it are used";
            self.report.warn(main.place, format!("addresses of {}", self.node.name), why);
            state.vips.retain(|vip| vip.device == "lo");
        } else {
            state.vips.clear();
        }
        if let (None, Some(tunnel)) = (tunnel, &state.tunnel) {
            let why = "no tunnel device is shown: the host is taken to have none";
            self.report.warn(main.place, format!("tunnel {}", tunnel.device), why);
        }
        state.tunnel = None;
        if let Some(link) = tunnel {
            self.check_name(link)?;
            self.names.insert(link.name.clone(), link.name.clone());
            state.tunnel = Some(self.tunnel_end(link));
        }
        for link in &self.host.links {
            let is_tunnel = tunnel.is_some_and(|it| it.name == link.name);
            if link.is_loopback() {
                self.vips(link, "lo", state);
            } else if is_tunnel {
                self.vips(link, &link.name, state);
            } else if link.name == main.name {
                self.vips(link, interface.name.as_str(), state);
            } else if kind(link).is_some() && link.up == Some(false) && link.addresses.is_empty() {
                self.report.left_out(link.place, TUNNEL_DOWN);
            } else {
                self.other_device(link, state);
            }
        }
        Some(())
    }

    /// Whether the lab's node can have a device of that name.
    fn check_name(&mut self, link: &Link) -> Option<()> {
        let is_taken = self.node.interfaces.iter().any(|it| it.name.as_str() == link.name);
        let is_valid = InterfaceName::new(&link.name).is_ok()
            && !["lo", "all", "default"].contains(&link.name.as_str())
            && !link.name.contains('.');
        if is_valid && !is_taken {
            return Some(());
        }
        let name = printable(&link.name);
        let message =
            format!("the lab's node cannot have a tunnel device `{name}`; rename it in the text");
        self.report.reject(link.place, message)
    }

    /// Whether an address is one that clients know the server by.
    fn is_vip(&self, address: IpAddr) -> bool {
        let balancers = self.scenario.load_balancers.values();
        balancers
            .flat_map(|it| it.virtual_servers.values())
            .any(|it| it.destination.ip() == address)
    }

    /// The tunnel device for the scenario's packets: one of their kind that is up, else one of another
    /// kind that is up, else one of their kind.
    fn tunnel(&mut self) -> Option<&'a Link> {
        let wanted = self.wanted();
        let is_wanted = |link: &&Link| kind(link) == wanted;
        let is_up = |link: &&Link| kind(link).is_some() && link.up != Some(false);
        let host: &'a Host = self.host;
        let links = &host.links;
        let chosen = links
            .iter()
            .find(|link| is_wanted(link) && is_up(link))
            .or_else(|| links.iter().find(is_up))
            .or_else(|| links.iter().find(|link| wanted.is_some() && is_wanted(link)))?;
        Some(chosen)
    }

    /// The kind of device that takes the load balancer's packets, as ip-link(8) names it.
    fn wanted(&self) -> Option<&'static str> {
        if let Some(tunnel) = self.base.and_then(|base| base.tunnels.first()) {
            return Some(tunnel.kind.link_type());
        }
        let pools = self.scenario.load_balancers.values().flat_map(|it| it.pools.values());
        let mut of_node = pools.filter(|pool| {
            pool.members.iter().any(|member| self.own.contains(&member.address.ip()))
        });
        let protocol = of_node.find_map(|pool| pool.profile.tunnel())?;
        Some(TunnelKind::of(protocol, true, true).link_type())
    }

    fn tunnel_end(&mut self, link: &Link) -> Tunnel {
        let what = format!("tunnel {}", printable(&link.name));
        let known = self.base.and_then(|base| base.tunnels.first()).map(|it| protocol(it.kind));
        let is_gre = kind(link).is_some_and(|kind| kind.ends_with("gre"));
        let protocol = match known {
            Some(TunnelProtocol::Gue(options)) if !is_gre => {
                let why = "whether UDP packets come to it is not shown (`ip fou show`); the scenario's \
                           GUE is used";
                self.report.warn(link.place, what.clone(), why);
                TunnelProtocol::Gue(options)
            }
            Some(TunnelProtocol::Gre(options)) if is_gre && !link.tunnel.is_known => {
                if options != GreOptions::default() {
                    let why = "its key and checksum are not shown (`ip -d link`); the scenario's are \
                               used";
                    self.report.warn(link.place, what.clone(), why);
                }
                TunnelProtocol::Gre(options)
            }
            _ if is_gre => {
                let super::host::TunnelOptions { key, checksum, .. } = link.tunnel;
                TunnelProtocol::Gre(GreOptions { key, checksum })
            }
            _ => TunnelProtocol::Ipip,
        };
        if let Some(remote) = link.tunnel.remote.filter(|remote| !remote.is_unspecified()) {
            let why = "labsim's tunnels take packets from every sender; this one takes none but the \
                       remote's";
            self.report.not_imported(link.place, format!("{what}: remote {remote}"), why);
        }
        let mut own = link.addresses.iter().filter_map(|it| match it.net.addr() {
            IpAddr::V4(address) if !self.is_vip(it.net.addr()) => Some((address, it.place)),
            _ => None,
        });
        let address = own.find(|(address, _)| check_unicast(*address).is_ok());
        let address = address.map(|(address, _)| address);
        let others: Vec<(Ipv4Addr, Place)> = own.collect();
        for (other, place) in others {
            let why = "labsim's tunnels have one address beside VIPs";
            self.report.not_imported(place, format!("{what}: address {other}"), why);
        }
        Tunnel {
            place: Some(link.place),
            protocol,
            device: link.name.clone(),
            address,
            up: link.up != Some(false),
        }
    }

    /// The VIPs of a device that the lab has as `device`.
    fn vips(&mut self, link: &Link, device: &str, state: &mut ServerState) {
        for one in &link.addresses {
            let address = one.net.addr();
            let is_own = self.own.contains(&address) && !link.is_loopback();
            let is_kernels = address.is_loopback() || is_link_local(address);
            let is_tunnels = kind(link).is_some() && !self.is_vip(address);
            if is_own || is_kernels || is_tunnels && !link.is_loopback() {
                continue;
            }
            if !link.is_loopback() && !self.is_vip(address) {
                let what = format!("address {} of {}", one.net, printable(&link.name));
                let why = "the lab's interface has the scenario's addresses, and this is no VIP";
                self.report.not_imported(one.place, what, why);
                continue;
            }
            self.vip(one, (link, device), state);
        }
    }

    fn vip(&mut self, one: &Address, (link, device): (&Link, &str), state: &mut ServerState) {
        let address = one.net.addr();
        let what = format!("address {} of {}", one.net, printable(&link.name));
        let checked = match address {
            IpAddr::V4(address) => check_unicast(address).map(|_| ()),
            IpAddr::V6(it) if it.is_unspecified() || it.is_multicast() => {
                Err("no host can have this address".to_owned())
            }
            IpAddr::V6(_) => Ok(()),
        };
        if let Err(why) = checked {
            return self.report.not_imported(one.place, what, why);
        }
        if state.vips.len() >= VIPS {
            let why = format!("a real server has at most {VIPS} VIPs");
            return self.report.not_imported(one.place, what, why);
        }
        let owner = self.scenario.topology.nodes.iter().find(|node| {
            node.interfaces.iter().any(|it| it.addresses.iter().any(|net| net.addr() == address))
        });
        if let Some(owner) = owner.filter(|_| !self.is_vip(address)) {
            let why = format!("it is an address of {} in the scenario", owner.name);
            return self.report.not_imported(one.place, what, why);
        }
        if state.vips.iter().any(|vip| vip.address == address) {
            return self.report.not_imported(one.place, what, "another device has it too");
        }
        if one.net.prefix_len() != one.net.max_prefix_len() {
            let why = format!(
                "imported as a host address; on the host, every address of {} is local",
                one.net.trunc()
            );
            self.report.warn(one.place, what.clone(), why);
        }
        let scope = match one.scope.as_str() {
            "host" => Scope::Host,
            "link" => Scope::Link,
            "global" => Scope::Global,
            _ if address.is_ipv6() => Scope::default(),
            other => {
                let why = format!("labsim has no scope {}", printable(other));
                return self.report.not_imported(one.place, what, why);
            }
        };
        let is_label = |label: &&String| {
            let rest = label.strip_prefix(device).and_then(|rest| rest.strip_prefix(':'));
            let is_plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_graphic());
            label.len() <= 15 && rest.is_some_and(|rest| !rest.is_empty() && is_plain(rest))
        };
        let label = one.label.as_ref().filter(is_label).cloned();
        let (place, device) = (Some(one.place), device.to_owned());
        state.vips.push(Vip { place, address, device, label, scope });
    }

    /// A device that the lab's node does not have. A VIP on it is put on `lo`: neither is where a
    /// packet for it comes in.
    fn other_device(&mut self, link: &Link, state: &mut ServerState) {
        self.report.not_imported(
            link.place,
            format!("device {}", printable(&link.name)),
            OTHER_DEVICE,
        );
        for one in &link.addresses {
            if self.is_vip(one.net.addr()) {
                let what = format!("address {} of {}", one.net, printable(&link.name));
                let why = "put on lo, as the lab's node does not have its device";
                self.report.warn(one.place, what, why);
                self.vip(one, (link, "lo"), state);
            }
        }
    }
}

/// What a device is as a tunnel, as ip-link(8) names it.
fn kind(link: &Link) -> Option<&'static str> {
    match link.kind.as_deref()? {
        "ipip" => Some("ipip"),
        "sit" => Some("sit"),
        "tunnel6" | "ip6tnl" => Some("ip6tnl"),
        "gre" => Some("gre"),
        "gre6" | "ip6gre" => Some("ip6gre"),
        _ => None,
    }
}

fn is_link_local(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.is_unicast_link_local())
}

/// Compares the host's routes with the node's. What the scenario's file does not hold is listed.
fn routes(
    host: &Host,
    node: &Node,
    names: &BTreeMap<String, String>,
    state: &mut ServerState,
    report: &mut Report<'_>,
) {
    state.routes = RouteMetrics::default();
    let default = |is_ipv4: bool| {
        let of_family =
            move |net: &ipnet::IpNet| net.prefix_len() == 0 && net.addr().is_ipv4() == is_ipv4;
        node.routes.iter().find(move |route| of_family(&route.destination))
    };
    let mut has_default = false;
    for route in &host.routes {
        let what = format!("route to {}", route.destination);
        let is_of_lab = route.device.as_ref().is_none_or(|device| names.contains_key(device));
        let Some(via) = route.via else {
            let is_default = route.destination.prefix_len() == 0;
            match is_default {
                true => report.not_imported(route.place, what, "labsim's routes have a next hop"),
                false => report.left_out(route.place, DERIVED),
            }
            continue;
        };
        if !is_of_lab {
            report.not_imported(route.place, what, OTHER_DEVICE);
            continue;
        }
        let known = node.routes.iter().find(|it| it.destination == route.destination);
        if route.destination.prefix_len() == 0 {
            has_default |= route.destination.addr().is_ipv4();
        }
        if known.is_some_and(|known| known.via == [via]) {
            if route.destination.prefix_len() == 0 {
                let mut within = |name: &str, value: Option<u32>, (least, most): (u32, u32)| {
                    let value = value?;
                    if (least..=most).contains(&value) {
                        return Some(value);
                    }
                    let why = format!("labsim takes {least} to {most}");
                    report.skip(route.place, format!("{what}: {name} {value}"), why)
                };
                state.routes = RouteMetrics {
                    mtu: within("mtu", route.mtu, MTU),
                    advmss: within("advmss", route.advmss, MSS),
                };
            }
            continue;
        }
        let why = match known {
            Some(known) => format!(
                "the topology's next hop is {}; if {via} is a node's address in the lab, write it at \
                 {} in the topology (`routes`)",
                known.describe_next_hops(),
                node.name
            ),
            None => format!("the topology has none; write it at {} there if it matters", node.name),
        };
        report.not_imported(route.place, format!("{what} via {via}"), why);
    }
    if let (false, Some(known), Some(first)) = (has_default, default(true), host.routes.first()) {
        let why = format!(
            "the host has none, and the topology's next hop is {}; write `routes: {{default: none}}` \
             at {} in the topology",
            known.describe_next_hops(),
            node.name
        );
        report.not_imported(first.place, "missing default route", why);
    }
}

/// Where a service listens: at every address, at the host's own alone, at VIPs alone.
fn listening(
    sockets: &[Socket],
    is_tcp: bool,
    port: u16,
    own: &BTreeSet<IpAddr>,
    vips: &[IpAddr],
) -> Listening {
    let of_port = || sockets.iter().filter(|it| it.is_tcp == is_tcp && it.port == port);
    let at = |address: IpAddr| of_port().any(|it| it.address.is_none_or(|one| one == address));
    let at_own = own.iter().any(|address| at(*address));
    let at_vip = vips.iter().any(|address| at(*address));
    match (at_own, at_vip) {
        (true, true) => Listening::At(Listen::Any),
        (true, false) if vips.is_empty() && of_port().any(|it| it.address.is_none()) => {
            Listening::At(Listen::Any)
        }
        (true, false) => Listening::At(Listen::Own),
        (false, true) => Listening::At(Listen::Vip),
        (false, false) => Listening::Nowhere,
    }
}

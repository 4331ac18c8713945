//! Changes one by one: how files express them, and what they make of a node.

use super::ChangedNode;
use super::draft::{Draft, DraftNode, DraftRoute};
use crate::lab::server_state::{ServerState, Vip};
use ipnet::IpNet;
use labsim_lab::Setup;
use labsim_model::node_state::{Address, AddressScope, NextHop, Route, RouteKind};
use labsim_scenario::model::{NodeName, Scenario, Scope};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// The table that routes are in unless another is named.
const MAIN_TABLE: u32 = 254;

/// A change that a file may express.
#[derive(Debug, Clone)]
pub(super) enum Edit {
    Sysctl {
        key: String,
        value: String,
    },
    Forward(bool),
    Mtu {
        device: String,
        mtu: u32,
    },
    /// All addresses of an interface.
    Addresses {
        device: String,
        all: Vec<IpNet>,
    },
    /// The VIPs of a real server, on all of its devices.
    Vips(Vec<Address>),
    Route {
        key: String,
        destination: IpNet,
        route: DraftRoute,
    },
    Tunnel {
        device: String,
        up: bool,
    },
    Filter {
        name: String,
        present: bool,
    },
}

/// The changes of a node, each with other ways to express it, the best first.
pub(super) fn edits(scenario: &Scenario, node: &ChangedNode) -> Vec<Vec<Edit>> {
    let mut all = Vec::new();
    let ChangedNode { name, built, now } = node;
    let Some(planned) = scenario.topology.node(name) else { return all };
    let server = scenario.real_servers.get(name);
    for device in &now.devices {
        let was = built.devices.iter().find(|was| was.name == device.name);
        let interface = planned.interfaces.iter().any(|it| it.name.as_str() == device.name);
        let tunnel = server.is_some_and(|server| {
            server.tunnels.iter().any(|tunnel| tunnel.name.as_str() == device.name)
        });
        let Some(was) = was else { continue };
        if interface && device.mtu != was.mtu {
            all.push(vec![Edit::Mtu { device: device.name.clone(), mtu: device.mtu }]);
        }
        if tunnel && device.up != was.up {
            all.push(vec![Edit::Tunnel { device: device.name.clone(), up: device.up }]);
        }
    }
    for interface in &planned.interfaces {
        let device = interface.name.as_str();
        let of = |state: &[Address]| -> Vec<IpNet> {
            let own = state.iter().filter(|it| it.device == device && !is_made(it));
            let own = own.filter(|it| {
                server.is_none_or(|server| {
                    server.vips.iter().all(|vip| vip.address != it.address.addr())
                })
            });
            own.map(|it| it.address).collect()
        };
        let (was, is) = (of(&built.addresses), of(&now.addresses));
        if was.iter().collect::<BTreeSet<_>>() != is.iter().collect() {
            all.push(vec![Edit::Addresses { device: device.to_owned(), all: is }]);
        }
    }
    if server.is_some() {
        // What is no interface's is a VIP's, but for the tunnels' own and the loopback's.
        let is_vip = |it: &&Address| {
            let own = planned.interfaces.iter().flat_map(|it| &it.addresses);
            let own = own.map(IpNet::addr).collect::<BTreeSet<_>>();
            let address = it.address.addr();
            !own.contains(&address)
                && !address.is_loopback()
                && it.address.prefix_len() == it.address.max_prefix_len()
                && !is_made(it)
        };
        let of = |state: &[Address]| state.iter().filter(is_vip).cloned().collect::<Vec<_>>();
        let (was, is) = (of(&built.addresses), of(&now.addresses));
        let key = |it: &Address| (it.device.clone(), it.address);
        if was.iter().map(key).collect::<BTreeSet<_>>() != is.iter().map(key).collect() {
            all.push(vec![Edit::Vips(is)]);
        }
    }
    let sysctl = |state: &labsim_model::NodeState, key: &str| state.sysctls.0.get(key).cloned();
    const FORWARD: &str = "net.ipv4.ip_forward";
    if let (Some(was), Some(is)) = (sysctl(built, FORWARD), sysctl(now, FORWARD))
        && was != is
    {
        all.push(vec![Edit::Forward(is != "0")]);
    }
    for (key, value) in &now.sysctls.0 {
        if sysctl(built, key).is_some_and(|was| was != *value) && !Setup::follows(key) {
            let value = value.split_whitespace().collect::<Vec<_>>().join(" ");
            all.push(vec![Edit::Sysctl { key: key.clone(), value }]);
        }
    }
    all.extend(routes(node));
    for filter in scenario.filters.iter().filter(|filter| filter.nodes.contains(name)) {
        let has = |state: &labsim_model::NodeState| {
            let mut chains = state.filters.iter();
            chains.any(|it| it.family == "inet" && it.table == filter.name.as_str())
        };
        if has(built) != has(now) {
            let (name, present) = (filter.name.to_string(), has(now));
            all.push(vec![Edit::Filter { name, present }]);
        }
    }
    all
}

/// Whether the kernel has made an address of a link-layer address.
fn is_made(address: &Address) -> bool {
    address.address.addr().is_ipv6() && address.scope == AddressScope::Link
}

/// The routes through others, by destination.
fn by_destination(state: &[Route]) -> BTreeMap<IpNet, &Route> {
    let through = state.iter().filter(|route| is_plain(route));
    through.map(|route| (route.destination, route)).collect()
}

/// Whether it is one that a topology can have.
fn is_plain(route: &Route) -> bool {
    route.table == MAIN_TABLE
        && route.kind == RouteKind::Unicast
        && route.metric == 0
        && route.source.is_none()
        && route.mtu.is_none()
        && route.advertised_mss.is_none()
        && !route.next_hops.is_empty()
        && route.next_hops.iter().all(|hop| hop.gateway.is_some())
}

fn gateways(route: &Route) -> Vec<IpAddr> {
    route.next_hops.iter().filter_map(|hop: &NextHop| hop.gateway).collect()
}

fn routes(node: &ChangedNode) -> Vec<Vec<Edit>> {
    let (was, is) = (by_destination(&node.built.routes), by_destination(&node.now.routes));
    let destinations: BTreeSet<&IpNet> = was.keys().chain(is.keys()).collect();
    let changed = destinations.into_iter().filter(|to| {
        was.get(*to).map(|route| gateways(route)) != is.get(*to).map(|route| gateways(route))
    });
    let edits = changed.map(|to| {
        let keys = match to.prefix_len() {
            0 => vec!["default".to_owned(), to.to_string()],
            length if length == to.max_prefix_len() => {
                vec![to.addr().to_string(), to.to_string()]
            }
            _ => vec![to.to_string()],
        };
        let ways = match is.get(to) {
            Some(route) => vec![DraftRoute::Via(gateways(route))],
            None => vec![DraftRoute::Removed, DraftRoute::None],
        };
        let edit = |key: &String, route: &DraftRoute| Edit::Route {
            key: key.clone(),
            destination: *to,
            route: route.clone(),
        };
        keys.iter().flat_map(|key| ways.iter().map(move |way| edit(key, way))).collect()
    });
    edits.collect()
}

impl Edit {
    /// Adds it to what files express.
    pub(super) fn apply(&self, scenario: &Scenario, node: &ChangedNode, draft: &mut Draft) {
        let name = &node.name;
        if let Self::Filter { name, present } = self {
            draft.filters.insert(name.clone(), *present);
        }
        let expected = draft.expected.get_mut(name);
        if let Some(expected) = expected {
            self.apply_to_state(node, expected);
        }
        if matches!(self, Self::Filter { .. }) {
            return;
        }
        let of_file = scenario.real_servers.get(name);
        let draft = draft.nodes.entry(name.clone()).or_default();
        let mut server = || {
            let DraftNode { server, .. } = &mut *draft;
            if server.is_none() {
                *server = of_file.map(ServerState::from);
            }
        };
        match self {
            Self::Vips(_) | Self::Tunnel { .. } => server(),
            Self::Sysctl { .. } if of_file.is_some() => server(),
            _ => {}
        }
        match self {
            Self::Sysctl { key, value } => match &mut draft.server {
                Some(server) if of_file.is_some() => {
                    server.sysctls.insert(key.clone(), (value.clone(), None));
                }
                _ => drop(draft.sysctls.insert(key.clone(), value.clone())),
            },
            Self::Forward(forward) => draft.forward = Some(*forward),
            Self::Mtu { device, mtu } => {
                let addresses = addresses_of(scenario, name, device);
                let interface = draft.interfaces.entry(device.clone()).or_insert((addresses, None));
                interface.1 = Some(*mtu);
            }
            Self::Addresses { device, all } => {
                let interface = draft.interfaces.entry(device.clone()).or_default();
                interface.0.clone_from(all);
            }
            Self::Vips(vips) => {
                if let Some(server) = &mut draft.server {
                    server.vips = vips.iter().map(|vip| to_vip(vip, &server.vips)).collect();
                }
            }
            Self::Route { key, route, .. } => drop(draft.routes.insert(key.clone(), route.clone())),
            Self::Tunnel { device, up } => {
                if let Some(tunnel) = draft.server.as_mut().and_then(|it| it.tunnel.as_mut())
                    && tunnel.device == *device
                {
                    tunnel.up = *up;
                }
            }
            Self::Filter { .. } => {}
        }
    }

    /// What a node is set up with then.
    fn apply_to_state(&self, node: &ChangedNode, state: &mut labsim_model::NodeState) {
        let now = &node.now;
        match self {
            Self::Sysctl { key, .. } => take_sysctls(state, now, |it| it == key),
            Self::Forward(_) => take_sysctls(state, now, |it| {
                let of_device = it.starts_with("net.ipv4.conf.");
                let follows = it.ends_with(".forwarding") || it.ends_with(".accept_redirects");
                it == "net.ipv4.ip_forward" || of_device && follows
            }),
            Self::Mtu { device, .. } | Self::Tunnel { device, .. } => {
                let is = now.devices.iter().find(|it| it.name == *device);
                let was = state.devices.iter_mut().find(|it| it.name == *device);
                if let (Some(was), Some(is)) = (was, is) {
                    (was.mtu, was.up) = (is.mtu, is.up);
                }
                if matches!(self, Self::Tunnel { .. }) {
                    take_connected(state, now, |route| of_device(route, device));
                }
            }
            Self::Addresses { device, .. } => {
                take_addresses(state, now, |it| it.device == *device);
                take_connected(state, now, |route| of_device(route, device));
            }
            Self::Vips(vips) => {
                let built = &node.built.addresses;
                let is_vip = |it: &Address| {
                    let same =
                        |other: &Address| other.device == it.device && other.address == it.address;
                    vips.iter().any(same)
                        || built.iter().any(same) && !now.addresses.iter().any(same)
                };
                take_addresses(state, now, is_vip);
            }
            Self::Route { destination, .. } => {
                let is_it = |route: &Route| route.destination == *destination && is_plain(route);
                state.routes.retain(|route| !is_it(route));
                state.routes.extend(now.routes.iter().filter(|route| is_it(route)).cloned());
            }
            Self::Filter { name, .. } => {
                state.filters.retain(|it| it.table != *name);
                state.filters.extend(now.filters.iter().filter(|it| it.table == *name).cloned());
            }
        }
    }

    /// Whether it follows from earlier ones.
    pub(super) fn is_done(&self, node: &ChangedNode, draft: &Draft) -> bool {
        let Self::Sysctl { key, .. } = self else { return false };
        let expected = draft.expected.get(&node.name).and_then(|it| it.sysctls.0.get(key));
        expected == node.now.sysctls.0.get(key)
    }

    /// Whether a scenario has it.
    pub(super) fn is_in(&self, node: &NodeName, loaded: &Scenario) -> bool {
        let Some(planned) = loaded.topology.node(node) else { return false };
        let server = loaded.real_servers.get(node);
        let interface = |device: &str| {
            planned.interfaces.iter().find(|interface| interface.name.as_str() == device)
        };
        match self {
            Self::Sysctl { key, value } => {
                let late = server.and_then(|server| server.sysctls.get(key));
                late.or_else(|| planned.sysctls.get(key)).is_some_and(|it| it.value == *value)
            }
            Self::Forward(forward) => planned.forward == *forward,
            Self::Mtu { device, mtu } => interface(device).is_some_and(|it| it.mtu == *mtu),
            Self::Addresses { device, all } => {
                interface(device).is_some_and(|it| it.addresses == *all)
            }
            Self::Vips(vips) => server.is_some_and(|server| {
                let has = |vip: &Address| {
                    server.vips.iter().any(|it| {
                        it.address == vip.address.addr() && it.interface.as_str() == vip.device
                    })
                };
                server.vips.len() == vips.len() && vips.iter().all(has)
            }),
            Self::Route { destination, route, .. } => {
                let found = planned.routes.iter().find(|it| it.destination == *destination);
                match route {
                    DraftRoute::Via(via) => found.is_some_and(|it| it.via == *via),
                    DraftRoute::Removed | DraftRoute::None => found.is_none(),
                }
            }
            Self::Tunnel { device, up } => server.is_some_and(|server| {
                server.tunnels.iter().any(|it| it.name.as_str() == device && it.up == *up)
            }),
            Self::Filter { name, present } => {
                loaded.filters.iter().any(|it| it.name.as_str() == name && it.present == *present)
            }
        }
    }
}

fn of_device(route: &Route, device: &str) -> bool {
    route.next_hops.iter().any(|hop| hop.device.as_deref() == Some(device))
}

fn take_sysctls(
    state: &mut labsim_model::NodeState,
    now: &labsim_model::NodeState,
    wanted: impl Fn(&String) -> bool,
) {
    let taken = now.sysctls.0.iter().filter(|(key, _)| wanted(key));
    state.sysctls.0.extend(taken.map(|(key, value)| (key.clone(), value.clone())));
}

fn take_addresses(
    state: &mut labsim_model::NodeState,
    now: &labsim_model::NodeState,
    wanted: impl Fn(&Address) -> bool,
) {
    state.addresses.retain(|it| !wanted(it));
    state.addresses.extend(now.addresses.iter().filter(|it| wanted(it)).cloned());
}

/// Routes without a next hop follow from addresses.
fn take_connected(
    state: &mut labsim_model::NodeState,
    now: &labsim_model::NodeState,
    wanted: impl Fn(&Route) -> bool,
) {
    let follows = |it: &Route| wanted(it) && it.next_hops.iter().all(|hop| hop.gateway.is_none());
    state.routes.retain(|it| !follows(it));
    state.routes.extend(now.routes.iter().filter(|it| follows(it)).cloned());
}

fn addresses_of(scenario: &Scenario, node: &NodeName, device: &str) -> Vec<IpNet> {
    let interfaces = scenario.topology.node(node).map(|node| node.interfaces.as_slice());
    let interface = interfaces.into_iter().flatten().find(|it| it.name.as_str() == device);
    interface.map(|it| it.addresses.clone()).unwrap_or_default()
}

/// A VIP as it is now; one that was there before keeps its label.
fn to_vip(address: &Address, before: &[Vip]) -> Vip {
    let ip = address.address.addr();
    let known = before.iter().find(|vip| vip.address == ip && vip.device == address.device);
    Vip {
        place: None,
        address: ip,
        device: address.device.clone(),
        label: known.and_then(|vip| vip.label.clone()),
        scope: match address.scope {
            AddressScope::Host => Scope::Host,
            AddressScope::Link => Scope::Link,
            _ => Scope::Global,
        },
    }
}

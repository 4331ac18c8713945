//! From a scenario to the plan of its lab.

use super::{
    AddressPlan, BridgePlan, IfIndexAllocator, InterfacePlan, LabPlan, NodePlan, RoutePlan, Sysctl,
    TunnelMode, TunnelModes, TunnelPlan, VethLink, VethLinkEnd,
};
use crate::filter::FilterPlan;
use crate::ipvs::plan_director;
use ipnet::IpNet;
use labsim_scenario::model::{
    Attachment, Interface, InterfaceName, Node, NodeName, RealServer, RouteMetrics, Scenario,
    Scope, Topology, TunnelKind,
};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Interface numbers of the plan begin here. Kernels with tunnel modules put devices of their own
/// into every new namespace (`tunl0`, `gre0`, `sit0`, ...), numbered from 2.
const FIRST_INDEX: u32 = 101;

/// Ethernet's MTU, which the kernel's modules take for the one below their devices.
const ETHERNET_MTU: u32 = 1500;

/// An encapsulation limit, which its modules for IPv6 outside leave room for (RFC 2473).
const LIMIT: u32 = 8;

/// A veth pair's greatest (`ETH_MAX_MTU`, linux/if_ether.h). A tunnel's MTU bounds what is sent
/// into it; a veth end's also what comes out.
const VETH_TUNNEL_MTU: u32 = 65_535;

/// What the kernel's modules give their devices.
fn tunnel_mtu(kind: TunnelKind) -> u32 {
    let limit = if kind.outer_ipv4() { 0 } else { LIMIT };
    ETHERNET_MTU - kind.overhead() - limit
}

impl LabPlan {
    /// The plan of a scenario: its topology, and what makes the real servers real servers.
    #[must_use]
    pub fn of(scenario: &Scenario, modes: impl Into<TunnelModes>) -> Self {
        let mut numbers = IfIndexAllocator(FIRST_INDEX);
        let (topology, servers) = (&scenario.topology, &scenario.real_servers);
        let mut plan = Self::with_real_servers(topology, servers, modes.into(), &mut numbers);
        plan.split(&scenario.impairments, &mut numbers);
        for node in &mut plan.nodes {
            node.filters = FilterPlan::of_node(&scenario.filters, &node.name);
            let balancer = scenario.load_balancers.get(&node.name);
            if let (Some(balancer), Some(model)) = (balancer, topology.node(&node.name)) {
                plan_director(node, model, balancer);
            }
            if !node.forward && !scenario.load_balancers.contains_key(&node.name) {
                disable_tail_loss_probes(node);
            }
        }
        plan
    }

    /// The plan of a topology alone.
    #[must_use]
    pub fn of_topology(topology: &Topology) -> Self {
        let (none, modes) = (BTreeMap::new(), TunnelMode::Userspace.into());
        Self::with_real_servers(topology, &none, modes, &mut IfIndexAllocator(FIRST_INDEX))
    }

    fn with_real_servers(
        topology: &Topology,
        real_servers: &BTreeMap<NodeName, RealServer>,
        modes: TunnelModes,
        numbers: &mut IfIndexAllocator,
    ) -> Self {
        let mut plan = Self {
            name: topology.name.clone(),
            nodes: topology.nodes.iter().map(|node| plan_node(node, numbers)).collect(),
            bridges: Vec::new(),
            links: Vec::new(),
        };
        for node in &mut plan.nodes {
            if let Some(real_server) = real_servers.get(&node.name) {
                plan_real_server(node, real_server, modes, numbers);
            }
        }
        plan_wires(&mut plan, topology, numbers);
        plan
    }
}

/// Keeps a host's TCP from sending tail loss probes (RFC 8985, section 7.2) unless its own
/// sysctls set them. In a lab they come a few milliseconds after the last segment, and would show a
/// busy machine, not a loss.
fn disable_tail_loss_probes(node: &mut NodePlan) {
    let key = "net.ipv4.tcp_early_retrans";
    if !node.early_sysctls.iter().any(|sysctl| sysctl.key == key) {
        node.early_sysctls.push(Sysctl::new(key, "0"));
    }
}

fn plan_node(node: &Node, numbers: &mut IfIndexAllocator) -> NodePlan {
    let interfaces: Vec<_> =
        node.interfaces.iter().map(|interface| plan_interface(interface, numbers)).collect();
    let ipv6 = interfaces.iter().any(|interface| interface.ipv6);
    let ipv6_forwarding =
        (ipv6 && node.forward).then(|| Sysctl::new("net.ipv6.conf.all.forwarding", "1"));
    let (late, early): (Vec<_>, Vec<_>) =
        node.sysctls.iter().map(Sysctl::of_file).partition(|sysctl| sysctl.device().is_some());
    NodePlan {
        name: node.name.clone(),
        forward: node.forward,
        early_sysctls: ipv6_forwarding.into_iter().chain(early).collect(),
        addresses: node.interfaces.iter().flat_map(plan_addresses).collect(),
        routes: node
            .routes
            .iter()
            .map(|route| RoutePlan { metrics: RouteMetrics::default(), route: route.clone() })
            .collect(),
        late_sysctls: late,
        interfaces,
        tunnels: Vec::new(),
        filters: Vec::new(),
    }
}

fn plan_interface(interface: &Interface, numbers: &mut IfIndexAllocator) -> InterfacePlan {
    let (index, mac) = numbers.next();
    InterfacePlan {
        name: interface.name.clone(),
        index,
        mac,
        mtu: interface.mtu,
        offloads: interface.offloads,
        ipv6: interface.addresses.iter().any(|address| address.addr().is_ipv6()),
    }
}

fn plan_addresses(interface: &Interface) -> impl Iterator<Item = AddressPlan> {
    interface.addresses.iter().map(|address| AddressPlan {
        interface: interface.name.clone(),
        address: *address,
        scope: Scope::Global,
        label: None,
        preferred: true,
    })
}

fn plan_real_server(
    node: &mut NodePlan,
    real_server: &RealServer,
    modes: TunnelModes,
    numbers: &mut IfIndexAllocator,
) {
    for device in &real_server.tunnels {
        let (index, mac) = numbers.next();
        let kind = device.kind;
        let mode = modes.of(kind);
        let (mtu, peer) = match mode {
            TunnelMode::UserspaceVeth => (VETH_TUNNEL_MTU, tunnel_peer(numbers)),
            TunnelMode::Kernel | TunnelMode::Userspace => (tunnel_mtu(kind), None),
        };
        let (name, up, local) = (device.name.clone(), device.up, device.local);
        node.tunnels.push(TunnelPlan { kind, name, index, mode, up, mtu, local, mac, peer });
        node.addresses.extend(device.address.map(|address| AddressPlan {
            interface: device.name.clone(),
            address: IpNet::from(address),
            scope: Scope::Host,
            label: None,
            preferred: true,
        }));
    }
    node.routes.iter_mut().for_each(|route| route.metrics = real_server.routes);
    node.addresses.extend(real_server.vips.iter().map(|vip| AddressPlan {
        interface: vip.interface.clone(),
        address: IpNet::from(vip.address),
        scope: vip.scope,
        label: vip.label.clone().filter(|_| matches!(vip.address, IpAddr::V4(_))),
        preferred: true,
    }));
    // A device's own settings wait for the device; and all of them come after it, as a person
    // types them.
    node.late_sysctls.extend(real_server.sysctls.iter().map(Sysctl::of_file));
}

/// The far end of a veth pair that replaces a TUN device.
fn tunnel_peer(numbers: &mut IfIndexAllocator) -> Option<InterfacePlan> {
    let (index, mac) = numbers.next();
    let name = InterfaceName::new(&format!("tunnel-{index}")).ok()?;
    let mtu = VETH_TUNNEL_MTU;
    Some(InterfacePlan { name, index, mac, mtu, offloads: false, ipv6: false })
}

fn plan_wires(plan: &mut LabPlan, topology: &Topology, numbers: &mut IfIndexAllocator) {
    let places: BTreeMap<Attachment, (usize, usize)> = topology
        .nodes
        .iter()
        .enumerate()
        .flat_map(|(node, model)| {
            model.interfaces.iter().enumerate().map(move |(interface, it)| {
                let at = Attachment { node: model.name.clone(), interface: it.name.clone() };
                (at, (node, interface))
            })
        })
        .collect();
    for link in &topology.links {
        let [a, b] = &link.ends;
        if let (Some(a), Some(b)) = (places.get(a), places.get(b)) {
            let ends = [*a, *b].map(|(node, interface)| VethLinkEnd::Node { node, interface });
            plan.links.push(VethLink { ends, relay: None });
        }
    }
    for segment in &topology.segments {
        let bridge = plan.bridges.len();
        let (index, mac) = numbers.next();
        let Ok(name) = InterfaceName::new(&format!("bridge-{index}")) else { continue };
        let (segment_name, mtu) = (segment.name.clone(), segment.mtu);
        plan.bridges.push(BridgePlan { segment: segment_name, name, index, mac, mtu });
        for (node, interface) in segment.ports.iter().filter_map(|port| places.get(port).copied()) {
            let end = plan.nodes.get(node).and_then(|owner| owner.interfaces.get(interface));
            let Some(end) = end else { continue };
            let (index, mac) = numbers.next();
            let Ok(name) = InterfaceName::new(&format!("port-{index}")) else { continue };
            let port = InterfacePlan { name, index, mac, ipv6: false, ..end.clone() };
            plan.links.push(VethLink {
                ends: [VethLinkEnd::Port { bridge, port }, VethLinkEnd::Node { node, interface }],
                relay: None,
            });
        }
    }
}

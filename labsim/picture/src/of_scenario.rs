//! The lab of a scenario: its topology's, with roles, VIPs, tunnels, services and impairments.

use crate::lab::{Lab, Network, NetworkKind, Port, Role, Row, RowKind};
use crate::of_topology::bounded;
use labsim_scenario::model::{
    LoadBalancer, NodeName, Pool, RealServer, Scenario, SourceTranslation, StepAction, TunnelKind,
    TunnelProtocol, VirtualServer,
};
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Lab {
    /// The lab of a scenario as it is built, before its steps.
    #[must_use]
    pub fn of_scenario(scenario: &Scenario) -> Self {
        let mut lab = Self::of_topology(&scenario.topology);
        scenario.name.as_str().clone_into(&mut lab.name);
        for (end, impairment) in &scenario.impairments {
            lab.add_impairment(end, &impairment.to_string());
        }
        let clients = clients(scenario);
        for node in &scenario.topology.nodes {
            let Some(position) = lab.position(node.name.as_str()) else { continue };
            let role = role(scenario, &node.name, node.forward, &clients);
            let rows = rows(scenario, &node.name);
            if let Some(drawn) = lab.nodes.get_mut(position) {
                drawn.role = role;
                drawn.rows.extend(rows);
            }
        }
        // A tunnel's ends are rows, which may not move any more.
        for (node, balancer) in &scenario.load_balancers {
            lab.add_tunnels(scenario, node, balancer);
        }
        lab
    }

    /// Below the interface that sends the frames.
    fn add_impairment(&mut self, end: &labsim_scenario::model::Attachment, text: &str) {
        let Some(port) = self.port(end) else { return };
        if let Some(node) = self.nodes.get_mut(port.node) {
            node.rows.insert(port.row + 1, Row::new(RowKind::Detail, "", text));
            for network in &mut self.networks {
                for other in &mut network.ports {
                    if other.node == port.node && other.row > port.row {
                        other.row += 1;
                    }
                }
            }
        }
    }

    /// A network for each kind of tunnel that a load balancer's pools use.
    fn add_tunnels(&mut self, scenario: &Scenario, name: &NodeName, balancer: &LoadBalancer) {
        let Some(node) = self.position(name.as_str()) else { return };
        for text in tunnels(balancer).into_iter().map(tunnel_text) {
            let is_begin =
                |row: &Row| row.kind == RowKind::Tunnel && row.text == format!("{text} begins");
            let row = self.nodes.get(node).and_then(|node| node.rows.iter().position(is_begin));
            let Some(row) = row else { continue };
            let mut ports = vec![Port { node, row }];
            for (virtual_server, pool) in served(balancer) {
                let vip = virtual_server.destination.ip();
                let own = pool.tunnels().filter(|(_, protocol)| tunnel_text(*protocol) == text);
                for (member, protocol) in own {
                    let end = self.tunnel_end(scenario, protocol, member.ip(), vip);
                    ports.extend(end.filter(|end| !ports.contains(end)));
                }
            }
            if ports.len() > 1 {
                self.networks.push(Network { kind: NetworkKind::Tunnel, name: text, ports });
            }
        }
    }

    /// Where a tunnel to a member ends: at the device that takes it off, or, where there is none, at
    /// the interface that has the member's address.
    fn tunnel_end(
        &self,
        scenario: &Scenario,
        protocol: TunnelProtocol,
        member: IpAddr,
        vip: IpAddr,
    ) -> Option<Port> {
        let has = |interface: &labsim_scenario::model::Interface| {
            interface.addresses.iter().any(|net| net.addr() == member)
        };
        let node = scenario.topology.nodes.iter().find(|node| node.interfaces.iter().any(has))?;
        let position = self.position(node.name.as_str())?;
        let kind = TunnelKind::of(protocol, member.is_ipv4(), vip.is_ipv4());
        let server = scenario.real_servers.get(&node.name);
        let device = server.and_then(|server| server.tunnels.iter().find(|one| one.kind == kind));
        let label = match device {
            Some(device) => device.name.as_str(),
            None => node.interfaces.iter().find(|one| has(one))?.name.as_str(),
        };
        let rows = &self.nodes.get(position)?.rows;
        let row = rows.iter().position(|row| row.label == label)?;
        Some(Port { node: position, row })
    }
}

/// The nodes that steps send from, and those that they run programs in.
fn clients(scenario: &Scenario) -> BTreeSet<&NodeName> {
    let mut clients = BTreeSet::new();
    for step in &scenario.steps {
        match &step.action {
            StepAction::SendPacket(packet) => {
                clients.insert(&packet.from);
            }
            StepAction::Flood(flood) => {
                clients.insert(&flood.from);
            }
            StepAction::Run(run) => {
                clients.insert(&run.node);
            }
            StepAction::TcpTransfer(transfer) => {
                clients.insert(&transfer.from);
            }
            action => {
                clients.extend(action.server_requests().into_iter().flat_map(|one| one.from));
            }
        }
    }
    clients
}

fn role(
    scenario: &Scenario,
    name: &NodeName,
    forward: bool,
    clients: &BTreeSet<&NodeName>,
) -> Role {
    let is_server =
        scenario.real_servers.contains_key(name) || scenario.serving_nodes().contains(name);
    if scenario.load_balancers.contains_key(name) {
        Role::LoadBalancer
    } else if is_server {
        Role::Server
    } else if forward {
        Role::Router
    } else if clients.contains(name) {
        Role::Client
    } else {
        Role::Host
    }
}

/// What a scenario adds to a node's box.
fn rows(scenario: &Scenario, name: &NodeName) -> Vec<Row> {
    let mut rows = Vec::new();
    if let Some(balancer) = scenario.load_balancers.get(name) {
        rows.extend(balancer_rows(balancer));
    }
    if let Some(server) = scenario.real_servers.get(name) {
        rows.extend(server_rows(server));
    }
    let mut services = Vec::new();
    if let Some(server) = scenario.tacacs_servers.get(name) {
        services.push(("TACACS+", format!("port {}", server.port)));
    }
    if let Some(server) = scenario.radius_servers.get(name) {
        let (one, other) = (server.authentication_port, server.accounting_port);
        services.push(("RADIUS", format!("ports {one}, {other}")));
    }
    for service in scenario.services.get(name).into_iter().flatten() {
        services.push((service.name(), service.shown_ports()));
    }
    for filter in scenario.filters.iter().filter(|filter| filter.nodes.contains(name)) {
        services.push(("filter", filter.name.to_string()));
    }
    let details = services.into_iter().map(|(label, text)| Row::new(RowKind::Detail, label, text));
    rows.extend(bounded(details.collect()));
    rows
}

/// VIPs, where tunnels begin, and how packets reach members without one.
fn balancer_rows(balancer: &LoadBalancer) -> Vec<Row> {
    let vip = |one: &VirtualServer| {
        let (address, ports) = (one.destination.ip(), one.destination.ports());
        let port = match one.destination.port() {
            Some(port) => format!("port {port}"),
            None if ports.is_any() => "any port".to_owned(),
            None => format!("ports {ports}"),
        };
        Row::new(RowKind::Vip, "VIP", format!("{address} {} {port}", one.ip_protocol.word()))
    };
    let mut rows = bounded(balancer.virtual_servers.values().map(vip).collect());
    for protocol in tunnels(balancer) {
        rows.push(Row::new(RowKind::Tunnel, "tunnel", format!("{} begins", tunnel_text(protocol))));
    }
    let mut ways = BTreeSet::new();
    for (virtual_server, pool) in served(balancer) {
        let translates_source =
            virtual_server.source_address_translation != SourceTranslation::None;
        match (virtual_server.translate_address, translates_source) {
            (true, true) => ways.insert("new source and destination"),
            (true, false) => ways.insert("new destination"),
            (false, true) => ways.insert("new source"),
            (false, false) if pool.tunnels().count() < pool.members.len() => {
                ways.insert("addresses unchanged")
            }
            (false, false) => false,
        };
    }
    rows.extend(ways.into_iter().map(|way| Row::new(RowKind::Detail, "sends", way)));
    rows
}

/// Where tunnels end, and VIPs.
fn server_rows(server: &RealServer) -> Vec<Row> {
    let tunnel = |device: &labsim_scenario::model::TunnelDevice| {
        let state = if device.up { "ends" } else { "ends, down" };
        Row::new(RowKind::Tunnel, device.name.as_str(), format!("{} {state}", device.kind.name()))
    };
    let mut rows: Vec<Row> = server.tunnels.iter().map(tunnel).collect();
    let vip = |vip: &labsim_scenario::model::VipAddress| {
        Row::new(RowKind::Vip, "VIP", format!("{} on {}", vip.address, vip.interface))
    };
    rows.extend(bounded(server.vips.iter().map(vip).collect()));
    rows
}

/// Each virtual server with its pool.
fn served(balancer: &LoadBalancer) -> impl Iterator<Item = (&VirtualServer, &Pool)> {
    let virtual_servers = balancer.virtual_servers.values();
    virtual_servers.filter_map(|one| Some((one, balancer.pools.get(&one.pool)?)))
}

/// The tunnels that a load balancer's pools use, each once.
fn tunnels(balancer: &LoadBalancer) -> Vec<TunnelProtocol> {
    let mut found = Vec::new();
    for (_, protocol) in served(balancer).flat_map(|(_, pool)| pool.tunnels()) {
        if !found.contains(&protocol) {
            found.push(protocol);
        }
    }
    found
}

/// `ipip`, `gre key 7`.
fn tunnel_text(protocol: TunnelProtocol) -> String {
    let mut text = protocol.name().to_owned();
    match protocol {
        TunnelProtocol::Gre(options) => {
            if let Some(key) = options.key {
                text.push_str(&format!(" key {key}"));
            }
            if options.checksum {
                text.push_str(" checksum");
            }
        }
        TunnelProtocol::Gue(options) => {
            text.push_str(&format!(" port {}", options.port));
            if options.variant != 0 {
                text.push_str(&format!(" variant {}", options.variant));
            }
        }
        TunnelProtocol::Ipip => {}
    }
    text
}

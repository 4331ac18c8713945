//! Servers: their addresses, and what runs on them.

use super::super::change::list;
use super::{Change, Fix, Part, Subject, last_step, pool, scalar, without_step};
use labsim_model::IpProtocol;
use labsim_scenario::model::{
    ExchangeForm, NodeName, Scope, ServerKind, Service, ServiceForm, StepAction, TacacsServer,
    VipAddress,
};
use labsim_wire::protocol;
use std::net::{IpAddr, SocketAddr};

/// An address that is missing on a node.
pub(in crate::diagnose) fn address(subject: &Subject<'_>, node: &NodeName, address: IpAddr) -> Fix {
    let length = if address.is_ipv4() { 32 } else { 128 };
    let server = subject.context.scenario.real_servers.get(node);
    let known = server.map(|server| server.vips.as_slice()).unwrap_or_default();
    let vips: Vec<String> = known.iter().map(vip).chain([address_text(address)]).collect();
    let vips = if vips.len() == 1 { vips.concat() } else { list(vips) };
    Fix::new(format!("add {address} to lo of {node}, scope host")).on_part(
        Part::of_real_server(subject, node),
        node,
        |part| part.change(&["vip"], vips),
        |_| vec![format!("ip address add {address}/{length} dev lo scope host")],
    )
}

/// An address as YAML; that of IPv6 may end with a colon.
fn address_text(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"{address}\""),
    }
}

fn vip(vip: &VipAddress) -> String {
    let address = address_text(vip.address);
    let mut more = String::new();
    if vip.interface.as_str() != "lo" {
        more += &format!(", device: {}", scalar(vip.interface.as_str()));
    }
    if vip.scope != Scope::Host {
        more += &format!(", scope: {}", vip.scope.name());
    }
    if more.is_empty() { address } else { format!("{{address: {address}{more}}}") }
}

/// The key of the file's servers that the flow is for: of those that listen at its port on the node, else
/// of those that its step asks.
fn servers_key(subject: &Subject<'_>, node: &NodeName) -> &'static str {
    let scenario = subject.context.scenario;
    let kind = match service(subject, node).map(Service::protocol) {
        Some(IpProtocol::Tcp) => Some(ServerKind::Tcp),
        Some(IpProtocol::Udp) => Some(ServerKind::Udp),
        None => {
            let step = scenario.steps.iter().find(|step| step.name == *subject.step);
            step.and_then(|step| step.action.server_requests()).map(|requests| requests.kind)
        }
    };
    let kind = kind.unwrap_or(match subject.flow.protocol {
        protocol::UDP => ServerKind::Radius,
        _ => ServerKind::Tacacs,
    });
    kind.words().1
}

/// The server of no AAA protocol that listens at the flow's port on a node.
pub(super) fn service<'a>(subject: &Subject<'a>, node: &NodeName) -> Option<&'a Service> {
    let port = subject.flow.destination.port();
    let mut services = subject.context.scenario.services.get(node)?.iter();
    services
        .find(|one| one.ports.contains(&port) && one.protocol().number() == subject.flow.protocol)
}

/// A server program that is not there, or listens elsewhere.
pub(in crate::diagnose) fn listen(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let asked = subject.flow.destination;
    let kind = if subject.flow.protocol == protocol::TCP { "t" } else { "u" };
    let fix = Fix::new(format!("start the server on {node}, bound to {asked} or to any address"))
        .linux(node, format!("ss -{kind}ln # shows where it listens"));
    let stopped = last_step(subject, |action| match action {
        StepAction::StopServer { node: own, .. } if own == node => Some(true),
        StepAction::StartServer { node: own } if own == node => Some(false),
        _ => None,
    });
    if let Some(step) = stopped {
        return fix.change(&without_step(step));
    }
    let key = servers_key(subject, node);
    let part = Part::of_server(subject, key, node);
    let scenario = subject.context.scenario;
    let bound = match key {
        "tcp_servers" | "udp_servers" => {
            service(subject, node).map(|service| (&service.addresses, service.ports.clone()))
        }
        "radius_servers" => scenario.radius_servers.get(node).map(|server| {
            let ports = vec![server.authentication_port, server.accounting_port];
            (&server.addresses, ports)
        }),
        _ => scenario.tacacs_servers.get(node).map(|server| (&server.addresses, vec![server.port])),
    };
    let elsewhere = bound.is_some_and(|(addresses, ports)| {
        ports.contains(&asked.port()) && !addresses.is_empty() && !addresses.contains(&asked.ip())
    });
    match (part, elsewhere) {
        (Ok(part), true) => fix.change(&part.change(&["listen"], "any")),
        (Ok(_), false) => fix.not_in_scenario(format!(
            "no step stopped the scenario's server on {node}, and it is not bound to another \
             address: a program, or another port, is meant to serve {asked}"
        )),
        (Err(reason), _) => fix.not_in_scenario(reason),
    }
}

/// The port of a pool's members.
pub(in crate::diagnose) fn port(subject: &Subject<'_>, node: &NodeName, member: SocketAddr) -> Fix {
    let port = subject.flow.destination.port();
    let fix = Fix::new(format!(
        "give the pool member on {node} the virtual server's port {port} instead of {}, and have the \
         server listen on it",
        member.port()
    ));
    let Some(served) = subject.served() else {
        return fix.not_in_scenario("no load balancer of the scenario serves the flow");
    };
    let members = served.pool.into_iter().flat_map(|pool| &pool.members);
    let moved = members.map(|it| {
        let address = SocketAddr::new(it.address.ip(), port);
        match it.ratio == 1 {
            true => scalar_address(address),
            false => format!("{{address: {}, ratio: {}}}", scalar_address(address), it.ratio),
        }
    });
    let mut change = pool(&served, &["members"], list(moved));
    let listens = |server: &TacacsServer| server.port == member.port();
    let servers = &subject.context.scenario.tacacs_servers;
    for node in servers.iter().filter(|(_, server)| listens(server)).map(|(node, _)| node) {
        match Part::of_server(subject, "tacacs_servers", node) {
            Ok(part) => change.lay(&part.change(&["port"], port.to_string())),
            Err(reason) => return fix.not_in_scenario(reason),
        }
    }
    let is_tcp = subject.flow.protocol == protocol::TCP;
    let key = if is_tcp { "tcp_servers" } else { "udp_servers" };
    for (node, services) in &subject.context.scenario.services {
        let mut services = services.iter();
        let listens = |service: &Service| {
            (service.protocol() == IpProtocol::Tcp) == is_tcp && service.ports == [member.port()]
        };
        if let Some(service) = services.find(|service| listens(service)) {
            match Part::of_service(subject, key, node, service) {
                Ok(part) => change.lay(&part.change(&["port"], port.to_string())),
                Err(reason) => return fix.not_in_scenario(reason),
            }
        }
    }
    let name = &served.server.pool;
    let members = served.pool.into_iter().flat_map(|pool| &pool.members);
    let tmsh = members.map(|it| {
        let (address, old) = (it.address.ip(), it.address.port());
        format!(
            "modify ltm pool {name} members delete {{ {address}:{old} }} ; modify ltm pool {name} \
             members add {{ {address}:{port} }}"
        )
    });
    tmsh.fold(fix.change(&change), Fix::tmsh)
}

fn scalar_address(address: SocketAddr) -> String {
    match address {
        SocketAddr::V4(address) => address.to_string(),
        SocketAddr::V6(address) => format!("\"{address}\""),
    }
}

pub(in crate::diagnose) fn reply_address(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let address = subject.flow.destination.ip();
    let fix = Fix::new(format!(
        "have the server on {node} answer from the address that it was asked at (IP_PKTINFO), or bind \
         it to {address}"
    ));
    let key = servers_key(subject, node);
    let has_packet_info = match service(subject, node).map(|service| &service.form) {
        Some(ServiceForm::Udp { packet_info, .. }) => Some(*packet_info),
        _ => subject.context.scenario.radius_servers.get(node).map(|server| server.packet_info),
    };
    if subject.flow.protocol != protocol::UDP || has_packet_info != Some(false) {
        let reason = format!("no server of the scenario's `{key}` on {node} does that");
        return fix.not_in_scenario(reason);
    }
    let part = Part::of_server(subject, key, node);
    fix.on_part(part, node, |part| part.change(&["packet_info"], "true"), |_| Vec::new())
}

/// A server that answers ARP or neighbour discovery for the VIP.
pub(in crate::diagnose) fn arp(subject: &Subject<'_>, node: &NodeName, address: IpAddr) -> Fix {
    let fix = Fix::new(format!(
        "keep {node} from answering for {address}: arp_ignore 1 and arp_announce 2 on `all` or its NIC, \
         and the VIP on lo"
    ));
    if !address.is_ipv4() {
        return fix
            .not_in_scenario("Linux has no such setting for IPv6 that a scenario could change");
    }
    let keys = [("net.ipv4.conf.all.arp_ignore", 1), ("net.ipv4.conf.all.arp_announce", 2)];
    fix.on_part(
        Part::of_real_server(subject, node),
        node,
        |part| {
            let changes =
                keys.map(|(key, value)| part.change(&["sysctls", key], value.to_string()));
            changes.iter().fold(Change::default(), |mut all, change| {
                all.lay(change);
                all
            })
        },
        |_| {
            let settings = keys.map(|(key, value)| format!("{key}={value}"));
            vec![format!("sysctl -w {}", settings.join(" "))]
        },
    )
}

pub(in crate::diagnose) fn client(subject: &Subject<'_>, node: &NodeName, address: IpAddr) -> Fix {
    let key = servers_key(subject, node);
    let scenario = subject.context.scenario;
    let known = match key {
        "radius_servers" => scenario.radius_servers.get(node).map(|server| &server.clients),
        _ => scenario.tacacs_servers.get(node).map(|server| &server.clients),
    };
    let known =
        known.into_iter().flatten().map(|net| match net.prefix_len() == net.max_prefix_len() {
            true => address_text(net.addr()),
            false => scalar_net(net.to_string()),
        });
    let clients = list(known.chain([address_text(address)]));
    Fix::new(format!("add {address} to the clients of the server on {node}")).on_part(
        Part::of_server(subject, key, node),
        node,
        |part| part.change(&["clients"], clients),
        |_| Vec::new(),
    )
}

fn scalar_net(net: String) -> String {
    if net.contains(':') { format!("\"{net}\"") } else { net }
}

/// Replies of a RADIUS server that carry no Message-Authenticator.
pub(in crate::diagnose) fn message_authenticator(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let fix = Fix::new(format!(
        "have {node} send a Message-Authenticator in its replies, or the client accept replies without one"
    ));
    match subject.context.scenario.radius_servers.get(node) {
        Some(server) if !server.message_authenticator => fix.on_part(
            Part::of_server(subject, "radius_servers", node),
            node,
            |part| part.change(&["message_authenticator"], "true"),
            |_| Vec::new(),
        ),
        _ => fix.change(&Change::of(
            &["steps", subject.step.as_str(), "radius_login", "require_message_authenticator"],
            "false",
        )),
    }
}

pub(in crate::diagnose) fn login(node: &NodeName) -> Fix {
    Fix::new(format!(
        "correct the user or the password on {node} or in the step; nothing in the network is wrong"
    ))
    .not_in_scenario("which password is right is not observed, and reports hold no passwords")
}

pub(in crate::diagnose) fn secret(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let fix = Fix::new(format!(
        "give {node} and its client the same secret; nothing in the network is wrong"
    ));
    let scenario = subject.context.scenario;
    let steps = || scenario.steps.iter().find(|step| step.name == *subject.step);
    let own = steps().and_then(|step| match &step.action {
        StepAction::Exchange(exchange) => {
            let ExchangeForm::TacacsLogin(login) = &exchange.form else { return None };
            let server = scenario.tacacs_servers.get(node)?;
            (login.secret != server.secret).then_some(("tacacs_login", &step.name))
        }
        _ => None,
    });
    match own {
        // Without one of its own, the step uses the servers'.
        Some((kind, step)) => {
            fix.change(&Change::of(&["steps", step.as_str(), kind, "secret"], "null"))
        }
        None => fix.not_in_scenario("which secret is right is not observed"),
    }
}

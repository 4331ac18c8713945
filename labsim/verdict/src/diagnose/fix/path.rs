//! The way: addresses that are not accepted, routes, packet sizes.

use super::filter::accept;
use super::links::in_topology;
use super::{Change, Fix, Part, Subject, of_balancer, without_rp_filter};
use crate::check_result::CheckContext;
use labsim_scenario::model::{Node, NodeName, RouteMetrics};
use labsim_wire::protocol;
use std::net::IpAddr;

/// The load balancer's own address outside.
pub(in crate::diagnose) fn outer_source(subject: &Subject<'_>) -> Fix {
    let fix = Fix::new(
        "have the load balancer use its own address as the outer source, or let the client's \
         addresses pass there",
    );
    match subject.served() {
        Some(served) => fix.change(&of_balancer(served.balancer, &[], &["outer_source"], "egress")),
        None => fix.not_in_scenario("no load balancer of the scenario serves the flow"),
    }
}

/// Replies whose source, the VIP, is not accepted: by a reverse path filter of the interface, or a
/// packet filter if there is none.
pub(in crate::diagnose) fn reply_source(
    subject: &Subject<'_>,
    node: &NodeName,
    interface: Option<&str>,
    source: IpAddr,
) -> Fix {
    let fix = Fix::new(format!(
        "let packets with the source {source}, the VIP, pass {node} from the servers (anti-spoofing, \
         port security, uRPF)"
    ));
    let family = if source.is_ipv4() { "ip" } else { "ip6" };
    match interface {
        Some(interface) => without_rp_filter(fix, subject, node, interface),
        None => accept(fix, subject, node, &format!("{family} saddr {source} accept")),
    }
}

/// A route of a node to a destination: to the load balancer that has it, or to a router.
pub(in crate::diagnose) fn route(
    context: &CheckContext<'_>,
    node: &NodeName,
    destination: IpAddr,
) -> Fix {
    let fix = match next_hop(context, node, destination) {
        Some(via) => Fix::new(format!("route {destination} to {via} on {node}"))
            .linux(node, format!("ip route replace {destination} via {via}")),
        None => Fix::new(format!("give {node} a route to {destination}")),
    };
    fix.not_in_scenario(in_topology(context.scenario, "routes"))
}

/// The address, on one of the node's subnets, of the load balancer that serves the destination, or
/// of a router.
fn next_hop(context: &CheckContext<'_>, node: &NodeName, destination: IpAddr) -> Option<IpAddr> {
    let (nodes, balancers) = (&context.scenario.topology.nodes, &context.scenario.load_balancers);
    let own = nodes.iter().find(|it| it.name == *node)?;
    let serves = |other: &Node| {
        let servers = balancers.get(&other.name).into_iter().flat_map(|it| &it.virtual_servers);
        servers.into_iter().any(|(_, server)| server.destination.ip() == destination)
    };
    let others = || nodes.iter().filter(|other| other.name != *node);
    let ways = others().filter(|it| serves(it)).chain(others().filter(|it| it.forward));
    let addresses = |node: &'_ Node| {
        node.interfaces
            .iter()
            .flat_map(|it| &it.addresses)
            .map(|net| net.addr())
            .collect::<Vec<_>>()
    };
    let is_beside = |address: &IpAddr| {
        let mut nets = own.interfaces.iter().flat_map(|interface| &interface.addresses);
        nets.any(|net| net.contains(address))
    };
    ways.flat_map(addresses).find(|it| it.is_ipv4() == destination.is_ipv4() && is_beside(it))
}

/// Packets of at most so many bytes, the tunnel's header not counted. `to_client` are replies.
pub(in crate::diagnose) fn mtu(subject: &Subject<'_>, limit: u32, to_client: bool) -> Fix {
    let servers = servers(subject);
    let senders = if to_client { servers.clone() } else { vec![subject.client.clone()] };
    let who: Vec<&str> = senders.iter().map(NodeName::as_str).collect();
    let fix = Fix::new(format!(
        "raise the MTU of the path, or have {} send packets of at most {limit} bytes, to which the \
         tunnel adds its header (a smaller MTU, or MSS), or let ICMP fragmentation needed reach the \
         sender",
        who.join(", ")
    ));
    let smaller = set_routes(fix, subject, &senders, ("mtu", limit));
    let headers = if subject.flow.destination.is_ipv4() { 40 } else { 60 };
    let mss = limit.saturating_sub(headers);
    if subject.flow.protocol != protocol::TCP || to_client || servers.is_empty() {
        return smaller;
    }
    let fix = Fix::new(format!("have the servers offer an MSS of {mss} bytes"));
    smaller.or(set_routes(fix, subject, &servers, ("advmss", mss)))
}

/// Sets a metric of the nodes' routes through a router.
fn set_routes(
    fix: Fix,
    subject: &Subject<'_>,
    nodes: &[NodeName],
    (metric, value): (&str, u32),
) -> Fix {
    let mut change = Change::default();
    for node in nodes {
        match Part::of_real_server(subject, node) {
            Ok(part) => change.lay(&part.change(&["routes", metric], value.to_string())),
            Err(reason) => return fix.not_in_scenario(reason),
        }
    }
    let metrics = match metric {
        "mtu" => RouteMetrics { mtu: Some(value), advmss: None },
        _ => RouteMetrics { mtu: None, advmss: Some(value) },
    };
    let ipv4 = subject.flow.destination.is_ipv4();
    let family = if ipv4 { "ip" } else { "ip -6" };
    nodes.iter().fold(fix.change(&change), |fix, node| {
        let routes = subject.node(node).map(|node| node.routes.as_slice()).unwrap_or_default();
        let routes = routes.iter().filter(|route| route.destination.addr().is_ipv4() == ipv4);
        routes.fold(fix, |fix, route| {
            let to = match route.destination.prefix_len() {
                0 => "default".to_owned(),
                _ => route.destination.to_string(),
            };
            let hops = route.next_hops(metrics);
            fix.linux(node, format!("{family} route change {to}{hops}"))
        })
    })
}

/// The members of the pool that serves the flow, as nodes.
fn servers(subject: &Subject<'_>) -> Vec<NodeName> {
    let served = subject.served();
    let members = served.and_then(|served| served.pool).into_iter().flat_map(|pool| &pool.members);
    let mut nodes: Vec<NodeName> =
        members.filter_map(|member| subject.owner(member.address.ip())).cloned().collect();
    nodes.sort();
    nodes.dedup();
    nodes
}

/// Packets with a greater TTL.
pub(in crate::diagnose) fn ttl(subject: &Subject<'_>, node: &NodeName) -> Fix {
    let key = match subject.flow.destination.is_ipv4() {
        true => "net.ipv4.ip_default_ttl",
        false => "net.ipv6.conf.all.hop_limit",
    };
    Fix::new(format!("have {node} send with a TTL or hop limit of 64 or more")).on_part(
        Part::of_real_server(subject, node),
        node,
        |part| part.change(&["sysctls", key], "64"),
        |_| vec![format!("sysctl -w {key}=64")],
    )
}

/// A router that forwards.
pub(in crate::diagnose) fn forwarding(
    subject: &Subject<'_>,
    node: &NodeName,
    destination: IpAddr,
) -> Fix {
    let key = match destination.is_ipv4() {
        true => "net.ipv4.ip_forward",
        false => "net.ipv6.conf.all.forwarding",
    };
    Fix::new(format!("have {node} forward packets, or route {destination} past it"))
        .linux(node, format!("sysctl -w {key}=1"))
        .not_in_scenario(in_topology(subject.context.scenario, "nodes that forward"))
}

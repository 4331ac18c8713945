//! The topology's text.

use super::addresses::Subnet;
use super::plan::{AddressPlan, Port};
use super::yaml::{Entry, Value, document, entry, list, map, one_or_list, scalar};
use crate::address::{ByFamily, Family};
use std::net::IpAddr;

/// The name of a segment, and of the router's interface on it.
pub(super) fn segment(number: usize) -> String {
    if number == 0 { "servers".to_owned() } else { format!("servers{}", number + 1) }
}

/// Writes the topology.
pub(super) fn text(header: &str, plan: &AddressPlan) -> String {
    let lb = match plan.lb_segment {
        None => "lb (packets come in and go out on its one interface)",
        Some(_) => "lb is on a segment with servers",
    };
    let header = format!(
        "{header}#\n# client --- router --- segments with the servers; {lb}\n\
         # Its own addresses are the configuration's; what it does not say was chosen.\n"
    );
    let mut sysctls = Vec::new();
    if plan.client.get(Family::V4).is_some() {
        sysctls.push(entry("net.ipv4.ip_default_ttl", scalar(128)));
    }
    if plan.client.get(Family::V6).is_some() {
        sysctls.push(entry("net.ipv6.conf.default.hop_limit", scalar(128)));
    }
    sysctls.push(entry("net.ipv4.tcp_timestamps", scalar(0)));
    let client = vec![
        entry("interfaces", map([("eth0", ports(&plan.client))])),
        entry("sysctls", Value::Flow(sysctls)).comment("as the document's client"),
    ];
    let host =
        |name: &str, address: Value| entry(name, map([("interfaces", map([("eth0", address)]))]));
    let mut nodes =
        vec![entry("client", client), entry("router", router(plan)), host("lb", ports(&plan.lb))];
    nodes.extend(plan.servers.iter().map(|server| {
        let segment = &plan.segments[server.segment];
        let addresses = [Some(server.address), server.other].into_iter().flatten();
        let addresses = addresses.filter_map(|address| {
            let subnet = segment.get(Family::of(address))?;
            Some(in_net(address, subnet))
        });
        host(&server.name, one_or_list(&addresses.collect::<Vec<_>>()))
    }));
    let mut links = vec![list(&["client:eth0", "router:client"])];
    if plan.lb_segment.is_none() {
        links.push(list(&["lb:eth0", "router:lb"]));
    }
    let segments = (0..plan.segments.len()).map(|number| {
        let mut ports = vec![format!("router:{}", segment(number))];
        if plan.lb_segment == Some(number) {
            ports.push("lb:eth0".to_owned());
        }
        let servers = plan.servers.iter().filter(|server| server.segment == number);
        ports.extend(servers.map(|server| format!("{}:eth0", server.name)));
        entry(segment(number), list(&ports))
    });
    let sections = vec![
        entry("nodes", nodes),
        entry("links", Value::Items(links)),
        entry("segments", segments.collect::<Vec<_>>()),
    ];
    document(&header, sections)
}

fn router(plan: &AddressPlan) -> Vec<Entry> {
    let routers = |ports: &ByFamily<Port>| {
        let own = ports.iter().map(|port| format!("{}/{}", port.router, port.net.prefix_len()));
        one_or_list(&own.collect::<Vec<_>>())
    };
    let mut interfaces = vec![entry("client", routers(&plan.client))];
    if plan.lb_segment.is_none() {
        interfaces.push(entry("lb", routers(&plan.lb)));
    }
    for (number, one) in plan.segments.iter().enumerate() {
        let own = one.iter().map(|subnet| in_net(subnet.router, subnet)).collect::<Vec<_>>();
        interfaces.push(entry(segment(number), one_or_list(&own)));
    }
    let mut router = vec![entry("forward", scalar(true)), entry("interfaces", interfaces)];
    // Those of a segment that it shares with servers are asked for by ARP, by whoever has to reach them.
    let shared = plan.lb_segment.and_then(|at| plan.segments.get(at));
    let is_asked_for = |address: &IpAddr| {
        shared.is_some_and(|segment| segment.iter().any(|it| it.net.contains(address)))
    };
    let routes = plan.routed.iter().filter(|one| !is_asked_for(one)).filter_map(|address| {
        let lb = plan.lb.get(Family::of(*address))?;
        Some(entry(address, scalar(lb.net.addr())))
    });
    let routes: Vec<Entry> = routes.collect();
    if !routes.is_empty() {
        let routes = entry("routes", routes);
        router.push(routes.comment("what belongs to the load balancer"));
    }
    router
}

/// The addresses of a node's one interface.
fn ports(ports: &ByFamily<Port>) -> Value {
    one_or_list(&ports.iter().map(|port| port.net).collect::<Vec<_>>())
}

/// An address with its subnet's prefix length.
fn in_net(address: IpAddr, subnet: &Subnet) -> String {
    format!("{address}/{}", subnet.net.prefix_len())
}

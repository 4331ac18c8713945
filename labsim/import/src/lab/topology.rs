//! The topology's text.

use super::plan::AddressPlan;
use super::yaml::{Entry, Value, document, entry, list, map, scalar};
use ipnet::Ipv4Net;
use std::net::Ipv4Addr;

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
    let sysctls =
        map([("net.ipv4.ip_default_ttl", scalar(128)), ("net.ipv4.tcp_timestamps", scalar(0))]);
    let client = vec![
        entry("interfaces", map([("eth0", scalar(plan.client.net))])),
        entry("sysctls", sysctls).comment("as the document's client"),
    ];
    let host =
        |name: &str, address: Value| entry(name, map([("interfaces", map([("eth0", address)]))]));
    let mut nodes = vec![
        entry("client", client),
        entry("router", router(plan)),
        host("lb", scalar(plan.lb.net)),
    ];
    nodes.extend(plan.servers.iter().map(|server| {
        host(&server.name, in_net(server.address, plan.segments[server.segment].net))
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
    let mut interfaces = vec![entry("client", in_net(plan.client.router, plan.client.net))];
    if plan.lb_segment.is_none() {
        interfaces.push(entry("lb", in_net(plan.lb.router, plan.lb.net)));
    }
    for (number, one) in plan.segments.iter().enumerate() {
        interfaces.push(entry(segment(number), in_net(one.router, one.net)));
    }
    let mut router = vec![entry("forward", scalar(true)), entry("interfaces", interfaces)];
    // Those of a segment that it shares with servers are asked for by ARP, by whoever has to reach them.
    let shared = plan.lb_segment.and_then(|at| plan.segments.get(at)).map(|one| one.net);
    let is_asked_for = |address: &Ipv4Addr| shared.is_some_and(|net| net.contains(address));
    let routed: Vec<_> = plan.routed.iter().filter(|one| !is_asked_for(one)).collect();
    if !routed.is_empty() {
        let routes = routed.into_iter().map(|address| entry(address, scalar(plan.lb.net.addr())));
        let routes = entry("routes", routes.collect::<Vec<_>>());
        router.push(routes.comment("what belongs to the load balancer"));
    }
    router
}

/// An address with a network's prefix length.
fn in_net(address: Ipv4Addr, net: Ipv4Net) -> Value {
    scalar(format_args!("{address}/{}", net.prefix_len()))
}

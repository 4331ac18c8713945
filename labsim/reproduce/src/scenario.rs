//! The scenario's text: the network without a fault, and with one.

use crate::faults::Fault;
use crate::network::{Carriage, Network};
use crate::topology::{BALANCER_ROUTER, ROUTER, Topology, router_port};
use crate::wiring::Wiring;
use crate::yaml::quoted;
use ipnet::IpNet;
use labsim_explain::Protocol;
use labsim_model::{GreOptions, TunnelKind, TunnelProtocol};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// Where a service listens that does not at the usual port.
const OTHER_PORT: u16 = 4949;
/// The file, without the ending, of the network without a fault.
pub(crate) const HEALTHY: &str = "healthy";
/// The part of the pool's further members, which are without faults.
const FURTHER: &str = "further";
/// The file, without the ending, in which all connections go to the server.
pub(crate) const ONE_SERVER: &str = "one-server";
/// The step of the exchange.
const EXCHANGE: &str = "exchange";

/// Words of a network for the lines of a fault. What a network has not has no word.
pub(crate) type Words = BTreeMap<&'static str, String>;

/// The device that ends a tunnel on Linux.
fn device(network: &Network, tunnel: TunnelProtocol) -> &'static str {
    let inside = network.vip.is_ipv4();
    TunnelKind::of(tunnel, network.server.is_ipv4(), inside).usual_device()
}

/// How the virtual server treats flows: keys and values. Without a configuration it takes connections up in their
/// middle, as one may have to that sees one direction.
fn flow_keys(network: &Network) -> Vec<(String, String)> {
    let has_both = network.carriage == (Carriage::Translated { source: true });
    match &network.settings {
        Some(settings) => settings.profile.clone(),
        None if network.protocol == Protocol::Tcp && !has_both => {
            let loose = "{loose_initiation: true, loose_close: true}";
            vec![("fastl4".to_owned(), loose.to_owned())]
        }
        None => Vec::new(),
    }
}

/// All words of a network.
pub(crate) fn words(network: &Network, topology: &Topology) -> Words {
    let to = SocketAddr::new(network.vip, network.port).to_string();
    let port = if network.member_port == network.port { OTHER_PORT } else { network.member_port };
    let (inside, outside) = (network.vip.is_ipv4(), network.server.is_ipv4());
    let mut words = Words::from([
        ("exchange", network.service.step(&to, "")),
        ("vip", quoted(network.vip)),
        ("vip_other_port", SocketAddr::new(network.vip, port).to_string()),
        ("server_other_port", SocketAddr::new(network.server, port).to_string()),
        ("balancer", quoted(network.balancer)),
        ("servers", network.service.key().to_owned()),
        ("other_port", port.to_string()),
        ("everything", if inside { "0.0.0.0/0" } else { "\"::/0\"" }.to_owned()),
        ("icmp", if inside { "ip protocol icmp" } else { "meta l4proto icmpv6" }.to_owned()),
        ("outer_saddr", if outside { "ip saddr" } else { "ip6 saddr" }.to_owned()),
    ]);
    if inside == outside {
        words.insert("one_family", String::new());
    }
    if let Some(tunnel) = network.tunnel() {
        let other = match tunnel {
            TunnelProtocol::Gre(_) => TunnelProtocol::Ipip,
            _ => TunnelProtocol::Gre(GreOptions::default()),
        };
        let (own_device, other_device) = (device(network, tunnel), device(network, other));
        words.extend([
            ("tunnel", tunnel.name().to_owned()),
            ("device", own_device.to_owned()),
            ("other_tunnel", other.name().to_owned()),
        ]);
        // The reverse path filter is IPv4's.
        let (mut without, mut instead) = (String::new(), String::new());
        if inside {
            let rp_filter = |device: &str| format!("net.ipv4.conf.{device}.rp_filter");
            let (own, other) = (rp_filter(own_device), rp_filter(other_device));
            without = format!(", sysctls: {{{own}: null}}");
            instead = format!("\n    sysctls: {{{own}: null, {other}: 0}}");
            words.insert("rp_filter", String::new());
        }
        words.extend([("without_rp_filter", without), ("other_rp_filter", instead)]);
        let udp = if matches!(tunnel, TunnelProtocol::Gue(_)) { "" } else { "udp, " };
        let icmpv6 = if inside && outside { "" } else { ", icmpv6" };
        words.insert("other_protocols", format!("{{ tcp, {udp}icmp{icmpv6} }}"));
        if network.outer_source_is_client {
            words.insert("foreign_source", String::new());
        }
    }
    let (protocol, other) = match network.protocol {
        Protocol::Tcp => ("tcp", "udp"),
        Protocol::Udp => ("udp", "tcp"),
    };
    let has_fastl4 = flow_keys(network).iter().any(|(key, _)| key == "fastl4");
    let without_fastl4 = if has_fastl4 { ", fastl4: null" } else { "" };
    words.insert("without_fastl4", without_fastl4.to_owned());
    words.extend([(protocol, String::new()), ("other_protocol", other.to_owned())]);
    let key = network.service.key();
    if network.service.is_aaa() {
        words.insert("aaa", String::new());
    }
    let listens = if key == "radius_servers" { "authentication_port" } else { "port" };
    words.insert("listens", listens.to_owned());
    if let Some(login) = network.service.login_key() {
        words.insert("login", login.to_owned());
    }
    if topology.has(BALANCER_ROUTER) {
        words.insert("balancer_router", BALANCER_ROUTER.to_owned());
    }
    // Neighbour discovery does not answer for what is on lo.
    if inside && topology.has_vip_on_servers_segment(network.vip) {
        words.insert("vip_segment", String::new());
    }
    if let Some(mtu) = network.narrow_mtu {
        words.insert("mtu", mtu.to_string());
    }
    let has_router = topology.has(ROUTER);
    if let Some(server) = topology.address("server", inside)
        && has_router
        && topology.is_beside(ROUTER, "server")
    {
        words.insert("server_beside_router", quoted(server));
    }
    if has_router {
        words.extend([
            ("router", ROUTER.to_owned()),
            ("router_balancer", router_port("lb").to_owned()),
            ("router_servers", router_port("server").to_owned()),
        ]);
    }
    if !topology.is_beside("server", "client") {
        words.insert("server_gateway", String::new());
    }
    if let Some(net) = topology.network("server", inside).filter(|_| has_router) {
        words.insert("only_servers_sources", only_sources(router_port("server"), net));
    }
    if let Some(net) = topology.network("lb", outside) {
        words.insert("balancer_net", net.to_string());
    }
    words
}

/// Rules that drop what comes in by an interface from another network than its own. Neighbour discovery is from
/// link-local addresses.
fn only_sources(interface: &str, net: IpNet) -> String {
    match net {
        IpNet::V4(_) => format!("\"iifname {interface} ip saddr != {net} drop\""),
        IpNet::V6(_) => format!(
            "[\"iifname {interface} ip6 saddr fe80::/10 accept\", \"iifname {interface} ip6 saddr != {net} drop\"]"
        ),
    }
}

/// The network without a fault.
pub(crate) fn healthy(header: &str, network: &Network) -> String {
    let vip = quoted(network.vip);
    let to = SocketAddr::new(network.vip, network.port);
    let member = SocketAddr::new(network.server, network.member_port);
    let members = network.members.list(member, false);
    let protocol = match network.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let tunnel = network.tunnel();
    let profile = tunnel.map_or("none", TunnelProtocol::name);
    let source = if network.outer_source_is_client { "client" } else { "egress" };
    let outer_source = tunnel.map(|_| format!("    outer_source: {source}\n")).unwrap_or_default();
    let translation = match network.carriage {
        Carriage::Translated { source: true } => {
            "translate_address: true, source_address_translation: automap"
        }
        Carriage::Translated { source: false } => "translate_address: true",
        _ => "translate_address: false, translate_port: true",
    };
    let mut pool_settings =
        network.settings.as_ref().map_or_else(String::new, |it| it.pool.clone());
    if let Some(monitor) = network.monitor() {
        pool_settings.push_str(&format!(", monitor: {monitor}"));
    }
    let flow_keys: String =
        flow_keys(network).iter().map(|(key, value)| format!(", {key}: {value}")).collect();
    let mut servers = Vec::new();
    let is_direct = !matches!(network.carriage, Carriage::Translated { .. });
    if let Some(tunnel) = tunnel {
        servers.push(format!("tunnel: {}", tunnel.name()));
    }
    if is_direct {
        servers.push(format!("vip: {vip}"));
    }
    if let Some(mss) = network.server_mss {
        servers.push(format!("routes: {{advmss: {mss}}}"));
    }
    let mut sysctls = Vec::new();
    // ARP and the reverse path filter are IPv4's; neighbour discovery does not answer for what is on lo.
    let is_ipv4 = network.vip.is_ipv4();
    if is_direct && is_ipv4 {
        sysctls.extend([("all.arp_ignore", 3), ("all.arp_announce", 2)].map(sysctl));
    }
    if let Some(tunnel) = tunnel.filter(|_| is_ipv4) {
        sysctls.push(sysctl(("all.rp_filter", 2)));
        sysctls.push(format!("net.ipv4.conf.{}.rp_filter: 0", device(network, tunnel)));
    }
    if !sysctls.is_empty() {
        servers.push(format!("sysctls: {{{}}}", sysctls.join(", ")));
    }
    let mut hosts = Vec::new();
    let further: Vec<String> =
        network.members.by_port().into_iter().flat_map(|(_, nodes)| nodes).collect();
    if !servers.is_empty() {
        let servers = servers.join(", ");
        hosts.push(format!("  servers: {{nodes: server, {servers}}}\n"));
        // Apart from the server, which faults are of.
        if !further.is_empty() {
            hosts.push(format!("  {FURTHER}: {{nodes: [{}], {servers}}}\n", further.join(", ")));
        }
    }
    if let Some(mss) = network.client_mss {
        hosts.push(format!("  clients: {{nodes: client, routes: {{advmss: {mss}}}}}\n"));
    }
    let real_servers = if hosts.is_empty() {
        String::new()
    } else {
        format!("\nreal_servers:\n{}", hosts.concat())
    };
    let known = match network.carriage {
        Carriage::Translated { source: true } => network.balancer,
        _ => network.client,
    };
    let key = network.service.key();
    // A monitor logs in from the load balancer's own address.
    let monitoring = network.monitor().map(|_| network.balancer).filter(|it| *it != known);
    let known: Vec<String> = std::iter::once(known).chain(monitoring).map(quoted).collect();
    let known = known.join(", ");
    let mut services = format!(
        "  service: {{nodes: server, {}}}\n",
        network.service.server(network.member_port, &known)
    );
    for (number, (port, nodes)) in network.members.by_port().into_iter().enumerate() {
        let name =
            if number == 0 { FURTHER.to_owned() } else { format!("{FURTHER}_{}", number + 1) };
        let keys = network.service.server(port, &known);
        services.push_str(&format!("  {name}: {{nodes: [{}], {keys}}}\n", nodes.join(", ")));
    }
    let step = network.service.step(&to.to_string(), "");
    let expected = match network.carriage {
        // Answers of a server whose address alone was translated do not come from whom the client asked.
        Carriage::Translated { source: false } => expectation(
            "answered",
            &format!(
                "frames: {{at: \"client:eth0\", match: {{direction: out, destination: {vip}}}, count: {{at_least: 1}}}}"
            ),
            ("the client asked the VIP", "the client did not ask the VIP"),
        ),
        _ => expectation(
            "answered",
            &format!("answer: {{step: {EXCHANGE}, result: pass, source: {vip}}}"),
            (
                "the client got its answers, from the VIP",
                "the client did not get its answers from the VIP",
            ),
        ),
    };
    format!(
        "{header}\ntopology: topology.yaml\n\n\
         load_balancers:\n  lb:\n{outer_source}    virtual_servers:\n      \
         vs: {{destination: \"{to}\", ip_protocol: {protocol}, pool: pool, {translation}{flow_keys}}}\n    \
         pools:\n      pool: {{profile: {profile}, members: [{members}]{pool_settings}}}\n\
         {real_servers}\n{key}:\n{services}\n\
         steps:\n  {EXCHANGE}: {step}\n{expected}"
    )
}

fn sysctl((name, value): (&str, u8)) -> String {
    format!("net.ipv4.conf.{name}: {value}")
}

fn expectation(name: &str, check: &str, (pass, fail): (&str, &str)) -> String {
    format!("\nexpect:\n  {name}:\n    {check}\n    pass: {pass}\n    fail: {fail}\n")
}

/// The network without a fault, in which all connections go to the server; `None` if that is so anyway.
pub(crate) fn one_server(header: &str, network: &Network) -> Option<String> {
    if !network.has_one_server_file() {
        return None;
    }
    let member = SocketAddr::new(network.server, network.member_port);
    let members = network.members.list(member, true);
    let monitor = network.monitor().map_or("", |_| ", monitor: null");
    Some(format!(
        "{header}# All connections go to the server that the faults are of.\n\nextends: {HEALTHY}.yaml\n\n\
         load_balancers: {{lb: {{pools: {{pool: {{members: [{members}]{monitor}}}}}}}}}\n"
    ))
}

/// The network with a fault; `None` if the network lacks what the fault is made of.
pub(crate) fn faulty(
    (header, network): (&str, &Network),
    fault: &Fault,
    words: &Words,
) -> Option<String> {
    let change = fault.lines(words)?;
    let step = fault.step();
    let check = format!("diagnosis: {{step: {step}, cause: {}}}", fault.cause);
    let sentences =
        ("the lab fails because of this cause", "the lab does not fail because of this cause");
    let expected = expectation("why", &check, sentences);
    let topology = match fault.wiring {
        Wiring::Usual => String::new(),
        wiring => format!("topology: {}.yaml\n", wiring.file()),
    };
    let base = if network.has_one_server_file() { ONE_SERVER } else { HEALTHY };
    Some(format!(
        "{header}# {}.\n\nextends: {base}.yaml\n{topology}\n{change}{expected}  answered: null\n",
        fault.what
    ))
}

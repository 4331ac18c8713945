//! The scenario's text: the network without a fault, and with one.

use crate::faults::Fault;
use crate::network::{Carriage, Network};
use crate::topology::{BALANCER_ROUTER, ROUTER, Topology, router_port};
use crate::wiring::Wiring;
use labsim_explain::Protocol;
use std::collections::BTreeMap;

/// Where a service listens that does not at the usual port.
const OTHER_PORT: u16 = 4949;
/// The step of the exchange.
const EXCHANGE: &str = "exchange";

/// Words of a network for the lines of a fault. What a network has not has no word.
pub(crate) type Words = BTreeMap<&'static str, String>;

/// The tunnel's name and its device on Linux.
fn tunnel(carriage: Carriage) -> Option<(&'static str, &'static str)> {
    Some(match carriage {
        Carriage::Ipip => ("ipip", "tunl0"),
        Carriage::Gre => ("gre", "gre0"),
        Carriage::Gue => ("gue", "tunl0"),
        Carriage::Direct | Carriage::Translated { .. } => return None,
    })
}

/// Whether the load balancer takes connections up in their middle, as one has to that sees one direction.
fn is_loose(network: &Network) -> bool {
    network.protocol == Protocol::Tcp && network.carriage != (Carriage::Translated { source: true })
}

/// All words of a network.
pub(crate) fn words(network: &Network, topology: &Topology) -> Words {
    let to = format!("{}:{}", network.vip, network.port);
    let port = if network.member_port == network.port { OTHER_PORT } else { network.member_port };
    let mut words = Words::from([
        ("exchange", network.service.step(&to, "")),
        ("client", network.client.to_string()),
        ("vip", network.vip.to_string()),
        ("server", network.server.to_string()),
        ("balancer", network.balancer.to_string()),
        ("servers", network.service.key().to_owned()),
        ("other_port", port.to_string()),
    ]);
    if let Some((name, device)) = tunnel(network.carriage) {
        let (other, other_device) = if name == "gre" { ("ipip", "tunl0") } else { ("gre", "gre0") };
        words.extend([
            ("tunnel", name.to_owned()),
            ("device", device.to_owned()),
            ("other_tunnel", other.to_owned()),
            ("other_device", other_device.to_owned()),
        ]);
        let protocols = if name == "gue" { "{ tcp, icmp }" } else { "{ tcp, udp, icmp }" };
        words.insert("other_protocols", protocols.to_owned());
        if network.outer_source_is_client {
            words.insert("foreign_source", String::new());
        }
    }
    let (protocol, other) = match network.protocol {
        Protocol::Tcp => ("tcp", "udp"),
        Protocol::Udp => ("udp", "tcp"),
    };
    let without_fastl4 = if is_loose(network) { ", fastl4: null" } else { "" };
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
    if topology.has_vip_on_servers_segment(network.vip) {
        words.insert("vip_segment", String::new());
    }
    if let Some(mtu) = network.narrow_mtu {
        words.insert("mtu", mtu.to_string());
    }
    if topology.has(ROUTER) && topology.next_hop(ROUTER, "server").is_none() {
        words.insert("server_beside_router", network.server.to_string());
    }
    if topology.has(ROUTER) {
        words.extend([
            ("router", ROUTER.to_owned()),
            ("router_clients", router_port("client").to_owned()),
            ("router_balancer", router_port("lb").to_owned()),
            ("router_servers", router_port("server").to_owned()),
        ]);
    }
    if topology.next_hop("server", "client").is_some() {
        words.insert("server_gateway", String::new());
    }
    if let Some(net) = topology.network("server") {
        words.insert("server_net", net.to_string());
    }
    if let Some(net) = topology.network("lb") {
        words.insert("balancer_net", net.to_string());
    }
    words
}

/// The network without a fault.
pub(crate) fn healthy(header: &str, network: &Network) -> String {
    let Network { vip, port, server, member_port, .. } = network;
    let protocol = match network.protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    };
    let tunnel = tunnel(network.carriage);
    let profile = tunnel.map_or("none", |(name, _)| name);
    let source = if network.outer_source_is_client { "client" } else { "egress" };
    let outer_source = tunnel.map(|_| format!("    outer_source: {source}\n")).unwrap_or_default();
    let translation = match network.carriage {
        Carriage::Translated { source: true } => {
            "translate_address: true, source_address_translation: automap"
        }
        Carriage::Translated { source: false } => "translate_address: true",
        _ => "translate_address: false, translate_port: true",
    };
    let idle_timeout =
        network.idle_timeout.map_or(String::new(), |it| format!(", idle_timeout: {it}"));
    let fastl4 = if is_loose(network) {
        format!(", fastl4: {{loose_initiation: true, loose_close: true{idle_timeout}}}")
    } else {
        network.idle_timeout.map_or(String::new(), |it| format!(", fastl4: {{idle_timeout: {it}}}"))
    };
    let mut servers = Vec::new();
    let is_direct = !matches!(network.carriage, Carriage::Translated { .. });
    if let Some((name, _)) = tunnel {
        servers.push(format!("tunnel: {name}"));
    }
    if is_direct {
        servers.push(format!("vip: {vip}"));
    }
    if let Some(mss) = network.server_mss {
        servers.push(format!("routes: {{advmss: {mss}}}"));
    }
    let mut sysctls = Vec::new();
    if is_direct {
        sysctls.extend([("all.arp_ignore", 3), ("all.arp_announce", 2)].map(sysctl));
    }
    if let Some((_, device)) = tunnel {
        sysctls.push(sysctl(("all.rp_filter", 2)));
        sysctls.push(format!("net.ipv4.conf.{device}.rp_filter: 0"));
    }
    if !sysctls.is_empty() {
        servers.push(format!("sysctls: {{{}}}", sysctls.join(", ")));
    }
    let mut hosts = Vec::new();
    if !servers.is_empty() {
        hosts.push(format!("  servers: {{nodes: server, {}}}\n", servers.join(", ")));
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
    let service = network.service.server(*member_port, &known.to_string());
    let step = network.service.step(&format!("{vip}:{port}"), "");
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
         vs: {{destination: \"{vip}:{port}\", ip_protocol: {protocol}, pool: pool, {translation}{fastl4}}}\n    \
         pools:\n      pool: {{profile: {profile}, members: [\"{server}:{member_port}\"]}}\n\
         {real_servers}\n{key}:\n  service: {{nodes: server, {service}}}\n\n\
         steps:\n  {EXCHANGE}: {step}\n{expected}"
    )
}

fn sysctl((name, value): (&str, u8)) -> String {
    format!("net.ipv4.conf.{name}: {value}")
}

fn expectation(name: &str, check: &str, (pass, fail): (&str, &str)) -> String {
    format!("\nexpect:\n  {name}:\n    {check}\n    pass: {pass}\n    fail: {fail}\n")
}

/// The network with a fault; `None` if the network lacks what the fault is made of.
pub(crate) fn faulty(header: &str, fault: &Fault, words: &Words) -> Option<String> {
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
    Some(format!(
        "{header}# {}.\n\nextends: healthy.yaml\n{topology}\n{change}{expected}  answered: null\n",
        fault.what
    ))
}

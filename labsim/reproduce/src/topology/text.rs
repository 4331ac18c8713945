//! The topology's text.

use super::{HOSTS, INTERFACE, ROUTER, Topology};
use crate::network::Network;
use crate::wiring::Wiring;
use crate::yaml::quoted;
use ipnet::IpNet;
use std::fmt::Write as _;
use std::net::IpAddr;

/// The segment in the middle.
const MIDDLE: &str = "middle";

impl Topology {
    /// Writes the file.
    pub(crate) fn text(&self, header: &str, network: &Network, wiring: Wiring) -> String {
        let mut out = format!("{header}\nnodes:\n");
        for (place, node) in self.nodes.iter().enumerate() {
            let mut keys = Vec::new();
            if node.is_router {
                let is_off = wiring == Wiring::RouterOff && node.name == ROUTER;
                keys.push(format!("forward: {}", !is_off));
            }
            let ports = node.ports.iter().map(|port| {
                let nets = self.networks.get(port.network).map(Vec::as_slice).unwrap_or_default();
                let addresses = port.addresses.iter().zip(nets);
                let addresses: Vec<String> =
                    addresses.map(|(own, net)| within(*own, *net)).collect();
                match addresses.as_slice() {
                    [only] => format!("{}: {only}", port.interface),
                    several => format!("{}: [{}]", port.interface, several.join(", ")),
                }
            });
            keys.push(format!("interfaces: {{{}}}", ports.collect::<Vec<_>>().join(", ")));
            let routes = self.routes(place);
            if !routes.is_empty() {
                let routes = routes.iter().map(|(to, via)| format!("{to}: {}", quoted(*via)));
                keys.push(format!("routes: {{{}}}", routes.collect::<Vec<_>>().join(", ")));
            }
            let ttl = match node.name.as_str() {
                "client" => Some(network.client_ttl),
                name if name == HOSTS[2] || self.further().any(|it| it == name) => {
                    Some(network.server_ttl)
                }
                _ => None,
            };
            if let Some(ttl) = ttl {
                let timestamps = u8::from(network.has_timestamps);
                // What hosts send each other is of the VIP's family.
                let key = match network.vip {
                    IpAddr::V4(_) => "net.ipv4.ip_default_ttl",
                    IpAddr::V6(_) => "net.ipv6.conf.default.hop_limit",
                };
                keys.push(format!(
                    "sysctls: {{{key}: {ttl}, net.ipv4.tcp_timestamps: {timestamps}}}"
                ));
            }
            // Writing to a string cannot fail.
            let _ = writeln!(out, "  {}: {{{}}}", node.name, keys.join(", "));
        }
        let (mut links, mut segments) = (String::new(), String::new());
        for number in 0..self.networks.len() {
            let ports = self.nodes.iter().flat_map(|node| {
                let own = node.ports.iter().filter(move |port| port.network == number);
                own.map(move |port| format!("\"{}:{}\"", node.name, port.interface))
            });
            let ports: Vec<String> = ports.collect();
            let (count, ports) = (ports.len(), ports.join(", "));
            let is_of = |host: &str| ports.contains(&format!("\"{host}:{INTERFACE}\""));
            let is_middle = count > 2 && self.middle == Some(number);
            let options = match wiring {
                // That of other hosts too.
                _ if is_middle => String::new(),
                Wiring::Offloads => ", offloads: true".to_owned(),
                Wiring::NarrowBalancer if is_of(HOSTS[1]) => mtu(network),
                Wiring::NarrowServer if is_of(HOSTS[2]) => mtu(network),
                _ => String::new(),
            };
            if count > 2 || !wiring.has_links() {
                let name = if is_middle { MIDDLE.to_owned() } else { format!("net{}", number + 1) };
                let _ = match options.as_str() {
                    "" => writeln!(segments, "  {name}: [{ports}]"),
                    _ => writeln!(segments, "  {name}: {{endpoints: [{ports}]{options}}}"),
                };
            } else {
                let _ = writeln!(links, "  - {{endpoints: [{ports}]{options}}}");
            }
        }
        for (key, lines) in [("links", links), ("segments", segments)] {
            if !lines.is_empty() {
                let _ = write!(out, "\n{key}:\n{lines}");
            }
        }
        out
    }
}

fn mtu(network: &Network) -> String {
    network.narrow_mtu.map(|mtu| format!(", mtu: {mtu}")).unwrap_or_default()
}

/// An address with its network's prefix length.
fn within(address: IpAddr, net: IpNet) -> String {
    let length = net.prefix_len();
    match address {
        IpAddr::V4(_) => format!("{address}/{length}"),
        IpAddr::V6(_) => format!("\"{address}/{length}\""),
    }
}

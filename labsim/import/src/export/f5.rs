//! A scenario's load balancers as tmsh configuration text.

use labsim_scenario::model::{
    ActionOnDown, Encapsulation, FastL4, GreOptions, IpProtocol, LoadBalancer, LoadBalancingMode,
    Maglev, MaglevHash, Member, MonitorKind, NodeName, OuterSource, Pool, Scenario,
    SourceAddressPersistence, SourceTranslation, VirtualServer,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Stanzas of all load balancers of a scenario, as `tmsh list` would show them.
///
/// Imported again they give the same load balancer, but for what a pool's stanza has no word for:
/// whose address a tunnel packet carries, GRE's key and checksum, and Maglev, which are told in
/// comments; members of ratio 0, which are disabled here; and names that begin with `/Common/` or
/// end with `/`.
#[must_use]
pub fn f5(scenario: &Scenario) -> String {
    let mut out = String::new();
    for (node, balancer) in &scenario.load_balancers {
        if !out.is_empty() {
            out.push('\n');
        }
        Stanzas { out: &mut out }.load_balancer(scenario, node, balancer);
    }
    out
}

struct Stanzas<'o> {
    out: &'o mut String,
}

impl Stanzas<'_> {
    fn line(&mut self, depth: usize, text: &str) {
        let _ = writeln!(self.out, "{}{text}", "    ".repeat(depth));
    }

    /// A block with what `inner` writes into it.
    fn block(&mut self, depth: usize, head: &str, inner: impl FnOnce(&mut Self)) {
        self.line(depth, &format!("{head} {{"));
        inner(self);
        self.line(depth, "}");
    }

    fn load_balancer(&mut self, scenario: &Scenario, node: &NodeName, balancer: &LoadBalancer) {
        let LoadBalancer { outer_source, virtual_servers, pools } = balancer;
        self.line(0, &format!("# {node} of the labsim scenario {}", scenario.name));
        let source = match outer_source {
            OuterSource::Client => "the client's own address",
            OuterSource::Egress => "the load balancer's own address",
        };
        self.line(0, &format!("# tunnel packets carry {source} as their source"));
        self.network(scenario, node);
        let mut named = BTreeSet::new();
        for server in virtual_servers {
            if let Some(profile) = profile(server)
                && named.insert(profile.clone())
            {
                self.fastl4(&profile, server.fastl4);
            }
        }
        for server in virtual_servers {
            if let Some(rule) = server.persistence
                && let Some(profile) = persistence_profile(server, rule)
            {
                self.persistence(&profile, rule);
            }
        }
        pools.iter().for_each(|pool| self.pool(pool));
        for server in virtual_servers {
            if let SourceTranslation::Pool(addresses) = &server.source_translation {
                self.snat_pool(&beside("snat", server), addresses);
            }
        }
        virtual_servers.iter().for_each(|server| self.virtual_server(server));
    }

    /// The load balancer's own addresses and default route.
    fn network(&mut self, scenario: &Scenario, name: &NodeName) {
        let Some(node) = scenario.topology.node(name) else { return };
        for interface in &node.interfaces {
            for (number, address) in interface.addresses.iter().enumerate() {
                let suffix = if number == 0 { String::new() } else { format!("_{number}") };
                self.block(0, &format!("net self {name}_{}{suffix}", interface.name), |out| {
                    out.line(1, &format!("address {address}"));
                });
            }
        }
        for route in node.routes.iter().filter(|route| route.destination.prefix_len() == 0) {
            let suffix = if route.via.is_ipv4() { "" } else { "6" };
            self.block(0, &format!("net route default{suffix}"), |out| {
                out.line(1, &format!("gw {}", route.via));
                out.line(
                    1,
                    &format!("network default{}", if suffix.is_empty() { "" } else { "-inet6" }),
                );
            });
        }
    }

    fn fastl4(&mut self, name: &str, options: FastL4) {
        let FastL4 { loose_initiation, loose_close, idle_timeout, reset_on_timeout } = options;
        self.block(0, &format!("ltm profile fastl4 {}", quoted(name)), |out| {
            out.line(1, "defaults-from fastL4");
            out.line(1, &format!("idle-timeout {}", idle_timeout.as_secs()));
            out.line(1, &format!("loose-close {}", switch(loose_close)));
            out.line(1, &format!("loose-initialization {}", switch(loose_initiation)));
            out.line(1, &format!("reset-on-timeout {}", switch(reset_on_timeout)));
        });
    }

    fn persistence(&mut self, name: &str, rule: SourceAddressPersistence) {
        self.block(0, &format!("ltm persistence source-addr {}", quoted(name)), |out| {
            out.line(1, "defaults-from source_addr");
            if let Some(length) = rule.prefix_length {
                let bits = u32::MAX << 32_u8.saturating_sub(length);
                out.line(1, &format!("mask {}", Ipv4Addr::from_bits(bits)));
            }
            out.line(1, &format!("timeout {}", rule.timeout.as_secs()));
        });
    }

    fn pool(&mut self, pool: &Pool) {
        let Pool { name, encapsulation, load_balancing_mode, monitor, action_on_down, members } =
            pool;
        self.block(0, &format!("ltm pool {}", quoted(name)), |out| {
            match mode(*load_balancing_mode) {
                Ok("round-robin") => {}
                Ok(word) => out.line(1, &format!("load-balancing-mode {word}")),
                Err(how) => {
                    out.line(1, &format!("# {how}, which this load balancer does not have"))
                }
            }
            if let Some(monitor) = monitor {
                match (monitor.kind, monitor.transparent) {
                    (MonitorKind::Tcp, false) => out.line(1, "monitor tcp"),
                    (MonitorKind::Icmp, false) => out.line(1, "monitor gateway_icmp"),
                    (kind, _) => {
                        let word = kind.word();
                        let through = if monitor.transparent { ", transparent" } else { "" };
                        out.line(
                            1,
                            &format!("# monitor: {word}{through}; write one and name it here"),
                        );
                    }
                }
            }
            match action_on_down {
                ActionOnDown::None => {}
                ActionOnDown::Reset => out.line(1, "service-down-action reset"),
                ActionOnDown::Reselect => out.line(1, "service-down-action reselect"),
            }
            out.block(1, "members", |out| {
                for Member { address, port, ratio } in members {
                    let member = socket(SocketAddr::new(*address, *port));
                    out.block(2, &member, |out| {
                        out.line(3, &format!("address {address}"));
                        match ratio {
                            0 => out.line(3, "session user-disabled"),
                            1 => {}
                            ratio => out.line(3, &format!("ratio {ratio}")),
                        }
                    });
                }
            });
            let tunnel = match encapsulation {
                Encapsulation::None => return,
                Encapsulation::Ipip => "ipip",
                Encapsulation::Gre(options) => {
                    if let Some(fields) = fields(*options) {
                        out.line(1, &format!("# GRE with {fields}, which this profile cannot say"));
                    }
                    "gre"
                }
            };
            out.block(1, "profiles", |out| out.line(2, tunnel));
        });
    }

    fn snat_pool(&mut self, name: &str, addresses: &[IpAddr]) {
        self.block(0, &format!("ltm snatpool {}", quoted(name)), |out| {
            out.block(1, "members", |out| {
                addresses.iter().for_each(|address| out.line(2, &address.to_string()));
            });
        });
    }

    fn virtual_server(&mut self, server: &VirtualServer) {
        let VirtualServer {
            name,
            destination,
            ip_protocol,
            pool,
            translate_address,
            translate_port,
            source_translation,
            fastl4: _,
            persistence,
        } = server;
        let profile = profile(server).unwrap_or_else(|| "fastL4".to_owned());
        let (mask, everybody) = match destination.ip() {
            IpAddr::V4(_) => ("255.255.255.255", "0.0.0.0/0"),
            IpAddr::V6(_) => ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        };
        self.block(0, &format!("ltm virtual {}", quoted(name)), |out| {
            out.line(1, &format!("destination {}", socket(*destination)));
            let protocol = match ip_protocol {
                IpProtocol::Tcp => "tcp",
                IpProtocol::Udp => "udp",
            };
            out.line(1, &format!("ip-protocol {protocol}"));
            out.line(1, &format!("mask {mask}"));
            if let Some(rule) = persistence {
                let name = persistence_profile(server, *rule);
                let name = name.unwrap_or_else(|| "source_addr".to_owned());
                out.block(1, "persist", |out| {
                    out.block(2, &quoted(&name), |out| out.line(3, "default yes"));
                });
            }
            out.line(1, &format!("pool {}", quoted(pool)));
            out.block(1, "profiles", |out| out.line(2, &format!("{} {{ }}", quoted(&profile))));
            out.line(1, &format!("source {everybody}"));
            out.source_translation(source_translation, server);
            out.line(1, &format!("translate-address {}", switch(*translate_address)));
            out.line(1, &format!("translate-port {}", switch(*translate_port)));
        });
    }

    /// What becomes of the source address; nothing is said of one that stays.
    fn source_translation(&mut self, translation: &SourceTranslation, server: &VirtualServer) {
        let lines = match translation {
            SourceTranslation::None => return,
            SourceTranslation::Automap => vec!["type automap".to_owned()],
            SourceTranslation::Pool(_) => {
                vec![format!("pool {}", quoted(&beside("snat", server))), "type snat".to_owned()]
            }
        };
        self.block(1, "source-address-translation", |out| {
            lines.iter().for_each(|line| out.line(2, line));
        });
    }
}

/// The optional fields of a GRE header, in words; `None` if it has none.
fn fields(GreOptions { key, checksum }: GreOptions) -> Option<String> {
    match (key, checksum) {
        (None, false) => None,
        (None, true) => Some("a checksum".to_owned()),
        (Some(key), false) => Some(format!("the key {key}")),
        (Some(key), true) => Some(format!("the key {key} and a checksum")),
    }
}

/// The name of a virtual server's own fastL4 profile; `None` if the defaults do.
fn profile(server: &VirtualServer) -> Option<String> {
    let FastL4 { loose_initiation, loose_close, idle_timeout, reset_on_timeout } = server.fastl4;
    let is_usual =
        !loose_initiation && !loose_close && idle_timeout.as_secs() == 300 && reset_on_timeout;
    (!is_usual).then(|| beside("fastl4", server))
}

/// The name of a virtual server's own persistence profile; `None` if the defaults do.
fn persistence_profile(server: &VirtualServer, rule: SourceAddressPersistence) -> Option<String> {
    let is_usual = rule.timeout.as_secs() == 180 && rule.prefix_length.is_none();
    (!is_usual).then(|| beside("source_addr", server))
}

/// F5's word for a mode, or what it has no word for.
fn mode(mode: LoadBalancingMode) -> Result<&'static str, &'static str> {
    match mode {
        LoadBalancingMode::RoundRobin => Ok("round-robin"),
        LoadBalancingMode::Ratio => Ok("ratio-member"),
        LoadBalancingMode::LeastConnections => Ok("least-connections-member"),
        LoadBalancingMode::RatioLeastConnections => Ok("ratio-least-connections-member"),
        LoadBalancingMode::Maglev(Maglev { hash: MaglevHash::FiveTuple, .. }) => {
            Err("Maglev by five-tuple")
        }
        LoadBalancingMode::Maglev(Maglev { hash: MaglevHash::SourceAddress, .. }) => {
            Err("Maglev by source address")
        }
    }
}

/// A name for an object of a virtual server's own, in its folder.
fn beside(kind: &str, server: &VirtualServer) -> String {
    let folder = server.name.rfind('/').map_or(0, |at| at + 1);
    let (folder, name) = server.name.split_at(folder);
    format!("{folder}{kind}_{name}")
}

fn switch(on: bool) -> &'static str {
    if on { "enabled" } else { "disabled" }
}

/// `172.16.4.99:49`, `2001:db8::99.49`; port 0 is `any`.
fn socket(address: SocketAddr) -> String {
    let port = match address.port() {
        0 => "any".to_owned(),
        port => port.to_string(),
    };
    match address.ip() {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("{ip}.{port}"),
    }
}

/// A word as tmsh takes it.
fn quoted(word: &str) -> String {
    let is_special = |one: char| one.is_whitespace() || "{}\"#\\".contains(one);
    if !word.is_empty() && !word.contains(is_special) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
}

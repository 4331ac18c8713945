//! A scenario's load balancers as tmsh configuration text.

use labsim_scenario::model::{
    Encapsulation, FastL4, GreOptions, IpProtocol, LoadBalancer, Member, NodeName, OuterSource,
    Pool, Scenario, SourceTranslation, VirtualServer,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};

/// Stanzas of all load balancers of a scenario, as `tmsh list` would show them.
///
/// Imported again they give the same load balancer, but for what tmsh has no word for: whose
/// address a tunnel packet carries and the options of a GRE header, which are told in comments,
/// and names that begin with `/Common/` or end with `/`.
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
        virtual_servers.iter().for_each(|server| self.snatpool(server));
        pools.iter().for_each(|pool| self.pool(pool));
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
        let FastL4 { loose_initiation, loose_close, idle_timeout } = options;
        self.block(0, &format!("ltm profile fastl4 {}", quoted(name)), |out| {
            out.line(1, "defaults-from fastL4");
            out.line(1, &format!("idle-timeout {}", idle_timeout.as_secs()));
            out.line(1, &format!("loose-close {}", switch(loose_close)));
            out.line(1, &format!("loose-initialization {}", switch(loose_initiation)));
        });
    }

    fn snatpool(&mut self, server: &VirtualServer) {
        let SourceTranslation::Pool(addresses) = &server.source_translation else { return };
        self.block(0, &format!("ltm snatpool {}", quoted(&snatpool(server))), |out| {
            out.block(1, "members", |out| {
                addresses.iter().for_each(|address| out.line(2, &address.to_string()));
            });
        });
    }

    fn pool(&mut self, pool: &Pool) {
        let Pool { name, encapsulation, members } = pool;
        if let Encapsulation::Gre(GreOptions { key, checksum }) = encapsulation {
            let key = key.map(|key| format!("the key {key}"));
            let checksum = checksum.then(|| "a checksum".to_owned());
            let carried: Vec<String> = key.into_iter().chain(checksum).collect();
            if !carried.is_empty() {
                self.line(0, &format!("# its tunnel packets carry {}", carried.join(" and ")));
            }
        }
        self.block(0, &format!("ltm pool {}", quoted(name)), |out| {
            out.block(1, "members", |out| {
                for Member { address, port } in members {
                    let member = socket(SocketAddr::new(*address, *port));
                    out.block(2, &member, |out| out.line(3, &format!("address {address}")));
                }
            });
            let tunnel = match encapsulation {
                Encapsulation::None => return,
                Encapsulation::Ipip => "ipip",
                Encapsulation::Gre(_) => "gre",
            };
            out.block(1, "profiles", |out| out.line(2, tunnel));
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
        } = server;
        let profile = profile(server).unwrap_or_else(|| "fastL4".to_owned());
        let mask = match destination.ip() {
            IpAddr::V4(_) => "255.255.255.255",
            IpAddr::V6(_) => "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
        };
        self.block(0, &format!("ltm virtual {}", quoted(name)), |out| {
            out.line(1, &format!("destination {}", socket(*destination)));
            let protocol = match ip_protocol {
                IpProtocol::Tcp => "tcp",
                IpProtocol::Udp => "udp",
            };
            out.line(1, &format!("ip-protocol {protocol}"));
            out.line(1, &format!("mask {mask}"));
            out.line(1, &format!("pool {}", quoted(pool)));
            out.block(1, "profiles", |out| out.line(2, &format!("{} {{ }}", quoted(&profile))));
            out.line(1, "source 0.0.0.0/0");
            match source_translation {
                SourceTranslation::None => {}
                SourceTranslation::Automap => {
                    out.block(1, "source-address-translation", |out| out.line(2, "type automap"));
                }
                SourceTranslation::Pool(_) => {
                    out.block(1, "source-address-translation", |out| {
                        out.line(2, &format!("pool {}", quoted(&snatpool(server))));
                        out.line(2, "type snat");
                    });
                }
            }
            out.line(1, &format!("translate-address {}", switch(*translate_address)));
            out.line(1, &format!("translate-port {}", switch(*translate_port)));
        });
    }
}

/// The name of a virtual server's own fastL4 profile; `None` if the defaults do.
fn profile(server: &VirtualServer) -> Option<String> {
    let FastL4 { loose_initiation, loose_close, idle_timeout } = server.fastl4;
    let is_usual = !loose_initiation && !loose_close && idle_timeout.as_secs() == 300;
    (!is_usual).then(|| beside(server, "fastl4"))
}

/// The name of a virtual server's own SNAT pool.
fn snatpool(server: &VirtualServer) -> String {
    beside(server, "snat")
}

/// A name in the virtual server's folder.
fn beside(server: &VirtualServer, kind: &str) -> String {
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

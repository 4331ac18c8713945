//! A scenario's load balancers as tmsh configuration text.

use ipnet::IpNet;
use labsim_model::{Announcements, FailoverState};
use labsim_scenario::model::{
    ActionOnDown, AdminState, FastL4, GreOptions, IpProtocol, LoadBalancer, LoadBalancingMode,
    Maglev, MaglevHash, Member, Monitor, MonitorKind, NodeName, OuterSource, Persistence, Pool,
    Profile, Scenario, SourceAddress, SourceTranslation, VirtualServer,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Stanzas of all load balancers of a scenario, as `tmsh list` would show them.
///
/// Imported again they give the same load balancer, but for what the stanzas have no word for, which is
/// written as comments: whose address a tunnel packet carries, GRE's key and checksum, Maglev, monitors of
/// other kinds, the failover state, announcements and deliberate faults; for members of ratio 0, which are
/// forced offline here; for `mirror`, which an import does not take over; and for names that begin with
/// `/Common/` or end with `/`.
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
        let LoadBalancer {
            engine: _,
            outer_source,
            outer_tos,
            virtual_servers,
            pools,
            failover_state,
            announcements,
            faults,
        } = balancer;
        self.line(0, &format!("# {node} of the labsim scenario {}", scenario.name));
        let source = match outer_source {
            OuterSource::Client => "the client's own address",
            OuterSource::Egress => "the load balancer's own address",
        };
        self.line(0, &format!("# tunnel packets carry {source} as their source"));
        if let Some(tos) = outer_tos {
            let why = "F5's pools copy that of the inner packet";
            self.line(0, &format!("# not exported: outer_tos: {tos}, as {why}"));
        }
        if *failover_state == FailoverState::Standby {
            self.line(
                0,
                "# not exported: failover_state standby, which is the device group's to say",
            );
        }
        if *announcements != Announcements::default() {
            self.line(0, "# not exported: announcements, as F5 has its own");
        }
        for fault in faults {
            self.line(0, &format!("# not exported: the fault {fault}, made on purpose in the lab"));
        }
        self.network(scenario, node);
        let mut named = BTreeSet::new();
        for (name, server) in virtual_servers {
            if let Some(profile) = profile(name, server)
                && named.insert(profile.clone())
            {
                self.fastl4(&profile, server.fastl4);
            }
        }
        for (name, server) in virtual_servers {
            if let Persistence::SourceAddress(rule) = server.persistence
                && let Some(profile) = persistence_profile(name, rule)
            {
                self.persistence(&profile, rule, any(server));
            }
        }
        for (name, pool) in pools {
            if let Some(monitor) = &pool.monitor
                && let Written::Own(times) = written(monitor)
            {
                self.monitor(&beside("monitor", name), monitor, times);
            }
        }
        pools.iter().for_each(|(name, pool)| self.pool(name, pool));
        for (name, server) in virtual_servers {
            if let SourceTranslation::Snat(addresses) = &server.source_address_translation {
                self.snat_pool(&beside("snat", name), addresses);
            }
        }
        virtual_servers.iter().for_each(|(name, server)| self.traffic_matching(name, server));
        virtual_servers.iter().for_each(|(name, server)| self.virtual_server(name, server));
    }

    /// A list of ports, and criteria with it, for a virtual server of several ports.
    fn traffic_matching(&mut self, name: &str, server: &VirtualServer) {
        let ports = server.destination.ports();
        if ports.is_any() || ports.single().is_some() {
            return;
        }
        let list = quoted(&beside("ports", name));
        self.block(0, &format!("net port-list {list}"), |out| {
            out.block(1, "ports", |out| {
                ports.ranges().iter().for_each(|range| out.line(2, &format!("{range} {{ }}")));
            });
        });
        let source = if server.destination.is_ipv4() { "0.0.0.0" } else { "::" };
        let matching = quoted(&beside("matching", name));
        self.block(0, &format!("ltm traffic-matching-criteria {matching}"), |out| {
            out.line(1, &format!("destination-address-inline {}", server.destination.ip()));
            out.line(1, &format!("destination-port-list {list}"));
            out.line(1, &format!("protocol {}", server.ip_protocol.word()));
            out.line(1, &format!("source-address-inline {source}"));
        });
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
            let [via] = route.via.as_slice() else {
                self.line(0, "# its default route has several gateways; write a pool of them");
                continue;
            };
            let suffix = if via.is_ipv4() { "" } else { "6" };
            self.block(0, &format!("net route default{suffix}"), |out| {
                out.line(1, &format!("gw {via}"));
                out.line(
                    1,
                    &format!("network default{}", if suffix.is_empty() { "" } else { "-inet6" }),
                );
            });
        }
    }

    fn fastl4(&mut self, name: &str, options: FastL4) {
        let FastL4 {
            loose_initiation,
            loose_close,
            idle_timeout,
            reset_on_timeout,
            pva_acceleration,
        } = options;
        self.block(0, &format!("ltm profile fastl4 {}", quoted(name)), |out| {
            out.line(1, "defaults-from fastL4");
            out.line(1, &format!("idle-timeout {}", idle_timeout));
            out.line(1, &format!("loose-close {}", switch(loose_close)));
            out.line(1, &format!("loose-initialization {}", switch(loose_initiation)));
            out.line(1, &format!("pva-acceleration {}", pva_acceleration.word()));
            out.line(1, &format!("reset-on-timeout {}", switch(reset_on_timeout)));
        });
    }

    fn monitor(&mut self, name: &str, monitor: &Monitor, (interval, timeout): (u64, u64)) {
        let kind = if monitor.kind == MonitorKind::Tcp { "tcp" } else { "gateway-icmp" };
        self.block(0, &format!("ltm monitor {kind} {}", quoted(name)), |out| {
            out.line(1, &format!("defaults-from {}", kind.replace('-', "_")));
            if let Some(port) = monitor.port {
                out.line(1, &format!("destination *:{port}"));
            }
            out.line(1, &format!("interval {interval}"));
            out.line(1, &format!("timeout {timeout}"));
        });
    }

    /// `any` is the unspecified address of the clients' family.
    fn persistence(&mut self, name: &str, rule: SourceAddress, any: IpAddr) {
        self.block(0, &format!("ltm persistence source-addr {}", quoted(name)), |out| {
            out.line(1, "defaults-from source_addr");
            if let Some(length) = rule.prefix_length
                && let Ok(net) = IpNet::new(any, length.min(IpNet::from(any).prefix_len()))
            {
                out.line(1, &format!("mask {}", net.netmask()));
            }
            out.line(1, &format!("timeout {}", rule.timeout));
        });
    }

    fn pool(&mut self, name: &str, pool: &Pool) {
        let Pool { profile, load_balancing_mode, monitor, action_on_down, members } = pool;
        self.block(0, &format!("ltm pool {}", quoted(name)), |out| {
            match mode(*load_balancing_mode) {
                Ok("round-robin") => {}
                Ok(word) => out.line(1, &format!("load-balancing-mode {word}")),
                Err(how) => {
                    out.line(1, &format!("# {how}, which this load balancer does not have"))
                }
            }
            if let Some(monitor) = monitor {
                match written(monitor) {
                    Written::Usual(name) => out.line(1, &format!("monitor {name}")),
                    Written::Own(_) => {
                        out.line(1, &format!("monitor {}", quoted(&beside("monitor", name))));
                    }
                    Written::Not(how) => {
                        out.line(1, &format!("# monitor: {how}; write one and name it here"));
                    }
                }
                if monitor.rise != 1 {
                    let rise = monitor.rise;
                    out.line(1, &format!("# not exported: the monitor's rise {rise}; F5's is 1"));
                }
            }
            match action_on_down {
                ActionOnDown::None => {}
                ActionOnDown::Reset => out.line(1, "service-down-action reset"),
                ActionOnDown::Reselect => out.line(1, "service-down-action reselect"),
            }
            out.block(1, "members", |out| {
                for Member { address, ratio, profile, state } in members {
                    out.block(2, &socket(*address), |out| {
                        out.line(3, &format!("address {}", address.ip()));
                        match profile {
                            Some(Profile::None) => out.line(3, "profiles none"),
                            Some(profile) => out.profiles(3, *profile),
                            None => {}
                        }
                        match ratio {
                            0 | 1 => {}
                            ratio => out.line(3, &format!("ratio {ratio}")),
                        }
                        // F5's ratios begin with 1: a drained member takes no new flows.
                        let is_offline = *ratio == 0 || *state == AdminState::ForcedOffline;
                        if is_offline || !state.is_enabled() {
                            out.line(3, "session user-disabled");
                        }
                        if is_offline {
                            out.line(3, "state user-down");
                        }
                    });
                }
            });
            out.profiles(1, *profile);
        });
    }

    /// The tunnel of a pool or a member.
    fn profiles(&mut self, depth: usize, profile: Profile) {
        let tunnel = match profile {
            Profile::None => return,
            Profile::Ipip => "ipip",
            Profile::Gre(options) => {
                if let Some(fields) = fields(options) {
                    let comment = format!("# GRE with {fields}, which this profile cannot say");
                    self.line(depth, &comment);
                }
                "gre"
            }
            Profile::Gue(_) => {
                return self.line(depth, "# in a GUE tunnel, for which F5 has no profile");
            }
        };
        self.block(depth, "profiles", |out| out.line(depth + 1, tunnel));
    }

    fn snat_pool(&mut self, name: &str, addresses: &[IpAddr]) {
        self.block(0, &format!("ltm snatpool {}", quoted(name)), |out| {
            out.block(1, "members", |out| {
                addresses.iter().for_each(|address| out.line(2, &address.to_string()));
            });
        });
    }

    fn virtual_server(&mut self, name: &str, server: &VirtualServer) {
        let VirtualServer {
            destination,
            ip_protocol,
            pool,
            translate_address,
            translate_port,
            source_address_translation,
            fastl4: _,
            persistence,
            mirror,
            datagram_load_balancing,
        } = server;
        let profile = profile(name, server).unwrap_or_else(|| "fastL4".to_owned());
        let (mask, any_source) = match destination.ip() {
            IpAddr::V4(_) => ("255.255.255.255", "0.0.0.0/0"),
            IpAddr::V6(_) => ("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::/0"),
        };
        self.block(0, &format!("ltm virtual {}", quoted(name)), |out| {
            match (destination.port(), destination.ports().is_any()) {
                (None, false) => {
                    let name = quoted(&beside("matching", name));
                    out.line(1, &format!("traffic-matching-criteria {name}"));
                }
                (port, _) => {
                    let socket =
                        socket(SocketAddr::new(destination.ip(), port.unwrap_or_default()));
                    out.line(1, &format!("destination {socket}"));
                }
            }
            if *datagram_load_balancing {
                let setting =
                    "datagram-load-balancing enabled, of a udp profile in place of fastL4's";
                out.line(1, &format!("# not exported: {setting}"));
            }
            let protocol = match ip_protocol {
                IpProtocol::Tcp => "tcp",
                IpProtocol::Udp => "udp",
            };
            out.line(1, &format!("ip-protocol {protocol}"));
            if destination.port().is_some() || destination.ports().is_any() {
                out.line(1, &format!("mask {mask}"));
            }
            if *mirror {
                out.line(1, "mirror enabled");
            }
            if let Persistence::SourceAddress(rule) = persistence {
                let name = persistence_profile(name, *rule);
                let name = name.unwrap_or_else(|| "source_addr".to_owned());
                out.block(1, "persist", |out| {
                    out.block(2, &quoted(&name), |out| out.line(3, "default yes"));
                });
            }
            out.line(1, &format!("pool {}", quoted(pool)));
            out.block(1, "profiles", |out| out.line(2, &format!("{} {{ }}", quoted(&profile))));
            out.line(1, &format!("source {any_source}"));
            out.source_translation(source_address_translation, name);
            out.line(1, &format!("translate-address {}", switch(*translate_address)));
            out.line(1, &format!("translate-port {}", switch(*translate_port)));
        });
    }

    /// What becomes of the source address; nothing is expected of one that stays.
    fn source_translation(&mut self, translation: &SourceTranslation, name: &str) {
        let lines = match translation {
            SourceTranslation::None => return,
            SourceTranslation::Automap => vec!["type automap".to_owned()],
            SourceTranslation::Snat(_) => {
                vec![format!("pool {}", quoted(&beside("snat", name))), "type snat".to_owned()]
            }
        };
        self.block(1, "source-address-translation", |out| {
            lines.iter().for_each(|line| out.line(2, line));
        });
    }
}

/// The unspecified address of the family of a virtual server's clients.
fn any(server: &VirtualServer) -> IpAddr {
    match server.destination.ip() {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// How a monitor is written.
enum Written {
    /// By the name of one that every F5 has.
    Usual(&'static str),
    /// As one of its own, with interval and timeout in seconds.
    Own((u64, u64)),
    /// Not, and what it is.
    Not(String),
}

/// F5's monitors have whole seconds, and a timeout from the last answer on.
fn written(monitor: &Monitor) -> Written {
    let Monitor { kind, interval, timeout, rise: _, fall, transparent, port, secret: _ } = monitor;
    let word = kind.word();
    if *transparent {
        return Written::Not(format!("{word}, transparent"));
    }
    let usual = match kind {
        MonitorKind::Tcp => "tcp",
        MonitorKind::Icmp => "gateway_icmp",
        MonitorKind::Tacacs | MonitorKind::Radius => return Written::Not(word.to_owned()),
    };
    let whole = |time: Duration| (time.subsec_nanos() == 0).then_some(time.as_secs());
    match (whole(*interval), whole(*interval * u32::from(*fall) + *timeout), port) {
        (Some(5), Some(16), None) => Written::Usual(usual),
        (Some(interval), Some(timeout), _) => Written::Own((interval, timeout)),
        _ => Written::Not(format!("{word} every {interval:?}, which is no number of seconds")),
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
fn profile(name: &str, server: &VirtualServer) -> Option<String> {
    (server.fastl4 != FastL4::default()).then(|| beside("fastl4", name))
}

/// The name of a virtual server's own persistence profile; `None` if the defaults do.
fn persistence_profile(name: &str, rule: SourceAddress) -> Option<String> {
    (rule != SourceAddress::default()).then(|| beside("source_addr", name))
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
fn beside(kind: &str, name: &str) -> String {
    let folder = name.rfind('/').map_or(0, |at| at + 1);
    let (folder, name) = name.split_at(folder);
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

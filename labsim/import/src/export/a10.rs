//! A load balancer as ACOS configuration, as `show running-config` prints it.

use super::{Exported, NotExported};
use crate::a10::{MOST_MORE_PORTS, templates};
use crate::address::bits;
use crate::text::printable;
use labsim_model::{Announcements, FailoverState, PortRange};
use labsim_scenario::model::{
    ActionOnDown, AdminState, FastL4, IpProtocol, LoadBalancer, LoadBalancingMode, Member,
    NodeName, OuterSource, Persistence, Pool, Profile, Scenario, SourceTranslation, VirtualServer,
};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::IpAddr;

/// Largest weight of a server's port.
const MOST_WEIGHT: u16 = 1000;

/// The configuration of a load balancer of a scenario. What ACOS cannot say is in comments at its
/// beginning, too.
#[must_use]
pub fn a10(scenario: &Scenario, node: &NodeName, balancer: &LoadBalancer) -> Exported {
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
    let mut writer = Writer { scenario, balancer, groups: String::new(), not_exported: Vec::new() };
    if *outer_source == OuterSource::Egress && pools.values().any(|it| it.tunnels().count() > 0) {
        writer.note("outer_source: egress", "ACOS's tunnel packets carry the client's address");
    }
    if let Some(tos) = outer_tos {
        writer.note(format!("outer_tos: {tos}"), "no setting of ACOS for it is known");
    }
    if *failover_state == FailoverState::Standby {
        writer.note("failover_state: standby", "which device is active is VRRP-A's to say");
    }
    if *announcements != Announcements::default() {
        writer.note("announcements", "ACOS announces its addresses in its own way");
    }
    for fault in faults {
        writer.note(format!("faults: {fault}"), "it is the lab's, made on purpose");
    }
    for name in pools.keys().filter(|name| virtual_servers.values().all(|it| it.pool != **name)) {
        let why = "no virtual server uses it, and so its protocol is not known";
        writer.note(format!("pool {}", printable(name)), why);
    }
    let network = writer.network(node);
    let servers = writer.servers();
    let (templates, virtuals) = writer.virtual_servers();
    let Writer { groups, not_exported, .. } = writer;
    let mut text = format!("! {node} of the labsim scenario {}\n", scenario.name);
    for one in &not_exported {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "! not exported: {one}");
    }
    for part in [network, templates, servers, groups, virtuals] {
        if !part.is_empty() {
            text.push_str("!\n");
            text.push_str(&part);
        }
    }
    Exported { text, not_exported }
}

struct Writer<'s> {
    scenario: &'s Scenario,
    balancer: &'s LoadBalancer,
    /// The service groups that are written so far.
    groups: String,
    not_exported: Vec<NotExported>,
}

impl<'s> Writer<'s> {
    fn note(&mut self, what: impl Into<String>, why: impl Into<String>) {
        NotExported::new(what, why).add_to(&mut self.not_exported);
    }

    /// The load balancer's own addresses and default route.
    fn network(&self, name: &NodeName) -> String {
        let mut text = String::new();
        let Some(node) = self.scenario.topology.node(name) else { return text };
        for (number, interface) in node.interfaces.iter().enumerate() {
            let _ = writeln!(text, "interface ethernet {}", number + 1);
            for net in &interface.addresses {
                let (address, length) = (net.addr(), net.prefix_len());
                let _ = match address {
                    IpAddr::V4(_) => writeln!(text, "  ip address {address} /{length}"),
                    IpAddr::V6(_) => writeln!(text, "  ipv6 address {address}/{length}"),
                };
            }
        }
        for route in node.routes.iter().filter(|route| route.destination.prefix_len() == 0) {
            for via in &route.via {
                let _ = match via {
                    IpAddr::V4(_) => writeln!(text, "ip route 0.0.0.0 /0 {via}"),
                    IpAddr::V6(_) => writeln!(text, "ipv6 route ::/0 {via}"),
                };
            }
        }
        text
    }

    /// A server's name: its node's, or else its address.
    fn server_name(&self, address: IpAddr) -> String {
        let has = |net: &ipnet::IpNet| net.addr() == address;
        let nodes = &self.scenario.topology.nodes;
        let node =
            nodes.iter().find(|it| it.interfaces.iter().any(|it| it.addresses.iter().any(has)));
        node.map_or_else(|| address.to_string(), |node| node.name.to_string())
    }

    /// The servers with their ports and these ports' weights.
    fn servers(&mut self) -> String {
        type Ports = BTreeMap<(u16, IpProtocol), Option<u16>>;
        let mut all: BTreeMap<IpAddr, Ports> = BTreeMap::new();
        for (_, server, pool) in used(self.balancer) {
            for member in &pool.members {
                let key = (member.address.port(), server.ip_protocol);
                let ports = all.entry(member.address.ip()).or_default();
                let weight = ports.entry(key).or_default();
                let ratio = member.ratio.clamp(1, MOST_WEIGHT);
                if is_weighted(pool.load_balancing_mode) {
                    if weight.is_some_and(|other| other != ratio) {
                        let what = format!("member {}: ratio {ratio}", member.address);
                        self.note(what, "the same port has another weight in another pool");
                    } else {
                        *weight = Some(ratio);
                    }
                }
            }
        }
        let mut text = String::new();
        for (address, ports) in all {
            let name = word(&self.server_name(address));
            let _ = writeln!(text, "slb server {name} {address}");
            for ((port, protocol), weight) in ports {
                let _ = writeln!(text, "  port {port} {}", protocol.word());
                if let Some(weight) = weight.filter(|weight| *weight != 1) {
                    let _ = writeln!(text, "    weight {weight}");
                }
            }
        }
        text
    }

    /// The templates and NAT pools, and the virtual servers: one for each address.
    fn virtual_servers(&mut self) -> (String, String) {
        let mut by_address: BTreeMap<IpAddr, Vec<(&'s str, &'s VirtualServer, &'s Pool)>> =
            BTreeMap::new();
        for one in used(self.balancer) {
            by_address.entry(one.1.destination.ip()).or_default().push(one);
        }
        let (mut templates, mut text) = (String::new(), String::new());
        let (mut names, mut groups) = (BTreeSet::new(), BTreeSet::new());
        for (address, ports) in by_address {
            let name = ports.first().map_or("", |(name, server, _)| base(name, server));
            let mut name = name.to_owned();
            while !names.insert(name.clone()) {
                let _ = write!(name, "_{address}");
            }
            let _ = writeln!(text, "slb virtual-server {} {address}", word(&name));
            for (own, server, pool) in ports {
                if *own != format!("{name}_{}", first_port(server)) {
                    let why = "ACOS names an address's virtual server, and not its ports";
                    self.note(format!("virtual server {}: its name", printable(own)), why);
                }
                self.port(&mut text, &mut templates, (own, server, pool));
                let group = group_name(self.balancer, server);
                if groups.insert(group.clone()) {
                    self.group(&group, server, pool);
                }
            }
        }
        (templates, text)
    }

    fn port(
        &mut self,
        text: &mut String,
        templates: &mut String,
        (name, server, pool): (&str, &VirtualServer, &Pool),
    ) {
        let VirtualServer {
            destination,
            ip_protocol,
            pool: _,
            translate_address,
            translate_port,
            source_address_translation,
            fastl4,
            persistence,
            mirror,
            datagram_load_balancing,
        } = server;
        let what = format!("virtual server {}", printable(name));
        let protocol = ip_protocol.word();
        let _ = write!(text, "  port {} {protocol}", first_port(server));
        if let [PortRange { first, last }, others @ ..] = destination.ports().ranges() {
            let more = (last - first).min(MOST_MORE_PORTS);
            if more > 0 {
                let _ = write!(text, " range {more}");
            }
            if first + more < *last {
                let rest = PortRange { first: first + more + 1, last: *last };
                let why =
                    format!("a virtual port of ACOS's has {MOST_MORE_PORTS} more ports at most");
                self.note(format!("{what}: ports {rest}"), why);
            }
            for other in others {
                let why = "a virtual port of ACOS's is one range; write another one";
                self.note(format!("{what}: ports {other}"), why);
            }
        }
        text.push('\n');
        if *datagram_load_balancing {
            let why = "no word of ACOS's for it is known to labsim";
            self.note(format!("{what}: datagram_load_balancing"), why);
        }
        let is_same = |member: &Member| {
            member.address.port() == 0 || Some(member.address.port()) == destination.port()
        };
        let is_same = destination.ports().is_any() || pool.members.iter().all(is_same);
        match (translate_address, translate_port) {
            (false, true) if !is_same => text.push_str("    no-dest-nat port-translation\n"),
            (false, _) => text.push_str("    no-dest-nat\n"),
            (true, false) if !is_same => {
                self.note(format!("{what}: translate_port false"), "ACOS translates both");
            }
            (true, _) => {}
        }
        let _ = writeln!(text, "    service-group {}", word(&group_name(self.balancer, server)));
        match pool.profile {
            Profile::None => {}
            Profile::Ipip => text.push_str("    ipinip\n"),
            Profile::Gre(_) | Profile::Gue(_) => {
                let tunnel = pool.profile.tunnel().map_or("", |tunnel| tunnel.name());
                let why = "ACOS's tunnel to servers is ipinip; none is written";
                self.note(format!("pool {}: profile {tunnel}", printable(&server.pool)), why);
            }
        }
        if *mirror {
            text.push_str("    ha-conn-mirror\n");
        }
        match source_address_translation {
            SourceTranslation::None => {}
            SourceTranslation::Automap => text.push_str("    source-nat auto\n"),
            SourceTranslation::Snat(addresses) => {
                let own = word(&format!("snat_{name}"));
                self.nat_pool(templates, &own, &what, addresses);
                let _ = writeln!(text, "    source-nat pool {own}");
            }
        }
        if self.template(templates, &word(name), (server, *fastl4), &what) {
            let _ = writeln!(text, "    template {protocol} {}", word(name));
        }
        if let Persistence::SourceAddress(rule) = persistence {
            let minutes = rule.timeout.div_ceil(60);
            if minutes * 60 != rule.timeout {
                let why = format!("ACOS has minutes, {minutes} here");
                self.note(format!("{what}: persistence: timeout {}", rule.timeout), why);
            }
            let _ = writeln!(templates, "slb template persist source-ip {}", word(name));
            let _ = writeln!(templates, "  timeout {minutes}");
            if let Some(length) = rule.prefix_length {
                let _ = match destination.ip() {
                    IpAddr::V4(_) => writeln!(templates, "  netmask /{length}"),
                    IpAddr::V6(_) => writeln!(templates, "  netmask6 {length}"),
                };
            }
            let _ = writeln!(text, "    template persist source-ip {}", word(name));
        }
    }

    /// A template for how flows end, if ACOS's own settings are others.
    fn template(
        &mut self,
        templates: &mut String,
        name: &str,
        (server, fastl4): (&VirtualServer, FastL4),
        what: &str,
    ) -> bool {
        let FastL4 {
            loose_initiation,
            loose_close,
            idle_timeout,
            reset_on_timeout,
            // It changes no packet.
            pva_acceleration: _,
        } = fastl4;
        for (is_on, key) in [(loose_initiation, "loose_initiation"), (loose_close, "loose_close")] {
            if is_on {
                self.note(
                    format!("{what}: fastl4: {key}"),
                    "labsim knows no word of ACOS's for it",
                );
            }
        }
        let own = templates::fastl4();
        let is_tcp = server.ip_protocol == IpProtocol::Tcp;
        let resets = is_tcp && reset_on_timeout;
        if idle_timeout == own.idle_timeout && !resets {
            return false;
        }
        let _ = writeln!(templates, "slb template {} {name}", server.ip_protocol.word());
        let _ = writeln!(templates, "  idle-timeout {idle_timeout}");
        if resets {
            templates.push_str("  reset-fwd\n  reset-rev\n");
        }
        true
    }

    /// A NAT pool is a range of addresses.
    fn nat_pool(&mut self, out: &mut String, name: &str, what: &str, addresses: &[IpAddr]) {
        let Some(first) = addresses.first() else { return };
        let in_range = addresses.iter().zip(bits(*first)..);
        let count = in_range.take_while(|(one, next)| bits(**one) == *next).count();
        for other in &addresses[count..] {
            let why = "a NAT pool of ACOS's is a range of addresses; the first ones are written";
            self.note(format!("{what}: SNAT address {other}"), why);
        }
        let last = addresses.get(count.saturating_sub(1)).unwrap_or(first);
        let _ = match first {
            IpAddr::V4(_) => writeln!(out, "ip nat pool {name} {first} {last} netmask /24"),
            IpAddr::V6(_) => writeln!(out, "ipv6 nat pool {name} {first} {last} netmask 64"),
        };
    }

    fn group(&mut self, name: &str, server: &VirtualServer, pool: &Pool) {
        let Pool { profile, load_balancing_mode, monitor, action_on_down, members } = pool;
        let shown = format!("pool {}", printable(&server.pool));
        let mut text = format!("slb service-group {} {}\n", word(name), server.ip_protocol.word());
        match method(*load_balancing_mode) {
            Some("round-robin") => {}
            Some(method) => {
                let _ = writeln!(text, "  method {method}");
            }
            None => {
                let why = "ACOS has no such method; its round-robin is used";
                self.note(format!("{shown}: maglev"), why);
            }
        }
        if let Some(monitor) = monitor {
            let why = "write a `health monitor` and name it in the service group";
            self.note(format!("{shown}: monitor {}", monitor.kind.word()), why);
        }
        if *action_on_down != ActionOnDown::None {
            self.note(format!("{shown}: action_on_down"), "it is not written");
        }
        for Member { address, ratio, profile: own, state } in members {
            let shown = format!("{shown}: member {address}");
            let server = word(&self.server_name(address.ip()));
            let is_off = *ratio == 0 || !state.is_enabled();
            let disable = if is_off { " disable" } else { "" };
            let _ = writeln!(text, "  member {server} {}{disable}", address.port());
            if own.is_some_and(|own| own != *profile) {
                let why = "ACOS's tunnel is the virtual port's, for all members";
                self.note(format!("{shown}: profile"), why);
            }
            if *state == AdminState::Disabled {
                let why = "a member that ACOS disables takes no persistent clients either";
                self.note(format!("{shown}: state disabled"), why);
            }
            let is_weighted = is_weighted(*load_balancing_mode);
            if *ratio == 0 {
                self.note(format!("{shown}: ratio 0"), "the member is disabled");
            } else if *ratio > MOST_WEIGHT && is_weighted {
                let why = format!("the largest weight of ACOS's is {MOST_WEIGHT}");
                self.note(format!("{shown}: ratio {ratio}"), why);
            } else if *ratio != 1 && !is_weighted {
                self.note(format!("{shown}: ratio {ratio}"), "the pool's mode does not use it");
            }
        }
        self.groups.push_str(&text);
    }
}

/// The virtual servers with their pools.
fn used(balancer: &LoadBalancer) -> impl Iterator<Item = (&str, &VirtualServer, &Pool)> {
    let LoadBalancer { virtual_servers, pools, .. } = balancer;
    virtual_servers
        .iter()
        .filter_map(|(name, one)| Some((name.as_str(), one, pools.get(&one.pool)?)))
}

/// The lowest port of a virtual server; 0 for every port.
fn first_port(server: &VirtualServer) -> u16 {
    server.destination.ports().first().unwrap_or(0)
}

/// A virtual server's name without its port.
fn base<'n>(name: &'n str, server: &VirtualServer) -> &'n str {
    let port = format!("_{}", first_port(server));
    name.strip_suffix(&port).filter(|base| !base.is_empty()).unwrap_or(name)
}

/// The service group of a virtual server: its pool's name, and its protocol's where TCP has the pool, too.
fn group_name(balancer: &LoadBalancer, server: &VirtualServer) -> String {
    let of_tcp =
        |one: &VirtualServer| one.pool == server.pool && one.ip_protocol == IpProtocol::Tcp;
    match server.ip_protocol {
        IpProtocol::Udp if balancer.virtual_servers.values().any(of_tcp) => {
            format!("{}_udp", server.pool)
        }
        _ => server.pool.clone(),
    }
}

/// ACOS's word for a mode. Weights are those of servers' ports.
const fn method(mode: LoadBalancingMode) -> Option<&'static str> {
    match mode {
        LoadBalancingMode::RoundRobin => Some("round-robin"),
        LoadBalancingMode::Ratio => Some("service-weighted-rr"),
        LoadBalancingMode::LeastConnections => Some("service-least-connection"),
        LoadBalancingMode::RatioLeastConnections => Some("service-weighted-least-connection"),
        LoadBalancingMode::Maglev(_) => None,
    }
}

const fn is_weighted(mode: LoadBalancingMode) -> bool {
    matches!(mode, LoadBalancingMode::Ratio | LoadBalancingMode::RatioLeastConnections)
}

/// A word as ACOS takes it. A line ends at its end: what is no plain character is left out.
fn word(text: &str) -> String {
    let is_special = |one: char| one.is_whitespace() || "\"\\!".contains(one);
    if !text.is_empty() && !text.contains(is_special) && text.chars().all(labsim_model::is_plain) {
        return text.to_owned();
    }
    let text: String = text.chars().filter(|one| labsim_model::is_plain(*one)).collect();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

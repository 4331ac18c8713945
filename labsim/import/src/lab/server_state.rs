//! A file that extends a scenario, with one real server as its host was found.

use super::yaml::{Entry, Value, document, entry, list, map, one_or_list, scalar};
use crate::place::Place;
use crate::report::Report;
use crate::text::printable;
use ipnet::IpNet;
use labsim_model::{GreOptions, Member, Profile, Secret, TunnelKind, TunnelProtocol};
use labsim_scenario::model::{
    Check, Listen, NodeName, RadiusServer, RealServer, RouteMetrics, Scenario, Scope, TacacsServer,
};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

/// What is different from a scenario's healthy server. A place is where a text shows it; none if it
/// is as in the scenario.
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerState {
    pub(crate) tunnel: Option<Tunnel>,
    pub(crate) vips: Vec<Vip>,
    pub(crate) sysctls: BTreeMap<String, (String, Option<Place>)>,
    pub(crate) routes: RouteMetrics,
    /// None where it is not known.
    pub(crate) tacacs: Option<Listening>,
    pub(crate) radius: Option<Listening>,
}

#[derive(Debug, Clone)]
pub(crate) struct Tunnel {
    pub(crate) place: Option<Place>,
    pub(crate) protocol: TunnelProtocol,
    pub(crate) device: String,
    pub(crate) address: Option<Ipv4Addr>,
    pub(crate) up: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Vip {
    pub(crate) place: Option<Place>,
    pub(crate) address: IpAddr,
    pub(crate) device: String,
    pub(crate) label: Option<String>,
    pub(crate) scope: Scope,
}

/// Where a service of the host listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listening {
    /// Nowhere.
    Nowhere,
    At(Listen),
}

impl From<&RealServer> for ServerState {
    fn from(server: &RealServer) -> Self {
        let tunnel = server.tunnels.first().map(|tunnel| Tunnel {
            place: None,
            protocol: protocol(tunnel.kind),
            device: tunnel.name.to_string(),
            address: match tunnel.address {
                Some(IpAddr::V4(address)) => Some(address),
                _ => None,
            },
            up: tunnel.up,
        });
        let vips = server.vips.iter().map(|vip| Vip {
            place: None,
            address: vip.address,
            device: vip.interface.to_string(),
            label: vip.label.clone(),
            scope: vip.scope,
        });
        let sysctls = server.sysctls.iter();
        let sysctls = sysctls.map(|(name, setting)| (name.clone(), (setting.value.clone(), None)));
        let (vips, sysctls) = (vips.collect(), sysctls.collect());
        Self { tunnel, vips, sysctls, routes: server.routes, tacacs: None, radius: None }
    }
}

/// What a tunnel's end takes off.
pub(crate) fn protocol(kind: TunnelKind) -> TunnelProtocol {
    use TunnelKind as Kind;
    match kind {
        Kind::Ipip | Kind::Sit | Kind::Ip6tnl => TunnelProtocol::Ipip,
        Kind::Gre(options) | Kind::Ip6gre(options) => TunnelProtocol::Gre(options),
        Kind::GueIpip(options) | Kind::GueSit(options) | Kind::GueIp6tnl(options) => {
            TunnelProtocol::Gue(options)
        }
    }
}

/// The file's text.
///
/// # Errors
/// What in the scenario's file keeps one server from being changed alone, with the remedy.
pub(crate) fn text(
    header: &str,
    (scenario, extends): (&Scenario, &str),
    node: &NodeName,
    state: &ServerState,
    report: &Report<'_>,
) -> Result<String, String> {
    let written = |error: serde_json::Error| format!("the server cannot be written: {error}");
    let server = real_server(node, state, Some(report)).map_err(written)?;
    let groups = scenario.real_servers.iter().map(|(node, it)| (node, it.group.as_ref()));
    let mut sections = vec![entry("extends", scalar(extends))];
    let alone = pools(scenario, node).map_err(written)?;
    let removed = alone.as_ref().and_then(|_| removed_expectations(scenario, node));
    sections.extend(alone);
    sections.push(entry("real_servers", split("real_servers", node, groups, Some(server))?));
    if let (Some(listening), Some(server)) = (state.tacacs, scenario.tacacs_servers.get(node)) {
        let groups = scenario.tacacs_servers.iter().map(|(node, it)| (node, it.group.as_ref()));
        let new = listening.at().map(|listen| tacacs(node, server, listen));
        sections.push(entry("tacacs_servers", split("tacacs_servers", node, groups, new)?));
    }
    if let (Some(listening), Some(server)) = (state.radius, scenario.radius_servers.get(node)) {
        let groups = scenario.radius_servers.iter().map(|(node, it)| (node, it.group.as_ref()));
        let new = listening.at().map(|listen| radius(node, server, listen));
        sections.push(entry("radius_servers", split("radius_servers", node, groups, new)?));
    }
    sections.extend(removed);
    Ok(document(header, sections))
}

impl Listening {
    fn at(self) -> Option<Listen> {
        match self {
            Self::Nowhere => None,
            Self::At(listen) => Some(listen),
        }
    }
}

/// The node's pools with the node as their one member.
fn pools(scenario: &Scenario, node: &NodeName) -> serde_json::Result<Option<Entry>> {
    let interfaces = scenario.topology.node(node).map(|node| node.interfaces.as_slice());
    let own: Vec<IpAddr> =
        interfaces.into_iter().flatten().flat_map(|it| &it.addresses).map(IpNet::addr).collect();
    let mut balancers = Vec::new();
    for (balancer, settings) in &scenario.load_balancers {
        let mut pools = Vec::new();
        for (name, pool) in &settings.pools {
            let is_own = |member: &&Member| own.contains(&member.address.ip());
            if pool.members.iter().all(|member| is_own(&member)) {
                continue;
            }
            let members = pool.members.iter().filter(is_own).map(|member| {
                let defaults = Member::from(member.address);
                Value::without_defaults(member, &defaults, &["address"], &[]).map(Value::Flow)
            });
            let members = members.collect::<Result<Vec<_>, _>>()?;
            if !members.is_empty() {
                pools.push(entry(name, map([("members", Value::List(members))])));
            }
        }
        if !pools.is_empty() {
            balancers.push(entry(balancer, vec![entry("pools", pools)]));
        }
    }
    Ok((!balancers.is_empty()).then(|| {
        let why = format!("with {node} alone, so that every exchange goes to it");
        entry("load_balancers", balancers).comment(why)
    }))
}

/// The expectations that each of several servers answers, which cannot hold where one of them is asked.
fn removed_expectations(scenario: &Scenario, node: &NodeName) -> Option<Entry> {
    let asks_others = |check: &Check| match check {
        Check::Distribution { nodes, at_least, .. } => {
            *at_least > 0 && nodes.iter().any(|other| other != node)
        }
        _ => false,
    };
    let removed = scenario.expectations.iter().filter(|one| asks_others(&one.check));
    let removed: Vec<Entry> = removed.map(|one| entry(&one.name, Value::Null)).collect();
    (!removed.is_empty()).then(|| {
        entry("expect", removed).comment(format!("not each server answers, but {node} alone"))
    })
}

/// Takes a node out of its named part of a section, and gives it a part of its own.
fn split<'a>(
    section: &str,
    node: &NodeName,
    groups: impl Iterator<Item = (&'a NodeName, Option<&'a String>)>,
    new: Option<Vec<Entry>>,
) -> Result<Vec<Entry>, String> {
    let groups: Vec<_> = groups.collect();
    if groups.iter().any(|(_, group)| group.is_none()) {
        return Err(format!(
            "`{section}` is a list; give its parts names (`servers: ...` in place of `- ...`), so \
             that another file can change one of them"
        ));
    }
    let mut entries = Vec::new();
    let own = groups.iter().find(|(other, _)| *other == node).and_then(|(_, group)| *group);
    if let Some(own) = own {
        let others = groups.iter().filter(|(other, group)| *other != node && *group == Some(own));
        let others: Vec<&str> = others.map(|(other, _)| other.as_str()).collect();
        entries.push(match others.as_slice() {
            [] => entry(own, Value::Null),
            others => entry(own, map([("nodes", one_or_list(others))])),
        });
    }
    if let Some(new) = new {
        let is_taken =
            |name: &str| groups.iter().any(|(_, group)| group.is_some_and(|it| it == name));
        let mut name = format!("{node}_as_found");
        while is_taken(&name) {
            name.push('_');
        }
        entries.push(entry(name, new));
    }
    Ok(entries)
}

/// A real server of its own; the report says where places are.
pub(super) fn real_server(
    node: &NodeName,
    state: &ServerState,
    report: Option<&Report<'_>>,
) -> serde_json::Result<Vec<Entry>> {
    let at = |one: Entry, place: Option<Place>| match place.zip(report) {
        Some((place, report)) => one.comment(printable(&report.at(place))),
        None => one,
    };
    let mut server = vec![entry("nodes", scalar(node))];
    if let Some(Tunnel { place, protocol, device, address, up }) = &state.tunnel {
        let address = address.map_or_else(|| "none".to_owned(), |address| address.to_string());
        let tunnel = map([
            ("mode", mode(*protocol)?),
            ("device", scalar(device)),
            ("address", scalar(address)),
            ("up", scalar(up)),
        ]);
        server.push(at(entry("tunnel", tunnel), *place));
    }
    if !state.vips.is_empty() {
        let vips = state.vips.iter().map(|Vip { address, device, label, scope, .. }| {
            let mut vip = vec![entry("address", scalar(address)), entry("device", scalar(device))];
            if address.is_ipv4() {
                vip.extend(label.as_ref().map(|label| entry("label", scalar(label))));
                vip.push(entry("scope", scalar(scope.name())));
            }
            Value::Flow(vip)
        });
        let first = state.vips.first().and_then(|vip| vip.place);
        server.push(at(entry("vip", Value::Items(vips.collect())), first));
    }
    if !state.sysctls.is_empty() {
        let sysctls = state.sysctls.iter();
        let sysctls = sysctls.map(|(name, (value, place))| at(entry(name, scalar(value)), *place));
        server.push(entry("sysctls", sysctls.collect::<Vec<_>>()));
    }
    if state.routes != RouteMetrics::default() {
        let mtu = state.routes.mtu.map(|mtu| entry("mtu", scalar(mtu)));
        let advmss = state.routes.advmss.map(|advmss| entry("advmss", scalar(advmss)));
        server.push(entry("routes", Value::Flow(mtu.into_iter().chain(advmss).collect())));
    }
    Ok(server)
}

fn mode(protocol: TunnelProtocol) -> serde_json::Result<Value> {
    match protocol {
        TunnelProtocol::Gre(options) if options != GreOptions::default() => {
            Value::of(&Profile::Gre(options))
        }
        TunnelProtocol::Gue(options) => Value::of(&Profile::Gue(options)),
        TunnelProtocol::Ipip | TunnelProtocol::Gre(_) => Ok(protocol.name().into()),
    }
}

fn users(users: &BTreeMap<String, Secret>) -> Value {
    let users = users.iter().map(|(user, password)| entry(user, scalar(password.expose_text())));
    Value::Flow(users.collect())
}

const fn listen(listen: Listen) -> &'static str {
    match listen {
        Listen::Any => "any",
        Listen::Own => "own",
        Listen::Vip => "vip",
    }
}

fn tacacs(node: &NodeName, server: &TacacsServer, at: Listen) -> Vec<Entry> {
    vec![
        entry("nodes", scalar(node)),
        entry("listen", listen(at)),
        entry("port", scalar(server.port)),
        entry("secret", scalar(server.secret.expose_text())),
        entry("clients", list(&server.clients)),
        entry("users", users(&server.users)),
    ]
}

fn radius(node: &NodeName, server: &RadiusServer, at: Listen) -> Vec<Entry> {
    let mut new = vec![
        entry("nodes", scalar(node)),
        entry("listen", listen(at)),
        entry("authentication_port", scalar(server.authentication_port)),
        entry("accounting_port", scalar(server.accounting_port)),
        entry("secret", scalar(server.secret.expose_text())),
        entry("clients", list(&server.clients)),
        entry("users", users(&server.users)),
        entry("require_message_authenticator", scalar(server.require_message_authenticator)),
        entry("packet_info", scalar(server.packet_info)),
    ];
    if !server.reply_message.is_empty() {
        new.push(entry("reply_message", scalar(&server.reply_message)));
    }
    new
}

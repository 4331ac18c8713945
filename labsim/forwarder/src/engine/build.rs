//! From a configuration and an interface to an engine, or to every reason why not.

use super::encapsulate::Tunnel;
use super::{Encapsulator, Engine, Path, Services};
use crate::counters::{AnswerCounters, FlowCounters, Tally};
use crate::limit::Limit;
use crate::neighbour::WaitingQueue;
use crate::port::Routes;
use crate::{
    Config, Instant, Outcome, OuterSource, Plan, Port, Problem, Profile, Route, flow, fragment,
    neighbour, persistence, snat,
};
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The least MTU: room for a fragment's headers and 48 bytes.
const LEAST_MTU: usize = 128;
/// IPv6's (RFC 8200 5).
const LEAST_IPV6_MTU: usize = 1280;
/// ICMP errors of both families a second and at once (Linux's `icmp_msgs_per_sec` and `icmp_msgs_burst`); RFC 1812
/// 4.3.2.8 and RFC 4443 2.4 ask for a limit.
const ICMP_LIMIT: Limit = Limit::new(1000, 50);
/// Resets a second and at once (F5's `tm.maxrejectrate`).
const RESET_LIMIT: Limit = Limit::new(250, 250);

impl Engine {
    /// Builds an engine for the interface `port`, with `routes` beyond its own prefixes.
    ///
    /// # Errors
    /// Every [`Problem`] of the configuration, by itself and with this interface.
    pub fn new(config: &Config, port: Port, routes: &[Route]) -> Result<Self, Vec<Problem>> {
        let (plan, mut problems) = match Plan::new(config.clone()) {
            Ok(plan) => (Some(plan), Vec::new()),
            Err(problems) => (None, problems),
        };
        check_port(config, &port, &mut problems);
        let Some(plan) = plan.filter(|_| problems.is_empty()) else { return Err(problems) };
        let mut engine = Self::empty(config, port, routes);
        engine.reconfigure(Instant::ZERO, plan)?;
        Ok(engine)
    }

    /// An engine that takes nothing yet, with the tables of `config`.
    fn empty(config: &Config, port: Port, routes: &[Route]) -> Self {
        let limits = config.limits;
        let flows = flow::Table::new(limits.flows as usize);
        let (virtual_servers, pools) = (BTreeMap::new(), BTreeMap::new());
        Self {
            config: Config { virtual_servers, pools, ..config.clone() },
            routes: Routes::new(&port, routes),
            services: Services { vips: HashMap::new(), servers: HashMap::new() },
            servers: Vec::new(),
            pools: Vec::new(),
            members: Vec::new(),
            longest_memory: Duration::ZERO,
            snat: snat::Table::new(config.snat_ports, flows.hasher()),
            flows,
            persistence: persistence::Table::new(0, std::iter::empty()),
            neighbours: neighbour::Table::new(limits.neighbours as usize),
            waiting: WaitingQueue::new(limits.waiting_packets as usize, port.mtu),
            fragments: fragment::Table::new(fragment::DATAGRAMS),
            unled: fragment::Queue::new(fragment::WAITING, port.mtu),
            encapsulator: Encapsulator::new(port.mac, port.mtu),
            own_id: 0,
            translated_id: 0,
            icmp_limit: ICMP_LIMIT,
            reset_limit: RESET_LIMIT,
            narrow_until: None,
            sweep: None,
            tallies: [Tally::default(); Outcome::COUNT],
            flow_counters: FlowCounters::default(),
            answers: AnswerCounters::default(),
            port,
        }
    }
}

/// Everything that is wrong with a configuration on this interface.
pub(super) fn check_port(config: &Config, port: &Port, problems: &mut Vec<Problem>) {
    if port.mtu < LEAST_MTU {
        let least = format!("its MTU is {}; at least {LEAST_MTU} is needed", port.mtu);
        problems.push(Problem::new("interface", least));
    }
    check_families(config, port, problems);
    for (name, server) in &config.virtual_servers {
        if port.is_own(server.destination.ip()) {
            problems.push(Problem::new(
                format!("virtual_servers.{name}.destination"),
                format!(
                    "{} is an address of `{}` itself, so the kernel would answer too; take it \
                     off the interface",
                    server.destination.ip(),
                    config.interface
                ),
            ));
        }
    }
}

/// Whether the interface has what the families of VIPs and members need.
fn check_families(config: &Config, port: &Port, problems: &mut Vec<Problem>) {
    let mut problem = |message| problems.push(Problem::new("interface", message));
    let vips = config.virtual_servers.values().map(|server| server.destination.ip());
    let members = config.pools.values().flat_map(|pool| &pool.members);
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        vips.chain(members.map(|member| member.address.ip())).partition(IpAddr::is_ipv4);
    let own = || port.addresses.iter().map(|network| network.addr());
    if !v4.is_empty() && !own().any(|address| address.is_ipv4()) {
        problem(format!("`{}` has no IPv4 address; give it one", config.interface));
    }
    if v6.is_empty() {
        return;
    }
    let far = |address| matches!(address, IpAddr::V6(own) if !own.is_unicast_link_local());
    if !own().any(far) {
        problem(format!(
            "`{}` has no IPv6 address but for its own link; give it a global or unique local one",
            config.interface
        ));
    }
    let overhead = longest_overhead(config);
    if port.mtu < LEAST_IPV6_MTU + overhead {
        problem(format!(
            "its MTU is {}; IPv6 packets of {LEAST_IPV6_MTU} bytes have to pass (RFC 8200 5), with \
             up to {overhead} bytes of outer headers: set it to {} or more",
            port.mtu,
            LEAST_IPV6_MTU + overhead
        ));
    }
}

/// The most that a tunnel adds to an IPv6 packet.
fn longest_overhead(config: &Config) -> usize {
    let servers = config.virtual_servers.values().filter(|server| server.destination.is_ipv6());
    let pools = servers.filter_map(|server| config.pools.get(&server.pool));
    let overheads = pools.flat_map(|pool| {
        let members = pool.members.iter();
        tunnel(pool.profile).into_iter().flat_map(move |kind| {
            let path = move |to| Path::tunnel(config.outer_source, None, to, kind);
            members.clone().map(move |member| path(member.address.ip()).overhead())
        })
    });
    overheads.max().unwrap_or(0)
}

const fn tunnel(profile: Profile) -> Option<Tunnel> {
    match profile {
        Profile::None => None,
        Profile::Ipip => Some(Tunnel::Ipip),
        Profile::Gre(options) => Some(Tunnel::Gre(options)),
    }
}

/// How packets reach a member.
pub(super) fn path(
    outer_source: OuterSource,
    profile: Profile,
    member: &SocketAddr,
    next_hop: Option<IpAddr>,
    port: &Port,
) -> Path {
    let Some(kind) = tunnel(profile) else { return Path::Plain };
    let own = next_hop.and_then(|next_hop| port.source_for(member.ip(), next_hop));
    Path::tunnel(outer_source, own, member.ip(), kind)
}

//! Builds an engine from a configuration and an interface, or reports every problem.

use super::{Encapsulator, Engine, Path, Services};
use crate::counters::{AnswerCounters, FlowCounters, Tally};
use crate::neighbour::WaitingQueue;
use crate::port::{NextHop, Routes};
use crate::rate_limit::RateLimit;
use crate::{
    CheckedConfig, Config, DeliberateFault, Instant, KeyPath, LoadBalancer, Outcome, Port, Problem,
    Profile, Route, SourceTranslation, flow, fragment, neighbour, persistence, snat,
};
use labsim_codes::file;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// The least MTU: room for a fragment's headers and 48 bytes.
const MIN_MTU: usize = 128;
/// IPv6's (RFC 8200 5).
const MIN_IPV6_MTU: usize = 1280;
/// ICMP errors of both families a second and at once (Linux's `icmp_msgs_per_sec` and
/// `icmp_msgs_burst`); RFC 1812 4.3.2.8 and RFC 4443 2.4 ask for a limit.
const ICMP_LIMIT: RateLimit = RateLimit::new(1000, 50);
/// Resets a second and at once (F5's `tm.maxrejectrate`).
const RESET_LIMIT: RateLimit = RateLimit::new(250, 250);

impl Engine {
    /// Builds an engine for the interface `port`, with `routes` beyond its own prefixes.
    ///
    /// # Errors
    /// Every [`Problem`] of the configuration, by itself and with this interface.
    pub fn new(config: &Config, port: Port, routes: &[Route]) -> Result<Self, Vec<Problem>> {
        let (checked, mut problems) = match CheckedConfig::new(config.clone()) {
            Ok(checked) => (Some(checked), Vec::new()),
            Err(problems) => (None, problems),
        };
        let routes = Routes::new(&port, routes);
        check_port(config, &port, &routes, &mut problems);
        let Some(checked) = checked.filter(|_| problems.is_empty()) else { return Err(problems) };
        let mut engine = Self::empty(config, port, routes);
        engine.reconfigure(Instant::ZERO, checked)?;
        Ok(engine)
    }

    /// Forgets flows, clients that persist, neighbours, path MTUs and counters, as if it were new with the
    /// current configuration. Members that are down stay so. Takes as long as building it.
    ///
    /// # Errors
    /// Nothing has changed: the configuration is not valid any more, which one that is in use is.
    pub fn begin_anew(&mut self) -> Result<(), Vec<Problem>> {
        let checked = CheckedConfig::new(self.config.clone())?;
        let mut new = Self::empty(&self.config, self.port.clone(), self.routes.clone());
        new.reconfigure(Instant::ZERO, checked)?;
        for member in self.members.iter().filter(|member| member.down) {
            let address = SocketAddr::new(member.ip, member.port);
            // One that is in no pool any more is not watched either.
            let _ = new.set_down(Instant::ZERO, &member.pool, address, true);
        }
        if let Some(offload) = self.give_up_offload() {
            new.resume_offload(offload);
        }
        *self = new;
        Ok(())
    }

    /// An engine that takes nothing yet, with the tables of `config`.
    fn empty(config: &Config, port: Port, routes: Routes) -> Self {
        let limits = config.limits;
        let flows = flow::Table::new(limits.flows as usize);
        let (virtual_servers, pools) = (BTreeMap::new(), BTreeMap::new());
        Self {
            config: Config {
                balancer: LoadBalancer { virtual_servers, pools, ..config.balancer.clone() },
                ..config.clone()
            },
            routes,
            services: Services::default(),
            servers: Vec::new(),
            pools: Vec::new(),
            members: Vec::new(),
            longest_memory: Duration::ZERO,
            snat: snat::Table::new(config.snat_ports, flows.hasher()),
            flows,
            persistence: persistence::Table::new(0, std::iter::empty()),
            neighbours: neighbour::Table::new(limits.neighbours as usize, port.mac),
            unannounced: BTreeMap::new(),
            waiting: WaitingQueue::new(limits.waiting_packets as usize, port.mtu),
            fragments: fragment::Table::new(fragment::DATAGRAMS),
            pending_fragments: fragment::Queue::new(fragment::WAITING, port.mtu),
            encapsulator: Encapsulator::new(port.mac, longest_outer(config, &port)),
            standby: false,
            forgets_flows: config.balancer.has_fault(DeliberateFault::ForgetFlows),
            own_id: 0,
            translated_id: 0,
            icmp_limit: ICMP_LIMIT,
            reset_limit: RESET_LIMIT,
            pmtu_expires: None,
            sweep: None,
            acceleration: None,
            tallies: [Tally::default(); Outcome::COUNT],
            flow_counters: FlowCounters::default(),
            answers: AnswerCounters::default(),
            port,
        }
    }
}

/// The longest packet that is sent: as long as the interface takes, or, faulty on purpose, as long as
/// an IP header can say.
fn longest_outer(config: &Config, port: &Port) -> usize {
    if config.balancer.has_fault(DeliberateFault::NoSizeCheck) {
        usize::from(Path::UNKNOWN_MTU)
    } else {
        port.mtu
    }
}

/// All problems of a configuration on this interface.
pub(super) fn check_port(
    config: &Config,
    port: &Port,
    routes: &Routes,
    problems: &mut Vec<Problem>,
) {
    if port.mtu < MIN_MTU {
        let least = format!("its MTU is {}; at least {MIN_MTU} is needed", port.mtu);
        problems.push(unfit(least));
    }
    check_families(config, port, problems);
    check_own_members(config, port, problems);
    check_members_elsewhere(config, port, routes, problems);
}

/// Behind another interface the forwarder knows no link-layer address, and sees no answer.
fn check_members_elsewhere(
    config: &Config,
    port: &Port,
    routes: &Routes,
    problems: &mut Vec<Problem>,
) {
    if port.host_routes.is_empty() {
        return;
    }
    let is_elsewhere = |member: IpAddr| matches!(routes.next_hop(member), Some(NextHop::Host(_)));
    for (name, server) in &config.balancer.virtual_servers {
        let Some(pool) = config.balancer.pools.get(&server.pool) else { continue };
        let translates = server.translate_address
            || server.source_address_translation != SourceTranslation::None;
        let members = pool
            .members
            .iter()
            .filter(|member| translates || pool.profile_of(member).tunnel().is_none())
            .map(|member| member.address);
        let mut members = members.filter(|member| !port.is_hosts(member.ip()));
        if let Some(member) = members.find(|member| is_elsewhere(member.ip())) {
            problems.push(Problem::new(
                file::CONFLICT,
                KeyPath::new(["virtual_servers", name, "pool"]),
                format!(
                    "the member {member} is behind another interface than `{}`; such a member needs \
                     a tunnel, and no address translation",
                    config.interface
                ),
            ));
        }
    }
}

/// The host's own kernel answers from the address that it was asked at, past the forwarder: so nothing
/// can be translated back.
fn check_own_members(config: &Config, port: &Port, problems: &mut Vec<Problem>) {
    for (name, server) in &config.balancer.virtual_servers {
        let members = config.balancer.pools.get(&server.pool).map(|pool| &pool.members[..]);
        let mut members = members.unwrap_or_default().iter().map(|member| member.address);
        let Some(own) = members.find(|member| port.is_hosts(member.ip())) else { continue };
        let at = KeyPath::new(["virtual_servers", name]);
        let key = if server.translate_address {
            "translate_address"
        } else if server.source_address_translation != SourceTranslation::None {
            "source_address_translation"
        } else if !port.is_hosts(server.destination.ip()) {
            problems.push(Problem::new(
                file::CONFLICT,
                at.join("destination"),
                format!(
                    "the member {own} is the load balancer's own host, which does not have the \
                     VIP {vip} and would send its packets away; give the host the VIP, on `lo` or \
                     an interface",
                    vip = server.destination.ip()
                ),
            ));
            continue;
        } else {
            continue;
        };
        problems.push(Problem::new(
            file::CONFLICT,
            at.join(key),
            format!(
                "the member {own} is the load balancer's own host, whose answers leave without \
                 passing it and could not be translated back; take this out, or the member"
            ),
        ));
    }
}

/// An error of the interface.
fn unfit(message: String) -> Problem {
    Problem::new(file::INTERFACE_UNFIT, KeyPath::new(["interface"]), message)
}

/// Whether the interface has what the families of VIPs and members need.
fn check_families(config: &Config, port: &Port, problems: &mut Vec<Problem>) {
    let mut problem = |message| problems.push(unfit(message));
    let vips = config.balancer.virtual_servers.values().map(|server| server.destination.ip());
    let members = config.balancer.pools.values().flat_map(|pool| &pool.members);
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        vips.chain(members.map(|member| member.address.ip())).partition(IpAddr::is_ipv4);
    let own = || port.addresses.iter().map(|network| network.addr());
    if !v4.is_empty() && !own().any(|address| address.is_ipv4()) {
        problem(format!("`{}` has no IPv4 address; add one", config.interface));
    }
    if v6.is_empty() {
        return;
    }
    let far = |address| matches!(address, IpAddr::V6(own) if !own.is_unicast_link_local());
    if !own().any(far) {
        problem(format!(
            "`{}` has no IPv6 address except link-local ones; add a global or unique local address",
            config.interface
        ));
    }
    let overhead = longest_overhead(config);
    if port.mtu < MIN_IPV6_MTU + overhead {
        problem(format!(
            "its MTU is {}; IPv6 packets of {MIN_IPV6_MTU} bytes have to pass (RFC 8200 5), with \
             up to {overhead} bytes of outer headers: set it to {} or more",
            port.mtu,
            MIN_IPV6_MTU + overhead
        ));
    }
}

/// The most that a tunnel adds to an IPv6 packet.
fn longest_overhead(config: &Config) -> usize {
    let servers =
        config.balancer.virtual_servers.values().filter(|server| server.destination.is_ipv6());
    let pools = servers.filter_map(|server| config.balancer.pools.get(&server.pool));
    let overheads = pools.flat_map(|pool| {
        pool.tunnels().map(|(member, kind)| {
            Path::tunnel(&config.balancer, None, member.ip(), kind).overhead()
        })
    });
    overheads.max().unwrap_or(0)
}

/// How packets reach a member.
pub(super) fn path(
    balancer: &LoadBalancer,
    profile: Profile,
    member: &SocketAddr,
    next_hop: Option<NextHop>,
    port: &Port,
) -> Path {
    let Some(kind) = profile.tunnel().filter(|_| !port.is_hosts(member.ip())) else {
        return Path::PLAIN;
    };
    let own = next_hop.and_then(|next_hop| port.source_by(member.ip(), next_hop));
    Path::tunnel(balancer, own, member.ip(), kind)
}

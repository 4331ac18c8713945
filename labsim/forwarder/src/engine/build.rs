//! From a configuration and an interface to an engine, or to every reason why not.

use super::encapsulate::Tunnel;
use super::{Encapsulator, Engine, Member, Path, Pool, Server, Services, Source};
use crate::counters::{AnswerCounters, FlowCounters, MemberCounters, ServerCounters, Tally};
use crate::limit::Limit;
use crate::neighbour::WaitingQueue;
use crate::port::Routes;
use crate::scheduler::Scheduler;
use crate::{
    Config, Outcome, OuterSource, Port, Problem, Profile, Route, SourceTranslation, flow, fragment,
    neighbour, persistence, snat,
};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// The least MTU: room for a fragment's headers and 48 bytes.
const LEAST_MTU: usize = 128;
/// ICMP errors a second and at once (Linux's `icmp_msgs_per_sec` and `icmp_msgs_burst`); RFC 1812
/// 4.3.2.8 asks for a limit.
const ICMP_LIMIT: Limit = Limit::new(1000, 50);
/// Resets a second and at once (F5's `tm.maxrejectrate`).
const RESET_LIMIT: Limit = Limit::new(250, 250);

impl Engine {
    /// Builds an engine for the interface `port`, with `routes` beyond its own prefixes.
    ///
    /// # Errors
    /// Every [`Problem`] of the configuration, by itself and with this interface.
    pub fn new(config: &Config, port: Port, routes: &[Route]) -> Result<Self, Vec<Problem>> {
        let mut problems = config.check();
        check_port(config, &port, &mut problems);
        let routes = Routes::new(&port, routes);
        let mut neighbours = neighbour::Table::new(config.limits.neighbours as usize);
        let mut members = Vec::new();
        let mut ranges = Vec::new();
        let mut stands = Stands::new(&port);
        for (name, pool) in &config.pools {
            let first = members.len();
            let automapped = config.virtual_servers.values().any(|server| {
                server.pool == *name
                    && server.source_address_translation == SourceTranslation::Automap
            });
            for member in &pool.members {
                let address = &member.address;
                let next_hop = routes.next_hop(address.ip());
                let neighbour = next_hop.map(|next_hop| neighbours.pin(next_hop));
                if neighbour == Some(None) {
                    problems.push(Problem::new(
                        "limits.neighbours",
                        format!("{} are too few for the members", config.limits.neighbours),
                    ));
                }
                let IpAddr::V4(ip) = address.ip() else { continue };
                let own = next_hop.and_then(|next_hop| port.source_for(next_hop));
                members.push(Member {
                    name: address.to_string(),
                    ip,
                    port: address.port(),
                    automap: own.filter(|_| automapped).map(|own| stands.number(own)),
                    path: path(config.outer_source, pool.profile, address, next_hop, &port),
                    next_hop: neighbour.flatten(),
                    narrow_until: None,
                    counters: MemberCounters::default(),
                });
            }
            ranges.push(first..members.len());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        let pools = config.pools.iter().zip(ranges).map(|((name, pool), members)| {
            let shares: Vec<_> = pool.members.iter().map(|one| (one.address, one.ratio)).collect();
            let scheduler = Scheduler::new(pool.load_balancing_mode, &shares);
            // No number of changes: the scheduler has not been told of any neighbour.
            Pool { name: name.clone(), members, scheduler, neighbours_seen: u64::MAX }
        });
        let pools = pools.collect();
        let persistence = persistence::Table::new(
            config.limits.persistence_entries as usize,
            config.virtual_servers.values().map(|server| server.persistence),
        );
        let (services, servers) = services(config, &port, &mut stands);
        let idle = config.virtual_servers.values();
        let idle = idle.map(|server| Duration::from_secs(server.fastl4.idle_timeout.into()));
        let flows = flow::Table::new(config.limits.flows as usize, idle.collect());
        let capacity = config.limits.flows as usize;
        let snat = snat::Table::new(config.snat_ports, stands.addresses, capacity, flows.hasher());
        Ok(Self {
            routes,
            persistence,
            snat,
            services,
            servers,
            pools,
            members,
            flows,
            neighbours,
            waiting: WaitingQueue::new(config.limits.waiting_packets as usize, port.mtu),
            fragments: fragment::Table::new(fragment::DATAGRAMS),
            unled: fragment::Queue::new(fragment::WAITING, port.mtu),
            encapsulator: Encapsulator::new(port.mac, port.mtu),
            own_id: 0,
            translated_id: 0,
            icmp_limit: ICMP_LIMIT,
            reset_limit: RESET_LIMIT,
            narrow_until: None,
            tallies: [Tally::default(); Outcome::COUNT],
            flow_counters: FlowCounters::default(),
            answers: AnswerCounters::default(),
            port,
        })
    }
}

fn check_port(config: &Config, port: &Port, problems: &mut Vec<Problem>) {
    if port.mtu < LEAST_MTU {
        let least = format!("its MTU is {}; at least {LEAST_MTU} is needed", port.mtu);
        problems.push(Problem::new("interface", least));
    }
    if !port.addresses.iter().any(|network| network.addr().is_ipv4()) {
        problems.push(Problem::new(
            "interface",
            format!("`{}` has no IPv4 address; give it one", config.interface),
        ));
    }
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

fn path(
    outer_source: OuterSource,
    profile: Profile,
    member: &SocketAddr,
    next_hop: Option<IpAddr>,
    port: &Port,
) -> Path {
    let kind = match profile {
        Profile::None => return Path::Plain,
        Profile::Ipip => Tunnel::Ipip,
        Profile::Gre(options) => Tunnel::Gre(options),
    };
    let own = next_hop.and_then(|next_hop| port.source_for(next_hop));
    match member.ip() {
        IpAddr::V4(destination) => Path::tunnel(outer_source, own, destination, kind),
        // Refused by the configuration's check.
        IpAddr::V6(_) => Path::Plain,
    }
}

/// The addresses that stand in for clients, numbered as they are met.
struct Stands<'a> {
    port: &'a Port,
    addresses: Vec<snat::Address>,
}

impl<'a> Stands<'a> {
    const fn new(port: &'a Port) -> Self {
        Self { port, addresses: Vec::new() }
    }

    fn number(&mut self, ip: Ipv4Addr) -> u16 {
        let known = self.addresses.iter().position(|address| address.ip == ip);
        let number = known.unwrap_or_else(|| {
            let shared = self.port.is_own(ip.into());
            let answers_arp = !shared && self.port.is_connected(ip.into());
            self.addresses.push(snat::Address { ip, shared, answers_arp });
            self.addresses.len() - 1
        });
        number as u16
    }

    fn source(&mut self, translation: &SourceTranslation) -> Source {
        match translation {
            SourceTranslation::None => Source::Kept,
            SourceTranslation::Automap => Source::Automap,
            SourceTranslation::Snat(addresses) => {
                let v4 = addresses.iter().filter_map(|address| match address {
                    IpAddr::V4(address) => Some(*address),
                    IpAddr::V6(_) => None,
                });
                Source::Pool(v4.map(|address| self.number(address)).collect())
            }
        }
    }
}

fn services(config: &Config, port: &Port, stands: &mut Stands<'_>) -> (Services, Vec<Server>) {
    let mut services = Services { vips: HashMap::new(), servers: HashMap::new() };
    let mut servers = Vec::new();
    for (name, server) in &config.virtual_servers {
        let vip = server.destination.ip();
        services.vips.insert(vip, port.is_connected(vip));
        let key = (vip, server.ip_protocol.number(), server.destination.port());
        services.servers.insert(key, servers.len() as u16);
        let pool = config.pools.keys().position(|pool| *pool == server.pool).unwrap_or_default();
        servers.push(Server {
            name: name.clone(),
            pool: pool as u16,
            translate_address: server.translate_address,
            translate_port: server.translate_port,
            source: stands.source(&server.source_address_translation),
            turn: 0,
            fastl4: server.fastl4,
            counters: ServerCounters::default(),
        });
    }
    (services, servers)
}

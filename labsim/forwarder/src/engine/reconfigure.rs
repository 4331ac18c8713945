//! Reconfiguration of a running engine. What both configurations have keeps its flows, counters and
//! scheduler state.
//!
//! | what goes | its flows |
//! |---|---|
//! | a member, or it is drained, disabled or forced offline | stay with it until they end (F5's default; IPVS would drop their packets until `expire_nodest_conn`) |
//! | a virtual server | are forgotten with their next packet, which finds no virtual server |
//! | the flows of a virtual server, whose datagrams are balanced from now on | are forgotten with their next packet, which is balanced for itself |
//! | an address that stands in for clients | keep their ports of it until they end |
//! | the active state (`failover_state: standby`) | are forgotten, and no end is reset |
//!
//! A member is known by its pool's name, address and port, and stays down if it was and is watched
//! still; and a virtual server by what it takes: VIP, protocol and port. Whatever comes back before
//! its flows are over has them again.

use super::build::{check_port, path};
use super::numbering::assign_numbers;
use super::{Engine, Member, Path, Placement, Pool, Server, Services, Source, Vip};
use crate::counters::{MemberCounters, ServerCounters};
use crate::neighbour::NeighbourId;
use crate::port::NextHop;
use crate::{
    Changes, CheckedConfig, Config, FailoverState, Instant, KeyPath, LoadBalancingMode,
    Persistence, Problem, SourceTranslation, snat,
};
use labsim_codes::file;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Numbers of members, and of virtual servers, that flows can hold.
const MOST_NUMBERS: usize = 1 << 16;
/// Longer than a packet can wait for a neighbour: it holds its member's number.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// The numbers that things of a configuration get.
struct Numbers {
    /// By pool and member, in the configuration's order.
    members: Vec<Vec<u16>>,
    /// By virtual server.
    servers: Vec<u16>,
    /// Next hops of the members.
    next_hops: Vec<Vec<Option<NeighbourId>>>,
}

impl Engine {
    /// Takes over another configuration, between two packets: whole, or not at all. What takes
    /// longest was done when the plan was made; this is linear in what is configured, and does not
    /// look at flows.
    ///
    /// The caller then hands over what [`Self::rx_filter`] says, which may be something else.
    ///
    /// # Errors
    /// Every [`Problem`] of the configuration with this engine: what is wrong with it on the
    /// interface, and what cannot change while the engine is at work.
    pub fn reconfigure(
        &mut self,
        now: Instant,
        checked: CheckedConfig,
    ) -> Result<Changes, Vec<Problem>> {
        let mut problems = self.check_immutable(&checked.config);
        check_port(&checked.config, &self.port, &self.routes, &mut problems);
        let numbers = self.allocate_numbers(now, &checked.config, &mut problems);
        if !problems.is_empty() {
            self.unpin_next_hops();
            return Err(problems);
        }
        let CheckedConfig { config, schedulers } = checked;
        let changes = Changes::between(&self.config, &config);
        let answered = self.answered_addresses();
        self.fold_counters();
        self.set_snat_addresses(&config);
        self.set_members(now, &config, &numbers);
        self.set_pools(&config, schedulers, &numbers.members);
        self.set_servers(now, &config, &numbers.servers);
        self.begin_sweep(now);
        self.set_failover_state(config.balancer.failover_state);
        self.config = config;
        self.announce_later(now, &answered);
        self.unpin_next_hops();
        self.recall_flows(now);
        Ok(changes)
    }

    /// The current configuration.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Problems with settings that cannot change while the engine runs.
    fn check_immutable(&self, config: &Config) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut refuse = |key: &str, differs: bool| {
            if differs {
                let message = "it cannot change while the forwarder runs; restart the forwarder, or \
                               keep the old value";
                problems.push(Problem::new(file::NOT_CHANGEABLE, KeyPath::new([key]), message));
            }
        };
        refuse("interface", config.interface != self.config.interface);
        refuse("routed_interfaces", config.routed_interfaces != self.config.routed_interfaces);
        refuse("snat_ports", config.snat_ports != self.config.snat_ports);
        refuse("limits", config.limits != self.config.limits);
        refuse("faults", config.balancer.faults != self.config.balancer.faults);
        problems
    }

    /// Allocates numbers and next hops for everything, and reports what does not fit.
    fn allocate_numbers(
        &mut self,
        now: Instant,
        config: &Config,
        problems: &mut Vec<Problem>,
    ) -> Numbers {
        let wanted =
            config.balancer.pools.iter().flat_map(|(pool, it)| {
                it.members.iter().map(|member| (pool.as_str(), member.address))
            });
        let rest = self.rest();
        let present = self.members.iter().map(|member| {
            let key = (member.pool.as_str(), SocketAddr::from((member.ip, member.port)));
            (key, member.is_free(now, rest))
        });
        let mut members = assign_numbers(present, wanted).into_iter();
        let present = self.servers.iter().zip(0..).map(|(server, number)| {
            let idle = server.counters.flows == 0 && self.persistence.is_empty(number);
            ((&server.destination, server.protocol), server.retired.is_some() && idle)
        });
        let wanted = config.balancer.virtual_servers.values();
        let wanted = wanted.map(|server| (&server.destination, server.ip_protocol.number()));
        let servers = assign_numbers(present, wanted);
        let mut most = servers.iter().copied().max().unwrap_or(0);
        let mut next_hops = Vec::new();
        let mut by_pool = Vec::new();
        for pool in config.balancer.pools.values() {
            let own: Vec<usize> = members.by_ref().take(pool.members.len()).collect();
            most = own.iter().copied().max().unwrap_or(0).max(most);
            by_pool.push(own.into_iter().map(|number| number as u16).collect());
            let hops = pool.members.iter().map(|member| {
                let ip = member.address.ip();
                if self.port.is_hosts(ip) {
                    return Some(NeighbourId::HOST);
                }
                let NextHop::Neighbour(next_hop) = self.routes.next_hop(ip)? else {
                    return Some(NeighbourId::HOST);
                };
                let pinned = self.neighbours.pin(next_hop);
                if pinned.is_none() {
                    let few = format!("{} are too few for the members", config.limits.neighbours);
                    let problem =
                        Problem::new(file::TOO_MANY, KeyPath::new(["limits", "neighbours"]), few);
                    if !problems.contains(&problem) {
                        problems.push(problem);
                    }
                }
                pinned
            });
            next_hops.push(hops.collect());
        }
        if most >= MOST_NUMBERS {
            let many = format!(
                "more than {MOST_NUMBERS} members or virtual servers with those that were taken \
                 out and still have flows; wait until these are over"
            );
            problems.push(Problem::new(file::TOO_MANY, KeyPath::new(["pools"]), many));
        }
        let servers = servers.into_iter().map(|number| number as u16).collect();
        Numbers { members: by_pool, servers, next_hops }
    }

    /// How long the number of a removed member may still be referenced by persistence entries and
    /// queued packets.
    fn rest(&self) -> Duration {
        self.longest_memory.max(LONGEST_WAIT)
    }

    /// Unpins neighbours that are no longer next hops of members.
    fn unpin_next_hops(&mut self) {
        let held = self.members.iter().filter_map(|member| member.next_hop);
        self.neighbours.keep_pinned(held);
    }

    /// Updates the SNAT addresses.
    fn set_snat_addresses(&mut self, config: &Config) {
        let mut addresses: Vec<IpAddr> = Vec::new();
        for server in config.balancer.virtual_servers.values() {
            match &server.source_address_translation {
                SourceTranslation::None => {}
                SourceTranslation::Automap => {
                    let members = config.balancer.pools.get(&server.pool).map(|pool| &pool.members);
                    let members = members.into_iter().flatten();
                    addresses.extend(
                        members.filter_map(|one| self.own_address_towards(one.address.ip())),
                    );
                }
                SourceTranslation::Snat(list) => addresses.extend(list),
            }
        }
        addresses.sort_unstable();
        addresses.dedup();
        let is_active = config.balancer.failover_state == FailoverState::Active;
        let address = |ip: IpAddr| {
            let shared = self.port.is_own(ip);
            let answers = !shared && is_active && self.port.is_connected(ip);
            snat::SnatAddress { ip, shared, answers }
        };
        let addresses = addresses.into_iter().map(address).collect();
        self.snat.set_addresses(addresses, config.limits.flows as usize);
    }

    /// The interface's own address on the way to a member.
    fn own_address_towards(&self, member: IpAddr) -> Option<IpAddr> {
        self.port.source_by(member, self.routes.next_hop(member)?)
    }

    fn set_members(&mut self, now: Instant, config: &Config, numbers: &Numbers) {
        for member in &mut self.members {
            if let Placement::InPool { .. } = member.placement {
                member.placement = Placement::Removed { since: now };
            }
        }
        let pools = config.balancer.pools.iter().zip(&numbers.members).zip(&numbers.next_hops);
        for (place_of_pool, (((name, pool), numbers), next_hops)) in pools.enumerate() {
            let automapped = config.balancer.virtual_servers.values().any(|server| {
                server.pool == *name
                    && server.source_address_translation == SourceTranslation::Automap
            });
            let members = pool.members.iter().zip(numbers).zip(next_hops);
            for (place, ((member, number), neighbour)) in members.enumerate() {
                let address = &member.address;
                let ip = address.ip();
                let own =
                    Some(ip).filter(|_| automapped).and_then(|ip| self.own_address_towards(ip));
                let next_hop = self.routes.next_hop(ip);
                let is_hosts = self.port.is_hosts(ip);
                let route_mtu = self.routes.mtu(ip).unwrap_or(Path::UNKNOWN_MTU);
                let way =
                    path(&config.balancer, pool.profile_of(member), address, next_hop, &self.port);
                let new = Member {
                    name: address.to_string(),
                    pool: name.clone(),
                    placement: Placement::InPool {
                        pool: place_of_pool as u16,
                        place: place as u16,
                    },
                    ip,
                    port: address.port(),
                    automap: own.and_then(|own| self.snat.number(own)),
                    path: way.with_mtu(route_mtu),
                    is_hosts,
                    next_hop: *neighbour,
                    route_mtu,
                    pmtu_expires: None,
                    down: false,
                    on_down: pool.on_down(),
                    counters: MemberCounters::default(),
                };
                insert_at(&mut self.members, *number, new, |old, new| {
                    if (&old.pool, old.ip, old.port) == (&new.pool, new.ip, new.port) {
                        new.counters = old.counters;
                        new.down = old.down && pool.monitor.is_some();
                        new.keep_pmtu(old);
                    }
                });
            }
        }
        let rest = self.rest();
        for member in &mut self.members {
            if member.is_free(now, rest) {
                member.next_hop = None;
            }
        }
    }

    fn set_pools(
        &mut self,
        config: &Config,
        schedulers: Vec<crate::scheduler::Scheduler>,
        numbers: &[Vec<u16>],
    ) {
        let old = std::mem::take(&mut self.pools).into_iter();
        let mut old: HashMap<String, Pool> = old.map(|pool| (pool.name.clone(), pool)).collect();
        for (((name, pool), mut scheduler), members) in
            config.balancer.pools.iter().zip(schedulers).zip(numbers)
        {
            let mode = pool.load_balancing_mode;
            let before =
                self.config.balancer.pools.get(name).map(|before| before.load_balancing_mode);
            let same = old.remove(name).filter(|old| {
                // What Maglev chooses depends on nothing that was before.
                let timeless = matches!(mode, LoadBalancingMode::Maglev(_));
                !timeless && before == Some(mode) && old.members == *members
            });
            if let Some(same) = same {
                scheduler = same.scheduler;
                for (place, member) in pool.members.iter().enumerate() {
                    scheduler.set_member(place, member.ratio, member.state);
                }
            } else {
                for (place, member) in members.iter().enumerate() {
                    let flows = self.members[usize::from(*member)].counters.flows;
                    scheduler.adopt(place, flows);
                }
            }
            let neighbours_version = super::select::STALE;
            let members = members.clone();
            self.pools.push(Pool { name: name.clone(), members, scheduler, neighbours_version });
        }
    }

    fn set_servers(&mut self, now: Instant, config: &Config, numbers: &[u16]) {
        for server in &mut self.servers {
            server.retired = server.retired.or(Some(now));
        }
        let is_active = config.balancer.failover_state == FailoverState::Active;
        let mut services = Services::default();
        for ((name, server), number) in config.balancer.virtual_servers.iter().zip(numbers) {
            let (vip, protocol) = (server.destination.ip(), server.ip_protocol.number());
            let is_hosts = self.port.is_hosts(vip);
            let answers = is_active && self.port.is_connected(vip) && !is_hosts;
            services.vips.insert(vip, Vip { is_hosts, answers });
            services.add(&server.destination, protocol, *number);
            let pool = config.balancer.pools.keys().position(|pool| *pool == server.pool);
            let new = Server {
                name: name.clone(),
                destination: server.destination.clone(),
                protocol,
                retired: None,
                pool: pool.unwrap_or_default() as u16,
                translate_address: server.translate_address,
                translate_port: server.translate_port,
                datagram_load_balancing: server.datagram_load_balancing,
                source: self.source(&server.source_address_translation),
                turn: 0,
                fastl4: server.fastl4,
                mirror: server.mirror,
                counters: ServerCounters::default(),
            };
            insert_at(&mut self.servers, *number, new, |old, new| {
                if (&old.destination, old.protocol) == (&new.destination, new.protocol) {
                    new.counters = old.counters;
                }
            });
        }
        self.services = services;
        let idle = self.servers.iter().map(|server| server.fastl4.idle_timeout);
        self.flows.set_idle(idle.map(|seconds| Duration::from_secs(seconds.into())).collect());
        let mut rules = vec![Persistence::None; self.servers.len()];
        for (server, number) in config.balancer.virtual_servers.values().zip(numbers) {
            rules[usize::from(*number)] = server.persistence;
            if let Persistence::SourceAddress(rule) = server.persistence {
                let timeout = Duration::from_secs(rule.timeout.into());
                self.longest_memory = self.longest_memory.max(timeout);
            }
        }
        let entries = config.limits.persistence_entries as usize;
        self.persistence.set_rules(entries, rules.into_iter());
    }

    fn source(&self, translation: &SourceTranslation) -> Source {
        match translation {
            SourceTranslation::None => Source::Kept,
            SourceTranslation::Automap => Source::Automap,
            SourceTranslation::Snat(addresses) => {
                Source::Pool(addresses.iter().filter_map(|ip| self.snat.number(*ip)).collect())
            }
        }
    }
}

impl Member {
    /// Keeps the learned path MTU of its tunnel.
    fn keep_pmtu(&mut self, before: &Self) {
        if let (Path::Tunnel { mtu, .. }, Path::Tunnel { mtu: known, .. }) =
            (&mut self.path, before.path)
        {
            *mtu = known.min(self.route_mtu);
            self.pmtu_expires = before.pmtu_expires;
        }
    }

    /// Whether nothing holds its number any more.
    fn is_free(&self, now: Instant, rest: Duration) -> bool {
        let Placement::Removed { since } = self.placement else { return false };
        self.counters.flows == 0 && since.after(rest) <= now
    }
}

/// Stores an item at its number, which is in use or the next.
fn insert_at<T>(list: &mut Vec<T>, number: u16, mut new: T, take_over: impl FnOnce(&T, &mut T)) {
    match list.get_mut(usize::from(number)) {
        Some(old) => {
            take_over(old, &mut new);
            *old = new;
        }
        None => list.push(new),
    }
}

//! Which member a new flow goes to: the one where its client's last flow went, if the virtual server
//! persists, else the one that the pool's scheduler chooses; of those that can be reached.

use super::{Engine, Member, Pool, Server};
use crate::flow::{Flow, Key};
use crate::{Instant, Outcome};
use std::net::SocketAddr;

/// The member for a new flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) member: u16,
    /// The scheduler chose it.
    in_turn: bool,
}

impl Engine {
    /// Chooses for a flow that may begin. Nothing has changed until it did: see [`Self::began`].
    pub(super) fn select(
        &mut self,
        now: Instant,
        server: u16,
        key: &Key,
    ) -> Result<Choice, Outcome> {
        let number = self.servers[usize::from(server)].pool;
        self.look_at_neighbours(number);
        let pool = &self.pools[usize::from(number)];
        let first = pool.members.start;
        if let Some(member) = self.persistence.find(server, key.source(), now)
            && pool.scheduler.takes(usize::from(member) - first)
        {
            return Ok(Choice { member, in_turn: false });
        }
        if let Some(place) = pool.scheduler.choose(key) {
            return Ok(Choice { member: (first + place) as u16, in_turn: true });
        }
        let routed = self.members[pool.members.clone()].iter().any(|one| one.next_hop.is_some());
        Err(if routed { Outcome::NoMemberReachable } else { Outcome::NoRoute })
    }

    /// Tells a pool's scheduler which members can be reached, if that has changed.
    fn look_at_neighbours(&mut self, pool: u16) {
        let Self { pools, members, neighbours, .. } = self;
        let pool = &mut pools[usize::from(pool)];
        if pool.neighbours_seen == neighbours.changes() {
            return;
        }
        pool.neighbours_seen = neighbours.changes();
        for (place, member) in members[pool.members.clone()].iter().enumerate() {
            let reached = member.next_hop.is_some_and(|next_hop| !neighbours.is_failed(next_hop));
            pool.scheduler.set_available(place, reached);
        }
    }

    /// A flow began with the chosen member.
    pub(super) fn began(&mut self, now: Instant, server: u16, choice: Choice, key: &Key) {
        let member = usize::from(choice.member);
        self.persistence.record(server, key.source(), choice.member, now);
        let server = &mut self.servers[usize::from(server)];
        let pool = &mut self.pools[usize::from(server.pool)];
        pool.scheduler.began(member - pool.members.start, choice.in_turn);
        server.counters.flows_opened += 1;
        server.counters.flows += 1;
        let counters = &mut self.members[member].counters;
        counters.flows_opened += 1;
        counters.flows += 1;
    }

    /// Gives a member another ratio: its share of new flows from here on. Flows stay where they
    /// are; with ratio 0 the member keeps its own and gets no other, so that it is free once
    /// they are over. Under Maglev it takes milliseconds: the pool's table is made anew.
    ///
    /// `false` if there is no such member.
    #[must_use]
    pub fn set_ratio(&mut self, pool: &str, member: SocketAddr, ratio: u16) -> bool {
        let Some(pool) = self.pools.iter_mut().find(|one| one.name == pool) else { return false };
        let is_it = |one: &Member| SocketAddr::from((one.ip, one.port)) == member;
        let Some(place) = self.members[pool.members.clone()].iter().position(is_it) else {
            return false;
        };
        pool.scheduler.set_ratio(place, ratio);
        true
    }
}

/// A flow is over: nobody counts it any more.
pub(super) fn ended(
    servers: &mut [Server],
    pools: &mut [Pool],
    members: &mut [Member],
    flow: Flow,
) {
    let member = usize::from(flow.member);
    let server = &mut servers[usize::from(flow.server)];
    let pool = &mut pools[usize::from(server.pool)];
    pool.scheduler.ended(member - pool.members.start);
    server.counters.flows -= 1;
    members[member].counters.flows -= 1;
}

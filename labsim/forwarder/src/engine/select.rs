//! Which member a new flow goes to: the one where its client's last flow went, if the virtual server
//! persists, else the one that the pool's scheduler chooses; of those that can be
//! reached and that their monitors do not find down.

use super::{Engine, Home, Member, Pool, Server};
use crate::flow::{Flow, Key};
use crate::{Instant, Outcome};
use std::net::SocketAddr;

/// No number of changes among neighbours: a scheduler may not have been told of any.
pub(super) const TELL_ANEW: u64 = u64::MAX;

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
        if let Some(member) = self.persistence.find(server, key.source(), now)
            && let Ok(home) = self.members[usize::from(member)].home
            && home.pool == number
            && pool.scheduler.takes(home.place.into())
        {
            return Ok(Choice { member, in_turn: false });
        }
        if let Some(place) = pool.scheduler.choose(key) {
            return Ok(Choice { member: pool.members[place], in_turn: true });
        }
        let mut members = pool.members.iter().map(|member| &self.members[usize::from(*member)]);
        let routed = members.any(|one| one.next_hop.is_some());
        Err(if routed { Outcome::NoMemberReachable } else { Outcome::NoRoute })
    }

    /// Tells a pool's scheduler which members can be reached and are not down, if that has changed.
    fn look_at_neighbours(&mut self, pool: u16) {
        let Self { pools, members, neighbours, .. } = self;
        let pool = &mut pools[usize::from(pool)];
        if pool.neighbours_seen == neighbours.changes() {
            return;
        }
        pool.neighbours_seen = neighbours.changes();
        for (place, member) in pool.members.iter().enumerate() {
            let next_hop = members[usize::from(*member)].next_hop;
            let reached = next_hop.is_some_and(|next_hop| !neighbours.is_failed(next_hop));
            pool.scheduler.set_available(place, reached && !members[usize::from(*member)].down);
        }
    }

    /// A flow began with the chosen member.
    pub(super) fn began(&mut self, now: Instant, server: u16, choice: Choice, key: &Key) {
        self.persistence.record(server, key.source(), choice.member, now);
        let server = &mut self.servers[usize::from(server)];
        server.counters.flows_opened += 1;
        server.counters.flows += 1;
        let member = &mut self.members[usize::from(choice.member)];
        member.counters.flows_opened += 1;
        member.counters.flows += 1;
        if let Ok(Home { pool, place }) = member.home {
            self.pools[usize::from(pool)].scheduler.began(place.into(), choice.in_turn);
        }
    }

    /// Gives a member another ratio: its share of new flows from here on. Flows stay where they
    /// are; with ratio 0 the member keeps its own and gets no other, so that it is free once
    /// they are over. Under Maglev it takes milliseconds: the pool's table is made anew.
    ///
    /// `false` if there is no such member.
    #[must_use]
    pub fn set_ratio(&mut self, pool: &str, member: SocketAddr, ratio: u16) -> bool {
        let Some(config) = self.config.pools.get_mut(pool) else { return false };
        let Some(place) = config.members.iter().position(|one| one.address == member) else {
            return false;
        };
        config.members[place].ratio = ratio;
        if let Some(pool) = self.pools.iter_mut().find(|one| one.name == pool) {
            pool.scheduler.set_ratio(place, ratio);
        }
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
    servers[usize::from(flow.server)].counters.flows -= 1;
    let member = &mut members[usize::from(flow.member)];
    member.counters.flows -= 1;
    if let Ok(Home { pool, place }) = member.home {
        pools[usize::from(pool)].scheduler.ended(place.into());
    }
}

//! Which member a new flow goes to: the one where its client's last flow went, if the virtual
//! server persists, else the one that the pool's scheduler chooses; of those that can be reached,
//! that their monitors do not find down and that an operator has not switched off.

use super::{Engine, Member, Placement, Pool, Server};
use crate::flow::{Flow, Key};
use crate::{Instant, Outcome};

/// A version that the neighbour table never has: the scheduler has to be updated.
pub(super) const STALE: u64 = u64::MAX;

/// The member for a new flow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) member: u16,
    /// Whether the scheduler chose it.
    scheduled: bool,
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
        self.refresh_availability(number);
        let pool = &self.pools[usize::from(number)];
        if let Some(member) = self.persistence.find(server, key.source(), now)
            && let Placement::InPool { pool: own, place } =
                self.members[usize::from(member)].placement
            && own == number
            && pool.scheduler.takes_known_clients(place.into())
        {
            return Ok(Choice { member, scheduled: false });
        }
        if let Some(place) = pool.scheduler.choose(key) {
            return Ok(Choice { member: pool.members[place], scheduled: true });
        }
        let mut members = pool.members.iter().map(|member| &self.members[usize::from(*member)]);
        let routed = members.any(|one| one.next_hop.is_some());
        Err(if routed { Outcome::NoMemberReachable } else { Outcome::NoRoute })
    }

    /// Chooses for a packet of which no flow remains.
    pub(super) fn select_once(
        &mut self,
        now: Instant,
        server: u16,
        key: &Key,
    ) -> Result<u16, Outcome> {
        let choice = self.select(now, server, key)?;
        if let Placement::InPool { pool, place } =
            self.members[usize::from(choice.member)].placement
        {
            let scheduler = &mut self.pools[usize::from(pool)].scheduler;
            scheduler.flow_started(place.into(), choice.scheduled);
            scheduler.flow_ended(place.into());
        }
        Ok(choice.member)
    }

    /// Updates a pool's scheduler with the members that are reachable and not down.
    fn refresh_availability(&mut self, pool: u16) {
        let Self { pools, members, neighbours, .. } = self;
        let pool = &mut pools[usize::from(pool)];
        if pool.neighbours_version == neighbours.changes() {
            return;
        }
        pool.neighbours_version = neighbours.changes();
        for (place, member) in pool.members.iter().enumerate() {
            let next_hop = members[usize::from(*member)].next_hop;
            let reached = next_hop.is_some_and(|next_hop| !neighbours.is_failed(next_hop));
            pool.scheduler.set_available(place, reached && !members[usize::from(*member)].down);
        }
    }

    /// Updates the counters for a new flow.
    pub(super) fn flow_started(&mut self, now: Instant, server: u16, choice: Choice, key: &Key) {
        self.persistence.record(server, key.source(), choice.member, now);
        let server = &mut self.servers[usize::from(server)];
        server.counters.flows_opened += 1;
        server.counters.flows += 1;
        let member = &mut self.members[usize::from(choice.member)];
        member.counters.flows_opened += 1;
        member.counters.flows_by_persistence += u64::from(!choice.scheduled);
        member.counters.flows += 1;
        if let Placement::InPool { pool, place } = member.placement {
            self.pools[usize::from(pool)].scheduler.flow_started(place.into(), choice.scheduled);
        }
    }
}

/// Updates the counters for a flow that has ended.
pub(super) fn flow_ended(
    servers: &mut [Server],
    pools: &mut [Pool],
    members: &mut [Member],
    flow: Flow,
) {
    servers[usize::from(flow.server)].counters.flows -= 1;
    let member = &mut members[usize::from(flow.member)];
    member.counters.flows -= 1;
    if let Placement::InPool { pool, place } = member.placement {
        pools[usize::from(pool)].scheduler.flow_ended(place.into());
    }
}

//! Which member a new flow goes to: in turn, past those whose next hop is unreachable.

use super::Engine;
use crate::Outcome;

impl Engine {
    /// The pool's next member, by its index.
    pub(super) fn select(&self, server: u16) -> Result<u16, Outcome> {
        let pool = &self.pools[usize::from(self.servers[usize::from(server)].pool)];
        let count = pool.members.len();
        let mut routed = false;
        for step in 0..count {
            let index = pool.members.start + (pool.turn + step) % count;
            let Some(next_hop) = self.members[index].next_hop else { continue };
            routed = true;
            if !self.neighbours.is_failed(next_hop) {
                return Ok(index as u16);
            }
        }
        Err(if routed { Outcome::NoMemberReachable } else { Outcome::NoRoute })
    }

    /// A flow began with that member: the turn is the next one's.
    pub(super) fn chosen(&mut self, server: u16, member: u16) {
        let member = usize::from(member);
        let server = &mut self.servers[usize::from(server)];
        let pool = &mut self.pools[usize::from(server.pool)];
        pool.turn = (member - pool.members.start + 1) % pool.members.len();
        server.counters.flows_opened += 1;
        server.counters.flows += 1;
        let counters = &mut self.members[member].counters;
        counters.flows_opened += 1;
        counters.flows += 1;
    }
}

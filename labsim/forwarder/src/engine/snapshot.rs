//! The engine's counters as one value to show.

use super::{Engine, Member};
use crate::Outcome;
use crate::counters::{
    Counters, FlowCounters, FragmentCounters, MemberCounters, NeighbourCounters,
};
use std::collections::BTreeMap;

impl Engine {
    /// Every counter at this moment.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let outcomes = Outcome::ALL.iter().filter(|outcome| outcome.is_last());
        let outcomes =
            outcomes.map(|outcome| (outcome.name().to_owned(), self.tallies[*outcome as usize]));
        let members = self.pools.iter().map(|pool| {
            let members = pool.members.iter().map(|member| &self.members[usize::from(*member)]);
            let members: BTreeMap<_, _> =
                members.map(|member| (member.name.clone(), self.member_counters(member))).collect();
            (pool.name.clone(), members)
        });
        let servers = self.servers.iter().filter(|server| server.retired.is_none());
        let servers = servers.map(|server| (server.name.clone(), server.counters));
        Counters {
            outcomes: outcomes.collect(),
            virtual_servers: servers.collect(),
            members: members.collect(),
            flows: FlowCounters { open: self.flows.len() as u64, ..self.flow_counters },
            persistence: self.persistence.counters(),
            snat: self.snat.counters,
            neighbours: NeighbourCounters {
                entries: self.neighbours.len() as u64,
                waiting: self.waiting.len() as u64,
                ..self.neighbours.counters
            },
            fragments: FragmentCounters { waiting: self.pending_fragments.len() as u64 },
            answers: self.answers,
        }
    }

    fn member_counters(&self, member: &Member) -> MemberCounters {
        let answers = |next_hop| !self.neighbours.is_failed(next_hop);
        let reachable = member.next_hop.is_some_and(answers);
        MemberCounters { reachable, down: member.down, ..member.counters }
    }
}

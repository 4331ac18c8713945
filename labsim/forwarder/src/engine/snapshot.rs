//! The engine's counters as one value to show.

use super::Engine;
use crate::Outcome;
use crate::counters::{Counters, FlowCounters, FragmentCounters, NeighbourCounters};
use std::collections::BTreeMap;

impl Engine {
    /// Every counter at this moment.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let outcomes = Outcome::ALL.iter().filter(|outcome| outcome.is_last());
        let outcomes =
            outcomes.map(|outcome| (outcome.name().to_owned(), self.tallies[*outcome as usize]));
        let members = self.pools.iter().map(|pool| {
            let members = self.members[pool.members.clone()].iter();
            let members: BTreeMap<_, _> =
                members.map(|member| (member.name.clone(), member.counters)).collect();
            (pool.name.clone(), members)
        });
        let servers = self.servers.iter().map(|server| (server.name.clone(), server.counters));
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
            fragments: FragmentCounters { waiting: self.unled.len() as u64 },
            answers: self.answers,
        }
    }
}

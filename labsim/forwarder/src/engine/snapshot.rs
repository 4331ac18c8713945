//! The engine's counters as one value to show.

use super::{Engine, Member};
use crate::Outcome;
use crate::counters::{
    Counters, FlowCounters, FragmentCounters, MemberCounters, NeighbourCounters, ServerCounters,
};
use std::collections::BTreeMap;

impl Engine {
    /// Every counter at this moment.
    #[must_use]
    pub fn counters(&self) -> Counters {
        let outcomes = Outcome::ALL.iter().filter(|outcome| outcome.is_last());
        let elsewhere = self.unfolded();
        let outcomes = outcomes.map(|outcome| {
            let mut tally = self.tallies[*outcome as usize];
            if let Some(elsewhere) = &elsewhere {
                elsewhere.add_outcome(*outcome, &mut tally);
            }
            (outcome.name().to_owned(), tally)
        });
        let members = self.pools.iter().map(|pool| {
            let members = pool.members.iter().map(|number| {
                let member = &self.members[usize::from(*number)];
                let mut counters = self.member_counters(member);
                if let Some(elsewhere) = &elsewhere {
                    let MemberCounters { sent, replies, .. } = &mut counters;
                    elsewhere.add_member((*number).into(), sent, replies);
                }
                (member.name.clone(), counters)
            });
            (pool.name.clone(), members.collect::<BTreeMap<_, _>>())
        });
        let servers = self.servers.iter().enumerate();
        let servers = servers.filter(|(_, server)| server.retired.is_none());
        let servers = servers.map(|(number, server)| {
            let mut counters = server.counters;
            if let Some(elsewhere) = &elsewhere {
                let ServerCounters { received, replies, .. } = &mut counters;
                elsewhere.add_server(number, received, replies);
            }
            (server.name.clone(), counters)
        });
        Counters {
            outcomes: outcomes.collect(),
            virtual_servers: servers.collect(),
            members: members.collect(),
            flows: FlowCounters {
                open: self.flows.len() as u64,
                offloaded: self.offloaded_flows(),
                ..self.flow_counters
            },
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

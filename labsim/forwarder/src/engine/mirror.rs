//! Copies of flows for the load balancer that takes over (connection mirroring).
//!
//! A copy holds addresses and not this engine's numbers: the other engine looks its own virtual server,
//! member and SNAT address up, and leaves out what it does not have. Persistence records are not copied.

use super::{Engine, Placement, Source};
use crate::Instant;
use crate::flow::{Flow, FlowId, Key, Seen, SequenceNumbers, SnatBinding, State};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// Flows of one page.
const PAGE_FLOWS: usize = 10_000;
/// Places of the flow table that are looked at for one page.
const PAGE_LOOKS: u32 = 1 << 17;

/// A copy of a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirroredFlow {
    client: SocketAddr,
    /// VIP and port.
    destination: SocketAddr,
    protocol: u8,
    member: SocketAddr,
    state: State,
    seen: Seen,
    numbers: SequenceNumbers,
    /// The address and port that replace the client's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    snat: Option<SocketAddr>,
}

/// A page of copies.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MirroredFlows {
    /// The copies.
    pub flows: Vec<MirroredFlow>,
    /// Where the next page begins; `None` behind the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<u32>,
}

impl Engine {
    /// Copies of the flows of virtual servers with `mirror`, a page of them: from 0, then from the last
    /// page's `next`.
    #[must_use]
    pub fn mirrored_flows(&mut self, now: Instant, from: u32) -> MirroredFlows {
        let mut flows = Vec::new();
        let highest = self.flows.highest();
        let first = from.max(1);
        let end = first.saturating_add(PAGE_LOOKS).min(highest.saturating_add(1));
        for number in first..end {
            if flows.len() == PAGE_FLOWS {
                return MirroredFlows { flows, next: Some(number) };
            }
            let id = self.flows.at(number);
            if let Some(id) = id {
                self.merge_use(id);
            }
            let id = id.filter(|id| self.flows.overdue(*id, now).is_none());
            flows.extend(id.and_then(|id| self.mirrored(id)));
        }
        MirroredFlows { flows, next: (end <= highest).then_some(end) }
    }

    fn mirrored(&self, id: FlowId) -> Option<MirroredFlow> {
        let key = self.flows.key(id);
        let (client, destination) = key.endpoints();
        let Flow { server, member, state, seen, snat } = self.flows.get(id);
        let server = &self.servers[usize::from(server)];
        let member = &self.members[usize::from(member)];
        (server.mirror && server.retired.is_none()).then(|| MirroredFlow {
            client,
            destination,
            protocol: key.protocol(),
            member: SocketAddr::new(member.ip, member.port),
            state,
            seen,
            numbers: self.flows.numbers(id),
            snat: snat.map(|binding| self.snat.snat_endpoint(binding)),
        })
    }

    /// Takes copies of another load balancer's flows over; returns how many. Left out are those whose virtual
    /// server or member this one does not have, whose SNAT port is in use, and what a full table has no
    /// room for.
    pub fn add_mirrored_flows(&mut self, now: Instant, flows: &[MirroredFlow]) -> u64 {
        let added =
            flows.iter().filter(|flow| self.add_mirrored(now, flow).is_some()).count() as u64;
        self.flow_counters.mirrored += added;
        added
    }

    fn add_mirrored(&mut self, now: Instant, copy: &MirroredFlow) -> Option<()> {
        let MirroredFlow { client, destination, protocol, state, seen, numbers, .. } = *copy;
        let server = self.services.find(destination.ip(), protocol, destination.port())?;
        let pool = self.servers[usize::from(server)].pool;
        let pool_members = &self.pools[usize::from(pool)].members;
        let member = *pool_members.iter().find(|number| {
            let member = &self.members[usize::from(**number)];
            SocketAddr::new(member.ip, member.port) == copy.member
        })?;
        let key = Key::between(client, destination, protocol);
        if let Some(known) = self.flows.find(&key) {
            self.forget(known, |counters| &mut counters.replaced);
        }
        if self.flows.is_full() {
            return None;
        }
        let from = self.translated_destination(server, member, destination);
        let snat = self.claim_snat(server, member, copy.snat, from, protocol)?;
        let flow = Flow { server, member, state, seen, snat };
        let id = self.flows.insert(key, flow, numbers, now)?;
        if let Some(binding) = snat {
            self.snat.bind(id, binding, from, protocol);
        }
        self.servers[usize::from(server)].counters.flows += 1;
        let member = &mut self.members[usize::from(member)];
        member.counters.flows += 1;
        if let Placement::InPool { pool, place } = member.placement {
            self.pools[usize::from(pool)].scheduler.flow_started(place.into(), false);
        }
        Some(())
    }

    /// The copy's own SNAT address and port, if its virtual server translates the source: `None` if it cannot
    /// have them.
    fn claim_snat(
        &mut self,
        server: u16,
        member: u16,
        endpoint: Option<SocketAddr>,
        to: SocketAddr,
        protocol: u8,
    ) -> Option<Option<SnatBinding>> {
        let Self { servers, members, snat, .. } = self;
        let source = &servers[usize::from(server)].source;
        let Some(endpoint) = endpoint else {
            return matches!(source, Source::Kept).then_some(None);
        };
        let number = snat.number(endpoint.ip())?;
        let is_its_own = match source {
            Source::Kept => false,
            Source::Automap => members[usize::from(member)].automap == Some(number),
            Source::Pool(numbers) => numbers.contains(&number),
        };
        if !is_its_own {
            return None;
        }
        snat.claim(number, endpoint.port(), to, protocol).map(Some)
    }
}

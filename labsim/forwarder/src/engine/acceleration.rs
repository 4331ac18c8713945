//! Flows that something faster forwards ([`Offload`]): the kernel, by a program at the interface.
//!
//! A flow is handed over once it is established and its client has sent a second packet: TCP after the
//! handshake's last acknowledgement; UDP, and TCP by loose initiation, after the second packet, so that a
//! flood of single packets fills no table but the engine's. It comes back, with what was seen of it
//! meanwhile, when it closes, before it expires, and when the configuration changes. What changes the
//! way to a member only, a next hop's move or a path MTU, changes the path that its flows share; while there
//! is none, its packets are the engine's, as they are where a member is down and its flows end or move.
//!
//! A packet of such a flow that the engine gets itself (a FIN, a fragment, one that is too long) finds the
//! flow as it is: what was seen elsewhere is merged first.

mod counters;
mod paths;

use super::Engine;
use crate::flow::{Flow, FlowId, Key, Side, State};
use crate::{
    Instant, Offload, OffloadCounters, OffloadDirection, OffloadKey, OffloadPath, OffloadedFlow,
};
use paths::{ClientPath, NEIGHBOUR_CHECK};

/// Flows that wait to be handed over; others wait for their next packet.
const MOST_CANDIDATES: usize = 64;
/// Flows that one [`Engine::tick`] looks at after a new configuration.
const LOOKS: u32 = 1024;

/// What forwards flows in the engine's place, and what it was told.
#[derive(Debug)]
pub(super) struct Acceleration {
    offload: Box<dyn Offload>,
    /// Established flows that are handed over at the turn's end.
    candidates: Vec<FlowId>,
    /// How many flows are handed over.
    flows: u64,
    /// The search for flows that are taken back; none are handed over meanwhile.
    recall: Option<Recall>,
    /// The paths that it has, by member.
    member_paths: Vec<Option<OffloadPath>>,
    /// Those to clients.
    client_paths: Vec<ClientPath>,
    /// The version of the neighbour table that the paths follow.
    moves: u64,
    /// Whether something else changed that paths depend on.
    is_stale: bool,
    /// When neighbours are asked for next that only this uses.
    check: Option<Instant>,
    /// What it had counted at the last check.
    checked: OffloadCounters,
    /// What of its counters is in the engine's own already.
    folded: OffloadCounters,
}

/// The search for flows that are handed over.
#[derive(Debug)]
struct Recall {
    /// The number of the flow that is looked at next.
    next: u32,
    due: Instant,
}

impl Acceleration {
    /// Of what it has counted so far, nothing is the engine's.
    fn new(offload: Box<dyn Offload>, counters: OffloadCounters) -> Self {
        Self {
            offload,
            candidates: Vec::with_capacity(MOST_CANDIDATES),
            flows: 0,
            recall: None,
            member_paths: Vec::new(),
            client_paths: Vec::new(),
            moves: 0,
            is_stale: true,
            check: None,
            checked: counters.clone(),
            folded: counters,
        }
    }

    /// The next moment that [`Engine::tick`] has something to do for it.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let check = self.check.filter(|_| self.flows > 0);
        self.recall.as_ref().map(|recall| recall.due).into_iter().chain(check).min()
    }
}

impl Engine {
    /// Has `offload`, which has counted nothing so far, forward established flows from here on, those of
    /// virtual servers with `pva_acceleration`.
    pub fn set_offload(&mut self, offload: Box<dyn Offload>) {
        self.acceleration = Some(Acceleration::new(offload, OffloadCounters::default()));
        self.refresh_paths();
    }

    /// The same with one that another engine has given up.
    pub(super) fn resume_offload(&mut self, offload: Box<dyn Offload>) {
        // Those of numbers that are given later, too.
        let counters = offload.counters(u16::MAX, u16::MAX);
        self.acceleration = Some(Acceleration::new(offload, counters));
        self.refresh_paths();
    }

    /// Hands the flows over that have been established since the last call. Call it when the packets that
    /// are there have been processed: what comes later may overtake only those that come while it runs.
    pub fn hand_over(&mut self, now: Instant) {
        let Some(acceleration) = &mut self.acceleration else { return };
        if acceleration.candidates.is_empty() {
            return;
        }
        let mut candidates = std::mem::take(&mut acceleration.candidates);
        self.refresh_paths();
        for id in candidates.drain(..) {
            if self.flows.at(id.number()).is_some() && self.flows.overdue(id, now).is_none() {
                self.hand_flow_over(now, id);
            }
        }
        if let Some(acceleration) = &mut self.acceleration {
            acceleration.candidates = candidates;
        }
    }

    /// Notes a flow that may have become established.
    #[inline]
    pub(super) fn consider(&mut self, id: FlowId) {
        let Some(acceleration) = &self.acceleration else { return };
        if acceleration.recall.is_none() && self.flows.at(id.number()).is_some() && self.is_due(id)
        {
            self.add_candidate(id);
        }
    }

    #[cold]
    fn add_candidate(&mut self, id: FlowId) {
        let Some(Acceleration { candidates, .. }) = &mut self.acceleration else { return };
        if candidates.len() < MOST_CANDIDATES && !candidates.contains(&id) {
            candidates.push(id);
        }
    }

    /// Whether the flow is to be handed over, as far as it is for the flow itself to say.
    #[inline]
    fn is_due(&self, id: FlowId) -> bool {
        let Flow { server, state, seen, .. } = self.flows.get(id);
        let server = &self.servers[usize::from(server)];
        state == State::Open
            && seen.second_packet()
            && !self.flows.is_offloaded(id)
            && !server.fastl4.pva_acceleration.is_none()
            && server.retired.is_none()
            && !server.datagram_load_balancing
    }

    /// Hands a flow over, with the way back where its source is translated; or leaves it, if a path is
    /// not there or there is no room.
    fn hand_flow_over(&mut self, now: Instant, id: FlowId) {
        if self.standby || !self.config.balancer.is_accelerated() || !self.is_due(id) {
            return;
        }
        let Flow { server, member, snat, .. } = self.flows.get(id);
        let key = self.flows.key(id);
        let (client, vip) = key.endpoints();
        let reply = match (snat, self.snat.reply_key(id)) {
            (None, _) => None,
            (Some(_), Some(reply)) => match self.client_path(client.ip()) {
                Some(path) => Some((reply, path)),
                None => return,
            },
            (Some(_), None) => return,
        };
        let to = self.translated_destination(server, member, vip);
        let new_source = snat.map(|binding| self.snat.snat_endpoint(binding));
        let last_seen = self.flows.last_seen(id);
        let Some(Acceleration { offload, member_paths, flows, check, recall, .. }) =
            &mut self.acceleration
        else {
            return;
        };
        let has_path = member_paths.get(usize::from(member)).is_some_and(Option::is_some);
        if recall.is_some() || !has_path {
            return;
        }
        let request = OffloadedFlow {
            path: member,
            server,
            member,
            direction: OffloadDirection::ToMember,
            new_source,
            new_destination: Some(to).filter(|to| *to != vip),
        };
        let answer = |path| OffloadedFlow {
            path,
            server,
            member,
            direction: OffloadDirection::ToClient,
            new_source: Some(vip),
            new_destination: Some(client),
        };
        if let Some((reply, path)) = reply
            && !offload.insert(&offload_key(&reply), &answer(path), last_seen)
        {
            return;
        }
        if offload.insert(&offload_key(&key), &request, last_seen) {
            *flows += 1;
            *check = check.or(Some(now.after(NEIGHBOUR_CHECK)));
            self.flows.set_offloaded(id, true);
        } else if let Some((reply, _)) = reply {
            let _ = offload.remove(&offload_key(&reply));
        }
    }

    /// Brings the flow up to date with what was seen of it where it is forwarded.
    #[inline]
    pub(super) fn merge_use(&mut self, id: FlowId) {
        if self.flows.is_offloaded(id) {
            self.merge(id, |offload, key| offload.flow_use(key));
        }
    }

    /// Takes the flow back, if it is handed over: its packets are the engine's from here on.
    pub(super) fn take_back(&mut self, id: FlowId) {
        if self.flows.is_offloaded(id) {
            self.merge(id, |offload, key| offload.remove(key));
            self.flows.set_offloaded(id, false);
            if let Some(Acceleration { flows, .. }) = &mut self.acceleration {
                *flows -= 1;
            }
        }
    }

    #[cold]
    fn merge(
        &mut self,
        id: FlowId,
        mut read: impl FnMut(&mut dyn Offload, &OffloadKey) -> Option<crate::FlowUse>,
    ) {
        let Self { acceleration: Some(Acceleration { offload, .. }), flows, snat, .. } = self
        else {
            return;
        };
        let reply = snat.reply_key(id).map(|reply| (reply, Side::Server));
        for (key, side) in [(flows.key(id), Side::Client)].into_iter().chain(reply) {
            if let Some(used) = read(offload.as_mut(), &offload_key(&key)) {
                flows.merge(id, side, &used);
            }
        }
    }

    /// Takes all flows back, a few at a time, because what becomes of their packets may have changed. Their
    /// packets are the engine's at once.
    pub(super) fn recall_flows(&mut self, now: Instant) {
        let Some(acceleration) = &mut self.acceleration else { return };
        acceleration.is_stale = true;
        if acceleration.flows > 0 {
            acceleration.recall = Some(Recall { next: 1, due: now });
        }
        self.refresh_paths();
    }

    /// Continues that search.
    pub(super) fn continue_recall(&mut self) {
        let Some(acceleration) = &mut self.acceleration else { return };
        let Some(mut recall) = acceleration.recall.take() else { return };
        let end = recall.next.saturating_add(LOOKS).min(self.flows.highest().saturating_add(1));
        for number in recall.next..end {
            if let Some(id) = self.flows.at(number) {
                self.take_back(id);
            }
        }
        recall.next = end;
        let is_over = end > self.flows.highest();
        let Some(acceleration) = &mut self.acceleration else { return };
        if is_over || acceleration.flows == 0 {
            acceleration.is_stale = true;
            self.refresh_paths();
        } else {
            acceleration.recall = Some(recall);
        }
    }

    /// What forwards flows, for an engine that begins anew; it has none, and no path, from here on.
    pub(super) fn give_up_offload(&mut self) -> Option<Box<dyn Offload>> {
        let Acceleration { mut offload, member_paths, client_paths, .. } =
            self.acceleration.take()?;
        offload.remove_all();
        (0..member_paths.len() as u16).for_each(|number| offload.set_path(number, None));
        for place in 0..client_paths.len() {
            offload.set_path(paths::client_path_number(place), None);
        }
        Some(offload)
    }
}

fn offload_key(key: &Key) -> OffloadKey {
    let (source, destination) = key.endpoints();
    OffloadKey { source, destination, protocol: key.protocol() }
}

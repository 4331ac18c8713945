//! Packets that were forwarded in the engine's place count as its own.

use super::{Acceleration, Engine};
use crate::{OffloadCounters, Outcome, Tally};

impl Tally {
    /// What came since `before`.
    const fn since(self, before: Self) -> Self {
        Self {
            packets: self.packets.saturating_sub(before.packets),
            bytes: self.bytes.saturating_sub(before.bytes),
        }
    }

    fn add_all(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
    }
}

/// What was forwarded elsewhere and is not in the engine's own counters yet.
pub(in crate::engine) struct Unfolded<'a> {
    counters: OffloadCounters,
    folded: &'a OffloadCounters,
}

impl Unfolded<'_> {
    /// Adds a virtual server's.
    pub(in crate::engine) fn add_server(
        &self,
        number: usize,
        received: &mut Tally,
        replies: &mut Tally,
    ) {
        let Self { counters, folded } = self;
        received.add_all(difference(&counters.received, &folded.received, number));
        replies.add_all(difference(&counters.server_replies, &folded.server_replies, number));
    }

    /// Adds a member's.
    pub(in crate::engine) fn add_member(
        &self,
        number: usize,
        sent: &mut Tally,
        replies: &mut Tally,
    ) {
        let Self { counters, folded } = self;
        sent.add_all(difference(&counters.sent, &folded.sent, number));
        replies.add_all(difference(&counters.member_replies, &folded.member_replies, number));
    }

    /// Adds an outcome's.
    pub(in crate::engine) fn add_outcome(&self, outcome: Outcome, tally: &mut Tally) {
        let Self { counters, folded } = self;
        match outcome {
            Outcome::Forwarded => tally.add_all(counters.forwarded.since(folded.forwarded)),
            Outcome::ForwardedToClient => {
                tally.add_all(counters.forwarded_to_client.since(folded.forwarded_to_client));
            }
            _ => {}
        }
    }
}

fn difference(counters: &[Tally], folded: &[Tally], number: usize) -> Tally {
    let of = |tallies: &[Tally]| tallies.get(number).copied().unwrap_or_default();
    of(counters).since(of(folded))
}

impl Engine {
    /// What its own counters lack.
    pub(in crate::engine) fn unfolded(&self) -> Option<Unfolded<'_>> {
        let Acceleration { offload, folded, .. } = self.acceleration.as_ref()?;
        let counters = offload.counters(self.servers.len() as u16, self.members.len() as u16);
        Some(Unfolded { counters, folded })
    }

    /// Flows that are handed over.
    pub(in crate::engine) fn offloaded_flows(&self) -> u64 {
        self.acceleration.as_ref().map_or(0, |acceleration| acceleration.flows)
    }

    /// Takes them into its own counters, before numbers become others'.
    pub(in crate::engine) fn fold_counters(&mut self) {
        let Some(Acceleration { offload, folded, .. }) = self.acceleration.as_mut() else { return };
        let counters = offload.counters(self.servers.len() as u16, self.members.len() as u16);
        let unfolded = Unfolded { folded, counters };
        for (number, server) in self.servers.iter_mut().enumerate() {
            let own = &mut server.counters;
            unfolded.add_server(number, &mut own.received, &mut own.replies);
        }
        for (number, member) in self.members.iter_mut().enumerate() {
            let own = &mut member.counters;
            unfolded.add_member(number, &mut own.sent, &mut own.replies);
        }
        for outcome in [Outcome::Forwarded, Outcome::ForwardedToClient] {
            unfolded.add_outcome(outcome, &mut self.tallies[outcome as usize]);
        }
        let counters = unfolded.counters;
        // Of numbers that nothing has yet, what was counted for earlier owners stays noted.
        let OffloadCounters { received, sent, server_replies, member_replies, .. } = folded;
        let before = [received, sent, server_replies, member_replies].map(std::mem::take);
        *folded = counters;
        let OffloadCounters { received, sent, server_replies, member_replies, .. } = folded;
        for (now, before) in
            [received, sent, server_replies, member_replies].into_iter().zip(before)
        {
            let known = now.len();
            now.extend(before.into_iter().skip(known));
        }
    }
}

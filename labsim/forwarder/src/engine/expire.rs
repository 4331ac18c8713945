//! Expired flows, and resets to their ends.

use super::Engine;
use super::answer::{RESET_LEN, ResetNumbers};
use super::ip::{Ip, Ipv6};
use super::rewrite::Rewrite;
use crate::flow::{ExpiryReason, Flow, FlowId, SequenceNumbers};
use crate::neighbour::{AnswerKind, Resolution};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::{ipv4, protocol};

impl Engine {
    /// Removes an expired flow.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        id: FlowId,
        why: ExpiryReason,
        tx: &mut impl Transmit,
    ) {
        let flow = self.flows.get(id);
        let resets = self.servers[usize::from(flow.server)].fastl4.reset_on_timeout;
        let is_tcp = self.flows.key(id).protocol() == protocol::TCP;
        if why == ExpiryReason::Idle && resets && is_tcp && flow.seen.acknowledged() {
            self.reset_both_ends(now, id, flow, tx);
            self.flow_counters.reset_on_timeout += 1;
        }
        self.forget(id, |counters| match why {
            ExpiryReason::Handshake => &mut counters.handshake_timed_out,
            ExpiryReason::Idle => &mut counters.timed_out,
            ExpiryReason::Closed => &mut counters.closed_by_fin,
        });
    }

    /// Resets the client in the VIP's name and the member in the client's, each with the sequence
    /// number that it expects next: no other is believed (RFC 5961 3.2). The server's packets
    /// are not seen under DSR; the client's acknowledgements tell where they stand.
    pub(super) fn reset_both_ends(
        &mut self,
        now: Instant,
        id: FlowId,
        flow: Flow,
        tx: &mut impl Transmit,
    ) {
        let (client, vip) = self.flows.key(id).endpoints();
        let SequenceNumbers { client_next, server_next } = self.flows.numbers(id);
        let numbers = ResetNumbers { sequence: server_next, acknowledged: Some(client_next) };
        self.send_reset(now, vip, client, numbers, tx);
        let mut room = [0; RESET_LEN];
        let numbers = ResetNumbers { sequence: client_next, acknowledged: Some(server_next) };
        let packet = self.reset_packet(client, vip, numbers, &mut room);
        let addresses = self.rewrite_to_member(flow, vip.port());
        let rewrite = Rewrite { addresses, ..Rewrite::UNCHANGED };
        let member = &self.members[usize::from(flow.member)];
        let next_hop = member.next_hop.map(|next_hop| self.neighbours.resolve(next_hop, now));
        let outcome = match next_hop {
            Some(Resolution::Ready(mac)) => {
                let (path, encapsulator) = (&member.path, &mut self.encapsulator);
                if let Some(packet) = ipv4::View::parse(packet) {
                    encapsulator.send(path, mac, &packet, &rewrite, tx)
                } else if let Some(packet) = Ipv6::parse(packet) {
                    encapsulator.send(path, mac, &packet, &rewrite, tx)
                } else {
                    Outcome::TransmitFull
                }
            }
            // Next hops of members are asked from the start: this one does not answer.
            _ => Outcome::NeighbourUnreachable,
        };
        self.answers.count(AnswerKind::Reset, outcome == Outcome::Forwarded);
    }
}

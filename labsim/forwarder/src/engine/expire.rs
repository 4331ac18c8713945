//! Flows whose time is over, and what their ends are told.

use super::Engine;
use super::answer::RESET_LEN;
use super::ip::{Ip, Ipv6};
use super::rewrite::Rewrite;
use crate::flow::{Expired, Flow, FlowId, Numbers};
use crate::neighbour::{AnswerKind, Resolution};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::{ipv4, protocol};

impl Engine {
    /// Forgets a flow whose time is over.
    pub(super) fn expire(
        &mut self,
        now: Instant,
        id: FlowId,
        why: Expired,
        tx: &mut impl Transmit,
    ) {
        let flow = self.flows.get(id);
        let resets = self.servers[usize::from(flow.server)].fastl4.reset_on_timeout;
        let is_tcp = self.flows.key(id).protocol() == protocol::TCP;
        if why == Expired::Idle && resets && is_tcp && flow.seen.acknowledged() {
            self.reset_both_ends(now, id, flow, tx);
            self.flow_counters.reset_on_timeout += 1;
        }
        self.forget(id, |counters| match why {
            Expired::Handshake => &mut counters.handshake_timed_out,
            Expired::Idle => &mut counters.timed_out,
            Expired::Closed => &mut counters.closed_by_fin,
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
        let (client, vip) = self.flows.key(id).sockets();
        let Numbers { client_next, server_next } = self.flows.numbers(id);
        self.send_reset(now, vip, client, (server_next, Some(client_next)), tx);
        let mut room = [0; RESET_LEN];
        let numbers = (client_next, Some(server_next));
        let packet = self.reset_packet(client, vip, numbers, &mut room);
        let ends = self.ends_to_member(flow, vip.port());
        let rewrite = Rewrite { ends, ..Rewrite::DONE };
        let member = &self.members[usize::from(flow.member)];
        let next_hop = member.next_hop.map(|next_hop| self.neighbours.resolve(next_hop, now));
        let outcome = match next_hop {
            Some(Resolution::Ready(mac)) => {
                let (path, encapsulator) = (&member.path, &mut self.encapsulator);
                if let Some(packet) = ipv4::View::whole(packet) {
                    encapsulator.send(path, mac, &packet, &rewrite, tx)
                } else if let Some(packet) = Ipv6::whole(packet) {
                    encapsulator.send(path, mac, &packet, &rewrite, tx)
                } else {
                    Outcome::TransmitFull
                }
            }
            // It is asked for from the start: nobody answers.
            _ => Outcome::NeighbourUnreachable,
        };
        self.answers.count(AnswerKind::Reset, outcome == Outcome::Forwarded);
    }
}

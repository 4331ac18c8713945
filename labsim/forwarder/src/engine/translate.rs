//! The way back of flows whose source address is translated: members' answers, and what is owed to
//! packets that answer nothing.

use super::deliver::Passing;
use super::encapsulate::Path;
use super::ip::Ip;
use super::rewrite::Ends;
use super::transport::{Packet, Transport};
use super::{Engine, Source};
use crate::flow::{FlowId, Side, Stand};
use crate::neighbour::Purpose;
use crate::{Instant, Outcome, Transmit};
use std::net::{IpAddr, SocketAddrV4};

impl Engine {
    /// Finds who stands in for the client of a new flow: `Ok(None)` if nobody has to.
    pub(super) fn choose_stand<'a>(
        &mut self,
        server: u16,
        member: u16,
        packet: &Packet<'_, impl Ip<'a>>,
    ) -> Result<Option<Stand>, Outcome> {
        let (client_port, _) = packet.ports();
        let transport = packet.protocol();
        // IPv6's source stays.
        let Some(to) = self.member_end(server, member, packet) else { return Ok(None) };
        let Self { servers, members, snat, .. } = self;
        let server = &mut servers[usize::from(server)];
        let stand = match &server.source {
            Source::Kept => return Ok(None),
            Source::Automap => {
                let own = members[usize::from(member)].automap;
                snat.choose(own.into_iter(), client_port, to, transport)
            }
            Source::Pool(numbers) => {
                let first = server.turn;
                server.turn = (first + 1) % numbers.len();
                let from_first = (0..numbers.len()).map(|n| numbers[(first + n) % numbers.len()]);
                snat.choose(from_first, client_port, to, transport)
            }
        };
        stand.map(Some).ok_or(Outcome::SnatPortsExhausted)
    }

    /// Whom a client's IPv4 packet is for after its translation, and who answers it therefore.
    pub(super) fn member_end<'a>(
        &self,
        server: u16,
        member: u16,
        packet: &Packet<'_, impl Ip<'a>>,
    ) -> Option<SocketAddrV4> {
        let (_, port) = packet.ports();
        let ends = self.destination_of(server, member, port);
        let ip = ends.destination.unwrap_or(packet.ip.v4()?.destination());
        Some(SocketAddrV4::new(ip, ends.destination_port.unwrap_or(port)))
    }

    /// A member's answer: back to the client, from the VIP.
    pub(super) fn reply<'a>(
        &mut self,
        now: Instant,
        id: FlowId,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let flow = self.flows.get(id);
        let Some((client, vip)) = self.flows.key(id).ends() else {
            return Outcome::NoTranslatedFlow;
        };
        let mtu = self.encapsulator.inner_mtu(&Path::Plain);
        if let Some(outcome) = self.refuse_undeliverable(now, mtu, &packet.ip, tx) {
            return outcome;
        }
        let length = packet.ip.bytes().len();
        self.servers[usize::from(flow.server)].counters.replies.add(length);
        self.members[usize::from(flow.member)].counters.replies.add(length);
        let ends = Ends::default().with_source(vip).with_destination(client);
        let passing = Passing {
            purpose: Purpose::Reply,
            packet: packet.ip,
            rewrite: self.rewrite_to(ends, packet),
            frame: packet.frame,
        };
        let outcome = self.pass_to(now, (*client.ip()).into(), &passing, tx);
        self.note(now, id, flow, packet, Side::Server);
        outcome
    }

    /// Sends a packet on towards an address that no member's next hop is known for.
    pub(super) fn pass_to<'a>(
        &mut self,
        now: Instant,
        to: IpAddr,
        passing: &Passing<impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Some(next_hop) = self.routes.next_hop(to) else { return Outcome::NoRoute };
        match self.neighbours.find_or_add(next_hop, now) {
            Some(neighbour) => self.pass(now, neighbour, passing, tx),
            None => Outcome::NeighbourTableFull,
        }
    }

    /// A packet to an address that stands in for clients, and no flow's. TCP is told, as F5 tells
    /// whoever it has no flow for; on an address that the kernel shares only the ports of the range
    /// are the forwarder's to speak for.
    pub(super) fn refuse_stray<'a>(
        &mut self,
        now: Instant,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let ours = self.snat.range().contains(packet.ports().1);
        if !ours && self.shares(packet.ip.destination()) {
            return Outcome::NoVirtualAddress;
        }
        match packet.transport {
            Transport::Tcp(_) => self.refuse_with_reset(now, Outcome::NoTranslatedFlow, packet, tx),
            Transport::Udp(_) | Transport::Later { .. } => Outcome::NoTranslatedFlow,
        }
    }
}

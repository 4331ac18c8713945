//! The reply direction of flows with source translation, and packets to SNAT addresses without a
//! flow.

use super::deliver::Outgoing;
use super::encapsulate::Path;
use super::ip::Ip;
use super::packet::{Packet, Transport};
use super::rewrite::AddressRewrite;
use super::{Engine, Source};
use crate::flow::{FlowId, Side, SnatBinding};
use crate::neighbour::Purpose;
use crate::{Instant, Outcome, Transmit};
use std::net::{IpAddr, SocketAddr};

impl Engine {
    /// Allocates a SNAT address and port for a new flow: `Ok(None)` if its source is not
    /// translated.
    pub(super) fn allocate_snat<'a>(
        &mut self,
        server: u16,
        member: u16,
        packet: &Packet<'_, impl Ip<'a>>,
    ) -> Result<Option<SnatBinding>, Outcome> {
        let (client_port, _) = packet.ports();
        let transport = packet.protocol();
        if let Source::Kept = self.servers[usize::from(server)].source {
            return Ok(None);
        }
        let to = self.translated_destination(server, member, packet.destination());
        let Self { servers, members, snat, .. } = self;
        let server = &mut servers[usize::from(server)];
        let binding = match &server.source {
            Source::Kept => return Ok(None),
            Source::Automap => {
                let own = members[usize::from(member)].automap;
                snat.allocate(own.into_iter(), client_port, to, transport)
            }
            Source::Pool(numbers) => {
                let first = server.turn;
                server.turn = (first + 1) % numbers.len();
                let from_first = (0..numbers.len()).map(|n| numbers[(first + n) % numbers.len()]);
                snat.allocate(from_first, client_port, to, transport)
            }
        };
        binding.map(Some).ok_or(Outcome::SnatPortsExhausted)
    }

    /// The destination of a client's packet after translation, which is the source of replies.
    pub(super) fn translated_destination(
        &self,
        server: u16,
        member: u16,
        to: SocketAddr,
    ) -> SocketAddr {
        let addresses = self.rewrite_destination(server, member, to.port());
        let ip = addresses.destination.unwrap_or(to.ip());
        SocketAddr::new(ip, addresses.destination_port.unwrap_or(to.port()))
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
        let (client, vip) = self.flows.key(id).endpoints();
        let mtu = self.encapsulator.inner_mtu(&Path::PLAIN);
        if let Some(outcome) = self.refuse_undeliverable(now, mtu, &packet.ip, tx) {
            return outcome;
        }
        let length = packet.ip.bytes().len();
        self.servers[usize::from(flow.server)].counters.replies.add(length);
        self.members[usize::from(flow.member)].counters.replies.add(length);
        let addresses = AddressRewrite::default().with_source(vip).with_destination(client);
        let outgoing = Outgoing {
            purpose: Purpose::Reply,
            packet: packet.ip,
            rewrite: self.rewrite_to(addresses, packet),
            frame: packet.frame,
        };
        let outcome = self.transmit_towards(now, client.ip(), &outgoing, tx);
        self.update_flow(now, id, flow, packet, Side::Server);
        outcome
    }

    /// Sends a packet towards an address by the routing table.
    pub(super) fn transmit_towards<'a>(
        &mut self,
        now: Instant,
        to: IpAddr,
        outgoing: &Outgoing<impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match self.neighbour_towards(now, to) {
            Ok(neighbour) => self.transmit_or_queue(now, neighbour, outgoing, tx),
            Err(outcome) => outcome,
        }
    }

    /// A packet to a SNAT address without a flow. TCP is answered with RST, as F5 does; on an
    /// address that the kernel shares, only the ports of the range are the forwarder's.
    pub(super) fn refuse_stray<'a>(
        &mut self,
        now: Instant,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let ours = self.snat.range().contains(packet.ports().1);
        if !ours && self.is_shared_snat_address(packet.ip.destination()) {
            return Outcome::NoVirtualAddress;
        }
        match packet.transport {
            Transport::Tcp(_) => self.refuse_with_reset(now, Outcome::NoTranslatedFlow, packet, tx),
            Transport::Udp(_) | Transport::NonFirstFragment { .. } => Outcome::NoTranslatedFlow,
        }
    }
}

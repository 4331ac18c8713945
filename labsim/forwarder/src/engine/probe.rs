//! Packets of monitors: to a given member, the way that clients' packets go to it.

use super::Engine;
use super::deliver::Outgoing;
use super::ip::{Ip, Ipv6};
use super::rewrite::{AddressRewrite, Rewrite};
use crate::neighbour::Purpose;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::{ipv4, protocol, tcp, udp};
use std::net::SocketAddr;

impl Engine {
    /// Sends a monitor's IP packet to a pool's member, or has it wait for the next hop's address:
    /// encapsulated, routed and cut as a client's, with one off its TTL, and with the port that the
    /// virtual server would translate to. So what keeps clients from a member keeps a monitor from
    /// it.
    ///
    /// It belongs to no flow, came in no frame, and is counted nowhere. Returns its outcome;
    /// [`Outcome::NoRoute`] too if there is no such member.
    pub fn probe(
        &mut self,
        now: Instant,
        pool: &str,
        member: SocketAddr,
        packet: &[u8],
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Some(member) = self.number_of(pool, member) else { return Outcome::NoRoute };
        let outcome = if let Some(packet) = ipv4::View::parse(packet) {
            self.transmit_probe(now, member, packet, tx)
        } else if let Some(packet) = Ipv6::parse(packet) {
            self.transmit_probe(now, member, packet, tx)
        } else {
            Outcome::FrameTruncated
        };
        if self.neighbours.next_deadline().is_some_and(|due| due <= now) {
            self.send_neighbour_requests(now, tx);
        }
        outcome
    }

    fn transmit_probe<'a>(
        &mut self,
        now: Instant,
        member: u16,
        packet: impl Ip<'a>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if packet.ttl() <= 1 {
            return Outcome::TtlExceeded;
        }
        let next_hop = self.members[usize::from(member)].next_hop;
        let Some(next_hop) = next_hop else { return Outcome::NoRoute };
        let rewrite = Rewrite::to(self.probe_rewrite(member, &packet));
        let purpose = Purpose::Probe { member };
        self.transmit_or_queue(now, next_hop, &Outgoing { purpose, packet, rewrite, frame: 0 }, tx)
    }

    /// What its virtual server makes of a client's packet to the same address and port.
    fn probe_rewrite<'a>(&self, member: u16, packet: &impl Ip<'a>) -> AddressRewrite {
        let payload = packet.payload();
        let port = match packet.protocol() {
            protocol::TCP => tcp::View::new(payload).ok().map(|it| it.destination_port()),
            protocol::UDP => udp::View::new(payload).ok().map(|it| it.destination_port()),
            _ => None,
        };
        let vip = packet.destination().into();
        let find = |port| Some((self.services.find(vip, packet.protocol(), port)?, port));
        match port.and_then(find) {
            Some((server, port)) => self.rewrite_destination(server, member, port),
            None => AddressRewrite::default(),
        }
    }
}

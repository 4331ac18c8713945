//! Packets that are balanced each for itself, without a flow: those of virtual servers with
//! `datagram_load_balancing`, and all of a load balancer that forgets flows
//! ([`DeliberateFault::ForgetFlows`](crate::DeliberateFault::ForgetFlows)).
//!
//! A datagram's fragments go where its first went: a part of it is of no use to another member. An ICMP
//! error about an answer finds no flow, and so no server.

use super::fragments::goes_on;
use super::ip::Ip;
use super::packet::Packet;
use super::{Engine, Placement};
use crate::flow::{Flow, Seen, State};
use crate::fragment::Fate;
use crate::{Instant, Outcome, Transmit};
use std::net::SocketAddr;

impl Engine {
    /// Whether the virtual server's packets begin no flow.
    #[inline]
    pub(super) fn keeps_no_flow(&self, server: u16) -> bool {
        self.forgets_flows || self.servers[usize::from(server)].datagram_load_balancing
    }

    /// Sends a packet to a member that is chosen for it alone, and keeps no flow.
    pub(super) fn forward_anew<'a>(
        &mut self,
        now: Instant,
        server: u16,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match self.select_once(now, server, &packet.key()) {
            Ok(member) => self.forward_to(now, server, member, packet, tx),
            Err(outcome) => self.refuse_with_reset(now, outcome, packet, tx),
        }
    }

    /// Sends the first fragment of a datagram that is balanced for itself, to the member of an earlier
    /// copy of it if there was one, and tells what becomes of its other fragments; `None` if its
    /// virtual server keeps flows.
    pub(super) fn first_of_balanced<'a>(
        &mut self,
        now: Instant,
        before: Option<Fate>,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Option<(Outcome, Fate)> {
        let server = self.balancing_server(packet)?;
        let before = match before {
            Some(Fate::Balanced { member }) if self.is_member_of(server, member) => Some(member),
            _ => None,
        };
        let chosen = match before {
            Some(member) => Ok(member),
            None => self.select_once(now, server, &packet.key()),
        };
        let member = match chosen {
            Ok(member) => member,
            Err(outcome) => return Some((outcome, Fate::Refused)),
        };
        let outcome = self.forward_to(now, server, member, packet, tx);
        let fate = if goes_on(outcome) { Fate::Balanced { member } } else { Fate::Refused };
        Some((outcome, fate))
    }

    /// Sends a later fragment to the member of its datagram's first.
    pub(super) fn follow_balanced<'a>(
        &mut self,
        now: Instant,
        member: u16,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match self.balancing_server(packet) {
            Some(server) if self.is_member_of(server, member) => {
                self.forward_to(now, server, member, packet, tx)
            }
            _ => Outcome::FragmentRefused,
        }
    }

    /// The virtual server of a datagram that is balanced for itself.
    fn balancing_server<'a>(&self, packet: &Packet<'_, impl Ip<'a>>) -> Option<u16> {
        let to = SocketAddr::new(packet.ip.destination().into(), packet.ports().1);
        self.balances(to, packet.protocol()).filter(|_| !self.forgets_flows)
    }

    /// The virtual server that balances each datagram to that address and port for itself.
    pub(super) fn balances(&self, to: SocketAddr, protocol: u8) -> Option<u16> {
        let server = self.services.find(to.ip(), protocol, to.port())?;
        self.servers[usize::from(server)].datagram_load_balancing.then_some(server)
    }

    /// Whether the member is in the virtual server's pool: it may have been taken out meanwhile.
    fn is_member_of(&self, server: u16, member: u16) -> bool {
        let pool = self.servers[usize::from(server)].pool;
        matches!(
            self.members[usize::from(member)].placement,
            Placement::InPool { pool: own, .. } if own == pool
        )
    }

    fn forward_to<'a>(
        &mut self,
        now: Instant,
        server: u16,
        member: u16,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if let Some(outcome) = self.refuse_on_the_way(now, member, &packet.ip, tx) {
            return outcome;
        }
        self.persistence.record(server, packet.key().source(), member, now);
        let flow = Flow { server, member, state: State::Open, seen: Seen::default(), snat: None };
        self.deliver(now, flow, packet, tx)
    }
}

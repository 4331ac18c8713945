//! What the engine does where it is faulty on purpose (see [`DeliberateFault`]): ICMP errors that go
//! to a member without a flow.

use super::Engine;
use super::deliver::Outgoing;
use super::icmp_error::QuotedPacket;
use super::ip::Ip;
use super::rewrite::{AddressRewrite, Rewrite};
use crate::flow::Key;
use crate::neighbour::Purpose;
use crate::{DeliberateFault, Instant, Outcome, Transmit};

impl Engine {
    /// By what an ICMP error to a VIP is scheduled, where it is not sent to its flow's member: by
    /// its own addresses ([`DeliberateFault::IcmpByOuter`]), or, where no flow is known, as the
    /// client's packets are ([`DeliberateFault::ForgetFlows`]).
    pub(super) fn scheduling_key_of_error<'a>(&self, ip: &impl Ip<'a>, came: &Key) -> Option<Key> {
        if !self.services.is_vip(ip.destination().into()) {
            return None;
        }
        if self.config.balancer.has_fault(DeliberateFault::IcmpByOuter) {
            let (from, to) = (ip.source().into(), ip.destination().into());
            return Some(Key::new(from, to, 0, 0, ip.protocol()));
        }
        self.forgets_flows.then_some(*came)
    }

    /// Sends an error about an answer of a virtual server to a member of its pool that is chosen
    /// for the error.
    pub(super) fn schedule_error<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &I,
        about: &QuotedPacket,
        key: &Key,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let vip = about.from;
        let Some(server) = self.services.find(vip.ip(), about.protocol, vip.port()) else {
            return Outcome::IcmpErrorUnmatched;
        };
        if ip.ttl() <= 1 {
            return Outcome::TtlExceeded;
        }
        let member = match self.select_once(now, server, key) {
            Ok(member) => member,
            Err(outcome) => return outcome,
        };
        let to_member = self.rewrite_destination(server, member, vip.port());
        let destination = &self.members[usize::from(member)];
        let Some(neighbour) = destination.next_hop else { return Outcome::NoRoute };
        if !self.encapsulator.fits::<I>(&destination.path, ip.total_length()) {
            return Outcome::IcmpErrorTooLong;
        }
        let addresses =
            AddressRewrite { destination: to_member.destination, ..AddressRewrite::default() };
        let rewrite = Rewrite { quoted: Some(to_member.reversed()), ..Rewrite::to(addresses) };
        let purpose = Purpose::Error { member: Some(member) };
        let outgoing = Outgoing { purpose, packet: *ip, rewrite, frame };
        self.transmit_or_queue(now, neighbour, &outgoing, tx)
    }
}

//! The last step of a packet to its member: may it go, and where to.

use super::encapsulate::Rewrite;
use super::transport::Packet;
use super::{Engine, NeighbourId};
use crate::neighbour::{AnswerKind, Resolution, Waiting};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::EmitError;
use labsim_wire::icmpv4::Message;

impl Engine {
    /// What a router owes the client instead of passing the packet on, if anything.
    pub(super) fn refuse_undeliverable(
        &mut self,
        now: Instant,
        member: u16,
        packet: &Packet<'_>,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        let ip = &packet.ip;
        if ip.ttl() <= 1 {
            // From the interface's address (RFC 1812 4.3.2.4), so that traceroute names the hop.
            let next_hop = self.routes.next_hop(ip.source().into());
            let source = next_hop.and_then(|next_hop| self.port.source_for(next_hop));
            let answer = (AnswerKind::TimeExceeded, Message::TimeExceeded { code: 0 });
            self.icmp_error(now, ip, source, answer, tx);
            return Some(Outcome::TtlExceeded);
        }
        let path = self.members[usize::from(member)].path;
        if ip.dont_fragment() && !self.encapsulator.fits(path, ip.total_length()) {
            // From the VIP: the address that the client speaks with, and the only one that is
            // sure to pass whatever filters stand between them. IPVS and katran do the same.
            let source = Some(ip.destination());
            let mtu = self.encapsulator.inner_mtu(path);
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            let message = Message::FragmentationNeeded { mtu };
            self.icmp_error(now, ip, source, (AnswerKind::FragmentationNeeded, message), tx);
            return Some(Outcome::FragmentationNeeded);
        }
        None
    }

    /// Sends the packet to the member, or has it wait for the next hop's address.
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        server: u16,
        member: u16,
        packet: &Packet<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let bytes = packet.ip.bytes();
        let server = &mut self.servers[usize::from(server)];
        server.counters.taken.add(bytes.len());
        let target = &mut self.members[usize::from(member)];
        let port = Some(target.port).filter(|port| server.translate_port && *port != 0);
        let rewrite = Rewrite { decrement_ttl: true, port };
        let Some(neighbour) = target.next_hop else { return Outcome::NoRoute };
        match self.neighbours.resolve(neighbour, now) {
            Resolution::Ready(mac) => {
                let outcome = self.encapsulator.send(target.path, mac, bytes, rewrite, tx);
                if outcome != Outcome::TransmitFull {
                    target.counters.sent.add(bytes.len());
                }
                outcome
            }
            Resolution::Wait => {
                let what = Waiting::ForMember { member, frame: packet.frame };
                let fill = |room: &mut [u8]| rewrite.copy(bytes, room);
                if self.wait(neighbour, what, bytes.len(), fill) {
                    Outcome::WaitingForNeighbour
                } else {
                    Outcome::NeighbourQueueOverflow
                }
            }
            Resolution::Unreachable => Outcome::NeighbourUnreachable,
        }
    }

    /// Puts a packet into a neighbour's queue; what gives its place to it is counted.
    pub(super) fn wait(
        &mut self,
        neighbour: NeighbourId,
        what: Waiting,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        let Self { waiting, tallies, answers, .. } = self;
        waiting.push(neighbour, what, length, fill, |oldest| match oldest {
            Waiting::ForMember { frame, .. } => {
                tallies[Outcome::NeighbourQueueOverflow as usize].add(frame);
            }
            Waiting::Answer(_) => answers.unsendable += 1,
        })
    }
}

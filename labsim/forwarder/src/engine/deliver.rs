//! The last step of a packet on its way to a member or back to a client: may it go, and where to.

use super::encapsulate::{Encapsulator, Path};
use super::rewrite::{Ends, Rewrite};
use super::transport::Packet;
use super::{Engine, Member, NeighbourId};
use crate::counters::Tally;
use crate::flow::{Flow, FlowId};
use crate::neighbour::{AnswerKind, Purpose, Resolution, Waiting};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::EmitError;
use labsim_wire::ethernet::Mac;
use labsim_wire::icmpv4::Message;
use labsim_wire::ipv4;

/// A packet on its way.
pub(super) struct Passing<'a> {
    pub(super) purpose: Purpose,
    pub(super) packet: ipv4::View<'a>,
    pub(super) rewrite: Rewrite,
    /// Length of the frame that it came in.
    pub(super) frame: usize,
}

impl Engine {
    /// What a router owes the sender instead of passing the packet on, if anything. A way takes no
    /// more than `mtu` bytes of it uncut.
    #[inline]
    pub(super) fn refuse_undeliverable(
        &mut self,
        now: Instant,
        mtu: usize,
        ip: &ipv4::View<'_>,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        if ip.ttl() <= 1 {
            // From the interface's address (RFC 1812 4.3.2.4), so that traceroute names the hop.
            let next_hop = self.routes.next_hop(ip.source().into());
            let source = next_hop.and_then(|next_hop| self.port.source_for(next_hop));
            let answer = (AnswerKind::TimeExceeded, Message::TimeExceeded { code: 0 });
            self.icmp_error(now, ip, source, answer, tx);
            return Some(Outcome::TtlExceeded);
        }
        if ip.dont_fragment() && ip.total_length() > mtu {
            // From the address that the sender speaks with, a VIP as a rule: the only one that is
            // sure to pass whatever filters stand between them. IPVS and katran do the same.
            let source = Some(ip.destination());
            let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
            let message = Message::FragmentationNeeded { mtu };
            self.icmp_error(now, ip, source, (AnswerKind::FragmentationNeeded, message), tx);
            return Some(Outcome::FragmentationNeeded);
        }
        None
    }

    /// What becomes of a client's packet of this flow, to that port, on its way to the member.
    #[inline]
    pub(super) fn ends_to_member(&self, id: FlowId, flow: Flow, port: u16) -> Ends {
        let ends = self.destination_of(flow.server, flow.member, port);
        match self.snat.of(id) {
            Some(binding) => ends.with_source(binding.as_whom()),
            None => ends,
        }
    }

    /// What the virtual server makes of the destination of a packet to that port.
    #[inline]
    pub(super) fn destination_of(&self, server: u16, member: u16, port: u16) -> Ends {
        let server = &self.servers[usize::from(server)];
        let member = &self.members[usize::from(member)];
        Ends {
            destination: Some(member.ip).filter(|_| server.translate_address),
            destination_port: Some(member.port)
                .filter(|to| server.translate_port && *to != 0 && *to != port),
            ..Ends::default()
        }
    }

    /// Sends a client's packet to its flow's member, or has it wait for the next hop's address.
    #[inline]
    pub(super) fn deliver(
        &mut self,
        now: Instant,
        id: FlowId,
        flow: Flow,
        packet: &Packet<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let length = packet.ip.bytes().len();
        self.servers[usize::from(flow.server)].counters.taken.add(length);
        let next_hop = self.members[usize::from(flow.member)].next_hop;
        let Some(neighbour) = next_hop else { return Outcome::NoRoute };
        let ends = self.ends_to_member(id, flow, packet.ports().1);
        let passing = Passing {
            purpose: Purpose::Request { member: flow.member },
            packet: packet.ip,
            rewrite: self.rewrite_to(ends, packet),
            frame: packet.frame,
        };
        self.pass(now, neighbour, &passing, tx)
    }

    /// What changes in a packet that gets these ends. Behind one translated address are many
    /// senders: what may be in fragments gets an identification that is ours alone, so that nobody
    /// puts fragments of two of them together (RFC 6864 5.3).
    pub(super) fn rewrite_to(&mut self, ends: Ends, packet: &Packet<'_>) -> Rewrite {
        let apart = packet.ip.is_fragment() || !packet.ip.dont_fragment();
        let id = if apart && ends.readdresses() {
            Some(packet.id.unwrap_or_else(|| self.next_translated_id()))
        } else {
            None
        };
        Rewrite { id, ..Rewrite::to(ends) }
    }

    pub(super) fn next_translated_id(&mut self) -> u16 {
        self.translated_id = self.translated_id.wrapping_add(1);
        self.translated_id
    }

    /// Sends a packet on, or has it wait for the next hop's address.
    #[inline]
    pub(super) fn pass(
        &mut self,
        now: Instant,
        neighbour: NeighbourId,
        passing: &Passing<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match self.neighbours.resolve(neighbour, now) {
            Resolution::Ready(mac) => {
                let Self { encapsulator, members, .. } = self;
                send_on(encapsulator, members, mac, passing, tx)
            }
            Resolution::Wait => {
                let Passing { purpose, packet, rewrite, frame } = passing;
                let what = Waiting::Passing { purpose: *purpose, frame: *frame };
                let fill = |room: &mut [u8]| rewrite.copy(packet, room);
                if self.wait(neighbour, what, packet.bytes().len(), fill) {
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
            Waiting::Passing { purpose, frame } => {
                tally(tallies, purpose, Outcome::NeighbourQueueOverflow, frame);
            }
            Waiting::Answer(_) => answers.unsendable += 1,
        })
    }
}

/// Counts what became of a packet that waited. A monitor's probe came in no frame.
pub(super) fn tally(
    tallies: &mut [Tally; Outcome::COUNT],
    purpose: Purpose,
    outcome: Outcome,
    frame: usize,
) {
    if !matches!(purpose, Purpose::Probe { .. }) {
        tallies[outcome as usize].add(frame);
    }
}

/// Writes the frames of a packet that goes on, and counts it for its member.
#[inline]
pub(super) fn send_on(
    encapsulator: &mut Encapsulator,
    members: &mut [Member],
    next_hop: Mac,
    passing: &Passing<'_>,
    tx: &mut impl Transmit,
) -> Outcome {
    let Passing { purpose, packet, rewrite, .. } = passing;
    let path = match *purpose {
        Purpose::Request { member } | Purpose::Probe { member } => {
            members[usize::from(member)].path
        }
        Purpose::Error { member: Some(member) } => {
            members[usize::from(member)].path.with_own_source()
        }
        Purpose::Reply | Purpose::Error { member: None } => Path::Plain,
    };
    let outcome = encapsulator.send(path, next_hop, packet, rewrite, tx);
    if outcome == Outcome::TransmitFull {
        return outcome;
    }
    match *purpose {
        Purpose::Request { member } => {
            members[usize::from(member)].counters.sent.add(packet.bytes().len());
            outcome
        }
        Purpose::Reply if outcome == Outcome::Forwarded => Outcome::ForwardedToClient,
        Purpose::Error { .. } if outcome == Outcome::Forwarded => Outcome::IcmpErrorForwarded,
        Purpose::Reply | Purpose::Error { .. } | Purpose::Probe { .. } => outcome,
    }
}

//! The last step of a packet on its way to a member or back to a client: may it go, and where to.

use super::encapsulate::{Encapsulator, Path};
use super::ip::{Ip, v4};
use super::report::Report;
use super::rewrite::{Ends, Rewrite};
use super::transport::Packet;
use super::{Engine, Member, NeighbourId};
use crate::flow::Flow;
use crate::neighbour::{Purpose, Resolution, Waiting};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::EmitError;
use labsim_wire::ethernet::Mac;
use std::net::IpAddr;

/// A packet on its way.
pub(super) struct Passing<I> {
    pub(super) purpose: Purpose,
    pub(super) packet: I,
    pub(super) rewrite: Rewrite,
    /// Length of the frame that it came in.
    pub(super) frame: usize,
}

impl Engine {
    /// What a router owes the sender instead of passing the packet on, if anything. A way takes no
    /// more than `mtu` bytes of it uncut.
    #[inline]
    pub(super) fn refuse_undeliverable<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        mtu: usize,
        ip: &I,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        if ip.hops() <= 1 {
            let source = self.own_source(ip.source().into());
            self.icmp_error(now, ip, source.and_then(I::address), Report::TimeExceeded, tx);
            return Some(Outcome::TtlExceeded);
        }
        if ip.total_length() > mtu && !ip.may_be_cut() && ip.total_length() > I::LEAST_MTU {
            // From the address that the sender speaks with, a VIP as a rule: the only one that is
            // sure to pass whatever filters stand between them. IPVS and katran do the same.
            let report = Report::TooLong { mtu: mtu.max(I::LEAST_MTU) };
            self.icmp_error(now, ip, Some(ip.destination()), report, tx);
            return Some(I::TOO_LONG);
        }
        None
    }

    /// The interface's address on the way to somebody, so that traceroute names the hop (RFC 1812
    /// 4.3.2.4, RFC 4443 2.2).
    fn own_source(&self, to: IpAddr) -> Option<IpAddr> {
        self.port.source_for(to, self.routes.next_hop(to)?)
    }

    /// What becomes of a client's packet of this flow, to that port, on its way to the member.
    #[inline]
    pub(super) fn ends_to_member(&self, flow: Flow, port: u16) -> Ends {
        let ends = self.destination_of(flow.server, flow.member, port);
        match flow.stand {
            Some(stand) => ends.with_source(self.snat.as_whom(stand)),
            None => ends,
        }
    }

    /// What the virtual server makes of the destination of a packet to that port.
    #[inline]
    pub(super) fn destination_of(&self, server: u16, member: u16, port: u16) -> Ends {
        let server = &self.servers[usize::from(server)];
        let member = &self.members[usize::from(member)];
        Ends {
            destination: v4(member.ip).filter(|_| server.translate_address),
            destination_port: Some(member.port)
                .filter(|to| server.translate_port && *to != 0 && *to != port),
            ..Ends::default()
        }
    }

    /// Sends a client's packet to its flow's member, or has it wait for the next hop's address.
    #[inline]
    pub(super) fn deliver<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        flow: Flow,
        packet: &Packet<'_, I>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let length = packet.ip.bytes().len();
        self.servers[usize::from(flow.server)].counters.taken.add(length);
        let next_hop = self.members[usize::from(flow.member)].next_hop;
        let Some(neighbour) = next_hop else { return Outcome::NoRoute };
        let ends = self.ends_to_member(flow, packet.ports().1);
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
    pub(super) fn rewrite_to<'a>(
        &mut self,
        ends: Ends,
        packet: &Packet<'_, impl Ip<'a>>,
    ) -> Rewrite {
        let apart = packet.ip.is_fragment() || packet.ip.may_be_cut();
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
    pub(super) fn pass<'a>(
        &mut self,
        now: Instant,
        neighbour: NeighbourId,
        passing: &Passing<impl Ip<'a>>,
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
            Waiting::Passing { frame, .. } => {
                tallies[Outcome::NeighbourQueueOverflow as usize].add(frame);
            }
            Waiting::Answer(_) => answers.unsendable += 1,
        })
    }
}

/// Writes the frames of a packet that goes on, and counts it for its member.
#[inline]
pub(super) fn send_on<'a>(
    encapsulator: &mut Encapsulator,
    members: &mut [Member],
    next_hop: Mac,
    passing: &Passing<impl Ip<'a>>,
    tx: &mut impl Transmit,
) -> Outcome {
    let Passing { purpose, packet, rewrite, .. } = passing;
    let own_source;
    let path = match *purpose {
        Purpose::Request { member } => &members[usize::from(member)].path,
        Purpose::Error { member: Some(member) } => {
            own_source = members[usize::from(member)].path.with_own_source();
            &own_source
        }
        Purpose::Reply | Purpose::Error { member: None } => &Path::Plain,
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
        Purpose::Reply | Purpose::Error { .. } => outcome,
    }
}

//! The last step of a packet to a member or back to a client: TTL, MTU, next hop, transmission.

use super::encapsulate::{Encapsulator, Path};
use super::icmp_messages::IcmpError;
use super::ip::Ip;
use super::packet::Packet;
use super::rewrite::{AddressRewrite, Rewrite};
use super::{Engine, Member, NeighbourId};
use crate::counters::Tally;
use crate::flow::Flow;
use crate::neighbour::{Purpose, QueuedPacket, Resolution};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::EmitError;
use labsim_wire::ethernet::Mac;
use std::net::IpAddr;

/// A packet that is being forwarded.
pub(super) struct Outgoing<I> {
    pub(super) purpose: Purpose,
    pub(super) packet: I,
    pub(super) rewrite: Rewrite,
    /// Length of the frame that it came in.
    pub(super) frame: usize,
}

impl Engine {
    /// Answers a packet that cannot be forwarded with an ICMP error: its TTL has expired, or it is
    /// longer than `mtu` and must not be fragmented. `None` if it can be forwarded.
    #[inline]
    pub(super) fn refuse_undeliverable<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        mtu: usize,
        ip: &I,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        if ip.ttl() <= 1 {
            let source = self.own_source(ip.source().into());
            self.icmp_error(now, ip, source.and_then(I::address), IcmpError::TimeExceeded, tx);
            return Some(Outcome::TtlExceeded);
        }
        if ip.total_length() > mtu && !ip.may_fragment() && ip.total_length() > I::MIN_MTU {
            // From the address that the sender speaks with, a VIP as a rule: the only one that is
            // sure to pass whatever filters stand between them. IPVS and katran do the same.
            let error = IcmpError::TooLong { mtu: mtu.max(I::MIN_MTU) };
            self.icmp_error(now, ip, Some(ip.destination()), error, tx);
            return Some(I::TOO_LONG);
        }
        None
    }

    /// The same for a packet to that member. One that the host's kernel gets has arrived.
    #[inline]
    pub(super) fn refuse_on_the_way<'a>(
        &mut self,
        now: Instant,
        member: u16,
        ip: &impl Ip<'a>,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        let member = &self.members[usize::from(member)];
        if member.is_hosts {
            return None;
        }
        let mtu = self.encapsulator.inner_mtu(&member.path);
        self.refuse_undeliverable(now, mtu, ip, tx)
    }

    /// The interface's address on the way to a host, so that traceroute names the hop (RFC 1812
    /// 4.3.2.4, RFC 4443 2.2).
    fn own_source(&self, to: IpAddr) -> Option<IpAddr> {
        self.port.source_by(to, self.routes.next_hop(to)?)
    }

    /// The rewrite of a client's packet of this flow, to that port, on its way to the member.
    #[inline]
    pub(super) fn rewrite_to_member(&self, flow: Flow, port: u16) -> AddressRewrite {
        let addresses = self.rewrite_destination(flow.server, flow.member, port);
        match flow.snat {
            Some(snat) => addresses.with_source(self.snat.snat_endpoint(snat)),
            None => addresses,
        }
    }

    /// The destination that the virtual server writes into a packet to that port.
    #[inline]
    pub(super) fn rewrite_destination(
        &self,
        server: u16,
        member: u16,
        port: u16,
    ) -> AddressRewrite {
        let server = &self.servers[usize::from(server)];
        let member = &self.members[usize::from(member)];
        AddressRewrite {
            destination: Some(member.ip).filter(|_| server.translate_address),
            destination_port: Some(member.port)
                .filter(|to| server.translate_port && *to != 0 && *to != port),
            ..AddressRewrite::default()
        }
    }

    /// Sends a client's packet to its flow's member, or queues it for the next hop's address.
    #[inline]
    pub(super) fn deliver<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        flow: Flow,
        packet: &Packet<'_, I>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let length = packet.ip.bytes().len();
        self.servers[usize::from(flow.server)].counters.received.add(length);
        let Member { next_hop, is_hosts, .. } = self.members[usize::from(flow.member)];
        let Some(neighbour) = next_hop else { return Outcome::NoRoute };
        let addresses = self.rewrite_to_member(flow, packet.ports().1);
        let mut rewrite = self.rewrite_to(addresses, packet);
        rewrite.decrement_ttl = !is_hosts;
        let outgoing = Outgoing {
            purpose: Purpose::Request { member: flow.member },
            packet: packet.ip,
            rewrite,
            frame: packet.frame,
        };
        match self.transmit_or_queue(now, neighbour, &outgoing, tx) {
            Outcome::Forwarded if is_hosts => Outcome::DeliveredToHost,
            outcome => outcome,
        }
    }

    /// Gives the host's kernel a packet that was kept from it and is its own.
    pub(super) fn return_to_host<'a>(
        &mut self,
        ip: &impl Ip<'a>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let (own, rewrite) = (self.port.mac, Rewrite::UNCHANGED);
        match self.encapsulator.send(&Path::PLAIN, own, ip, &rewrite, tx) {
            Outcome::TransmitFull => Outcome::TransmitFull,
            _ => Outcome::LeftToHost,
        }
    }

    /// The rewrite of a packet with these addresses. Behind one translated address are many
    /// senders: packets that may be fragments get our own identification, so that no host
    /// reassembles fragments of two of them (RFC 6864 5.3).
    #[inline]
    pub(super) fn rewrite_to<'a>(
        &mut self,
        addresses: AddressRewrite,
        packet: &Packet<'_, impl Ip<'a>>,
    ) -> Rewrite {
        let apart = packet.ip.is_fragment() || packet.ip.may_fragment();
        let id = if apart && addresses.changes_address() {
            Some(packet.id.unwrap_or_else(|| self.next_translated_id()))
        } else {
            None
        };
        Rewrite { id, ..Rewrite::to(addresses) }
    }

    pub(super) fn next_translated_id(&mut self) -> u16 {
        self.translated_id = self.translated_id.wrapping_add(1);
        self.translated_id
    }

    /// Transmits a packet, or queues it for the next hop's address.
    #[inline]
    pub(super) fn transmit_or_queue<'a>(
        &mut self,
        now: Instant,
        neighbour: NeighbourId,
        outgoing: &Outgoing<impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match self.neighbours.resolve(neighbour, now) {
            Resolution::Ready(mac) => {
                let Self { encapsulator, members, .. } = self;
                transmit(encapsulator, members, mac, outgoing, tx)
            }
            Resolution::Wait => {
                let Outgoing { purpose, packet, rewrite, frame } = outgoing;
                let what = QueuedPacket::Forwarded { purpose: *purpose, frame: *frame };
                let fill = |room: &mut [u8]| rewrite.copy(packet, room);
                if self.enqueue(neighbour, what, packet.bytes().len(), fill) {
                    Outcome::WaitingForNeighbour
                } else {
                    Outcome::NeighbourQueueOverflow
                }
            }
            Resolution::Unreachable => Outcome::NeighbourUnreachable,
        }
    }

    /// Queues a packet for a neighbour; a packet that is dropped for it is counted.
    pub(super) fn enqueue(
        &mut self,
        neighbour: NeighbourId,
        what: QueuedPacket,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        let Self { waiting, tallies, answers, .. } = self;
        waiting.push(neighbour, what, length, fill, |oldest| match oldest {
            QueuedPacket::Forwarded { purpose, frame } => {
                count_outcome(tallies, purpose, Outcome::NeighbourQueueOverflow, frame);
            }
            QueuedPacket::Answer(_) => answers.unsendable += 1,
        })
    }
}

/// Counts what became of a packet that waited. A monitor's probe came in no frame.
pub(super) fn count_outcome(
    tallies: &mut [Tally; Outcome::COUNT],
    purpose: Purpose,
    outcome: Outcome,
    frame: usize,
) {
    if !matches!(purpose, Purpose::Probe { .. }) {
        tallies[outcome as usize].add(frame);
    }
}

/// Writes the frames of a forwarded packet, and counts it for its member.
#[inline]
pub(super) fn transmit<'a>(
    encapsulator: &mut Encapsulator,
    members: &mut [Member],
    next_hop: Mac,
    outgoing: &Outgoing<impl Ip<'a>>,
    tx: &mut impl Transmit,
) -> Outcome {
    let Outgoing { purpose, packet, rewrite, .. } = outgoing;
    let own_source;
    let path = match *purpose {
        Purpose::Request { member } | Purpose::Probe { member } => {
            &members[usize::from(member)].path
        }
        Purpose::Error { member: Some(member) } => {
            own_source = members[usize::from(member)].path.with_own_source();
            &own_source
        }
        Purpose::Reply | Purpose::Error { member: None } => &Path::PLAIN,
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

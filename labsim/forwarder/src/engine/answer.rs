//! What the forwarder says in its own name: through the same routes and neighbours as everything
//! else, and no more often than is right.

use super::transport::next_sequence;
use super::{Engine, Limit};
use crate::counters::AnswerCounters;
use crate::neighbour::{AnswerKind, Resolution, Waiting};
use crate::{Instant, Transmit};
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::icmpv4::{self, Message};
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{EmitError, checksum, ipv4, protocol};
use std::net::{Ipv4Addr, SocketAddrV4};

/// The TTL of the forwarder's own packets (RFC 1700's default).
pub(super) const OWN_TTL: u8 = 64;
/// Length of a reset: two headers.
const RESET_LEN: usize = ipv4::MIN_HEADER_LEN + tcp::MIN_HEADER_LEN;

impl AnswerCounters {
    pub(super) fn count(&mut self, kind: AnswerKind, sent: bool) {
        let counter = match kind {
            _ if !sent => &mut self.unsendable,
            AnswerKind::EchoReply => &mut self.icmp_echo_reply,
            AnswerKind::TimeExceeded => &mut self.icmp_time_exceeded,
            AnswerKind::FragmentationNeeded => &mut self.icmp_fragmentation_needed,
            AnswerKind::HostUnreachable => &mut self.icmp_host_unreachable,
            AnswerKind::PortUnreachable => &mut self.icmp_port_unreachable,
            AnswerKind::Reset => &mut self.tcp_reset,
        };
        *counter += 1;
    }
}

impl Engine {
    /// Sends an IP packet of the forwarder's own, or has it wait for its next hop.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        kind: AnswerKind,
        to: Ipv4Addr,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        tx: &mut impl Transmit,
    ) {
        let next_hop = self.routes.next_hop(to.into());
        let neighbour = next_hop.and_then(|next_hop| self.neighbours.find_or_add(next_hop, now));
        let Some(neighbour) = neighbour.filter(|_| length <= self.port.mtu) else {
            self.answers.unsendable += 1;
            return;
        };
        match self.neighbours.resolve(neighbour, now) {
            Resolution::Ready(mac) => {
                let link = ethernet::Header {
                    destination: mac,
                    source: self.port.mac,
                    ethertype: ethertype::IPV4,
                };
                let sent = tx.transmit(ethernet::HEADER_LEN + length, |frame| {
                    link.emit(frame)?;
                    fill(&mut frame[ethernet::HEADER_LEN..])
                });
                self.answers.count(kind, sent);
            }
            Resolution::Wait => {
                let waits = self.wait(neighbour, Waiting::Answer(kind), length, fill);
                self.answers.unsendable += u64::from(!waits);
            }
            Resolution::Unreachable => self.answers.unsendable += 1,
        }
    }

    /// Answers a packet with an ICMP error, if one is allowed and owed.
    pub(super) fn icmp_error(
        &mut self,
        now: Instant,
        about: &ipv4::View<'_>,
        source: Option<Ipv4Addr>,
        (kind, message): (AnswerKind, Message),
        tx: &mut impl Transmit,
    ) {
        if !icmpv4::may_answer(about) {
            self.answers.forbidden += 1;
            return;
        }
        let Some(source) = source.filter(|_| take(&mut self.icmp_limit, now, &mut self.answers))
        else {
            return;
        };
        let id = self.next_own_id();
        let destination = about.source();
        let error = icmpv4::Error { source, destination, ttl: OWN_TTL, id, message };
        let length = error.length(about.bytes());
        let original = about.bytes();
        let fill = |packet: &mut [u8]| error.emit(original, packet).map(|_| ());
        self.answer(now, kind, destination, length, fill, tx);
    }

    /// Answers a TCP segment that nothing here belongs to with a reset (RFC 9293 3.10.7.1), as F5
    /// does for a packet without a flow and for a port without a virtual server.
    pub(super) fn reset(
        &mut self,
        now: Instant,
        about: &ipv4::View<'_>,
        segment: &tcp::View<'_>,
        tx: &mut impl Transmit,
    ) {
        let flags = segment.flags();
        if flags.contains(Flags::RST) {
            self.answers.forbidden += 1;
            return;
        }
        if !take(&mut self.reset_limit, now, &mut self.answers) {
            return;
        }
        let numbers = if flags.contains(Flags::ACK) {
            (segment.acknowledgement(), None)
        } else {
            (0, Some(next_sequence(segment)))
        };
        let from = SocketAddrV4::new(about.destination(), segment.destination_port());
        let to = SocketAddrV4::new(about.source(), segment.source_port());
        self.send_reset(now, from, to, numbers, tx);
    }

    /// Sends a reset whose receiver expects that sequence number, and acknowledges the other.
    pub(super) fn send_reset(
        &mut self,
        now: Instant,
        from: SocketAddrV4,
        to: SocketAddrV4,
        numbers: (u32, Option<u32>),
        tx: &mut impl Transmit,
    ) {
        let packet = self.reset_packet(from, to, numbers);
        let fill = |room: &mut [u8]| {
            room.copy_from_slice(&packet);
            Ok(())
        };
        self.answer(now, AnswerKind::Reset, *to.ip(), packet.len(), fill, tx);
    }

    /// That reset.
    pub(super) fn reset_packet(
        &mut self,
        from: SocketAddrV4,
        to: SocketAddrV4,
        (sequence, acknowledged): (u32, Option<u32>),
    ) -> [u8; RESET_LEN] {
        let flags = match acknowledged {
            Some(_) => Flags::RST.with(Flags::ACK),
            None => Flags::RST,
        };
        let header = tcp::Header {
            source_port: from.port(),
            destination_port: to.port(),
            sequence,
            acknowledgement: acknowledged.unwrap_or_default(),
            flags,
            window: 0,
            urgent: 0,
            options: &[],
        };
        let outer = self.own_header(*from.ip(), *to.ip(), protocol::TCP, tcp::MIN_HEADER_LEN);
        let mut packet = [0; RESET_LEN];
        let (ip, segment) = packet.split_at_mut(ipv4::MIN_HEADER_LEN);
        // Both have their room.
        let _ = outer.emit(ip);
        let _ = header.emit(segment);
        if let Ok(mut view) = tcp::ViewMut::new(segment) {
            view.fill_checksum(&checksum::AddressPair::V4(*from.ip(), *to.ip()));
        }
        packet
    }

    /// The IP header of a packet of the forwarder's own.
    pub(super) fn own_header(
        &mut self,
        source: Ipv4Addr,
        destination: Ipv4Addr,
        protocol: u8,
        payload_length: usize,
    ) -> ipv4::Header<'static> {
        ipv4::Header {
            source,
            destination,
            protocol,
            ttl: OWN_TTL,
            tos: 0,
            id: self.next_own_id(),
            dont_fragment: false,
            more_fragments: false,
            fragment_offset: 0,
            options: &[],
            payload_length,
        }
    }

    fn next_own_id(&mut self) -> u16 {
        self.own_id = self.own_id.wrapping_add(1);
        self.own_id
    }
}

fn take(limit: &mut Limit, now: Instant, answers: &mut AnswerCounters) -> bool {
    let granted = limit.take(now);
    answers.rate_limited += u64::from(!granted);
    granted
}

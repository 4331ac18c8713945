//! Packets that the forwarder originates, through the same routes and neighbours as all others, and
//! rate-limited.

use super::icmp_messages::IcmpError;
use super::ip::{Ip, own_header, own_header6};
use super::packet::next_sequence;
use super::{Engine, RateLimit};
use crate::counters::AnswerCounters;
use crate::neighbour::{AnswerKind, QueuedPacket, Resolution};
use crate::{Instant, Transmit};
use labsim_wire::ethernet::{self, ethertype};
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{EmitError, checksum, ipv4, ipv6, protocol};
use std::net::{IpAddr, SocketAddr};

/// Length of the longest reset: two headers.
pub(super) const RESET_LEN: usize = ipv6::HEADER_LEN + tcp::MIN_HEADER_LEN;

impl AnswerCounters {
    pub(super) fn count(&mut self, kind: AnswerKind, sent: bool) {
        let counter = match kind {
            _ if !sent => &mut self.unsendable,
            AnswerKind::EchoReply => &mut self.icmp_echo_reply,
            AnswerKind::TimeExceeded => &mut self.icmp_time_exceeded,
            AnswerKind::FragmentationNeeded => &mut self.icmp_fragmentation_needed,
            AnswerKind::PacketTooBig => &mut self.icmp_packet_too_big,
            AnswerKind::HostUnreachable => &mut self.icmp_host_unreachable,
            AnswerKind::PortUnreachable => &mut self.icmp_port_unreachable,
            AnswerKind::Reset => &mut self.tcp_reset,
        };
        *counter += 1;
    }
}

impl Engine {
    /// Sends an IP packet of the forwarder's own, or queues it for its next hop.
    pub(super) fn answer(
        &mut self,
        now: Instant,
        kind: AnswerKind,
        to: IpAddr,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        tx: &mut impl Transmit,
    ) {
        let neighbour = self.neighbour_towards(now, to).ok();
        let Some(neighbour) = neighbour.filter(|_| length <= self.port.mtu) else {
            self.answers.unsendable += 1;
            return;
        };
        match self.neighbours.resolve(neighbour, now) {
            Resolution::Ready(mac) => {
                let link = ethernet::Header {
                    destination: mac,
                    source: self.port.mac,
                    ethertype: ethertype_of(to),
                };
                let sent = tx.transmit(ethernet::HEADER_LEN + length, |frame| {
                    link.emit(frame)?;
                    fill(&mut frame[ethernet::HEADER_LEN..])
                });
                self.answers.count(kind, sent);
            }
            Resolution::Wait => {
                let waits = self.enqueue(neighbour, QueuedPacket::Answer(kind), length, fill);
                self.answers.unsendable += u64::from(!waits);
            }
            Resolution::Unreachable => self.answers.unsendable += 1,
        }
    }

    /// Answers a packet with an ICMP error, if one is allowed.
    pub(super) fn icmp_error<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        about: &I,
        source: Option<I::Address>,
        error: IcmpError,
        tx: &mut impl Transmit,
    ) {
        if !about.may_be_answered_with_error() {
            self.answers.forbidden += 1;
            return;
        }
        let Some(source) =
            source.filter(|_| take_token(&mut self.icmp_limit, now, &mut self.answers))
        else {
            return;
        };
        let id = self.next_own_id();
        let fill = |packet: &mut [u8]| about.emit_error(source, error, id, packet);
        let kind = error.kind(I::ETHERTYPE);
        // The quote is as short as the link needs; its MTU leaves room for more than the eight bytes of
        // the payload that RFC 792 asks for.
        let length = about.error_length().min(self.port.mtu);
        self.answer(now, kind, about.source().into(), length, fill, tx);
    }

    /// Answers a TCP segment without a flow or virtual server with a reset (RFC 9293 3.10.7.1), as
    /// F5 does for a packet without a flow and for a port without a virtual server.
    pub(super) fn reset<'a>(
        &mut self,
        now: Instant,
        about: &impl Ip<'a>,
        segment: &tcp::View<'_>,
        tx: &mut impl Transmit,
    ) {
        let flags = segment.flags();
        if flags.contains(Flags::RST) {
            self.answers.forbidden += 1;
            return;
        }
        if !take_token(&mut self.reset_limit, now, &mut self.answers) {
            return;
        }
        let numbers = if flags.contains(Flags::ACK) {
            ResetNumbers { sequence: segment.acknowledgement(), acknowledged: None }
        } else {
            ResetNumbers { sequence: 0, acknowledged: Some(next_sequence(segment)) }
        };
        let from = SocketAddr::new(about.destination().into(), segment.destination_port());
        let to = SocketAddr::new(about.source().into(), segment.source_port());
        self.send_reset(now, from, to, numbers, tx);
    }

    /// Sends a reset with these numbers.
    pub(super) fn send_reset(
        &mut self,
        now: Instant,
        from: SocketAddr,
        to: SocketAddr,
        numbers: ResetNumbers,
        tx: &mut impl Transmit,
    ) {
        let mut room = [0; RESET_LEN];
        let packet = self.reset_packet(from, to, numbers, &mut room);
        let fill = |room: &mut [u8]| {
            room.copy_from_slice(packet);
            Ok(())
        };
        self.answer(now, AnswerKind::Reset, to.ip(), packet.len(), fill, tx);
    }

    /// That reset, between two ends of one family.
    pub(super) fn reset_packet<'a>(
        &mut self,
        from: SocketAddr,
        to: SocketAddr,
        numbers: ResetNumbers,
        room: &'a mut [u8; RESET_LEN],
    ) -> &'a [u8] {
        let ResetNumbers { sequence, acknowledged } = numbers;
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
        let (number, length) = (protocol::TCP, tcp::MIN_HEADER_LEN);
        let start = match (from.ip(), to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let outer = own_header(from, to, number, self.next_own_id(), length);
                // All have their room.
                let _ = outer.emit(room);
                ipv4::MIN_HEADER_LEN
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let _ = own_header6(from, to, number, length).emit(room);
                ipv6::HEADER_LEN
            }
            _ => return &[],
        };
        let packet = &mut room[..start + length];
        let segment = &mut packet[start..];
        let _ = header.emit(segment);
        if let (Ok(mut view), Some(addresses)) =
            (tcp::ViewMut::new(segment), checksum::AddressPair::new(from.ip(), to.ip()))
        {
            view.fill_checksum(&addresses);
        }
        packet
    }

    pub(super) fn next_own_id(&mut self) -> u16 {
        self.own_id = self.own_id.wrapping_add(1);
        self.own_id
    }
}

/// The numbers of a reset.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResetNumbers {
    /// The sequence number that its receiver expects.
    pub(super) sequence: u32,
    /// What it acknowledges, if anything.
    pub(super) acknowledged: Option<u32>,
}

fn take_token(limit: &mut RateLimit, now: Instant, answers: &mut AnswerCounters) -> bool {
    let granted = limit.take(now);
    answers.rate_limited += u64::from(!granted);
    granted
}

/// Of a packet to that address.
const fn ethertype_of(to: IpAddr) -> u16 {
    match to {
        IpAddr::V4(_) => ethertype::IPV4,
        IpAddr::V6(_) => ethertype::IPV6,
    }
}

//! ICMP to a VIP, to an address that stands in for clients, or to a tunnel's source: an echo to a
//! VIP is answered, as F5's virtual addresses do; errors go on to the end that can use them.

use super::Engine;
use crate::neighbour::AnswerKind;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::icmpv4::{self, Message};
use labsim_wire::{ipv4, protocol};

impl Engine {
    pub(super) fn icmp(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &ipv4::View<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Ok(message) = icmpv4::View::new(ip.payload()) else { return Outcome::IcmpMalformed };
        if !message.checksum_ok() {
            return Outcome::IcmpMalformed;
        }
        if message.is_error() {
            return self.icmp_about_flow(now, frame, ip, &message, tx);
        }
        if !self.owns(ip.destination()) {
            return Outcome::NoVirtualAddress;
        }
        if !self.services.is_vip(ip.destination().into()) {
            return Outcome::IcmpNotHandled;
        }
        let Message::EchoRequest { id, sequence } = Message::parse(&message) else {
            return Outcome::IcmpNotHandled;
        };
        let data = message.data();
        let reply = Message::EchoReply { id, sequence };
        let (from, to) = (ip.destination(), ip.source());
        let mut header = self.own_header(from, to, protocol::ICMP, icmpv4::HEADER_LEN + data.len());
        // RFC 1122 3.2.2.6 leaves it open; Linux answers with the TOS it was asked with.
        header.tos = ip.tos();
        let length = ipv4::MIN_HEADER_LEN + header.payload_length;
        let fill = |packet: &mut [u8]| {
            header.emit(packet)?;
            let message = &mut packet[ipv4::MIN_HEADER_LEN..];
            message[icmpv4::HEADER_LEN..].copy_from_slice(data);
            reply.emit(message)
        };
        self.answer(now, AnswerKind::EchoReply, to, length, fill, tx);
        Outcome::EchoAnswered
    }
}

//! ICMP to a VIP, to an address that stands in for clients, or to a tunnel's source: an echo to a
//! VIP is answered, as F5's virtual addresses do; errors go on to the end that can use them.

use super::Engine;
use super::ip::Ip;
use super::report::Heard;
use crate::neighbour::AnswerKind;
use crate::{Instant, Outcome, Transmit};

impl Engine {
    pub(super) fn icmp<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &I,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let (echo, data) = match ip.heard() {
            Heard::Malformed => return Outcome::IcmpMalformed,
            Heard::Useless => return Outcome::IcmpNotHandled,
            Heard::Error { quoted, meaning } => {
                let about_tunnel = self.icmp_about_tunnel(now, ip, quoted, meaning, tx);
                return about_tunnel
                    .unwrap_or_else(|| self.icmp_about_flow(now, frame, ip, quoted, tx));
            }
            _ if !self.owns(ip.destination()) => return Outcome::NoVirtualAddress,
            Heard::Echo { id, sequence, data } => ((id, sequence), data),
            Heard::Other => return Outcome::IcmpNotHandled,
        };
        if !self.services.is_vip(ip.destination().into()) {
            return Outcome::IcmpNotHandled;
        }
        let id = self.next_own_id();
        let fill = |packet: &mut [u8]| ip.emit_echo(echo, data, id, packet);
        let to = ip.source().into();
        self.answer(now, AnswerKind::EchoReply, to, I::echo_length(data), fill, tx);
        Outcome::EchoAnswered
    }
}

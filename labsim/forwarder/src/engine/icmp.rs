//! ICMP to a VIP, to an address that stands in for clients, or to a tunnel's source: an echo to a
//! VIP is answered, as F5's virtual addresses do; errors go on to the end that can use them.

use super::Engine;
use super::icmp_messages::IcmpInput;
use super::ip::{EchoNumbers, Ip};
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
        let (echo, data) = match ip.icmp_input() {
            IcmpInput::Malformed => return Outcome::IcmpMalformed,
            IcmpInput::Unusable => return Outcome::IcmpNotHandled,
            IcmpInput::Error { quoted, action } => {
                let about_tunnel = self.icmp_about_tunnel(now, ip, quoted, action, tx);
                let outcome = about_tunnel
                    .unwrap_or_else(|| self.icmp_about_flow(now, frame, ip, quoted, tx));
                // The host's kernel has it too.
                let is_hosts = self.services.is_hosts(ip.destination().into());
                return match outcome {
                    Outcome::IcmpErrorUnmatched if is_hosts => Outcome::LeftToHost,
                    outcome => outcome,
                };
            }
            _ if !self.is_owned(ip.destination()) => return Outcome::NoVirtualAddress,
            _ if self.services.is_hosts(ip.destination().into()) => return Outcome::LeftToHost,
            IcmpInput::Echo { id, sequence, data } => (EchoNumbers { id, sequence }, data),
            IcmpInput::Other => return Outcome::IcmpNotHandled,
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

//! Initial sequence numbers, learnt wherever a handshake was captured.
//!
//! At the load balancer of a DSR setup only one direction passes, so what a point shows alone
//! does not tell where the other side began counting: any point's SYN and SYN-ACK count for all.

use crate::flow_numbers::FlowNumbers;
use crate::frames::FlowId;
use crate::translate::Translations;
use labsim_wire::decode::{Relative, Tcp};
use labsim_wire::tcp::Flags;

/// Initial sequence numbers by flow direction; several if ports were used again.
#[derive(Debug, Default)]
pub(crate) struct Isns {
    /// From a SYN or SYN-ACK of that direction. The same handshake is captured at many points.
    sent: FlowNumbers,
    /// From the other direction's SYN-ACK, which acknowledges the number plus one.
    acknowledged: FlowNumbers,
}

impl Isns {
    /// Takes note of a segment; frames have to come in time's order.
    pub(crate) fn learn(&mut self, index: usize, flow: FlowId, tcp: &Tcp) {
        if !tcp.flags.contains(Flags::SYN) {
            return;
        }
        self.sent.record(flow, index, tcp.sequence);
        if tcp.flags.contains(Flags::ACK) {
            let first = tcp.acknowledgement.wrapping_sub(1);
            self.acknowledged.record(flow.reversed(), index, first);
        }
    }

    /// Both numbers of a segment relative to the two sides' first ones, as tcpdump shows them: a
    /// SYN and a SYN-ACK have sequence number 0, the first byte of data has 1. The
    /// acknowledgement number is `None` if ACK is not set.
    ///
    /// A translated flow whose handshake was not captured counts from its origin's: translation
    /// does not change the numbers.
    pub(crate) fn relative(
        &self,
        index: usize,
        flow: FlowId,
        tcp: &Tcp,
        translations: &Translations,
    ) -> Relative {
        let first = |flow: FlowId| {
            let origin = || translations.origin(flow, index);
            let answered = || translations.origin(flow.reversed(), index).reversed();
            let first = self.first(flow, index).or_else(|| self.first(origin(), index));
            first.or_else(|| self.first(answered(), index))
        };
        let own = first(flow);
        let sequence = match own {
            Some(first) => Some(tcp.sequence.wrapping_sub(first)),
            // A RST that refuses a SYN has sequence number 0 on the wire and no ISN
            // (RFC 9293, 3.10.7.1).
            None if tcp.flags.contains(Flags::RST) && tcp.sequence == 0 => Some(0),
            None => None,
        };
        let acknowledgement = tcp
            .flags
            .contains(Flags::ACK)
            .then(|| first(flow.reversed()))
            .flatten()
            .map(|first| tcp.acknowledgement.wrapping_sub(first));
        Relative { sequence, acknowledgement }
    }

    fn first(&self, flow: FlowId, index: usize) -> Option<u32> {
        self.sent.at(flow, index).or_else(|| self.acknowledged.at(flow, index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_wire::checksum::ChecksumState;

    fn flow() -> FlowId {
        FlowId(6)
    }

    fn tcp(flags: Flags, sequence: u32, acknowledgement: u32) -> Tcp {
        Tcp {
            source_port: 0,
            destination_port: 0,
            sequence,
            acknowledgement,
            flags,
            window: 0,
            mss: None,
            payload: 0,
            checksum: ChecksumState::Good,
        }
    }

    fn relative(isns: &Isns, index: usize, flow: FlowId, tcp: &Tcp) -> Relative {
        isns.relative(index, flow, tcp, &Translations::default())
    }

    #[test]
    fn numbers_are_relative_to_both_sides_first_ones() {
        let mut isns = Isns::default();
        let syn = tcp(Flags::SYN, 277_734_018, 0);
        let syn_ack = tcp(Flags::SYN.with(Flags::ACK), 2_220_389_578, 277_734_019);
        isns.learn(0, flow(), &syn);
        isns.learn(1, flow().reversed(), &syn_ack);
        let seen = |index, flow, tcp: &Tcp| {
            let relative = relative(&isns, index, flow, tcp);
            (relative.sequence, relative.acknowledgement)
        };
        assert_eq!(seen(0, flow(), &syn), (Some(0), None));
        assert_eq!(seen(1, flow().reversed(), &syn_ack), (Some(0), Some(1)));
        let data = tcp(Flags::PSH.with(Flags::ACK), 277_734_019, 2_220_389_579);
        assert_eq!(seen(2, flow(), &data), (Some(1), Some(1)));
    }

    #[test]
    fn one_direction_alone_is_enough_for_its_syn_ack_to_tell_both() {
        let mut isns = Isns::default();
        isns.learn(5, flow().reversed(), &tcp(Flags::SYN.with(Flags::ACK), 1000, u32::MAX));
        let data = tcp(Flags::ACK, 3, 1001);
        let relative = relative(&isns, 9, flow(), &data);
        // The client's first number was u32::MAX - 1: numbers wrap.
        assert_eq!((relative.sequence, relative.acknowledgement), (Some(5), Some(1)));
    }

    #[test]
    fn ports_that_are_used_again_count_from_the_later_handshake() {
        let mut isns = Isns::default();
        isns.learn(0, flow(), &tcp(Flags::SYN, 100, 0));
        isns.learn(10, flow(), &tcp(Flags::SYN, 9000, 0));
        assert_eq!(relative(&isns, 5, flow(), &tcp(Flags::ACK, 101, 0)).sequence, Some(1));
        assert_eq!(relative(&isns, 10, flow(), &tcp(Flags::SYN, 9000, 0)).sequence, Some(0));
        assert_eq!(relative(&isns, 11, flow(), &tcp(Flags::ACK, 9001, 0)).sequence, Some(1));
    }

    #[test]
    fn without_a_handshake_only_a_refusal_has_a_number() {
        let isns = Isns::default();
        let refusal = tcp(Flags::RST.with(Flags::ACK), 0, 77);
        assert_eq!(relative(&isns, 0, flow(), &refusal).sequence, Some(0));
        assert_eq!(relative(&isns, 0, flow(), &tcp(Flags::ACK, 0, 77)).sequence, None);
    }
}

//! TCP and UDP packets: which flow and which virtual server they belong to, and how flows begin
//! and end under fastL4's rules.

use super::availability::FlowDisposition;
use super::icmp_messages::IcmpError;
use super::ip::Ip;
use super::packet::{Packet, Transport, flags_make_sense};
use super::{Engine, select};
use crate::counters::FlowCounters;
use crate::flow::{Flow, FlowId, Key, Seen, SequenceNumbers, Side, State};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::tcp::{self, Flags};
use labsim_wire::{protocol, udp};
use std::net::IpAddr;

impl Engine {
    #[inline]
    pub(super) fn transport<'a>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &impl Ip<'a>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let transport = if ip.protocol() == protocol::TCP {
            tcp::View::new(ip.payload()).ok().filter(flags_make_sense).map(Transport::Tcp)
        } else {
            udp::View::new(ip.payload()).ok().map(Transport::Udp)
        };
        let Some(transport) = transport else {
            return if self.is_owned(ip.destination()) {
                Outcome::TransportHeaderMalformed
            } else {
                Outcome::NoVirtualAddress
            };
        };
        self.process_transport(now, &Packet { ip: *ip, transport, frame, id: None }, tx)
    }

    /// Handles a packet by its flow, or begins one.
    #[inline]
    pub(super) fn process_transport<'a>(
        &mut self,
        now: Instant,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let ip = &packet.ip;
        let vip: IpAddr = ip.destination().into();
        let key = packet.key();
        let mut may_be_loose = false;
        if !self.snat.is_empty()
            && self.snat_address(ip.destination()).is_some()
            && let Some(id) = self.snat.find(&key)
        {
            self.merge_use(id);
            match self.flows.overdue(id, now) {
                Some(why) => self.expire(now, id, why, tx),
                None if self.has_ended(self.flows.get(id)) => {
                    self.forget(id, |counters| &mut counters.taken_out);
                }
                None => return self.reply(now, id, packet, tx),
            }
        }
        if let Some(id) = self.flows.find(&key) {
            self.merge_use(id);
            let flow = self.flows.get(id);
            if let Some(why) = self.flows.overdue(id, now) {
                self.expire(now, id, why, tx);
            } else if self.has_ended(flow) {
                self.forget(id, |counters| &mut counters.taken_out);
            } else if flow.state == State::Closing && packet.is_syn() {
                self.forget(id, |counters| &mut counters.replaced);
            } else {
                match self.disposition(id, flow, packet) {
                    FlowDisposition::Keep => return self.continue_flow(now, id, flow, packet, tx),
                    FlowDisposition::Reset => {
                        return self.refuse_with_reset(now, Outcome::MemberDown, packet, tx);
                    }
                    FlowDisposition::Reselect { loose } => may_be_loose = loose,
                }
            }
        }
        if packet.is_non_first_fragment() && !self.forgets_flows {
            return Outcome::FragmentRefused;
        }
        if !self.services.is_vip(vip) {
            return match self.snat_address(ip.destination()) {
                Some(_) => self.refuse_stray(now, packet, tx),
                None => Outcome::NoVirtualAddress,
            };
        }
        match self.services.find(vip, packet.protocol(), packet.ports().1) {
            Some(server) if self.keeps_no_flow(server) => {
                self.forward_anew(now, server, packet, tx)
            }
            Some(server) => self.begin_flow(now, server, may_be_loose, &key, packet, tx),
            None if self.services.is_hosts(vip) => Outcome::LeftToHost,
            None => self.refuse_without_server(now, packet, tx),
        }
    }

    #[inline]
    fn continue_flow<'a>(
        &mut self,
        now: Instant,
        id: FlowId,
        flow: Flow,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if let Some(outcome) = self.refuse_on_the_way(now, flow.member, &packet.ip, tx) {
            return outcome;
        }
        let outcome = self.deliver(now, flow, packet, tx);
        self.update_flow(now, id, flow, packet, Side::Client);
        self.consider(id);
        outcome
    }

    /// Updates a flow from a forwarded packet of `side`, by fastL4's rules. Where both
    /// directions are seen, the flow ends with both sides' FINs even without loose close.
    #[inline]
    pub(super) fn update_flow<'a>(
        &mut self,
        now: Instant,
        id: FlowId,
        flow: Flow,
        packet: &Packet<'_, impl Ip<'a>>,
        side: Side,
    ) {
        let flags = packet.flags();
        if flags.contains(Flags::RST) {
            self.forget(id, |counters| &mut counters.closed_by_reset);
            return;
        }
        if side == Side::Client
            && let Some((next, acknowledged)) = packet.numbers()
        {
            self.flows.advance(id, next, acknowledged);
        }
        if side == Side::Client && !flow.seen.second_packet() && !packet.is_non_first_fragment() {
            self.flows.set_second_packet(id);
        }
        let loose_close = self.servers[usize::from(flow.server)].fastl4.loose_close;
        if flags.contains(Flags::FIN) && (self.flows.add_fin(id, side).both_fins() || loose_close) {
            self.take_back(id);
            self.flows.set_state(id, State::Closing, now);
        } else if flow.state == State::Opening
            && side == Side::Client
            && !packet.is_syn()
            && !packet.is_non_first_fragment()
        {
            self.flows.set_state(id, State::Open, now);
        } else {
            self.flows.touch(id, now);
        }
    }

    /// Begins a flow. One that `may_be_loose` had begun before, with another member.
    fn begin_flow<'a>(
        &mut self,
        now: Instant,
        server: u16,
        may_be_loose: bool,
        key: &Key,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let fastl4 = self.servers[usize::from(server)].fastl4;
        let flags = packet.flags();
        let is_tcp = matches!(packet.transport, Transport::Tcp(_));
        let loosely = is_tcp && !packet.is_syn();
        if flags.contains(Flags::RST) {
            return Outcome::ResetWithoutFlow;
        }
        if loosely && !fastl4.loose_initiation && !may_be_loose {
            return self.refuse_with_reset(now, Outcome::NoFlow, packet, tx);
        }
        let choice = match self.select(now, server, key) {
            Ok(choice) => choice,
            Err(outcome) => return self.refuse_with_reset(now, outcome, packet, tx),
        };
        let member = choice.member;
        if let Some(outcome) = self.refuse_on_the_way(now, member, &packet.ip, tx) {
            return outcome;
        }
        let state = if is_tcp && !loosely {
            State::Opening
        } else if flags.contains(Flags::FIN) && fastl4.loose_close {
            State::Closing
        } else {
            State::Open
        };
        if self.flows.is_full() {
            let Some((id, oldest)) = self.flows.evict() else { return Outcome::FlowTableFull };
            self.flow_counters.evicted += 1;
            self.count_forgotten(id, oldest);
        }
        let snat = match self.allocate_snat(server, member, packet) {
            Ok(snat) => snat,
            Err(outcome) => return self.refuse_with_reset(now, outcome, packet, tx),
        };
        let (client_next, acknowledged) = packet.numbers().unwrap_or_default();
        let mut seen = Seen::default();
        if flags.contains(Flags::FIN) {
            seen = seen.with_fin(Side::Client);
        }
        if acknowledged.is_some() {
            seen = seen.with_acknowledgement();
        }
        let numbers =
            SequenceNumbers { client_next, server_next: acknowledged.unwrap_or_default() };
        let flow = Flow { server, member, state, seen, snat };
        let Some(id) = self.flows.insert(*key, flow, numbers, now) else {
            return Outcome::FlowTableFull;
        };
        if let Some(snat) = snat {
            let from = self.translated_destination(server, member, packet.destination());
            self.snat.bind(id, snat, from, packet.protocol());
        }
        self.flow_started(now, server, choice, key);
        self.flow_counters.opened += 1;
        self.flow_counters.loosely_initiated += u64::from(loosely && !may_be_loose);
        self.deliver(now, flow, packet, tx)
    }

    /// A VIP without a virtual server for this protocol and port: F5 rejects it, and a host reports
    /// a closed port (RFC 1122 3.2.2.1). A fragment's checksum cannot be judged, so it is not
    /// answered.
    fn refuse_without_server<'a>(
        &mut self,
        now: Instant,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if let Transport::Tcp(_) = packet.transport {
            return self.refuse_with_reset(now, Outcome::NoVirtualServer, packet, tx);
        }
        if packet.ip.is_fragment() {
            return Outcome::NoVirtualServer;
        }
        if !packet.checksum_ok() {
            return Outcome::TransportChecksum;
        }
        let vip = Some(packet.ip.destination());
        self.icmp_error(now, &packet.ip, vip, IcmpError::PortUnreachable, tx);
        Outcome::NoVirtualServer
    }

    /// Answers TCP with a RST; UDP and fragments are dropped.
    pub(super) fn refuse_with_reset<'a>(
        &mut self,
        now: Instant,
        outcome: Outcome,
        packet: &Packet<'_, impl Ip<'a>>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        if let Transport::Tcp(segment) = &packet.transport
            && !packet.ip.is_fragment()
        {
            if !packet.checksum_ok() {
                return Outcome::TransportChecksum;
            }
            self.reset(now, &packet.ip, segment, tx);
        }
        outcome
    }

    /// Whether the flow's virtual server was removed, or keeps no flows any more.
    ///
    /// A member that was taken out keeps its flows; what becomes of those of one that is down is
    /// for [`Self::disposition`] to say.
    #[inline]
    fn has_ended(&self, flow: Flow) -> bool {
        let server = &self.servers[usize::from(flow.server)];
        server.retired.is_some() || server.datagram_load_balancing
    }

    pub(super) fn forget(
        &mut self,
        id: FlowId,
        counter: impl FnOnce(&mut FlowCounters) -> &mut u64,
    ) {
        self.take_back(id);
        let flow = self.flows.remove(id);
        *counter(&mut self.flow_counters) += 1;
        self.count_forgotten(id, flow);
    }

    fn count_forgotten(&mut self, id: FlowId, flow: Flow) {
        self.snat.release(id);
        let Self { servers, pools, members, .. } = self;
        select::flow_ended(servers, pools, members, flow);
    }
}

//! Neighbour discovery (RFC 4861) with IPv6, as ARP with IPv4: learning, answering for VIPs, asking.

use super::Engine;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::icmpv6::{self, Message};
use labsim_wire::{ipv6, protocol};
use std::net::{IpAddr, Ipv6Addr};

/// Proves that a message comes from the segment itself: no router sends it on (RFC 4861 3.1).
const HOP_LIMIT: u8 = 255;
/// Every node on the segment.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Engine {
    /// Handles a neighbour solicitation or advertisement.
    pub(super) fn neighbour_discovery(
        &mut self,
        now: Instant,
        link: &ethernet::View<'_>,
        ip: &ipv6::View<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        match valid(ip) {
            Some(Message::NeighbourSolicitation { target, source }) => {
                self.solicited(now, link, ip, (target, source), tx)
            }
            Some(Message::NeighbourAdvertisement {
                target,
                link: mac,
                solicited,
                override_known,
                ..
            }) => {
                // Only an answer to us proves that the neighbour hears us (RFC 4861 7.3.1).
                let answer = solicited
                    && link.destination() == self.port.mac
                    && self.port.is_own(ip.destination().into());
                let mac = mac.or(Some(link.source()).filter(|_| answer));
                self.advertised(now, (target, mac), answer, override_known, tx)
            }
            _ => Outcome::NdpMalformed,
        }
    }

    /// Somebody asks for `target`.
    fn solicited(
        &mut self,
        now: Instant,
        link: &ethernet::View<'_>,
        ip: &ipv6::View<'_>,
        (target, option): (Ipv6Addr, Option<Mac>),
        tx: &mut impl Transmit,
    ) -> Outcome {
        let sender = ip.source();
        let mac = option.unwrap_or(link.source());
        if let Some(outcome) = self.disbelieved(sender, mac) {
            return outcome;
        }
        // Without the option nothing is told (RFC 4861 7.2.3); `::` is nobody's address.
        let told = option.filter(|_| !sender.is_unspecified());
        let learned = told.and_then(|mac| self.neighbours.learn(sender.into(), mac, false, now));
        if let Some(neighbour) = learned {
            self.send_waiting(neighbour, now, tx);
        }
        if self.services.answers_for(target.into()) {
            return self.advertise(target, sender, mac, tx);
        }
        if learned.is_some() { Outcome::NdpLearned } else { Outcome::NdpIgnored }
    }

    /// Somebody says where `target` is.
    fn advertised(
        &mut self,
        now: Instant,
        (target, mac): (Ipv6Addr, Option<Mac>),
        answer: bool,
        override_known: bool,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Some(mac) = mac else { return Outcome::NdpIgnored };
        if let Some(outcome) = self.disbelieved(target, mac) {
            return outcome;
        }
        let target = IpAddr::V6(target);
        let known = self.neighbours.known(target);
        if !override_known && known.is_some_and(|known| known != mac) {
            // RFC 4861 7.2.5: what is known stays.
            return Outcome::NdpIgnored;
        }
        match self.neighbours.learn(target, mac, answer, now) {
            Some(neighbour) => {
                self.send_waiting(neighbour, now, tx);
                Outcome::NdpLearned
            }
            None => Outcome::NdpIgnored,
        }
    }

    /// Why it is not believed that `address` is at `mac`, if it is not.
    fn disbelieved(&self, address: Ipv6Addr, mac: Mac) -> Option<Outcome> {
        if mac.is_multicast() || mac == Mac::default() {
            Some(Outcome::NdpMalformed)
        } else if mac == self.port.mac {
            Some(Outcome::NdpIgnored)
        } else if self.port.is_own(address.into()) || self.owns(address) {
            Some(Outcome::NdpConflict)
        } else {
            None
        }
    }

    /// Tells who asked that the VIP is here; a probe, whose sender has no address yet (RFC 4862
    /// 5.4), together with everybody (RFC 4861 7.2.4).
    fn advertise(
        &mut self,
        vip: Ipv6Addr,
        to: Ipv6Addr,
        mac: Mac,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let solicited = !to.is_unspecified();
        let (to, mac) = if solicited { (to, mac) } else { (ALL_NODES, group(ALL_NODES)) };
        let message = Message::NeighbourAdvertisement {
            target: vip,
            link: Some(self.port.mac),
            router: false,
            solicited,
            override_known: true,
        };
        if self.send_neighbour_message((vip, to), &message, mac, tx) {
            self.answers.neighbour_advertisement += 1;
            Outcome::NdpAnswered
        } else {
            Outcome::TransmitFull
        }
    }

    /// Asks where `target` is: those whose addresses end as its does, or itself where it was.
    pub(super) fn solicit(
        &self,
        own: Ipv6Addr,
        target: Ipv6Addr,
        known: Option<Mac>,
        tx: &mut impl Transmit,
    ) -> bool {
        let message = Message::NeighbourSolicitation { target, source: Some(self.port.mac) };
        let everybody = solicited_node(target);
        let (to, mac) = known.map_or((everybody, group(everybody)), |mac| (target, mac));
        self.send_neighbour_message((own, to), &message, mac, tx)
    }

    fn send_neighbour_message(
        &self,
        (source, destination): (Ipv6Addr, Ipv6Addr),
        message: &Message,
        to: Mac,
        tx: &mut impl Transmit,
    ) -> bool {
        const START: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN;
        let link =
            ethernet::Header { destination: to, source: self.port.mac, ethertype: ethertype::IPV6 };
        let ip = ipv6::Header {
            source,
            destination,
            next_header: protocol::ICMPV6,
            hop_limit: HOP_LIMIT,
            traffic_class: 0,
            flow_label: 0,
            payload_length: message.length(),
        };
        tx.transmit(START + message.length(), |frame| {
            link.emit(frame)?;
            ip.emit(&mut frame[ethernet::HEADER_LEN..])?;
            message.emit(source, destination, &mut frame[START..])
        })
    }
}

/// The message, if it may be believed (RFC 4861 7.1.1 and 7.1.2).
fn valid(ip: &ipv6::View<'_>) -> Option<Message> {
    let (source, destination) = (ip.source(), ip.destination());
    let view = icmpv6::View::new(ip.payload()).ok()?;
    let right = ip.hop_limit() == HOP_LIMIT
        && view.checksum_ok(source, destination)
        && view.neighbour_options_ok()
        && !source.is_multicast()
        && !view.target()?.is_multicast();
    let message = Message::parse(&view);
    let right = right
        && match message {
            Message::NeighbourSolicitation { target, source: option } => {
                let probe = destination == solicited_node(target) && option.is_none();
                !source.is_unspecified() || probe
            }
            Message::NeighbourAdvertisement { solicited, .. } => {
                let to_all = solicited && destination.is_multicast();
                !source.is_unspecified() && !to_all
            }
            _ => false,
        };
    right.then_some(message)
}

/// The group that everybody is in whose address ends like that (RFC 4291 2.7.1).
const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    const PREFIX: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    Ipv6Addr::from_bits(PREFIX | address.to_bits() & 0x00ff_ffff)
}

/// A group's link-layer address (RFC 2464 7).
const fn group(address: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = address.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

//! Neighbour discovery (RFC 4861) with IPv6, as ARP with IPv4: learning, answering for VIPs,
//! asking.

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
                self.process_solicitation(now, link, ip, target, source, tx)
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
                self.process_advertisement(now, target, mac, answer, override_known, tx)
            }
            _ => Outcome::NdpMalformed,
        }
    }

    /// Handles a solicitation for `target`.
    fn process_solicitation(
        &mut self,
        now: Instant,
        link: &ethernet::View<'_>,
        ip: &ipv6::View<'_>,
        target: Ipv6Addr,
        option: Option<Mac>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let sender = ip.source();
        let mac = option.unwrap_or(link.source());
        if let Some(outcome) = self.reject_claim(sender, mac) {
            return outcome;
        }
        // Without the option nothing is learned (RFC 4861 7.2.3); `::` is not an address of a host.
        let learned_mac = option.filter(|_| !sender.is_unspecified());
        let learned =
            learned_mac.and_then(|mac| self.neighbours.learn(sender.into(), mac, false, now));
        if let Some(neighbour) = learned {
            self.flush_queue(neighbour, now, tx);
        }
        let snat_address = self.snat_address(target);
        if self.services.answers_for(target.into())
            || snat_address.is_some_and(|address| address.answers)
        {
            return self.advertise(target, sender, mac, tx);
        }
        if learned.is_some() { Outcome::NdpLearned } else { Outcome::NdpIgnored }
    }

    /// Handles an advertisement of `target`.
    fn process_advertisement(
        &mut self,
        now: Instant,
        target: Ipv6Addr,
        mac: Option<Mac>,
        answer: bool,
        override_known: bool,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Some(mac) = mac else { return Outcome::NdpIgnored };
        if let Some(outcome) = self.reject_claim(target, mac) {
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
                self.flush_queue(neighbour, now, tx);
                Outcome::NdpLearned
            }
            None => Outcome::NdpIgnored,
        }
    }

    /// Why the claim that `address` is at `mac` is rejected, if it is.
    fn reject_claim(&self, address: Ipv6Addr, mac: Mac) -> Option<Outcome> {
        if mac.is_multicast() || mac == Mac::default() {
            Some(Outcome::NdpMalformed)
        } else if mac == self.port.mac {
            Some(Outcome::NdpIgnored)
        } else if self.port.is_own(address.into()) || self.serves(address) {
            Some(Outcome::NdpConflict)
        } else {
            None
        }
    }

    /// Answers a solicitation for a VIP; a probe, whose sender has no address yet (RFC 4862 5.4),
    /// is answered to all nodes (RFC 4861 7.2.4).
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
        if self.send_neighbour_message(vip, to, &message, mac, tx) {
            self.answers.neighbour_advertisement += 1;
            Outcome::NdpAnswered
        } else {
            Outcome::TransmitFull
        }
    }

    /// Tells everybody where an own address is (RFC 4861 7.2.6).
    pub(super) fn announce_ndp(&self, address: Ipv6Addr, tx: &mut impl Transmit) -> bool {
        let message = Message::NeighbourAdvertisement {
            target: address,
            link: Some(self.port.mac),
            router: false,
            solicited: false,
            override_known: true,
        };
        self.send_neighbour_message(address, ALL_NODES, &message, group(ALL_NODES), tx)
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
        let group_address = solicited_node(target);
        let (to, mac) = known.map_or((group_address, group(group_address)), |mac| (target, mac));
        self.send_neighbour_message(own, to, &message, mac, tx)
    }

    fn send_neighbour_message(
        &self,
        source: Ipv6Addr,
        destination: Ipv6Addr,
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

/// The message, if it is valid (RFC 4861 7.1.1 and 7.1.2).
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

/// The solicited-node multicast address (RFC 4291 2.7.1).
const fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    const PREFIX: u128 = 0xff02_0000_0000_0000_0000_0001_ff00_0000;
    Ipv6Addr::from_bits(PREFIX | address.to_bits() & 0x00ff_ffff)
}

/// A group's link-layer address (RFC 2464 7).
const fn group(address: Ipv6Addr) -> Mac {
    let [.., a, b, c, d] = address.octets();
    Mac([0x33, 0x33, a, b, c, d])
}

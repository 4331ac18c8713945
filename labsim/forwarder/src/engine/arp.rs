//! ARP (RFC 826): learning, answering for VIPs, asking.

use super::Engine;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::arp::{self, operation};
use labsim_wire::ethernet::{self, Mac, ethertype};
use std::net::{IpAddr, Ipv4Addr};

impl Engine {
    pub(super) fn arp(
        &mut self,
        now: Instant,
        link: &ethernet::View<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Ok(view) = arp::View::new(link.payload()) else { return Outcome::ArpMalformed };
        let message = arp::Packet::parse(&view);
        let sender = IpAddr::V4(message.sender_ip);
        let target = IpAddr::V4(message.target_ip);
        if message.sender_mac.is_multicast() || message.sender_mac == Mac::default() {
            return Outcome::ArpMalformed;
        }
        if message.sender_mac == self.port.mac {
            return Outcome::ArpIgnored;
        }
        if self.port.is_own(sender) || self.serves(message.sender_ip) {
            return Outcome::ArpConflict;
        }
        // Only an answer to us proves that the neighbour hears us (RFC 4861 7.3.1 says it for
        // IPv6; Linux treats both alike).
        let answer = message.operation == operation::REPLY
            && link.destination() == self.port.mac
            && self.port.is_own(target);
        let learned = self.neighbours.learn(sender, message.sender_mac, answer, now);
        if let Some(neighbour) = learned {
            self.flush_queue(neighbour, now, tx);
        }
        let snat_address = self.snat_address(message.target_ip);
        let answers = self.services.answers_for(target)
            || snat_address.is_some_and(|address| address.answers);
        if message.operation == operation::REQUEST && answers {
            return self.answer_arp(&message, tx);
        }
        if learned.is_some() { Outcome::ArpLearned } else { Outcome::ArpIgnored }
    }

    /// Answers a request for a VIP or a SNAT address; also a probe, whose sender has no address yet
    /// (RFC 5227).
    fn answer_arp(&mut self, request: &arp::Packet, tx: &mut impl Transmit) -> Outcome {
        let reply = arp::Packet {
            operation: operation::REPLY,
            sender_mac: self.port.mac,
            sender_ip: request.target_ip,
            target_mac: request.sender_mac,
            target_ip: request.sender_ip,
        };
        if self.send_arp(&reply, request.sender_mac, tx) {
            self.answers.arp_reply += 1;
            Outcome::ArpAnswered
        } else {
            Outcome::TransmitFull
        }
    }

    /// Asks who has that address.
    pub(super) fn send_arp_request(
        &self,
        sender_ip: Ipv4Addr,
        target_ip: Ipv4Addr,
        to: Mac,
        tx: &mut impl Transmit,
    ) -> bool {
        let request = arp::Packet {
            operation: operation::REQUEST,
            sender_mac: self.port.mac,
            sender_ip,
            target_mac: Mac::default(),
            target_ip,
        };
        self.send_arp(&request, to, tx)
    }

    /// Tells everybody where an own address is: ARP's announcement (RFC 5227 2.3).
    pub(super) fn announce_arp(&self, address: Ipv4Addr, tx: &mut impl Transmit) -> bool {
        self.send_arp_request(address, address, Mac::BROADCAST, tx)
    }

    fn send_arp(&self, message: &arp::Packet, to: Mac, tx: &mut impl Transmit) -> bool {
        let link =
            ethernet::Header { destination: to, source: self.port.mac, ethertype: ethertype::ARP };
        tx.transmit(ethernet::HEADER_LEN + message.length(), |frame| {
            link.emit(frame)?;
            message.emit(&mut frame[ethernet::HEADER_LEN..])
        })
    }
}

//! ICMP errors about packets of flows: sent on to the end that can use them, with the addresses
//! and ports that it knows (RFC 5508 4). Under DSR that is the member: what its answers meet on
//! their way to the client is told to the VIP, which only the forwarder hears.

use super::Engine;
use super::deliver::Passing;
use super::rewrite::{Ends, Rewrite};
use crate::flow::{FlowId, Key};
use crate::neighbour::Purpose;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::icmpv4::{self, kind};
use labsim_wire::{ipv4, protocol};
use std::net::SocketAddrV4;

impl Engine {
    /// Handles an error whose checksum is right.
    pub(super) fn icmp_about_flow(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &ipv4::View<'_>,
        message: &icmpv4::View<'_>,
        tx: &mut impl Transmit,
    ) -> Outcome {
        // Source quench is history (RFC 6633), and a redirect is for the host that it is sent to.
        let told = matches!(
            message.kind(),
            kind::UNREACHABLE | kind::TIME_EXCEEDED | kind::PARAMETER_PROBLEM
        );
        if !told {
            return Outcome::IcmpNotHandled;
        }
        if let Some(outcome) = self.icmp_about_tunnel(now, ip, message, tx) {
            return outcome;
        }
        let quoted = message.quoted().and_then(|quoted| ipv4::View::new_cut(quoted).ok());
        let Some(about) = quoted.and_then(|quoted| About::read(&quoted)) else {
            return Outcome::IcmpErrorUnmatched;
        };
        // An error about a packet goes to the packet's source.
        if ip.destination() != *about.from.ip() {
            return Outcome::IcmpErrorUnmatched;
        }
        // The flow's packets in the other direction are the ones that came here.
        let came = Key::v4(about.to, about.from, about.protocol);
        let current = |id: &FlowId| self.flows.overdue(*id, now).is_none();
        let translated = self.snat.find(&came).filter(current);
        let direct = self.flows.find(&came).filter(current);
        if ip.ttl() <= 1 && translated.or(direct).is_some() {
            // Nobody is told: an error is not answered with an error (RFC 1122 3.2.2).
            return Outcome::TtlExceeded;
        }
        if let Some(id) = translated {
            // About a client's packet on its way to the member.
            let Some((client, vip)) = self.flows.key(id).ends() else {
                return Outcome::IcmpErrorUnmatched;
            };
            let reporter = Some(*vip.ip()).filter(|_| ip.source() == *about.to.ip());
            let rewrite = Rewrite {
                decrement_ttl: true,
                id: None,
                ends: Ends { source: reporter, ..Ends::default() }.with_address(*client.ip()),
                quoted: Some(Ends::default().with_source(client).with_destination(vip)),
            };
            let purpose = Purpose::Error { member: None };
            let passing = Passing { purpose, packet: *ip, rewrite, frame };
            return self.pass_to(now, *client.ip(), &passing, tx);
        }
        if let Some(id) = direct {
            // About an answer on its way to the client.
            let flow = self.flows.get(id);
            let to_member = self.ends_to_member(id, flow, about.from.port());
            let member = &self.members[usize::from(flow.member)];
            let (path, next_hop) = (member.path, member.next_hop);
            let Some(neighbour) = next_hop else { return Outcome::NoRoute };
            if !self.encapsulator.fits(&path, ip.total_length()) {
                return Outcome::IcmpErrorTooLong;
            }
            let reporter = to_member.source.filter(|_| ip.source() == *about.to.ip());
            let rewrite = Rewrite {
                decrement_ttl: true,
                id: None,
                ends: Ends {
                    source: reporter,
                    destination: to_member.destination,
                    ..Ends::default()
                },
                quoted: Some(to_member.reversed()),
            };
            let purpose = Purpose::Error { member: Some(flow.member) };
            let passing = Passing { purpose, packet: *ip, rewrite, frame };
            return self.pass(now, neighbour, &passing, tx);
        }
        Outcome::IcmpErrorUnmatched
    }
}

/// The packet that an error quotes.
pub(super) struct About {
    pub(super) from: SocketAddrV4,
    pub(super) to: SocketAddrV4,
    pub(super) protocol: u8,
}

impl About {
    /// Addresses and ports of a quoted TCP or UDP packet; a quote holds eight bytes of its payload
    /// at least (RFC 792), and a fragment that is not the first has no ports.
    pub(super) fn read(ip: &ipv4::View<'_>) -> Option<Self> {
        let ports: [u8; 4] = ip.payload().get(..4)?.try_into().ok()?;
        let known = matches!(ip.protocol(), protocol::TCP | protocol::UDP);
        let [a, b, c, d] = ports;
        (known && ip.fragment_offset() == 0).then(|| Self {
            from: SocketAddrV4::new(ip.source(), u16::from_be_bytes([a, b])),
            to: SocketAddrV4::new(ip.destination(), u16::from_be_bytes([c, d])),
            protocol: ip.protocol(),
        })
    }
}

//! ICMP errors about packets of flows: sent on to the end that can use them, with the addresses
//! and ports that it knows (RFC 5508 4). Under DSR that is the member: errors about its answers
//! are addressed to the VIP, and reach only the forwarder.

use super::Engine;
use super::deliver::Outgoing;
use super::ip::{Address, Ip};
use super::rewrite::{AddressRewrite, Rewrite};
use crate::flow::{FlowId, Key};
use crate::neighbour::Purpose;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::protocol;
use std::net::SocketAddr;

impl Engine {
    /// Handles an error that is of use and about no tunnel packet.
    pub(super) fn icmp_about_flow<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        frame: usize,
        ip: &I,
        quoted: &'a [u8],
        tx: &mut impl Transmit,
    ) -> Outcome {
        let Some(packet) =
            I::parse_truncated(quoted).and_then(|quoted| QuotedPacket::read(&quoted))
        else {
            return Outcome::IcmpErrorUnmatched;
        };
        // An error about a packet goes to the packet's source.
        if ip.destination().into() != packet.from.ip() {
            return Outcome::IcmpErrorUnmatched;
        }
        // The flow's packets in the other direction are the ones that came here.
        let came = Key::between(packet.to, packet.from, packet.protocol);
        if let Some(key) = self.scheduling_key_of_error(ip, &came) {
            return self.schedule_error(now, frame, ip, &packet, &key, tx);
        }
        let (translated, direct) = (self.snat.find(&came), self.flows.find(&came));
        translated.into_iter().chain(direct).for_each(|id| self.merge_use(id));
        let current = |id: &FlowId| self.flows.overdue(*id, now).is_none();
        let (translated, direct) = (translated.filter(current), direct.filter(current));
        if ip.ttl() <= 1 && translated.or(direct).is_some() {
            // No ICMP error: an error is not answered with an error (RFC 1122 3.2.2).
            return Outcome::TtlExceeded;
        }
        let by_other_end = ip.source().into() == packet.to.ip();
        if let Some(id) = translated {
            // About a client's packet on its way to the member.
            let (client, vip) = self.flows.key(id).endpoints();
            let reporter = Some(vip.ip()).filter(|_| by_other_end);
            let rewrite = Rewrite {
                decrement_ttl: true,
                id: None,
                addresses: AddressRewrite { source: reporter, ..AddressRewrite::default() }
                    .with_destination_address(client.ip()),
                quoted: Some(AddressRewrite::default().with_source(client).with_destination(vip)),
            };
            let purpose = Purpose::Error { member: None };
            let outgoing = Outgoing { purpose, packet: *ip, rewrite, frame };
            return self.transmit_towards(now, client.ip(), &outgoing, tx);
        }
        if let Some(id) = direct {
            // About an answer on its way to the client.
            let flow = self.flows.get(id);
            let to_member = self.rewrite_to_member(flow, packet.from.port());
            let member = &self.members[usize::from(flow.member)];
            if member.is_hosts {
                return Outcome::LeftToHost;
            }
            let Some(neighbour) = member.next_hop else { return Outcome::NoRoute };
            if !self.encapsulator.fits::<I>(&member.path, ip.total_length()) {
                return Outcome::IcmpErrorTooLong;
            }
            let reporter = to_member.source.filter(|_| by_other_end);
            let rewrite = Rewrite {
                decrement_ttl: true,
                id: None,
                addresses: AddressRewrite {
                    source: reporter,
                    destination: to_member.destination,
                    ..AddressRewrite::default()
                },
                quoted: Some(to_member.reversed()),
            };
            let purpose = Purpose::Error { member: Some(flow.member) };
            let outgoing = Outgoing { purpose, packet: *ip, rewrite, frame };
            return self.transmit_or_queue(now, neighbour, &outgoing, tx);
        }
        Outcome::IcmpErrorUnmatched
    }
}

/// The packet that an error quotes.
pub(super) struct QuotedPacket {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) protocol: u8,
}

impl QuotedPacket {
    /// Addresses and ports of a quoted TCP or UDP packet; a quote holds eight bytes of its payload
    /// at least (RFC 792), and a fragment that is not the first has no ports. An IPv6 packet does
    /// not pass for the IPv4 flow's that its addresses would map to.
    pub(super) fn read<'a>(ip: &impl Ip<'a>) -> Option<Self> {
        let [a, b, c, d] = *ip.payload().first_chunk()?;
        let source = ip.source();
        let maps = source.v6().is_some_and(|source| source.to_ipv4_mapped().is_some());
        let known = matches!(ip.protocol(), protocol::TCP | protocol::UDP) && !maps;
        (known && ip.fragment_info().offset == 0).then(|| Self {
            from: SocketAddr::new(source.into(), u16::from_be_bytes([a, b])),
            to: SocketAddr::new(ip.destination().into(), u16::from_be_bytes([c, d])),
            protocol: ip.protocol(),
        })
    }
}

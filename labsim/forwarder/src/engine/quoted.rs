//! ICMP errors about packets of flows: sent on to the end that can use them, with the addresses
//! and ports that it knows (RFC 5508 4). Under DSR that is the member: what its answers meet on
//! their way to the client is told to the VIP, which only the forwarder hears.

use super::Engine;
use super::deliver::Passing;
use super::ip::{Address, Ip};
use super::rewrite::{Ends, Rewrite};
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
        let Some(about) = I::quoted(quoted).and_then(|quoted| About::read(&quoted)) else {
            return Outcome::IcmpErrorUnmatched;
        };
        // An error about a packet goes to the packet's source.
        if ip.destination().into() != about.from.ip() {
            return Outcome::IcmpErrorUnmatched;
        }
        // The flow's packets in the other direction are the ones that came here.
        let came = Key::between(about.to, about.from, about.protocol);
        let current = |id: &FlowId| self.flows.overdue(*id, now).is_none();
        let translated = self.snat.find(&came).filter(current);
        let direct = self.flows.find(&came).filter(current);
        if ip.hops() <= 1 && translated.or(direct).is_some() {
            // Nobody is told: an error is not answered with an error (RFC 1122 3.2.2).
            return Outcome::TtlExceeded;
        }
        let by_other_end = ip.source().into() == about.to.ip();
        if let Some(id) = translated {
            // About a client's packet on its way to the member.
            let Some((client, vip)) = self.flows.key(id).ends() else {
                return Outcome::IcmpErrorUnmatched;
            };
            let reporter = Some(*vip.ip()).filter(|_| by_other_end);
            let rewrite = Rewrite {
                decrement_ttl: true,
                id: None,
                ends: Ends { source: reporter, ..Ends::default() }.with_address(*client.ip()),
                quoted: Some(Ends::default().with_source(client).with_destination(vip)),
            };
            let purpose = Purpose::Error { member: None };
            let passing = Passing { purpose, packet: *ip, rewrite, frame };
            return self.pass_to(now, (*client.ip()).into(), &passing, tx);
        }
        if let Some(id) = direct {
            // About an answer on its way to the client.
            let flow = self.flows.get(id);
            let to_member = self.ends_to_member(flow, about.from.port());
            let member = &self.members[usize::from(flow.member)];
            let Some(neighbour) = member.next_hop else { return Outcome::NoRoute };
            if !self.encapsulator.fits::<I>(&member.path, ip.total_length()) {
                return Outcome::IcmpErrorTooLong;
            }
            let reporter = to_member.source.filter(|_| by_other_end);
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
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) protocol: u8,
}

impl About {
    /// Addresses and ports of a quoted TCP or UDP packet; a quote holds eight bytes of its payload
    /// at least (RFC 792), and a fragment that is not the first has no ports. An IPv6 packet does not
    /// pass for the IPv4 flow's that its addresses would map to.
    pub(super) fn read<'a>(ip: &impl Ip<'a>) -> Option<Self> {
        let [a, b, c, d] = *ip.payload().first_chunk()?;
        let source = ip.source();
        let maps = source.v6().is_some_and(|source| source.to_ipv4_mapped().is_some());
        let known = matches!(ip.protocol(), protocol::TCP | protocol::UDP) && !maps;
        (known && ip.part().offset == 0).then(|| Self {
            from: SocketAddr::new(source.into(), u16::from_be_bytes([a, b])),
            to: SocketAddr::new(ip.destination().into(), u16::from_be_bytes([c, d])),
            protocol: ip.protocol(),
        })
    }
}

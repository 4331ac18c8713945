//! ICMP errors about the forwarder's own tunnel packets (RFC 2003 4 and 5, RFC 2473 7 and 8): a way
//! that turns out narrower is remembered for a while, and the client is told what it can use, as IPVS
//! does. Outer and inner packet may be of different families: the client is told in its own.

use super::encapsulate::{Path, Tunnel};
use super::ip::{Ip, Ipv6};
use super::quoted::About;
use super::report::{Meaning, Report};
use super::rewrite::{Ends, requote};
use super::{Engine, Member};
use crate::flow::{FlowId, Key};
use crate::{Instant, Outcome, Transmit};
use labsim_wire::ethernet::ethertype;
use labsim_wire::{gre, icmpv4, ipv4, protocol};
use std::net::IpAddr;
use std::time::Duration;

/// How long a narrower way is believed in (Linux's `mtu_expires`; RFC 1191 6.3, RFC 8201 4).
const MTU_TIME: Duration = Duration::from_secs(600);
/// No way is believed to be narrower (Linux's `min_pmtu`), nor than every link of its family is:
/// whoever invents such errors can have packets cut, and no more.
const LEAST_TUNNEL_MTU: usize = 552;
/// As much of a client's IPv4 packet as an error quotes.
const QUOTE: usize = icmpv4::MAX_ERROR_LEN - ipv4::MIN_HEADER_LEN - icmpv4::HEADER_LEN;

/// The packet that a tunnel packet carries.
enum Inner<'a> {
    V4(ipv4::View<'a>),
    V6(Ipv6<'a>),
}

impl Engine {
    /// Handles an error that is of use, if it quotes a tunnel packet of ours. No link is narrower
    /// than its family's least; a router that does not know RFC 1191 says 0.
    pub(super) fn icmp_about_tunnel<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        ip: &I,
        quoted: &'a [u8],
        meaning: Meaning,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        let outer = I::quoted(quoted)?;
        if ip.destination() != outer.source() {
            return None;
        }
        let member = self.members.iter().position(|member| carries(member, &outer))?;
        let path = &self.members[member].path;
        let inner = inner(path, outer.protocol(), outer.payload());
        Some(match meaning {
            Meaning::Nothing => Outcome::IcmpNotHandled,
            Meaning::Narrow { mtu } if mtu < I::LEAST_MTU => Outcome::IcmpNotHandled,
            Meaning::Narrow { mtu } => {
                let least = LEAST_TUNNEL_MTU.max(I::LEAST_MTU);
                self.narrow(now, outer.destination().into(), mtu.max(least));
                let mtu = self.encapsulator.inner_mtu(&self.members[member].path);
                match inner {
                    Some(Inner::V4(inner)) if inner.dont_fragment() => {
                        self.tell_client(now, &inner, Report::TooLong { mtu }, tx);
                    }
                    // The forwarder itself cuts the tunnel packet of one that every way has to take.
                    Some(Inner::V6(inner)) if inner.total_length() > Ipv6::LEAST_MTU => {
                        let mtu = mtu.max(Ipv6::LEAST_MTU);
                        self.tell_client(now, &inner, Report::TooLong { mtu }, tx);
                    }
                    _ => {}
                }
                Outcome::TunnelMtuLearned
            }
            Meaning::ToClient(report) => {
                let told = match inner {
                    Some(Inner::V4(inner)) => self.tell_client(now, &inner, report, tx),
                    Some(Inner::V6(inner)) => self.tell_client(now, &inner, report, tx),
                    None => false,
                };
                if told { Outcome::TunnelErrorReported } else { Outcome::IcmpErrorUnmatched }
            }
        })
    }

    /// The way to every member at that address takes no more than that for a while.
    fn narrow(&mut self, now: Instant, address: IpAddr, mtu: usize) {
        let mtu = u16::try_from(mtu).unwrap_or(Path::UNKNOWN_MTU);
        let until = now.after(MTU_TIME);
        for member in &mut self.members {
            let Path::Tunnel { outer, mtu: known, .. } = &mut member.path else { continue };
            // An error never makes a way wider (RFC 1191 3).
            if outer.destination() == address && mtu <= *known && usize::from(mtu) < self.port.mtu {
                *known = mtu;
                member.narrow_until = Some(until);
                self.narrow_until = Some(self.narrow_until.map_or(until, |next| next.min(until)));
            }
        }
    }

    /// Takes ways for wide again whose time is over.
    pub(super) fn widen(&mut self, now: Instant) {
        if self.narrow_until.is_none_or(|until| until > now) {
            return;
        }
        for member in &mut self.members {
            if member.narrow_until.is_some_and(|until| until <= now)
                && let Path::Tunnel { mtu, .. } = &mut member.path
            {
                *mtu = Path::UNKNOWN_MTU;
                member.narrow_until = None;
            }
        }
        self.narrow_until = self.members.iter().filter_map(|member| member.narrow_until).min();
    }

    /// Tells the client whose packet a tunnel carried, in the addresses and ports that it knows.
    /// Returns whether it is a flow's packet.
    fn tell_client<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        inner: &I,
        report: Report,
        tx: &mut impl Transmit,
    ) -> bool {
        let Some(about) = About::read(inner) else { return false };
        let Some(id) = self.carried(now, &about) else { return false };
        let key = self.flows.key(id);
        let Some((inner, (client, vip))) = inner.v4().zip(key.ends()) else {
            // From the VIP, as what is said about the way into the tunnel.
            self.icmp_error(now, inner, Some(inner.destination()), report, tx);
            return true;
        };
        let mut quote = [0; QUOTE];
        let length = inner.bytes().len().min(QUOTE);
        let quote = &mut quote[..length];
        quote.copy_from_slice(&inner.bytes()[..length]);
        requote(quote, Ends::default().with_source(client).with_destination(vip));
        if let Ok(quote) = ipv4::View::new_cut(quote) {
            self.icmp_error(now, &quote, Some(*vip.ip()), report, tx);
        }
        true
    }

    /// The flow of a packet as a tunnel carried it: the client's own, or one in a client's stead.
    fn carried(&self, now: Instant, about: &About) -> Option<FlowId> {
        let own = self.flows.find(&Key::between(about.from, about.to, about.protocol));
        let translated = || self.snat.find(&Key::between(about.to, about.from, about.protocol));
        own.or_else(translated).filter(|id| self.flows.overdue(*id, now).is_none())
    }
}

/// Whether that outer header is one of this member's tunnel.
fn carries<'a>(member: &Member, packet: &impl Ip<'a>) -> bool {
    let Path::Tunnel { outer, kind, .. } = &member.path else { return false };
    let known = match kind {
        Tunnel::Ipip => matches!(packet.protocol(), protocol::IPIP | protocol::IPV6),
        Tunnel::Gre(_) => packet.protocol() == protocol::GRE,
    };
    known
        && outer.source() == Some(packet.source().into())
        && outer.destination() == packet.destination().into()
}

/// The inner packet, as far as it is quoted.
fn inner<'a>(path: &Path, protocol: u8, payload: &'a [u8]) -> Option<Inner<'a>> {
    let (kind, packet) = match path {
        Path::Tunnel { kind: Tunnel::Gre(_), .. } => {
            let gre = gre::View::new(payload).ok()?;
            (gre.protocol(), gre.payload())
        }
        _ if protocol == self::protocol::IPIP => (ethertype::IPV4, payload),
        _ => (ethertype::IPV6, payload),
    };
    match kind {
        ethertype::IPV4 => ipv4::View::quoted(packet).map(Inner::V4),
        ethertype::IPV6 => Ipv6::quoted(packet).map(Inner::V6),
        _ => None,
    }
}

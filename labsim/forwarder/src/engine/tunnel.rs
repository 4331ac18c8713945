//! ICMP errors about the forwarder's own tunnel packets (RFC 2003 4 and 5, RFC 2473 7 and 8): a
//! path MTU is remembered for a while, and the client gets an error that it can use, as with IPVS.
//! Outer and inner packet may be of different families: the error is of the inner packet's.

use super::encapsulate::Path;
use super::icmp_error::QuotedPacket;
use super::icmp_messages::{IcmpError, TunnelErrorAction};
use super::ip::{Ip, Ipv6};
use super::rewrite::{AddressRewrite, rewrite_quoted};
use super::{Engine, Member};
use crate::flow::{FlowId, Key};
use crate::{DeliberateFault, Instant, Outcome, Transmit, TunnelHeader};
use labsim_wire::{icmpv6, ipv4, ipv6};
use std::net::IpAddr;
use std::time::Duration;

/// How long a learned path MTU is used (Linux's `mtu_expires`; RFC 1191 6.3, RFC 8201 4).
const MTU_TIME: Duration = Duration::from_secs(600);
/// The smallest path MTU that is accepted (Linux's `min_pmtu`), besides the minimum of the family:
/// forged errors can cause fragmentation, and no more.
const MIN_TUNNEL_MTU: usize = 552;
/// As much of a client's packet as an error of either family quotes.
const QUOTE: usize = icmpv6::MAX_ERROR_LEN - ipv6::HEADER_LEN - icmpv6::HEADER_LEN;

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
        action: TunnelErrorAction,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        let outer = I::parse_truncated(quoted)?;
        if ip.destination() != outer.source() {
            return None;
        }
        let member = self.members.iter().position(|member| matches_tunnel(member, &outer))?;
        let path = &self.members[member].path;
        let inner = inner(path, outer.protocol(), outer.payload());
        Some(match action {
            TunnelErrorAction::Ignore => Outcome::IcmpNotHandled,
            TunnelErrorAction::LearnPmtu { mtu } if mtu < I::MIN_MTU => Outcome::IcmpNotHandled,
            TunnelErrorAction::LearnPmtu { .. }
                if self.config.balancer.has_fault(DeliberateFault::NoSizeCheck) =>
            {
                Outcome::IcmpNotHandled
            }
            TunnelErrorAction::LearnPmtu { mtu } => {
                let least = MIN_TUNNEL_MTU.max(I::MIN_MTU);
                self.learn_pmtu(now, outer.destination().into(), mtu.max(least));
                let mtu = self.encapsulator.inner_mtu(&self.members[member].path);
                match inner {
                    Some(Inner::V4(inner)) if inner.dont_fragment() => {
                        self.notify_client(now, &inner, IcmpError::TooLong { mtu }, tx);
                    }
                    // The forwarder itself cuts the tunnel packet of one that every way has to
                    // take.
                    Some(Inner::V6(inner)) if inner.total_length() > Ipv6::MIN_MTU => {
                        let mtu = mtu.max(Ipv6::MIN_MTU);
                        self.notify_client(now, &inner, IcmpError::TooLong { mtu }, tx);
                    }
                    _ => {}
                }
                Outcome::TunnelMtuLearned
            }
            TunnelErrorAction::NotifyClient(error) => {
                let notified = match inner {
                    Some(Inner::V4(inner)) => self.notify_client(now, &inner, error, tx),
                    Some(Inner::V6(inner)) => self.notify_client(now, &inner, error, tx),
                    None => false,
                };
                if notified { Outcome::TunnelErrorReported } else { Outcome::IcmpErrorUnmatched }
            }
        })
    }

    /// Remembers a path MTU towards every member at that address for a while.
    fn learn_pmtu(&mut self, now: Instant, address: IpAddr, mtu: usize) {
        let mtu = u16::try_from(mtu).unwrap_or(Path::UNKNOWN_MTU);
        let until = now.after(MTU_TIME);
        for member in &mut self.members {
            let Path::Tunnel { outer, mtu: known, .. } = &mut member.path else { continue };
            // An error never makes a way wider (RFC 1191 3).
            if outer.destination() == address && mtu <= *known && usize::from(mtu) < self.port.mtu {
                *known = mtu;
                member.pmtu_expires = Some(until);
                self.pmtu_expires = Some(self.pmtu_expires.map_or(until, |next| next.min(until)));
            }
        }
        self.invalidate_paths();
    }

    /// Forgets path MTUs whose time is over.
    pub(super) fn expire_pmtu(&mut self, now: Instant) {
        if self.pmtu_expires.is_none_or(|until| until > now) {
            return;
        }
        for member in &mut self.members {
            if member.pmtu_expires.is_some_and(|until| until <= now)
                && let Path::Tunnel { mtu, .. } = &mut member.path
            {
                *mtu = member.route_mtu;
                member.pmtu_expires = None;
            }
        }
        self.invalidate_paths();
        self.pmtu_expires = self.members.iter().filter_map(|member| member.pmtu_expires).min();
    }

    /// Sends an ICMP error to the client of a tunnelled packet, with the addresses and ports that
    /// the client knows. Returns whether it is a packet of a flow, or of a datagram without one.
    fn notify_client<'a, I: Ip<'a>>(
        &mut self,
        now: Instant,
        inner: &I,
        error: IcmpError,
        tx: &mut impl Transmit,
    ) -> bool {
        let Some(packet) = QuotedPacket::read(inner) else { return false };
        let (client, vip) = match self.find_tunnelled_flow(now, &packet) {
            Some(id) => self.flows.key(id).endpoints(),
            None if self.balances(packet.to, packet.protocol).is_some() => (packet.from, packet.to),
            None => return false,
        };
        let mut quote = [0; QUOTE];
        let length = inner.bytes().len().min(QUOTE);
        let quote = &mut quote[..length];
        quote.copy_from_slice(&inner.bytes()[..length]);
        rewrite_quoted(quote, AddressRewrite::default().with_source(client).with_destination(vip));
        // From the VIP, like errors about the path into the tunnel.
        match vip.ip() {
            IpAddr::V4(vip) => {
                if let Some(quote) = ipv4::View::parse_truncated(quote) {
                    self.icmp_error(now, &quote, Some(vip), error, tx);
                }
            }
            IpAddr::V6(vip) => {
                if let Some(quote) = Ipv6::parse_truncated(quote) {
                    self.icmp_error(now, &quote, Some(vip), error, tx);
                }
            }
        }
        true
    }

    /// The flow of a tunnelled packet, with or without source translation.
    fn find_tunnelled_flow(&mut self, now: Instant, packet: &QuotedPacket) -> Option<FlowId> {
        let own = self.flows.find(&Key::between(packet.from, packet.to, packet.protocol));
        let translated = || self.snat.find(&Key::between(packet.to, packet.from, packet.protocol));
        let id = own.or_else(translated)?;
        self.merge_use(id);
        Some(id).filter(|id| self.flows.overdue(*id, now).is_none())
    }
}

/// Whether that outer header is one of this member's tunnel.
fn matches_tunnel<'a>(member: &Member, packet: &impl Ip<'a>) -> bool {
    let Path::Tunnel { outer, kind, .. } = &member.path else { return false };
    kind.matches(packet.protocol(), packet.payload())
        && outer.source() == Some(packet.source().into())
        && outer.destination() == packet.destination().into()
}

/// The inner packet, as far as it is quoted.
fn inner<'a>(path: &Path, protocol: u8, payload: &'a [u8]) -> Option<Inner<'a>> {
    let Path::Tunnel { kind, .. } = path else { return None };
    match kind.inner(protocol, payload)? {
        (true, packet) => ipv4::View::parse_truncated(packet).map(Inner::V4),
        (false, packet) => Ipv6::parse_truncated(packet).map(Inner::V6),
    }
}

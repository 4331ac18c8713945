//! ICMP errors about the forwarder's own tunnel packets (RFC 2003 4 and 5): a way that turns out
//! narrower is remembered for a while, and the client is told what it can use, as IPVS does.

use super::encapsulate::{Path, Tunnel};
use super::quoted::About;
use super::rewrite::{Ends, requote};
use super::{Engine, Member};
use crate::flow::{FlowId, Key};
use crate::neighbour::AnswerKind;
use crate::{Instant, Outcome, Transmit};
use labsim_wire::icmpv4::{self, Message, kind, unreachable};
use labsim_wire::{gre, ipv4};
use std::net::Ipv4Addr;
use std::time::Duration;

/// How long a narrower way is believed in (Linux's `mtu_expires`; RFC 1191 6.3).
const MTU_TIME: Duration = Duration::from_secs(600);
/// No way is believed to be narrower (Linux's `min_pmtu`): whoever invents such errors can have
/// packets cut, and no more.
const LEAST_TUNNEL_MTU: u16 = 552;
/// No link is narrower (RFC 791 3.2), and a router that does not know RFC 1191 says 0.
const LEAST_LINK_MTU: u16 = 68;
/// As much of a client's packet as an error quotes.
const QUOTE: usize = icmpv4::MAX_ERROR_LEN - ipv4::MIN_HEADER_LEN - icmpv4::HEADER_LEN;

impl Engine {
    /// Handles an error whose checksum is right, if it quotes a tunnel packet of ours.
    pub(super) fn icmp_about_tunnel(
        &mut self,
        now: Instant,
        ip: &ipv4::View<'_>,
        message: &icmpv4::View<'_>,
        tx: &mut impl Transmit,
    ) -> Option<Outcome> {
        let outer = ipv4::View::new_cut(message.quoted()?).ok()?;
        if ip.destination() != outer.source() {
            return None;
        }
        let path = self.members.iter().find(|member| carries(member, &outer))?.path;
        let inner = inner(path, outer.payload());
        if let Some(mtu) = message.mtu() {
            if mtu < LEAST_LINK_MTU {
                return Some(Outcome::IcmpNotHandled);
            }
            self.narrow(now, outer.destination(), mtu);
            if let Some(inner) = inner.filter(ipv4::View::dont_fragment) {
                let widest = self.widest(outer.destination()).unwrap_or(path);
                let mtu = self.encapsulator.inner_mtu(&widest);
                let mtu = u16::try_from(mtu).unwrap_or(u16::MAX);
                let answer =
                    (AnswerKind::FragmentationNeeded, Message::FragmentationNeeded { mtu });
                self.tell_client(now, &inner, answer, tx);
            }
            return Some(Outcome::TunnelMtuLearned);
        }
        let Some(code) = code_for_client(message) else { return Some(Outcome::IcmpNotHandled) };
        let answer = (AnswerKind::HostUnreachable, Message::Unreachable { code });
        match inner {
            Some(inner) if self.tell_client(now, &inner, answer, tx) => {
                Some(Outcome::TunnelErrorReported)
            }
            _ => Some(Outcome::IcmpErrorUnmatched),
        }
    }

    /// The way to every member at that address takes no more than that for a while.
    fn narrow(&mut self, now: Instant, address: Ipv4Addr, mtu: u16) {
        let mtu = mtu.max(LEAST_TUNNEL_MTU);
        let until = now.after(MTU_TIME);
        for member in &mut self.members {
            let Path::Tunnel { destination, mtu: known, .. } = &mut member.path else { continue };
            // An error never makes a way wider (RFC 1191 3).
            if *destination == address && mtu <= *known && usize::from(mtu) < self.port.mtu {
                *known = mtu;
                member.narrow_until = Some(until);
                self.narrow_until = Some(self.narrow_until.map_or(until, |next| next.min(until)));
            }
        }
    }

    /// The present state of the tunnels to that address.
    fn widest(&self, address: Ipv4Addr) -> Option<Path> {
        let mut paths = self.members.iter().map(|member| member.path);
        paths.find(
            |path| matches!(path, Path::Tunnel { destination, .. } if *destination == address),
        )
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
    fn tell_client(
        &mut self,
        now: Instant,
        inner: &ipv4::View<'_>,
        answer: (AnswerKind, Message),
        tx: &mut impl Transmit,
    ) -> bool {
        let Some(about) = About::read(inner) else { return false };
        let flow = self.carried(now, &about);
        let Some((client, vip)) = flow.and_then(|id| self.flows.key(id).ends()) else {
            return false;
        };
        let mut quote = [0; QUOTE];
        let length = inner.bytes().len().min(QUOTE);
        let quote = &mut quote[..length];
        quote.copy_from_slice(&inner.bytes()[..length]);
        requote(quote, Ends::default().with_source(client).with_destination(vip));
        if let Ok(quote) = ipv4::View::new_cut(quote) {
            // From the VIP, as what is said about the way into the tunnel.
            self.icmp_error(now, &quote, Some(*vip.ip()), answer, tx);
        }
        true
    }

    /// The flow of a packet as a tunnel carried it: the client's own, or one in a client's stead.
    fn carried(&self, now: Instant, about: &About) -> Option<FlowId> {
        let own = self.flows.find(&Key::v4(about.from, about.to, about.protocol));
        let translated = || self.snat.find(&Key::v4(about.to, about.from, about.protocol));
        own.or_else(translated).filter(|id| self.flows.overdue(*id, now).is_none())
    }
}

/// Whether that outer header is one of this member's tunnel.
fn carries(member: &Member, outer: &ipv4::View<'_>) -> bool {
    matches!(member.path, Path::Tunnel { source: Some(source), destination, kind, .. }
        if source == outer.source()
            && destination == outer.destination()
            && kind.protocol() == outer.protocol())
}

/// The inner packet, as far as it is quoted.
fn inner(path: Path, payload: &[u8]) -> Option<ipv4::View<'_>> {
    let inner = match path {
        Path::Tunnel { kind: Tunnel::Gre(_), .. } => gre::View::new(payload).ok()?.payload(),
        _ => payload,
    };
    ipv4::View::new_cut(inner).ok()
}

/// What a client is told about an error within the tunnel (RFC 2003 4.1 and 4.4), if anything: what
/// is about the outer header alone is no business of its.
fn code_for_client(message: &icmpv4::View<'_>) -> Option<u8> {
    const SOURCE_ROUTE_FAILED: u8 = 5;
    match (message.kind(), message.code()) {
        (kind::UNREACHABLE, unreachable::PORT | SOURCE_ROUTE_FAILED) => None,
        (kind::UNREACHABLE, unreachable::NETWORK) => Some(unreachable::NETWORK),
        (kind::UNREACHABLE | kind::TIME_EXCEEDED, _) => Some(unreachable::HOST),
        _ => None,
    }
}

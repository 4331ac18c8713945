//! From a packet to frames: rewriting, encapsulation, fragments.
//!
//! Any family goes in a tunnel of any: IP in IP (RFC 2003, RFC 4213, RFC 2473) and GRE (RFC 2784,
//! RFC 2890, RFC 7676). The TOS, or traffic class, of the outer header is the inner
//! packet's (RFC 6040 4.1). An outer IPv6 header has the flow label 0, so that routers which spread
//! flows by the label (RFC 6438) see one flow a member. It has no Tunnel
//! Encapsulation Limit option (RFC 2473 5.1 and 6.6), which bounds how deep tunnels are nested:
//! what comes out of a tunnel does not go into one here.

mod fragments;

use super::Outcome;
use super::ip::{Address, Ip, own_header6, v4, v6};
use super::rewrite::Rewrite;
use crate::{LoadBalancer, OuterSource, Transmit, TunnelHeader, TunnelProtocol};
use fragments::OuterTunnel;
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::{EmitError, ipv4, ipv6};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The outer header's TTL, or hop limit, as F5 sends it.
const OUTER_TTL: u8 = 255;

/// How packets reach a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Path {
    /// Not encapsulated.
    Plain {
        /// The path MTU.
        mtu: u16,
    },
    /// In a tunnel.
    Tunnel {
        outer: Outer,
        kind: TunnelProtocol,
        /// TOS or traffic class of the outer header; `None` takes the inner packet's.
        tos: Option<u8>,
        /// Bytes of outer headers.
        overhead: u8,
        /// The path MTU for outer packets.
        mtu: u16,
    },
}

/// The addresses of the outer header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outer {
    V4(Endpoints<Ipv4Addr>),
    V6(Endpoints<Ipv6Addr>),
}

/// The endpoints of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Endpoints<A> {
    /// The outer source; `None` takes the inner packet's.
    source: Option<A>,
    /// The forwarder's own address on the way.
    own: Option<A>,
    /// The member.
    destination: A,
}

impl<A: Copy> Endpoints<A> {
    /// The outer source around a packet that has this one. Where there is no right one, which the
    /// configuration's check refuses, it is the member's: no router takes such a packet.
    #[inline]
    fn source_or(&self, inner: Option<A>) -> A {
        match self.source {
            Some(source) => source,
            None => inner.or(self.own).unwrap_or(self.destination),
        }
    }
}

impl Outer {
    pub(super) fn destination(&self) -> IpAddr {
        match self {
            Self::V4(endpoints) => endpoints.destination.into(),
            Self::V6(endpoints) => endpoints.destination.into(),
        }
    }

    /// The outer source, unless it is the inner packet's.
    pub(super) fn source(&self) -> Option<IpAddr> {
        match self {
            Self::V4(endpoints) => endpoints.source.map(IpAddr::V4),
            Self::V6(endpoints) => endpoints.source.map(IpAddr::V6),
        }
    }

    const fn header_length(&self) -> usize {
        match self {
            Self::V4(_) => ipv4::MIN_HEADER_LEN,
            Self::V6(_) => ipv6::HEADER_LEN,
        }
    }
}

impl Path {
    /// No path MTU is known.
    pub(super) const UNKNOWN_MTU: u16 = u16::MAX;
    /// Not encapsulated, with the interface's MTU.
    pub(super) const PLAIN: Self = Self::Plain { mtu: Self::UNKNOWN_MTU };

    /// Through a tunnel to `destination`, from the forwarder's address `own`, which is of the same
    /// family.
    pub(super) fn tunnel(
        balancer: &LoadBalancer,
        own: Option<IpAddr>,
        destination: IpAddr,
        kind: TunnelProtocol,
    ) -> Self {
        fn endpoints<A: Copy>(how: OuterSource, own: Option<A>, destination: A) -> Endpoints<A> {
            Endpoints { source: own.filter(|_| how == OuterSource::Egress), own, destination }
        }
        let outer_source = balancer.outer_source;
        let outer = match destination {
            IpAddr::V4(destination) => {
                Outer::V4(endpoints(outer_source, own.and_then(v4), destination))
            }
            IpAddr::V6(destination) => {
                Outer::V6(endpoints(outer_source, own.and_then(v6), destination))
            }
        };
        let overhead = (outer.header_length() + kind.header_length()) as u8;
        Self::Tunnel { outer, kind, tos: balancer.outer_tos, overhead, mtu: Self::UNKNOWN_MTU }
    }

    /// The same way for a packet that is no client's: its source may be a router on the way, which
    /// drops what comes from its own address.
    pub(super) const fn with_own_source(mut self) -> Self {
        if let Self::Tunnel { outer, .. } = &mut self {
            match outer {
                Outer::V4(endpoints) => endpoints.source = endpoints.own,
                Outer::V6(endpoints) => endpoints.source = endpoints.own,
            }
        }
        self
    }

    /// Bytes that a packet grows by.
    pub(super) const fn overhead(&self) -> usize {
        match self {
            Self::Plain { .. } => 0,
            Self::Tunnel { overhead, .. } => *overhead as usize,
        }
    }

    /// The path MTU for packets as they leave.
    pub(super) const fn mtu(&self) -> u16 {
        match self {
            Self::Plain { mtu } | Self::Tunnel { mtu, .. } => *mtu,
        }
    }

    /// The same way with another path MTU.
    pub(super) const fn with_mtu(mut self, new: u16) -> Self {
        match &mut self {
            Self::Plain { mtu } | Self::Tunnel { mtu, .. } => *mtu = new,
        }
        self
    }
}

/// What an outer header takes from the inner packet.
#[derive(Clone, Copy)]
pub(super) struct Inner<A> {
    source: A,
    tos: u8,
    /// In bytes.
    length: usize,
}

/// Writes frames for members; counts their outer IDs.
#[derive(Debug)]
pub(super) struct Encapsulator {
    mac: Mac,
    mtu: usize,
    /// The last one used. Every tunnel packet over IPv4 takes the next.
    id: u16,
    /// The last one used in tunnel packets over IPv6 that were cut.
    fragment_id: u32,
}

impl Encapsulator {
    pub(super) const fn new(mac: Mac, mtu: usize) -> Self {
        Self { mac, mtu, id: 0, fragment_id: 0 }
    }

    /// Whether a packet of `length` bytes can go this way uncut. One that every link has to take
    /// does, if need be in a tunnel packet that is cut (RFC 2473 7.1, RFC 4213 3.2).
    pub(super) fn fits<'a, I: Ip<'a>>(&self, path: &Path, length: usize) -> bool {
        length <= self.inner_mtu(path) || length <= I::MIN_MTU
    }

    /// The longest outer packet that can go this way uncut.
    const fn outer_mtu(&self, path: &Path) -> usize {
        let mtu = path.mtu() as usize;
        if mtu < self.mtu { mtu } else { self.mtu }
    }

    /// The longest packet that can go this way in an outer one that is not cut.
    pub(super) const fn inner_mtu(&self, path: &Path) -> usize {
        self.outer_mtu(path) - path.overhead()
    }

    /// Sends `packet` to a member, in fragments if it is too long and may be cut. The caller has
    /// notified the sender of a packet that may not; one that waited while its way became narrower
    /// is dropped here.
    #[inline]
    pub(super) fn send<'a, I: Ip<'a>>(
        &mut self,
        path: &Path,
        next_hop: Mac,
        packet: &I,
        rewrite: &Rewrite,
        tx: &mut impl Transmit,
    ) -> Outcome {
        let length = packet.bytes().len();
        if length > self.inner_mtu(path) {
            match packet.v4() {
                Some(packet) if !packet.dont_fragment() => {
                    return self.send_fragments(path, next_hop, packet, rewrite, tx);
                }
                None if self.fits::<I>(path, length) => {
                    if let Path::Tunnel { outer: Outer::V6(endpoints), kind, tos, .. } = path {
                        let tos = tos.unwrap_or(packet.tos());
                        return self.send_fragmented_outer(
                            path,
                            OuterTunnel { endpoints, kind: *kind, tos },
                            next_hop,
                            packet,
                            rewrite,
                            tx,
                        );
                    }
                }
                _ => return I::TOO_LONG,
            }
        }
        let inner =
            Inner { source: packet.source_after(&rewrite.addresses), tos: packet.tos(), length };
        let fill = |out: &mut [u8]| rewrite.copy(packet, out);
        if self.frame::<I>(path, next_hop, inner, fill, tx) {
            Outcome::Forwarded
        } else {
            Outcome::TransmitFull
        }
    }

    /// One frame around an inner packet that `fill` writes.
    #[inline]
    fn frame<'a, I: Ip<'a>>(
        &mut self,
        path: &Path,
        next_hop: Mac,
        inner: Inner<I::Address>,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        tx: &mut impl Transmit,
    ) -> bool {
        match path {
            Path::Plain { .. } => self.link(I::ETHERTYPE, next_hop, inner.length, fill, tx),
            Path::Tunnel { outer: Outer::V4(endpoints), kind, tos, overhead, mtu } => {
                // In registers: what is behind a reference is read again after every write.
                let (kind, overhead) = (*kind, usize::from(*overhead));
                let length = overhead + inner.length;
                let outer = ipv4::Header {
                    source: endpoints.source_or(inner.source.v4()),
                    destination: endpoints.destination,
                    protocol: kind.outer_protocol(is_ipv4::<I>()),
                    ttl: OUTER_TTL,
                    tos: tos.unwrap_or(inner.tos),
                    id: self.id.wrapping_add(1),
                    // Routers cut one around an IPv6 packet that every way has to take.
                    dont_fragment: is_ipv4::<I>() || length <= usize::from(*mtu),
                    more_fragments: false,
                    fragment_offset: 0,
                    options: &[],
                    payload_length: length - ipv4::MIN_HEADER_LEN,
                };
                let write = |packet: &mut [u8]| {
                    outer.emit(packet)?;
                    fill(&mut packet[overhead..])?;
                    let addresses = AddressPair::V4(outer.source, outer.destination);
                    kind.emit(&addresses, is_ipv4::<I>(), &mut packet[ipv4::MIN_HEADER_LEN..])
                };
                let sent = self.link(ethertype::IPV4, next_hop, length, write, tx);
                if sent {
                    self.id = outer.id;
                }
                sent
            }
            Path::Tunnel { outer: Outer::V6(endpoints), kind, tos, overhead, .. } => {
                let tos = tos.unwrap_or(inner.tos);
                let (kind, overhead) = (*kind, usize::from(*overhead));
                let length = overhead + inner.length;
                let write = |packet: &mut [u8]| {
                    let (source, destination) =
                        (endpoints.source_or(inner.source.v6()), endpoints.destination);
                    let next_header = kind.outer_protocol(is_ipv4::<I>());
                    let payload_length = length - ipv6::HEADER_LEN;
                    outer_v6(source, destination, next_header, tos, payload_length).emit(packet)?;
                    fill(&mut packet[overhead..])?;
                    let addresses = AddressPair::V6(source, destination);
                    kind.emit(&addresses, is_ipv4::<I>(), &mut packet[ipv6::HEADER_LEN..])
                };
                self.link(ethertype::IPV6, next_hop, length, write, tx)
            }
        }
    }

    /// A frame around an IP packet of `length` bytes.
    #[inline]
    fn link(
        &self,
        ethertype: u16,
        next_hop: Mac,
        length: usize,
        write: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
        tx: &mut impl Transmit,
    ) -> bool {
        let link = ethernet::Header { destination: next_hop, source: self.mac, ethertype };
        tx.transmit(ethernet::HEADER_LEN + length, |frame| {
            link.emit(frame)?;
            write(&mut frame[ethernet::HEADER_LEN..])
        })
    }
}

/// Whether it is IPv4 that goes into the tunnel.
const fn is_ipv4<'a, I: Ip<'a>>() -> bool {
    I::ETHERTYPE == ethertype::IPV4
}

/// The outer IPv6 header.
const fn outer_v6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    next_header: u8,
    traffic_class: u8,
    payload_length: usize,
) -> ipv6::Header {
    let own = own_header6(source, destination, next_header, payload_length);
    ipv6::Header { hop_limit: OUTER_TTL, traffic_class, ..own }
}

//! What packets of both families have in common. Most of the engine does not care which it has:
//! those parts are compiled once for each.

use super::report::{Heard, Report};
use super::rewrite::Ends;
use crate::Outcome;
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::ethertype;
use labsim_wire::ipv6::{self, extension};
use labsim_wire::{EmitError, icmpv4, icmpv6, ipv4, protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The TTL, or hop limit, of the forwarder's own packets (RFC 1700's default, and IPv6's since).
pub(super) const OWN_TTL: u8 = 64;

/// An address of one family.
pub(super) trait Address: Copy + Eq + Into<IpAddr> {
    /// Itself, if it is IPv4's.
    fn v4(self) -> Option<Ipv4Addr>;
    /// Itself, if it is IPv6's.
    fn v6(self) -> Option<Ipv6Addr>;
}

impl Address for Ipv4Addr {
    #[inline]
    fn v4(self) -> Option<Ipv4Addr> {
        Some(self)
    }

    #[inline]
    fn v6(self) -> Option<Ipv6Addr> {
        None
    }
}

impl Address for Ipv6Addr {
    #[inline]
    fn v4(self) -> Option<Ipv4Addr> {
        None
    }

    #[inline]
    fn v6(self) -> Option<Ipv6Addr> {
        Some(self)
    }
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// In bytes.
    pub(super) offset: u16,
    /// Whether others follow.
    pub(super) more: bool,
    /// Bytes that it carries of the datagram.
    pub(super) length: usize,
    /// Bytes that stand before those, in every fragment, as far as the longest packet counts them.
    pub(super) before: usize,
    /// What all fragments of a datagram share beside the addresses.
    pub(super) id: u32,
    /// Likewise: the protocol with IPv4 (RFC 791 3.2), and nothing more with IPv6, where the next
    /// header may differ (RFC 8200 4.5).
    pub(super) kin: u8,
}

/// A packet of one family.
pub(super) trait Ip<'a>: Copy {
    type Address: Address;
    const ETHERTYPE: u16;
    /// The protocol number of such packets in another.
    const TUNNELLED: u8;
    /// The number of its ICMP.
    const ICMP: u8;
    /// Every link takes so many bytes (RFC 791 3.2, RFC 8200 5).
    const LEAST_MTU: usize;
    /// What becomes of one that is too long and may not be cut.
    const TOO_LONG: Outcome;

    /// An address, if it is of this family.
    fn address(address: IpAddr) -> Option<Self::Address>;
    /// One that is all there.
    fn whole(bytes: &'a [u8]) -> Option<Self>;
    /// One that may be cut behind its headers, as an ICMP error quotes it.
    fn quoted(bytes: &'a [u8]) -> Option<Self>;
    fn bytes(&self) -> &'a [u8];
    /// By its own word.
    fn total_length(&self) -> usize;
    fn source(&self) -> Self::Address;
    fn destination(&self) -> Self::Address;
    /// For the transport's checksum.
    fn addresses(&self) -> AddressPair;
    /// What the payload is.
    fn protocol(&self) -> u8;
    fn payload(&self) -> &'a [u8];
    /// TTL or hop limit.
    fn hops(&self) -> u8;
    /// Whether a router may cut it.
    fn may_be_cut(&self) -> bool;
    fn is_fragment(&self) -> bool;
    /// Its place, whether it is a fragment or a whole datagram.
    fn part(&self) -> Part;
    /// Whether it may be of a datagram that has ports.
    fn may_have_ports(&self) -> bool;
    /// Copies it to all of `out` with one off its hops.
    fn copy_one_hop_on(&self, out: &mut [u8]) -> Result<(), EmitError>;
    /// Its source after `ends` were put in.
    fn source_after(&self, ends: &Ends) -> Self::Address;
    /// Itself, if it is IPv4's: translation and cutting are for IPv4 alone.
    fn v4(&self) -> Option<&ipv4::View<'a>>;

    /// The ICMP message in it.
    fn heard(&self) -> Heard<'a>;
    /// Whether an ICMP error about it is allowed at all.
    fn may_be_answered(&self) -> bool;
    /// The length of an error about it.
    fn error_length(&self) -> usize;
    /// Writes an error about it, from `source`, to all of `out`.
    fn emit_error(
        &self,
        source: Self::Address,
        report: Report,
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError>;
    /// The length of the answer to its echo request with that data.
    fn echo_length(data: &[u8]) -> usize;
    /// Writes that answer to all of `out`. RFC 1122 3.2.2.6 leaves the TOS open; Linux answers with
    /// what it was asked with, in both families.
    fn emit_echo(
        &self,
        echo: (u16, u16),
        data: &[u8],
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError>;
}

impl<'a> Ip<'a> for ipv4::View<'a> {
    type Address = Ipv4Addr;
    const ETHERTYPE: u16 = ethertype::IPV4;
    const TUNNELLED: u8 = protocol::IPIP;
    const ICMP: u8 = protocol::ICMP;
    const LEAST_MTU: usize = 68;
    const TOO_LONG: Outcome = Outcome::FragmentationNeeded;

    fn address(address: IpAddr) -> Option<Ipv4Addr> {
        match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        }
    }

    fn whole(bytes: &'a [u8]) -> Option<Self> {
        Self::new(bytes).ok()
    }

    #[inline]
    fn quoted(bytes: &'a [u8]) -> Option<Self> {
        Self::new_cut(bytes).ok()
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.bytes()
    }

    #[inline]
    fn total_length(&self) -> usize {
        self.total_length()
    }

    #[inline]
    fn source(&self) -> Ipv4Addr {
        self.source()
    }

    #[inline]
    fn destination(&self) -> Ipv4Addr {
        self.destination()
    }

    #[inline]
    fn addresses(&self) -> AddressPair {
        self.addresses()
    }

    #[inline]
    fn protocol(&self) -> u8 {
        self.protocol()
    }

    #[inline]
    fn payload(&self) -> &'a [u8] {
        self.payload()
    }

    #[inline]
    fn hops(&self) -> u8 {
        self.ttl()
    }

    #[inline]
    fn may_be_cut(&self) -> bool {
        !self.dont_fragment()
    }

    #[inline]
    fn is_fragment(&self) -> bool {
        self.is_fragment()
    }

    fn part(&self) -> Part {
        Part {
            offset: self.fragment_offset(),
            more: self.more_fragments(),
            length: self.payload().len(),
            before: self.header_length(),
            id: self.id().into(),
            kin: self.protocol(),
        }
    }

    fn may_have_ports(&self) -> bool {
        has_ports(self.protocol())
    }

    #[inline]
    fn copy_one_hop_on(&self, out: &mut [u8]) -> Result<(), EmitError> {
        self.copy_one_hop_on(out)
    }

    #[inline]
    fn source_after(&self, ends: &Ends) -> Ipv4Addr {
        ends.source.unwrap_or(self.source())
    }

    #[inline]
    fn v4(&self) -> Option<&ipv4::View<'a>> {
        Some(self)
    }

    fn heard(&self) -> Heard<'a> {
        Heard::v4(self.payload())
    }

    fn may_be_answered(&self) -> bool {
        icmpv4::may_answer(self)
    }

    fn error_length(&self) -> usize {
        let whole = ipv4::MIN_HEADER_LEN + icmpv4::HEADER_LEN + self.bytes().len();
        whole.min(icmpv4::MAX_ERROR_LEN)
    }

    fn emit_error(
        &self,
        source: Ipv4Addr,
        report: Report,
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError> {
        let (destination, message) = (self.source(), report.v4());
        let error = icmpv4::Error { source, destination, ttl: OWN_TTL, id, message };
        error.emit(self.bytes(), out).map(|_| ())
    }

    fn echo_length(data: &[u8]) -> usize {
        ipv4::MIN_HEADER_LEN + icmpv4::HEADER_LEN + data.len()
    }

    fn emit_echo(
        &self,
        (echo, sequence): (u16, u16),
        data: &[u8],
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError> {
        let (source, destination) = (self.destination(), self.source());
        let length = icmpv4::HEADER_LEN + data.len();
        let header = own_header(source, destination, protocol::ICMP, id, length);
        ipv4::Header { tos: self.tos(), ..header }.emit(out)?;
        let message = &mut out[ipv4::MIN_HEADER_LEN..];
        message[icmpv4::HEADER_LEN..].copy_from_slice(data);
        icmpv4::Message::EchoReply { id: echo, sequence }.emit(message)
    }
}

/// An IPv6 packet whose extension headers were walked over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ipv6<'a> {
    pub(super) view: ipv6::View<'a>,
    pub(super) transport: ipv6::Transport<'a>,
}

impl<'a> Ip<'a> for Ipv6<'a> {
    type Address = Ipv6Addr;
    const ETHERTYPE: u16 = ethertype::IPV6;
    const TUNNELLED: u8 = protocol::IPV6;
    const ICMP: u8 = protocol::ICMPV6;
    const LEAST_MTU: usize = 1280;
    const TOO_LONG: Outcome = Outcome::PacketTooBig;

    fn address(address: IpAddr) -> Option<Ipv6Addr> {
        match address {
            IpAddr::V6(address) => Some(address),
            IpAddr::V4(_) => None,
        }
    }

    fn whole(bytes: &'a [u8]) -> Option<Self> {
        let view = ipv6::View::new(bytes).ok()?;
        Some(Self { view, transport: view.transport().ok()? })
    }

    fn quoted(bytes: &'a [u8]) -> Option<Self> {
        let view = ipv6::View::new_cut(bytes).ok()?;
        Some(Self { view, transport: view.transport().ok()? })
    }

    #[inline]
    fn bytes(&self) -> &'a [u8] {
        self.view.bytes()
    }

    #[inline]
    fn total_length(&self) -> usize {
        self.view.total_length()
    }

    #[inline]
    fn source(&self) -> Ipv6Addr {
        self.view.source()
    }

    #[inline]
    fn destination(&self) -> Ipv6Addr {
        self.view.destination()
    }

    #[inline]
    fn addresses(&self) -> AddressPair {
        self.view.addresses()
    }

    #[inline]
    fn protocol(&self) -> u8 {
        self.transport.protocol
    }

    #[inline]
    fn payload(&self) -> &'a [u8] {
        self.transport.bytes
    }

    #[inline]
    fn hops(&self) -> u8 {
        self.view.hop_limit()
    }

    #[inline]
    fn may_be_cut(&self) -> bool {
        false
    }

    /// An atomic fragment, which is all of its datagram, is none (RFC 6946).
    #[inline]
    fn is_fragment(&self) -> bool {
        self.transport.fragment.is_some_and(|fragment| fragment.more || fragment.offset != 0)
    }

    fn part(&self) -> Part {
        let whole = ipv6::Fragment { offset: 0, more: false, id: 0, length: self.payload().len() };
        let ipv6::Fragment { offset, more, id, length } = self.transport.fragment.unwrap_or(whole);
        // The longest payload is 65535 bytes, and the fragment header goes.
        let before = self.view.payload().len().saturating_sub(length + 8);
        Part { offset, more, length, before, id, kin: extension::FRAGMENT }
    }

    /// Before the transport of a later fragment's datagram may be more headers, which only the first
    /// has.
    fn may_have_ports(&self) -> bool {
        use extension::{AUTHENTICATION, DESTINATION_OPTIONS, HIP, MOBILITY, ROUTING, SHIM6};
        let later = self.part().offset != 0;
        match self.protocol() {
            AUTHENTICATION | DESTINATION_OPTIONS | HIP | MOBILITY | ROUTING | SHIM6 => later,
            protocol => has_ports(protocol),
        }
    }

    #[inline]
    fn copy_one_hop_on(&self, out: &mut [u8]) -> Result<(), EmitError> {
        self.view.copy_one_hop_on(out)
    }

    #[inline]
    fn source_after(&self, _: &Ends) -> Ipv6Addr {
        self.source()
    }

    #[inline]
    fn v4(&self) -> Option<&ipv4::View<'a>> {
        None
    }

    fn heard(&self) -> Heard<'a> {
        let (source, destination) = (self.source(), self.destination());
        Heard::v6(self.payload(), |message| message.checksum_ok(source, destination))
    }

    fn may_be_answered(&self) -> bool {
        icmpv6::may_answer(&self.view)
    }

    fn error_length(&self) -> usize {
        let whole = ipv6::HEADER_LEN + icmpv6::HEADER_LEN + self.bytes().len();
        whole.min(icmpv6::MAX_ERROR_LEN)
    }

    fn emit_error(
        &self,
        source: Ipv6Addr,
        report: Report,
        _: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError> {
        let (destination, message) = (self.source(), report.v6());
        let error = icmpv6::Error { source, destination, hop_limit: OWN_TTL, message };
        error.emit(self.bytes(), out).map(|_| ())
    }

    fn echo_length(data: &[u8]) -> usize {
        ipv6::HEADER_LEN + icmpv6::HEADER_LEN + data.len()
    }

    fn emit_echo(
        &self,
        (id, sequence): (u16, u16),
        data: &[u8],
        _: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError> {
        let (source, destination) = (self.destination(), self.source());
        let length = icmpv6::HEADER_LEN + data.len();
        let header = own_header6(source, destination, protocol::ICMPV6, length);
        ipv6::Header { traffic_class: self.view.traffic_class(), ..header }.emit(out)?;
        let message = &mut out[ipv6::HEADER_LEN..];
        message[icmpv6::HEADER_LEN..].copy_from_slice(data);
        icmpv6::Message::EchoReply { id, sequence }.emit(source, destination, message)
    }
}

const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP)
}

/// The IPv4 header of a packet of the forwarder's own.
pub(super) const fn own_header(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    id: u16,
    payload_length: usize,
) -> ipv4::Header<'static> {
    ipv4::Header {
        source,
        destination,
        protocol,
        ttl: OWN_TTL,
        tos: 0,
        id,
        dont_fragment: false,
        more_fragments: false,
        fragment_offset: 0,
        options: &[],
        payload_length,
    }
}

/// The IPv6 header of a packet of the forwarder's own.
pub(super) const fn own_header6(
    source: Ipv6Addr,
    destination: Ipv6Addr,
    next_header: u8,
    payload_length: usize,
) -> ipv6::Header {
    ipv6::Header {
        source,
        destination,
        next_header,
        hop_limit: OWN_TTL,
        traffic_class: 0,
        flow_label: 0,
        payload_length,
    }
}

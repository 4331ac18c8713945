//! IPv6 packets as the engine sees them.

use super::{EchoNumbers, FragmentInfo, Ip, OWN_TTL, has_ports};
use crate::Outcome;
use crate::engine::icmp_messages::{IcmpError, IcmpInput};
use crate::engine::rewrite::AddressRewrite;
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::ethertype;
use labsim_wire::ipv6::{self, extension};
use labsim_wire::{EmitError, icmpv6, ipv4, protocol};
use std::net::{IpAddr, Ipv6Addr};

/// An IPv6 packet whose extension headers were walked over.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Ipv6<'a> {
    pub(in crate::engine) view: ipv6::View<'a>,
    pub(in crate::engine) transport: ipv6::Transport<'a>,
}

impl<'a> Ip<'a> for Ipv6<'a> {
    type Address = Ipv6Addr;
    const ETHERTYPE: u16 = ethertype::IPV6;
    const ICMP: u8 = protocol::ICMPV6;
    const MIN_MTU: usize = 1280;
    const TOO_LONG: Outcome = Outcome::PacketTooBig;

    fn address(address: IpAddr) -> Option<Ipv6Addr> {
        super::v6(address)
    }

    #[inline]
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let view = ipv6::View::new(bytes).ok()?;
        Some(Self { view, transport: view.transport().ok()? })
    }

    #[inline]
    fn parse_truncated(bytes: &'a [u8]) -> Option<Self> {
        let view = ipv6::View::new_truncated(bytes).ok()?;
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
    fn tos(&self) -> u8 {
        self.view.traffic_class()
    }

    #[inline]
    fn ttl(&self) -> u8 {
        self.view.hop_limit()
    }

    #[inline]
    fn may_fragment(&self) -> bool {
        false
    }

    /// An atomic fragment, which is all of its datagram, is none (RFC 6946).
    #[inline]
    fn is_fragment(&self) -> bool {
        self.transport.fragment.is_some_and(|fragment| fragment.more || fragment.offset != 0)
    }

    fn fragment_info(&self) -> FragmentInfo {
        let whole = ipv6::Fragment { offset: 0, more: false, id: 0, length: self.payload().len() };
        let ipv6::Fragment { offset, more, id, length } = self.transport.fragment.unwrap_or(whole);
        // The longest payload is 65535 bytes, and the fragment header goes.
        let before = self.view.payload().len().saturating_sub(length + 8);
        FragmentInfo { offset, more, length, before, id, protocol: extension::FRAGMENT }
    }

    /// Before the transport of a later fragment's datagram may be more headers, which only the
    /// first has.
    fn may_have_ports(&self) -> bool {
        use extension::{AUTHENTICATION, DESTINATION_OPTIONS, HIP, MOBILITY, ROUTING, SHIM6};
        let later = self.fragment_info().offset != 0;
        match self.protocol() {
            AUTHENTICATION | DESTINATION_OPTIONS | HIP | MOBILITY | ROUTING | SHIM6 => later,
            protocol => has_ports(protocol),
        }
    }

    #[inline]
    fn copy_decrementing_ttl(&self, out: &mut [u8]) -> Result<(), EmitError> {
        self.view.copy_decrementing_ttl(out)
    }

    #[inline]
    fn source_after(&self, addresses: &AddressRewrite) -> Ipv6Addr {
        addresses.source.and_then(super::v6).unwrap_or(self.source())
    }

    #[inline]
    fn v4(&self) -> Option<&ipv4::View<'a>> {
        None
    }

    fn icmp_input(&self) -> IcmpInput<'a> {
        let (source, destination) = (self.source(), self.destination());
        IcmpInput::v6(self.payload(), |message| message.checksum_ok(source, destination))
    }

    fn may_be_answered_with_error(&self) -> bool {
        icmpv6::may_answer(&self.view)
    }

    fn error_length(&self) -> usize {
        let whole = ipv6::HEADER_LEN + icmpv6::HEADER_LEN + self.bytes().len();
        whole.min(icmpv6::MAX_ERROR_LEN)
    }

    fn emit_error(
        &self,
        source: Ipv6Addr,
        error: IcmpError,
        _: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError> {
        let (destination, message) = (self.source(), error.v6());
        let error = icmpv6::Error { source, destination, hop_limit: OWN_TTL, message };
        let room = out.len().saturating_sub(ipv6::HEADER_LEN + icmpv6::HEADER_LEN);
        let quoted = &self.bytes()[..room.min(self.bytes().len())];
        error.emit(quoted, out).map(|_| ())
    }

    fn echo_length(data: &[u8]) -> usize {
        ipv6::HEADER_LEN + icmpv6::HEADER_LEN + data.len()
    }

    fn emit_echo(
        &self,
        EchoNumbers { id, sequence }: EchoNumbers,
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

/// The IPv6 header of a packet of the forwarder's own.
pub(in crate::engine) const fn own_header6(
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

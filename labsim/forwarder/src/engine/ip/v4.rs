//! IPv4 packets as the engine sees them.

use super::{EchoNumbers, FragmentInfo, Ip, OWN_TTL, has_ports};
use crate::Outcome;
use crate::engine::icmp_messages::{IcmpError, IcmpInput};
use crate::engine::rewrite::AddressRewrite;
use labsim_wire::checksum::AddressPair;
use labsim_wire::ethernet::ethertype;
use labsim_wire::{EmitError, icmpv4, ipv4, protocol};
use std::net::{IpAddr, Ipv4Addr};

impl<'a> Ip<'a> for ipv4::View<'a> {
    type Address = Ipv4Addr;
    const ETHERTYPE: u16 = ethertype::IPV4;
    const ICMP: u8 = protocol::ICMP;
    const MIN_MTU: usize = 68;
    const TOO_LONG: Outcome = Outcome::FragmentationNeeded;

    fn address(address: IpAddr) -> Option<Ipv4Addr> {
        super::v4(address)
    }

    #[inline]
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        Self::new(bytes).ok()
    }

    #[inline]
    fn parse_truncated(bytes: &'a [u8]) -> Option<Self> {
        Self::new_truncated(bytes).ok()
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
    fn tos(&self) -> u8 {
        self.tos()
    }

    #[inline]
    fn ttl(&self) -> u8 {
        self.ttl()
    }

    #[inline]
    fn may_fragment(&self) -> bool {
        !self.dont_fragment()
    }

    #[inline]
    fn is_fragment(&self) -> bool {
        self.is_fragment()
    }

    fn fragment_info(&self) -> FragmentInfo {
        FragmentInfo {
            offset: self.fragment_offset(),
            more: self.more_fragments(),
            length: self.payload().len(),
            before: self.header_length(),
            id: self.id().into(),
            protocol: self.protocol(),
        }
    }

    fn may_have_ports(&self) -> bool {
        has_ports(self.protocol())
    }

    #[inline]
    fn copy_decrementing_ttl(&self, out: &mut [u8]) -> Result<(), EmitError> {
        self.copy_decrementing_ttl(out)
    }

    #[inline]
    fn source_after(&self, addresses: &AddressRewrite) -> Ipv4Addr {
        addresses.source.and_then(super::v4).unwrap_or(self.source())
    }

    #[inline]
    fn v4(&self) -> Option<&ipv4::View<'a>> {
        Some(self)
    }

    fn icmp_input(&self) -> IcmpInput<'a> {
        IcmpInput::v4(self.payload())
    }

    fn may_be_answered_with_error(&self) -> bool {
        icmpv4::may_answer(self)
    }

    fn error_length(&self) -> usize {
        let whole = ipv4::MIN_HEADER_LEN + icmpv4::HEADER_LEN + self.bytes().len();
        whole.min(icmpv4::MAX_ERROR_LEN)
    }

    fn emit_error(
        &self,
        source: Ipv4Addr,
        error: IcmpError,
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError> {
        let (destination, message) = (self.source(), error.v4());
        let error = icmpv4::Error { source, destination, ttl: OWN_TTL, id, message };
        let room = out.len().saturating_sub(ipv4::MIN_HEADER_LEN + icmpv4::HEADER_LEN);
        let quoted = &self.bytes()[..room.min(self.bytes().len())];
        error.emit(quoted, out).map(|_| ())
    }

    fn echo_length(data: &[u8]) -> usize {
        ipv4::MIN_HEADER_LEN + icmpv4::HEADER_LEN + data.len()
    }

    fn emit_echo(
        &self,
        echo: EchoNumbers,
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
        icmpv4::Message::EchoReply { id: echo.id, sequence: echo.sequence }.emit(message)
    }
}

/// The IPv4 header of a packet of the forwarder's own.
pub(in crate::engine) const fn own_header(
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

//! What packets of both families have in common. Most of the engine does not care which it has:
//! those parts are compiled once for each.

mod v4;
mod v6;

pub(super) use v4::own_header;
pub(super) use v6::{Ipv6, own_header6};

use super::icmp_messages::{IcmpError, IcmpInput};
use super::rewrite::AddressRewrite;
use crate::Outcome;
use labsim_wire::checksum::AddressPair;
use labsim_wire::{EmitError, ipv4, protocol};
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

/// An address, if it is IPv4's.
pub(super) const fn v4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

/// An address, if it is IPv6's.
pub(super) const fn v6(address: IpAddr) -> Option<Ipv6Addr> {
    match address {
        IpAddr::V6(address) => Some(address),
        IpAddr::V4(_) => None,
    }
}

/// Where a fragment belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FragmentInfo {
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
    pub(super) protocol: u8,
}

/// A packet of one family.
pub(super) trait Ip<'a>: Copy {
    type Address: Address;
    const ETHERTYPE: u16;
    /// The number of its ICMP.
    const ICMP: u8;
    /// The minimum MTU of every link (RFC 791 3.2, RFC 8200 5).
    const MIN_MTU: usize;
    /// The outcome of a packet that is too long and must not be fragmented.
    const TOO_LONG: Outcome;

    /// An address, if it is of this family.
    fn address(address: IpAddr) -> Option<Self::Address>;
    /// Parses a complete packet.
    fn parse(bytes: &'a [u8]) -> Option<Self>;
    /// Parses a packet that may be truncated after its headers, as an ICMP error quotes it.
    fn parse_truncated(bytes: &'a [u8]) -> Option<Self>;
    fn bytes(&self) -> &'a [u8];
    /// The length in the IP header.
    fn total_length(&self) -> usize;
    fn source(&self) -> Self::Address;
    fn destination(&self) -> Self::Address;
    /// For the transport's checksum.
    fn addresses(&self) -> AddressPair;
    /// What the payload is.
    fn protocol(&self) -> u8;
    fn payload(&self) -> &'a [u8];
    /// TOS or traffic class.
    fn tos(&self) -> u8;
    /// TTL or hop limit.
    fn ttl(&self) -> u8;
    /// Whether a router may fragment it.
    fn may_fragment(&self) -> bool;
    fn is_fragment(&self) -> bool;
    /// Its place, whether it is a fragment or a whole datagram.
    fn fragment_info(&self) -> FragmentInfo;
    /// Whether it may be of a datagram that has ports.
    fn may_have_ports(&self) -> bool;
    /// Copies the packet to all of `out` with its TTL decremented.
    fn copy_decrementing_ttl(&self, out: &mut [u8]) -> Result<(), EmitError>;
    /// Its source after `ends` were put in.
    fn source_after(&self, addresses: &AddressRewrite) -> Self::Address;
    /// Itself, if it is IPv4's: cutting is for IPv4 alone.
    fn v4(&self) -> Option<&ipv4::View<'a>>;

    /// The ICMP message in it.
    fn icmp_input(&self) -> IcmpInput<'a>;
    /// Whether an ICMP error about it is allowed at all.
    fn may_be_answered_with_error(&self) -> bool;
    /// The length of an error about it, where links take as much.
    fn error_length(&self) -> usize;
    /// Writes an error about it, from `source`, to all of `out`, which may be shorter: so is the quote.
    fn emit_error(
        &self,
        source: Self::Address,
        error: IcmpError,
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError>;
    /// The length of the answer to its echo request with that data.
    fn echo_length(data: &[u8]) -> usize;
    /// Writes that answer to all of `out`. RFC 1122 3.2.2.6 leaves the TOS open; Linux answers with
    /// what it was asked with, in both families.
    fn emit_echo(
        &self,
        echo: EchoNumbers,
        data: &[u8],
        id: u16,
        out: &mut [u8],
    ) -> Result<(), EmitError>;
}

/// What an echo request is recognised by, and its answer repeats.
#[derive(Debug, Clone, Copy)]
pub(super) struct EchoNumbers {
    pub(super) id: u16,
    pub(super) sequence: u16,
}

const fn has_ports(protocol: u8) -> bool {
    matches!(protocol, protocol::TCP | protocol::UDP)
}

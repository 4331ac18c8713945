//! Made-up packets.

use super::{NodeName, TunnelProtocol};
use std::net::Ipv4Addr;

/// A UDP packet over IPv4, in a tunnel packet or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MadePacket {
    /// The node that sends it.
    pub from: NodeName,
    /// The packet's own header.
    pub header: MadeHeader,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Bytes of payload, all zero.
    pub payload: usize,
    /// What it is put into, and the header in front.
    pub outer: Option<(TunnelProtocol, MadeHeader)>,
}

/// What an IPv4 header says that is no matter of course.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeHeader {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// TTL.
    pub ttl: u8,
    /// TOS.
    pub tos: u8,
    /// The don't-fragment bit.
    pub dont_fragment: bool,
}

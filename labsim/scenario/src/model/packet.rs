//! Made-up packets.

use super::{NodeName, TunnelProtocol};
use std::net::IpAddr;

/// A UDP packet, in a tunnel packet or not.
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

/// What an IP header says that is no matter of course. Both addresses are of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MadeHeader {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL, IPv6's hop limit.
    pub ttl: u8,
    /// TOS, IPv6's traffic class.
    pub tos: u8,
    /// IPv4's don't-fragment bit.
    pub dont_fragment: bool,
}

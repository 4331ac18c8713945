//! Crafted packets.

use super::{NodeName, TunnelProtocol};
use std::net::{IpAddr, Ipv4Addr};

/// A UDP packet, in a tunnel packet or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CraftedPacket {
    /// The node that sends it.
    pub from: NodeName,
    /// The packet's own header.
    pub header: CraftedHeader,
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Bytes of payload, all zero.
    pub payload: usize,
    /// The options of its own header; none of IPv6.
    pub options: Vec<IpOption>,
    /// What it is put into, and the header in front.
    pub outer: Option<(TunnelProtocol, CraftedHeader)>,
}

/// Fields of an IP header that a file sets. Both addresses are of one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CraftedHeader {
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

/// An option of an IPv4 header (RFC 791, section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IpOption {
    /// RFC 2113.
    RouterAlert,
    /// One byte.
    NoOperation,
    /// Empty room for that many addresses.
    RecordRoute(u8),
    /// Empty room for that many times.
    Timestamp(u8),
    /// Routers to pass.
    SourceRoute {
        /// Whether there may be no others between them.
        strict: bool,
        /// The routers.
        through: Vec<Ipv4Addr>,
    },
}

impl IpOption {
    /// The options as a header has them, with the end of the list and padding to whole words.
    #[must_use]
    pub fn encode(options: &[Self]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for option in options {
            option.append_to(&mut bytes);
        }
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn append_to(&self, bytes: &mut Vec<u8>) {
        let room = |number: u8| vec![0; usize::from(number) * 4];
        let (kind, pointer, data) = match self {
            Self::NoOperation => return bytes.push(1),
            Self::RouterAlert => return bytes.extend([0x94, 4, 0, 0]),
            Self::RecordRoute(number) => (0x07, &[4][..], room(*number)),
            // Times alone (flag 0), and no overflow.
            Self::Timestamp(number) => (0x44, &[5, 0][..], room(*number)),
            Self::SourceRoute { strict, through } => {
                let kind = if *strict { 0x89 } else { 0x83 };
                (kind, &[4][..], through.iter().flat_map(Ipv4Addr::octets).collect())
            }
        };
        let length = 2 + pointer.len() + data.len();
        // The file's bounds leave room for no more than 40 bytes.
        bytes.extend([kind, u8::try_from(length).unwrap_or(u8::MAX)]);
        bytes.extend(pointer);
        bytes.extend(data);
    }
}

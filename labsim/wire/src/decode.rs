//! A captured frame as an owned, plain value: for verdicts and tables.

mod line;
mod parse;

pub use line::{Line, Relative, icmp_name};
pub use parse::{MAX_HEADERS, decode, decode_network, payload};

use crate::checksum::ChecksumState;
use crate::tcp::Flags;
use crate::{Malformed, arp, ethernet, tunnel};
use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// What a capture point's frames begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LinkType {
    /// An Ethernet header.
    Ethernet,
    /// An IPv4 or IPv6 header: TUN and tunnel devices.
    Raw,
}

/// A frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The Ethernet header; `None` on a raw-IP interface, and of a malformed frame.
    pub link: Option<ethernet::Header>,
    /// What is in it.
    pub content: Content,
}

/// What a frame carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// ARP.
    Arp(arp::Packet),
    /// IP, whatever it carries.
    Ip(Packet),
    /// Anything else: the ethertype is in the link header.
    Other,
    /// Not even the first header can be read.
    Malformed(Malformed),
}

/// An IP packet, the packets in it if it is a tunnel's, and the innermost one's transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The first IP header.
    pub outermost: IpHeader,
    /// IP headers inside, outermost first; empty if nothing is tunnelled.
    pub inner: Vec<IpHeader>,
    /// What the innermost packet carries.
    pub transport: Transport,
}

/// An IPv4 or IPv6 header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IpHeader {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// TOS or traffic class.
    pub tos: u8,
    /// IPv4's identification, or that of IPv6's fragment header.
    pub id: Option<u32>,
    /// IPv4's don't-fragment bit; `None` in IPv6, which has none.
    pub dont_fragment: Option<bool>,
    /// More fragments follow.
    pub more_fragments: bool,
    /// Where this fragment belongs, in bytes.
    pub fragment_offset: u16,
    /// What it carries, IPv6's extension headers left out; see [`crate::protocol`].
    pub protocol: u8,
    /// The packet's length in bytes as its header gives it, the header included.
    pub length: u32,
    /// Whether IPv4's header checksum is right; `None` in IPv6, which has none.
    pub checksum_ok: Option<bool>,
    /// The tunnel's header that follows, if the next packet is carried by one.
    pub tunnel: Option<tunnel::Header>,
}

impl IpHeader {
    /// Whether this is part of a packet, the first part or a later one.
    #[must_use]
    pub fn is_fragment(&self) -> bool {
        self.more_fragments || self.fragment_offset != 0
    }
}

/// What an innermost packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp(Udp),
    /// ICMP of either family.
    Icmp(Icmp),
    /// The first bytes of a TCP or UDP header, as an ICMP error may quote it.
    Beginning {
        /// [`crate::protocol::TCP`] or [`crate::protocol::UDP`].
        protocol: u8,
        /// Source port.
        source_port: u16,
        /// Destination port.
        destination_port: u16,
        /// TCP's sequence number, if that far was quoted.
        sequence: Option<u32>,
    },
    /// Another protocol: the header's `protocol` says which.
    Other {
        /// Bytes of it.
        payload: u32,
    },
    /// A fragment that is not the first: it has no transport header.
    LaterFragment {
        /// Bytes of it.
        payload: u32,
    },
    /// The next header cannot be read.
    Malformed(Malformed),
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Sequence number as it stands.
    pub sequence: u32,
    /// Acknowledgement number as it stands; without meaning if ACK is not set.
    pub acknowledgement: u32,
    /// The control bits.
    pub flags: Flags,
    /// The window, not scaled.
    pub window: u16,
    /// The maximum segment size that a SYN announces.
    pub mss: Option<u16>,
    /// Bytes of payload, by the IP header's length.
    pub payload: u32,
    /// What its checksum is worth.
    pub checksum: ChecksumState,
}

/// A UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Udp {
    /// Source port.
    pub source_port: u16,
    /// Destination port.
    pub destination_port: u16,
    /// Bytes of payload, by the UDP header's length.
    pub payload: u32,
    /// What its checksum is worth.
    pub checksum: ChecksumState,
}

/// An ICMP or ICMPv6 message; the innermost header's protocol says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// The MTU that a "fragmentation needed" or "packet too big" tells.
    pub mtu: Option<u32>,
    /// An echo's identifier and sequence number.
    pub echo: Option<(u16, u16)>,
    /// The address that a neighbour message is about.
    pub target: Option<Ipv6Addr>,
    /// What its checksum is worth.
    pub checksum: ChecksumState,
    /// The packet that an error is about, as much of it as is quoted.
    pub quoted: Option<Box<Packet>>,
}

/// Protocol, addresses and ports of one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// IP protocol number.
    pub protocol: u8,
    /// Who sends.
    pub source: SocketAddr,
    /// Who receives.
    pub destination: SocketAddr,
}

impl Flow {
    /// The other direction.
    #[must_use]
    pub fn reversed(self) -> Self {
        Self { protocol: self.protocol, source: self.destination, destination: self.source }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} > {}", self.source, self.destination)
    }
}

impl Decoded {
    /// The IP packet, if it is one.
    #[must_use]
    pub fn packet(&self) -> Option<&Packet> {
        match &self.content {
            Content::Ip(packet) => Some(packet),
            _ => None,
        }
    }

    /// The innermost IP header, if it is an IP packet.
    #[must_use]
    pub fn innermost(&self) -> Option<&IpHeader> {
        self.packet().map(Packet::innermost)
    }

    /// The outermost IP header, if it is a tunnel's.
    #[must_use]
    pub fn outer(&self) -> Option<&IpHeader> {
        self.packet().and_then(Packet::outer)
    }

    /// Protocol, addresses and ports of the innermost packet.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        self.packet().and_then(Packet::flow)
    }

    /// The TCP segment of the innermost packet.
    #[must_use]
    pub fn tcp(&self) -> Option<&Tcp> {
        self.packet().and_then(Packet::tcp)
    }

    /// The ICMP message of the innermost packet.
    #[must_use]
    pub fn icmp(&self) -> Option<&Icmp> {
        match self.packet().map(|packet| &packet.transport) {
            Some(Transport::Icmp(icmp)) => Some(icmp),
            _ => None,
        }
    }

    /// Where and why it is malformed, if it is.
    #[must_use]
    pub fn malformed(&self) -> Option<Malformed> {
        match &self.content {
            Content::Malformed(why) => Some(*why),
            Content::Ip(Packet { transport: Transport::Malformed(why), .. }) => Some(*why),
            _ => None,
        }
    }

    /// As one line, with TCP's numbers relative to `relative`'s if they are given.
    #[must_use]
    pub fn line(&self, relative: Option<Relative>) -> Line<'_> {
        Line::new(self, relative)
    }
}

impl fmt::Display for Decoded {
    /// One line, TCP's numbers as they stand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.line(None).fmt(f)
    }
}

impl Packet {
    /// The innermost IP header.
    #[must_use]
    pub fn innermost(&self) -> &IpHeader {
        self.inner.last().unwrap_or(&self.outermost)
    }

    /// The outermost IP header, if there is one inside it.
    #[must_use]
    pub fn outer(&self) -> Option<&IpHeader> {
        (!self.inner.is_empty()).then_some(&self.outermost)
    }

    /// All IP headers, outermost first.
    pub fn headers(&self) -> impl Iterator<Item = &IpHeader> {
        std::iter::once(&self.outermost).chain(&self.inner)
    }

    /// The TCP segment.
    #[must_use]
    pub fn tcp(&self) -> Option<&Tcp> {
        match &self.transport {
            Transport::Tcp(tcp) => Some(tcp),
            _ => None,
        }
    }

    /// Source and destination port, if there are ports.
    #[must_use]
    pub fn ports(&self) -> Option<(u16, u16)> {
        match &self.transport {
            Transport::Tcp(tcp) => Some((tcp.source_port, tcp.destination_port)),
            Transport::Udp(udp) => Some((udp.source_port, udp.destination_port)),
            Transport::Beginning { source_port, destination_port, .. } => {
                Some((*source_port, *destination_port))
            }
            _ => None,
        }
    }

    /// Protocol, addresses and ports of the innermost packet, if there are ports.
    #[must_use]
    pub fn flow(&self) -> Option<Flow> {
        let (source_port, destination_port) = self.ports()?;
        let header = self.innermost();
        Some(Flow {
            protocol: header.protocol,
            source: SocketAddr::new(header.source, source_port),
            destination: SocketAddr::new(header.destination, destination_port),
        })
    }
}

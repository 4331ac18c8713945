//! What is known of a packet: by its bytes, or by what a text says of it.

use crate::datagram::Datagram;
use labsim_wire::decode::{Content, Decoded, IpHeader, Transport as Decoding};
use labsim_wire::ethernet::Mac;
use labsim_wire::tcp::Flags;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a frame carries. What its form does not show is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Known {
    /// An IP packet.
    Ip(Packet),
    /// ARP for IPv4.
    Arp(Arp),
    /// Neither, or nothing that can be read.
    #[default]
    Other,
}

/// An IP packet, with those inside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    /// The first IP header.
    pub outermost: Header,
    /// IP headers inside, outermost first.
    pub inner: Vec<Header>,
    /// What the innermost carries.
    pub transport: Transport,
}

/// An IP header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: Option<u8>,
    /// TOS or traffic class.
    pub tos: Option<u8>,
    /// IPv4's identification.
    pub id: Option<u16>,
    /// IPv4's don't-fragment bit.
    pub dont_fragment: Option<bool>,
    /// Where this fragment belongs, in bytes, and whether more follow; `None` also if it is whole.
    pub fragment: Option<(u16, bool)>,
    /// What it carries, by the header.
    pub protocol: Option<u8>,
    /// The packet's length in bytes, the header included.
    pub length: Option<u32>,
}

/// What an innermost packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// TCP.
    Tcp(Tcp),
    /// UDP.
    Udp {
        /// Source and destination port.
        ports: (Port, Port),
        /// Bytes of payload.
        payload: Option<u32>,
        /// What its payload says, if enough of it was captured.
        datagram: Option<Datagram>,
    },
    /// ICMP of either family.
    Icmp(Icmp),
    /// Ports of TCP or UDP, and nothing more.
    Ports(Port, Port),
    /// Anything else.
    Other,
}

/// A port; `None` if a text has a name for it that is not known here.
pub type Port = Option<u16>;

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tcp {
    /// Source and destination port.
    pub ports: (Port, Port),
    /// The control bits.
    pub flags: Option<Flags>,
    /// The sequence number.
    pub sequence: Option<Number>,
    /// The acknowledgement number.
    pub acknowledgement: Option<Number>,
    /// The window, not scaled.
    pub window: Option<u16>,
    /// The maximum segment size that a SYN announces.
    pub mss: Option<u16>,
    /// Bytes of payload.
    pub payload: Option<u32>,
    /// The TACACS+ session whose message begins in the segment (RFC 8907, 4.1).
    pub session: Option<u32>,
}

/// A sequence or acknowledgement number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Number {
    /// As it was on the wire.
    Absolute(u32),
    /// Counted from a number that the text does not show.
    Relative(u32),
}

/// An ICMP or ICMPv6 message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: Option<u8>,
    /// Code, of errors.
    pub code: Option<u8>,
    /// An echo's identifier and sequence number.
    pub echo: Option<(u16, u16)>,
    /// The MTU that an error tells.
    pub mtu: Option<u32>,
    /// The address that a neighbour solicitation or advertisement is about.
    pub target: Option<Ipv6Addr>,
    /// The packet that an error is about. Texts do not show all of it.
    pub about: Option<About>,
}

/// What an ICMP error quotes of a packet. Each two are source and destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The addresses of its first header.
    pub outermost: (IpAddr, IpAddr),
    /// Those of the last that is quoted.
    pub innermost: (IpAddr, IpAddr),
    /// The ports, if that far was quoted.
    pub ports: Option<(u16, u16)>,
}

/// ARP for IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arp {
    /// Who has an address.
    Request {
        /// The address.
        target: Ipv4Addr,
        /// Who asks.
        sender: Ipv4Addr,
    },
    /// Where an address is.
    Reply {
        /// The address.
        sender: Ipv4Addr,
        /// Where it is.
        mac: Mac,
    },
    /// Neither.
    Other,
}

impl Arp {
    /// The address that the sender claims, and its link-layer address: by a reply, or by a request for its own address,
    /// which announces it (RFC 5227). `source` sent the frame.
    fn claim(&self, source: Option<Mac>) -> Option<(Ipv4Addr, Mac)> {
        match *self {
            Self::Reply { sender, mac } => Some((sender, mac)),
            Self::Request { target, sender } if target == sender => Some((sender, source?)),
            Self::Request { .. } | Self::Other => None,
        }
    }
}

/// ICMPv6's type of a neighbour advertisement (RFC 4861, 4.4).
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

impl Known {
    /// The address that the sender claims, and its link-layer address: by ARP, or by a neighbour advertisement.
    /// `source` sent the frame.
    #[must_use]
    pub fn claim(&self, source: Option<Mac>) -> Option<(IpAddr, Mac)> {
        match self {
            Self::Arp(arp) => arp.claim(source).map(|(address, mac)| (address.into(), mac)),
            Self::Ip(packet) => match packet.transport {
                Transport::Icmp(icmp) if icmp.kind == Some(NEIGHBOUR_ADVERTISEMENT) => {
                    Some((icmp.target?.into(), source?))
                }
                _ => None,
            },
            Self::Other => None,
        }
    }

    /// What the bytes of a frame say.
    #[must_use]
    pub fn of(decoded: &Decoded) -> Self {
        match &decoded.content {
            Content::Ip(packet) => Self::Ip(Packet {
                outermost: Header::of(&packet.outermost),
                inner: packet.inner.iter().map(Header::of).collect(),
                transport: transport(&packet.transport),
            }),
            Content::Arp(arp) => Self::Arp(match arp.operation {
                labsim_wire::arp::operation::REQUEST => {
                    Arp::Request { target: arp.target_ip, sender: arp.sender_ip }
                }
                labsim_wire::arp::operation::REPLY => {
                    Arp::Reply { sender: arp.sender_ip, mac: arp.sender_mac }
                }
                _ => Arp::Other,
            }),
            Content::Other | Content::Malformed(_) => Self::Other,
        }
    }
}

impl Header {
    /// A header of which only the addresses are known.
    #[must_use]
    pub const fn of_addresses(source: IpAddr, destination: IpAddr) -> Self {
        Self {
            source,
            destination,
            ttl: None,
            tos: None,
            id: None,
            dont_fragment: None,
            fragment: None,
            protocol: None,
            length: None,
        }
    }

    fn of(header: &IpHeader) -> Self {
        let is_v4 = header.source.is_ipv4();
        let place = (header.fragment_offset, header.more_fragments);
        Self {
            source: header.source,
            destination: header.destination,
            ttl: Some(header.ttl),
            tos: Some(header.tos),
            id: header.id.filter(|_| is_v4).and_then(|id| u16::try_from(id).ok()),
            dont_fragment: header.dont_fragment,
            fragment: header.is_fragment().then_some(place),
            protocol: Some(header.protocol),
            length: Some(header.length),
        }
    }
}

fn transport(decoded: &Decoding) -> Transport {
    match decoded {
        Decoding::Tcp(tcp) => Transport::Tcp(Tcp {
            ports: (Some(tcp.source_port), Some(tcp.destination_port)),
            flags: Some(tcp.flags),
            sequence: Some(Number::Absolute(tcp.sequence)),
            acknowledgement: tcp
                .flags
                .contains(Flags::ACK)
                .then_some(Number::Absolute(tcp.acknowledgement)),
            window: Some(tcp.window),
            mss: tcp.mss,
            payload: Some(tcp.payload),
            session: None,
        }),
        Decoding::Udp(udp) => Transport::Udp {
            ports: (Some(udp.source_port), Some(udp.destination_port)),
            payload: Some(udp.payload),
            datagram: None,
        },
        Decoding::Icmp(icmp) => Transport::Icmp(Icmp {
            kind: Some(icmp.kind),
            code: Some(icmp.code),
            echo: icmp.echo,
            mtu: icmp.mtu,
            target: icmp.target,
            about: icmp.quoted.as_ref().map(|packet| About {
                outermost: (packet.outermost.source, packet.outermost.destination),
                innermost: (packet.innermost().source, packet.innermost().destination),
                ports: packet.ports(),
            }),
        }),
        Decoding::Beginning { source_port, destination_port, .. } => {
            Transport::Ports(Some(*source_port), Some(*destination_port))
        }
        Decoding::Other { .. } | Decoding::LaterFragment { .. } | Decoding::Malformed(_) => {
            Transport::Other
        }
    }
}

impl Packet {
    /// The innermost IP header.
    #[must_use]
    pub fn innermost(&self) -> &Header {
        self.inner.last().unwrap_or(&self.outermost)
    }

    /// All IP headers, outermost first.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
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
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absolute(number) => write!(f, "{number}"),
            Self::Relative(number) => write!(f, "{number} (relative)"),
        }
    }
}

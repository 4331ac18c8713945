//! The fields of each header, as data: a program that shows packets needs nothing else.

use super::Kind;

/// How a field's bits are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A number.
    Decimal,
    /// A number of four-byte words, written in bytes.
    Words,
    /// A number of eight-byte words, written in bytes.
    DoubleWords,
    /// A number with all its hexadecimal digits.
    Hex,
    /// One bit: yes or no.
    Bit,
    /// An Ethernet address.
    Mac,
    /// An IPv4 or IPv6 address, by its length.
    Address,
    /// An IP protocol number, with its name ([`crate::protocol::name`]).
    Protocol,
    /// An Ethernet type, with its name ([`ETHERTYPES`]).
    Ethertype,
    /// TCP's control bits, by name ([`TCP_FLAGS`]).
    Flags,
}

/// A field of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// Its name in the protocol's document.
    pub name: &'static str,
    /// Its first bit, counted from the header's first.
    pub bit: usize,
    /// How many bits it has.
    pub bits: usize,
    /// How it is written.
    pub format: Format,
}

const fn field(name: &'static str, bit: usize, bits: usize, format: Format) -> Field {
    Field { name, bit, bits, format }
}

use Format::{
    Address, Bit, Decimal, DoubleWords, Ethertype, Flags, Hex, Mac, Protocol as Proto, Words,
};

const ETHERNET: &[Field] = &[
    field("destination", 0, 48, Mac),
    field("source", 48, 48, Mac),
    field("type", 96, 16, Ethertype),
];
const ARP: &[Field] = &[
    field("hardware type", 0, 16, Decimal),
    field("protocol type", 16, 16, Ethertype),
    field("hardware length", 32, 8, Decimal),
    field("protocol length", 40, 8, Decimal),
    field("operation", 48, 16, Decimal),
    field("sender hardware address", 64, 48, Mac),
    field("sender address", 112, 32, Address),
    field("target hardware address", 144, 48, Mac),
    field("target address", 192, 32, Address),
];
const IPV4: &[Field] = &[
    field("version", 0, 4, Decimal),
    field("header length", 4, 4, Words),
    field("DSCP", 8, 6, Decimal),
    field("ECN", 14, 2, Decimal),
    field("total length", 16, 16, Decimal),
    field("identification", 32, 16, Decimal),
    field("don't fragment", 49, 1, Bit),
    field("more fragments", 50, 1, Bit),
    field("fragment offset", 51, 13, DoubleWords),
    field("TTL", 64, 8, Decimal),
    field("protocol", 72, 8, Proto),
    field("header checksum", 80, 16, Hex),
    field("source", 96, 32, Address),
    field("destination", 128, 32, Address),
];
const IPV6: &[Field] = &[
    field("version", 0, 4, Decimal),
    field("traffic class", 4, 8, Decimal),
    field("flow label", 12, 20, Hex),
    field("payload length", 32, 16, Decimal),
    field("next header", 48, 8, Proto),
    field("hop limit", 56, 8, Decimal),
    field("source", 64, 128, Address),
    field("destination", 192, 128, Address),
];
const EXTENSION: &[Field] = &[field("next header", 0, 8, Proto), field("length", 8, 8, Decimal)];
const FRAGMENT: &[Field] = &[
    field("next header", 0, 8, Proto),
    field("fragment offset", 16, 13, DoubleWords),
    field("more fragments", 31, 1, Bit),
    field("identification", 32, 32, Decimal),
];
const GRE: &[Field] = &[
    field("checksum present", 0, 1, Bit),
    field("key present", 2, 1, Bit),
    field("sequence present", 3, 1, Bit),
    field("version", 13, 3, Decimal),
    field("protocol", 16, 16, Ethertype),
];
const UDP: &[Field] = &[
    field("source port", 0, 16, Decimal),
    field("destination port", 16, 16, Decimal),
    field("length", 32, 16, Decimal),
    field("checksum", 48, 16, Hex),
];
const GUE: &[Field] = &[
    field("variant", 0, 2, Decimal),
    field("control", 2, 1, Bit),
    field("optional fields", 3, 5, Words),
    field("protocol", 8, 8, Proto),
    field("flags", 16, 16, Hex),
];
const TCP: &[Field] = &[
    field("source port", 0, 16, Decimal),
    field("destination port", 16, 16, Decimal),
    field("sequence number", 32, 32, Decimal),
    field("acknowledgement", 64, 32, Decimal),
    field("header length", 96, 4, Words),
    field("flags", 104, 8, Flags),
    field("window", 112, 16, Decimal),
    field("checksum", 128, 16, Hex),
    field("urgent pointer", 144, 16, Decimal),
];
const GRE_CHECKSUM: &[Field] = &[field("checksum", 0, 16, Hex)];
const GRE_KEY: &[Field] = &[field("key", 0, 32, Decimal)];
const GRE_SEQUENCE: &[Field] = &[field("sequence number", 0, 32, Decimal)];
const MSS: &[Field] = &[field("bytes", 16, 16, Decimal)];
const WINDOW_SCALE: &[Field] = &[field("shift", 16, 8, Decimal)];
const TIMESTAMPS: &[Field] = &[field("value", 16, 32, Decimal), field("echo", 48, 32, Decimal)];
const OPTION: &[Field] = &[field("kind", 0, 8, Decimal), field("length", 8, 8, Decimal)];
const ICMP: &[Field] = &[
    field("type", 0, 8, Decimal),
    field("code", 8, 8, Decimal),
    field("checksum", 16, 16, Hex),
    field("rest of header", 32, 32, Hex),
];
const ECHO: &[Field] = &[
    field("type", 0, 8, Decimal),
    field("code", 8, 8, Decimal),
    field("checksum", 16, 16, Hex),
    field("identifier", 32, 16, Decimal),
    field("sequence number", 48, 16, Decimal),
];
const NEIGHBOUR: &[Field] = &[
    field("type", 0, 8, Decimal),
    field("code", 8, 8, Decimal),
    field("checksum", 16, 16, Hex),
    field("flags", 32, 32, Hex),
    field("target address", 64, 128, Address),
];

impl Kind {
    /// All of them, each at the place of its number.
    pub const ALL: [Self; 24] = [
        Self::Ethernet,
        Self::Arp,
        Self::Ipv4,
        Self::Ipv6,
        Self::Extension,
        Self::Fragment,
        Self::Gre,
        Self::GreChecksum,
        Self::GreKey,
        Self::GreSequence,
        Self::Udp,
        Self::Gue,
        Self::Tcp,
        Self::NoOperation,
        Self::Mss,
        Self::WindowScale,
        Self::SackPermitted,
        Self::Timestamps,
        Self::TcpOption,
        Self::Icmp,
        Self::Echo,
        Self::Error,
        Self::Neighbour,
        Self::Data,
    ];

    /// As people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ethernet => "Ethernet",
            Self::Arp => "ARP",
            Self::Ipv4 => "IPv4",
            Self::Ipv6 => "IPv6",
            Self::Extension => "IPv6 extension",
            Self::Fragment => "IPv6 fragment",
            Self::Gre => "GRE",
            Self::GreChecksum => "GRE checksum",
            Self::GreKey => "GRE key",
            Self::GreSequence => "GRE sequence number",
            Self::Udp => "UDP",
            Self::Gue => "GUE",
            Self::Tcp => "TCP",
            Self::NoOperation => "no operation",
            Self::Mss => "maximum segment size",
            Self::WindowScale => "window scale",
            Self::SackPermitted => "SACK permitted",
            Self::Timestamps => "time stamps",
            Self::TcpOption => "option",
            Self::Icmp => "ICMP",
            Self::Echo => "ICMP echo",
            Self::Error => "ICMP error",
            Self::Neighbour => "ICMPv6 neighbour message",
            Self::Data => "data",
        }
    }

    /// Whether it is a part of the header before it rather than what that carries.
    #[must_use]
    pub const fn is_part(self) -> bool {
        matches!(
            self,
            Self::Extension
                | Self::Fragment
                | Self::GreChecksum
                | Self::GreKey
                | Self::GreSequence
                | Self::NoOperation
                | Self::Mss
                | Self::WindowScale
                | Self::SackPermitted
                | Self::Timestamps
                | Self::TcpOption
        )
    }

    /// Its fields, in the order of their places. Bytes that no field covers, such as options and data, are
    /// shown as they are.
    #[must_use]
    pub const fn fields(self) -> &'static [Field] {
        match self {
            Self::Ethernet => ETHERNET,
            Self::Arp => ARP,
            Self::Ipv4 => IPV4,
            Self::Ipv6 => IPV6,
            Self::Extension => EXTENSION,
            Self::Fragment => FRAGMENT,
            Self::Gre => GRE,
            Self::GreChecksum => GRE_CHECKSUM,
            Self::GreKey => GRE_KEY,
            Self::GreSequence => GRE_SEQUENCE,
            Self::Udp => UDP,
            Self::Gue => GUE,
            Self::Tcp => TCP,
            Self::Mss => MSS,
            Self::WindowScale => WINDOW_SCALE,
            Self::Timestamps => TIMESTAMPS,
            Self::TcpOption => OPTION,
            Self::Icmp | Self::Error => ICMP,
            Self::Echo => ECHO,
            Self::Neighbour => NEIGHBOUR,
            Self::NoOperation | Self::SackPermitted | Self::Data => &[],
        }
    }
}

/// Names of Ethernet types.
pub const ETHERTYPES: [(u16, &str); 3] = [
    (crate::ethernet::ethertype::IPV4, "IPv4"),
    (crate::ethernet::ethertype::ARP, "ARP"),
    (crate::ethernet::ethertype::IPV6, "IPv6"),
];

/// Names of TCP's control bits, the lowest first.
pub const TCP_FLAGS: [&str; 8] = ["FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"];

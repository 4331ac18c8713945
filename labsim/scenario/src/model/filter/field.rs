//! What rules can look at: the one list of the words of nftables that labsim has.

/// A part of a packet, or what the kernel knows of it.
#[derive(Debug, PartialEq, Eq)]
pub struct Field {
    /// As a rule names it: one or two words.
    pub words: &'static str,
    /// What its values are.
    pub kind: Kind,
    /// Where it is found.
    pub at: Location,
    /// Packets of another family do not have it.
    pub family: Option<Family>,
    /// The IP protocol of packets that have it.
    pub protocol: Option<u8>,
}

/// What a field's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Names of interfaces.
    Interface,
    /// IPv4 addresses.
    Ipv4,
    /// IPv6 addresses.
    Ipv6,
    /// Numbers, some of which have names.
    Number(&'static [(&'static str, u128)]),
    /// Bits with names.
    Flags(&'static [(&'static str, u128)]),
}

/// An address family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

/// Where the kernel finds a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// The name of the interface that a packet came in by.
    InputName,
    /// The name of the interface that a packet goes out by.
    OutputName,
    /// The protocol of the innermost header that the kernel knows, behind IPv6's extensions.
    Protocol,
    /// The state of the connection (conntrack), a number in the host's order.
    Connection,
    /// In the IP header.
    Network(Bytes),
    /// In the header behind it: not in fragments after the first.
    Transport(Bytes),
}

impl Location {
    /// How many bits the values have.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::InputName | Self::OutputName => 128,
            Self::Protocol => 8,
            Self::Connection => 32,
            Self::Network(bytes) | Self::Transport(bytes) => bytes.bits(),
        }
    }
}

/// Bytes of a header, or some of their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bytes {
    /// Bytes before it.
    pub offset: u32,
    /// How many bytes, at most 16.
    pub width: u32,
    /// Of these bytes, the bits that are its own; all of them if it has whole bytes.
    pub mask: Option<u8>,
    /// Bits behind it.
    pub shift: u32,
}

impl Bytes {
    const fn whole(offset: u32, width: u32) -> Self {
        Self { offset, width, mask: None, shift: 0 }
    }

    const fn bits(self) -> u32 {
        match self.mask {
            Some(mask) => mask.count_ones(),
            None => self.width * 8,
        }
    }
}

impl Field {
    /// Every field.
    pub const ALL: &'static [Self] = FIELDS;

    /// The field that a rule names so.
    #[must_use]
    pub fn find(words: &str) -> Option<&'static Self> {
        FIELDS.iter().find(|field| field.words == words)
    }
}

/// Names of IP protocols, as `/etc/protocols` has them; `icmpv6` is nftables' own.
const PROTOCOLS: &[(&str, u128)] = &[
    ("icmp", 1),
    ("ipencap", 4),
    ("tcp", 6),
    ("udp", 17),
    ("ipv6", 41),
    ("ipv6-frag", 44),
    ("gre", 47),
    ("esp", 50),
    ("ah", 51),
    ("icmpv6", 58),
    ("ipv6-icmp", 58),
    ("sctp", 132),
];

/// RFC 9293, section 3.1, and RFC 3168.
const TCP_FLAGS: &[(&str, u128)] = &[
    ("fin", 1),
    ("syn", 2),
    ("rst", 4),
    ("psh", 8),
    ("ack", 16),
    ("urg", 32),
    ("ecn", 64),
    ("cwr", 128),
];

/// `NF_CT_STATE_BIT` (linux/netfilter/nf_conntrack_common.h).
const STATES: &[(&str, u128)] =
    &[("invalid", 1), ("established", 2), ("related", 4), ("new", 8), ("untracked", 64)];

/// RFC 792, by nftables' names.
const ICMP: &[(&str, u128)] = &[
    ("echo-reply", 0),
    ("destination-unreachable", 3),
    ("redirect", 5),
    ("echo-request", 8),
    ("time-exceeded", 11),
    ("parameter-problem", 12),
];

/// RFC 4443 and RFC 4861, by nftables' names.
const ICMPV6: &[(&str, u128)] = &[
    ("destination-unreachable", 1),
    ("packet-too-big", 2),
    ("time-exceeded", 3),
    ("parameter-problem", 4),
    ("echo-request", 128),
    ("echo-reply", 129),
    ("nd-router-solicit", 133),
    ("nd-router-advert", 134),
    ("nd-neighbor-solicit", 135),
    ("nd-neighbor-advert", 136),
];

/// RFC 2474, RFC 2597, RFC 3246.
const DSCP: &[(&str, u128)] = &[
    ("cs0", 0),
    ("cs1", 8),
    ("af11", 10),
    ("af12", 12),
    ("af13", 14),
    ("cs2", 16),
    ("af21", 18),
    ("af22", 20),
    ("af23", 22),
    ("cs3", 24),
    ("af31", 26),
    ("af32", 28),
    ("af33", 30),
    ("cs4", 32),
    ("af41", 34),
    ("af42", 36),
    ("af43", 38),
    ("cs5", 40),
    ("ef", 46),
    ("cs6", 48),
    ("cs7", 56),
];

const NUMBER: Kind = Kind::Number(&[]);

const fn meta(words: &'static str, kind: Kind, at: Location) -> Field {
    Field { words, kind, at, family: None, protocol: None }
}

const fn ip(words: &'static str, kind: Kind, at: Bytes) -> Field {
    let family = Some(Family::Ipv4);
    Field { words, kind, at: Location::Network(at), family, protocol: None }
}

const fn ip6(words: &'static str, kind: Kind, offset: u32, width: u32) -> Field {
    let at = Location::Network(Bytes::whole(offset, width));
    Field { words, kind, at, family: Some(Family::Ipv6), protocol: None }
}

const fn transport(
    words: &'static str,
    kind: Kind,
    (offset, width): (u32, u32),
    protocol: u8,
) -> Field {
    let family = match protocol {
        1 => Some(Family::Ipv4),
        58 => Some(Family::Ipv6),
        _ => None,
    };
    let at = Location::Transport(Bytes::whole(offset, width));
    Field { words, kind, at, family, protocol: Some(protocol) }
}

static FIELDS: &[Field] = &[
    meta("iifname", Kind::Interface, Location::InputName),
    meta("oifname", Kind::Interface, Location::OutputName),
    meta("meta l4proto", Kind::Number(PROTOCOLS), Location::Protocol),
    meta("ct state", Kind::Flags(STATES), Location::Connection),
    // RFC 791, section 3.1.
    ip("ip hdrlength", NUMBER, Bytes { offset: 0, width: 1, mask: Some(0x0f), shift: 0 }),
    ip("ip dscp", Kind::Number(DSCP), Bytes { offset: 1, width: 1, mask: Some(0xfc), shift: 2 }),
    ip("ip length", NUMBER, Bytes::whole(2, 2)),
    ip("ip id", NUMBER, Bytes::whole(4, 2)),
    ip("ip frag-off", NUMBER, Bytes::whole(6, 2)),
    ip("ip ttl", NUMBER, Bytes::whole(8, 1)),
    ip("ip protocol", Kind::Number(PROTOCOLS), Bytes::whole(9, 1)),
    ip("ip saddr", Kind::Ipv4, Bytes::whole(12, 4)),
    ip("ip daddr", Kind::Ipv4, Bytes::whole(16, 4)),
    // RFC 8200, section 3.
    ip6("ip6 length", NUMBER, 4, 2),
    ip6("ip6 nexthdr", Kind::Number(PROTOCOLS), 6, 1),
    ip6("ip6 hoplimit", NUMBER, 7, 1),
    ip6("ip6 saddr", Kind::Ipv6, 8, 16),
    ip6("ip6 daddr", Kind::Ipv6, 24, 16),
    transport("tcp sport", NUMBER, (0, 2), 6),
    transport("tcp dport", NUMBER, (2, 2), 6),
    transport("tcp flags", Kind::Flags(TCP_FLAGS), (13, 1), 6),
    transport("udp sport", NUMBER, (0, 2), 17),
    transport("udp dport", NUMBER, (2, 2), 17),
    transport("udp length", NUMBER, (4, 2), 17),
    transport("icmp type", Kind::Number(ICMP), (0, 1), 1),
    transport("icmp code", NUMBER, (1, 1), 1),
    transport("icmpv6 type", Kind::Number(ICMPV6), (0, 1), 58),
    transport("icmpv6 code", NUMBER, (1, 1), 58),
];

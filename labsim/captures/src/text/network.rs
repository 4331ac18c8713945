//! IP headers and ARP as tcpdump words them (`print-ip.c`, `print-ip6.c`, `print-arp.c`).

use super::cursor::Cursor;
use super::transport;
use crate::packet::{Arp, Header, Known, Packet, Port, Transport};
use labsim_wire::ethernet::Mac;
use labsim_wire::protocol;
use std::net::IpAddr;

/// IP headers inside each other that are followed at most.
const MAX_HEADERS: usize = 4;
/// What stands before a packet that is longer than what is around it has room for.
const TRUNCATED: &str = "truncated-ip";
/// Bytes of UDP's header (RFC 768).
const UDP_HEADER: u32 = 8;

/// What a line begins with, after its link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
    Arp,
}

impl Family {
    /// By the word in the line.
    pub(super) fn word(cursor: &mut Cursor<'_>) -> Option<Self> {
        for (word, family) in [("IP ", Self::V4), ("IP6 ", Self::V6), ("ARP, ", Self::Arp)] {
            if cursor.eat(word) {
                return Some(family);
            }
        }
        None
    }
}

/// Addresses and ports of one line.
struct Ends {
    source: IpAddr,
    destination: IpAddr,
    ports: Option<(Port, Port)>,
    /// Of a first fragment of IPv6, how many bytes of its packet it has.
    first_fragment: Option<u32>,
}

/// Reads a packet; what follows it is left in the cursor.
pub(super) fn known(family: Family, cursor: &mut Cursor<'_>) -> Option<Known> {
    match family {
        Family::Arp => arp(cursor).map(Known::Arp),
        Family::V4 | Family::V6 => packet(family, cursor).map(Known::Ip),
    }
}

fn packet(mut family: Family, cursor: &mut Cursor<'_>) -> Option<Packet> {
    let mut headers: Vec<Header> = Vec::new();
    let mut was_first_fragment = false;
    while headers.len() < MAX_HEADERS {
        // What is longer than the first fragment around it goes on in others.
        if was_first_fragment
            && cursor.rest.starts_with(TRUNCATED)
            && let Some(around) = headers.last_mut()
        {
            around.fragment = Some((0, true));
        }
        let (mut header, ends) = header(family, cursor)?;
        was_first_fragment = ends.first_fragment.is_some();
        match (ends.ports, inside(&header, cursor)) {
            (None, Some(next)) => family = next,
            (ports, _) => {
                let is_part = header.fragment.is_some() || was_first_fragment;
                let transport = transport::transport(&header, ports, is_part, cursor)?;
                if let (Some(data), Transport::Udp { payload: Some(payload), .. }) =
                    (ends.first_fragment, &transport)
                    && payload.saturating_add(UDP_HEADER) > data
                {
                    header.fragment = Some((0, true));
                }
                headers.push(header);
                return Some(assemble(headers, transport));
            }
        }
        headers.push(header);
    }
    None
}

fn assemble(headers: Vec<Header>, transport: Transport) -> Packet {
    let mut headers = headers.into_iter();
    // The caller read one header at least.
    let none = Header::of_addresses(IpAddr::from([0; 4]), IpAddr::from([0; 4]));
    Packet { outermost: headers.next().unwrap_or(none), inner: headers.collect(), transport }
}

/// Steps to the packet inside a tunnel's: `IP `, or GRE's words before it.
fn inside(header: &Header, cursor: &mut Cursor<'_>) -> Option<Family> {
    let mut ahead = *cursor;
    if ahead.eat("GREv0, ") {
        // `key=0x7, proto IPv4 (0x0800), length 64: `; the colon is left out before a new line.
        ahead.before("length ")?;
        ahead.number::<u32>()?;
        ahead.eat(":");
        ahead.spaces();
    } else if header.protocol.is_some_and(|it| !matches!(it, protocol::IPIP | protocol::IPV6)) {
        return None;
    }
    let family = Family::word(&mut ahead)
        .filter(|family| *family != Family::Arp)
        .or_else(|| without_word(ahead.rest))?;
    *cursor = ahead;
    Some(family)
}

/// With `-e` a packet inside another one begins with its header at once.
fn without_word(rest: &str) -> Option<Family> {
    if rest.starts_with(TRUNCATED) {
        return without_word(rest.split_once("missing!")?.1.trim_start());
    }
    if rest.starts_with("(tos ") {
        return Some(Family::V4);
    }
    if rest.starts_with("(flowlabel ") || rest.starts_with("(class ") || rest.starts_with("(hlim ")
    {
        return Some(Family::V6);
    }
    let (source, _) = rest.split_once(" > ")?;
    let (address, _) = end(source)?;
    Some(if address.is_ipv4() { Family::V4 } else { Family::V6 })
}

fn header(family: Family, cursor: &mut Cursor<'_>) -> Option<(Header, Ends)> {
    // IPv6's has no blank behind it.
    while cursor.rest.starts_with(TRUNCATED) {
        cursor.before("missing!")?;
        cursor.spaces();
    }
    let mut fields = Fields::default();
    if cursor.rest.starts_with('(') {
        let inside = cursor.parentheses()?;
        match family {
            Family::V4 => fields.read_v4(inside)?,
            Family::V6 => fields.read_v6(inside)?,
            Family::Arp => return None,
        }
        cursor.spaces();
    }
    let mut ends = ends(cursor)?;
    if family == Family::V6 && ends.ports.is_none() {
        ends.first_fragment = first_fragment(cursor);
    }
    if ends.first_fragment.is_some() {
        ends.ports = ports(cursor);
        // The header's number is that of the Fragment header.
        fields.protocol = None;
    }
    let header = Header {
        source: ends.source,
        destination: ends.destination,
        ttl: fields.ttl,
        tos: fields.tos,
        id: fields.id,
        dont_fragment: fields.dont_fragment,
        fragment: fields.fragment,
        protocol: fields.protocol,
        length: fields.length,
    };
    Some((header, ends))
}

/// What `-v` shows of a header.
#[derive(Default)]
struct Fields {
    ttl: Option<u8>,
    tos: Option<u8>,
    id: Option<u16>,
    dont_fragment: Option<bool>,
    fragment: Option<(u16, bool)>,
    protocol: Option<u8>,
    length: Option<u32>,
}

impl Fields {
    /// `tos 0x0, ttl 127, id 7056, offset 0, flags [DF], proto TCP (6), length 52`, perhaps with options
    /// or a bad checksum behind it.
    fn read_v4(&mut self, text: &str) -> Option<()> {
        let mut cursor = Cursor::new(text);
        cursor.need("tos ")?;
        self.tos = Some(u8::try_from(cursor.hex()?).ok()?);
        // `,ECT(0)`, `,CE`.
        cursor.before(", ttl ")?;
        self.ttl = Some(cursor.number()?);
        cursor.need(", id ")?;
        self.id = Some(cursor.number()?);
        cursor.need(", offset ")?;
        let offset = cursor.number()?;
        cursor.need(", flags [")?;
        let flags = cursor.before("], proto ")?;
        self.dont_fragment = Some(flags.contains("DF"));
        let more = flags.contains('+');
        self.fragment = (more || offset != 0).then_some((offset, more));
        self.protocol = Some(number_in_parentheses(&mut cursor)?);
        cursor.need(", length ")?;
        self.length = Some(cursor.number()?);
        Some(())
    }

    /// `flowlabel 0x7c, hlim 64, next-header TCP (6) payload length: 40`, perhaps with a class first.
    fn read_v6(&mut self, text: &str) -> Option<()> {
        let mut cursor = Cursor::new(text);
        self.tos = Some(0);
        if cursor.eat("class ") {
            self.tos = Some(u8::try_from(cursor.hex()?).ok()?);
            cursor.need(", ")?;
        }
        cursor.before("hlim ")?;
        self.ttl = Some(cursor.number()?);
        cursor.before("next-header ")?;
        self.protocol = Some(number_in_parentheses(&mut cursor)?);
        cursor.need(" payload length: ")?;
        self.length = Some(cursor.number::<u32>()? + 40);
        Some(())
    }
}

/// `TCP (6)`: the number.
fn number_in_parentheses(cursor: &mut Cursor<'_>) -> Option<u8> {
    cursor.before("(")?;
    let number = cursor.number()?;
    cursor.need(")")?;
    Some(number)
}

/// `192.168.11.201.61067 > 172.16.4.99.49: `
fn ends(cursor: &mut Cursor<'_>) -> Option<Ends> {
    let mut ahead = *cursor;
    let (source, from) = end(ahead.word()?)?;
    ahead.need(" > ")?;
    let (destination, to) = end(ahead.word()?.strip_suffix(':')?)?;
    ahead.spaces();
    *cursor = ahead;
    let ports = match (from, to) {
        (None, None) => None,
        (from, to) => Some((from?, to?)),
    };
    Some(Ends { source, destination, ports, first_fragment: None })
}

/// `frag (0|1448) `, or with `-v` `frag (0x00001234:0|1448) `: the bytes of a first fragment, which what it begins with
/// is worded behind (`print-frag6.c`). Whether others follow is not printed.
fn first_fragment(cursor: &mut Cursor<'_>) -> Option<u32> {
    let mut ahead = *cursor;
    ahead.need("frag (")?;
    if ahead.hex().is_some() {
        ahead.need(":")?;
    }
    ahead.need("0|")?;
    let data = ahead.number()?;
    ahead.need(") ")?;
    *cursor = ahead;
    Some(data)
}

/// `5001 > 7: `: ports without addresses, as they stand behind a fragment.
fn ports(cursor: &mut Cursor<'_>) -> Option<(Port, Port)> {
    let mut ahead = *cursor;
    let source = named_port(ahead.word()?)?;
    ahead.need(" > ")?;
    let destination = named_port(ahead.word()?.strip_suffix(':')?)?;
    ahead.spaces();
    *cursor = ahead;
    Some((source, destination))
}

/// An address, perhaps with a port behind a dot.
fn end(word: &str) -> Option<(IpAddr, Option<Port>)> {
    if let Ok(address) = word.parse() {
        return Some((address, None));
    }
    let (address, port) = word.rsplit_once('.')?;
    Some((address.parse().ok()?, Some(named_port(port)?)))
}

/// A port by number or name. A name that is not known is still a port's.
pub(super) fn named_port(word: &str) -> Option<Port> {
    if word.starts_with(|character: char| character.is_ascii_digit()) {
        return word.parse().ok().map(Some);
    }
    let is_name = |character: char| character.is_ascii_alphanumeric() || "-_+".contains(character);
    let known = PORTS.iter().find(|(name, _)| *name == word).map(|(_, port)| *port);
    (!word.is_empty() && word.chars().all(is_name)).then_some(known)
}

/// Names of `/etc/services` that captures without `-n` have.
const PORTS: [(&str, u16); 20] = [
    ("bgp", 179),
    ("domain", 53),
    ("http", 80),
    ("http-alt", 8080),
    ("https", 443),
    ("imaps", 993),
    ("ldap", 389),
    ("ldaps", 636),
    ("ntp", 123),
    ("radius", 1812),
    ("radius-acct", 1813),
    ("smtp", 25),
    ("snmp", 161),
    ("ssh", 22),
    ("submission", 587),
    ("sunrpc", 111),
    ("syslog", 514),
    ("tacacs", 49),
    ("telnet", 23),
    ("webcache", 8080),
];

/// `02:00:00:00:00:6a`
pub(super) fn mac(text: &str) -> Option<Mac> {
    let parts: Option<Vec<u8>> =
        text.split(':').map(|part| u8::from_str_radix(part, 16).ok()).collect();
    Some(Mac(parts?.try_into().ok()?))
}

fn arp(cursor: &mut Cursor<'_>) -> Option<Arp> {
    // `-v`: `Ethernet (len 6), IPv4 (len 4), `.
    if cursor.eat("Ethernet ") {
        cursor.before("IPv4 (len 4), ")?;
    }
    if cursor.eat("Request who-has ") {
        let target = cursor.word()?.parse().ok()?;
        cursor.before(" tell ")?;
        let sender = cursor.before(",")?.parse().ok()?;
        return Some(Arp::Request { target, sender });
    }
    if cursor.eat("Reply ") {
        let sender = cursor.word()?.parse().ok()?;
        cursor.need(" is-at ")?;
        let mac = mac(cursor.run(|it| it.is_ascii_hexdigit() || it == ':')?)?;
        return Some(Arp::Reply { sender, mac });
    }
    None
}

//! From bytes to [`Decoded`].

use super::{Content, Decoded, Icmp, IpHeader, LinkType, Packet, Tcp, Transport, Udp};
use crate::checksum::{AddressPair, ChecksumState};
use crate::ethernet::ethertype;
use crate::{
    Layer, Malformed, arp, ethernet, gre, icmpv4, icmpv6, ipv4, ipv6, protocol, tcp, tunnel, udp,
};
use std::net::IpAddr;

/// IP headers inside each other that are followed at most.
pub const MAX_HEADERS: usize = 4;

/// Packets quoted by packets that are followed at most.
const MAX_QUOTES: usize = 2;

/// Decodes a captured frame. `bytes` is what was captured of it, `original_length` how long it
/// was on the wire: a packet that ends early is malformed, unless it was the capture that cut it.
#[must_use]
pub fn decode(link: LinkType, bytes: &[u8], original_length: usize) -> Decoded {
    let whole = bytes.len() >= original_length;
    if link == LinkType::Raw {
        return Decoded { link: None, content: ip(bytes, whole) };
    }
    let frame = match ethernet::View::new(bytes) {
        Ok(frame) => frame,
        Err(why) => return Decoded { link: None, content: Content::Malformed(why) },
    };
    let content = network(frame.ethertype(), frame.payload(), whole);
    Decoded { link: Some(ethernet::Header::parse(&frame)), content }
}

/// Decodes what follows a link layer: `ethertype` says what that is, `bytes` is what was captured of
/// it, `original_length` how long it was on the wire; see [`crate::link`].
#[must_use]
pub fn decode_network(ethertype: u16, bytes: &[u8], original_length: usize) -> Content {
    network(ethertype, bytes, bytes.len() >= original_length)
}

fn network(ethertype: u16, bytes: &[u8], whole: bool) -> Content {
    match ethertype {
        ethertype::ARP => match arp::View::new(bytes) {
            Ok(view) => Content::Arp(arp::Packet::parse(&view)),
            Err(why) => Content::Malformed(why),
        },
        ethertype::IPV4 | ethertype::IPV6 => ip(bytes, whole),
        _ => Content::Other,
    }
}

/// The bytes of the innermost TCP or UDP payload that were captured of a frame; `None` if it
/// carries neither, or is a later fragment.
#[must_use]
pub fn payload(link: LinkType, bytes: &[u8]) -> Option<&[u8]> {
    let mut inside = match link {
        LinkType::Raw => bytes,
        LinkType::Ethernet => {
            let frame = ethernet::View::new(bytes).ok()?;
            let ip = matches!(frame.ethertype(), ethertype::IPV4 | ethertype::IPV6);
            ip.then(|| frame.payload())?
        }
    };
    for _ in 0..MAX_HEADERS {
        let step = header(inside, false).ok()?;
        if let Some((next, _)) = tunnelled(&step) {
            inside = next;
            continue;
        }
        if step.header.fragment_offset != 0 {
            return None;
        }
        return match step.header.protocol {
            protocol::TCP => Some(tcp::View::new(step.payload).ok()?.payload()),
            protocol::UDP => Some(udp::View::new_truncated(step.payload).ok()?.payload()),
            _ => None,
        };
    }
    None
}

fn ip(bytes: &[u8], whole: bool) -> Content {
    match packet(bytes, whole, 0) {
        Ok(packet) => Content::Ip(packet),
        Err(why) => Content::Malformed(why),
    }
}

/// One IP header, and what is needed to go on behind it.
struct Step<'a> {
    header: IpHeader,
    addresses: AddressPair,
    /// The bytes of what it carries that are there.
    payload: &'a [u8],
    /// How many there were.
    payload_length: usize,
}

/// Everything from an IP header on. The outermost header has to be readable.
fn packet(bytes: &[u8], whole: bool, quotes: usize) -> Result<Packet, Malformed> {
    let mut step = header(bytes, whole)?;
    let mut outermost: Option<IpHeader> = None;
    let mut inner: Vec<IpHeader> = Vec::new();
    // One is inside, as a rule, and a capture may hold millions of packets.
    let add = |inner: &mut Vec<IpHeader>, header| {
        inner.reserve_exact(1);
        inner.push(header);
    };
    let transport = loop {
        let Some((inside, tunnel)) = tunnelled(&step) else { break transport(&step, quotes) };
        step.header.tunnel = tunnel;
        let before = inner.len() + usize::from(outermost.is_some());
        let next = if before + 1 >= MAX_HEADERS {
            let layer = if step.header.source.is_ipv4() { Layer::Ipv4 } else { Layer::Ipv6 };
            Err(Malformed::TooDeep { layer, most: MAX_HEADERS })
        } else {
            header(inside, whole && step.payload.len() >= step.payload_length)
        };
        match next {
            Ok(next) => {
                let header = std::mem::replace(&mut step, next).header;
                match &outermost {
                    None => outermost = Some(header),
                    Some(_) => add(&mut inner, header),
                }
            }
            Err(why) => break Transport::Malformed(why),
        }
    };
    Ok(match outermost {
        None => Packet { outermost: step.header, inner, transport },
        Some(outermost) => {
            add(&mut inner, step.header);
            Packet { outermost, inner, transport }
        }
    })
}

/// One IP header of either family, by its version field.
fn header(bytes: &[u8], whole: bool) -> Result<Step<'_>, Malformed> {
    match bytes.first().map(|byte| byte >> 4) {
        Some(6) => header_v6(bytes, whole),
        _ => header_v4(bytes, whole),
    }
}

fn header_v4(bytes: &[u8], whole: bool) -> Result<Step<'_>, Malformed> {
    let view = if whole { ipv4::View::new(bytes)? } else { ipv4::View::new_truncated(bytes)? };
    let length = view.total_length();
    Ok(Step {
        header: IpHeader {
            source: IpAddr::V4(view.source()),
            destination: IpAddr::V4(view.destination()),
            ttl: view.ttl(),
            tos: view.tos(),
            id: Some(u32::from(view.id())),
            dont_fragment: Some(view.dont_fragment()),
            more_fragments: view.more_fragments(),
            fragment_offset: view.fragment_offset(),
            protocol: view.protocol(),
            length: count(length),
            checksum_ok: Some(view.checksum_ok()),
            tunnel: None,
        },
        addresses: view.addresses(),
        payload: view.payload(),
        payload_length: length - view.header_length(),
    })
}

fn header_v6(bytes: &[u8], whole: bool) -> Result<Step<'_>, Malformed> {
    let view = if whole { ipv6::View::new(bytes)? } else { ipv6::View::new_truncated(bytes)? };
    let transport = view.transport()?;
    let length = view.total_length();
    let extensions = view.payload().len() - transport.bytes.len();
    let fragment = transport.fragment;
    Ok(Step {
        header: IpHeader {
            source: IpAddr::V6(view.source()),
            destination: IpAddr::V6(view.destination()),
            ttl: view.hop_limit(),
            tos: view.traffic_class(),
            id: fragment.map(|fragment| fragment.id),
            dont_fragment: None,
            more_fragments: fragment.is_some_and(|fragment| fragment.more),
            fragment_offset: fragment.map_or(0, |fragment| fragment.offset),
            protocol: transport.protocol,
            length: count(length),
            checksum_ok: None,
            tunnel: None,
        },
        addresses: view.addresses(),
        payload: transport.bytes,
        payload_length: length - ipv6::HEADER_LEN - extensions,
    })
}

/// The bytes of the packet inside, if this one is a tunnel's and not a fragment.
fn tunnelled<'a>(step: &Step<'a>) -> Option<(&'a [u8], Option<tunnel::Header>)> {
    if step.header.is_fragment() {
        return None;
    }
    let (header, inside) = tunnel::Header::split(step.header.protocol, step.payload)?;
    Some((inside, header))
}

fn transport(step: &Step<'_>, quotes: usize) -> Transport {
    let header = &step.header;
    if header.fragment_offset != 0 {
        return Transport::LaterFragment { payload: count(step.payload_length) };
    }
    // What a checksum covers is all there only in a whole packet.
    let whole = step.payload.len() >= step.payload_length && !header.more_fragments;
    let read = match (header.protocol, &step.addresses) {
        (protocol::TCP, _) => tcp(step, whole),
        (protocol::UDP, _) => udp(step, whole),
        (protocol::ICMP, AddressPair::V4(..)) => icmp_v4(step, whole, quotes),
        (protocol::ICMPV6, AddressPair::V6(..)) => icmp_v6(step, whole, quotes),
        (protocol::GRE, _) => match gre::View::new(step.payload) {
            Ok(_) => Ok(Transport::Other { payload: count(step.payload_length) }),
            Err(why) => Err(why),
        },
        _ => Ok(Transport::Other { payload: count(step.payload_length) }),
    };
    read.unwrap_or_else(Transport::Malformed)
}

fn tcp(step: &Step<'_>, whole: bool) -> Result<Transport, Malformed> {
    let view = match tcp::View::new(step.payload) {
        Ok(view) => view,
        Err(why) => return beginning(step, why),
    };
    Ok(Transport::Tcp(Tcp {
        source_port: view.source_port(),
        destination_port: view.destination_port(),
        sequence: view.sequence(),
        acknowledgement: view.acknowledgement(),
        flags: view.flags(),
        window: view.window(),
        mss: view.mss(),
        payload: count(step.payload_length - view.header_length()),
        checksum: when(whole, || view.checksum_state(&step.addresses)),
    }))
}

fn udp(step: &Step<'_>, whole: bool) -> Result<Transport, Malformed> {
    let view =
        if whole { udp::View::new(step.payload) } else { udp::View::new_truncated(step.payload) };
    let view = match view {
        Ok(view) => view,
        Err(why) => return beginning(step, why),
    };
    Ok(Transport::Udp(Udp {
        source_port: view.source_port(),
        destination_port: view.destination_port(),
        payload: count(view.length() - udp::HEADER_LEN),
        checksum: when(whole, || view.checksum_state(&step.addresses)),
    }))
}

/// The ports, if it is the capture or a quotation that ends early, and they are there.
fn beginning(step: &Step<'_>, why: Malformed) -> Result<Transport, Malformed> {
    let cut = step.payload.len() < step.payload_length;
    match *step.payload {
        [a, b, c, d, ref rest @ ..] if cut => Ok(Transport::Beginning {
            protocol: step.header.protocol,
            source_port: u16::from_be_bytes([a, b]),
            destination_port: u16::from_be_bytes([c, d]),
            sequence: match *rest {
                [e, f, g, h, ..] if step.header.protocol == protocol::TCP => {
                    Some(u32::from_be_bytes([e, f, g, h]))
                }
                _ => None,
            },
        }),
        _ => Err(why),
    }
}

fn icmp_v4(step: &Step<'_>, whole: bool, quotes: usize) -> Result<Transport, Malformed> {
    let view = icmpv4::View::new(step.payload)?;
    Ok(Transport::Icmp(Icmp {
        kind: view.kind(),
        code: view.code(),
        mtu: view.mtu().map(u32::from),
        echo: echo(view.kind(), icmpv4::kind::ECHO_REQUEST, icmpv4::kind::ECHO_REPLY, view.rest()),
        target: None,
        checksum: when(whole, || state(view.checksum_ok())),
        quoted: view.quoted().and_then(|bytes| quoted(bytes, quotes)),
    }))
}

fn icmp_v6(step: &Step<'_>, whole: bool, quotes: usize) -> Result<Transport, Malformed> {
    let view = icmpv6::View::new(step.payload)?;
    let checksum = match step.addresses {
        AddressPair::V6(source, destination) => {
            when(whole, || state(view.checksum_ok(source, destination)))
        }
        AddressPair::V4(..) => ChecksumState::Unknown,
    };
    Ok(Transport::Icmp(Icmp {
        kind: view.kind(),
        code: view.code(),
        mtu: view.mtu(),
        echo: echo(view.kind(), icmpv6::kind::ECHO_REQUEST, icmpv6::kind::ECHO_REPLY, view.rest()),
        target: view.target(),
        checksum,
        quoted: view.quoted().and_then(|bytes| quoted(bytes, quotes)),
    }))
}

fn quoted(bytes: &[u8], quotes: usize) -> Option<Box<Packet>> {
    if quotes >= MAX_QUOTES {
        return None;
    }
    packet(bytes, false, quotes + 1).ok().map(Box::new)
}

fn echo(kind: u8, request: u8, reply: u8, rest: [u8; 4]) -> Option<(u16, u16)> {
    let [a, b, c, d] = rest;
    (kind == request || kind == reply)
        .then(|| (u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
}

fn when(whole: bool, state: impl FnOnce() -> ChecksumState) -> ChecksumState {
    if whole { state() } else { ChecksumState::Unknown }
}

fn state(ok: bool) -> ChecksumState {
    if ok { ChecksumState::Good } else { ChecksumState::Bad }
}

/// Lengths of IP packets fit into 32 bits.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

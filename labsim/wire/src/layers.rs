//! Where each header of a frame stands, and which fields it has: for those who show a packet header by
//! header.
//!
//! [`layers`] divides a frame's bytes among its headers, outermost first; [`Kind::fields`] says where a
//! header's fields are and how their values are written. Headers inside each other are those that
//! [`mod@crate::decode`] follows.

mod fields;

pub use fields::{ETHERTYPES, Field, Format, TCP_FLAGS};

use crate::decode::{LinkType, MAX_HEADERS};
use crate::ethernet::ethertype;
use crate::ipv6::extension;
use crate::{arp, ethernet, gre, gue, icmpv4, icmpv6, ipv4, ipv6, protocol, tcp, tunnel, udp};

/// Layers of one frame at most; options and quoted packets included.
pub const MAX_LAYERS: usize = 64;

/// What a part of a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// IEEE 802.3 framing.
    Ethernet,
    /// RFC 826.
    Arp,
    /// RFC 791, with its options.
    Ipv4,
    /// RFC 8200, without extension headers.
    Ipv6,
    /// An extension header of IPv6 that is no fragment header.
    Extension,
    /// IPv6's fragment header.
    Fragment,
    /// GRE's first four bytes (RFC 2784).
    Gre,
    /// GRE's checksum.
    GreChecksum,
    /// GRE's key (RFC 2890).
    GreKey,
    /// GRE's sequence number (RFC 2890).
    GreSequence,
    /// RFC 768.
    Udp,
    /// draft-ietf-intarea-gue, variant 0.
    Gue,
    /// RFC 9293, without options.
    Tcp,
    /// A TCP option: padding.
    NoOperation,
    /// A TCP option: maximum segment size.
    Mss,
    /// A TCP option: window scale (RFC 7323).
    WindowScale,
    /// A TCP option: selective acknowledgements are understood (RFC 2018).
    SackPermitted,
    /// A TCP option: time stamps (RFC 7323).
    Timestamps,
    /// Any other TCP option.
    TcpOption,
    /// ICMP (RFC 792) that is neither an echo nor an error.
    Icmp,
    /// An echo request or reply of either family.
    Echo,
    /// An ICMP error of either family; the packet that it is about follows.
    Error,
    /// A neighbour message (RFC 4861).
    Neighbour,
    /// What the innermost header carries, or what cannot be read.
    Data,
}

/// A header's place in its frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Layer {
    /// What it is.
    pub kind: Kind,
    /// Its first byte.
    pub start: usize,
    /// The byte after its last one.
    pub end: usize,
}

/// Divides what was captured of a frame: the layers follow each other without gaps, the last one ends
/// with the frame. What is malformed or cut off is [`Kind::Data`] from there on.
#[must_use]
pub fn layers(link: LinkType, bytes: &[u8]) -> Vec<Layer> {
    let mut walk = Walk { bytes, at: 0, layers: Vec::new() };
    let _ = walk.frame(link);
    if walk.at < bytes.len() {
        walk.push(Kind::Data, bytes.len() - walk.at);
    }
    walk.layers
}

/// Goes over a frame. Functions give `None` where nothing more can be read.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    layers: Vec<Layer>,
}

impl<'a> Walk<'a> {
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    fn push(&mut self, kind: Kind, length: usize) {
        let start = self.at;
        self.at = (start + length).min(self.bytes.len());
        if start < self.at {
            self.layers.push(Layer { kind, start, end: self.at });
        }
    }

    fn frame(&mut self, link: LinkType) -> Option<()> {
        if link == LinkType::Ethernet {
            let frame = ethernet::View::new(self.bytes).ok()?;
            self.push(Kind::Ethernet, ethernet::HEADER_LEN);
            match frame.ethertype() {
                ethertype::IPV4 | ethertype::IPV6 => {}
                ethertype::ARP => {
                    arp::View::new(self.rest()).ok()?;
                    self.push(Kind::Arp, arp::LEN);
                    return None;
                }
                _ => return None,
            }
        }
        self.packet(MAX_HEADERS)
    }

    /// IP headers inside each other, and what the innermost carries.
    fn packet(&mut self, most: usize) -> Option<()> {
        for _ in 0..most {
            let (protocol, is_first) = self.ip()?;
            if !is_first {
                return None;
            }
            let carried = self.rest();
            match tunnel::Header::split(protocol, carried) {
                None => return self.transport(protocol),
                Some((None, _)) => {}
                Some((Some(tunnel::Header::Gre(_)), _)) => self.gre()?,
                Some((Some(tunnel::Header::Gue { .. }), inside)) => {
                    self.push(Kind::Udp, udp::HEADER_LEN);
                    let datagram = udp::View::new_truncated(carried).ok()?;
                    let length = gue::View::recognise(&datagram)?.header_length();
                    debug_assert!(inside.len() + length <= carried.len());
                    self.push(Kind::Gue, length);
                }
            }
        }
        None
    }

    /// An IP header: the protocol that it carries, and whether that begins here.
    fn ip(&mut self) -> Option<(u8, bool)> {
        let bytes = self.rest();
        if bytes.first()? >> 4 == 6 {
            let view = ipv6::View::new_truncated(bytes).ok()?;
            self.push(Kind::Ipv6, ipv6::HEADER_LEN);
            for header in view.extensions() {
                let header = header.ok()?;
                let is_fragment = header.kind == extension::FRAGMENT;
                let kind = if is_fragment { Kind::Fragment } else { Kind::Extension };
                self.push(kind, header.bytes.len());
            }
            let transport = view.transport().ok()?;
            let place = transport.fragment.map_or((0, false), |it| (it.offset, it.more));
            return Some((self.whole(transport.protocol, place)?, place.0 == 0));
        }
        let view = ipv4::View::new_truncated(bytes).ok()?;
        self.push(Kind::Ipv4, view.header_length());
        let place = (view.fragment_offset(), view.more_fragments());
        Some((self.whole(view.protocol(), place)?, place.0 == 0))
    }

    /// The protocol of a packet, unless it is a fragment of one with packets inside.
    fn whole(&self, carried: u8, (offset, more): (u16, bool)) -> Option<u8> {
        let is_fragment = offset != 0 || more;
        let is_tunnel = matches!(carried, protocol::IPIP | protocol::IPV6 | protocol::GRE);
        (!(is_fragment && is_tunnel)).then_some(carried)
    }

    fn gre(&mut self) -> Option<()> {
        let header = gre::Header::parse(&gre::View::new(self.rest()).ok()?);
        self.push(Kind::Gre, gre::MIN_HEADER_LEN);
        for (kind, is_there) in [
            (Kind::GreChecksum, header.checksum),
            (Kind::GreKey, header.key.is_some()),
            (Kind::GreSequence, header.sequence.is_some()),
        ] {
            if is_there {
                self.push(kind, 4);
            }
        }
        Some(())
    }

    fn transport(&mut self, carried: u8) -> Option<()> {
        let bytes = self.rest();
        match carried {
            protocol::TCP => {
                let view = tcp::View::new(bytes).ok()?;
                let options = view.option_bytes();
                self.push(Kind::Tcp, view.header_length() - options.len());
                self.options(options);
            }
            protocol::UDP => {
                udp::View::new_truncated(bytes).ok()?;
                self.push(Kind::Udp, udp::HEADER_LEN);
            }
            protocol::GRE => self.gre()?,
            protocol::ICMP => {
                let view = icmpv4::View::new(bytes).ok()?;
                let kind = match view.kind() {
                    icmpv4::kind::ECHO_REQUEST | icmpv4::kind::ECHO_REPLY => Kind::Echo,
                    _ if view.is_error() => Kind::Error,
                    _ => Kind::Icmp,
                };
                self.icmp(kind)?;
            }
            protocol::ICMPV6 => {
                let view = icmpv6::View::new(bytes).ok()?;
                let kind = match view.kind() {
                    icmpv6::kind::ECHO_REQUEST | icmpv6::kind::ECHO_REPLY => Kind::Echo,
                    _ if view.is_error() => Kind::Error,
                    _ if view.target().is_some() => Kind::Neighbour,
                    _ => Kind::Icmp,
                };
                self.icmp(kind)?;
            }
            _ => {}
        }
        None
    }

    fn icmp(&mut self, kind: Kind) -> Option<()> {
        self.push(kind, if kind == Kind::Neighbour { 24 } else { 8 });
        // A quoted error quotes nothing that anybody has to see.
        let is_quoted = self.layers.iter().filter(|layer| layer.kind == Kind::Error).count() > 1;
        if kind == Kind::Error && !is_quoted { self.packet(MAX_HEADERS) } else { None }
    }

    fn options(&mut self, options: &[u8]) {
        let end = self.at + options.len();
        while self.at < end && self.layers.len() < MAX_LAYERS {
            let rest = self.bytes.get(self.at..end).unwrap_or_default();
            let (kind, length) = match *rest {
                [0, ..] | [] => (Kind::NoOperation, rest.len()),
                [1, ..] => (Kind::NoOperation, 1),
                [2, 4, ..] => (Kind::Mss, 4),
                [3, 3, ..] => (Kind::WindowScale, 3),
                [4, 2, ..] => (Kind::SackPermitted, 2),
                [8, 10, ..] => (Kind::Timestamps, 10),
                [_, length, ..] if length >= 2 => (Kind::TcpOption, usize::from(length)),
                _ => (Kind::TcpOption, rest.len()),
            };
            self.push(kind, length.clamp(1, rest.len().max(1)));
        }
        if self.at < end {
            self.push(Kind::TcpOption, end - self.at);
        }
    }
}

#[cfg(test)]
mod tests;

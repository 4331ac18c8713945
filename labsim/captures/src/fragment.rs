//! One fragment of an IP packet, and packets without fragmentation made of fragments (RFC 791, 3.2; RFC 8200, 4.5).
//!
//! Fragments of a tunnel's packet hide the packet inside from the second fragment on; the first one has its headers, and
//! so all that identifies it.

use crate::packet::{Known, Packet};
use labsim_wire::decode::{Decoded, decode_network};
use labsim_wire::ethernet::ethertype;
use labsim_wire::ipv6::extension;
use labsim_wire::{ipv4, ipv6, tunnel};
use std::net::IpAddr;

/// Bytes of the header that only fragments have in IPv6.
const FRAGMENT_HEADER: usize = 8;

/// A fragment of a packet, as far as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment<'a> {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) id: u32,
    /// What the packet carries.
    pub(crate) protocol: u8,
    /// Its place in the packet's payload, in bytes.
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) has_more: bool,
    /// The header, with options, and without what only fragments have.
    pub(crate) header: &'a [u8],
    /// What was captured of the bytes from `from` to `to`.
    pub(crate) data: &'a [u8],
}

impl<'a> Fragment<'a> {
    /// The fragment that begins with this IP header; `None` of what is whole, or is none.
    pub(crate) fn new(network: &'a [u8]) -> Option<Self> {
        match network.first()? >> 4 {
            4 => Self::v4(network),
            6 => Self::v6(network),
            _ => None,
        }
    }

    fn v4(network: &'a [u8]) -> Option<Self> {
        let view = ipv4::View::new_truncated(network).ok()?;
        let from = usize::from(view.fragment_offset());
        if from == 0 && !view.more_fragments() {
            return None;
        }
        let length = view.total_length().checked_sub(view.header_length())?;
        Some(Self {
            source: view.source().into(),
            destination: view.destination().into(),
            id: u32::from(view.id()),
            protocol: view.protocol(),
            from,
            to: from + length,
            has_more: view.more_fragments(),
            header: network.get(..view.header_length())?,
            data: view.payload(),
        })
    }

    /// The Fragment header is taken where it follows the fixed header, as it does for tunnels.
    fn v6(network: &'a [u8]) -> Option<Self> {
        let view = ipv6::View::new_truncated(network).ok()?;
        if view.next_header() != extension::FRAGMENT {
            return None;
        }
        let place = word(view.payload(), 2)?;
        let from = usize::from(place & 0xfff8);
        let (high, low) = (word(view.payload(), 4)?, word(view.payload(), 6)?);
        let all = view.total_length().checked_sub(ipv6::HEADER_LEN)?;
        Some(Self {
            source: view.source().into(),
            destination: view.destination().into(),
            id: u32::from(high) << 16 | u32::from(low),
            protocol: *view.payload().first()?,
            from,
            to: from + all.checked_sub(FRAGMENT_HEADER)?,
            has_more: place & 1 != 0,
            header: network.get(..ipv6::HEADER_LEN)?,
            data: view.payload().get(FRAGMENT_HEADER..)?,
        })
    }

    /// The bytes of a tunnel's packet by its first fragment, as if the rest had not been captured. `None` if they are
    /// none.
    pub(crate) fn as_whole(&self) -> Option<Vec<u8>> {
        if self.from != 0 {
            return None;
        }
        let (_, inside) = tunnel::Header::split(self.protocol, self.data)?;
        let inner = match inside.first()? >> 4 {
            4 => usize::from(word(inside, 2)?),
            6 => usize::from(word(inside, 4)?) + ipv6::HEADER_LEN,
            _ => return None,
        };
        let before = self.data.len().checked_sub(inside.len())?;
        whole(self.header, self.protocol, before + inner, self.data)
    }
}

/// What is known of the packet inside, if `network` is a tunnel's first fragment. `known`: what it says by itself.
pub(crate) fn inside_fragment(known: &Known, network: &[u8]) -> Option<Known> {
    let Known::Ip(outer) = known else { return None };
    let whole = Fragment::new(network)?.as_whole()?;
    let mut packet = packet_of(&whole)?;
    packet.outermost = outer.outermost;
    (!packet.inner.is_empty()).then_some(Known::Ip(packet))
}

/// What is known of a whole IP packet.
pub(crate) fn packet_of(network: &[u8]) -> Option<Packet> {
    let ethertype = match network.first()? >> 4 {
        4 => ethertype::IPV4,
        _ => ethertype::IPV6,
    };
    let content = decode_network(ethertype, network, usize::MAX);
    match Known::of(&Decoded { link: None, content }).with_datagram(network) {
        Known::Ip(packet) => Some(packet),
        Known::Arp(_) | Known::Other => None,
    }
}

/// A packet without fragmentation: the header of one of its fragments before `payload`, which has `length` bytes, or
/// less of them. `None` if no packet has so many.
pub(crate) fn whole(header: &[u8], protocol: u8, length: usize, payload: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = header.to_vec();
    if header.first()? >> 4 == 4 {
        let total = u16::try_from(header.len() + length).ok()?;
        bytes.get_mut(2..4)?.copy_from_slice(&total.to_be_bytes());
        // Neither a place nor more fragments; "don't fragment" stays.
        *bytes.get_mut(6)? &= 0x40;
        *bytes.get_mut(7)? = 0;
    } else {
        let length = u16::try_from(length).ok()?;
        bytes.get_mut(4..6)?.copy_from_slice(&length.to_be_bytes());
        *bytes.get_mut(6)? = protocol;
    }
    bytes.extend_from_slice(payload);
    Some(bytes)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_be_bytes)
}

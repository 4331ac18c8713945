//! Link layers of captures that other programs wrote: what stands before the network layer.
//!
//! Numbers and layouts: <https://www.tcpdump.org/linktypes.html>, libpcap's `pcap-linktype(7)`. labsim's
//! own captures have [`crate::decode::LinkType`] only.

use crate::bytes::{array, be16, be32};
use crate::ethernet::{self, ethertype};
use crate::pcapng::Direction;

/// VLAN tags of one frame that are followed at most.
pub const MAX_TAGS: usize = 4;

/// A link layer, by what the tcpdump group calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Link {
    /// `EN10MB`, with VLAN tags.
    Ethernet,
    /// `RAW`, `IPV4`, `IPV6`: an IP header comes first.
    Raw,
    /// `NULL`: an address family in the byte order of the host that captured.
    Null,
    /// `LOOP`: an address family in network byte order.
    Loop,
    /// `PPP`, `PPP_HDLC`: RFC 1661's protocol, with or without HDLC's address and control.
    Ppp,
    /// `LINUX_SLL`: all devices of a Linux host.
    Sll,
    /// `LINUX_SLL2`: the same, with the number of the device.
    Sll2,
}

impl Link {
    /// The link layer of a number in a capture file's header; `None` if it is none of these. A file
    /// of classic pcap has further fields in the six highest bits.
    #[must_use]
    pub fn of_number(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Ethernet,
            12 | 14 | 101 | 228 | 229 => Self::Raw,
            0 => Self::Null,
            108 => Self::Loop,
            9 | 50 => Self::Ppp,
            113 => Self::Sll,
            276 => Self::Sll2,
            _ => return None,
        })
    }
}

/// What a frame's link layer says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Header {
    /// Bytes before the network layer.
    pub length: usize,
    /// What follows; see [`ethertype`]. Zero if the link layer has a protocol that has no ethertype.
    pub ethertype: u16,
    /// The Ethernet header, its ethertype being the one after the tags.
    pub ethernet: Option<ethernet::Header>,
    /// The VLAN of the outermost tag.
    pub vlan: Option<u16>,
    /// Which way the frame went; `None` also of what is neither to nor from the host.
    pub direction: Option<Direction>,
    /// The device's number on the host.
    pub device: Option<u32>,
}

/// Reads the link layer of a frame; `None` if the frame ends before it does.
#[must_use]
pub fn parse(link: Link, bytes: &[u8]) -> Option<Header> {
    match link {
        Link::Ethernet => ethernet(bytes),
        Link::Raw => Some(Header { ethertype: version(bytes)?, ..Header::default() }),
        Link::Null => {
            let family: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
            // A family is below 256: one of the two orders holds it.
            let family = u32::from_le_bytes(family).min(u32::from_be_bytes(family));
            Some(Header { length: 4, ethertype: of_family(family), ..Header::default() })
        }
        Link::Loop => {
            let family = be32(bytes.get(..4)?, 0);
            Some(Header { length: 4, ethertype: of_family(family), ..Header::default() })
        }
        Link::Ppp => ppp(bytes),
        Link::Sll => {
            let head = bytes.get(..16)?;
            let header = Header {
                length: 16,
                ethertype: be16(head, 14),
                direction: of_packet_type(be16(head, 0)),
                ..Header::default()
            };
            Some(after_tags(bytes, header))
        }
        Link::Sll2 => {
            let head = bytes.get(..20)?;
            let header = Header {
                length: 20,
                ethertype: be16(head, 0),
                direction: of_packet_type(u16::from(head[10])),
                device: Some(be32(head, 4)),
                ..Header::default()
            };
            Some(after_tags(bytes, header))
        }
    }
}

/// Which way a packet with a type of Linux' packet sockets went (packet(7), `sll_pkttype`).
#[must_use]
pub fn of_packet_type(kind: u16) -> Option<Direction> {
    match kind {
        0..=2 => Some(Direction::In),
        4 => Some(Direction::Out),
        // 3: between other hosts.
        _ => None,
    }
}

fn ethernet(bytes: &[u8]) -> Option<Header> {
    let view = ethernet::View::new(bytes).ok()?;
    let ethernet = ethernet::Header::parse(&view);
    let header =
        Header { length: ethernet::HEADER_LEN, ethertype: ethernet.ethertype, ..Header::default() };
    let header = after_tags(bytes, header);
    let ethernet = ethernet::Header { ethertype: header.ethertype, ..ethernet };
    Some(Header { ethernet: Some(ethernet), ..header })
}

/// Follows VLAN tags (IEEE 802.1Q, 802.1ad, and the number that was in use before). A tag that is cut
/// off stays the ethertype.
fn after_tags(bytes: &[u8], mut header: Header) -> Header {
    for _ in 0..MAX_TAGS {
        if !matches!(header.ethertype, 0x8100 | 0x88a8 | 0x9100) {
            break;
        }
        let Some(tag) = bytes.get(header.length..header.length + 4) else { break };
        header.vlan = header.vlan.or(Some(be16(tag, 0) & 0x0fff));
        header.ethertype = be16(tag, 2);
        header.length += 4;
    }
    header
}

/// An ethertype by the version in an IP header.
fn version(bytes: &[u8]) -> Option<u16> {
    Some(match bytes.first()? >> 4 {
        6 => ethertype::IPV6,
        4 => ethertype::IPV4,
        _ => 0,
    })
}

/// The address families that BSD, Darwin, Linux and Windows use.
fn of_family(family: u32) -> u16 {
    match family {
        2 => ethertype::IPV4,
        10 | 23 | 24 | 28 | 30 => ethertype::IPV6,
        _ => 0,
    }
}

/// RFC 1662's address and control may be there, RFC 1661's protocol may be one byte.
fn ppp(bytes: &[u8]) -> Option<Header> {
    let start = if bytes.get(..2)? == [0xff, 0x03] { 2 } else { 0 };
    let (protocol, length) = match bytes.get(start..)? {
        [short, ..] if short & 1 == 1 => (u16::from(*short), start + 1),
        long => (u16::from_be_bytes(array(long.get(..2)?, 0)), start + 2),
    };
    let ethertype = match protocol {
        0x0021 => ethertype::IPV4,
        0x0057 => ethertype::IPV6,
        _ => 0,
    };
    Some(Header { length, ethertype, ..Header::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: u16 = ethertype::IPV4;

    #[test]
    fn the_network_layer_begins_where_each_link_layer_ends() {
        let mut sll = vec![0, 4, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0, 8, 0];
        let mut sll2 = vec![0x81, 0, 0, 0, 0, 0, 0, 7, 0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        sll2.extend([0, 42, 8, 0]);
        let tagged =
            [[1; 12].as_slice(), &[0x88, 0xa8, 0x20, 5, 0x81, 0, 0, 6, 0x86, 0xdd]].concat();
        for (link, bytes, length, ethertype, vlan, direction, device) in [
            (Link::Raw, vec![0x45], 0, V4, None, None, None),
            (Link::Raw, vec![0x60], 0, ethertype::IPV6, None, None, None),
            (Link::Null, vec![2, 0, 0, 0], 4, V4, None, None, None),
            (Link::Null, vec![0, 0, 0, 30], 4, ethertype::IPV6, None, None, None),
            (Link::Loop, vec![0, 0, 0, 2], 4, V4, None, None, None),
            (Link::Ppp, vec![0xff, 3, 0, 0x21], 4, V4, None, None, None),
            (Link::Ppp, vec![0, 0x57], 2, ethertype::IPV6, None, None, None),
            (Link::Ppp, vec![0x21], 1, V4, None, None, None),
            (Link::Sll, std::mem::take(&mut sll), 16, V4, None, Some(Direction::Out), None),
            (Link::Sll2, sll2, 24, V4, Some(42), Some(Direction::In), Some(7)),
            (Link::Ethernet, tagged, 22, ethertype::IPV6, Some(5), None, None),
        ] {
            let padded = [bytes.as_slice(), &[0]].concat();
            let bytes = if link == Link::Ppp && bytes.len() == 1 { padded } else { bytes };
            let header = parse(link, &bytes).unwrap();
            let expected =
                Header { length, ethertype, vlan, direction, device, ethernet: header.ethernet };
            assert_eq!(header, expected, "{link:?}");
        }
    }

    #[test]
    fn a_frame_that_ends_within_its_link_layer_has_none() {
        for (link, least) in [
            (Link::Ethernet, 14),
            (Link::Raw, 1),
            (Link::Null, 4),
            (Link::Loop, 4),
            (Link::Ppp, 2),
            (Link::Sll, 16),
            (Link::Sll2, 20),
        ] {
            assert!(parse(link, &vec![0; least]).is_some(), "{link:?}");
            assert_eq!(parse(link, &vec![0; least - 1]), None, "{link:?}");
        }
    }
}

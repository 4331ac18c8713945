//! Marker frames: labsim's own, sent to prove that a capture point is alive, and that a link is
//! empty.
//!
//! The first needs no link: the point sees its own marker leave. The second does, and an impaired
//! link loses, delays and reorders what is on it. The relay there knows markers by their Ethernet
//! type and lets them out behind everything else, each once (`labsim_dataplane::relay`).

use super::points::PointPlan;
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::{ipv4, protocol};
use std::net::Ipv4Addr;

/// What a marker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarkerKind {
    /// Frames before this one may be missing.
    Start,
    /// Frames after this one may be missing.
    End,
}

/// The points that did not see their own marker in time; empty if all did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marked {
    /// By name, `node:interface`.
    pub silent: Vec<String>,
}

/// A marker of one point. Its payload is text, such as `labsim marker start 1 7 client:eth0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Marker {
    /// `None` only flushes a link.
    pub(super) kind: Option<MarkerKind>,
    /// Counts the sendings of a capture.
    pub(super) round: u32,
    /// Its place among the capture's points.
    pub(super) point: usize,
}

const PREFIX: &str = "labsim marker";
/// Of a block that is for documentation only (RFC 5737): no host's, and routed nowhere.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 253);

impl Marker {
    /// The frame as it is sent out of `point`, to the far end of its link if there is one.
    pub(super) fn emit(self, point: &PointPlan, far: Option<Mac>) -> Vec<u8> {
        let kind = match self.kind {
            Some(MarkerKind::Start) => "start",
            Some(MarkerKind::End) => "end",
            None => "flush",
        };
        let text = format!("{PREFIX} {kind} {} {} {}", self.round, self.point, point.name);
        let mut bytes = match point.link {
            LinkType::Ethernet => {
                let header = ethernet::Header {
                    destination: far.unwrap_or(point.mac),
                    source: point.mac,
                    ethertype: ethertype::MARKER,
                };
                let mut bytes = vec![0; header.length()];
                // The buffer has the length that the header asks for.
                let _ = header.emit(&mut bytes);
                bytes
            }
            LinkType::Raw => {
                let header = ipv4::Header {
                    source: ADDRESS,
                    destination: ADDRESS,
                    protocol: protocol::MARKER,
                    ttl: 1,
                    tos: 0,
                    id: 0,
                    dont_fragment: true,
                    more_fragments: false,
                    fragment_offset: 0,
                    options: &[],
                    payload_length: text.len(),
                };
                let mut bytes = vec![0; header.length()];
                // As above; and the text is short.
                let _ = header.emit(&mut bytes);
                bytes
            }
        };
        bytes.extend_from_slice(text.as_bytes());
        bytes
    }

    /// Reads a frame as a marker, if it is one.
    pub(super) fn parse(link: LinkType, bytes: &[u8]) -> Option<Self> {
        let payload = match link {
            LinkType::Ethernet => {
                let frame = ethernet::View::new(bytes).ok()?;
                (frame.ethertype() == ethertype::MARKER).then(|| frame.payload())?
            }
            LinkType::Raw => {
                let packet = ipv4::View::new(bytes).ok()?;
                (packet.protocol() == protocol::MARKER).then(|| packet.payload())?
            }
        };
        let mut words = std::str::from_utf8(payload).ok()?.strip_prefix(PREFIX)?.split(' ');
        let _before = words.next()?;
        let kind = match words.next()? {
            "start" => Some(MarkerKind::Start),
            "end" => Some(MarkerKind::End),
            "flush" => None,
            _ => return None,
        };
        let round = words.next()?.parse().ok()?;
        let point = words.next()?.parse().ok()?;
        Some(Self { kind, round, point })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::InterfaceName;

    fn point(link: LinkType) -> PointPlan {
        PointPlan {
            name: "rs1:tunl0".into(),
            node: 0,
            interface: InterfaceName::new("tunl0").unwrap(),
            index: 7,
            link,
            mac: Mac([2, 0, 0, 0, 0, 1]),
        }
    }

    #[test]
    fn a_marker_is_read_back_on_both_kinds_of_link() {
        for link in [LinkType::Ethernet, LinkType::Raw] {
            for kind in [Some(MarkerKind::Start), Some(MarkerKind::End), None] {
                let marker = Marker { kind, round: 3, point: 12 };
                let bytes = marker.emit(&point(link), None);
                assert_eq!(Marker::parse(link, &bytes), Some(marker));
            }
        }
    }

    #[test]
    fn other_frames_and_cut_markers_are_no_markers() {
        let marker = Marker { kind: Some(MarkerKind::End), round: 1, point: 1 };
        let whole = marker.emit(&point(LinkType::Ethernet), None);
        for cut in 0..whole.len() - "1 rs1:tunl0".len() {
            assert_eq!(Marker::parse(LinkType::Ethernet, &whole[..cut]), None, "{cut}");
        }
        let mut other = whole;
        other[12..14].copy_from_slice(&ethertype::IPV4.to_be_bytes());
        assert_eq!(Marker::parse(LinkType::Ethernet, &other), None);
    }
}

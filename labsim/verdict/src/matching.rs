//! Compares a frame with what an expectation says about it, field by field.

mod describe;

pub(crate) use describe::describe;

use crate::arp_nd;
use crate::frames::Frame;
use crate::observe::FrameRecord;
use labsim_scenario::model::{Direction, FrameMatch, OuterMatch, TcpFlags};
use labsim_wire::decode::{Decoded, IpHeader, Relative, Transport};
use std::fmt;

/// A field that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mismatch {
    /// The field's name as the scenario file writes it; `outer.ttl` for the outer header's.
    pub(crate) field: &'static str,
    /// What was expected.
    pub(crate) expected: String,
    /// What was seen.
    pub(crate) seen: String,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}, seen {}", self.field, self.expected, self.seen)
    }
}

/// Whether every field that is asked for agrees.
pub(crate) fn matches(wanted: &FrameMatch, frame: &Frame<'_>) -> bool {
    differences(wanted, frame) == 0
}

/// Whether every field that is asked for agrees, of a frame that stands for itself: its TCP numbers relative
/// to its flow's are not known.
#[must_use]
pub fn frame_matches(wanted: &FrameMatch, direction: Direction, decoded: &Decoded) -> bool {
    let (record, relative) = (FrameRecord::lone(direction), Relative::default());
    matches(wanted, &Frame { index: 0, number: 0, record, decoded, relative })
}

/// In how many of the fields that are asked for the frame differs.
pub(crate) fn differences(wanted: &FrameMatch, frame: &Frame<'_>) -> usize {
    let mut comparison = Comparison { words: false, differences: 0, found: Vec::new() };
    compare_all(&mut comparison, wanted, frame);
    comparison.differences
}

/// The fields that do not agree, in the order of [`FrameMatch`]; empty if all do.
pub(crate) fn compare(wanted: &FrameMatch, frame: &Frame<'_>) -> Vec<Mismatch> {
    let mut comparison = Comparison { words: true, differences: 0, found: Vec::new() };
    compare_all(&mut comparison, wanted, frame);
    comparison.found
}

struct Comparison {
    /// Whether the differences are wanted in words.
    words: bool,
    differences: usize,
    found: Vec<Mismatch>,
}

impl Comparison {
    /// One field: `seen` is `None` where the frame has no such field.
    fn field<W: fmt::Display, S: fmt::Display>(
        &mut self,
        field: &'static str,
        wanted: Option<W>,
        seen: Option<S>,
        agree: impl FnOnce(&W, &S) -> bool,
    ) {
        let Some(wanted) = wanted else { return };
        if seen.as_ref().is_some_and(|seen| agree(&wanted, seen)) {
            return;
        }
        self.differences += 1;
        if self.words {
            self.found.push(Mismatch {
                field,
                expected: wanted.to_string(),
                seen: seen.map_or_else(|| "none".to_owned(), |seen| seen.to_string()),
            });
        }
    }

    fn equal<T: fmt::Display + PartialEq>(
        &mut self,
        field: &'static str,
        wanted: Option<T>,
        seen: Option<T>,
    ) {
        self.field(field, wanted, seen, |wanted, seen| wanted == seen);
    }
}

fn compare_all(to: &mut Comparison, wanted: &FrameMatch, frame: &Frame<'_>) {
    // What keeps neighbours up is no more a packet than ARP is, unless it is asked for by its type.
    let asked = wanted.icmp.is_some() || arp_nd::message(frame.decoded).is_none();
    let packet = frame.decoded.packet().filter(|_| asked);
    let header = packet.map(|packet| packet.innermost());
    let ports = packet.and_then(|packet| packet.ports());
    let tcp = frame.decoded.tcp();
    to.equal("direction", wanted.direction, Some(frame.record.direction));
    to.field(
        "source",
        wanted.source.as_ref(),
        header.map(|header| header.source),
        |wanted, seen| wanted.contains(*seen),
    );
    to.field(
        "destination",
        wanted.destination.as_ref(),
        header.map(|header| header.destination),
        |wanted, seen| wanted.contains(*seen),
    );
    to.equal("protocol", wanted.protocol, header.map(|header| header.protocol));
    to.equal("source_port", wanted.source_port, ports.map(|ports| ports.0));
    to.equal("destination_port", wanted.destination_port, ports.map(|ports| ports.1));
    to.equal("ttl", wanted.ttl, header.map(|header| header.ttl));
    to.equal("length", wanted.length, header.map(|header| header.length));
    to.equal("tos", wanted.tos, header.map(|header| header.tos));
    to.equal("dont_fragment", wanted.dont_fragment, header.and_then(|header| header.dont_fragment));
    to.field("flags", wanted.flags, tcp.map(|tcp| TcpFlags(tcp.flags.0)), |a, b| a == b);
    to.equal("sequence", wanted.sequence, frame.relative.sequence);
    to.equal("acknowledgement", wanted.acknowledgement, frame.relative.acknowledgement);
    let payload = packet.and_then(|packet| match &packet.transport {
        Transport::Tcp(tcp) => Some(tcp.payload),
        Transport::Udp(udp) => Some(udp.payload),
        _ => None,
    });
    to.equal("payload", wanted.payload, payload);
    if let Some(icmp) = &wanted.icmp {
        let seen = frame.decoded.icmp();
        to.equal("icmp.type", Some(icmp.kind), seen.map(|icmp| icmp.kind));
        to.equal("icmp.code", icmp.code, seen.map(|icmp| icmp.code));
    }
    match (&wanted.outer, frame.decoded.outer()) {
        (None, _) | (Some(None), None) => {}
        (Some(None), Some(header)) => to.equal("outer", Some("none"), Some(carrier(header))),
        (Some(Some(_)), None) => to.equal("outer", Some("an outer header"), None),
        (Some(Some(outer)), Some(header)) => compare_outer(to, outer, header),
    }
}

fn carrier(header: &IpHeader) -> &'static str {
    labsim_wire::protocol::name(header.protocol).unwrap_or("an outer header")
}

fn compare_outer(to: &mut Comparison, wanted: &OuterMatch, header: &IpHeader) {
    let contains = |wanted: &&labsim_scenario::model::AddressMatch, seen: &std::net::IpAddr| {
        wanted.contains(*seen)
    };
    to.field("outer.source", wanted.source.as_ref(), Some(header.source), contains);
    to.field("outer.destination", wanted.destination.as_ref(), Some(header.destination), contains);
    to.equal("outer.protocol", wanted.protocol, Some(header.protocol));
    to.equal("outer.ttl", wanted.ttl, Some(header.ttl));
    to.equal("outer.length", wanted.length, Some(header.length));
    to.equal("outer.tos", wanted.tos, Some(header.tos));
    to.equal("outer.dont_fragment", wanted.dont_fragment, header.dont_fragment);
}

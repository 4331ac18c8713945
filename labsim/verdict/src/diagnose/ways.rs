//! The ways of all packets of a capture, for those who show them.

use super::copies::split;
use super::trace::key;
use crate::frames::{Frame, Frames};
use crate::observe::Capture;
use labsim_scenario::model::NodeName;
use labsim_wire::decode::{Content, Flow, Transport, payload};
use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

/// What packets belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Topic {
    /// A flow, as the one who began it knows it, whatever it becomes by translation; with the ICMP errors
    /// about it.
    Flow(Flow),
    /// ICMP messages that are about no flow: echoes, neighbours.
    Icmp,
    /// ARP.
    Arp,
    /// Anything else, such as later fragments.
    Other,
}

/// The packets of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicWays {
    /// What they belong to.
    pub topic: Topic,
    /// Every sending of every packet, in the order of their first frames.
    pub ways: Vec<Way>,
}

/// One sending of a packet, from point to point.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// Whether it goes to the one who began the flow.
    pub is_reply: bool,
    /// Which of the sendings of the same packet this is, from 1.
    pub sending: usize,
    /// How often the packet was sent.
    pub sendings: usize,
    /// Its frames, by their places in the capture, in time's order.
    pub frames: Vec<usize>,
}

/// What makes frames the same packet, retransmissions included: its direction, and what does not change on
/// its way.
type Same = (bool, u64);

/// The frames of a packet by IP identification.
type Packet = (Same, BTreeMap<Option<u32>, Vec<usize>>);

/// The ways of all packets of a capture, topics in the order of their first frames. Translations are
/// followed through the nodes `translating`. A frame that a segment flooded is in the way of its packet.
#[must_use]
pub fn ways(capture: &Capture, translating: &[NodeName]) -> Vec<TopicWays> {
    let frames = Frames::with_probes(capture, translating);
    let mut places: HashMap<Topic, usize> = HashMap::new();
    let mut topics: Vec<(Topic, Vec<Packet>)> = Vec::new();
    let mut packets: HashMap<(usize, Same), usize> = HashMap::new();
    for frame in frames.all() {
        let (topic, is_reply) = topic(&frames, &places, &frame);
        let place = *places.entry(topic).or_insert_with(|| {
            topics.push((topic, Vec::new()));
            topics.len() - 1
        });
        let Some((_, of_topic)) = topics.get_mut(place) else { continue };
        let same = (is_reply, digest(&frames, &frame));
        let packet = *packets.entry((place, same)).or_insert_with(|| {
            of_topic.push((same, BTreeMap::new()));
            of_topic.len() - 1
        });
        let Some((_, by_id)) = of_topic.get_mut(packet) else { continue };
        let id = frame.decoded.innermost().and_then(|header| header.id);
        by_id.entry(id).or_default().push(frame.index);
    }
    topics
        .into_iter()
        .map(|(topic, packets)| {
            let mut ways: Vec<Way> = packets
                .into_iter()
                .flat_map(|((is_reply, _), by_id)| sendings(&frames, is_reply, &by_id))
                .collect();
            ways.sort_by_key(|way| way.frames.first().copied());
            TopicWays { topic, ways }
        })
        .collect()
}

fn sendings(
    frames: &Frames<'_>,
    is_reply: bool,
    by_id: &BTreeMap<Option<u32>, Vec<usize>>,
) -> Vec<Way> {
    let mut copies: Vec<Vec<usize>> =
        by_id.values().flat_map(|indices| split(frames, indices)).map(|copy| copy.frames).collect();
    copies.sort_by_key(|copy| copy.first().copied());
    let sendings = copies.len();
    let way = |(place, frames)| Way { is_reply, sending: place + 1, sendings, frames };
    copies.into_iter().enumerate().map(way).collect()
}

/// What a frame belongs to, and whether it goes to the one who began it.
fn topic(frames: &Frames<'_>, known: &HashMap<Topic, usize>, frame: &Frame<'_>) -> (Topic, bool) {
    let quoted = frame.decoded.icmp().and_then(|icmp| icmp.quoted.as_ref());
    let (flow, is_error) = match quoted.and_then(|packet| packet.flow()) {
        Some(flow) => (Some(flow), true),
        None => (frame.flow(), false),
    };
    let Some(flow) = flow else {
        return match &frame.decoded.content {
            Content::Arp(_) => (Topic::Arp, false),
            Content::Ip(packet) if matches!(packet.transport, Transport::Icmp(_)) => {
                (Topic::Icmp, false)
            }
            _ => (Topic::Other, false),
        };
    };
    let forward = Topic::Flow(frames.origin(flow, frame.index));
    if known.contains_key(&forward) {
        return (forward, is_error);
    }
    let back = Topic::Flow(frames.origin(flow.reversed(), frame.index));
    if known.contains_key(&back) {
        return (back, !is_error);
    }
    (forward, is_error)
}

/// Of what does not change on a packet's way.
fn digest(frames: &Frames<'_>, frame: &Frame<'_>) -> u64 {
    let mut hasher = DefaultHasher::new();
    let decoded = frame.decoded;
    let view = frames.view(frame);
    match (key(frame), &decoded.content) {
        (Some(key), _) => {
            key.hash(&mut hasher);
            // UDP has no numbers, and the identification may be 0 (RFC 6864).
            if decoded.tcp().is_none() {
                view.and_then(|view| payload(view.link, view.bytes)).hash(&mut hasher);
            }
        }
        (None, Content::Ip(packet)) => {
            let header = packet.innermost();
            (header.source, header.destination, header.protocol).hash(&mut hasher);
            (header.id, header.fragment_offset, header.length).hash(&mut hasher);
            if let Transport::Icmp(icmp) = &packet.transport {
                (icmp.kind, icmp.code, icmp.echo, icmp.target).hash(&mut hasher);
            }
        }
        (None, _) => view.map(|view| view.bytes).hash(&mut hasher),
    }
    hasher.finish()
}

#[cfg(test)]
mod tests;

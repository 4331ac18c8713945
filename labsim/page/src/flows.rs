//! The flows of a capture, and the packets of each as they went from node to node.

use crate::hops::Hops;
use labsim_scenario::model::NodeName;
use labsim_verdict::{Capture, Topic, ways};
use std::net::SocketAddr;

/// What the packets of one flow did, in the order of time.
pub(crate) struct FlowFrames {
    /// In the direction of its first packet, before translation; or what else the packets have in common.
    pub(crate) topic: Topic,
    /// Frames at all points.
    pub(crate) frames: usize,
    /// Each frame once, by its place among [`Hops::all`].
    pub(crate) hops: Vec<usize>,
    /// Its packets.
    pub(crate) packets: Vec<Packet>,
}

/// A sending of a packet.
pub(crate) struct Packet {
    /// Whether it goes to the one who began the flow.
    pub(crate) is_reply: bool,
    /// Which sending of the packet this is, from 1.
    pub(crate) sending: usize,
    /// How often the packet was sent.
    pub(crate) sendings: usize,
    /// Its frames, by their places among [`Hops::all`].
    pub(crate) hops: Vec<usize>,
}

impl FlowFrames {
    /// `TCP 10.0.0.1:1 > 10.0.0.2:49`
    pub(crate) fn name(&self) -> String {
        match self.topic {
            Topic::Flow(flow) => {
                let protocol = labsim_wire::protocol::name(flow.protocol).unwrap_or("");
                format!("{protocol} {flow}")
            }
            Topic::Icmp => "ICMP messages about no flow".to_owned(),
            Topic::Arp => "ARP".to_owned(),
            Topic::Other => "other packets, such as later fragments".to_owned(),
        }
    }

    /// Whether it is a flow, with addresses and ports.
    pub(crate) fn is_flow(&self) -> bool {
        matches!(self.topic, Topic::Flow(_))
    }
}

/// The flows, those of `first` (a step's own addresses and ports) before the others, otherwise by their
/// first packets; packets without ports come last. Translations are followed through `translating`.
pub(crate) fn flows(
    capture: &Capture,
    hops: &Hops,
    translating: &[NodeName],
    first: &[SocketAddr],
) -> Vec<FlowFrames> {
    let mut flows: Vec<FlowFrames> = ways(capture, translating)
        .into_iter()
        .map(|topic| {
            let frames = topic.ways.iter().map(|way| way.frames.len()).sum();
            let packets: Vec<Packet> = topic
                .ways
                .into_iter()
                .map(|way| Packet {
                    is_reply: way.is_reply,
                    sending: way.sending,
                    sendings: way.sendings,
                    hops: hops.of(&way.frames),
                })
                .filter(|packet| !packet.hops.is_empty())
                .collect();
            let mut of_flow: Vec<usize> =
                packets.iter().flat_map(|packet| packet.hops.iter().copied()).collect();
            of_flow.sort_unstable();
            of_flow.dedup();
            FlowFrames { topic: topic.topic, frames, hops: of_flow, packets }
        })
        .filter(|flow| !flow.packets.is_empty())
        .collect();
    flows.sort_by_cached_key(|one| match one.topic {
        Topic::Flow(flow) => {
            let is_own = |own: &SocketAddr| *own == flow.source || *own == flow.destination;
            (false, first.iter().position(is_own).unwrap_or(first.len()))
        }
        _ => (true, 0),
    });
    flows
}

//! Address translation, learnt from the frames of the load balancers.
//!
//! A translated packet leaves with other addresses or ports than it came in with, and with the
//! same IP identification, TCP numbers, flags and payload: a packet that came in and one that
//! went out later at the same node, alike in all of these, are the same packet. So what follows a
//! flow needs no configuration, and no word of the forwarder about what it did. Server logs are
//! not asked: they have no times, and one who refuses a client at once may log nothing.

use crate::flow_numbers::FlowNumbers;
use crate::frames::FlowId;
use labsim_scenario::model::Direction;
use labsim_wire::decode::{Decoded, LinkType, Transport, payload};
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// Translations that a flow passes at most: load balancers behind each other.
const MAX_CHAIN: usize = 4;

/// Flows that one flow is followed into at most, after which no further are looked for.
const MAX_CARRIERS: usize = 64;

/// What became of flows, and since which frame.
#[derive(Debug, Default)]
pub(crate) struct Translations {
    /// Packets that came in at a load balancer, by what does not change.
    came_in: HashMap<Fingerprint, FlowId>,
    /// By flow: the numbers of the flows that it became.
    became: FlowNumbers,
    was: FlowNumbers,
}

/// What translation leaves as it is.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Fingerprint {
    /// The load balancer: its place among them.
    balancer: usize,
    protocol: u8,
    id: Option<u32>,
    /// TCP's sequence and acknowledgement numbers and flags.
    numbers: (u32, u32, u8),
    length: u32,
    /// Of UDP's payload, because UDP has no numbers and the identification may be 0 (RFC 6864).
    digest: u64,
}

impl Fingerprint {
    fn new(balancer: usize, decoded: &Decoded, link: LinkType, bytes: &[u8]) -> Option<Self> {
        let packet = decoded.packet()?;
        let header = packet.innermost();
        let (numbers, length, digest) = match &packet.transport {
            Transport::Tcp(tcp) => {
                ((tcp.sequence, tcp.acknowledgement, tcp.flags.0), tcp.payload, 0)
            }
            Transport::Udp(udp) => {
                let mut hasher = DefaultHasher::new();
                payload(link, bytes)?.hash(&mut hasher);
                ((0, 0, 0), udp.payload, hasher.finish())
            }
            _ => return None,
        };
        let (protocol, id) = (header.protocol, header.id);
        Some(Self { balancer, protocol, id, numbers, length, digest })
    }
}

impl Translations {
    /// Takes note of a frame of a load balancer; frames have to come in time's order.
    pub(crate) fn learn(
        &mut self,
        index: usize,
        balancer: usize,
        direction: Direction,
        (flow, decoded): (FlowId, &Decoded),
        (link, bytes): (LinkType, &[u8]),
    ) {
        let Some(print) = Fingerprint::new(balancer, decoded, link, bytes) else { return };
        match direction {
            Direction::In => {
                self.came_in.insert(print, flow);
            }
            Direction::Out => {
                if let Some(before) = self.came_in.get(&print).copied()
                    && before != flow
                {
                    self.record(index, before, flow);
                    // What answers goes the other way through the same translation.
                    self.record(index, flow.reversed(), before.reversed());
                }
            }
        }
    }

    fn record(&mut self, index: usize, before: FlowId, after: FlowId) {
        self.became.record(before, index, after.0);
        self.was.record(after, index, before.0);
    }

    /// The flow as its client knows it: a translated port may have served several in turn.
    pub(crate) fn origin(&self, mut flow: FlowId, index: usize) -> FlowId {
        for _ in 0..MAX_CHAIN {
            let Some(origin) = self.was.at(flow, index) else { break };
            flow = FlowId(origin);
        }
        flow
    }

    /// The flow itself, and what it became on its way, in order.
    pub(crate) fn carriers(&self, flow: FlowId) -> Vec<FlowId> {
        let mut carriers = vec![flow];
        let mut next = 0;
        while let Some(flow) = carriers.get(next).copied()
            && carriers.len() < MAX_CARRIERS
        {
            let mut after: Vec<FlowId> = self.became.all(flow).map(FlowId).collect();
            after.reverse();
            for flow in after {
                if !carriers.contains(&flow) {
                    carriers.push(flow);
                }
            }
            next += 1;
        }
        carriers
    }
}

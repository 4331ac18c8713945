//! Which ports are services, and which were picked for one connection only.

use crate::frames::Frames;
use labsim_wire::decode::Flow;
use std::collections::{BTreeSet, HashSet};

/// Services by protocol and port: what the first packet of some flow was sent to.
#[derive(Debug, Default)]
pub(crate) struct Services(BTreeSet<(u8, u16)>);

impl Services {
    /// Learns them; frames are in time's order.
    pub(crate) fn of(frames: &Frames<'_>) -> Self {
        let mut services = BTreeSet::new();
        let mut known: HashSet<Flow> = HashSet::new();
        for flow in frames.all().filter_map(|frame| frame.flow()) {
            if known.contains(&flow) || !known.insert(flow.reversed()) {
                continue;
            }
            known.insert(flow);
            // An answer from an address that was not asked comes from a service all the same.
            let answers = services.contains(&(flow.protocol, flow.source.port()))
                && !services.contains(&(flow.protocol, flow.destination.port()));
            if !answers {
                services.insert((flow.protocol, flow.destination.port()));
            }
        }
        Self(services)
    }

    /// Whether the port is a service's.
    pub(crate) fn has(&self, protocol: u8, port: u16) -> bool {
        self.0.contains(&(protocol, port))
    }

    /// The port, or `*` for one that is no service's.
    pub(crate) fn shown(&self, protocol: u8, port: u16) -> String {
        if self.has(protocol, port) { port.to_string() } else { "*".to_owned() }
    }
}

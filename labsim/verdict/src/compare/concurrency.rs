//! Whether several flows to one address were under way at a time, so that timing decided which
//! server each of them met.

use crate::frames::Frames;
use labsim_wire::decode::Flow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};

/// A flow's first frame and its last one, by their times.
type Span = (u64, u64);

/// The addresses of clients whose flows to one address and port overlapped.
pub(super) fn clients(frames: &Frames<'_>) -> BTreeSet<IpAddr> {
    let mut spans: HashMap<Flow, Span> = HashMap::new();
    for frame in frames.all() {
        let Some(flow) = frame.flow() else { continue };
        let time = frame.record.time_ns;
        let flow = if spans.contains_key(&flow.reversed()) { flow.reversed() } else { flow };
        spans.entry(flow).and_modify(|span| span.1 = time).or_insert((time, time));
    }
    let mut by_destination: BTreeMap<(u8, SocketAddr), Vec<(Span, IpAddr)>> = BTreeMap::new();
    for (flow, span) in spans {
        let to = (flow.protocol, flow.destination);
        by_destination.entry(to).or_default().push((span, flow.source.ip()));
    }
    let mut clients = BTreeSet::new();
    for mut flows in by_destination.into_values() {
        flows.sort_unstable();
        let overlap = flows.windows(2).any(|two| two[1].0.0 < two[0].0.1);
        if overlap {
            clients.extend(flows.iter().map(|(_, client)| *client));
        }
    }
    clients
}

//! The way of a flow's first packet, and of the first answer, as numbered arrows over the picture of the lab.

use crate::flows::FlowFrames;
use crate::hops::{Hop, Hops};
use crate::ladder::{is_wire, node};
use labsim_picture::{Header, Lab, Stop, Way};
use labsim_verdict::Capture;

/// Arrows of one packet at most: one that goes round has hundreds of hops.
const ARROWS: usize = 16;

/// `None` if the first of the flows has no packet that went from a node to another.
pub(crate) fn first_way(
    capture: &Capture,
    lab: &Lab,
    hops: &Hops,
    flows: &[FlowFrames],
) -> Option<Way> {
    let flow = flows.first().filter(|flow| flow.is_flow())?;
    let mut way = Way::default();
    for is_answer in [false, true] {
        let packet = flow.packets.iter().find(|packet| packet.is_reply == is_answer);
        let own = packet.into_iter().flat_map(|packet| &packet.hops);
        let own = own.filter_map(|place| hops.all.get(*place)).take(ARROWS);
        way.hops.extend(own.filter_map(|hop| arrow(capture, lab, hop, is_answer)));
    }
    let has_answer = way.hops.iter().any(|hop| hop.is_answer);
    let answer = if has_answer { ", and of its answer, dashed" } else { "" };
    way.title = format!("{}: the way of the first packet{answer}", lab.name);
    (!way.hops.is_empty()).then_some(way)
}

/// A hop from node to node; nothing of one within a node, whose place is shown by the arrows round it.
fn arrow(capture: &Capture, lab: &Lab, hop: &Hop, is_answer: bool) -> Option<labsim_picture::Hop> {
    if !is_wire(capture, hop.from) {
        return None;
    }
    let (from, to) = (stop(capture, lab, hop.from)?, stop(capture, lab, hop.to));
    let name = |point| node(capture, point).unwrap_or("nobody");
    let what = format!("{} → {}", name(hop.from), name(hop.to));
    // The ladder below has the headers' fields.
    let header = Header { is_tunnel: hop.decoded.outer().is_some(), fields: Vec::new() };
    Some(labsim_picture::Hop { from: Some(from), to, is_answer, what, headers: vec![header] })
}

fn stop(capture: &Capture, lab: &Lab, point: Option<usize>) -> Option<Stop> {
    let point = capture.points().get(point?)?;
    lab.stop(point.node.as_str(), point.interface.as_str())
}

//! Packets for a VIP that went to a load balancer which does not serve it: its forwarder is stopped, or it is
//! on standby.

use super::neighbours;
use crate::diagnose::roles::Roles;
use crate::diagnose::{Cause, Subject, Trace, fix};
use crate::messages::count;
use labsim_codes::cause;
use labsim_model::node_state::NeighbourState;
use labsim_scenario::model::{Direction, NodeName};
use std::net::IpAddr;

/// The counter of what a load balancer on standby drops.
const STANDBY: &str = "standby";

/// The packet ended at such a load balancer. Its kernel does not have the VIP and counts that, as it does
/// beside a forwarder that runs.
pub(super) fn not_serving(subject: &Subject<'_>, trace: &Trace) -> Option<Cause> {
    let node = &trace.last_node;
    let vip = subject.packet(trace.last)?.outermost.destination;
    if !subject.context.scenario.load_balancers.contains_key(node) || !subject.is_vip(vip) {
        return None;
    }
    let roles = Roles::of(subject);
    let is_stopped = roles.is_stopped(node);
    let has_dropped = roles.is_standby(node) && subject.forwarder(node, STANDBY) > 0;
    if !is_stopped && !has_dropped {
        return None;
    }
    not_announced(subject, trace, &roles, vip)
        .or_else(|| is_stopped.then(|| stopped(subject, trace, vip)))
}

fn stopped(subject: &Subject<'_>, trace: &Trace, vip: IpAddr) -> Cause {
    let node = &trace.last_node;
    let number = trace.at_last.len() as u64;
    let received = count(number, "packet");
    let sentence = format!("{node} received {received} for {vip}, and its forwarder is stopped");
    let fix = fix::start_forwarder(subject, node);
    let cause = Cause::new(cause::FORWARDER_STOPPED, sentence, fix).at(node).packets(number);
    subject.shown(cause, &trace.at_last)
}

/// Another load balancer has taken the VIP over and has not announced it on the link: no frame of its own
/// that says so was captured before the packet.
fn not_announced(
    subject: &Subject<'_>,
    trace: &Trace,
    roles: &Roles<'_>,
    vip: IpAddr,
) -> Option<Cause> {
    let node = &trace.last_node;
    let frames = subject.context.frames;
    let last = subject.frame(trace.last)?;
    let link = last.decoded.link?;
    let sender = frames.mac_table().find(link.source).and_then(|point| frames.point(point));
    let sender = &sender?.node;
    let balancers = &subject.context.scenario.load_balancers;
    let serves = |other: &&NodeName| {
        let config = balancers.get(*other);
        let mut servers = config.into_iter().flat_map(|config| config.virtual_servers.values());
        *other != node && servers.any(|server| server.destination.ip() == vip)
    };
    let new = roles.began().find(serves)?;
    let has_claimed = frames.all().any(|frame| {
        frame.index < last.index
            && frame.record.direction == Direction::Out
            && subject.at(&frame) == Some(new)
            && neighbours::claimed(&frame) == Some(vip)
    });
    if has_claimed || is_permanent(subject, sender, vip) {
        return None;
    }
    let number = trace.at_last.len() as u64;
    let is =
        if roles.is_stopped(node) { "whose forwarder is stopped" } else { "which is on standby" };
    let announcement = match vip {
        IpAddr::V4(_) => "gratuitous ARP",
        IpAddr::V6(_) => "unsolicited neighbour advertisement",
    };
    let sentence = format!(
        "{sender} sent {} for {vip} to {}, the link-layer address of {node}, {is}: {new} has taken {vip} over, \
         and sent no {announcement} for it, which would have updated the neighbour entry of {sender}",
        count(number, "packet"),
        link.destination,
    );
    let fix = fix::announce(subject, new, announcement);
    let mut cause = Cause::new(cause::VIP_NOT_ANNOUNCED, sentence, fix).at(new).packets(number);
    let dropped = subject.forwarder(node, STANDBY);
    if dropped > 0 {
        cause = cause.counted(STANDBY, dropped);
    }
    Some(subject.shown(cause, &trace.at_last))
}

/// Whether the node's neighbour entry of the address was set by hand: no announcement changes it.
fn is_permanent(subject: &Subject<'_>, node: &NodeName, address: IpAddr) -> bool {
    let entries = subject.state(node).map(|state| state.neighbours.as_slice());
    entries
        .unwrap_or_default()
        .iter()
        .any(|entry| entry.address == address && entry.state == NeighbourState::Permanent)
}

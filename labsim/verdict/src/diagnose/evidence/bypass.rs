//! Packets for a VIP that reached a real server without passing a load balancer.

use crate::diagnose::{Cause, Subject, fix};
use crate::messages::count;
use labsim_codes::cause;
use labsim_scenario::model::Direction;

/// The node that sent the client's packets to a real server, and not to a load balancer.
pub(super) fn balancer_bypassed(subject: &Subject<'_>) -> Option<Cause> {
    let served = subject.served()?;
    let scenario = subject.context.scenario;
    let mut balancers = scenario.load_balancers.keys();
    if balancers.any(|node| !subject.seen_at(&subject.forward, node, Direction::In).is_empty()) {
        return None;
    }
    let vip = subject.flow.destination.ip();
    let (server, arrived) = subject.members().into_iter().find_map(|node| {
        let mut frames = subject.seen_at(&subject.forward, node, Direction::In);
        frames.retain(|index| {
            subject.packet(*index).is_some_and(|packet| packet.outermost.destination == vip)
        });
        (!frames.is_empty()).then_some((node, frames))
    })?;
    let frames = subject.context.frames;
    let link = subject.frame(*arrived.first()?)?.decoded.link?;
    let by = &frames.point(frames.mac_table().find(link.source)?)?.node;
    let sentence = format!(
        "{by} sent {} for {vip} to {server}, and none of them passed the load balancer {}",
        count(arrived.len(), "packet"),
        served.balancer
    );
    let cause =
        Cause::new(cause::BALANCER_BYPASSED, sentence, fix::route(subject.context, by, vip)).at(by);
    Some(subject.shown(cause, &arrived))
}

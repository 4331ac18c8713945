//! Requests over UDP that are one flow, because all of them come from one port.

use super::flow_moves::server;
use crate::check_result::CheckContext;
use crate::diagnose::subject::Served;
use crate::diagnose::{Cause, fix, subject_of};
use crate::distribution;
use crate::messages::{attempt as noun, count};
use crate::observe::Attempt;
use labsim_codes::cause;
use labsim_model::Maglev;
use labsim_scenario::model::{
    AdminState, Direction, LoadBalancingMode, MaglevHash, NodeName, Persistence, StepAction,
    StepName,
};
use labsim_wire::protocol;

/// All requests of a step came from one address and port, and the load balancer sent every one of
/// them to the same server of several.
///
/// Nothing is said where something else may keep them together as well: persistence, a hash of the
/// client's address, members that take no new flows or whose state a monitor decides.
pub(in crate::diagnose) fn one_flow(
    context: &CheckContext<'_>,
    step: &StepName,
    attempts: &[Attempt],
) -> Option<Cause> {
    let flow = distribution::one_flow(attempts).filter(|flow| flow.protocol == protocol::UDP)?;
    let mut frames = Vec::new();
    let mut chosen: Option<(Served<'_>, &NodeName)> = None;
    let mut last = None;
    for attempt in attempts {
        let subject = subject_of(context, step, attempt)?;
        let served = subject.served()?;
        let sent = subject.seen_at(&subject.forward, served.balancer, Direction::Out);
        for index in &sent {
            let to = server(&subject, &subject.frame(*index)?)?;
            if chosen.replace((served, to)).is_some_and(|(_, before)| before != to) {
                return None;
            }
        }
        if sent.is_empty() {
            return None;
        }
        frames.extend(sent);
        last = Some(subject);
    }
    let ((served, node), subject) = (chosen?, last?);
    if !chooses_by_flow(context, &served) {
        return None;
    }
    let (balancer, what) = (served.balancer, count(attempts.len(), noun(context.step(step))));
    let sentence = format!(
        "all {what} came from one port, {}: they are one flow, which {balancer} sent to {node} ({})",
        flow.source,
        count(frames.len(), "packet")
    );
    let cause = Cause::new(cause::ONE_SOURCE_PORT, sentence, fix::one_source_port(&served));
    Some(subject.shown(cause.at(balancer).packets(frames.len() as u64), &frames))
}

/// Whether the flow, and nothing but the flow, decides which of several servers gets a packet.
fn chooses_by_flow(context: &CheckContext<'_>, served: &Served<'_>) -> bool {
    let (Some(pool), server) = (served.pool, served.server) else { return false };
    let by_address = matches!(
        pool.load_balancing_mode,
        LoadBalancingMode::Maglev(Maglev { hash: MaglevHash::SourceAddress, .. })
    );
    let takes = |state: AdminState, ratio: u16| state == AdminState::Enabled && ratio > 0;
    let members = pool.members.iter().filter(|member| takes(member.state, member.ratio));
    let mut steps = context.scenario.steps.iter().map(|step| &step.action);
    let is_changed =
        steps.any(|action| matches!(action, StepAction::ChangeMember(change) if change.node == *served.balancer));
    members.count() > 1
        && pool.monitor.is_none()
        && !by_address
        && !is_changed
        && server.persistence == Persistence::None
        && !server.datagram_load_balancing
}

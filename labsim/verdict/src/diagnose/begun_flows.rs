//! Flows that a node began without being a client of labsim's own: those of a program that a step
//! runs, and the probes of a monitor. They are found by the node's frames, and are diagnosed like
//! logins that got no reply.

use crate::check_result::CheckContext;
use crate::frames::Frames;
use crate::observe::{Attempt, IntervalCounters, is_probe};
use labsim_model::ProbeSources;
use labsim_scenario::model::{Direction, LoginResult, NodeName, StepName};
use labsim_wire::decode::Flow;
use labsim_wire::tcp::Flags;
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Flows of a program that are looked at, and of a monitor.
const FLOWS: usize = 16;
const PROBES: usize = 3;

/// The flows that the node of a program began while its step ran, and that got no reply or only
/// resets. Those of logins and requests are left out.
pub(super) fn of_program(
    context: &CheckContext<'_>,
    step: &StepName,
    node: &NodeName,
) -> Vec<Attempt> {
    let steps = &context.observations.steps;
    let known: BTreeSet<(u8, SocketAddr)> = steps
        .iter()
        .flat_map(|step| &step.attempts)
        .filter_map(|attempt| Some((attempt.protocol, attempt.local?)))
        .collect();
    let interval = context.observations.step_counters.get(step);
    let mut flows = begun(context.frames, node, interval);
    flows.retain(|flow| !known.contains(&(flow.protocol, flow.source)));
    let mut failed: Vec<Attempt> =
        flows.into_iter().filter_map(|flow| failed(context.frames, node, flow)).collect();
    failed.truncate(FLOWS);
    failed
}

/// The last probes that a load balancer's monitor sent to a member while the step waited, and that
/// got no reply or only resets. `frames` are those of a context that keeps probes.
pub(super) fn of_monitor(
    frames: &Frames<'_>,
    sources: &ProbeSources,
    interval: Option<&IntervalCounters>,
    node: &NodeName,
    member: SocketAddr,
) -> Vec<Attempt> {
    // One through the tunnel has the member's address outside and the VIP inside.
    let is_to_member = |flow: &Flow| {
        let mut sent = frames.of_flow(*flow).filter_map(|index| frames.get(index));
        sent.any(|frame| {
            is_probe(sources, frame.decoded)
                && frame
                    .decoded
                    .packet()
                    .is_some_and(|packet| packet.outermost.destination == member.ip())
        })
    };
    let mut flows = begun(frames, node, interval);
    flows.retain(is_to_member);
    let failed = flows.into_iter().rev().filter_map(|flow| failed(frames, node, flow));
    failed.take(PROBES).collect()
}

/// The flows whose first frame a node sent in the interval, in time's order.
fn begun(frames: &Frames<'_>, node: &NodeName, interval: Option<&IntervalCounters>) -> Vec<Flow> {
    let is_in_time =
        |time: u64| interval.is_none_or(|it| (it.from_ns..=it.until_ns).contains(&time));
    let mut begun: Vec<(usize, Flow)> = frames
        .flows()
        .filter_map(|flow| {
            let first = frames.of_flow(flow).next()?;
            let frame = frames.get(first)?;
            let reply = frames.of_flow(flow.reversed()).next();
            let is_own = frame.record.direction == Direction::Out
                && frames.node(&frame) == Some(node)
                && is_in_time(frame.record.time_ns)
                && reply.is_none_or(|reply| first < reply);
            is_own.then_some((first, flow))
        })
        .collect();
    begun.sort_unstable_by_key(|(first, _)| *first);
    begun.into_iter().map(|(_, flow)| flow).collect()
}

/// The flow as an attempt, if no reply came in at the node that began it, or only resets did.
fn failed(frames: &Frames<'_>, node: &NodeName, flow: Flow) -> Option<Attempt> {
    let replies = frames.conversation(flow).back;
    let mut came_in = replies.into_iter().filter_map(|index| frames.get(index)).filter(|frame| {
        frame.record.direction == Direction::In && frames.node(frame) == Some(node)
    });
    let is_reset = |tcp: Flags| tcp.contains(Flags::RST);
    let result = match came_in.next() {
        None => LoginResult::Timeout,
        Some(first) => {
            let mut all = std::iter::once(first).chain(came_in);
            let only_resets =
                all.all(|frame| frame.decoded.tcp().is_some_and(|tcp| is_reset(tcp.flags)));
            only_resets.then_some(LoginResult::Refused)?
        }
    };
    Some(Attempt {
        from: node.clone(),
        protocol: flow.protocol,
        result,
        detail: String::new(),
        local: Some(flow.source),
        remote: flow.destination,
        began_ns: 0,
        duration_ns: 0,
    })
}

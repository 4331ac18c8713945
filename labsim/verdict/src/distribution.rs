//! Judges how a step's logins were spread over the servers, each staying on one.

use crate::answer::name;
use crate::check_result::{CheckContext, CheckResult, unverified};
use crate::messages::{attempt as noun, count, list as list_names};
use crate::observe::Attempt;
use crate::servers::logged_by;
use labsim_scenario::model::{Direction, NodeName, StepName};
use labsim_wire::decode::Flow;
use std::collections::{BTreeMap, BTreeSet};

/// Attempts that are described one by one.
const DESCRIBED: usize = 5;

/// Judges a spread: by the servers' logs, and by the frames at their interfaces.
pub(crate) fn distribution(
    context: &CheckContext<'_>,
    step: &StepName,
    nodes: &[NodeName],
    at_least: u64,
) -> CheckResult {
    let what = noun(context.step(step));
    let planned = context.planned(step);
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    let expected = format!(
        "each of {} of the step `{step}` answered by one of {}, all of its packets there, and at \
         least {at_least} by each",
        count(planned, what),
        names.join(", ")
    );
    let attempts = match context.attempts(step) {
        Ok(attempts) => attempts,
        Err(why) => return CheckResult::fail(expected, why),
    };
    let servers = servers(context, nodes);
    let mut answered: BTreeMap<&NodeName, u64> = nodes.iter().map(|node| (node, 0)).collect();
    let mut wrong: Vec<(usize, String)> = Vec::new();
    for (place, attempt) in attempts.iter().enumerate() {
        match on_one(context, step, attempt, &servers) {
            Ok(node) => match answered.get_mut(node) {
                Some(number) => *number += 1,
                None => wrong.push((place, format!("answered by {node}"))),
            },
            Err(why) => wrong.push((place, why)),
        }
    }
    let figures: Vec<String> =
        answered.iter().map(|(node, number)| format!("{node} {number}")).collect();
    let mut seen = vec![match one_flow(attempts) {
        Some(flow) => format!("{}; all of them are one flow, {flow}", figures.join(", ")),
        None => figures.join(", "),
    }];
    let about = wrong.first().map(|(place, _)| *place);
    let more = wrong.len().saturating_sub(DESCRIBED);
    for (place, why) in wrong.iter().take(DESCRIBED) {
        let who = attempts.get(*place).map(|attempt| name(what, attempt, *place));
        seen.push(format!("{}: {why}", who.unwrap_or_default()));
    }
    if more > 0 {
        seen.push(format!("and {more} more {what}s that were not on one server"));
    }
    if attempts.len() < planned {
        seen.push(format!("only {} of {planned} were done", count(attempts.len(), what)));
    }
    let few = answered.iter().filter(|(_, number)| **number < at_least);
    seen.extend(few.map(|(node, number)| format!("{node} answered {number} only")));
    seen.extend(unproven(context, &servers));
    if seen.len() > 1 {
        return CheckResult::failed(vec![expected], seen).about(about);
    }
    seen.push(format!(
        "{}, each on one server by its log and by the frames at all servers' interfaces",
        count(attempts.len(), what)
    ));
    CheckResult::passed(seen)
}

/// The flow that all of several attempts are, if they are one.
pub(crate) fn one_flow(attempts: &[Attempt]) -> Option<Flow> {
    let flow = attempts.first()?.flow()?;
    let is_one = attempts.iter().all(|attempt| attempt.flow() == Some(flow));
    Some(flow).filter(|_| attempts.len() > 1 && is_one)
}

/// The nodes whose interfaces must have seen an attempt or not.
fn servers<'a>(context: &CheckContext<'a>, nodes: &'a [NodeName]) -> BTreeSet<&'a NodeName> {
    let scenario = context.scenario;
    nodes.iter().chain(scenario.real_servers.keys()).chain(scenario.serving_nodes()).collect()
}

/// The one server that logged an attempt and took its packets in.
fn on_one<'a>(
    context: &CheckContext<'a>,
    step: &StepName,
    attempt: &Attempt,
    servers: &BTreeSet<&'a NodeName>,
) -> Result<&'a NodeName, String> {
    let logged = logged_by(context, step, attempt);
    let Some(conversation) = context.conversation(attempt) else {
        return Err("the client had no address and port".to_owned());
    };
    let mut took: BTreeSet<&NodeName> = BTreeSet::new();
    for index in conversation.forward {
        let Some(frame) = context.frames.get(index) else { continue };
        let Some(node) = context.frames.node(&frame) else { continue };
        if frame.record.direction == Direction::In
            && (servers.contains(node) || logged.contains(node))
            && context.frames.mac_table().addressed(frame.record.point, frame.decoded)
        {
            took.insert(node);
        }
    }
    let list = |nodes: &BTreeSet<&NodeName>| {
        let names: Vec<&str> = nodes.iter().map(|node| node.as_str()).collect();
        if names.is_empty() { "no server".to_owned() } else { list_names(&names) }
    };
    match (logged.first(), logged.len(), took.len()) {
        (Some(node), 1, 1) if took.contains(*node) => Ok(node),
        _ => Err(format!("logged by {}, its packets taken in by {}", list(&logged), list(&took))),
    }
}

/// Points of servers where what was not seen proves nothing.
fn unproven<'a>(
    context: &'a CheckContext<'_>,
    servers: &'a BTreeSet<&NodeName>,
) -> impl Iterator<Item = String> + 'a {
    let points = context.observations.capture.points().iter();
    points.filter(|point| servers.contains(&point.node)).filter_map(unverified)
}

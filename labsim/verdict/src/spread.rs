//! Judges how a step's logins were spread over the servers, each staying on one.

use crate::answer::name;
use crate::observe::Attempt;
use crate::ruling::{Case, Ruling, not_proven};
use crate::servers::logged_by;
use crate::words::{attempt as noun, count};
use labsim_scenario::model::{Direction, NodeName, StepName};
use std::collections::{BTreeMap, BTreeSet};

/// Attempts that are told of one by one.
const TOLD: usize = 5;

/// Judges a spread: by the servers' logs, and by the frames at their interfaces.
pub(crate) fn spread(
    case: &Case<'_>,
    step: &StepName,
    nodes: &[NodeName],
    at_least: u64,
) -> Ruling {
    let what = noun(case.step(step));
    let planned = case.planned(step);
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    let expected = format!(
        "each of {} of the step `{step}` answered by one of {}, all of its packets there, and at \
         least {at_least} by each",
        count(planned, what),
        names.join(", ")
    );
    let attempts = match case.attempts(step) {
        Ok(attempts) => attempts,
        Err(why) => return Ruling::fail(expected, why),
    };
    let servers = servers(case, nodes);
    let mut answered: BTreeMap<&NodeName, u64> = nodes.iter().map(|node| (node, 0)).collect();
    let mut wrong: Vec<(usize, String)> = Vec::new();
    for (place, attempt) in attempts.iter().enumerate() {
        match on_one(case, step, attempt, &servers) {
            Ok(node) => match answered.get_mut(node) {
                Some(number) => *number += 1,
                None => wrong.push((place, format!("answered by {node}"))),
            },
            Err(why) => wrong.push((place, why)),
        }
    }
    let figures: Vec<String> =
        answered.iter().map(|(node, number)| format!("{node} {number}")).collect();
    let mut seen = vec![figures.join(", ")];
    let about = wrong.first().map(|(place, _)| *place);
    let more = wrong.len().saturating_sub(TOLD);
    for (place, why) in wrong.iter().take(TOLD) {
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
    seen.extend(unproven(case, &servers));
    if seen.len() > 1 {
        return Ruling::failed(vec![expected], seen).about(about);
    }
    seen.push(format!(
        "{}, each on one server by its log and by the frames at all servers' interfaces",
        count(attempts.len(), what)
    ));
    Ruling::passed(seen)
}

/// The nodes whose interfaces must have seen an attempt or not.
fn servers<'a>(case: &Case<'a>, nodes: &'a [NodeName]) -> BTreeSet<&'a NodeName> {
    let scenario = case.scenario;
    let known = scenario.real_servers.keys().chain(scenario.tacacs_servers.keys());
    nodes.iter().chain(known).chain(scenario.radius_servers.keys()).collect()
}

/// The one server that logged an attempt and took its packets in.
fn on_one<'a>(
    case: &Case<'a>,
    step: &StepName,
    attempt: &Attempt,
    servers: &BTreeSet<&'a NodeName>,
) -> Result<&'a NodeName, String> {
    let logged = logged_by(case, step, attempt);
    let Some(flow) = attempt.flow() else {
        return Err("the client had no address and port".to_owned());
    };
    let mut took: BTreeSet<&NodeName> = BTreeSet::new();
    for index in case.frames.conversation(flow).forward {
        let Some(frame) = case.frames.get(index) else { continue };
        let Some(node) = case.frames.node(&frame) else { continue };
        if frame.record.direction == Direction::In
            && (servers.contains(node) || logged.contains(node))
            && case.frames.stations().addressed(frame.record.point, frame.decoded)
        {
            took.insert(node);
        }
    }
    let list = |nodes: &BTreeSet<&NodeName>| {
        let names: Vec<&str> = nodes.iter().map(|node| node.as_str()).collect();
        if names.is_empty() { "no server".to_owned() } else { names.join(" and ") }
    };
    match (logged.first(), logged.len(), took.len()) {
        (Some(node), 1, 1) if took.contains(*node) => Ok(node),
        _ => Err(format!("logged by {}, its packets taken in by {}", list(&logged), list(&took))),
    }
}

/// Points of servers where what was not seen proves nothing.
fn unproven<'a>(
    case: &'a Case<'_>,
    servers: &'a BTreeSet<&NodeName>,
) -> impl Iterator<Item = String> + 'a {
    let points = case.observations.capture.points().iter();
    points.filter(|point| servers.contains(&point.node)).filter_map(not_proven)
}

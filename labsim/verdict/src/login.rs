//! Judges a login's result and the source address of everything that answered it.

use crate::ruling::{Case, Ruling, count};
use labsim_scenario::model::{Direction, LoginResult, Step, StepAction, StepName};
use labsim_wire::protocol;
use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};

/// Judges a login.
pub(crate) fn login(
    case: &Case<'_>,
    step: &StepName,
    result: LoginResult,
    source: Option<IpAddr>,
) -> Ruling {
    let mut expected = format!("the login `{step}` ends with {}", word(result));
    if let Some(source) = source {
        expected += &format!(", and every answer that the client gets comes from {source}");
    }
    let Some(observed) = case.observations.step(step) else {
        return Ruling::fail(expected, "the step was not done");
    };
    let ended = format!(
        "the login ended with {} after {} ms: {}",
        word(observed.result),
        observed.duration_ns / 1_000_000,
        observed.detail
    );
    if observed.result != result {
        return Ruling::fail(expected, ended);
    }
    let Some(source) = source else { return Ruling::pass(ended) };
    let Some(local) = observed.local else {
        return Ruling::fail(expected, format!("{ended}; the client had no address and port"));
    };
    let answers = answers(case, step, local);
    let wrong: Vec<usize> =
        answers.iter().filter(|(from, _)| **from != source).flat_map(|(_, f)| f.clone()).collect();
    let all: usize = answers.values().map(Vec::len).sum();
    if wrong.is_empty() && all > 0 {
        let mut ruling = Ruling::pass(ended);
        ruling
            .seen
            .push(format!("all {} that answered the client came from {source}", frames(all)));
        return ruling;
    }
    let mut ruling = Ruling::fail(expected, ended);
    if all == 0 {
        ruling.seen.push(format!("no TCP frame for {local} came in at the client"));
    } else {
        for (from, indices) in &answers {
            ruling.seen.push(format!("{} came from {from}", frames(indices.len())));
        }
    }
    ruling.with_frames(case.frames.list(&wrong))
}

fn frames(number: usize) -> String {
    count(number as u64, "frame")
}

/// The TCP frames for the client's address and port that came in at its node, by their source.
fn answers(case: &Case<'_>, step: &StepName, local: SocketAddr) -> BTreeMap<IpAddr, Vec<usize>> {
    let mut answers: BTreeMap<IpAddr, Vec<usize>> = BTreeMap::new();
    let Some(client) = case.scenario.steps.iter().find(|other| other.name == *step).map(from)
    else {
        return answers;
    };
    for frame in case.frames.all() {
        let flow = frame.flow().filter(|flow| flow.protocol == protocol::TCP);
        if let Some(flow) = flow
            && flow.destination == local
            && frame.record.direction == Direction::In
            && case.frames.node(&frame) == Some(client)
        {
            answers.entry(flow.source.ip()).or_default().push(frame.index);
        }
    }
    answers
}

/// The node of a step's client.
pub(crate) fn from(step: &Step) -> &labsim_scenario::model::NodeName {
    match &step.action {
        StepAction::TacacsLogin(login) => &login.from,
    }
}

/// A result in the words of a scenario file.
pub(crate) fn word(result: LoginResult) -> &'static str {
    match result {
        LoginResult::Pass => "pass",
        LoginResult::Fail => "fail",
        LoginResult::Error => "error",
        LoginResult::Refused => "refused",
        LoginResult::Timeout => "timeout",
    }
}

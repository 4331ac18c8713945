//! Which real server answered a step, by the servers' own logs.

use crate::observe::{ServerEntry, StepObservation};
use crate::ruling::{Case, Ruling};
use labsim_scenario::model::{NodeName, Step, StepAction, StepName};
use std::net::IpAddr;

/// The log lines about a step. The client's port tells which they are; should an address
/// translation have changed that, the user does, if no other step has the same.
pub(crate) fn entries<'a>(case: &Case<'a>, step: &StepName) -> Vec<&'a ServerEntry> {
    let log = &case.observations.server_log;
    let local = case.observations.step(step).and_then(|observed| observed.local);
    if let Some(local) = local {
        let exact: Vec<_> = log.iter().filter(|entry| entry.client == local).collect();
        if !exact.is_empty() {
            return exact;
        }
        let same_port = |entry: &&ServerEntry| {
            entry.client.port() == local.port() && !is_another(case, step, entry)
        };
        let by_port: Vec<_> = log.iter().filter(same_port).collect();
        if !by_port.is_empty() {
            return by_port;
        }
    }
    let Some(user) = only_user(case, step) else { return Vec::new() };
    log.iter()
        .filter(|entry| entry.user.as_deref() == Some(user) && !is_another(case, step, entry))
        .collect()
}

/// Whether the line is another step's, by its client address.
fn is_another(case: &Case<'_>, step: &StepName, entry: &ServerEntry) -> bool {
    let other =
        |observed: &StepObservation| observed.name != *step && observed.local == Some(entry.client);
    case.observations.steps.iter().any(other)
}

/// The step's user, if no other step has the same.
fn only_user<'a>(case: &Case<'a>, step: &StepName) -> Option<&'a str> {
    let user = |step: &'a Step| match &step.action {
        StepAction::TacacsLogin(login) => login.user.as_str(),
    };
    let mine = case.scenario.steps.iter().find(|other| other.name == *step).map(user)?;
    let same = case.scenario.steps.iter().filter(|other| user(other) == mine).count();
    (same == 1).then_some(mine)
}

/// The node that answered a step.
///
/// # Errors
/// A sentence: none did, or several.
pub(crate) fn answering_node<'a>(case: &Case<'a>, step: &StepName) -> Result<&'a NodeName, String> {
    let entries = entries(case, step);
    let Some(first) = entries.first() else {
        return Err(format!("no server's log has an entry for the step `{step}`"));
    };
    match entries.iter().find(|entry| entry.node != first.node) {
        Some(other) => Err(format!(
            "both {} and {} have log entries for the step `{step}`",
            first.node, other.node
        )),
        None => Ok(&first.node),
    }
}

/// Judges the client address that the server saw.
pub(crate) fn server_saw(case: &Case<'_>, step: &StepName, client: IpAddr) -> Ruling {
    let expected = format!("a server's log entry for the step `{step}` with the client {client}");
    let entries = entries(case, step);
    let Some(first) = entries.first() else {
        return Ruling::fail(expected, nothing_logged(case));
    };
    match entries.iter().find(|entry| entry.client.ip() != client) {
        Some(wrong) => Ruling::fail(expected, say(wrong)),
        None => Ruling::pass(say(first)),
    }
}

/// Judges which server answered.
pub(crate) fn answered_by(case: &Case<'_>, step: &StepName, nodes: &[NodeName]) -> Ruling {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    let expected = format!("the step `{step}` is answered by {}", names.join(" or "));
    let entries = entries(case, step);
    if entries.is_empty() {
        return Ruling::fail(expected, nothing_logged(case));
    }
    match (answering_node(case, step), entries.iter().find(|entry| !nodes.contains(&entry.node))) {
        (Err(why), _) => Ruling::fail(expected, why),
        (Ok(_), Some(wrong)) => Ruling::fail(expected, say(wrong)),
        (Ok(_), None) => Ruling::pass(entries.first().map(|entry| say(entry)).unwrap_or_default()),
    }
}

/// `rs2 logged the client 192.168.11.201:61067 at 172.16.4.99:49, user alice: pass`
pub(crate) fn say(entry: &ServerEntry) -> String {
    let user = entry.user.as_ref().map_or(String::new(), |user| format!(", user {user}"));
    format!(
        "{} logged the client {} at {}{user}: {}",
        entry.node, entry.client, entry.local, entry.outcome
    )
}

fn nothing_logged(case: &Case<'_>) -> String {
    match case.observations.server_log.len() {
        0 => "no server logged anything".to_owned(),
        1 => "no server logged that step; the one entry there is belongs to another".to_owned(),
        all => format!("no server logged that step; all {all} entries belong to others"),
    }
}

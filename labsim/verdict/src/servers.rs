//! Which real server answered, by the servers' own logs.

use crate::answer;
use crate::check_result::{CheckContext, CheckResult};
use crate::messages::{attempt as noun, count};
use crate::observe::{Attempt, Observations, ServerEntry};
use labsim_scenario::model::{NodeName, Step, StepAction, StepName};
use std::collections::{BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::ops::Range;

/// The servers' log lines by what tells whose they are.
#[derive(Debug)]
pub(crate) struct Log<'a> {
    by_client: HashMap<SocketAddr, Vec<&'a ServerEntry>>,
    by_port: HashMap<u16, Vec<&'a ServerEntry>>,
    /// When the attempts of all steps from this address and port began, in order.
    locals: HashMap<SocketAddr, Vec<u64>>,
    /// How many attempts of all steps have this port.
    ports: HashMap<u16, usize>,
}

impl<'a> Log<'a> {
    pub(crate) fn new(observations: &'a Observations) -> Self {
        let mut log = Self {
            by_client: HashMap::new(),
            by_port: HashMap::new(),
            locals: HashMap::new(),
            ports: HashMap::new(),
        };
        for entry in &observations.server_log {
            log.by_client.entry(entry.client).or_default().push(entry);
            log.by_port.entry(entry.client.port()).or_default().push(entry);
        }
        let attempts = observations.steps.iter().flat_map(|step| &step.attempts);
        for (attempt, local) in attempts.filter_map(|attempt| Some((attempt, attempt.local?))) {
            log.locals.entry(local).or_default().push(attempt.began_ns);
            *log.ports.entry(local.port()).or_default() += 1;
        }
        log.locals.values_mut().for_each(|began| began.sort_unstable());
        log
    }

    /// When what an attempt's address and port sent and got is its own: until another one from there
    /// begins.
    pub(crate) fn interval(&self, attempt: &Attempt) -> Range<u64> {
        let began = attempt.local.and_then(|local| self.locals.get(&local));
        let Some(began) = began.filter(|began| began.len() > 1) else { return 0..u64::MAX };
        let next = began.get(began.partition_point(|one| *one <= attempt.began_ns));
        attempt.began_ns..next.copied().unwrap_or(u64::MAX)
    }
}

/// The log lines about an attempt. The client's address and port tell which they are, as the
/// client has them or as a translation that was captured made them. Should none have been
/// captured, the port does, if no other attempt has it; or else the user, if the step has one
/// attempt and no other step has the same.
pub(crate) fn entries<'a>(
    context: &CheckContext<'a>,
    step: &StepName,
    attempt: &Attempt,
) -> Vec<&'a ServerEntry> {
    let of_client = |client: SocketAddr| context.log.by_client.get(&client).into_iter().flatten();
    if let Some(flow) = attempt.flow() {
        let interval = context.log.interval(attempt);
        let mut exact: Vec<&ServerEntry> = of_client(flow.source).copied().collect();
        for carrier in context.frames.carriers(flow).into_iter().skip(1) {
            // One translated port may lead to several servers at a time. A socket that is bound
            // to no address in particular may not know at which it was asked.
            let there = |entry: &&&ServerEntry| {
                let local = entry.local;
                carrier.source != flow.source
                    && (local == carrier.destination
                        || local.ip().is_unspecified()
                            && local.port() == carrier.destination.port())
            };
            exact.extend(of_client(carrier.source).filter(there).copied());
        }
        exact.retain(|entry| interval.contains(&entry.time_ns));
        if !exact.is_empty() {
            return exact;
        }
        let port = flow.source.port();
        if context.log.ports.get(&port) == Some(&1)
            && let Some(by_port) = context.log.by_port.get(&port)
        {
            return by_port.clone();
        }
    }
    let Some(user) = only_user(context, step) else { return Vec::new() };
    let mine = |entry: &&ServerEntry| {
        entry.user.as_deref() == Some(user) && !context.log.locals.contains_key(&entry.client)
    };
    context.observations.server_log.iter().filter(mine).collect()
}

/// The step's user, if it makes one attempt and no other step has the same.
fn only_user<'a>(context: &CheckContext<'a>, step: &StepName) -> Option<&'a str> {
    let mine = context.step(step)?;
    let name = user(mine).filter(|_| context.planned(&mine.name) == 1)?;
    let same = context.scenario.steps.iter().filter(|other| user(other) == Some(name)).count();
    (same == 1).then_some(name)
}

fn user(step: &Step) -> Option<&str> {
    match &step.action {
        StepAction::Exchange(exchange) => exchange.user(),
        _ => None,
    }
}

/// The node that answered all attempts of a step.
///
/// # Errors
/// A sentence: none did, or several.
pub(crate) fn answering_node<'a>(
    context: &CheckContext<'a>,
    step: &StepName,
) -> Result<&'a NodeName, String> {
    let attempts = context.attempts(step).unwrap_or_default();
    let mut nodes: Vec<&NodeName> = Vec::new();
    for entry in attempts.iter().flat_map(|attempt| entries(context, step, attempt)) {
        if !nodes.contains(&&entry.node) {
            nodes.push(&entry.node);
        }
    }
    match nodes[..] {
        [] => Err(format!("no server's log has an entry for the step `{step}`")),
        [only] => Ok(only),
        [first, second, ..] => {
            Err(format!("both {first} and {second} have log entries for the step `{step}`"))
        }
    }
}

/// The servers that logged an attempt.
pub(crate) fn logged_by<'a>(
    context: &CheckContext<'a>,
    step: &StepName,
    attempt: &Attempt,
) -> BTreeSet<&'a NodeName> {
    entries(context, step, attempt).into_iter().map(|entry| &entry.node).collect()
}

/// Judges the client address that the server saw.
pub(crate) fn server_saw(
    context: &CheckContext<'_>,
    step: &StepName,
    client: IpAddr,
) -> CheckResult {
    let expected = match context.planned(step) {
        1 => format!("a server's log entry for the step `{step}` with the client {client}"),
        all => format!(
            "a server's log entry with the client {client} for each of {all} {}s",
            noun(context.step(step))
        ),
    };
    each(context, step, expected, |entries| {
        entries.iter().find(|entry| entry.client.ip() != client).map(|wrong| say(wrong))
    })
    .unwrap_or_else(|all| {
        CheckResult::pass(format!("the servers logged all {all} with the client {client}"))
    })
}

/// Judges which server answered.
pub(crate) fn answered_by(
    context: &CheckContext<'_>,
    step: &StepName,
    nodes: &[NodeName],
) -> CheckResult {
    let names: Vec<&str> = nodes.iter().map(NodeName::as_str).collect();
    let names = names.join(" or ");
    let expected = match context.planned(step) {
        1 => format!("the step `{step}` is answered by {names}"),
        all => format!(
            "each of the {all} {}s of the step `{step}` is answered by {names}",
            noun(context.step(step))
        ),
    };
    each(context, step, expected, |entries| {
        let first = entries.first()?;
        if let Some(other) = entries.iter().find(|entry| entry.node != first.node) {
            let (one, other) = (&first.node, &other.node);
            return Some(format!("both {one} and {other} have log entries for the step `{step}`"));
        }
        (!nodes.contains(&first.node)).then(|| say(first))
    })
    .unwrap_or_else(|all| CheckResult::pass(format!("the servers logged all {all}, at {names}")))
}

/// Puts the log entries of every attempt to `wrong`, which says what is wrong with them. One
/// attempt's proof is its first entry.
///
/// # Errors
/// `300 logins`, if there are several and all of them are as they should be.
fn each(
    context: &CheckContext<'_>,
    step: &StepName,
    expected: String,
    wrong: impl Fn(&[&ServerEntry]) -> Option<String>,
) -> Result<CheckResult, String> {
    let attempts = match context.attempts(step) {
        Ok(attempts) => attempts,
        Err(why) => return Ok(CheckResult::fail(expected, why)),
    };
    let what = noun(context.step(step));
    let mut proof = None;
    for (place, attempt) in attempts.iter().enumerate() {
        let entries = entries(context, step, attempt);
        let why = match entries.first() {
            None => Some(nothing_logged(context)),
            Some(first) => {
                proof.get_or_insert_with(|| say(first));
                wrong(&entries)
            }
        };
        if let Some(why) = why {
            let why = match attempts.len() {
                1 => why,
                _ => format!("{}: {why}", answer::name(what, attempt, place)),
            };
            return Ok(CheckResult::fail(expected, why).about(Some(place)));
        }
    }
    let planned = context.planned(step);
    if attempts.len() < planned {
        let done = count(attempts.len(), what);
        return Ok(CheckResult::fail(expected, format!("only {done} of {planned} were done")));
    }
    match (attempts.len(), proof) {
        (1, Some(proof)) => Ok(CheckResult::pass(proof)),
        (all, _) => Err(count(all, what)),
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

fn nothing_logged(context: &CheckContext<'_>) -> String {
    match context.observations.server_log.len() {
        0 => "no server logged anything".to_owned(),
        1 => "no server logged it; the one entry there is belongs to another".to_owned(),
        all => format!("no server logged it; none of the {all} entries is about it"),
    }
}

//! All failures of a step, those with the same cause together.

use super::{Diagnosis, begun_flows, diagnose_attempt, evidence};
use crate::answer;
use crate::check_result::CheckContext;
use crate::frames::Frames;
use crate::messages::{attempt as noun, count, list};
use crate::observe::Attempt;
use crate::{diagnosis, distribution, judge, servers};
use labsim_codes::{Code, cause};
use labsim_scenario::model::{Check, LoginResult, MemberState, NodeName, StepAction, StepName};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Failed logins or requests of a step that are looked at.
pub(crate) const EXAMINED: usize = 64;
/// Groups of a step's failures that are told.
pub(crate) const GROUPS: usize = 8;

/// What became of a step's logins or requests, one diagnosis for each cause or set of causes; none
/// if it was not done. `about` is the one, by its place among the step's, that a failed expectation
/// is about.
pub(crate) fn diagnose_step(
    context: &CheckContext<'_>,
    step: &StepName,
    about: Option<usize>,
) -> Vec<Diagnosis> {
    let Some(action) = context.step(step).map(|step| &step.action) else { return Vec::new() };
    if !context.scenario.captures.is_complete() {
        return vec![withheld(context, step)];
    }
    match action {
        StepAction::AwaitCounter { node, counter, .. } => {
            return awaited(step, evidence::lingering_flows(context, node, counter));
        }
        StepAction::AwaitMember { node, member, state: MemberState::Up, .. } => {
            let unmet = context.observations.step(step).is_some_and(|it| it.unmet.is_some());
            return if unmet { of_monitor(context, step, node, *member) } else { Vec::new() };
        }
        StepAction::AwaitMember { .. } => return Vec::new(),
        StepAction::Run(run) => return of_program(context, step, &run.node),
        _ => {}
    }
    let Ok(attempts) = context.attempts(step) else { return Vec::new() };
    let wanted = wanted(context, step);
    let failed: Vec<usize> = places(attempts, |attempt| attempt.result != wanted);
    let mut examined = failed.clone();
    if examined.is_empty() {
        let unanswered = || attempts.iter().position(judge::is_unanswered);
        match about.or_else(unanswered) {
            Some(place) => examined.push(place),
            None => examined.extend(0..attempts.len()),
        }
    }
    if failed.is_empty()
        && let Some(diagnosis) = one_flow(context, step, attempts)
    {
        return vec![diagnosis];
    }
    let mut groups = Group::of(context, step, attempts, &examined);
    if failed.is_empty() {
        // Where all went well only what shows something is of interest, or how one of them went.
        let shows = groups.iter().any(|group| !group.diagnosis.causes.is_empty());
        groups.retain(|group| !shows || !group.diagnosis.causes.is_empty());
        if !shows {
            groups.truncate(1);
        }
    }
    if attempts.len() > 1 {
        let served = served(context, step, attempts, wanted);
        let what = noun(context.step(step));
        for group in &mut groups {
            let summary = group.summary(what, attempts.len(), &failed, &served);
            let first = group.places.first().copied().unwrap_or_default();
            let one = attempts.get(first).map(|attempt| answer::name(what, attempt, first));
            let one = one.unwrap_or_default();
            group.diagnosis.about = Some(match failed.is_empty() {
                true => format!("this is about {one}"),
                false => format!("{summary}; this is about {one}"),
            });
        }
    }
    groups.into_iter().map(|group| group.diagnosis).collect()
}

/// Says that a step is not diagnosed: a packet that was not captured may have been there all the same.
fn withheld(context: &CheckContext<'_>, step: &StepName) -> Diagnosis {
    let place = context.scenario.captures.place.as_ref();
    let place = place.map_or_else(String::new, |place| format!(" ({place})"));
    let sentence = format!(
        "not diagnosed: `captures`{place} leaves frames out, so that nothing shows where packets stayed; \
         run it without `captures` for a diagnosis"
    );
    Diagnosis {
        step: step.clone(),
        about: Some(sentence),
        forward: None,
        back: None,
        causes: Vec::new(),
        server_log: Vec::new(),
        sender: None,
    }
}

/// Why all of a step's requests went to one server, if an expectation wants them spread or asks for
/// this cause.
fn one_flow(
    context: &CheckContext<'_>,
    step: &StepName,
    attempts: &[Attempt],
) -> Option<Diagnosis> {
    let is_asked =
        context.scenario.expectations.iter().any(|expectation| match &expectation.check {
            Check::Diagnosis { step: of, cause, .. } => {
                of == step && *cause == cause::ONE_SOURCE_PORT
            }
            Check::Distribution { step: of, nodes, at_least } if of == step => {
                !distribution::distribution(context, step, nodes, *at_least).passed
            }
            _ => false,
        });
    let cause = is_asked.then(|| evidence::one_flow(context, step, attempts)).flatten()?;
    let attempt = attempts.first()?;
    let (first, what) = (diagnose_attempt(context, step, attempt), noun(context.step(step)));
    let (all, one) = (count(attempts.len(), what), answer::name(what, attempt, 0));
    let about = format!("this is about all {all}; the way is that of {one}");
    Some(Diagnosis { about: Some(about), causes: vec![cause], ..first })
}

/// Why the flows of a program got no reply; none if all did.
fn of_program(context: &CheckContext<'_>, step: &StepName, node: &NodeName) -> Vec<Diagnosis> {
    of_flows(context, step, &begun_flows::of_program(context, step, node), "program")
}

/// Why a member's monitor got no reply to its last probes.
fn of_monitor(
    context: &CheckContext<'_>,
    step: &StepName,
    node: &NodeName,
    member: SocketAddr,
) -> Vec<Diagnosis> {
    let CheckContext { scenario, observations, .. } = context;
    let Some(sources) = observations.probes.get(node) else { return Vec::new() };
    let frames = Frames::with_probes(&observations.capture, scenario.load_balancers.keys());
    let context = CheckContext::new(scenario, observations, &frames);
    let interval = observations.step_counters.get(step);
    let probes = begun_flows::of_monitor(&frames, sources, interval, node, member);
    of_flows(&context, step, &probes, "monitor")
}

fn of_flows(
    context: &CheckContext<'_>,
    step: &StepName,
    flows: &[Attempt],
    sender: &'static str,
) -> Vec<Diagnosis> {
    let all: Vec<usize> = (0..flows.len()).collect();
    let groups = Group::of(context, step, flows, &all);
    let diagnoses = groups.into_iter().take(GROUPS).map(|group| {
        let first = group.places.first().and_then(|place| flows.get(*place));
        let about = first.and_then(|it| Some((it.local?, it)));
        Diagnosis {
            about: about.map(|(local, it)| {
                let number = count(group.places.len(), "flow");
                let from = &it.from;
                format!(
                    "{number} of the {sender} in {from} got {}; this is about {local} to {}",
                    if it.result == LoginResult::Refused { "only resets" } else { "no reply" },
                    it.remote
                )
            }),
            sender: Some(sender),
            ..group.diagnosis
        }
    });
    diagnoses.collect()
}

fn awaited(step: &StepName, cause: Option<super::Cause>) -> Vec<Diagnosis> {
    let diagnosis = cause.map(|cause| Diagnosis {
        step: step.clone(),
        about: None,
        forward: None,
        back: None,
        causes: vec![cause],
        server_log: Vec::new(),
        sender: None,
    });
    diagnosis.into_iter().collect()
}

/// How the step's logins have to end. Why one does not pass may be expected, whatever else is.
fn wanted(context: &CheckContext<'_>, step: &StepName) -> LoginResult {
    if diagnosis::expected_steps(context.scenario).any(|expected| expected == step) {
        return LoginResult::Pass;
    }
    let login = context.step(step).map(|step| &step.name);
    let checks = context.scenario.expectations.iter().map(|expectation| &expectation.check);
    let mut results = checks.filter_map(|check| match check {
        Check::Answer { step, result, .. } => {
            (context.step(step).map(|step| &step.name) == login).then_some(*result)
        }
        _ => None,
    });
    results.next().unwrap_or(LoginResult::Pass)
}

fn places(attempts: &[Attempt], which: impl Fn(&Attempt) -> bool) -> Vec<usize> {
    attempts.iter().enumerate().filter(|(_, it)| which(it)).map(|(place, _)| place).collect()
}

/// The nodes that answered the logins that ended as they had to.
fn served<'a>(
    context: &CheckContext<'a>,
    step: &StepName,
    attempts: &[Attempt],
    wanted: LoginResult,
) -> BTreeSet<&'a NodeName> {
    let well = attempts.iter().filter(|attempt| attempt.result == wanted);
    well.flat_map(|attempt| servers::entries(context, step, attempt))
        .map(|entry| &entry.node)
        .collect()
}

/// What makes failures alike: their causes, or where their packets were lost if none shows.
#[derive(PartialEq, Eq)]
struct Key {
    causes: Vec<(Code, Option<NodeName>)>,
    last: Option<String>,
}

impl Key {
    fn of(diagnosis: &Diagnosis) -> Self {
        let causes = diagnosis.causes.iter().map(|cause| (cause.code, cause.node.clone()));
        let causes: Vec<_> = causes.collect();
        let last = diagnosis.forward.as_ref().filter(|_| causes.is_empty());
        Self { last: last.map(|trace| trace.last_seen.clone()), causes }
    }
}

struct Group {
    key: Key,
    places: Vec<usize>,
    diagnosis: Diagnosis,
}

impl Group {
    /// The diagnoses of some of a step's attempts, those with the same causes together.
    fn of(
        context: &CheckContext<'_>,
        step: &StepName,
        attempts: &[Attempt],
        examined: &[usize],
    ) -> Vec<Self> {
        let mut groups: Vec<Self> = Vec::new();
        for place in examined.iter().copied().take(EXAMINED) {
            let Some(attempt) = attempts.get(place) else { continue };
            let diagnosis = diagnose_attempt(context, step, attempt);
            let key = Key::of(&diagnosis);
            match groups.iter_mut().find(|group| group.key == key) {
                Some(group) => group.add(place, &diagnosis),
                None => groups.push(Self { key, places: vec![place], diagnosis }),
            }
        }
        groups
    }

    fn add(&mut self, place: usize, other: &Diagnosis) {
        self.places.push(place);
        for (cause, same) in self.diagnosis.causes.iter_mut().zip(&other.causes) {
            cause.count = cause.count.saturating_add(same.count);
        }
    }

    /// `3 of 9 logins failed, all on rs2; rs1 and rs3 served theirs`
    fn summary(
        &self,
        what: &str,
        all: usize,
        failed: &[usize],
        served: &BTreeSet<&NodeName>,
    ) -> String {
        let number = failed.len();
        let mut summary = format!("{number} of {all} {what}s failed");
        let mine = self.places.len();
        if mine < number {
            summary += &format!(", {mine} of them for this reason");
        }
        let server = self.diagnosis.causes.iter().find_map(|cause| cause.node.as_ref());
        if let Some(node) = server {
            summary += &match mine {
                1 => format!(", at {node}"),
                _ => format!(", all at {node}"),
            };
        }
        let others: Vec<&str> = served.iter().map(|node| node.as_str()).collect();
        match others.as_slice() {
            [] => {}
            [only] => summary += &format!("; {only} served its own"),
            several => summary += &format!("; {} served theirs", list(several)),
        }
        summary
    }
}

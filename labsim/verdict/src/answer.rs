//! Judges how a step's logins or requests ended, and the source of everything that answered them.

use crate::check_result::{CheckContext, CheckResult};
use crate::frames::SHOWN;
use crate::messages::{attempt as noun, count, did, duration};
use crate::observe::Attempt;
use labsim_scenario::model::{Direction, LoginResult, StepName};
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// Attempts that are described one by one.
const DESCRIBED: usize = 5;

/// Judges a step's answers.
pub(crate) fn answer(
    context: &CheckContext<'_>,
    step: &StepName,
    result: LoginResult,
    source: Option<IpAddr>,
) -> CheckResult {
    let what = noun(context.step(step));
    let planned = context.planned(step);
    let mut expected = match planned {
        1 => format!("the {what} `{step}` ends with {}", result.word()),
        all => format!("all {all} {what}s of the step `{step}` end with {}", result.word()),
    };
    if let Some(source) = source {
        expected += &format!(", and every answer that the client gets comes from {source}");
    }
    let attempts = match context.attempts(step) {
        Ok(attempts) => attempts,
        Err(why) => return CheckResult::fail(expected, why),
    };
    let mut findings = ended(what, attempts, planned, result);
    let wrong = attempts.iter().position(|attempt| attempt.result != result);
    if wrong.is_some() || attempts.len() < planned {
        findings.extend(describe_attempts(what, attempts, |attempt| attempt.result != result));
        return CheckResult::failed(vec![expected], findings).about(wrong);
    }
    let Some(source) = source else { return CheckResult::passed(findings) };
    let sources = match Sources::find(context, attempts) {
        Ok(sources) => sources,
        Err((place, why)) => {
            findings.push(why);
            return CheckResult::failed(vec![expected], findings).about(Some(place));
        }
    };
    let (wrong, about) = sources.others(source);
    if wrong.is_empty() {
        let all = match sources.number() {
            1 => "the one frame".to_owned(),
            all => format!("all {}", count(all, "frame")),
        };
        match findings.first_mut() {
            Some(first) if attempts.len() > 1 => {
                *first += &format!("; {all} that answered came from {source}");
            }
            _ => findings.push(format!("{all} that answered the client came from {source}")),
        }
        return CheckResult::passed(findings);
    }
    for (from, frames) in sources.0.iter().take(SHOWN) {
        findings.push(format!("{} came from {from}", count(frames.len(), "frame")));
    }
    if sources.0.len() > SHOWN {
        findings.push(format!("and from {} more", sources.0.len() - SHOWN));
    }
    CheckResult::failed(vec![expected], findings)
        .with_frames(context.frames.list(&wrong))
        .about(about)
}

/// How all of them ended, in figures.
fn ended(what: &str, attempts: &[Attempt], planned: usize, wanted: LoginResult) -> Vec<String> {
    if let ([only], 1) = (attempts, planned) {
        let (result, after) = (only.result.word(), duration(only.duration_ns));
        return vec![format!("the {what} ended with {result} after {after}: {}", only.detail)];
    }
    let all = attempts.len();
    let mut results: BTreeMap<&str, (LoginResult, usize)> = BTreeMap::new();
    for attempt in attempts {
        results.entry(attempt.result.word()).or_insert((attempt.result, 0)).1 += 1;
    }
    let as_wanted = results.remove(wanted.word()).map_or(0, |(_, number)| number);
    let mut sentence = format!("{as_wanted} of {planned} {what}s {}", did(wanted, as_wanted));
    for (result, number) in results.values() {
        sentence += &format!(", {number} {}", did(*result, *number));
    }
    if all < planned {
        sentence += &format!(", {} not done", planned - all);
    }
    let mut findings = vec![sentence];
    let times = || attempts.iter().map(|attempt| attempt.duration_ns);
    if let (Some(least), Some(most)) = (times().min(), times().max()) {
        let (least, most) = (duration(least), duration(most));
        findings.push(format!("the quickest took {least}, the slowest {most}"));
    }
    findings
}

/// Some attempts one by one.
fn describe_attempts(
    what: &str,
    attempts: &[Attempt],
    which: impl Fn(&Attempt) -> bool,
) -> Vec<String> {
    if attempts.len() < 2 {
        return Vec::new();
    }
    let chosen: Vec<_> = attempts.iter().enumerate().filter(|(_, a)| which(a)).collect();
    let mut findings: Vec<String> = chosen
        .iter()
        .take(DESCRIBED)
        .map(|(place, attempt)| {
            let (result, after) = (attempt.result.word(), duration(attempt.duration_ns));
            let name = name(what, attempt, *place);
            format!("{name} ended with {result} after {after}: {}", attempt.detail)
        })
        .collect();
    if chosen.len() > DESCRIBED {
        findings.push(format!("and {} more", chosen.len() - DESCRIBED));
    }
    findings
}

/// `login 17 from client2 (192.168.11.202:40001)`
pub(crate) fn name(what: &str, attempt: &Attempt, place: usize) -> String {
    let local = attempt.local.map_or(String::new(), |local| format!(" ({local})"));
    format!("{what} {} from {}{local}", place + 1, attempt.from)
}

/// The frames that came in at the clients for the attempts' addresses and ports, by their source,
/// each with the place of the attempt that it answers.
struct Sources(BTreeMap<IpAddr, Vec<(usize, usize)>>);

impl Sources {
    /// # Errors
    /// The place of an attempt that no frame answered, and a sentence about it.
    fn find(context: &CheckContext<'_>, attempts: &[Attempt]) -> Result<Self, (usize, String)> {
        let mut sources: BTreeMap<IpAddr, Vec<(usize, usize)>> = BTreeMap::new();
        let mut counted = HashSet::new();
        for (place, attempt) in attempts.iter().enumerate() {
            let Some(local) = attempt.local else {
                return Err((place, no_address(attempts.len(), place)));
            };
            let mut answered = false;
            // A port that served several attempts is counted once.
            let again = !counted.insert((attempt.protocol, local));
            for flow in context.frames.flows_to(attempt.protocol, local) {
                let came_in = context.frames.of_flow(flow).filter(|index| {
                    context.frames.get(*index).is_some_and(|frame| {
                        frame.record.direction == Direction::In
                            && context.frames.node(&frame) == Some(&attempt.from)
                    })
                });
                for index in came_in {
                    answered = true;
                    if again {
                        break;
                    }
                    sources.entry(flow.source.ip()).or_default().push((index, place));
                }
            }
            if !answered {
                let carrier = labsim_wire::protocol::name(attempt.protocol).unwrap_or("answering");
                let why = format!("no {carrier} frame for {local} came in at the client");
                return Err((place, why));
            }
        }
        Ok(Self(sources))
    }

    fn number(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Frames of other sources, in time's order, and the attempt that the first one answers.
    fn others(&self, source: IpAddr) -> (Vec<usize>, Option<usize>) {
        let others = self.0.iter().filter(|(from, _)| **from != source);
        let mut wrong: Vec<(usize, usize)> =
            others.flat_map(|(_, frames)| frames.iter().copied()).collect();
        wrong.sort_unstable();
        let about = wrong.first().map(|(_, place)| *place);
        (wrong.into_iter().map(|(index, _)| index).collect(), about)
    }
}

fn no_address(all: usize, place: usize) -> String {
    match all {
        1 => "the client had no address and port".to_owned(),
        _ => format!("the client of number {} had no address and port", place + 1),
    }
}

//! Judges how a step's logins or requests ended, and the source of everything that answered them.

use crate::frames::SHOWN;
use crate::observe::Attempt;
use crate::ruling::{Case, Ruling};
use crate::words::{attempt as noun, count, did, duration};
use labsim_scenario::model::{Direction, LoginResult, StepName};
use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

/// Attempts that are told of one by one.
const TOLD: usize = 5;

/// Judges a step's answers.
pub(crate) fn answer(
    case: &Case<'_>,
    step: &StepName,
    result: LoginResult,
    source: Option<IpAddr>,
) -> Ruling {
    let what = noun(case.step(step));
    let planned = case.planned(step);
    let mut expected = match planned {
        1 => format!("the {what} `{step}` ends with {}", result.word()),
        all => format!("all {all} {what}s of the step `{step}` end with {}", result.word()),
    };
    if let Some(source) = source {
        expected += &format!(", and every answer that the client gets comes from {source}");
    }
    let attempts = match case.attempts(step) {
        Ok(attempts) => attempts,
        Err(why) => return Ruling::fail(expected, why),
    };
    let mut said = ended(what, attempts, planned, result);
    let wrong = attempts.iter().position(|attempt| attempt.result != result);
    if wrong.is_some() || attempts.len() < planned {
        said.extend(told(what, attempts, |attempt| attempt.result != result));
        return Ruling::failed(vec![expected], said).about(wrong);
    }
    let Some(source) = source else { return Ruling::passed(said) };
    let sources = match Sources::find(case, attempts) {
        Ok(sources) => sources,
        Err((place, why)) => {
            said.push(why);
            return Ruling::failed(vec![expected], said).about(Some(place));
        }
    };
    let (wrong, about) = sources.others(source);
    if wrong.is_empty() {
        let all = match sources.number() {
            1 => "the one frame".to_owned(),
            all => format!("all {}", count(all, "frame")),
        };
        match said.first_mut() {
            Some(first) if attempts.len() > 1 => {
                *first += &format!("; {all} that answered came from {source}");
            }
            _ => said.push(format!("{all} that answered the client came from {source}")),
        }
        return Ruling::passed(said);
    }
    for (from, frames) in sources.0.iter().take(SHOWN) {
        said.push(format!("{} came from {from}", count(frames.len(), "frame")));
    }
    if sources.0.len() > SHOWN {
        said.push(format!("and from {} more", sources.0.len() - SHOWN));
    }
    Ruling::failed(vec![expected], said).with_frames(case.frames.list(&wrong)).about(about)
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
    let mut said = vec![sentence];
    let times = || attempts.iter().map(|attempt| attempt.duration_ns);
    if let (Some(least), Some(most)) = (times().min(), times().max()) {
        let (least, most) = (duration(least), duration(most));
        said.push(format!("the quickest took {least}, the slowest {most}"));
    }
    said
}

/// Some attempts one by one.
fn told(what: &str, attempts: &[Attempt], which: impl Fn(&Attempt) -> bool) -> Vec<String> {
    if attempts.len() < 2 {
        return Vec::new();
    }
    let chosen: Vec<_> = attempts.iter().enumerate().filter(|(_, a)| which(a)).collect();
    let mut said: Vec<String> = chosen
        .iter()
        .take(TOLD)
        .map(|(place, attempt)| {
            let (result, after) = (attempt.result.word(), duration(attempt.duration_ns));
            let name = name(what, attempt, *place);
            format!("{name} ended with {result} after {after}: {}", attempt.detail)
        })
        .collect();
    if chosen.len() > TOLD {
        said.push(format!("and {} more", chosen.len() - TOLD));
    }
    said
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
    fn find(case: &Case<'_>, attempts: &[Attempt]) -> Result<Self, (usize, String)> {
        let mut sources: BTreeMap<IpAddr, Vec<(usize, usize)>> = BTreeMap::new();
        let mut counted = HashSet::new();
        for (place, attempt) in attempts.iter().enumerate() {
            let Some(local) = attempt.local else {
                return Err((place, no_address(attempts.len(), place)));
            };
            let mut answered = false;
            // A port that served several attempts is counted once.
            let again = !counted.insert((attempt.protocol, local));
            for flow in case.frames.flows_to(attempt.protocol, local) {
                let came_in = case.frames.of_flow(*flow).iter().copied().filter(|index| {
                    case.frames.get(*index).is_some_and(|frame| {
                        frame.record.direction == Direction::In
                            && case.frames.node(&frame) == Some(&attempt.from)
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

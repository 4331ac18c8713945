//! Puts every expectation of a scenario to what was observed.

use crate::diagnose::{self, Diagnosis};
use crate::frames::{FrameList, Frames};
use crate::observe::{Attempt, Observations};
use crate::ruling::{Case, Ruling};
use crate::words::count as say;
use crate::{answer, count, exchange, forwarder, kernel, passage, servers, spread};
use labsim_scenario::model::{
    Attachment, Check, LoginResult, NodeName, Place, PointNode, Scenario, StepName,
};
use std::fmt;

/// What a run proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// One for each expectation, in the file's order.
    pub expectations: Vec<Judgement>,
    /// What makes the run itself unfit to prove anything. Any of these fails it.
    pub health: Vec<Finding>,
    /// Why steps went wrong, for those that a failed expectation is about.
    pub diagnoses: Vec<Diagnosis>,
}

impl Verdict {
    /// Whether every expectation holds and the run was sound.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.health.is_empty() && self.expectations.iter().all(|judgement| judgement.passed)
    }
}

/// One expectation, judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The expectation's name in its file.
    pub name: String,
    /// Where the expectation stands.
    pub place: Place,
    /// Whether it holds.
    pub passed: bool,
    /// The file's sentence for this outcome.
    pub sentence: String,
    /// What was expected, if it failed.
    pub expected: Vec<String>,
    /// What was seen; of one that holds, the figures that prove it.
    pub seen: Vec<String>,
    /// The frames in question, if it failed.
    pub frames: FrameList,
}

/// What makes a run unfit to prove anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finding {
    /// A capture had no room for frames.
    CaptureDropped {
        /// Whose.
        node: NodeName,
        /// How many.
        frames: u64,
    },
    /// The relay of an impaired link had no room for frames: they were lost, and the file does not
    /// say so.
    RelayDropped {
        /// The interface that sent them.
        sender: Attachment,
        /// How many.
        frames: u64,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaptureDropped { node, frames } => write!(
                f,
                "the capture on {node} had no room for {}: what was not seen there proves nothing",
                say(*frames, "frame")
            ),
            Self::RelayDropped { sender, frames } => write!(
                f,
                "the relay behind {}:{} did not read fast enough and lost {} that the link was not \
                 to lose: run fewer labs at a time (--jobs)",
                sender.node,
                sender.interface,
                say(*frames, "frame")
            ),
        }
    }
}

/// Judges all expectations, and says why steps went wrong that failed ones are about.
#[must_use]
pub fn judge(scenario: &Scenario, observations: &Observations) -> Verdict {
    let frames = Frames::new(observations, scenario.load_balancers.keys());
    let case = Case::new(scenario, observations, &frames);
    let mut expectations = Vec::with_capacity(scenario.expectations.len());
    let mut wrong: Vec<(&StepName, Option<usize>)> = Vec::new();
    for expectation in &scenario.expectations {
        let ruling = rule(&case, &expectation.check);
        if !ruling.passed {
            let steps = steps_of(&case, &expectation.check);
            wrong.extend(steps.into_iter().map(|step| (step, ruling.about)));
        }
        let sentence = if ruling.passed { &expectation.pass } else { &expectation.fail };
        expectations.push(Judgement {
            name: expectation.name.clone(),
            place: expectation.place.clone(),
            passed: ruling.passed,
            sentence: sentence.clone(),
            expected: ruling.expected,
            seen: ruling.seen,
            frames: ruling.frames,
        });
    }
    let health = health(observations);
    let diagnoses = scenario
        .steps
        .iter()
        .filter_map(|step| {
            let mut mine = wrong.iter().filter(|(name, _)| **name == step.name).peekable();
            mine.peek()?;
            diagnose::diagnose_case(&case, &step.name, mine.find_map(|(_, about)| *about))
        })
        .collect();
    Verdict { expectations, health, diagnoses }
}

/// What makes the run unfit to prove anything.
fn health(observations: &Observations) -> Vec<Finding> {
    let captures = observations.capture_drops.iter();
    let captures = captures.map(|(node, frames)| {
        (Finding::CaptureDropped { node: node.clone(), frames: *frames }, *frames)
    });
    let relays = observations.link_counters.iter().filter_map(|(sender, counters)| {
        let frames = *counters.by_name.get("receive_dropped")?;
        Some((Finding::RelayDropped { sender: sender.clone(), frames }, frames))
    });
    captures.chain(relays).filter(|(_, frames)| *frames > 0).map(|(finding, _)| finding).collect()
}

/// Says what became of one step's packets, whether or not anything was expected of it; `None`
/// for a step that was not done. Of several logins it is about the first that got no answer.
#[must_use]
pub fn diagnose(
    scenario: &Scenario,
    observations: &Observations,
    step: &StepName,
) -> Option<Diagnosis> {
    let frames = Frames::new(observations, scenario.load_balancers.keys());
    diagnose::diagnose_case(&Case::new(scenario, observations, &frames), step, None)
}

fn rule(case: &Case<'_>, check: &Check) -> Ruling {
    match check {
        Check::Answer { step, result, source } => answer::answer(case, step, *result, *source),
        Check::ServerSaw { step, client } => servers::server_saw(case, step, *client),
        Check::AnsweredBy { step, nodes } => servers::answered_by(case, step, nodes),
        Check::Spread { step, nodes, at_least } => spread::spread(case, step, nodes, *at_least),
        Check::Forwarder { node, counter, count } => {
            forwarder::forwarder(case, node, counter, *count)
        }
        Check::Kernel { node, device, counter, count } => {
            let (device, name) = (device.as_ref(), counter.as_str());
            kernel::kernel(case, kernel::Counter { node, device, name }, *count)
        }
        Check::Frames { at, matching, count } => count::frames(case, at, matching, *count),
        Check::Exchange { at, step, direction, frames } => {
            exchange::exchange(case, at, step, *direction, frames)
        }
        Check::Passage(passage) => passage::passage(case, passage),
    }
}

/// The steps that a failed check is about. One that counts something at a named node is about
/// every step that got no answer.
fn steps_of<'a>(case: &Case<'a>, check: &'a Check) -> Vec<&'a StepName> {
    let unanswered = || {
        let steps = case.observations.steps.iter();
        steps.filter(|step| step.attempts.iter().any(is_unanswered)).map(|step| &step.name)
    };
    match check {
        Check::Answer { step, .. }
        | Check::ServerSaw { step, .. }
        | Check::AnsweredBy { step, .. }
        | Check::Spread { step, .. }
        | Check::Exchange { step, .. } => vec![step],
        Check::Forwarder { .. } | Check::Kernel { .. } | Check::Passage(_) => {
            unanswered().collect()
        }
        Check::Frames { at, .. } => match &at.node {
            PointNode::RealServerOf(step) => vec![step],
            PointNode::Named(_) => unanswered().collect(),
        },
    }
}

/// Whether no server said yes or no.
pub(crate) fn is_unanswered(attempt: &Attempt) -> bool {
    !matches!(attempt.result, LoginResult::Pass | LoginResult::Fail)
}

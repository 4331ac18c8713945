//! Puts every expectation of a scenario to what was observed.

use crate::diagnose::{self, Diagnosis};
use crate::frames::{FrameList, Frames};
use crate::observe::Observations;
use crate::ruling::{Case, Ruling, count as say};
use crate::{count, exchange, login, servers};
use labsim_scenario::model::{Check, NodeName, Place, PointNode, Scenario, StepName};
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
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CaptureDropped { node, frames } => write!(
                f,
                "the capture on {node} had no room for {}: what was not seen there proves nothing",
                say(*frames, "frame")
            ),
        }
    }
}

/// Judges all expectations, and says why steps went wrong that failed ones are about.
#[must_use]
pub fn judge(scenario: &Scenario, observations: &Observations) -> Verdict {
    let frames = Frames::new(&observations.capture);
    let case = Case { scenario, observations, frames: &frames };
    let mut expectations = Vec::with_capacity(scenario.expectations.len());
    let mut wrong: Vec<&StepName> = Vec::new();
    for expectation in &scenario.expectations {
        let ruling = rule(&case, &expectation.check);
        if !ruling.passed {
            wrong.extend(steps_of(&case, &expectation.check));
        }
        let sentence = if ruling.passed { &expectation.pass } else { &expectation.fail };
        expectations.push(Judgement {
            place: expectation.place.clone(),
            passed: ruling.passed,
            sentence: sentence.clone(),
            expected: ruling.expected,
            seen: ruling.seen,
            frames: ruling.frames,
        });
    }
    let health = observations
        .capture_drops
        .iter()
        .filter(|(_, frames)| **frames > 0)
        .map(|(node, frames)| Finding::CaptureDropped { node: node.clone(), frames: *frames })
        .collect();
    let diagnoses = scenario
        .steps
        .iter()
        .filter(|step| wrong.contains(&&step.name))
        .filter_map(|step| diagnose::diagnose_case(&case, &step.name))
        .collect();
    Verdict { expectations, health, diagnoses }
}

/// Says what became of one step's packets, whether or not anything was expected of it; `None`
/// for a step that was not done.
#[must_use]
pub fn diagnose(
    scenario: &Scenario,
    observations: &Observations,
    step: &StepName,
) -> Option<Diagnosis> {
    let frames = Frames::new(&observations.capture);
    diagnose::diagnose_case(&Case { scenario, observations, frames: &frames }, step)
}

fn rule(case: &Case<'_>, check: &Check) -> Ruling {
    match check {
        Check::Login { step, result, source } => login::login(case, step, *result, *source),
        Check::ServerSaw { step, client } => servers::server_saw(case, step, *client),
        Check::AnsweredBy { step, nodes } => servers::answered_by(case, step, nodes),
        Check::Frames { at, matching, count } => count::frames(case, at, matching, *count),
        Check::Exchange { at, step, direction, frames } => {
            exchange::exchange(case, at, step, *direction, frames)
        }
    }
}

/// The steps that a failed check is about. One that counts frames at a named node is about every
/// step that got no answer.
fn steps_of<'a>(case: &Case<'a>, check: &'a Check) -> Vec<&'a StepName> {
    use labsim_scenario::model::LoginResult::{Fail, Pass};
    match check {
        Check::Login { step, .. }
        | Check::ServerSaw { step, .. }
        | Check::AnsweredBy { step, .. }
        | Check::Exchange { step, .. } => vec![step],
        Check::Frames { at, .. } => match &at.node {
            PointNode::RealServerOf(step) => vec![step],
            PointNode::Named(_) => case
                .observations
                .steps
                .iter()
                .filter(|step| !matches!(step.result, Pass | Fail))
                .map(|step| &step.name)
                .collect(),
        },
    }
}

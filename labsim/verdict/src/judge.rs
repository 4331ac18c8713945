//! Puts every expectation of a scenario to what was observed.

use crate::check_result::{CheckContext, CheckResult};
use crate::diagnose::{self, Diagnosis};
use crate::frames::Frames;
use crate::observe::{Attempt, Observations};
use crate::run_defect::{self, RunDefect};
use crate::{
    answer, count, diagnosis, distribution, exchange, filter, forwarder, kernel, path_metrics,
    servers, step_end,
};
use labsim_codes::{Code, cause};
use labsim_model::NodeState;
use labsim_scenario::model::{Check, LoginResult, NodeName, PointNode, Scenario, StepName};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// One for each expectation, in the file's order.
    pub expectations: Vec<ExpectationResult>,
    /// What is wrong with the run itself, whatever was expected. Any of these fails it.
    pub defects: Vec<RunDefect>,
    /// Why steps went wrong, for those that failed or that a failed expectation is about. Of a run
    /// that passed, why steps failed as expected.
    pub diagnoses: Vec<Diagnosis>,
}

impl Verdict {
    /// Whether every expectation holds, every step ended as it had to, and the run was sound.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.defects.is_empty() && self.expectations.iter().all(|result| result.passed)
    }

    /// Of a verdict that did not pass, the code of the first cause that the diagnoses show;
    /// without any, that of the first defect, or that an expectation failed.
    #[must_use]
    pub fn code(&self) -> Option<Code> {
        let causes = self.diagnoses.iter().flat_map(|diagnosis| &diagnosis.causes);
        let causes = causes.map(|cause| cause.code);
        let mut codes = causes.chain(self.defects.iter().map(RunDefect::code));
        (!self.passed()).then(|| codes.next().unwrap_or(cause::EXPECTATION_FAILED))
    }
}

/// An expectation and whether it holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExpectationResult {
    /// The expectation's name in its file; empty for a problem of the run itself.
    pub name: String,
    /// Whether it holds.
    pub passed: bool,
    /// The file's sentence for this outcome; of a problem of the run itself, what it is.
    pub sentence: String,
    /// The stable code of a problem of the run itself (`labsim help CODE`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// `file:line` of the expectation, or of the step that failed; empty for another problem of the
    /// run itself.
    pub place: String,
    /// What was expected, if it failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub expected: Vec<String>,
    /// What was seen; of one that holds, the figures that prove it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<String>,
    /// The frames in question, if it failed: a line each, which begins with the number that Wireshark
    /// shows in `capture.pcapng` (without `--markers`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<String>,
    /// The same frames by their places in the run's capture; for the comments of
    /// `capture.pcapng`.
    #[serde(skip)]
    pub frame_indices: Vec<usize>,
}

/// Judges all expectations and the ends of all steps, and says why steps went wrong.
#[must_use]
pub fn judge(scenario: &Scenario, observations: &Observations) -> Verdict {
    judge_frames(scenario, observations, &frames_of(scenario, observations))
}

/// The same, and reads the nodes' states into the observations first, unless all is well without them: they
/// are needed to say why steps went wrong.
#[must_use]
pub fn judge_with_states(
    scenario: &Scenario,
    observations: &mut Observations,
    read: impl FnOnce() -> BTreeMap<NodeName, NodeState>,
) -> Verdict {
    // The states may change while the frames are kept.
    let (capture, probes) = (&observations.capture, &observations.probes);
    let frames = Frames::new(capture, probes, scenario.load_balancers.keys());
    if diagnosis::expected_steps(scenario).next().is_none() {
        let verdict = judge_frames(scenario, observations, &frames);
        if verdict.passed() {
            return verdict;
        }
    }
    observations.states = read();
    judge_frames(scenario, observations, &frames)
}

fn frames_of<'a>(scenario: &Scenario, observations: &'a Observations) -> Frames<'a> {
    let balancers = scenario.load_balancers.keys();
    Frames::new(&observations.capture, &observations.probes, balancers)
}

fn judge_frames(scenario: &Scenario, observations: &Observations, frames: &Frames<'_>) -> Verdict {
    let context = CheckContext::new(scenario, observations, frames);
    let mut expectations = Vec::with_capacity(scenario.expectations.len());
    let mut wrong: Vec<(&StepName, Option<usize>)> = Vec::new();
    let mut any_step = false;
    for expectation in &scenario.expectations {
        let result = rule(&context, &expectation.check);
        if !result.passed {
            let steps = steps_of(&context, &expectation.check);
            any_step |= steps.is_empty();
            wrong.extend(steps.into_iter().map(|step| (step, result.about)));
        }
        let sentence = if result.passed { &expectation.pass } else { &expectation.fail };
        expectations.push(ExpectationResult {
            name: expectation.name.clone(),
            place: expectation.place.to_string(),
            passed: result.passed,
            sentence: sentence.clone(),
            code: None,
            expected: result.expected,
            seen: result.seen,
            frame_indices: result.frames.indices(),
            frames: result.frames.into_lines(),
        });
    }
    let failures = step_end::failures(&context, &expectations);
    wrong.extend(failures.iter().map(|failure| (&failure.step, failure.about)));
    let mut defects = run_defect::losses(observations);
    defects.extend(failures.iter().cloned().map(RunDefect::StepFailed));
    if defects.is_empty() && expectations.iter().all(|result| result.passed) {
        wrong.extend(diagnosis::expected_steps(scenario).map(|step| (step, None)));
    } else {
        // It comes first: everything else may follow from it.
        defects.splice(0..0, run_defect::shortage(observations));
    }
    let diagnoses = scenario
        .steps
        .iter()
        .flat_map(|step| {
            let mine: Vec<_> = wrong.iter().filter(|(name, _)| **name == step.name).collect();
            let about = mine.iter().find_map(|(_, about)| *about);
            if mine.is_empty() && !any_step {
                return Vec::new();
            }
            let mut diagnoses = diagnose::diagnose_step(&context, &step.name, about);
            // Of a step that no expectation and no failure is about, only causes are shown.
            diagnoses.truncate(diagnose::GROUPS);
            diagnoses.retain(|diagnosis| !mine.is_empty() || !diagnosis.causes.is_empty());
            diagnoses
        })
        .collect();
    Verdict { expectations, defects, diagnoses }
}

/// Says what became of one step's packets, whether or not anything was expected of it; `None`
/// for a step that was not done. Of several logins it is about the first that got no answer.
#[must_use]
pub fn diagnose(
    scenario: &Scenario,
    observations: &Observations,
    step: &StepName,
) -> Option<Diagnosis> {
    let frames = frames_of(scenario, observations);
    let context = CheckContext::new(scenario, observations, &frames);
    diagnose::diagnose_step(&context, step, None).into_iter().next()
}

fn rule(context: &CheckContext<'_>, check: &Check) -> CheckResult {
    match check {
        Check::Answer { step, result, source } => answer::answer(context, step, *result, *source),
        Check::ServerSaw { step, client } => servers::server_saw(context, step, *client),
        Check::AnsweredBy { step, nodes } => servers::answered_by(context, step, nodes),
        Check::Distribution { step, nodes, at_least } => {
            distribution::distribution(context, step, nodes, *at_least)
        }
        Check::Diagnosis { step, cause, node } => {
            diagnosis::diagnosis(context, step, *cause, node.as_ref())
        }
        Check::Forwarder { node, counter, count } => {
            forwarder::forwarder(context, node, counter, *count)
        }
        Check::Kernel { node, device, counter, count } => {
            let (device, name) = (device.as_ref(), counter.as_str());
            kernel::kernel(context, kernel::Counter { node, device, name }, *count)
        }
        Check::Filter { filter, node, dropped } => {
            filter::filter(context, filter, node.as_ref(), *dropped)
        }
        Check::Frames { at, matching, count } => count::frames(context, at, matching, *count),
        Check::Exchange { at, step, direction, frames } => {
            exchange::exchange(context, at, step, *direction, frames)
        }
        Check::Path(path) => path_metrics::path_metrics(context, path),
    }
}

/// The steps that a failed check is about. One that counts something at a named node is about
/// every step that got no answer; none if all did, and then each step is searched for causes.
fn steps_of<'a>(context: &CheckContext<'a>, check: &'a Check) -> Vec<&'a StepName> {
    let unanswered = || {
        let steps = context.observations.steps.iter();
        steps.filter(|step| step.attempts.iter().any(is_unanswered)).map(|step| &step.name)
    };
    match check {
        Check::Answer { step, .. }
        | Check::ServerSaw { step, .. }
        | Check::AnsweredBy { step, .. }
        | Check::Distribution { step, .. }
        | Check::Diagnosis { step, .. }
        | Check::Exchange { step, .. } => vec![step],
        Check::Forwarder { .. } | Check::Kernel { .. } | Check::Filter { .. } | Check::Path(_) => {
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

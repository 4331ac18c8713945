//! How every step has to end.
//!
//! Every login, request and program of a step has to end with `pass`, unless an `answer` expectation
//! is about the step; and what a step waits for has to happen. A step may fail for the causes that
//! `diagnosis` expectations name, if these hold: no failure is for another cause. No other check says
//! how a step ends: a login that a server rejects is answered, seen and captured all the same.

use crate::check_result::CheckContext;
use crate::judge::ExpectationResult;
use crate::{answer, diagnosis};
use labsim_scenario::model::{Check, LoginResult, Place, Scenario, Step, StepAction, StepName};
use std::collections::BTreeSet;

/// A step that did not end as it has to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepFailure {
    /// The step.
    pub step: StepName,
    /// Its place in the file.
    pub place: Place,
    /// How it ended, in a sentence; of a program with its last lines.
    pub how: String,
    /// How it had to end; empty if the sentence says so.
    pub expected: Vec<String>,
    /// Some of its attempts that did not end so, if it made several.
    pub seen: Vec<String>,
    /// The first of its attempts that did not end so, by its place among them.
    pub about: Option<usize>,
}

/// The steps that did not end as they have to, in their order.
pub(crate) fn failures(
    context: &CheckContext<'_>,
    results: &[ExpectationResult],
) -> Vec<StepFailure> {
    let explained = explained(context.scenario, results);
    let expectations = context.scenario.expectations.iter();
    let answers = expectations.filter_map(|expectation| match &expectation.check {
        Check::Answer { step, .. } => context.step(step).map(|step| &step.name),
        _ => None,
    });
    let answers: BTreeSet<&StepName> = answers.collect();
    // Why a program ends as it does is not known: its packets may have nothing to do with it.
    let is_explained =
        |step: &&Step| explained.contains(&step.name) && !matches!(step.action, StepAction::Run(_));
    let steps = context.scenario.steps.iter().filter(|step| !is_explained(step));
    steps.filter_map(|step| failure(context, step, answers.contains(&step.name))).collect()
}

/// The steps whose failures are for the causes that are expected: all expectations of theirs hold.
fn explained<'a>(scenario: &'a Scenario, results: &[ExpectationResult]) -> BTreeSet<&'a StepName> {
    let mut steps: BTreeSet<&StepName> = diagnosis::expected_steps(scenario).collect();
    for (expectation, result) in scenario.expectations.iter().zip(results) {
        if let Check::Diagnosis { step, .. } = &expectation.check
            && !result.passed
        {
            steps.remove(step);
        }
    }
    steps
}

fn failure(context: &CheckContext<'_>, step: &Step, has_expectation: bool) -> Option<StepFailure> {
    let failure = |how, expected, seen, about| StepFailure {
        step: step.name.clone(),
        place: step.place.clone(),
        how,
        expected,
        seen,
        about,
    };
    let observed = context.observations.step(&step.name);
    if let Some(unmet) = observed.and_then(|observed| observed.unmet.clone()) {
        return Some(failure(unmet, Vec::new(), Vec::new(), None));
    }
    if has_expectation || !step.action.has_answer() {
        return None;
    }
    let result = answer::answer(context, &step.name, LoginResult::Pass, None);
    let mut seen = result.seen.into_iter();
    (!result.passed).then(|| {
        let how = seen.next().unwrap_or_default();
        failure(how, result.expected, seen.collect(), result.about)
    })
}

//! Runs of a scenario in one state or another, for a comparison of what they show.

use crate::Options;
use crate::cancel::Cancelled;
use crate::error::RunError;
use crate::proof::{hurried, is_doubtful};
use crate::scenario_run::{self, RunResult};
use labsim_event::{Event, ExpectationResult};
use labsim_scenario::model::Scenario;
use labsim_verdict::Suspect;
use std::cell::RefCell;

/// What a run showed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Experiment {
    /// Whether it passed.
    pub passed: bool,
    /// What did not hold, problems of the run itself first.
    pub unmet: Vec<ExpectationResult>,
    /// What was diagnosed, in the order in which the packets met it.
    pub causes: Vec<Suspect>,
}

/// Runs a scenario once, without any report. Its time-outs are shorter where nothing can delay an
/// answer; a run that the machine was too late for is repeated with its own.
///
/// # Errors
/// [`RunError::Unsupported`] if this machine cannot run it, with what is missing and the remedy; what
/// else kept it from running to its end.
pub fn experiment(
    scenario: &Scenario,
    options: &Options,
    cancelled: &Cancelled,
) -> Result<Experiment, RunError> {
    if let Some(shorter) = hurried(scenario) {
        let (result, unmet) = run(&shorter, options, cancelled)?;
        if !is_doubtful(&result) {
            return Ok(shown(result, unmet));
        }
    }
    run(scenario, options, cancelled).map(|(result, unmet)| shown(result, unmet))
}

fn run(
    scenario: &Scenario,
    options: &Options,
    cancelled: &Cancelled,
) -> Result<(RunResult, Vec<ExpectationResult>), RunError> {
    let unmet = RefCell::new(Vec::new());
    let emit = |event| {
        if let Event::Judged(result) = event
            && !result.passed
        {
            unmet.borrow_mut().push(result);
        }
    };
    let result = scenario_run::run(scenario, options, &emit, cancelled)?;
    Ok((result, unmet.into_inner()))
}

fn shown(result: RunResult, unmet: Vec<ExpectationResult>) -> Experiment {
    let causes = result.failure.map(|failure| failure.causes).unwrap_or_default();
    Experiment { passed: result.passed, unmet, causes }
}

//! Proves causes: runs a scenario again, with changes, several labs side by side.

mod pace;

pub(crate) use pace::hurried;

use crate::cancel::Cancelled;
use crate::error::RunError;
use crate::jobs::milliseconds;
use crate::scenario_run::{self, RunResult};
use crate::{Options, Rejection};
use labsim_event::{Event, TrialResult};
use labsim_scenario::model::Scenario;
use labsim_verdict::{
    Change, Failure, Interrupted, LABS, Laboratory, Proof, Trial, first_changes, prove,
};
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;
use tracing::{info, info_span};

/// How causes are proved.
#[derive(Debug, Clone, Copy)]
pub struct Proving {
    /// Labs of a scenario that run at the same time.
    pub side_by_side: NonZeroUsize,
    /// Whether the first run has shorter time-outs too, where that cannot fail it.
    pub hurries: bool,
}

/// Reads a scenario's file with a change laid over it.
pub type LoadChanged = Box<dyn Fn(&str) -> Result<Scenario, Rejection> + Send + Sync>;

/// The file of a scenario.
#[derive(Clone, Copy)]
pub(crate) struct ScenarioFile<'a> {
    pub(crate) path: &'a Path,
    pub(crate) load_changed: &'a LoadChanged,
}

/// Whether a run failed in which a lab reacted so late that its shorter time-outs prove nothing.
pub(crate) fn is_doubtful(result: &RunResult) -> bool {
    !result.passed && result.lag >= pace::LATE
}

/// Proves the causes of a run that failed. Emits each trial; the caller emits the proof.
///
/// # Errors
/// The run was interrupted, or its time is over.
pub(crate) fn prove_causes(
    first: &Failure,
    file: ScenarioFile<'_>,
    how: (&Options, Proving),
    emit: &(dyn Fn(Event) + Sync),
    cancelled: &Cancelled,
    ahead: Ahead,
) -> Result<Proof, RunError> {
    let began = Instant::now();
    let mut labs = Labs::new(file.load_changed, how, emit, cancelled, ahead);
    let proof = match prove(first, &mut labs) {
        Ok(proof) => proof,
        Err(Interrupted) => return Err(labs.stopped_by.unwrap_or(RunError::Interrupted)),
    };
    info!(labs = labs.built, took = ?began.elapsed(), complete = proof.complete, "proof ends");
    let name = file.path.file_name().unwrap_or_default().to_string_lossy();
    Ok(Proof { labs: labs.built, ..proof }.extending(&name))
}

/// Runs a scenario with `first_run`, and meanwhile takes a glance at what it may fail for, and tries
/// the changes against that: what they show is known when the proof asks for it.
pub(crate) fn run_ahead(
    scenario: &Scenario,
    load: &LoadChanged,
    how: (&Options, Proving),
    cancelled: &Cancelled,
    first_run: impl FnOnce() -> Result<RunResult, RunError>,
) -> (Result<RunResult, RunError>, Ahead) {
    let Some(glance) = pace::glance(scenario) else { return (first_run(), Ahead::default()) };
    let is_over = AtomicBool::new(false);
    let look = || {
        let span = info_span!("glance");
        let ran = span.in_scope(|| scenario_run::run(&glance, how.0, &|_| {}, cancelled));
        let mut ahead = Ahead { built: 1, ready: Vec::new() };
        // What passes has nothing to prove, and after the first run the proof itself asks.
        let Ok(RunResult { failure: Some(failure), .. }) = ran else { return ahead };
        if is_over.load(Ordering::Relaxed) {
            return ahead;
        }
        let labs = Labs::new(load, how, &|_| {}, cancelled, ahead);
        let mut changes = first_changes(&failure);
        changes.truncate(labs.left());
        let trials = labs.side_by_side(&changes);
        ahead = Ahead { built: 1 + changes.len(), ready: Vec::new() };
        for (change, trial) in changes.into_iter().zip(trials) {
            ahead.ready.extend(trial.ok().map(|trial| (change, trial)));
        }
        ahead
    };
    std::thread::scope(|scope| {
        let looking = scope.spawn(look);
        let result = first_run();
        is_over.store(true, Ordering::Relaxed);
        (result, looking.join().unwrap_or_default())
    })
}

/// What is known before it is asked for.
#[derive(Default)]
pub(crate) struct Ahead {
    /// Labs that were built for it.
    built: usize,
    ready: Vec<(Change, Ended)>,
}

/// Labs for trials.
struct Labs<'a> {
    load: &'a LoadChanged,
    options: &'a Options,
    proving: Proving,
    emit: &'a (dyn Fn(Event) + Sync),
    cancelled: &'a Cancelled,
    /// The first run's among them.
    built: usize,
    /// What has been run already.
    ready: Vec<(Change, Ended)>,
    /// Why they run no more.
    stopped_by: Option<RunError>,
}

/// How a lab with a change ended.
struct Ended {
    trial: Trial,
    expectations: usize,
    /// Whether its time-outs may have been too short.
    is_doubtful: bool,
    took_ms: f64,
}

impl Laboratory for Labs<'_> {
    fn left(&self) -> usize {
        LABS.saturating_sub(self.built)
    }

    fn run(&mut self, changes: &[Change]) -> Result<Vec<Trial>, Interrupted> {
        let is_ready = |change: &Change| self.ready.iter().any(|(ready, _)| ready == change);
        let (_, new): (Vec<Change>, Vec<Change>) = changes.iter().cloned().partition(is_ready);
        self.built += new.len();
        let mut ran = self.side_by_side(&new).into_iter();
        let mut trials = Vec::with_capacity(changes.len());
        for change in changes {
            let known = self.ready.iter().position(|(ready, _)| ready == change);
            let ended = match known {
                Some(place) => Ok(self.ready.swap_remove(place).1),
                None => ran.next().unwrap_or(Err(RunError::Interrupted)),
            };
            let mut ended = ended.map_err(|error| self.stop(error))?;
            if ended.is_doubtful && self.left() > 0 {
                self.built += 1;
                ended = self.lab(change, false).map_err(|error| self.stop(error))?;
            }
            if ended.is_doubtful {
                // No lab was left to repeat it, or it was late again.
                ended.trial = Trial::Impossible("the machine was too late to judge it".to_owned());
            }
            (self.emit)(Event::TrialEnded(result(change, &ended)));
            trials.push(ended.trial);
        }
        Ok(trials)
    }
}

impl<'a> Labs<'a> {
    fn new(
        load: &'a LoadChanged,
        (options, proving): (&'a Options, Proving),
        emit: &'a (dyn Fn(Event) + Sync),
        cancelled: &'a Cancelled,
        Ahead { built, ready }: Ahead,
    ) -> Self {
        let built = 1 + built;
        Self { load, options, proving, emit, cancelled, built, ready, stopped_by: None }
    }

    fn stop(&mut self, error: RunError) -> Interrupted {
        self.stopped_by = Some(error);
        Interrupted
    }

    /// A lab for each change, so many at a time.
    fn side_by_side(&self, changes: &[Change]) -> Vec<Result<Ended, RunError>> {
        let next = AtomicUsize::new(0);
        let done = Mutex::new(Vec::with_capacity(changes.len()));
        let worker = || {
            loop {
                let place = next.fetch_add(1, Ordering::Relaxed);
                let Some(change) = changes.get(place) else { break };
                let ended = self.lab(change, true);
                done.lock().unwrap_or_else(PoisonError::into_inner).push((place, ended));
            }
        };
        match self.proving.side_by_side.get().min(changes.len()) {
            0 | 1 => worker(),
            workers => std::thread::scope(|scope| {
                for _ in 0..workers {
                    scope.spawn(worker);
                }
            }),
        }
        let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
        done.sort_by_key(|(place, _)| *place);
        done.into_iter().map(|(_, ended)| ended).collect()
    }

    /// Runs the scenario with a change. A lab that cannot run is a result, too.
    ///
    /// # Errors
    /// Nothing more is to run.
    fn lab(&self, change: &Change, may_hurry: bool) -> Result<Ended, RunError> {
        let began = Instant::now();
        let impossible = |reason: String, expectations| Ended {
            trial: Trial::Impossible(reason),
            expectations,
            is_doubtful: false,
            took_ms: milliseconds(began),
        };
        let scenario = match (self.load)(&change.to_string()) {
            Ok(scenario) => scenario,
            Err(Rejection { errors, .. }) => {
                let first = errors.into_iter().next().unwrap_or_default();
                return Ok(impossible(first, 0));
            }
        };
        let expectations = scenario.expectations.len();
        let shorter = may_hurry.then(|| hurried(&scenario)).flatten();
        let span = info_span!("trial", change = %change.lines().join(" "));
        let scenario = shorter.as_ref().unwrap_or(&scenario);
        let ran =
            span.in_scope(|| scenario_run::run(scenario, self.options, &|_| {}, self.cancelled));
        match ran {
            Ok(result) => Ok(Ended {
                is_doubtful: shorter.is_some() && is_doubtful(&result),
                trial: match result.failure {
                    None => Trial::Passed,
                    Some(failure) => Trial::Failed(failure),
                },
                expectations,
                took_ms: milliseconds(began),
            }),
            Err(error @ (RunError::Interrupted | RunError::TimedOut { .. })) => Err(error),
            Err(error) => Ok(impossible(error.to_string(), expectations)),
        }
    }
}

fn result(change: &Change, ended: &Ended) -> TrialResult {
    let (failure, impossible) = match &ended.trial {
        Trial::Passed => (None, None),
        Trial::Failed(failure) => (Some(failure), None),
        Trial::Impossible(reason) => (None, Some(reason.clone())),
    };
    let passed = ended.trial == Trial::Passed;
    let failed = failure.map(|failure| failure.failed.clone()).unwrap_or_default();
    let causes = failure.into_iter().flat_map(|failure| &failure.causes);
    TrialResult {
        change: change.lines(),
        passed,
        held: match failure {
            Some(failure) => failure.held,
            None if passed => ended.expectations,
            None => 0,
        },
        expectations: ended.expectations,
        failed,
        causes: causes.map(|cause| cause.record.code.clone()).collect(),
        impossible,
        took_ms: ended.took_ms,
    }
}

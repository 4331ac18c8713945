//! Scenarios in parallel: a thread each, as many as there are jobs.

use crate::cancel::{Cancellation, Cancelled};
use crate::error::RunError;
use crate::proof::{Ahead, ScenarioFile, hurried, is_doubtful, prove_causes, run_ahead};
use crate::scenario_run::RunResult;
use crate::{Emit, Loaded, Options, Policy, Rejection, Work, scenario_run};
use labsim_codes::{Code, run};
use labsim_event::{Event, Outcome, Totals};
use labsim_scenario::model::Scenario;
use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tracing::info_span;

/// Runs every scenario and emits its events. Once `cancelled`, or when the policy ends the run, the
/// others do not start; a cancelled run ends the running ones as soon as it can.
pub fn run(
    work: impl Iterator<Item = Work> + Send,
    options: &Options,
    emit: Emit<'_>,
    cancelled: &Cancelled,
) -> Totals {
    let began = Instant::now();
    let jobs = options.jobs.get().min(options.scenarios.unwrap_or(usize::MAX).max(1));
    let rights = options.rights.clone();
    emit(None, run_started(options.scenarios, jobs, rights));
    let cancelled = match options.policy.run_timeout {
        Some(allowed) => cancelled.with_limit(began, allowed, run::RUN_TIMED_OUT),
        None => cancelled.clone(),
    };
    let queue = Mutex::new(Queue { work, totals: Totals::default(), begun: 0, ended_early: None });
    let worker = || {
        // The lock is not held while a scenario runs.
        let next = || lock(&queue).next(options, &cancelled);
        while let Some(work) = next() {
            let outcome = run_work(work, options, emit, &cancelled);
            lock(&queue).totals.count(outcome);
        }
    };
    if jobs == 1 {
        worker();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(worker);
            }
        });
    }
    let Queue { mut totals, begun, ended_early, .. } =
        queue.into_inner().unwrap_or_else(PoisonError::into_inner);
    totals.not_run = options.scenarios.map_or(0, |all| all.saturating_sub(begun));
    emit(None, Event::RunEnded { totals, ended_early, took_ms: milliseconds(began) });
    totals
}

/// Emits of every scenario that it was skipped, because this machine grants no rights to run any.
pub fn skip(
    work: impl Iterator<Item = Work>,
    options: &Options,
    reason: &str,
    emit: Emit<'_>,
) -> Totals {
    let began = Instant::now();
    emit(None, run_started(options.scenarios, 0, "none".into()));
    let mut totals = Totals::default();
    for Work { id, file, load, .. } in work {
        let began = Instant::now();
        emit(Some(&id), Event::ScenarioStarted { file });
        let ending = match load() {
            Ok(Loaded { scenario, .. }) => {
                let unsupported = RunError::unsupported(run::RIGHTS_MISSING, reason);
                Ending::of_error(&unsupported, scenario.expectations.len(), &options.policy)
            }
            Err(rejection) => reject(&id, rejection, emit),
        };
        totals.count(ending.outcome);
        emit(Some(&id), ending.into_event(began));
    }
    emit(None, Event::RunEnded { totals, ended_early: None, took_ms: milliseconds(began) });
    totals
}

fn run_started(scenarios: Option<usize>, jobs: usize, rights: String) -> Event {
    Event::RunStarted { version: env!("CARGO_PKG_VERSION").to_owned(), scenarios, jobs, rights }
}

/// What has not begun, and how the others ended.
struct Queue<I> {
    work: I,
    totals: Totals,
    begun: usize,
    /// Why nothing begins any more.
    ended_early: Option<String>,
}

impl<I: Iterator<Item = Work>> Queue<I> {
    /// The next scenario, unless the run ends early.
    fn next(&mut self, options: &Options, cancelled: &Cancelled) -> Option<Work> {
        if self.ended_early.is_none() {
            self.ended_early = match cancelled.cancellation() {
                Some(Cancellation::Signal) => Some("interrupted".to_owned()),
                Some(Cancellation::Timeout(limit)) => Some(limit.describe()),
                None => self.exceeds(options.policy.max_fail),
            };
        }
        if self.ended_early.is_some() {
            return None;
        }
        let next = self.work.next()?;
        self.begun += 1;
        Some(next)
    }

    fn exceeds(&self, max_fail: Option<NonZeroUsize>) -> Option<String> {
        let failed = self.totals.failed + self.totals.errors;
        max_fail.filter(|max| failed >= max.get()).map(|max| match max.get() {
            1 => "one scenario failed".to_owned(),
            max => format!("{max} scenarios failed"),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a scenario, or a try of it, ended.
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    reason: Option<String>,
    code: Option<Code>,
    held: usize,
    expectations: usize,
}

impl Ending {
    pub(crate) fn of(
        result: Result<RunResult, RunError>,
        expectations: usize,
        policy: &Policy,
    ) -> Self {
        match result {
            Ok(RunResult { passed, code, held, .. }) => {
                let outcome = if passed { Outcome::Passed } else { Outcome::Failed };
                Self { outcome, reason: None, code, held, expectations }
            }
            Err(error) => Self::of_error(&error, expectations, policy),
        }
    }

    fn of_error(error: &RunError, expectations: usize, policy: &Policy) -> Self {
        let code = error.code();
        let outcome = match error {
            RunError::Unsupported { .. } if policy.fail_on_skip.fails(code) => Outcome::Failed,
            RunError::Unsupported { .. } => Outcome::Skipped,
            RunError::Internal { .. } => Outcome::Broken,
            RunError::TimedOut { .. } => Outcome::Failed,
            RunError::Interrupted => Outcome::Interrupted,
        };
        let reason = Some(error.to_string());
        Self { outcome, reason, code: Some(code), held: 0, expectations }
    }

    fn code(&self) -> Option<String> {
        self.code.map(|code| code.name().to_owned())
    }

    pub(crate) fn into_event(self, began: Instant) -> Event {
        Event::ScenarioEnded {
            outcome: self.outcome,
            code: self.code(),
            reason: self.reason,
            held: self.held,
            expectations: self.expectations,
            took_ms: milliseconds(began),
        }
    }
}

/// One scenario, from its first event to its last.
fn run_work(work: Work, options: &Options, emit: Emit<'_>, cancelled: &Cancelled) -> Outcome {
    let began = Instant::now();
    let Work { id, file, load, load_changed } = work;
    emit(Some(&id), Event::ScenarioStarted { file: file.clone() });
    let ending = match load() {
        Ok(loaded) => {
            let configuration = loaded.configuration.clone();
            emit(Some(&id), Event::ScenarioLoaded { configuration });
            let file = ScenarioFile { path: &file, load_changed: &load_changed };
            run_tries(&id, &loaded, file, options, emit, cancelled)
        }
        Err(rejection) => reject(&id, rejection, emit),
    };
    let outcome = ending.outcome;
    emit(Some(&id), ending.into_event(began));
    outcome
}

fn reject(id: &str, rejection: Rejection, emit: Emit<'_>) -> Ending {
    let Rejection { code, errors } = rejection;
    let reason = match errors.as_slice() {
        [error] => format!("the file is not valid: {error}"),
        errors => format!("the file is not valid: {} errors", errors.len()),
    };
    emit(Some(id), Event::FileRejected { errors });
    let (outcome, reason, code) = (Outcome::Broken, Some(reason), Some(code));
    Ending { outcome, reason, code, held: 0, expectations: 0 }
}

/// Runs a scenario once. Shorter time-outs are for those that hurry, and never fail a run that would
/// pass: on a machine that was late it is run again.
fn run_try(
    scenario: &Scenario,
    (number, file): (usize, ScenarioFile<'_>),
    options: &Options,
    emit: &(dyn Fn(Event) + Sync),
    cancelled: &Cancelled,
) -> (Result<RunResult, RunError>, Ahead) {
    let run = |scenario: &Scenario| scenario_run::run(scenario, options, emit, cancelled);
    let Some(proving) = options.proving.filter(|proving| proving.hurries) else {
        return (run(scenario), Ahead::default());
    };
    run_ahead(scenario, file.load_changed, (options, proving), cancelled, || {
        let began = Instant::now();
        let Some(hurried) = hurried(scenario) else { return run(scenario) };
        let result = run(&hurried)?;
        if !is_doubtful(&result) {
            return Ok(result);
        }
        let reason = "with shorter time-outs, on a machine that was late".to_owned();
        emit(Event::TryFailed {
            number,
            outcome: Outcome::Failed,
            reason: Some(reason),
            code: result.code.map(|code| code.name().to_owned()),
            took_ms: milliseconds(began),
        });
        run(scenario)
    })
}

/// Runs a scenario until it passes, or as often as the policy allows.
fn run_tries(
    id: &str,
    loaded: &Loaded,
    file: ScenarioFile<'_>,
    options: &Options,
    emit: Emit<'_>,
    cancelled: &Cancelled,
) -> Ending {
    let Loaded { scenario, warnings, .. } = loaded;
    let policy = &options.policy;
    let emit_own = |event: Event| emit(Some(id), event);
    let mut number = 1;
    loop {
        for warning in warnings {
            emit_own(Event::Warned { warning: warning.clone() });
        }
        let began = Instant::now();
        let cancelled = match policy.timeout {
            Some(allowed) => cancelled.with_limit(began, allowed, run::SCENARIO_TIMED_OUT),
            None => cancelled.clone(),
        };
        let span = info_span!("scenario", name = id);
        let (result, ahead) =
            span.in_scope(|| run_try(scenario, (number, file), options, &emit_own, &cancelled));
        let is_last = number > policy.retries || !may_end_differently(&result);
        let result = match (result, options.proving) {
            (Ok(RunResult { failure: Some(failure), held, code, lag, .. }), Some(proving))
                if is_last =>
            {
                let proof = span.in_scope(|| {
                    let how = (options, proving);
                    prove_causes(&failure, file, how, &emit_own, &cancelled, ahead)
                });
                proof.map(|proof| {
                    emit_own(Event::Proved(proof));
                    RunResult { passed: false, code, held, failure: Some(failure), lag }
                })
            }
            (result, _) => result,
        };
        let mut ending = Ending::of(result, scenario.expectations.len(), policy);
        if is_last {
            if ending.outcome == Outcome::Passed && number > 1 {
                ending.outcome = Outcome::Flaky;
            }
            return ending;
        }
        emit_own(Event::TryFailed {
            number,
            outcome: ending.outcome,
            code: ending.code(),
            reason: ending.reason,
            took_ms: milliseconds(began),
        });
        number += 1;
    }
}

/// Whether a scenario did not pass, and might if it were tried again.
fn may_end_differently(result: &Result<RunResult, RunError>) -> bool {
    match result {
        Ok(result) => !result.passed,
        Err(RunError::Internal { .. }) => true,
        Err(RunError::TimedOut { code, .. }) => *code == run::SCENARIO_TIMED_OUT,
        Err(RunError::Unsupported { .. } | RunError::Interrupted) => false,
    }
}

/// Milliseconds since `began`.
pub(crate) fn milliseconds(began: Instant) -> f64 {
    labsim_event::milliseconds(began.elapsed())
}

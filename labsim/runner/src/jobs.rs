//! Scenarios side by side: a thread each, as many as there are jobs.

use crate::cancel::Cancelled;
use crate::fault::Fault;
use crate::{Options, Tell, Work, course};
use labsim_event::{Event, Outcome, Totals};
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Runs every scenario and tells how it went. Once `cancelled` says so, the running ones end as
/// soon as they can and the others do not begin.
pub fn run(work: &[Work], options: &Options, tell: Tell<'_>, cancelled: &Cancelled) -> Totals {
    let began = Instant::now();
    let jobs = options.jobs.get().min(work.len().max(1));
    tell(
        None,
        Event::RunStarted {
            version: env!("CARGO_PKG_VERSION"),
            scenarios: work.len(),
            jobs,
            rights: options.rights.clone(),
        },
    );
    let next = AtomicUsize::new(0);
    let totals = Mutex::new(Totals::default());
    let worker = || {
        while let Some(work) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
            let outcome = if cancelled.is_cancelled() {
                Outcome::Interrupted
            } else {
                one(work, options, tell, cancelled)
            };
            totals.lock().unwrap_or_else(PoisonError::into_inner).count(outcome);
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
    let totals = totals.into_inner().unwrap_or_else(PoisonError::into_inner);
    tell(None, Event::RunEnded { totals, took_ms: milliseconds(began) });
    totals
}

/// Tells of every scenario that it was skipped, because this machine gives no rights for any.
pub fn skip(work: &[Work], reason: &str, tell: Tell<'_>) -> Totals {
    let began = Instant::now();
    let (version, scenarios) = (env!("CARGO_PKG_VERSION"), work.len());
    tell(None, Event::RunStarted { version, scenarios, jobs: 0, rights: "none".into() });
    let mut totals = Totals::default();
    for work in work {
        let name = work.scenario.name.as_str();
        tell(Some(name), Event::ScenarioStarted { file: work.file.clone() });
        let (outcome, reason) = (Outcome::Skipped, Some(reason.to_owned()));
        let expectations = work.scenario.expectations.len();
        tell(
            Some(name),
            Event::ScenarioEnded { outcome, reason, held: 0, expectations, took_ms: 0.0 },
        );
        totals.count(outcome);
    }
    tell(None, Event::RunEnded { totals, took_ms: milliseconds(began) });
    totals
}

/// One scenario, from its first event to its last.
fn one(work: &Work, options: &Options, tell: Tell<'_>, cancelled: &Cancelled) -> Outcome {
    let began = Instant::now();
    let name = work.scenario.name.as_str();
    tell(Some(name), Event::ScenarioStarted { file: work.file.clone() });
    for warning in &work.warnings {
        tell(Some(name), Event::Warned { warning: warning.clone() });
    }
    let expectations = work.scenario.expectations.len();
    let (outcome, reason, held) = match course::run(work, options, tell, cancelled) {
        Ok(course::Judged { passed: true, held }) => (Outcome::Passed, None, held),
        Ok(course::Judged { passed: false, held }) => (Outcome::Failed, None, held),
        Err(fault) => {
            let outcome = match fault {
                Fault::Cannot(_) => Outcome::Skipped,
                Fault::Broken(_) => Outcome::Broken,
                Fault::Interrupted => Outcome::Interrupted,
            };
            (outcome, Some(fault.to_string()), 0)
        }
    };
    tell(
        Some(name),
        Event::ScenarioEnded { outcome, reason, held, expectations, took_ms: milliseconds(began) },
    );
    outcome
}

/// Milliseconds since `began`.
pub(crate) fn milliseconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1e3
}

//! `labsim exercise verify`.

use super::found::{self, FoundExercise};
use crate::args::LabArgs;
use crate::args::exercise::Verify;
use crate::exit::Exit;
use crate::{holding, output, signals};
use labsim_event::Totals;
use labsim_exercise::{Shown, States, complaints};
use labsim_runner::{
    Cancelled, Experiment, Options, Policy, RunError, cancellation, experiment, open_files,
};
use labsim_scenario::model::Scenario;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::Instant;

/// Runs every exercise in every state.
pub(crate) fn verify(args: &Verify) -> Exit {
    let found = found::named(&args.paths)
        .and_then(|all| all.into_iter().map(|it| it.with_seed(&args.seed)).collect());
    let exercises: Vec<FoundExercise> = match found {
        Ok(exercises) => exercises,
        Err(exit) => return exit,
    };
    let options = match privileged_options(&args.lab) {
        Ok(options) => options,
        Err(exit) => return exit,
    };
    let files = exercises.iter().map(|it| open_files(&it.loaded.healthy.scenario)).collect();
    let (jobs, lowered) = args.lab.jobs.choose(files, 1, labsim_lab::allow_open_files);
    if let Some(lowered) = lowered {
        output::error(lowered);
    }
    let cancelled = match cancelled_by_signals() {
        Ok(cancelled) => cancelled,
        Err(exit) => return exit,
    };
    let totals = all(&exercises, jobs, &options, &cancelled);
    output::line(format_args!(
        "{}: {} verified, {} failed, {} errors, {} skipped",
        counted(exercises.len()),
        totals.passed,
        totals.failed,
        totals.errors,
        totals.skipped
    ));
    if cancelled.is_cancelled() { Exit::Interrupted } else { Exit::of(&totals, false) }
}

/// `1 exercise`, `21 exercises`.
fn counted(exercises: usize) -> String {
    if exercises == 1 { "1 exercise".into() } else { format!("{exercises} exercises") }
}

/// Acquires what labs need, and says how those of exercises run. An error was printed.
pub(super) fn privileged_options(lab: &LabArgs) -> Result<Options, Exit> {
    let rights = holding::acquire_rights().map_err(|message| {
        output::error(message);
        Exit::CannotRun
    })?;
    Ok(Options {
        scenarios: None,
        jobs: NonZeroUsize::MIN,
        tunnel: lab.tunnel,
        engine: lab.engine,
        data_plane: lab.forwarding.data_plane.into(),
        pva: lab.forwarding.pva.map(Into::into),
        impairments: lab.impairments,
        program: std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into()),
        rights: rights.to_string(),
        policy: Policy::default(),
        proving: None,
    })
}

/// What a signal to end cancels. An error was printed.
pub(super) fn cancelled_by_signals() -> Result<Cancelled, Exit> {
    let (canceller, cancelled) = cancellation();
    signals::cancel_on_signal(canceller).map_err(|error| {
        output::error(format_args!("signals cannot be handled: {error}"));
        Exit::CannotRun
    })?;
    Ok(cancelled)
}

/// Several exercises at a time; a result is printed as soon as those before it are.
fn all(
    exercises: &[FoundExercise],
    jobs: NonZeroUsize,
    options: &Options,
    cancelled: &Cancelled,
) -> Totals {
    let next = AtomicUsize::new(0);
    let (sender, results) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..jobs.get().min(exercises.len()) {
            let (next, sender) = (&next, sender.clone());
            scope.spawn(move || {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(exercise) = exercises.get(place) else { break };
                    let began = Instant::now();
                    let ran = states(exercise, options, cancelled);
                    if sender.send((place, ran, began.elapsed().as_millis())).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        let mut totals = Totals::default();
        let mut early = std::collections::BTreeMap::new();
        let mut turn = 0;
        for (place, ran, took) in results {
            early.insert(place, (ran, took));
            while let Some((ran, took)) = early.remove(&turn) {
                if let Some(exercise) = exercises.get(turn) {
                    report(exercise, ran, took, &mut totals);
                }
                turn += 1;
            }
        }
        totals
    })
}

fn report(
    exercise: &FoundExercise,
    ran: Result<States, RunError>,
    took: u128,
    totals: &mut Totals,
) {
    let name = exercise.name();
    let states = match ran {
        Ok(states) => states,
        Err(RunError::Interrupted) => {
            totals.interrupted += 1;
            return;
        }
        Err(error @ RunError::Unsupported { .. }) => {
            totals.skipped += 1;
            output::line(format_args!("SKIP {name}: {error}"));
            return;
        }
        Err(error) => {
            totals.errors += 1;
            output::line(format_args!("ERROR {name}: {error}"));
            return;
        }
    };
    let complaints = complaints(&exercise.loaded.exercise, &states);
    if complaints.is_empty() {
        totals.passed += 1;
        let labs = 3 + states.tempted.len() + usize::from(states.as_hinted.is_some());
        output::line(format_args!("PASS {name}: {labs} labs, {took} ms"));
    } else {
        totals.failed += 1;
        let mut text = format!("FAIL {name}\n");
        for complaint in complaints {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "  {complaint}");
        }
        output::text(text);
    }
}

/// Runs all states of an exercise, one after the other.
fn states(
    exercise: &FoundExercise,
    options: &Options,
    cancelled: &Cancelled,
) -> Result<States, RunError> {
    let run = |scenario: &Scenario| experiment(scenario, options, cancelled).map(shown);
    let loaded = &exercise.loaded;
    let healthy = run(&loaded.healthy.scenario)?;
    let broken = run(&loaded.broken.scenario)?;
    let repaired = run(&loaded.repaired)?;
    let tempted = loaded.tempted.iter().map(run).collect::<Result<_, _>>()?;
    let as_hinted = as_hinted(exercise, &broken, run)?;
    Ok(States { healthy, broken, repaired, tempted, as_hinted })
}

/// The broken lab with each way to repair it that the last hint names, up to the first that passes. If
/// none does, what the first one showed.
fn as_hinted(
    exercise: &FoundExercise,
    broken: &Shown,
    run: impl Fn(&Scenario) -> Result<Shown, RunError>,
) -> Result<Option<Shown>, RunError> {
    let fix = broken.causes.first().map(|suspect| &suspect.record.fix);
    let ways = fix.into_iter().flat_map(|fix| std::iter::once(fix).chain(&fix.alternatives));
    let mut first = None;
    for change in ways.map(|fix| &fix.change).filter(|change| !change.is_empty()) {
        let shown = match exercise.opened.load_broken_with(&change.to_string()) {
            Ok(scenario) => run(&scenario)?,
            Err(errors) => {
                let error = errors.iter().next().map(|error| error.message.clone());
                Shown { unmet: error.into_iter().collect(), ..Shown::default() }
            }
        };
        if shown.passed {
            return Ok(Some(shown));
        }
        first.get_or_insert(shown);
    }
    Ok(first)
}

/// With the sentences of expectations before problems of the run itself.
pub(crate) fn shown(experiment: Experiment) -> Shown {
    let Experiment { passed, unmet, causes } = experiment;
    let (problems, unmet): (Vec<_>, Vec<_>) =
        unmet.into_iter().partition(|result| result.name.is_empty());
    let unmet = unmet.into_iter().chain(problems).map(|result| result.sentence).collect();
    Shown { passed, unmet, causes }
}

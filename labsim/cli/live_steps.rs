//! `labsim step` and `check`: steps of a scenario in a lab that is up.

use crate::args::{self, LogArgs};
use crate::exit::Exit;
use crate::live::fail;
use crate::prediction::compared;
use crate::{execute, output, progress, signals};
use labsim_event::{Event, Totals};
use labsim_live::{Lab, LabName, LabsFolder, LiveError, StepWalk, Work, WorkEvent, Working};
use labsim_report::{Again, Sinks};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Runs one step, and prints how it ended.
pub(crate) fn step(args: &args::StepArgs, log: &LogArgs) -> Exit {
    let work = args.step.clone().map_or(Work::NextStep, Work::Step);
    let predicted = args.predict.as_deref();
    let lab = find(args.name.as_ref());
    lab.map_or_else(|error| fail(&error), |lab| steps(&lab, work, predicted, log))
}

/// Runs the steps before one, in a lab that is new.
pub(crate) fn steps_before(folder: &LabsFolder, name: &LabName, step: &str, log: &LogArgs) -> Exit {
    let work = Work::StepsBefore(step.to_owned());
    // No thread can be started by what has started the holder: a signal ends this process, and with it
    // the steps.
    let follow = |lab: &Lab| {
        let consume = &mut |event| print_work(&event, log.verbose > 0, None);
        read_events(&mut lab.work(work)?, consume)
    };
    match Lab::find(folder, Some(name)).and_then(|lab| follow(&lab)) {
        Ok(()) => Exit::Success,
        Err(error) => fail(&error),
    }
}

/// Runs all steps, and prints the verdict.
pub(crate) fn check(args: &args::Check, log: &LogArgs) -> Exit {
    let checked = find(args.name.as_ref()).and_then(|lab| {
        let file = lab.status()?.file;
        let name = lab.name().as_str();
        let again = Again::Command(format!("labsim check {name}"));
        let sinks = Sinks::new(vec![execute::terminal(log, false, 0, again)]);
        let emit = |scenario: Option<&str>, event| sinks.emit(scenario, event);
        let began = Instant::now();
        // As of a run of one scenario, whose lab is built already.
        let version = env!("CARGO_PKG_VERSION").to_owned();
        emit(
            None,
            Event::RunStarted { version, scenarios: Some(1), jobs: 1, rights: String::new() },
        );
        emit(Some(name), Event::ScenarioStarted { file });
        let mut totals = Totals::default();
        let interrupt = Interrupt::on_signal()?;
        let interrupted = follow(&lab, Work::Check, &interrupt, &mut |event| {
            let WorkEvent::Event(event) = event else { return };
            if let Event::ScenarioEnded { outcome, .. } = &*event {
                totals.count(*outcome);
            }
            emit(Some(name), *event);
        });
        let took_ms = labsim_event::milliseconds(began.elapsed());
        let ended = Event::RunEnded { totals, ended_early: None, took_ms };
        match interrupted {
            Ok(false) => {
                emit(None, ended);
                Ok(Exit::of(&totals, false))
            }
            Ok(true) => Ok(Exit::Interrupted),
            Err(error) => Err(error),
        }
    });
    checked.unwrap_or_else(|error| fail(&error))
}

fn steps(lab: &Lab, work: Work, predicted: Option<&str>, log: &LogArgs) -> Exit {
    let all = log.verbose > 0;
    let consume = &mut |event| print_work(&event, all, predicted);
    let followed = Interrupt::on_signal();
    let followed = followed.and_then(|interrupt| follow(lab, work, &interrupt, consume));
    match followed {
        Ok(false) => Exit::Success,
        Ok(true) => Exit::Interrupted,
        Err(error) => fail(&error),
    }
}

/// Prints what happens while a step is run, and at last the way of its packets.
fn print_work(event: &WorkEvent, all: bool, predicted: Option<&str>) {
    match event {
        WorkEvent::Event(event) => print(event, all),
        // Of changes, which are no steps.
        WorkEvent::Warned(_) => {}
        WorkEvent::Walked(StepWalk { lines, source_seen }) => {
            for line in lines {
                output::visible_line(format_args!("  {line}"));
            }
            if predicted.is_some() {
                output::visible_line(format_args!("  {}", compared(predicted, *source_seen)));
            }
        }
    }
}

/// What is printed of a step.
pub(crate) fn print(event: &Event, all: bool) {
    match event {
        Event::StepStarted { step, what } if all => {
            output::line(format_args!("step {step}: {what}"));
        }
        Event::StepWaits { step, found } => output::line(format_args!("step {step}: {found}")),
        Event::ServerLogged { node, line, .. } if all => {
            output::line(format_args!("  {node}: {line}"))
        }
        Event::StepEnded { step, result, detail, took_ms, .. } => {
            output::line(format_args!("step {step}: {result}: {detail}; {took_ms:.0} ms"));
        }
        Event::Diagnosed { findings, .. } => {
            for finding in findings {
                output::line(format_args!("  {finding}"));
                if let Some(fix) = &finding.fix {
                    output::line(format_args!("  fix: {fix}"));
                }
            }
        }
        _ => {}
    }
}

fn find(name: Option<&LabName>) -> Result<Lab, LiveError> {
    Lab::find(&LabsFolder::of_user(), name)
}

/// What a signal does to work in a lab: it interrupts it, and the lab stays up.
#[derive(Default)]
pub(crate) struct Interrupt {
    happened: AtomicBool,
    /// That of the work which is done now.
    connection: Mutex<Option<UnixStream>>,
}

impl Interrupt {
    /// Handles signals from now on, once in a process.
    pub(crate) fn on_signal() -> Result<Arc<Self>, LiveError> {
        let interrupt = Arc::new(Self::default());
        let handled = Arc::clone(&interrupt);
        let installed = signals::on_signal(move || {
            handled.happened.store(true, Ordering::Relaxed);
            if let Some(connection) = &*handled.connection() {
                let _ = connection.shutdown(Shutdown::Both);
            }
        });
        match installed {
            Ok(()) => Ok(interrupt),
            Err(error) => Err(LiveError::Failed(format!("signals cannot be handled: {error}"))),
        }
    }

    /// Whether there was a signal.
    pub(crate) fn happened(&self) -> bool {
        self.happened.load(Ordering::Relaxed)
    }

    fn connection(&self) -> MutexGuard<'_, Option<UnixStream>> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Has work done, and gives what happens to `consume`. A signal interrupts it, and then this says that the lab
/// stays up, and returns `true`.
pub(crate) fn follow(
    lab: &Lab,
    work: Work,
    interrupt: &Interrupt,
    consume: &mut dyn FnMut(WorkEvent),
) -> Result<bool, LiveError> {
    let mut working = lab.work(work)?;
    *interrupt.connection() = working.connection().ok();
    let read = if interrupt.happened() {
        Err(LiveError::EndedMeanwhile(lab.name().clone()))
    } else {
        read_events(&mut working, consume)
    };
    *interrupt.connection() = None;
    if read.is_err() {
        progress::erase();
    }
    match read {
        Err(LiveError::EndedMeanwhile(_)) if interrupt.happened() => {
            output::error(format_args!("interrupted; the lab `{}` stays up", lab.name()));
            Ok(true)
        }
        read => read.map(|()| false),
    }
}

/// Gives what happens to `consume`, until the work is done.
fn read_events(
    working: &mut Working<'_>,
    consume: &mut dyn FnMut(WorkEvent),
) -> Result<(), LiveError> {
    while let Some(event) = working.next_event()? {
        consume(event);
    }
    Ok(())
}

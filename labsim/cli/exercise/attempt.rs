//! Runs a student's lab, and says what it is worth.

use super::found::{self, FoundExercise};
use super::journal::Journal;
use super::verify::{cancelled_by_signals, privileged_options, shown};
use crate::args::exercise::Check;
use crate::exit::Exit;
use crate::{load, output};
use labsim_exercise::{Action, Hints, Shown, Stage};
use labsim_runner::{RunError, experiment, open_files};
use labsim_scenario::model::Scenario;
use labsim_yaml::{Document, Source};

/// Keys of a scenario that a repair cannot have: what is asked, and what is expected of it.
const NOT_IN_REPAIRS: [&str; 5] = ["extends", "exercise", "steps", "expect", "conversations"];

/// Says whether the lab is repaired, and if not, the first thing that does not hold.
pub(crate) fn check(args: &Check) -> Exit {
    let (exercise, mut journal, shown) = match run(args) {
        Ok(ran) => ran,
        Err(exit) => return exit,
    };
    let name = exercise.name().to_string();
    journal.add(&name, Action::Check { passed: shown.passed });
    if !shown.passed {
        let first = shown.unmet.first().map_or("the lab does not pass", String::as_str);
        output::line(format_args!("Not yet: {first}"));
        return Exit::Failed;
    }
    let it = &exercise.loaded.exercise;
    output::line(format_args!("Repaired: {}", it.goal));
    if !journal.standing_of(&name).cause_named {
        output::line(format_args!("Name the cause: labsim exercise cause {name} CODE NODE"));
    }
    if let Some(misconception) = it.misconception {
        output::line(format_args!("\nOften said, and wrong: \"{}\"", misconception.sentence()));
    }
    output::line(format_args!("\n{}", it.lesson));
    Exit::Success
}

/// Gives the next hint.
pub(crate) fn hint(args: &Check) -> Exit {
    let (exercise, mut journal, shown) = match run(args) {
        Ok(ran) => ran,
        Err(exit) => return exit,
    };
    let name = exercise.name().to_string();
    match Hints::of(&shown) {
        Some(hints) => {
            let stage = Stage::after(journal.standing_of(&name).hints_in_this_lab);
            journal.add(&name, Action::Hint);
            output::line(hints.text(stage));
        }
        None => output::line("All expectations hold: labsim exercise check says so."),
    }
    Exit::Success
}

/// Runs the broken lab, with the repair if there is one.
fn run(args: &Check) -> Result<(FoundExercise, Journal, Shown), Exit> {
    let exercise = found::one(&args.name.exercise)?;
    let scenario = match &args.repair {
        None => exercise.loaded.broken.clone(),
        Some(path) => {
            let source = Source::open(path).map_err(|errors| load::reject(&errors))?;
            repaired(&exercise, &source)?
        }
    };
    // Before the process gets other rights.
    let journal = Journal::open();
    let options = privileged_options(&args.lab)?;
    labsim_lab::allow_open_files(open_files(&scenario));
    let cancelled = cancelled_by_signals()?;
    match experiment(&scenario, &options, &cancelled) {
        Ok(ran) => Ok((exercise, journal, shown(ran))),
        Err(RunError::Interrupted) => Err(Exit::Interrupted),
        Err(error) => {
            output::error(&error);
            let unsupported = matches!(error, RunError::Unsupported { .. });
            Err(if unsupported { Exit::CannotRun } else { Exit::Failed })
        }
    }
}

/// The broken lab with a repair.
fn repaired(exercise: &FoundExercise, source: &Source) -> Result<Scenario, Exit> {
    let document = Document::parse(source.clone());
    let wrong: Vec<&str> = document.keys().filter(|key| NOT_IN_REPAIRS.contains(key)).collect();
    if !wrong.is_empty() {
        let name = source.name();
        let wrong = wrong.join("`, `");
        output::error(format_args!(
            "{name}: a repair cannot change `{wrong}`: it is judged by them; change the lab"
        ));
        return Err(Exit::Invalid);
    }
    let read = exercise.opened.load_broken_with_source(source.clone());
    read.map_err(|errors| load::reject(&errors))
}

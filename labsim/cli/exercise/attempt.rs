//! Has a student's repair judged, in the lab that is up or in one of its own, and says what it is worth.

use super::found::{self, FoundExercise};
use super::journal::Journal;
use super::lab::{self, ExerciseLab};
use super::verify::{cancelled_by_signals, privileged_options, shown};
use crate::args::exercise::Check;
use crate::exit::Exit;
use crate::live::fail;
use crate::live_steps::Interrupt;
use crate::{load, output};
use labsim_exercise::{Action, Hints, Shown, Stage};
use labsim_live::Lab;
use labsim_runner::{RunError, experiment, open_files};
use labsim_scenario::model::Scenario;
use labsim_yaml::{Document, Source};

/// Keys of a scenario that a repair cannot have: what is asked, and what is expected of it.
const NOT_IN_REPAIRS: [&str; 5] = ["extends", "exercise", "steps", "expect", "conversations"];

/// What was judged.
struct Attempt {
    exercise: FoundExercise,
    journal: Journal,
    shown: Shown,
    /// The lab that it was judged in, if that stays up.
    lab: Option<Lab>,
}

/// Says whether the lab is repaired, and if not, the first thing that does not hold.
pub(crate) fn check(args: &Check) -> Exit {
    let Attempt { exercise, mut journal, shown, lab } = match run(args) {
        Ok(ran) => ran,
        Err(exit) => return exit,
    };
    let name = exercise.name().to_string();
    journal.add(&name, Action::Check { passed: shown.passed });
    if !shown.passed {
        say_unmet(&shown);
        return Exit::Failed;
    }
    say_repaired(&exercise, &journal, lab.as_ref());
    Exit::Success
}

/// The first thing that does not hold, and no more.
pub(super) fn say_unmet(shown: &Shown) {
    let first = shown.unmet.first().map_or("the lab does not pass", String::as_str);
    output::line(format_args!("Not yet: {first}"));
}

/// What is learned from a repair.
pub(super) fn say_repaired(exercise: &FoundExercise, journal: &Journal, lab: Option<&Lab>) {
    let (name, it) = (exercise.name().to_string(), &exercise.loaded.exercise);
    output::line(format_args!("Repaired: {}", it.goal));
    if !journal.standing_of(&name).cause_named {
        output::line(format_args!("Name the cause: labsim exercise cause {name} CODE NODE"));
    }
    if let Some(lab) = lab {
        say_changes(lab);
    }
    output::line("\nA repair that the exercise has:");
    for line in exercise.opened.change_of("fix").unwrap_or_default().lines() {
        output::line(format_args!("  {line}"));
    }
    if let Some(misconception) = it.misconception {
        output::line(format_args!("\nOften said, and wrong: \"{}\"", misconception.sentence()));
    }
    output::line(format_args!("\n{}", it.lesson));
    if lab.is_some() {
        output::line(format_args!("\nThe lab stays up: labsim down {name}"));
    }
}

/// What the student changed, as far as labsim sees it.
fn say_changes(lab: &Lab) {
    match lab::changes(lab) {
        Ok(changes) if changes.is_empty() => output::line(
            "\nYou changed nothing in devices, addresses, routes, sysctls and packet filters, and nothing in \
             what the load balancer and the built-in servers are configured with, which is all that is \
             compared.",
        ),
        Ok(changes) => {
            output::line("\nYou changed:");
            for change in changes {
                output::visible_line(format_args!("  {change}"));
            }
        }
        Err(error) => output::error(error),
    }
}

/// Gives the next hint.
pub(crate) fn hint(args: &Check) -> Exit {
    let Attempt { exercise, mut journal, shown, .. } = match run(args) {
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

/// Runs the steps: in a lab of its own if there is a repair, else in the one that is up, else in a broken
/// one of its own.
fn run(args: &Check) -> Result<Attempt, Exit> {
    // Before the process gets other rights.
    let journal = Journal::open();
    let exercise = found::one(&args.name.exercise, &journal)?;
    let scenario = match &args.repair {
        None => match ExerciseLab::of(&exercise)?.find()? {
            None => exercise.loaded.broken.scenario.clone(),
            Some(lab) => {
                let judged = Interrupt::on_signal().and_then(|it| lab::judge(&lab, &it));
                let judged = judged.map_err(|error| fail(&error))?;
                let shown = judged.ok_or(Exit::Interrupted)?;
                return Ok(Attempt { exercise, journal, shown, lab: Some(lab) });
            }
        },
        Some(path) => {
            let source = Source::open(path).map_err(|errors| load::reject(&errors))?;
            repaired(&exercise, &source)?
        }
    };
    let options = privileged_options(&args.lab)?;
    labsim_lab::allow_open_files(open_files(&scenario));
    let cancelled = cancelled_by_signals()?;
    match experiment(&scenario, &options, &cancelled) {
        Ok(ran) => Ok(Attempt { exercise, journal, shown: shown(ran), lab: None }),
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

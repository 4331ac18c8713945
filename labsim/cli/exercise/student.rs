//! What a student asks for without a check: the list, the story with its lab, whether a cause is right, the
//! solution.

use super::found::{self, FoundExercise};
use super::journal::Journal;
use super::lab::ExerciseLab;
use crate::args::exercise::{Cause, Name, Start};
use crate::exit::Exit;
use crate::{args, output, restart};
use labsim_codes::{Code, cause};
use labsim_exercise::Action;
use labsim_live::LabsFolder;
use labsim_model::{known_names, quote};
use labsim_yaml::meant;
use std::fmt::Write as _;

/// The exercises, in their order.
pub(crate) fn list() -> Exit {
    let exercises = match found::shipped() {
        Ok(exercises) => exercises,
        Err(exit) => return exit,
    };
    let standing = Journal::open().standing();
    let name = |it: &FoundExercise| it.name().to_string();
    let width = exercises.iter().map(|it| name(it).len()).max().unwrap_or_default();
    for exercise in &exercises {
        let name = name(exercise);
        let state = standing.get(&name).map_or("open", |standing| standing.word());
        let title = &exercise.loaded.exercise.title;
        output::line(format_args!("{name:width$}  {state:14}  {title}"));
    }
    Exit::Success
}

/// The story, and the lab.
pub(crate) fn start(args: &Start) -> Exit {
    let mut journal = Journal::open();
    let found = started(args, &journal).and_then(|exercise| {
        let lab = ExerciseLab::of(&exercise)?;
        Ok((lab.find()?.is_some(), lab, exercise))
    });
    let (is_up, lab, exercise) = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let (name, it) = (exercise.name().to_string(), &exercise.loaded.exercise);
    output::text(format!("{}\n\n{}\n\nGoal: {}\n\n", it.title, it.story, it.goal));
    if is_up {
        output::line(format_args!(
            "{name} is up, as you left it; labsim exercise reset {name} breaks it again"
        ));
        return Exit::Success;
    }
    journal.add(&name, Action::Start { seed: seed_of(args, &journal, &name) });
    let lab_name = lab.name().clone();
    if let Err(exit) = lab.start() {
        return exit;
    }
    let is_only = LabsFolder::of_user().find(None).is_ok();
    let which = if is_only { String::new() } else { format!(" --name {lab_name}") };
    output::text(format!(
        "\nLook around, repair it, have it checked:\n    labsim shell{which} NODE\n    \
         labsim exercise check {name}\nWhat no shell can change, the configuration of the load balancer and the \
         built-in servers:\n    labsim set{which} load_balancers 'lb: {{...}}'     (labsim help set)\n"
    ));
    Exit::Success
}

/// The exercise that is asked for, or chosen by the seed, with the seed's servers and addresses.
fn started(args: &Start, journal: &Journal) -> Result<FoundExercise, Exit> {
    let exercise = match (&args.exercise, &args.seed) {
        (Some(wanted), _) => found::as_shipped(wanted)?,
        (None, Some(seed)) => found::chosen_by(seed)?,
        (None, None) => {
            output::error(
                "name an exercise (labsim exercise list), or give a seed that chooses one (--seed TEXT)",
            );
            return Err(Exit::Invalid);
        }
    };
    let seed = seed_of(args, journal, exercise.name().as_str());
    exercise.with_seed(&seed)
}

/// The seed that is given, else that of the last start.
fn seed_of(args: &Start, journal: &Journal, name: &str) -> String {
    args.seed.clone().unwrap_or_else(|| journal.standing_of(name).seed)
}

/// The lab, broken as it was at the start.
pub(crate) fn reset(args: &Name) -> Exit {
    let mut journal = Journal::open();
    let found = found::one(&args.exercise, &journal)
        .and_then(|exercise| Ok((ExerciseLab::of(&exercise)?.up()?, exercise)));
    let (lab, exercise) = match found {
        Ok(found) => found,
        Err(exit) => return exit,
    };
    let restarted = restart::restart(&args::Restart { name: Some(lab.name().clone()) });
    if restarted == Exit::Success {
        journal.add(exercise.name().as_str(), Action::Reset);
    }
    restarted
}

/// Whether a cause is the exercise's.
pub(crate) fn cause(args: &Cause) -> Exit {
    let mut journal = Journal::open();
    let exercise = match found::one(&args.name.exercise, &journal) {
        Ok(exercise) => exercise,
        Err(exit) => return exit,
    };
    if !cause::all().any(|code| code.name() == args.code) {
        let meant = meant(&args.code, cause::all().map(Code::name));
        let meant = meant.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
        let code = args.code.escape_debug();
        output::error(format_args!("unknown cause `{code}`{meant} `labsim help codes` lists all"));
        return Exit::Invalid;
    }
    let nodes = &exercise.loaded.broken.scenario.topology.nodes;
    if !nodes.iter().any(|node| node.name.as_str() == args.node) {
        let nodes = nodes.iter().map(|node| node.name.as_str());
        let known = known_names(&args.node, "its nodes", nodes);
        output::error(format_args!("the lab has no node {}; {known}", quote(&args.node)));
        return Exit::Invalid;
    }
    let expected = &exercise.loaded.exercise.cause;
    let right = expected.code.name() == args.code && expected.node.as_str() == args.node;
    let name = exercise.name().to_string();
    let (code, node) = (args.code.clone(), Some(args.node.clone()));
    journal.add(&name, Action::Cause { code, node, right });
    if right {
        output::line(format_args!("Right: {expected}. labsim help {} explains it.", expected.code));
        Exit::Success
    } else {
        output::line(format_args!("No: what is wrong here is not {} at {}.", args.code, args.node));
        Exit::Failed
    }
}

/// What is wrong, and how it is repaired.
pub(crate) fn solution(args: &Name) -> Exit {
    let mut journal = Journal::open();
    let exercise = match found::one(&args.exercise, &journal) {
        Ok(exercise) => exercise,
        Err(exit) => return exit,
    };
    let (name, it) = (exercise.name().to_string(), &exercise.loaded.exercise);
    journal.add(&name, Action::Solution);
    let part = |key| exercise.opened.change_of(key).unwrap_or_default();
    let mut text = format!("{}: {}\n\n# what is wrong: {}\n", name, it.title, it.cause);
    text.push_str(&part("break"));
    let _ = write!(text, "\n# a repair\n{}", part("fix"));
    for tempting in &it.tempting {
        let _ = writeln!(text, "\nNo repair: {}. {}", tempting.name, tempting.why);
    }
    let _ = writeln!(text, "\n{}", it.lesson);
    output::text(text);
    Exit::Success
}

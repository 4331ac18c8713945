//! What a student asks for without a lab: the list, the story, whether a cause is right, the solution.

use super::found::{self, FoundExercise};
use super::journal::Journal;
use crate::args::exercise::{Cause, Name};
use crate::exit::Exit;
use crate::output;
use labsim_codes::{Code, cause};
use labsim_exercise::Action;
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

/// The story.
pub(crate) fn start(args: &Name) -> Exit {
    let exercise = match found::one(&args.exercise) {
        Ok(exercise) => exercise,
        Err(exit) => return exit,
    };
    let (name, it) = (exercise.name().to_string(), &exercise.loaded.exercise);
    Journal::open().add(&name, Action::Start);
    output::text(format!(
        "{}\n\n{}\n\nGoal: {}\n\nNext: labsim exercise check {name}\n",
        it.title, it.story, it.goal
    ));
    Exit::Success
}

/// Whether a cause is the exercise's.
pub(crate) fn cause(args: &Cause) -> Exit {
    let exercise = match found::one(&args.name.exercise) {
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
    let nodes = &exercise.loaded.broken.topology.nodes;
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
    Journal::open().add(&name, Action::Cause { code, node, right });
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
    let exercise = match found::one(&args.exercise) {
        Ok(exercise) => exercise,
        Err(exit) => return exit,
    };
    let (name, it) = (exercise.name().to_string(), &exercise.loaded.exercise);
    Journal::open().add(&name, Action::Solution);
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

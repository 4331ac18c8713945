//! `labsim exercise`.

mod attempt;
mod class;
mod found;
mod journal;
mod lab;
mod student;
mod verify;
mod watch;

pub(crate) use class::class;

use crate::args::{self, ExerciseCommand};
use crate::exit::Exit;

/// Does what is asked with exercises.
pub(crate) fn exercise(args: &args::Exercise) -> Exit {
    match &args.command {
        ExerciseCommand::List => student::list(),
        ExerciseCommand::Start(args) => student::start(args),
        ExerciseCommand::Check(args) => attempt::check(args),
        ExerciseCommand::Watch(args) => watch::watch(args),
        ExerciseCommand::Reset(args) => student::reset(args),
        ExerciseCommand::Hint(args) => attempt::hint(args),
        ExerciseCommand::Cause(args) => student::cause(args),
        ExerciseCommand::Solution(args) => student::solution(args),
        ExerciseCommand::Verify(args) => verify::verify(args),
    }
}

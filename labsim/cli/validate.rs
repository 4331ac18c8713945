//! `labsim validate`.

use crate::exit::Exit;
use crate::{args, load, say};

/// Reads every file, and says for each whether it is valid; all mistakes are told.
pub(crate) fn validate(args: &args::Validate) -> Exit {
    let files = match load::named(&args.paths) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let mut mistakes = 0;
    for file in &files {
        match labsim_scenario::load(file).map(|_| "") {
            Ok(summary) => say::line(format_args!("{}: valid {summary}", file.display())),
            Err(found) => {
                mistakes += found.len();
                say::mistakes(found);
            }
        }
    }
    if mistakes > 0 {
        say::problem(load::total(mistakes));
        return Exit::Invalid;
    }
    Exit::Success
}

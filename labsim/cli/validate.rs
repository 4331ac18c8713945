//! `labsim validate`.

use crate::exit::Exit;
use crate::{args, load, say};
use labsim_scenario::{Kind, Validated};

/// Reads every file, and says for each whether it is valid; all mistakes and warnings are told.
pub(crate) fn validate(args: &args::Validate) -> Exit {
    let files = match load::named(&args.paths) {
        Ok(files) => files,
        Err(exit) => return exit,
    };
    let mut mistakes = 0;
    for file in &files {
        match labsim_scenario::validate(file) {
            Ok(Validated { kind, warnings }) => {
                say::line(format_args!("{}: a valid {}", file.display(), name(kind)));
                for warning in &warnings {
                    say::line(format_args!("  ! {}", load::in_a_line(warning)));
                }
            }
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

fn name(kind: Kind) -> &'static str {
    match kind {
        Kind::Topology => "topology",
        Kind::Scenario => "scenario",
    }
}

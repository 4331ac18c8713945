//! `labsim watch`: what happens in a lab that is up, a line each, as it happens.

use crate::args;
use crate::exit::Exit;
use crate::live::fail;
use crate::output;
use labsim_live::{Lab, LabsFolder, LiveError, Watched};
use labsim_model::count_of;
use std::io::{self, Write as _};

/// Prints until the lab ends or its output is closed; a signal ends the process.
pub(crate) fn watch(args: &args::LabName) -> Exit {
    let lab = match Lab::find(&LabsFolder::of_user(), args.name.as_ref()) {
        Ok(lab) => lab,
        Err(error) => return fail(&error),
    };
    let mut watching = match lab.watch() {
        Ok(watching) => watching,
        Err(error) => return fail(&error),
    };
    loop {
        let line = match watching.next_event() {
            Ok(Watched::Begun) => format!("watching {}; Ctrl-C ends it", lab.name()),
            Ok(Watched::Happened { at_ms, text }) => {
                // A line each, whatever it holds.
                let text = text.replace('\n', " ");
                format!("{}.{:03} {text}", at_ms / 1000, at_ms % 1000)
            }
            Ok(Watched::Lost(lines)) => {
                let lines = count_of(usize::try_from(lines).unwrap_or(usize::MAX), "line");
                format!("({lines} lost, as they came faster than they were read)")
            }
            Err(LiveError::EndedMeanwhile(name)) => {
                output::error(format_args!("the lab `{name}` has ended"));
                return Exit::Success;
            }
            Err(error) => return fail(&error),
        };
        // Nobody reads any more.
        if writeln!(io::stdout(), "{}", output::visible(line)).is_err() {
            return Exit::Success;
        }
    }
}

//! `labsim restart`: a lab is built again from what it was made of, and takes its own place when all of it
//! runs.

use crate::args;
use crate::exit::Exit;
use crate::holding::{self, Outcome, Place, Started};
use crate::live::fail;
use crate::{load, output};
use labsim_live::{Lab, LabsFolder, end};
use labsim_scenario::Input;
use std::io::Write as _;
use std::time::Instant;

/// Builds the lab again, ends the earlier one, and waits until the new one has its name.
pub(crate) fn restart(args: &args::Restart) -> Exit {
    let began = Instant::now();
    if let Err(exit) = holding::close_callers_files() {
        return exit;
    }
    // Before the process moves into a user namespace.
    let folder = LabsFolder::of_user();
    let found = Lab::find(&folder, args.name.as_ref()).and_then(|lab| Ok((lab.origin()?, lab)));
    let (origin, lab) = match found {
        Ok(found) => found,
        Err(error) => return fail(&error),
    };
    let path = origin.first_source();
    let input = Input::InMemory { sources: &origin.sources, path: &path };
    let scenario = match labsim_scenario::load(input) {
        Ok(loaded) => loaded.scenario,
        Err(diagnostics) => return load::reject(&diagnostics),
    };
    let name = lab.name().clone();
    let kept = format!("the lab `{name}` cannot be built again, and stays up as it was");
    let rights = match holding::acquire_rights() {
        Ok(rights) => rights,
        Err(message) => {
            output::error(format_args!("{kept}: {message}"));
            return Exit::CannotRun;
        }
    };
    let held = holding::held(&scenario, origin, rights);
    let Started { mut outcomes, mut go_on } =
        match holding::start(&held, Place::Earlier(folder, name.clone())) {
            Ok(started) => started,
            Err(error) => {
                output::error(format_args!("{kept}: no process can hold it: {error}"));
                return Exit::CannotRun;
            }
        };
    match Outcome::read(&mut outcomes) {
        Outcome::Built => {}
        Outcome::Unsupported(reason) => {
            output::error(format_args!("{kept}: {reason}"));
            return Exit::CannotRun;
        }
        Outcome::Failed(reason) => {
            output::error(format_args!("{kept}: {reason}"));
            return Exit::Failed;
        }
        Outcome::Ready => {
            output::error(format_args!("{kept}: its holder did not wait"));
            return Exit::Failed;
        }
    }
    // The new one ends with this process, unless it is told to go on.
    if let Err(error) = end(lab) {
        output::error(format_args!("the lab `{name}` was not built again: {error}"));
        return Exit::CannotRun;
    }
    let reason = match go_on.write_all(&[0]).map(|()| Outcome::read(&mut outcomes)) {
        Ok(Outcome::Ready) => {
            let (nodes, took) = (holding::nodes(&scenario), began.elapsed().as_millis());
            output::line(format_args!("{name} is up again: {nodes} in {took} ms"));
            return Exit::Success;
        }
        Ok(Outcome::Failed(reason) | Outcome::Unsupported(reason)) => reason,
        Ok(Outcome::Built) => "its holder waits for ever".to_owned(),
        Err(error) => format!("its holder has ended: {error}"),
    };
    output::error(format_args!(
        "the lab `{name}` has ended, and the new one cannot take its place: {reason}"
    ));
    Exit::Failed
}

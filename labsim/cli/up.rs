//! `labsim up`.

use crate::args::{self, LogArgs};
use crate::exit::Exit;
use crate::holding::{self, Outcome, Place, word};
use crate::{live_steps, load, output};
use labsim_live::{Claim, LabName, LabsFolder, Origin, no_step};
use labsim_scenario::model::Scenario;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Reads the file, then leaves the lab to a process that holds it, and waits until all of it runs.
pub(crate) fn up(args: &args::Up, log: &LogArgs) -> Exit {
    let began = Instant::now();
    let (scenario, sources) = match load::scenario_and_sources(&args.file) {
        Ok(read) => read,
        Err(exit) => return exit,
    };
    if let Some(step) = &args.at
        && !scenario.steps.iter().any(|it| it.name.as_str() == step)
    {
        let (file, missing) = (args.file.display(), no_step(step, &scenario.steps));
        output::error(format_args!("{file} has no {missing}"));
        return Exit::Invalid;
    }
    let name = args.name.clone().map_or_else(|| LabName::of_file(&args.file), Ok);
    if let Err(exit) = holding::close_callers_files() {
        return exit;
    }
    // Before the process moves into a user namespace.
    let claim = match name.and_then(|name| LabsFolder::of_user().claim(&name)) {
        Ok(claim) => claim,
        Err(error) => {
            output::error(error);
            return Exit::Invalid;
        }
    };
    let origin = Origin {
        file: shown(&args.file),
        sources,
        tunnel: word(&args.tunnel),
        impairments: word(&args.impairments),
        data_plane: word(&args.forwarding.data_plane),
        pva: args.forwarding.pva.as_ref().map(word),
        keep_mib: args.keep,
    };
    let (folder, name) = (claim.folder().clone(), claim.name().clone());
    match (build(&scenario, origin, claim, began), &args.at) {
        (Ok(()), Some(step)) => live_steps::steps_before(&folder, &name, step, log),
        (Ok(()), None) => Exit::Success,
        (Err(exit), _) => exit,
    }
}

/// Leaves a lab to a process that holds it, waits until all of it runs, and prints that. Otherwise an error
/// was printed.
pub(crate) fn build(
    scenario: &Scenario,
    origin: Origin,
    claim: Claim,
    began: Instant,
) -> Result<(), Exit> {
    let rights = match holding::acquire_rights() {
        Ok(rights) => rights,
        Err(message) => {
            claim.release();
            output::error(message);
            return Err(Exit::CannotRun);
        }
    };
    let name = claim.name().clone();
    let held = holding::held(scenario, origin, rights);
    let mut started = holding::start(&held, Place::Claimed(claim)).map_err(|error| {
        output::error(format_args!("no process can hold the lab: {error}"));
        Exit::CannotRun
    })?;
    let (exit, message) = match Outcome::read(&mut started.outcomes) {
        Outcome::Built | Outcome::Ready => {
            let (nodes, took) = (holding::nodes(scenario), began.elapsed().as_millis());
            output::line(format_args!("{name} is up: {nodes} in {took} ms"));
            return Ok(());
        }
        Outcome::Unsupported(message) => (Exit::CannotRun, message),
        Outcome::Failed(message) => (Exit::Failed, message),
    };
    output::error(message);
    Err(exit)
}

/// A file's path from everywhere, as text.
fn shown(file: &Path) -> PathBuf {
    let path = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    path.to_string_lossy().into_owned().into()
}

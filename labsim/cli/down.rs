//! `labsim down`: the end of labs, with what there is of them written before.

mod keep;

use crate::args;
use crate::exit::Exit;
use crate::live::fail;
use crate::output;
use labsim_live::{Lab, LabsFolder, LiveError, end};
use labsim_model::list_of;
use std::path::{Path, PathBuf};

/// Ends a lab, or all.
pub(crate) fn down(args: &args::Down) -> Exit {
    let folder = LabsFolder::of_user();
    let names = match (args.all, folder.up()) {
        (true, Ok(names)) => names,
        (true, Err(error)) => return fail(&error),
        (false, _) => match folder.find(args.name.as_ref()) {
            Ok(name) => vec![name],
            Err(error) => return fail(&error),
        },
    };
    let mut exit = Exit::Success;
    for name in names {
        let out = args.out.as_deref().map(|out| match args.all {
            true => out.join(name.as_str()),
            false => out.to_owned(),
        });
        let ended = Lab::find(&folder, Some(&name)).map_err(|error| fail_unless(args.all, &error));
        let ended = ended.and_then(|lab| {
            if let Some(out) = &out {
                keep(&lab, out, args.all)?;
            }
            end(lab).map_err(|error| fail_unless(args.all, &error))
        });
        match ended {
            Ok(()) => output::line(format_args!("{name} is down")),
            Err(Exit::Success) => {}
            Err(failed) => exit = failed,
        }
    }
    exit
}

/// Prints an error, but not that one of all labs has ended meanwhile.
fn fail_unless(all: bool, error: &LiveError) -> Exit {
    match error {
        LiveError::Unknown { .. } if all => Exit::Success,
        error => fail(error),
    }
}

/// Writes what there is of a lab. Otherwise an error was printed.
fn keep(lab: &Lab, out: &Path, all: bool) -> Result<(), Exit> {
    let stays = format!("the lab `{}` stays up", lab.name());
    let found = keep::Found::of(lab).map_err(|error| match error {
        LiveError::Unknown { .. } if all => Exit::Success,
        error => {
            let exit = fail(&error);
            output::error(&stays);
            exit
        }
    })?;
    match found.write(out) {
        Ok(files) => {
            let files: Vec<PathBuf> = files.into_iter().map(|file| out.join(file)).collect();
            let files = files.iter().map(|file| file.display().to_string());
            output::visible_line(format_args!("written: {}", list_of(files)));
            Ok(())
        }
        Err(problem) => {
            output::error(format_args!("{problem}; {stays}"));
            Err(Exit::Failed)
        }
    }
}

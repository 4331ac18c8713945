//! `labsim completions`, `labsim man` and `labsim manual`: texts that are made from labsim itself.

use crate::args::{self, Cli};
use crate::exit::Exit;
use crate::{manual, output};
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;
use std::path::Path;
use std::{fs, io};

/// Prints a shell's completions.
pub(crate) fn completions(args: &args::Completions) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "labsim", &mut script);
    output::text(String::from_utf8_lossy(&script));
    Exit::Success
}

/// Writes a man page for every command.
pub(crate) fn man(args: &args::OutputFolder) -> Exit {
    let mut root = Cli::command();
    root.build();
    write(&args.dir, man_pages(&root))
}

/// Writes the reference manual.
pub(crate) fn manual(args: &args::OutputFolder) -> Exit {
    write(&args.dir, manual::pages().map_err(io::Error::from))
}

/// Name and text of the page of a command, and of those below it. `Command::build` has given each
/// its display name, such as `labsim-run`.
fn man_pages(command: &Command) -> io::Result<Vec<(String, String)>> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut pages = vec![(format!("{name}.1"), String::from_utf8_lossy(&page).into_owned())];
    for below in command.get_subcommands().filter(|it| !it.is_hide_set()) {
        pages.extend(man_pages(below)?);
    }
    Ok(pages)
}

fn write(dir: &Path, files: io::Result<Vec<(String, String)>>) -> Exit {
    let written = files.and_then(|files| {
        fs::create_dir_all(dir)?;
        files.iter().try_for_each(|(name, text)| fs::write(dir.join(name), text))?;
        Ok(files.len())
    });
    match written {
        Ok(count) => {
            output::line(format_args!("{count} files written to {}", dir.display()));
            Exit::Success
        }
        Err(error) => {
            output::error(format_args!("cannot write to {}: {error}", dir.display()));
            Exit::Invalid
        }
    }
}

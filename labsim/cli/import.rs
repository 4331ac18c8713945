//! `labsim import`.

use crate::args::{self, Vendor};
use crate::exit::Exit;
use crate::{load, say};
use labsim_import::{Imported, Mistakes, Source, a10, f5};
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The most that is read of a file: labsim-import says what is wrong with one of this size.
const LONGEST: u64 = (64 << 20) + 1;

/// Reads the configuration, writes a topology and a scenario, and lists what they lack.
pub(crate) fn import(args: &args::Import) -> Exit {
    let mut sources = Vec::new();
    for path in &args.files {
        match read(path) {
            Ok(text) => sources.push(Source::new(path.display().to_string(), text)),
            Err(error) => {
                say::problem(format_args!("{}: {error}", path.display()));
                return Exit::Invalid;
            }
        }
    }
    let imported = match args.vendor {
        Vendor::F5 => f5::import(&sources),
        Vendor::A10 => a10::import(&sources),
    };
    let imported = match imported {
        Ok(imported) => imported,
        Err(mistakes) => return refuse(&mistakes),
    };
    match write(&args.out, &imported) {
        Ok(scenario) => {
            tell(&scenario, &imported);
            Exit::Success
        }
        Err(problem) => {
            say::problem(problem);
            Exit::Invalid
        }
    }
}

fn read(path: &Path) -> Result<String, String> {
    let file = File::open(path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => "no such file; check its name".to_owned(),
        _ => error.to_string(),
    })?;
    if !file.metadata().is_ok_and(|meta| meta.is_file()) {
        return Err("it is no regular file; name a configuration's file".to_owned());
    }
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    let no_text = |error: std::string::FromUtf8Error| {
        let at = error.utf8_error().valid_up_to();
        format!("it is no text in UTF-8 (from byte {at} on); save it as such")
    };
    String::from_utf8(bytes).map_err(no_text)
}

fn refuse(mistakes: &Mistakes) -> Exit {
    say::mistakes(mistakes);
    say::problem(load::total(mistakes.len()));
    Exit::Invalid
}

/// Writes both files or none; the scenario's path.
fn write(folder: &Path, imported: &Imported) -> Result<PathBuf, String> {
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("the folder {} cannot be made: {error}", folder.display()))?;
    let topology = folder.join(format!("{}.yaml", imported.topology_name));
    let scenario = folder.join(format!("{}.yaml", imported.scenario_name));
    write_new(&topology, &imported.topology)?;
    if let Err(problem) = write_new(&scenario, &imported.scenario) {
        // The other file is of no use alone, and was not there before.
        let _ = std::fs::remove_file(&topology);
        return Err(problem);
    }
    Ok(scenario)
}

/// Makes a file that was not there: a link of its name is there, wherever it leads (open(2),
/// `O_EXCL`).
fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => format!(
            "{} is there already, and nothing is overwritten; name another folder, or remove it",
            path.display()
        ),
        _ => format!("{} cannot be written: {error}", path.display()),
    };
    let mut file = OpenOptions::new().write(true).create_new(true).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(|error| {
        let _ = std::fs::remove_file(path);
        failed(error)
    })
}

fn tell(scenario: &Path, imported: &Imported) {
    let Imported { left_out, warnings, .. } = imported;
    say::line(format_args!("written: {}, and its topology beside it", scenario.display()));
    if !left_out.is_empty() {
        say::line("not carried over:");
    }
    for note in left_out {
        say::line(format_args!("  {note}"));
    }
    if !warnings.is_empty() {
        say::line("imported as it stands, and worth a look:");
    }
    for note in warnings {
        say::line(format_args!("  ! {note}"));
    }
    say::line(format_args!("run it with: labsim run {}", scenario.display()));
}

//! `labsim import`.

pub(crate) mod linux;

use crate::args::{self, Vendor};
use crate::exit::Exit;
use crate::{load, output, stream};
use labsim_import::{Diagnostics, Imported, Left, Note, Source, a10, f5, ipvs, keepalived};
use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// How much of a file is read: one byte more than labsim-import accepts.
const READ_LIMIT: u64 = (64 << 20) + 1;

/// Reads the configuration, writes a topology and a scenario, and lists what is not imported;
/// `listed`: each line that was left out, too.
pub(crate) fn import(args: &args::Import, listed: bool) -> Exit {
    if args.vendor == Vendor::Linux {
        return linux::import(args, listed);
    }
    if args.into.is_some() {
        output::error("--into is about `import linux`; leave it out");
        return Exit::Invalid;
    }
    let sources = match sources(&args.files) {
        Ok(sources) => sources,
        Err(exit) => return exit,
    };
    let imported = match args.vendor {
        Vendor::A10 => a10::import(&sources),
        Vendor::Ipvs => ipvs::import(&sources),
        Vendor::Keepalived => keepalived::import(&sources),
        Vendor::F5 | Vendor::Linux => f5::import(&sources),
    };
    let imported = match imported {
        Ok(imported) => imported,
        Err(diagnostics) => return reject(&diagnostics),
    };
    match write(&args.out, &imported) {
        Ok(scenario) => {
            print_summary(&scenario, &imported, listed);
            Exit::Success
        }
        Err(problem) => {
            output::error(problem);
            Exit::Invalid
        }
    }
}

/// Reads all files; otherwise the first that cannot be read has been named.
pub(crate) fn sources(paths: &[PathBuf]) -> Result<Vec<Source>, Exit> {
    let source = |path: &PathBuf| match read(path) {
        Ok(text) => Ok(Source::new(path.display().to_string(), text)),
        Err(error) => {
            output::error(format_args!("{}: {error}", path.display()));
            Err(Exit::Invalid)
        }
    };
    paths.iter().map(source).collect()
}

/// Prints errors.
pub(crate) fn reject(diagnostics: &Diagnostics) -> Exit {
    output::diagnostics(diagnostics);
    output::error(load::error_count(diagnostics.len()));
    Exit::Invalid
}

/// Text of a file, a pipe such as `<(ssh ...)`, or standard input.
fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let input = stream::open(path, "configuration file")?;
    input.take(READ_LIMIT).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    text(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, String> {
    let not_text = |error: std::string::FromUtf8Error| {
        let at = error.utf8_error().valid_up_to();
        format!("not UTF-8 text (byte {at}); save the file as UTF-8")
    };
    String::from_utf8(bytes).map_err(not_text)
}

/// Writes both files or none. Returns the scenario's path.
fn write(folder: &Path, imported: &Imported) -> Result<PathBuf, String> {
    std::fs::create_dir_all(folder)
        .map_err(|error| format!("cannot create the folder {}: {error}", folder.display()))?;
    let topology = folder.join(format!("{}.yaml", imported.topology_name));
    let scenario = folder.join(format!("{}.yaml", imported.scenario_name));
    write_new(&topology, &imported.topology)?;
    if let Err(problem) = write_new(&scenario, &imported.scenario) {
        // This call created the topology, which is of no use alone.
        let _ = std::fs::remove_file(&topology);
        return Err(problem);
    }
    Ok(scenario)
}

/// Creates a file. A link of that name counts as existing, wherever it leads (open(2), `O_EXCL`).
pub(crate) fn write_new(path: &Path, text: &str) -> Result<(), String> {
    let failed = |error: io::Error| match error.kind() {
        ErrorKind::AlreadyExists => format!(
            "{} exists already and is not overwritten; name another folder, or remove it",
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

fn print_summary(scenario: &Path, imported: &Imported, listed: bool) {
    let Imported { not_imported, warnings, left_out, .. } = imported;
    output::line(format_args!("written: {}, and its topology beside it", scenario.display()));
    print_notes(not_imported, warnings, || {
        let hint = if listed { "" } else { " (-v lists them)" };
        print_left_out(&format!("left out, as it is no configuration{hint}:"), left_out, listed);
    });
    output::line(format_args!("run it with: labsim run {}", scenario.display()));
}

/// What was not imported, what was left out, and warnings.
fn print_notes(not_imported: &[Note], warnings: &[Note], print_left_out: impl FnOnce()) {
    if !not_imported.is_empty() {
        output::line("not imported:");
    }
    for note in not_imported {
        output::line(format_args!("  {note}"));
    }
    print_left_out();
    if !warnings.is_empty() {
        output::line("warnings:");
    }
    for note in warnings {
        output::line(format_args!("  ! {note}"));
    }
}

/// How many lines were left out, by their kinds.
fn print_left_out(head: &str, left_out: &[Left], listed: bool) {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for left in left_out {
        *kinds.entry(left.kind).or_default() += 1;
    }
    if kinds.is_empty() {
        return;
    }
    output::line(head);
    for (kind, count) in kinds {
        output::line(format_args!("  {count} x {kind}"));
    }
    for left in left_out.iter().filter(|_| listed) {
        output::line(format_args!("  {left}"));
    }
}

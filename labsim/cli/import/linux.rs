//! `labsim import linux`.

use super::{print_left_out, print_notes, reject, sources, write_new};
use crate::args;
use crate::exit::Exit;
use crate::{load, output};
use labsim_import::Source;
use labsim_import::linux::{self, ImportedServer, LabAround};
use labsim_scenario::model::NodeName;
use std::io;
use std::path::{Component, Path, PathBuf};

/// Most files of all folders together.
const FILES: usize = 1000;
/// How deep folders are looked into.
const DEPTH: usize = 8;

/// Puts a host's state into a scenario, as a new file that extends it; into one that is made around it
/// where none is named.
pub(super) fn import(args: &args::Import, listed: bool) -> Exit {
    let paths = match files(&args.files) {
        Ok(paths) => paths,
        Err(problem) => {
            output::error(problem);
            return Exit::Invalid;
        }
    };
    let sources = match sources(&paths) {
        Ok(sources) => sources,
        Err(exit) => return exit,
    };
    match args.into.as_deref() {
        Some([path, node]) => import_into(args, &sources, (Path::new(path), Some(node)), listed),
        _ => import_alone(args, &sources, listed),
    }
}

/// Makes a lab around the host, and puts its state into it.
fn import_alone(args: &args::Import, sources: &[Source], listed: bool) -> Exit {
    let LabAround { lab, assumptions } = match linux::lab_around(sources) {
        Ok(around) => around,
        Err(diagnostics) => return reject(&diagnostics),
    };
    let path = match super::write(&args.out, &lab) {
        Ok(path) => path,
        Err(problem) => {
            output::error(problem);
            return Exit::Invalid;
        }
    };
    let exit = import_into(args, sources, (&path, None), listed);
    if exit != Exit::Success {
        // This call created them, and they are of no use alone.
        let _ = std::fs::remove_file(&path);
        let _ = std::fs::remove_file(args.out.join(format!("{}.yaml", lab.topology_name)));
        return exit;
    }
    output::line(format_args!("the lab around it, with a healthy server: {}", path.display()));
    print_notes(&lab.not_imported, &lab.warnings, || {});
    output::line("assumptions:");
    for one in assumptions {
        output::visible_line(format_args!("  {one}"));
    }
    exit
}

/// Puts the host in place of a node; of the lab's only real server where none is named.
fn import_into(
    args: &args::Import,
    sources: &[Source],
    (path, node): (&Path, Option<&String>),
    listed: bool,
) -> Exit {
    let scenario = match load::scenario(path) {
        Ok(scenario) => scenario,
        Err(exit) => return exit,
    };
    let named = node.map(String::as_str);
    let node = match named {
        Some(node) => NodeName::new(node).ok(),
        None => scenario.real_servers.keys().next().cloned(),
    };
    let Some(node) = node.filter(|name| scenario.topology.node(name).is_some()) else {
        let nodes = scenario.topology.nodes.iter().map(|node| &node.name);
        output::unknown_node(path, "node", named.unwrap_or_default(), nodes);
        return Exit::Invalid;
    };
    let extends = std::fs::create_dir_all(&args.out).and_then(|()| relative(&args.out, path));
    let extends = match extends {
        Ok(extends) => extends,
        Err(error) => {
            output::error(format_args!("{}: {error}", args.out.display()));
            return Exit::Invalid;
        }
    };
    let imported = match linux::import_into(sources, (&scenario, &extends), &node) {
        Ok(imported) => imported,
        Err(diagnostics) => return reject(&diagnostics),
    };
    match write(&args.out, &imported) {
        Ok(path) => {
            print_summary(&path, &imported, listed);
            Exit::Success
        }
        Err(exit) => exit,
    }
}

/// Writes the file, unless what is in it does not fit into the scenario.
fn write(folder: &Path, imported: &ImportedServer) -> Result<PathBuf, Exit> {
    let path = folder.join(format!("{}.yaml", imported.scenario_name));
    if let Err(problem) = write_new(&path, &imported.scenario) {
        output::error(problem);
        return Err(Exit::Invalid);
    }
    if let Err(exit) = load::scenario(&path) {
        // This call created it.
        let _ = std::fs::remove_file(&path);
        output::error("the host's state does not fit into the scenario; nothing was written");
        return Err(exit);
    }
    Ok(path)
}

fn print_summary(path: &Path, imported: &ImportedServer, listed: bool) {
    let ImportedServer { not_imported, warnings, left_out, .. } = imported;
    output::line(format_args!("written: {}", path.display()));
    print_notes(not_imported, warnings, || {
        let hint = if listed { "" } else { " (-v lists them)" };
        print_left_out(&format!("left out{hint}:"), left_out, listed);
    });
    let path = path.display();
    output::line(format_args!("run it with: labsim run {path}, or labsim diagnose {path}"));
}

/// The files that are named, and those in folders that are, by name. Links in a folder are not followed.
pub(crate) fn files(named: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let mut all = Vec::new();
    for path in named {
        if path.is_dir() {
            let before = all.len();
            in_folder(path, DEPTH, &mut all)?;
            if all.len() == before {
                return Err(format!("{}: no file is in this folder", path.display()));
            }
        } else {
            all.push(path.clone());
        }
    }
    Ok(all)
}

fn in_folder(folder: &Path, depth: usize, all: &mut Vec<PathBuf>) -> Result<(), String> {
    let shown = folder.display();
    let listed = std::fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = listed.map_err(|error| format!("{shown}: {error}"))?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let kind = entry.file_type().map_err(|error| format!("{shown}: {error}"))?;
        let path = entry.path();
        match kind {
            _ if kind.is_dir() && depth == 0 => {
                return Err(format!("{shown}: more than {DEPTH} folders in each other"));
            }
            _ if kind.is_dir() => in_folder(&path, depth - 1, all)?,
            _ if kind.is_file() && all.len() == FILES => {
                return Err(format!("{shown}: more than {FILES} files; name those that matter"));
            }
            _ if kind.is_file() => all.push(path),
            _ => output::error(format_args!("{}: skipped, as it is no file", path.display())),
        }
    }
    Ok(())
}

/// How a file is named from a folder.
fn relative(folder: &Path, file: &Path) -> io::Result<String> {
    let (folder, file) = (folder.canonicalize()?, file.canonicalize()?);
    let (folder, file): (Vec<Component<'_>>, Vec<Component<'_>>) =
        (folder.components().collect(), file.components().collect());
    let shared = folder.iter().zip(&file).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..".to_owned(), folder.len() - shared);
    let down = file.iter().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    Ok(up.chain(down).collect::<Vec<_>>().join("/"))
}

//! Where programs are, and which are missing: known before anything is built.

use crate::fault::Fault;
use labsim_scenario::model::{FOLDER, Program, Scenario, StepAction};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where servers' programs lie, which an ordinary user's PATH may lack (hier(7)).
const SYSTEM: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Looks every program of a scenario up.
///
/// # Errors
/// The missing ones by name, each with its package.
pub(crate) fn look_up(scenario: &Scenario) -> Result<(), Fault> {
    let processes = scenario.processes.iter().map(|process| &process.program);
    let steps = scenario.steps.iter().filter_map(|step| match &step.action {
        StepAction::Run(run) => Some(&run.program),
        _ => None,
    });
    let missing: BTreeSet<String> = processes
        .chain(steps)
        .filter(|program| find(program).is_none())
        .map(|program| match &program.package {
            Some(package) => {
                format!("{}: not installed (Debian: apt-get install {package})", shown(program))
            }
            None => format!("{}: not installed", shown(program)),
        })
        .collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Fault::Cannot(missing.into_iter().collect::<Vec<_>>().join("; "))),
    }
}

/// The program's path; one of its own files stays as it is written.
pub(super) fn find(program: &Program) -> Option<String> {
    let path = &program.path;
    if path.starts_with(FOLDER) {
        return Some(path.clone());
    }
    if path.contains('/') {
        return is_program(Path::new(path)).then(|| path.clone());
    }
    let search = search_path(program);
    let mut found = search.split(':').map(|folder| Path::new(folder).join(path));
    let found = found.find(|path| path.is_absolute() && is_program(path))?;
    found.to_str().map(str::to_owned)
}

/// The PATH that a program is looked up in and runs with: its own or labsim's, then the system's.
pub(super) fn search_path(program: &Program) -> String {
    if let Some(own) = program.environment.get("PATH") {
        return own.expose().to_owned();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut folders: Vec<&str> = path.split(':').filter(|folder| !folder.is_empty()).collect();
    for folder in SYSTEM {
        if !folders.contains(&folder) {
            folders.push(folder);
        }
    }
    folders.join(":")
}

fn is_program(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The program's name, for sentences: never its arguments, which may hold passwords.
pub(super) fn shown(program: &Program) -> &str {
    program.path.rsplit('/').next().unwrap_or(&program.path)
}

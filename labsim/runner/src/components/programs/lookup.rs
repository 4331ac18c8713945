//! Where programs are, and which are missing: known before anything is built.

use crate::error::RunError;
use labsim_codes::run;
use labsim_model::quote;
use labsim_scenario::model::{FOLDER, Program, Scenario, StepAction};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// Where servers' programs lie, which an ordinary user's PATH may lack (hier(7)).
const SYSTEM_FOLDERS: [&str; 3] = ["/usr/local/sbin", "/usr/sbin", "/sbin"];

/// Looks up every program of a scenario.
///
/// # Errors
/// The missing ones by name. A program without a `package` is an error of the file, which may have
/// misspelt it; one with a package is not installed here, and the scenario cannot run.
pub(crate) fn check_installed(scenario: &Scenario) -> Result<(), RunError> {
    let processes = scenario
        .processes
        .iter()
        .map(|process| (format!("process `{}`", process.name), &process.program));
    let steps = scenario.steps.iter().filter_map(|step| match &step.action {
        StepAction::Run(run) => {
            Some((format!("step `{}` ({})", step.name, step.place), &run.program))
        }
        _ => None,
    });
    let (mut unknown, mut missing) = (BTreeSet::new(), BTreeSet::new());
    for (user, program) in processes.chain(steps).filter(|(_, program)| find(program).is_none()) {
        let name = display_name(program);
        match &program.package {
            Some(package) => {
                missing.insert(format!("{name}: not installed (Debian: apt-get install {package})"))
            }
            None => unknown.insert(format!("{user}: there is no program {}", quote(name))),
        };
    }
    let join = |all: BTreeSet<String>| all.into_iter().collect::<Vec<_>>().join("; ");
    if !unknown.is_empty() {
        let message = format!(
            "{}; correct the name, or name its Debian package in `package`, which skips the \
             scenario where it is not installed",
            join(unknown)
        );
        return Err(RunError::internal(run::PROGRAM_UNKNOWN, message));
    }
    match missing.is_empty() {
        true => Ok(()),
        false => Err(RunError::unsupported(run::PROGRAM_MISSING, join(missing))),
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
        return own.expose_text().into_owned();
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let mut folders: Vec<&str> = path.split(':').filter(|folder| !folder.is_empty()).collect();
    for folder in SYSTEM_FOLDERS {
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
pub(super) fn display_name(program: &Program) -> &str {
    program.path.rsplit('/').next().unwrap_or(&program.path)
}

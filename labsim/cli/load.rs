//! Reads scenarios, and reports their errors.

use crate::inputs::InputFile;
use crate::{exit::Exit, output};
use labsim_runner::{Loaded, Rejection};
use labsim_scenario::model::Scenario;
use labsim_yaml::{Diagnostics, Sources};
use std::path::Path;

/// The scenario of one file. Otherwise all its errors have been printed.
pub(crate) fn scenario(path: &Path) -> Result<Scenario, Exit> {
    scenario_and_sources(path).map(|(scenario, _)| scenario)
}

/// The scenario of one file, and what it was read from. Otherwise all its errors have been printed.
pub(crate) fn scenario_and_sources(path: &Path) -> Result<(Scenario, Sources), Exit> {
    let loaded = labsim_scenario::load(path).map_err(|found| reject(&found))?;
    Ok((loaded.scenario, loaded.sources))
}

/// The scenario of a file, for its run. `loaded` is what was read of it, if it was kept; `keep` is given the
/// configuration with its secrets.
pub(crate) fn for_run(
    file: &InputFile,
    loaded: Option<Box<labsim_scenario::Loaded>>,
    keep: Option<impl FnOnce(String)>,
) -> Result<Loaded, Rejection> {
    let loaded = match loaded {
        Some(loaded) => *loaded,
        None => labsim_scenario::load(file.as_input()).map_err(|found| rejection(&found))?,
    };
    if let Some(keep) = keep {
        keep(loaded.merged());
    }
    let configuration = loaded.merged_without_secrets();
    let warnings = loaded.warnings.iter().map(on_one_line).collect();
    Ok(Loaded { scenario: loaded.scenario, warnings, configuration })
}

/// The scenario of a file with a change laid over it.
pub(crate) fn changed(file: &InputFile, change: &str) -> Result<Scenario, Rejection> {
    let loaded = labsim_scenario::load_changed(file.as_input(), change);
    loaded.map(|loaded| loaded.scenario).map_err(|found| rejection(&found))
}

/// The errors of a file, as events have them: without lines of the file, in which passwords may
/// stand.
pub(crate) fn rejection(diagnostics: &Diagnostics) -> Rejection {
    let first = diagnostics.iter().next();
    Rejection {
        code: first.map_or(labsim_codes::file::INVALID_VALUE, |diagnostic| diagnostic.code),
        errors: diagnostics.iter().map(on_one_line).collect(),
    }
}

/// Prints a file's errors.
pub(crate) fn reject(diagnostics: &Diagnostics) -> Exit {
    output::diagnostics(diagnostics);
    output::error(error_count(diagnostics.len()));
    Exit::Invalid
}

/// A message without its excerpt of the file.
pub(crate) fn on_one_line(diagnostic: &labsim_yaml::Diagnostic) -> String {
    let labsim_yaml::Diagnostic { file, line, column, message, code, .. } = diagnostic;
    match line {
        0 => format!("{file}: {message} [{code}]"),
        _ => format!("{file}:{line}:{column}: {message} [{code}]"),
    }
}

/// `1 error`, `3 errors`.
pub(crate) fn error_count(count: usize) -> String {
    if count == 1 { "1 error".into() } else { format!("{count} errors") }
}

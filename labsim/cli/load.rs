//! Reads every named scenario, and reports the mistakes of all of them at once.

use crate::{exit::Exit, gather, say};
use labsim_scenario::Kind;
use labsim_scenario::model::Scenario;
use std::path::{Path, PathBuf};

/// A scenario and the file that it came from.
pub(crate) struct Loaded {
    pub(crate) file: PathBuf,
    pub(crate) scenario: Scenario,
    /// What reading it warned about, `file:line:column: sentence` each.
    pub(crate) warnings: Vec<String>,
}

/// The scenarios behind `paths`, all valid; otherwise everything wrong with them has been said.
pub(crate) fn scenarios(paths: &[PathBuf]) -> Result<Vec<Loaded>, Exit> {
    let files = named(paths)?;
    let mut loaded = Vec::new();
    let mut count = 0;
    for file in files {
        // Topologies may lie beside the scenarios of a folder; one that is named is a mistake.
        if !paths.contains(&file) && matches!(labsim_scenario::kind(&file), Ok(Kind::Topology)) {
            continue;
        }
        match labsim_scenario::load(&file) {
            Ok(labsim_scenario::Loaded { scenario, warnings }) => {
                let warnings = warnings.iter().map(in_a_line).collect();
                loaded.push(Loaded { file, scenario, warnings });
            }
            Err(mistakes) => {
                say::mistakes(&mistakes);
                count += mistakes.len();
            }
        }
    }
    if count > 0 {
        say::problem(total(count));
        return Err(Exit::Invalid);
    }
    if loaded.is_empty() && !paths.is_empty() {
        say::problem("no scenarios there, only topologies; name a scenario that uses one");
        return Err(Exit::Invalid);
    }
    Ok(loaded)
}

/// The scenario of one file; otherwise everything wrong with it has been said.
pub(crate) fn scenario(path: &Path) -> Result<Scenario, Exit> {
    labsim_scenario::load(path).map(|loaded| loaded.scenario).map_err(|mistakes| {
        say::mistakes(&mistakes);
        say::problem(total(mistakes.len()));
        Exit::Invalid
    })
}

/// The files behind `paths`; otherwise what is wrong has been said.
pub(crate) fn named(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Exit> {
    gather::files(paths).map_err(|mistakes| {
        for mistake in mistakes {
            say::problem(mistake);
        }
        Exit::Invalid
    })
}

/// Without the line that a mistake is about.
pub(crate) fn in_a_line(mistake: &labsim_yaml::Mistake) -> String {
    let labsim_yaml::Mistake { file, line, column, message, .. } = mistake;
    match line {
        0 => format!("{file}: {message}"),
        _ => format!("{file}:{line}:{column}: {message}"),
    }
}

/// `1 mistake`, `3 mistakes`.
pub(crate) fn total(count: usize) -> String {
    if count == 1 { "1 mistake".into() } else { format!("{count} mistakes") }
}

/// Two scenarios of one name would overwrite each other's results.
pub(crate) fn same_names(loaded: &[Loaded]) -> Vec<String> {
    let mut first: std::collections::BTreeMap<&str, &Path> = std::collections::BTreeMap::new();
    let mut clashes = Vec::new();
    for Loaded { file, scenario, .. } in loaded {
        let name = scenario.name.as_str();
        if let Some(other) = first.insert(name, file) {
            clashes.push(format!(
                "{} and {} are both named `{name}`, and their results would overwrite each \
                 other; rename one file or run them apart",
                other.display(),
                file.display()
            ));
        }
    }
    clashes
}

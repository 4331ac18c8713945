//! Opens and reads files, and hands out what is valid as a whole.

use crate::file::{self, ScenarioFile, Table, TopologyFile};
use crate::model::{Scenario, ScenarioName, Topology};
use crate::resolve::{self, Report, Resolved, Surroundings};
use crate::schema::Kind;
use labsim_yaml::{Document, Mistake, Mistakes, Span};
use serde::de::IgnoredAny;
use std::path::Path;

/// A valid scenario, and what is to be said of it all the same.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the file means.
    pub scenario: Scenario,
    /// What is allowed and cannot work, as real configurations have it, each with its place.
    /// Shown like mistakes, and no reason not to run the scenario: it may be there to show this.
    pub warnings: Mistakes,
}

/// What a valid file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Of which format.
    pub kind: Kind,
    /// As of [`Loaded::warnings`]; a topology has none.
    pub warnings: Mistakes,
}

/// Reads a scenario file and the topology file that it names.
///
/// # Errors
/// The mistakes of both files, each with its place.
pub fn load(path: &Path) -> Result<Loaded, Mistakes> {
    scenario(&Document::open(path)?, path)
}

/// Reads a topology file.
///
/// # Errors
/// The mistakes of the file, each with its place.
pub fn load_topology(path: &Path) -> Result<Topology, Mistakes> {
    let read = topology(&Document::open(path)?, path);
    match read.resolved {
        Some(resolved) if read.mistakes.is_empty() => Ok(resolved.topology),
        _ => Err(read.mistakes),
    }
}

/// Reads a file of either format, and says which it is.
///
/// # Errors
/// The mistakes of the file, and of the topology that a scenario names, each with its place.
pub fn validate(path: &Path) -> Result<Validated, Mistakes> {
    match kind(path)? {
        Kind::Topology => load_topology(path)
            .map(|_| Validated { kind: Kind::Topology, warnings: Mistakes::new() }),
        Kind::Scenario => {
            load(path).map(|loaded| Validated { kind: Kind::Scenario, warnings: loaded.warnings })
        }
    }
}

/// Which format a file seems to be of, before anything in it is checked.
///
/// # Errors
/// Why it cannot be opened, or read at all.
pub fn kind(path: &Path) -> Result<Kind, Mistakes> {
    let document = Document::open(path)?;
    Ok(if is_topology(&document) { Kind::Topology } else { Kind::Scenario })
}

/// Whether a file looks like a topology: it declares nodes and names no topology.
fn is_topology(document: &Document) -> bool {
    document.read::<Table<IgnoredAny>>().map_or_else(
        |_| {
            let lines = || document.sources().flat_map(|source| source.text().lines());
            let begins = |key: &str| lines().any(|line| line.starts_with(key));
            begins("nodes:") && !begins("topology:")
        },
        |keys| {
            let has = |name: &str| keys.iter().any(|(key, _)| key.value == name);
            has("nodes") && !has("topology")
        },
    )
}

/// A topology file, as far as it could be read and resolved.
struct TopologyRead {
    resolved: Option<Resolved>,
    mistakes: Mistakes,
    /// Whether parts of the file could not be read at all.
    lacks_some: bool,
}

fn topology(document: &Document, path: &Path) -> TopologyRead {
    let file::Read { value, mut mistakes, losses } = file::read::<TopologyFile>(document);
    let lacks_some = value.is_none() || !losses.is_empty();
    let losses = (!mistakes.is_empty()).then_some(losses);
    let resolved = value.map(|file| {
        let mut report = Report::new(document, losses);
        let resolved = resolve::topology(&file, &stem(path), &mut report);
        mistakes.extend(report.into_parts().0);
        resolved
    });
    TopologyRead { resolved, mistakes, lacks_some }
}

fn scenario(document: &Document, path: &Path) -> Result<Loaded, Mistakes> {
    let file::Read { value, mut mistakes, losses } = file::read::<ScenarioFile>(document);
    if !mistakes.is_empty() && is_topology(document) {
        let message = "this is a topology file; name a scenario, which names its topology itself";
        return Err(Mistake::of_file(document.source().name(), message).into());
    }
    let Some(file) = value else { return Err(mistakes) };
    let mut report = Report::new(document, (!mistakes.is_empty()).then_some(losses));
    let named = &file.topology;
    // The default place is that of a value that is missing, and was said to be.
    let read = match (named.span != Span::default()).then(|| document.open_beside(named)) {
        None => None,
        Some(Ok(opened)) => Some(topology(&opened, Path::new(named.as_str()))),
        Some(Err(found)) => {
            mistakes.extend(found);
            None
        }
    };
    let surroundings = match &read {
        None => Surroundings { resolved: None, knows_names: false, knows_addresses: false },
        Some(read) => Surroundings {
            resolved: read.resolved.as_ref(),
            knows_names: !read.lacks_some
                && read.resolved.as_ref().is_some_and(|resolved| !resolved.lacks_some),
            knows_addresses: read.resolved.is_some() && read.mistakes.is_empty(),
        },
    };
    let resolved = resolve::scenario(&file, &surroundings, &mut report);
    let (found, warnings) = report.into_parts();
    mistakes.extend(found);
    let name = ScenarioName::new(&stem(path));
    if let Err(message) = &name {
        mistakes.push(Mistake::of_file(
            document.source().name(),
            format!("{message}; rename the file"),
        ));
    }
    let topology = read.and_then(|read| {
        mistakes.extend(read.mistakes);
        read.resolved
    });
    match (name, topology) {
        (Ok(name), Some(topology)) if mistakes.is_empty() => {
            let scenario = resolved.into_scenario(name, topology.topology);
            Ok(Loaded { scenario, warnings: warnings.into_iter().collect() })
        }
        _ => Err(mistakes),
    }
}

/// The file's name without folder and ending.
fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

//! Opens and reads files, and hands out what is valid as a whole.

use crate::Input;
use crate::file::{ScenarioFile, TopologyFile};
use crate::model::{Exercise, Scenario, ScenarioName, Step, Topology};
use crate::recognize;
use crate::resolve::{self, Report, Resolved, TopologyContext};
use crate::schema::Kind;
use labsim_codes::file;
use labsim_yaml::{Diagnostic, Diagnostics, Document, Partial, Source, Sources, Span};
use std::path::{Path, PathBuf};

/// What messages call a change that is no file.
const CHANGE: &str = "the change";

/// A valid scenario, and what is to be said of it all the same.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What the file means.
    pub scenario: Scenario,
    /// What is allowed and cannot work, as real configurations have it, each with its place.
    /// Shown like errors, and no reason not to run the scenario: it may be there to show this.
    pub warnings: Diagnostics,
    /// The texts of all files that it was read from, for [`Input::InMemory`].
    pub sources: Sources,
    pub(crate) document: Document,
}

impl Loaded {
    /// What was read, as the function [`merged`].
    #[must_use]
    pub fn merged(&self) -> String {
        yaml_without(&self.document, &[])
    }

    /// The same with `***` in place of every secret: servers' secrets, passwords, and what programs are
    /// given. It shows what was run, and cannot take the file's place.
    #[must_use]
    pub fn merged_without_secrets(&self) -> String {
        yaml_without(&self.document, &SECRETS)
    }
}

/// What a valid file is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    /// Of which format.
    pub kind: Kind,
    /// As of [`Loaded::warnings`]; a topology has none.
    pub warnings: Diagnostics,
}

/// A file that was opened and parsed, and in which nothing has been checked.
#[derive(Debug)]
pub struct Opened {
    document: Document,
    path: PathBuf,
}

impl Opened {
    /// Opens a file and those that it extends.
    ///
    /// # Errors
    /// It cannot be opened, or is no text.
    pub fn open<'a>(input: impl Into<Input<'a>>) -> Result<Self, Diagnostics> {
        let input = input.into();
        Ok(Self { document: input.open()?, path: input.path() })
    }

    pub(crate) fn document(&self) -> &Document {
        &self.document
    }

    /// Its path, as it was named.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The key of its text in [`LoadedExercise::sources`](crate::LoadedExercise::sources).
    #[must_use]
    pub fn source_key(&self) -> &Path {
        self.document.first_path()
    }

    /// Which format it seems to be of; nothing if it is some other YAML, which folders may hold too:
    /// it has neither the line with one of labsim's schemas nor one of their top-level keys. What
    /// cannot be parsed at all is taken for a scenario, so that its errors are reported.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        let foreign = recognize::is_foreign(&self.document);
        (!foreign).then(|| document_kind(&self.document))
    }

    /// As the function [`load`].
    ///
    /// # Errors
    /// The errors of the file and of its topology, each with its place.
    pub fn load(&self) -> Result<Loaded, Diagnostics> {
        scenario(&self.document, &self.path)
    }

    /// As the function [`validate`].
    ///
    /// # Errors
    /// The errors of the file, and of the topology that a scenario names, each with its place.
    pub fn validate(&self) -> Result<Validated, Diagnostics> {
        match document_kind(&self.document) {
            Kind::Exercise => {
                let warnings = self.load_exercise()?.healthy.warnings;
                Ok(Validated { kind: Kind::Exercise, warnings })
            }
            _ => validate_document(&self.document, &self.path),
        }
    }
}

/// Reads a scenario file and the topology file that it names.
///
/// # Errors
/// The errors of both files, each with its place.
pub fn load<'a>(input: impl Into<Input<'a>>) -> Result<Loaded, Diagnostics> {
    let input = input.into();
    scenario(&input.open()?, &input.path())
}

/// Reads a scenario file with a change laid over it, as a file that extends it would be read. The
/// scenario keeps the file's name.
///
/// # Errors
/// The errors of the change, of the files and of what they hold together, each with its place.
pub fn load_changed<'a>(input: impl Into<Input<'a>>, change: &str) -> Result<Loaded, Diagnostics> {
    let input = input.into();
    let document = input.open()?.with_overlay(change_source(change));
    scenario(&document, &input.path())
}

/// A change as the text that it is.
pub(crate) fn change_source(change: &str) -> Source {
    Source::new(CHANGE, change)
}

/// Reads a topology file.
///
/// # Errors
/// The errors of the file, each with its place.
pub fn load_topology<'a>(input: impl Into<Input<'a>>) -> Result<Topology, Diagnostics> {
    let input = input.into();
    valid_topology(&input.open()?, &input.path())
}

fn valid_topology(document: &Document, path: &Path) -> Result<Topology, Diagnostics> {
    let read = topology(document, path);
    match read.resolved {
        Some(resolved) if read.diagnostics.is_empty() => Ok(resolved.topology),
        _ => Err(read.diagnostics),
    }
}

/// Reads a file of either format, and says which it is.
///
/// # Errors
/// The errors of the file, and of the topology that a scenario names, each with its place.
pub fn validate<'a>(input: impl Into<Input<'a>>) -> Result<Validated, Diagnostics> {
    Opened::open(input)?.validate()
}

fn validate_document(document: &Document, path: &Path) -> Result<Validated, Diagnostics> {
    let kind = document_kind(document);
    let warnings = match kind {
        Kind::Topology => valid_topology(document, path).map(|_| Diagnostics::new())?,
        Kind::Scenario | Kind::Exercise => scenario(document, path)?.warnings,
    };
    Ok(Validated { kind, warnings })
}

/// A valid scenario or topology file as YAML, merged with the files that it extends. Comments name the
/// file that each part comes from. The text can take the file's place.
///
/// # Errors
/// Those of [`validate`].
pub fn merged<'a>(input: impl Into<Input<'a>>) -> Result<String, Diagnostics> {
    let input = input.into();
    let document = input.open()?;
    validate_document(&document, &input.path())?;
    Ok(yaml_without(&document, &[]))
}

/// Entries whose values are secrets, or may hold some: those of servers, of logins and of programs.
pub(crate) const SECRETS: [&str; 6] =
    ["secret", "password", "users", "command", "environment", "files"];

fn yaml_without(document: &Document, hidden: &[&str]) -> String {
    let yaml = document.to_yaml_without(&["topology"], hidden).unwrap_or_default();
    let files: Vec<&str> = document.sources().map(Source::name).collect();
    format!("# {}\n{yaml}", files.join(", extends "))
}

/// Which format a file seems to be of, before anything in it is checked.
///
/// # Errors
/// Why it cannot be opened, or read at all.
pub fn kind<'a>(input: impl Into<Input<'a>>) -> Result<Kind, Diagnostics> {
    Ok(document_kind(&input.into().open()?))
}

fn document_kind(document: &Document) -> Kind {
    if is_topology(document) {
        Kind::Topology
    } else if document.keys().any(|key| key == resolve::EXERCISE) {
        Kind::Exercise
    } else {
        Kind::Scenario
    }
}

/// Whether a file looks like a topology: it declares nodes and names no topology.
fn is_topology(document: &Document) -> bool {
    let has = |name: &str| document.keys().any(|key| key == name);
    if document.keys().next().is_some() {
        return has("nodes") && !has("topology");
    }
    // A file that is not YAML is recognized by its lines.
    let lines = || document.sources().flat_map(|source| source.text().lines());
    let begins = |key: &str| lines().any(|line| line.starts_with(key));
    begins("nodes:") && !begins("topology:")
}

/// A topology file, as far as it could be read and resolved.
struct TopologyRead {
    resolved: Option<Resolved>,
    diagnostics: Diagnostics,
    /// Whether parts of the file could not be read at all.
    lacks_some: bool,
}

fn topology(document: &Document, path: &Path) -> TopologyRead {
    let Partial { value, mut diagnostics, omitted } = document.read_partial::<TopologyFile>();
    let lacks_some = value.is_none() || !omitted.is_empty();
    let resolved = value.map(|file| {
        let mut report = Report::new(document, &diagnostics, omitted);
        let resolved = resolve::topology(&file, &stem(path), &mut report);
        diagnostics.extend(report.into_parts().0);
        resolved
    });
    TopologyRead { resolved, diagnostics, lacks_some }
}

pub(crate) fn scenario(document: &Document, path: &Path) -> Result<Loaded, Diagnostics> {
    scenario_and_exercise(document, path).map(|(loaded, _)| loaded)
}

/// A scenario, and what makes it an exercise if something does. The changes that an exercise holds are
/// not looked into.
pub(crate) fn scenario_and_exercise(
    document: &Document,
    path: &Path,
) -> Result<(Loaded, Option<Exercise>), Diagnostics> {
    read_scenario(document, path, None)
}

/// A step that stands in a scenario whose lab is up, and what is to be said of it all the same. The other
/// steps and what is expected are left out; the state that they leave is not looked at.
pub(crate) fn lone_step(
    document: &Document,
    path: &Path,
    name: &str,
) -> Result<(Step, Diagnostics), Diagnostics> {
    let (loaded, _) = read_scenario(document, path, Some(name))?;
    let Loaded { scenario, warnings, .. } = loaded;
    scenario.steps.into_iter().next().map(|step| (step, warnings)).ok_or_else(Diagnostics::new)
}

/// A scenario, with that one of its steps alone, or all.
fn read_scenario(
    document: &Document,
    path: &Path,
    lone: Option<&str>,
) -> Result<(Loaded, Option<Exercise>), Diagnostics> {
    let Partial { value, mut diagnostics, omitted } = document.read_partial::<ScenarioFile>();
    if !diagnostics.is_empty() && is_topology(document) {
        let message = "this is a topology file; name a scenario, which names its topology itself";
        return Err(Diagnostic::of_file(document.source().name(), file::WRONG_TYPE, message).into());
    }
    let Some(mut file) = value else { return Err(diagnostics) };
    let mut report = Report::new(document, &diagnostics, omitted);
    if let Some(name) = lone {
        file.steps.retain_keys(|key| key == name);
        file.exercise = None;
        report = report.of_live_lab();
    }
    let named = &file.topology;
    let mut sources: Sources = document.texts().collect();
    // The default place is that of a value that is missing, and was said to be.
    let read = match (named.span != Span::default()).then(|| document.open_beside(named)) {
        None => None,
        Some(Ok(opened)) => {
            sources.extend(opened.texts());
            Some(topology(&opened, Path::new(named.as_str())))
        }
        Some(Err(found)) => {
            diagnostics.extend(found);
            None
        }
    };
    let context = match &read {
        None => TopologyContext { resolved: None, knows_names: false, knows_addresses: false },
        Some(read) => TopologyContext {
            resolved: read.resolved.as_ref(),
            knows_names: !read.lacks_some
                && read.resolved.as_ref().is_some_and(|resolved| !resolved.lacks_some),
            knows_addresses: read.resolved.is_some() && read.diagnostics.is_empty(),
        },
    };
    let mut resolved = resolve::scenario(&file, &context, &mut report);
    let exercise = resolved.take_exercise();
    let (found, warnings) = report.into_parts();
    diagnostics.extend(found);
    let name = ScenarioName::new(&stem(path));
    if let Err(message) = &name {
        diagnostics.push(Diagnostic::of_file(
            document.source().name(),
            file::INVALID_VALUE,
            format!("{message}; rename the file"),
        ));
    }
    let topology = read.and_then(|read| {
        diagnostics.extend(read.diagnostics);
        read.resolved
    });
    match (name, topology) {
        (Ok(name), Some(topology)) if diagnostics.is_empty() => {
            let scenario = resolved.into_scenario(name, topology.topology);
            let warnings = warnings.into_iter().collect();
            let document = document.clone();
            Ok((Loaded { scenario, warnings, sources, document }, exercise))
        }
        _ => Err(diagnostics),
    }
}

/// The file's name without folder and ending.
fn stem(path: &Path) -> String {
    path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

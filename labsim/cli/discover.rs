//! Finds the scenarios among the files of the command line, and what they are selected by.

use crate::inputs::{self, InputFile};
use crate::{exit::Exit, load, output};
use labsim_report::ListedScenario;
use labsim_scenario::{Kind, Loaded, Opened};
use labsim_selection::{Candidate, FoundFile, assign_ids};
use labsim_yaml::Diagnostics;
use std::path::PathBuf;

/// The most skipped links that are listed.
const LISTED: usize = 10;

/// A scenario's file.
#[derive(Debug)]
pub(crate) struct FoundScenario {
    pub(crate) file: InputFile,
    /// What names it in the run's events and results; no other one has it.
    pub(crate) id: String,
    /// The file's name without its ending.
    name: String,
    /// The file's path, as it is shown.
    path: String,
    /// The file's path below the folder that was named.
    relative: String,
    /// What is known of a valid one, or its errors.
    pub(crate) read: Result<Summary, Diagnostics>,
    /// What was read, if it is the only one: many are read again one by one.
    pub(crate) loaded: Option<Box<Loaded>>,
}

/// What is kept of a valid scenario until it runs.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) tags: Vec<String>,
    /// About how many descriptors its run has open at a time.
    pub(crate) open_files: u64,
}

impl FoundScenario {
    /// The scenario as reports identify it.
    pub(crate) fn as_listed(&self) -> ListedScenario {
        ListedScenario {
            name: self.id.clone(),
            path: self.relative.clone(),
            file: self.path.clone(),
        }
    }

    pub(crate) fn as_candidate(&self) -> Candidate<'_> {
        Candidate {
            name: &self.name,
            id: &self.id,
            file: &self.path,
            relative: &self.relative,
            tags: self.read.as_ref().ok().map(|summary| summary.tags.as_slice()),
        }
    }
}

/// Opens each file of `paths` that can be labsim's, one at a time. What is skipped is noted on
/// standard error.
///
/// # Errors
/// A path is wrong; the messages have been printed.
pub(crate) fn visit_files(
    paths: &[PathBuf],
    mut visit: impl FnMut(InputFile, Result<Opened, Diagnostics>),
) -> Result<(), Exit> {
    let found = inputs::expand_all(paths).map_err(|errors| {
        errors.into_iter().for_each(output::error);
        Exit::Invalid
    })?;
    note_links(&found.links);
    let mut foreign = Vec::new();
    for file in found.files {
        tracing::debug!(file = %file.path.display(), "reading");
        let opened = Opened::open(file.as_input());
        match &opened {
            Ok(opened) if opened.kind().is_none() && !file.is_named() => foreign.push(file.path),
            _ => visit(file, opened),
        }
    }
    note_foreign(&foreign);
    Ok(())
}

/// The scenarios of `paths`, valid or not. Topologies and exercises in folders are skipped; an exercise
/// that is named is run in good order.
///
/// # Errors
/// A path is wrong, or there is no scenario; the messages have been printed.
pub(crate) fn scenarios(paths: &[PathBuf]) -> Result<Vec<FoundScenario>, Exit> {
    let (mut read, mut topologies, mut exercises) = (Vec::new(), 0, 0);
    let mut only = None;
    visit_files(paths, |file, opened| {
        // A folder may hold other files beside its scenarios; a topology that is named is an error.
        if !file.is_named() {
            match opened.as_ref().ok().and_then(Opened::kind) {
                Some(Kind::Topology) => return topologies += 1,
                Some(Kind::Exercise) => return exercises += 1,
                Some(Kind::Scenario) | None => {}
            }
        }
        let loaded = opened.and_then(|opened| opened.load());
        only = None;
        let keep = read.is_empty();
        let summary = loaded.map(|loaded| {
            let summary = summarize(&loaded.scenario);
            only = keep.then(|| Box::new(loaded));
            summary
        });
        read.push((file, summary));
    })?;
    if read.is_empty() {
        output::error(match (topologies, exercises) {
            (0, 0) => "no scenarios found; name a scenario, or a folder that holds some",
            (_, 1..) => {
                "only exercises found, no scenarios; `labsim exercise verify` runs them, and a file that is \
                 named runs in good order"
            }
            _ => "only topologies found, no scenarios; name a scenario that uses one",
        });
        return Err(Exit::Invalid);
    }
    let found: Vec<FoundFile> = read.iter().map(|(file, _)| found_file(file)).collect();
    let ids = assign_ids(&found);
    let scenarios = read.into_iter().zip(ids).map(|((file, read), id)| FoundScenario {
        id,
        name: file.path.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
        path: file.path.to_string_lossy().into_owned(),
        relative: file.relative().to_string_lossy().into_owned(),
        file,
        read,
        loaded: only.take(),
    });
    Ok(scenarios.collect())
}

fn summarize(scenario: &labsim_scenario::model::Scenario) -> Summary {
    let tags = scenario.tags.iter().map(|tag| tag.as_str().to_owned()).collect();
    Summary { tags, open_files: labsim_runner::open_files(scenario) }
}

fn found_file(file: &InputFile) -> FoundFile {
    FoundFile {
        relative: file.relative().to_owned(),
        canonical: file.path.canonicalize().unwrap_or_else(|_| file.path.clone()),
    }
}

fn note_links(links: &[PathBuf]) {
    for link in links.iter().take(LISTED) {
        output::error(format_args!(
            "{}: a link in a folder is not followed, and was skipped; name the file itself",
            link.display()
        ));
    }
    if links.len() > LISTED {
        output::error(format_args!("{} more links were skipped", links.len() - LISTED));
    }
}

fn note_foreign(files: &[PathBuf]) {
    match files {
        [] => {}
        [file] => output::error(format_args!("{}: not a file of labsim, skipped", file.display())),
        [first, rest @ ..] => output::error(format_args!(
            "{} files are not files of labsim and were skipped: {} and {} more",
            files.len(),
            first.display(),
            rest.len()
        )),
    }
}

/// Prints the errors of every file that is not valid. Returns how many files that were.
pub(crate) fn print_errors<'a>(scenarios: impl Iterator<Item = &'a FoundScenario>) -> usize {
    let invalid = scenarios.filter_map(|scenario| scenario.read.as_ref().err());
    let (mut files, mut errors) = (0, 0);
    for diagnostics in invalid {
        output::diagnostics(diagnostics);
        files += 1;
        errors += diagnostics.len();
    }
    if errors > 0 {
        output::error(load::error_count(errors));
    }
    files
}

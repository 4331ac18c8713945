//! Finds exercises: those that are named, or the shipped ones.

use super::journal::Journal;
use crate::exit::Exit;
use crate::{discover, load, output, shipped};
use labsim_exercise::{Variation, choose};
use labsim_scenario::model::ScenarioName;
use labsim_scenario::{Input, Kind, LoadedExercise, Opened};
use labsim_yaml::{Diagnostics, Sources};
use std::path::PathBuf;

/// The folder of the shipped exercises.
const SHIPPED: &str = "scenarios/exercises/";

/// An exercise that was read.
pub(crate) struct FoundExercise {
    pub(crate) opened: Opened,
    pub(crate) loaded: LoadedExercise,
}

impl FoundExercise {
    /// The name of its file, without its ending.
    pub(crate) fn name(&self) -> &ScenarioName {
        &self.loaded.healthy.scenario.name
    }

    /// The exercise with the servers and addresses that a seed chooses.
    pub(crate) fn with_seed(self, seed: &str) -> Result<Self, Exit> {
        if seed.is_empty() {
            return Ok(self);
        }
        let sources = &self.loaded.sources;
        let texts = sources.values().map(String::as_str);
        let variation = Variation::of(seed, &self.loaded.healthy.scenario, texts);
        let sources: Sources =
            sources.iter().map(|(path, text)| (path.clone(), variation.apply(text))).collect();
        let path = self.opened.source_key().to_string_lossy();
        let opened = Opened::open(Input::InMemory { sources: &sources, path: &path });
        let loaded = opened.and_then(|opened| {
            let loaded = opened.load_exercise()?;
            Ok(Self { opened, loaded })
        });
        loaded.map_err(|diagnostics| load::reject(&diagnostics))
    }
}

/// The shipped exercises, in their order.
pub(crate) fn shipped() -> Result<Vec<FoundExercise>, Exit> {
    let mut read = Vec::new();
    for (path, _) in shipped::FILES {
        let rest = path.strip_prefix(SHIPPED);
        if rest.is_some_and(|rest| !rest.contains('/')) {
            take(Opened::open(Input::BuiltIn { files: shipped::FILES, path }), &mut read);
        }
    }
    all(read)
}

/// The exercises of `paths`; the shipped ones if there are none.
pub(crate) fn named(paths: &[PathBuf]) -> Result<Vec<FoundExercise>, Exit> {
    if paths.is_empty() {
        return shipped();
    }
    let mut read = Vec::new();
    discover::visit_files(paths, |file, opened| {
        let kind = opened.as_ref().ok().and_then(Opened::kind);
        // A folder may hold scenarios and topologies as well.
        let is_other = matches!(kind, Some(Kind::Scenario | Kind::Topology));
        if file.is_named() || !is_other {
            take(opened, &mut read);
        }
    })?;
    all(read)
}

type Read = Result<FoundExercise, Diagnostics>;

fn take(opened: Result<Opened, Diagnostics>, read: &mut Vec<Read>) {
    read.push(opened.and_then(|opened| {
        let loaded = opened.load_exercise()?;
        Ok(FoundExercise { opened, loaded })
    }));
}

/// All of them, or the errors of those that are not valid have been printed.
fn all(read: Vec<Read>) -> Result<Vec<FoundExercise>, Exit> {
    let (mut found, mut errors) = (Vec::new(), 0);
    for read in read {
        match read {
            Ok(exercise) => found.push(exercise),
            Err(diagnostics) => {
                errors += diagnostics.len();
                output::diagnostics(diagnostics);
            }
        }
    }
    if errors > 0 {
        output::error(load::error_count(errors));
        return Err(Exit::Invalid);
    }
    if found.is_empty() {
        output::error("no exercises found; name a file with the key `exercise`");
        return Err(Exit::Invalid);
    }
    Ok(found)
}

/// The shipped exercise of that name or number, as the student has started it last.
pub(crate) fn one(wanted: &str, journal: &Journal) -> Result<FoundExercise, Exit> {
    let found = as_shipped(wanted)?;
    let seed = journal.standing_of(found.name().as_str()).seed;
    found.with_seed(&seed)
}

/// The shipped exercise that a seed chooses.
pub(crate) fn chosen_by(seed: &str) -> Result<FoundExercise, Exit> {
    let mut all = shipped()?;
    Ok(all.swap_remove(choose(seed, all.len())))
}

/// The shipped exercise of that name or number.
pub(crate) fn as_shipped(wanted: &str) -> Result<FoundExercise, Exit> {
    let mut all = shipped()?;
    let number = wanted.parse::<usize>().ok();
    let is_wanted = |it: &FoundExercise| {
        let name = it.name().as_str();
        let (prefix, rest) = name.split_once('-').unwrap_or((name, ""));
        name == wanted || rest == wanted || (number.is_some() && prefix.parse().ok() == number)
    };
    if let Some(place) = all.iter().position(is_wanted) {
        return Ok(all.swap_remove(place));
    }
    let names: Vec<&str> = all.iter().map(|it| it.name().as_str()).collect();
    let parts = names.iter().flat_map(|name| [Some(*name), name.split_once('-').map(|it| it.1)]);
    let parts: Vec<&str> = parts.flatten().collect();
    let meant = labsim_yaml::meant(wanted, parts.iter().copied());
    let whole = meant.and_then(|meant| names.iter().find(|name| name.ends_with(meant)));
    let meant = whole.map_or_else(String::new, |name| format!("; did you mean `{name}`?"));
    let wanted = wanted.escape_debug();
    output::error(format_args!("unknown exercise `{wanted}`{meant} (labsim exercise list)"));
    Err(Exit::Invalid)
}

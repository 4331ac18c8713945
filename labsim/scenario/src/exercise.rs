//! Reads an exercise: its texts, and the scenario in every state that it can be in.

use crate::load::{Loaded, Opened, change_source, scenario_and_exercise};
use crate::model::{Exercise, Scenario};
use crate::resolve::{EXERCISE, TEMPTING};
use labsim_codes::file;
use labsim_yaml::{Diagnostic, Diagnostics, Source, Sources, relative};
use std::path::Path;

/// Where a file says what is wrong in the lab.
const BREAK: &[&str] = &[EXERCISE, "break"];

/// A valid exercise.
#[derive(Debug, Clone)]
pub struct LoadedExercise {
    /// What it says.
    pub exercise: Exercise,
    /// The lab in good order.
    pub healthy: Loaded,
    /// As the student gets it.
    pub broken: Loaded,
    /// With the exercise's own repair.
    pub repaired: Scenario,
    /// With each of [`Exercise::tempting`], in their order.
    pub tempted: Vec<Scenario>,
    /// The texts of all files that any of these were read from, for [`Input::InMemory`](crate::Input).
    pub sources: Sources,
}

impl LoadedExercise {
    /// The texts of the broken lab as a scenario of its own, for [`Input::InMemory`](crate::Input): merged,
    /// without what makes it an exercise. The first file has its name without a folder.
    #[must_use]
    pub fn broken_sources(&self) -> Sources {
        self.broken.standalone()
    }
}

impl Loaded {
    /// What was read as one text, and the topology's beside it, by their paths from the first file's folder.
    fn standalone(&self) -> Sources {
        let own: Sources = self.document.texts().collect();
        let first = self.document.first_path();
        let folder = first.parent().unwrap_or(Path::new(""));
        let others = self.sources.iter().filter(|(path, _)| !own.contains_key(*path));
        let mut sources: Sources = others
            .map(|(path, text)| {
                let path = relative(folder, Path::new(path));
                (path.to_string_lossy().into_owned(), text.clone())
            })
            .collect();
        let name = first.file_name().unwrap_or_default();
        sources.insert(name.to_string_lossy().into_owned(), self.merged());
        sources
    }
}

impl Opened {
    /// Reads an exercise in every state.
    ///
    /// # Errors
    /// The errors of the file, of each change that it holds, and of what they make of the scenario,
    /// each with its place, once; or that the file is no exercise.
    pub fn load_exercise(&self) -> Result<LoadedExercise, Diagnostics> {
        let (document, path) = (&self.document(), self.path());
        let (mut found, mut states) = (Diagnostics::new(), Vec::new());
        let mut take = |read: Result<_, Diagnostics>| {
            read.map_err(|diagnostics| found.extend(diagnostics)).ok()
        };
        let read = take(scenario_and_exercise(document, path));
        let names = document.keys_of(&[EXERCISE, "tempting"]);
        let tempting = names.iter().take(TEMPTING);
        let tempting = tempting.map(|name| [EXERCISE, "tempting", name, "change"]);
        let tempting: Vec<[&str; 4]> = tempting.collect();
        let mut changes: Vec<Vec<&[&str]>> = vec![vec![BREAK], vec![BREAK, &[EXERCISE, "fix"]]];
        changes.extend(tempting.iter().map(|keys| vec![BREAK, keys.as_slice()]));
        for change in changes {
            let changed = document.with_parts_over(EXERCISE, &change);
            states.extend(take(scenario_and_exercise(&changed, path)));
        }
        if let Some((_, None)) = &read {
            let message = format!("this is no exercise: it has no key `{EXERCISE}`");
            let name = document.source().name();
            return Err(Diagnostic::of_file(name, file::MISSING_VALUE, message).into());
        }
        let mut sources: Sources = states.iter().flat_map(|(it, _)| it.sources.clone()).collect();
        let mut states = states.into_iter().map(|(loaded, _)| loaded);
        match (read, states.next(), states.next()) {
            (Some((healthy, Some(exercise))), Some(broken), Some(repaired)) if found.is_empty() => {
                sources.extend(healthy.sources.clone());
                let repaired = repaired.scenario;
                let tempted = states.map(|loaded| loaded.scenario).collect();
                Ok(LoadedExercise { exercise, healthy, broken, repaired, tempted, sources })
            }
            _ => Err(found),
        }
    }

    /// A change that the exercise holds, `break` or `fix`, as YAML; nothing if it holds none.
    #[must_use]
    pub fn change_of(&self, key: &str) -> Option<String> {
        self.document().part_to_yaml(&[EXERCISE, key])
    }

    /// Reads the broken scenario of an exercise with a change laid over it.
    ///
    /// # Errors
    /// As of [`load_changed`](crate::load_changed).
    pub fn load_broken_with(&self, change: &str) -> Result<Scenario, Diagnostics> {
        self.load_broken_with_source(change_source(change))
    }

    /// The same, with the change as it was read from a file.
    ///
    /// # Errors
    /// As of [`load_changed`](crate::load_changed).
    pub fn load_broken_with_source(&self, change: Source) -> Result<Scenario, Diagnostics> {
        let broken = self.document().with_parts_over(EXERCISE, &[BREAK]);
        let changed = broken.with_overlay(change);
        scenario_and_exercise(&changed, self.path()).map(|(loaded, _)| loaded.scenario)
    }
}

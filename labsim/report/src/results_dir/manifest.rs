//! `DIR/run.json`: which scenarios a run consists of and which of them are in this folder. Written
//! before the first scenario starts, so that results which are missing can be named.

use crate::ListedScenario;
use labsim_event::MAX_PARTITIONS;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufReader, Read as _};

/// The number of the file's format.
pub(super) const SCHEMA: u32 = 1;

/// Bytes of the file that are read.
const LIMIT: u64 = 64 << 20;

/// Reads the file, which may be forged: names are made into paths.
///
/// # Errors
/// Why it is none of labsim's.
pub(super) fn read(file: File) -> Result<RunManifest, String> {
    let input = BufReader::new(file.take(LIMIT));
    let manifest: RunManifest =
        serde_json::from_reader(input).map_err(|error| error.to_string())?;
    if manifest.schema != SCHEMA {
        let found = manifest.schema;
        return Err(format!("it has schema {found}, and this labsim reads {SCHEMA}"));
    }
    let mut names = BTreeSet::new();
    for scenario in &manifest.scenarios {
        let name = scenario.name.as_str();
        let is_folder = |part: &str| {
            !["", ".", ".."].contains(&part) && part.len() <= 255 && !part.contains('\0')
        };
        if !name.split('/').all(is_folder) {
            return Err(format!("`{}` is not a scenario's name", name.escape_debug()));
        }
        if !names.insert(name) {
            return Err(format!("`{}` is listed twice", name.escape_debug()));
        }
    }
    if let Some(RunPartition { index, count, scenarios, .. }) = &manifest.partition {
        if !(1..=MAX_PARTITIONS).contains(count) || !(1..=*count).contains(index) {
            return Err(format!("there is no partition {index} of {count}"));
        }
        if let Some(unknown) = scenarios.iter().find(|name| !names.contains(name.as_str())) {
            let unknown = unknown.escape_debug();
            return Err(format!("`{unknown}` is in the partition and not in the run"));
        }
    }
    Ok(manifest)
}

/// A run, or one partition of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunManifest {
    /// The number of the format: 1.
    pub(super) schema: u32,
    /// The version of labsim.
    pub version: String,
    /// The machine's name.
    pub host: String,
    /// Every scenario of the whole run, in its order.
    pub scenarios: Vec<ListedScenario>,
    /// Which of them were run into this folder; absent if all were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<RunPartition>,
}

/// One of the parts that a run was divided into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunPartition {
    /// How the run was divided, without the part: `hash`.
    pub by: String,
    /// Which part, from 1.
    pub index: usize,
    /// How many parts there are.
    pub count: usize,
    /// The names of its scenarios.
    pub scenarios: Vec<String>,
}

impl RunManifest {
    /// A run that is not divided.
    #[must_use]
    pub fn whole(host: String, scenarios: Vec<ListedScenario>) -> Self {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        Self { schema: SCHEMA, version, host, scenarios, partition: None }
    }

    /// The same, of which one part is run into this folder.
    #[must_use]
    pub fn with_partition(self, partition: Option<RunPartition>) -> Self {
        Self { partition, ..self }
    }

    /// Which part of the run this is: `2/5`.
    pub(super) fn part(&self) -> String {
        match &self.partition {
            Some(RunPartition { index, count, .. }) => format!("{index}/{count}"),
            None => "1/1".to_owned(),
        }
    }

    /// The scenarios that are run into this folder.
    pub fn own(&self) -> impl Iterator<Item = &ListedScenario> {
        let partition = self.partition.as_ref();
        let mine: Option<BTreeSet<&str>> =
            partition.map(|partition| partition.scenarios.iter().map(String::as_str).collect());
        let is_mine = move |name: &str| mine.as_ref().is_none_or(|mine| mine.contains(name));
        self.scenarios.iter().filter(move |scenario| is_mine(&scenario.name))
    }

    /// The names of the scenarios that are run into this folder.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.own().map(|scenario| scenario.name.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results_dir::testing::manifest;
    use std::io::{Seek as _, Write as _};

    fn read_text(text: &str) -> Result<RunManifest, String> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.rewind().unwrap();
        read(file)
    }

    fn partition(index: usize, count: usize, names: &[&str]) -> RunManifest {
        let scenarios = names.iter().map(|name| (*name).to_owned()).collect();
        let partition = RunPartition { by: "hash".to_owned(), index, count, scenarios };
        RunManifest { partition: Some(partition), ..manifest(&["a", "b/c"]) }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for written in [manifest(&[]), manifest(&["a"]), partition(2, 3, &["b/c"])] {
            let text = serde_json::to_string(&written).unwrap();
            assert_eq!(read_text(&text).unwrap(), written);
        }
        assert_eq!(partition(2, 3, &["b/c"]).names().collect::<Vec<_>>(), ["b/c"]);
    }

    #[test]
    fn a_forged_or_cut_file_is_refused() {
        for (forged, reason) in [
            (manifest(&["../x"]), "`../x` is not a scenario's name"),
            (manifest(&["/x"]), "is not a scenario's name"),
            (manifest(&[""]), "is not a scenario's name"),
            (manifest(&["a", "a"]), "`a` is listed twice"),
            (partition(0, 3, &[]), "there is no partition 0 of 3"),
            (partition(1, usize::MAX, &[]), "there is no partition 1 of"),
            (partition(1, 1, &["d"]), "`d` is in the partition and not in the run"),
            (RunManifest { schema: 2, ..manifest(&[]) }, "schema 2, and this labsim reads 1"),
        ] {
            let error = read_text(&serde_json::to_string(&forged).unwrap()).unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        let whole = serde_json::to_string(&partition(2, 3, &["a"])).unwrap();
        for length in 0..whole.len() {
            assert!(read_text(&whole[..length]).is_err(), "{}", &whole[..length]);
        }
    }
}

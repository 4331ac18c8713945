//! The folders of results of a run's partitions, as one run.

use super::events::{self, EventsError};
use super::manifest;
use super::reader::{self, ReadError, ReadFailure};
use super::{EVENTS, RUN, ResultsWriter, RunManifest};
use labsim_codes::run::NO_RESULT;
use labsim_event::{Event, EventRecord, Outcome, SCHEMA, Totals};
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

/// The results of all partitions of a run.
pub struct Partitions {
    parts: Vec<Part>,
    manifest: RunManifest,
    /// In the order of the run.
    results: Vec<Located>,
    missing_parts: Vec<String>,
    began_us: Option<u64>,
    took_ms: f64,
    rights: String,
    has_rejected_files: bool,
}

struct Part {
    dir: PathBuf,
    folder: OwnedFd,
    manifest: RunManifest,
}

/// Where a scenario's results are.
enum Located {
    In(usize),
    /// Why there are none.
    Missing(String),
}

/// What is known of a scenario's events without replaying them.
#[derive(Default)]
struct Summary {
    lines: usize,
    outcome: Option<Outcome>,
    run_started: Option<(u64, String)>,
    at_ms: f64,
    file_rejected: bool,
}

impl Partitions {
    /// Opens the folders, and checks that they are parts of one run and complete.
    ///
    /// # Errors
    /// A folder that is not of the run, or a file in it that is cut.
    pub fn open(dirs: &[PathBuf]) -> Result<Self, Vec<ReadError>> {
        let mut parts = Vec::new();
        let mut errors = Vec::new();
        for dir in dirs {
            match Part::open(dir) {
                Ok(part) => parts.push(part),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            errors.extend(check_one_run(&parts));
        }
        let Some(first) = parts.first().filter(|_| errors.is_empty()) else { return Err(errors) };
        let hosts: BTreeSet<&str> = parts.iter().map(|part| part.manifest.host.as_str()).collect();
        let host = hosts.into_iter().collect::<Vec<_>>().join(",");
        let manifest = RunManifest::whole(host, first.manifest.scenarios.clone());
        let mut merged = Self {
            missing_parts: missing_parts(&parts),
            parts,
            manifest,
            results: Vec::new(),
            began_us: None,
            took_ms: 0.0,
            rights: "none".to_owned(),
            has_rejected_files: false,
        };
        let errors = merged.locate();
        if errors.is_empty() { Ok(merged) } else { Err(errors) }
    }

    /// The whole run.
    #[must_use]
    pub const fn manifest(&self) -> &RunManifest {
        &self.manifest
    }

    /// The partitions that none of the folders holds: `3/5`.
    #[must_use]
    pub fn missing_parts(&self) -> &[String] {
        &self.missing_parts
    }

    /// The scenarios without a result, each with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (&str, &str)> {
        self.manifest.scenarios.iter().zip(&self.results).filter_map(|(scenario, located)| {
            match located {
                Located::In(_) => None,
                Located::Missing(why) => Some((scenario.name.as_str(), why.as_str())),
            }
        })
    }

    /// Whether the file of a scenario is not valid.
    #[must_use]
    pub const fn has_rejected_files(&self) -> bool {
        self.has_rejected_files
    }

    /// Whether a path names one of the folders.
    #[must_use]
    pub fn contains(&self, dir: &Path) -> bool {
        let of = |folder: &OwnedFd| fstat(folder).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let named = open(dir, flags, Mode::empty()).ok().and_then(|folder| of(&folder));
        named.is_some() && self.parts.iter().any(|part| of(&part.folder) == named)
    }

    /// Finds every scenario's results. Returns what cannot be read.
    fn locate(&mut self) -> Vec<ReadError> {
        let mut owners = BTreeMap::new();
        for (place, part) in self.parts.iter().enumerate() {
            owners.extend(part.manifest.names().map(|name| (name, place)));
        }
        let mut errors = Vec::new();
        let mut summaries = Vec::new();
        for scenario in &self.manifest.scenarios {
            let Some(place) = owners.get(scenario.name.as_str()).copied() else {
                let missing = self.missing_parts.join(", ");
                self.results.push(Located::Missing(match missing.as_str() {
                    "" => "it is in none of the partitions".to_owned(),
                    missing => {
                        format!("it is in none of the folders, and partition {missing} is missing")
                    }
                }));
                continue;
            };
            let part = &self.parts[place];
            match part.summarize(&scenario.name) {
                Err(error) => errors.push(error),
                Ok(summary) => {
                    let dir = part.dir.display();
                    let part = part.manifest.part();
                    self.results.push(match (summary.outcome, summary.lines) {
                        (Some(_), _) => Located::In(place),
                        (None, 0) => Located::Missing(format!(
                            "partition {part} ({dir}) ended before the scenario began"
                        )),
                        (None, _) => Located::Missing(format!(
                            "partition {part} ({dir}) ended before the scenario ended"
                        )),
                    });
                    summaries.push(summary);
                }
            }
        }
        for Summary { run_started, at_ms, file_rejected, .. } in summaries {
            self.has_rejected_files |= file_rejected;
            self.took_ms = self.took_ms.max(at_ms);
            if let Some((time_us, rights)) = run_started {
                if self.began_us.is_none_or(|began| time_us < began) {
                    self.rights = rights;
                }
                self.began_us = Some(self.began_us.map_or(time_us, |began| began.min(time_us)));
            }
        }
        errors
    }

    /// Gives the events of the run, scenario by scenario, in the order of the run. A scenario
    /// without a result ends with an error.
    ///
    /// # Errors
    /// A file that can no longer be read.
    pub fn replay(&self, emit: &mut dyn FnMut(EventRecord)) -> Result<Totals, ReadError> {
        let record = |scenario: Option<&str>, event| EventRecord {
            schema: SCHEMA,
            time_us: self.began_us.unwrap_or_default(),
            at_ms: self.took_ms,
            scenario: scenario.map(str::to_owned),
            event,
        };
        emit(record(
            None,
            Event::RunStarted {
                version: self.manifest.version.clone(),
                scenarios: Some(self.manifest.scenarios.len()),
                jobs: self.parts.len(),
                rights: self.rights.clone(),
            },
        ));
        let mut totals = Totals::default();
        for (scenario, located) in self.manifest.scenarios.iter().zip(&self.results) {
            let name = scenario.name.as_str();
            match located {
                Located::In(place) => self.parts[*place].each_event(name, |mut record| {
                    // Of the partition's run; the name is that of the folder, whatever the file says.
                    if record.scenario.is_none() {
                        return;
                    }
                    if let Event::ScenarioEnded { outcome, .. } = record.event {
                        totals.count(outcome);
                    }
                    record.scenario = Some(name.to_owned());
                    emit(record);
                })?,
                Located::Missing(why) => {
                    for event in without_result(&scenario.file, why) {
                        emit(record(Some(name), event));
                    }
                    totals.count(Outcome::Broken);
                }
            }
        }
        emit(record(None, Event::RunEnded { totals, ended_early: None, took_ms: self.took_ms }));
        Ok(totals)
    }

    /// Copies the results into a new folder of results, and writes into it that others are missing.
    ///
    /// # Errors
    /// A file that cannot be read or written.
    pub fn copy(&self, into: &mut ResultsWriter) -> Result<(), ReadError> {
        for (scenario, located) in self.manifest.scenarios.iter().zip(&self.results) {
            let name = scenario.name.as_str();
            match located {
                Located::In(place) => {
                    let part = &self.parts[*place];
                    let fail = |reason| ReadError { path: part.dir.join(name), reason };
                    let from = reader::open_folders(&part.folder, name)
                        .map_err(|errno| fail(ReadFailure::Io(errno.into())))?;
                    into.copy_from(name, &from).map_err(|error| fail(ReadFailure::Io(error)))?;
                }
                Located::Missing(why) => {
                    let path = into.dir().join(name);
                    for event in without_result(&scenario.file, why) {
                        let time_us = self.began_us.unwrap_or_default();
                        let record = EventRecord::now(self.took_ms, Some(name.to_owned()), event);
                        let record = EventRecord { time_us, ..record };
                        into.append(name, &record).map_err(|error| ReadError {
                            path: path.clone(),
                            reason: ReadFailure::Io(error),
                        })?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// The events of a scenario that has no result.
fn without_result(file: &str, why: &str) -> [Event; 2] {
    let ended = Event::ScenarioEnded {
        outcome: Outcome::Broken,
        reason: Some(format!("no result: {why} [{NO_RESULT}]")),
        code: Some(NO_RESULT.name().to_owned()),
        held: 0,
        expectations: 0,
        took_ms: 0.0,
    };
    [Event::ScenarioStarted { file: file.into() }, ended]
}

/// What makes folders not those of one run's partitions.
fn check_one_run(parts: &[Part]) -> Vec<ReadError> {
    let Some(first) = parts.first() else { return Vec::new() };
    let mut errors = Vec::new();
    let mut indices = BTreeMap::new();
    let mut owners: BTreeMap<&str, &Part> = BTreeMap::new();
    for part in parts {
        let fail = |what: String| ReadError {
            path: part.dir.clone(),
            reason: ReadFailure::Partition(what),
        };
        let other = first.dir.display();
        let division =
            |part: &Part| part.manifest.partition.as_ref().map(|it| (it.by.clone(), it.count));
        if part.manifest.scenarios != first.manifest.scenarios {
            errors.push(fail(format!(
                "not a partition of the run in {other}: its scenarios are others"
            )));
            continue;
        }
        if division(part) != division(first) {
            errors.push(fail(format!(
                "not a partition of the run in {other}: it is divided otherwise"
            )));
            continue;
        }
        let index = part.manifest.partition.as_ref().map_or(1, |partition| partition.index);
        if let Some(same) = indices.insert(index, &part.dir) {
            let (part, same) = (part.manifest.part(), same.display());
            errors.push(fail(format!("partition {part} is in {same} as well; name one of them")));
            continue;
        }
        let shared =
            part.manifest.names().find_map(|name| Some((name, owners.insert(name, part)?)));
        if let Some((name, other)) = shared {
            errors.push(fail(format!(
                "`{name}` is in {} as well: the partitions were not divided by the same durations",
                other.dir.display()
            )));
        }
    }
    errors
}

/// The partitions that no folder holds.
fn missing_parts(parts: &[Part]) -> Vec<String> {
    let present: Vec<_> =
        parts.iter().filter_map(|part| part.manifest.partition.as_ref()).collect();
    let count = present.first().map_or(0, |partition| partition.count);
    let is_missing = |index: &usize| !present.iter().any(|partition| partition.index == *index);
    (1..=count).filter(is_missing).map(|index| format!("{index}/{count}")).collect()
}

impl Part {
    fn open(dir: &Path) -> Result<Self, ReadError> {
        let folder = reader::open_top(dir)?;
        let path = dir.join(RUN);
        let fail = |reason| ReadError { path: path.clone(), reason };
        let file =
            reader::open(&folder, RUN).map_err(fail)?.ok_or(ReadFailure::NoRun).map_err(fail)?;
        let manifest = manifest::read(file).map_err(|why| fail(ReadFailure::Run(why)))?;
        Ok(Self { dir: dir.to_owned(), folder, manifest })
    }

    /// Reads a scenario's events, and checks that its capture is complete if it has one.
    fn summarize(&self, name: &str) -> Result<Summary, ReadError> {
        let mut summary = Summary::default();
        self.each_event(name, |record| {
            summary.lines += 1;
            summary.at_ms = summary.at_ms.max(record.at_ms);
            match record.event {
                Event::RunStarted { rights, .. } => {
                    summary.run_started = Some((record.time_us, rights));
                }
                Event::FileRejected { .. } => summary.file_rejected = true,
                Event::ScenarioEnded { outcome, .. } => summary.outcome = Some(outcome),
                _ => {}
            }
        })?;
        if summary.outcome.is_some() {
            // What `labsim compare` reads of it, so that a cut capture is found here.
            let read = reader::read_scenario(&self.folder, &self.dir, name);
            if let Some(error) = read.err().and_then(|errors| errors.into_iter().next()) {
                return Err(error);
            }
        }
        Ok(summary)
    }

    fn each_event(&self, name: &str, consume: impl FnMut(EventRecord)) -> Result<(), ReadError> {
        let path = self.dir.join(name).join(EVENTS);
        let fail = |reason| ReadError { path: path.clone(), reason };
        let folder = reader::open_folders(&self.folder, name).map_err(|errno| ReadError {
            path: self.dir.join(name),
            reason: ReadFailure::Io(errno.into()),
        })?;
        let file = reader::open(&folder, EVENTS)
            .map_err(fail)?
            .ok_or(ReadFailure::NoFile)
            .map_err(fail)?;
        let events = BufReader::new(file.take(reader::FILE));
        let read: Result<(), EventsError> = events::for_each(events, consume);
        read.map_err(|error| fail(error.into()))
    }
}

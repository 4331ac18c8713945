//! Reads a folder of results.
//!
//! The folder may come from elsewhere and its files may be forged: no link is followed, only
//! regular files are read, and what is read is bounded.

use super::events::{self, EventsError, KeptEvents};
use super::subfolder::{LOGS, PCAPS};
use super::{CAPTURE, EVENTS};

use labsim_event::{Event, EventRecord};
use labsim_picture::{Lab, RowKind};
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_verdict::compare::SavedRun;
use labsim_verdict::{Capture, Liveness, Observations, PointId};
use labsim_wire::decode::LinkType;
use labsim_wire::pcapng::{Block, Direction, Reader};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufReader, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Scenarios of a folder.
const SCENARIOS: usize = 10_000;
/// How deep folders of scenarios are searched, below those of the folder itself.
const DEPTH: usize = 8;
/// Bytes of a file that are read.
pub(super) const FILE: u64 = 1 << 30;
/// Frames of a capture, and what was captured of them.
const FRAMES: usize = 4_000_000;
const BYTES: usize = 512 << 20;

/// A folder of results that was opened.
pub struct ResultsReader {
    dir: PathBuf,
    folder: OwnedFd,
    names: Vec<String>,
    is_scenario: bool,
}

/// What is kept of a scenario's run.
#[derive(Debug, Default)]
pub struct KeptRun {
    /// What runs are compared by.
    pub saved: SavedRun,
    /// Its lab as pictures show it; sound, or none.
    pub lab: Option<Lab>,
}

impl ResultsReader {
    /// Opens a folder of results and lists its scenarios, or a scenario's own folder in one, as if it were
    /// the only one.
    ///
    /// # Errors
    /// It does not exist or has no results.
    pub fn open(dir: &Path) -> Result<Self, ReadError> {
        let fail = |reason| ReadError { path: dir.to_owned(), reason };
        let folder = open_top(dir)?;
        if dir.join(EVENTS).symlink_metadata().is_ok() {
            return Self::open_scenario(dir);
        }
        let mut names = Vec::new();
        list(dir, "", DEPTH, &mut names).map_err(fail)?;
        if names.is_empty() {
            return Err(fail(ReadFailure::NoResults));
        }
        names.sort();
        Ok(Self { dir: dir.to_owned(), folder, names, is_scenario: false })
    }

    /// A scenario's own folder, by the one above it.
    fn open_scenario(dir: &Path) -> Result<Self, ReadError> {
        let fail = |reason| ReadError { path: dir.to_owned(), reason };
        let path = dir.canonicalize().map_err(|error| fail(error.into()))?;
        let name = path.file_name().and_then(|name| name.to_str());
        let (Some(above), Some(name)) = (path.parent(), name) else {
            return Err(fail(ReadFailure::NoResults));
        };
        let folder = open_top(above)?;
        // Messages name it as the user did, where that is by its name.
        let is_named = dir.file_name().and_then(|last| last.to_str()) == Some(name);
        let above = dir.parent().filter(|_| is_named).unwrap_or(above);
        Ok(Self { dir: above.to_owned(), folder, names: vec![name.to_owned()], is_scenario: true })
    }

    /// Whether a scenario's own folder was opened, and not one of several.
    #[must_use]
    pub fn is_scenario(&self) -> bool {
        self.is_scenario
    }

    /// The scenarios in it, each by the path of its folder, in their order.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The scenario's name in its events, such as `ipv6/tacacs`; its folder's where they do not tell. A
    /// scenario's own folder has only the last part of it.
    #[must_use]
    pub fn scenario(&self, name: &str) -> String {
        let told = open_folders(&self.folder, name).ok().and_then(|folder| {
            let file = open(&folder, EVENTS).ok()??;
            events::scenario(BufReader::new(file.take(FILE))).ok()?
        });
        told.unwrap_or_else(|| name.to_owned())
    }

    /// The folder as it was named.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The results of a scenario.
    ///
    /// # Errors
    /// One for each file that cannot be read.
    pub fn read(&self, name: &str) -> Result<SavedRun, Vec<ReadError>> {
        self.read_kept(name).map(|kept| kept.saved)
    }

    /// The results of a scenario, with its lab.
    ///
    /// # Errors
    /// One for each file that cannot be read.
    pub fn read_kept(&self, name: &str) -> Result<KeptRun, Vec<ReadError>> {
        read_scenario(&self.folder, &self.dir, name)
    }

    /// Gives out the events of a scenario, as if it ran now: [`Event::Observed`] has the frames of its
    /// capture, without liveness of the points.
    ///
    /// # Errors
    /// A file that cannot be read. Events before the error have been given out.
    pub fn replay(&self, name: &str, emit: &mut dyn FnMut(EventRecord)) -> Result<(), ReadError> {
        let path = self.dir.join(name);
        let failed = |file: &str, reason| ReadError { path: path.join(file), reason };
        let folder = open_folders(&self.folder, name).map_err(|errno| ReadError {
            path: path.clone(),
            reason: ReadFailure::Io(errno.into()),
        })?;
        let capture = open(&folder, CAPTURE).and_then(|file| file.map(self::capture).transpose());
        let capture = capture.map_err(|reason| failed(CAPTURE, reason))?;
        let mut capture = capture.map(|(capture, _)| capture);
        let events = || {
            let file = open(&folder, EVENTS).and_then(|file| file.ok_or(ReadFailure::NoFile));
            file.map(|file| BufReader::new(file.take(FILE)))
                .map_err(|reason| failed(EVENTS, reason))
        };
        // The capture is that of the last try.
        let (mut tries, mut built) = (0_usize, None);
        let count = |record: EventRecord| {
            tries += usize::from(matches!(record.event, Event::Observed { .. }));
        };
        events::for_each(events()?, count).map_err(|error| failed(EVENTS, error.into()))?;
        events::for_each(events()?, |mut record| {
            record.scenario = Some(name.to_owned());
            if let Event::LabBuilt { lab: Some(lab), .. } = &record.event {
                built = Some(lab.clone());
            }
            if let Event::Observed { observations, .. } = &mut record.event {
                tries = tries.saturating_sub(1);
                if let Some(mut capture) = capture.take_if(|_| tries == 0) {
                    capture
                        .set_partial(built.as_ref().is_some_and(|lab| lacks_points(&capture, lab)));
                    *observations = Arc::new(Observations { capture, ..Observations::default() });
                }
            }
            emit(record);
        })
        .map_err(|error| failed(EVENTS, error.into()))
    }

    /// How long the scenarios took that ended, in milliseconds, by name. What cannot be read is left
    /// out.
    #[must_use]
    pub fn durations(&self) -> BTreeMap<String, f64> {
        let took = |name: &String| {
            let folder = open_folders(&self.folder, name).ok()?;
            let file = open(&folder, EVENTS).ok()??;
            let mut took = None;
            events::for_each(BufReader::new(file.take(FILE)), |record| {
                if let Event::ScenarioEnded { took_ms, .. } = record.event {
                    took = Some(took_ms);
                }
            })
            .ok()?;
            Some((name.clone(), took?))
        };
        self.names.iter().filter_map(took).collect()
    }
}

/// The results of a scenario in a folder of results.
///
/// # Errors
/// One for each file that cannot be read.
pub(super) fn read_scenario(
    top: &OwnedFd,
    dir: &Path,
    name: &str,
) -> Result<KeptRun, Vec<ReadError>> {
    let path = dir.join(name);
    let folder = open_folders(top, name).map_err(|errno| {
        vec![ReadError { path: path.clone(), reason: ReadFailure::Io(errno.into()) }]
    })?;
    let failed = |file: &str, reason| ReadError { path: path.join(file), reason };
    let mut errors = Vec::new();
    let events = open(&folder, EVENTS)
        .and_then(|file| file.ok_or(ReadFailure::NoFile))
        .and_then(|file| Ok(events::read(BufReader::new(file.take(FILE)))?));
    let capture = open(&folder, CAPTURE).and_then(|file| file.map(capture).transpose());
    let KeptEvents { mut saved, lab } = events.unwrap_or_else(|reason| {
        errors.push(failed(EVENTS, reason));
        KeptEvents::default()
    });
    match capture {
        Ok(Some((mut capture, drops))) => {
            capture.set_partial(lab.as_ref().is_some_and(|lab| lacks_points(&capture, lab)));
            saved.observations.capture = capture;
            saved.observations.capture_drops = drops;
        }
        // A scenario that did not run to its end has none.
        Ok(None) if saved.outcome == "failed" && saved.expectations.is_empty() => {}
        Ok(None) if !matches!(saved.outcome.as_str(), "passed" | "flaky" | "failed") => {}
        Ok(None) if errors.is_empty() => errors.push(failed(CAPTURE, ReadFailure::NoCapture)),
        Ok(None) => {}
        Err(reason) => errors.push(failed(CAPTURE, reason)),
    }
    // A forged one is as good as none.
    let lab = lab.filter(Lab::is_sound);
    if errors.is_empty() { Ok(KeptRun { saved, lab }) } else { Err(errors) }
}

/// Whether frames of an interface of the lab were left out.
fn lacks_points(capture: &Capture, lab: &Lab) -> bool {
    let points: BTreeSet<(&str, &str)> =
        capture.points().iter().map(|it| (it.node.as_str(), it.interface.as_str())).collect();
    let mut interfaces = lab.nodes.iter().flat_map(|node| {
        let rows = node.rows.iter().filter(|row| row.kind == RowKind::Interface);
        let named = rows.filter(|row| !row.label.is_empty());
        named.map(|row| (node.name.as_str(), row.label.as_str()))
    });
    interfaces.any(|interface| !points.contains(&interface))
}

/// A folder of results, or a file in it, that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct ReadError {
    /// The folder or file.
    pub path: PathBuf,
    /// Why not.
    #[source]
    pub reason: ReadFailure,
}

/// Why results cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadFailure {
    /// The folder does not exist.
    #[error("no such folder; name one that `labsim run --out` made")]
    NoFolder,
    /// Not a folder.
    #[error("not a folder; name one that `labsim run --out` made")]
    NotFolder,
    /// A folder without scenarios.
    #[error("no results in it; name a folder that `labsim run --out` made")]
    NoResults,
    /// More scenarios than are read.
    #[error("more than {SCENARIOS} scenarios; compare fewer")]
    TooManyScenarios,
    /// The file does not exist.
    #[error("no such file")]
    NoFile,
    /// The capture does not exist, though the scenario ran to its end.
    #[error("no such file, and the scenario ran to its end; run it again")]
    NoCapture,
    /// A symbolic link.
    #[error("a link, which is not followed")]
    Link,
    /// A FIFO, a device or a folder in the place of a file.
    #[error("not a regular file")]
    NotRegular,
    /// A file that is too long.
    #[error("it has {0} bytes; at most {FILE} are read")]
    TooLong(u64),
    /// The events.
    #[error(transparent)]
    Events(#[from] EventsError),
    /// Not a pcapng file, or damaged.
    #[error(transparent)]
    Pcapng(#[from] labsim_wire::pcapng::ReadError),
    /// A capture that labsim did not write, or that is too large.
    #[error("{0}")]
    Capture(String),
    /// A folder without the list of the run's scenarios.
    #[error("no such file; name folders that `labsim run --partition` wrote with --out")]
    NoRun,
    /// A list of scenarios that is damaged.
    #[error("it is cut or not labsim's: {0}")]
    Run(String),
    /// A folder that is not of the same run as others.
    #[error("{0}")]
    Partition(String),
    /// The kernel's error.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// Opens the folder of results itself.
pub(super) fn open_top(dir: &Path) -> Result<OwnedFd, ReadError> {
    let fail = |reason| ReadError { path: dir.to_owned(), reason };
    let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    nix::fcntl::open(dir, flags, Mode::empty()).map_err(|errno| match errno {
        Errno::ENOENT => fail(ReadFailure::NoFolder),
        Errno::ENOTDIR => fail(ReadFailure::NotFolder),
        errno => fail(ReadFailure::Io(errno.into())),
    })
}

/// Adds the folders of scenarios in a folder and in its folders, by their paths from `dir`.
fn list(dir: &Path, below: &str, depth: usize, names: &mut Vec<String>) -> Result<(), ReadFailure> {
    let has_events = |path: &Path| path.join(EVENTS).symlink_metadata().is_ok();
    let folder = dir.join(below);
    // A program's log may have any name.
    let is_scenario = !below.is_empty() && has_events(&folder);
    for entry in folder.read_dir()? {
        let entry = entry?;
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let (true, Ok(name)) = (is_folder, entry.file_name().into_string()) else { continue };
        if is_scenario && [LOGS.name, PCAPS.name].contains(&name.as_str()) {
            continue;
        }
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if has_events(&dir.join(&path)) {
            names.push(path.clone());
        }
        if names.len() > SCENARIOS {
            return Err(ReadFailure::TooManyScenarios);
        }
        if depth > 0 {
            list(dir, &path, depth - 1, names)?;
        }
    }
    Ok(())
}

/// Opens a folder below another one; neither it nor one between them may be a link.
pub(super) fn open_folders(top: &OwnedFd, path: &str) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut names = path.split('/');
    let first = openat(top, names.next().unwrap_or_default(), flags, Mode::empty())?;
    names.try_fold(first, |folder, name| openat(&folder, name, flags, Mode::empty()))
}

/// Opens a regular file; `None` if there is none of that name.
pub(super) fn open(folder: &OwnedFd, name: &str) -> Result<Option<File>, ReadFailure> {
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = match openat(folder, name, flags, Mode::empty()) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::ENOENT) => return Ok(None),
        Err(Errno::ELOOP) => return Err(ReadFailure::Link),
        Err(errno) => return Err(ReadFailure::Io(errno.into())),
    };
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(ReadFailure::NotRegular);
    }
    if meta.len() > FILE {
        return Err(ReadFailure::TooLong(meta.len()));
    }
    Ok(Some(file))
}

/// Reads a capture, and how many frames each node's capture dropped.
fn capture(file: File) -> Result<(Capture, BTreeMap<NodeName, u64>), ReadFailure> {
    let mut reader = Reader::new(BufReader::new(file.take(FILE)))?;
    let mut capture = Capture::new();
    let mut drops = BTreeMap::new();
    let mut size = 0;
    while let Some(block) = reader.next_block()? {
        match block {
            Block::Interface { name, link, .. } => {
                let (node, interface) = point(&name)?;
                let link = match link {
                    1 => LinkType::Ethernet,
                    101 => LinkType::Raw,
                    other => {
                        let what = format!("the interface `{name}` has link type {other}");
                        return Err(ReadFailure::Capture(what));
                    }
                };
                let id = capture.add_point(node, interface, link);
                capture.set_liveness(id, Liveness::default());
            }
            Block::Packet { interface, time_ns, bytes, original_length, direction, .. } => {
                size += bytes.len();
                if capture.len() >= FRAMES || size > BYTES {
                    return Err(ReadFailure::Capture(format!(
                        "it has more than {FRAMES} frames or {BYTES} bytes; compare less at a time"
                    )));
                }
                let direction = match direction {
                    Some(Direction::In) => labsim_scenario::model::Direction::In,
                    Some(Direction::Out) => labsim_scenario::model::Direction::Out,
                    None => return Err(foreign("a frame has no direction")),
                };
                let point = PointId(usize::try_from(interface).unwrap_or(usize::MAX));
                capture.push(time_ns, point, direction, original_length, &bytes);
            }
            Block::Statistics { interface, dropped, .. } => {
                let place = usize::try_from(interface).unwrap_or(usize::MAX);
                if let Some(point) = capture.points().get(place)
                    && let Some(dropped) = dropped.filter(|dropped| *dropped > 0)
                {
                    *drops.entry(point.node.clone()).or_insert(0u64) += dropped;
                }
            }
            Block::Section => return Err(foreign("it has a second section")),
            Block::SimplePacket { .. } => return Err(foreign("a frame has no time")),
            Block::Other { .. } => {}
        }
    }
    // labsim's files are sorted by time already; frame numbers stay those of the file.
    capture.sort();
    Ok((capture, drops))
}

fn foreign(what: &str) -> ReadFailure {
    ReadFailure::Capture(format!("{what}; labsim did not write this file"))
}

fn point(name: &str) -> Result<(NodeName, InterfaceName), ReadFailure> {
    let named = name.split_once(':').and_then(|(node, interface)| {
        Some((NodeName::new(node).ok()?, InterfaceName::new(interface).ok()?))
    });
    let unnamed =
        || format!("the interface name `{}` is not `node:interface`", name.escape_debug());
    named.ok_or_else(|| ReadFailure::Capture(unnamed()))
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;

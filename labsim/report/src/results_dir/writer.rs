//! Writes the folder of results.
//!
//! labsim may run as root in a folder that others can write to: below DIR no link is followed, and
//! a capture appears under its name only when it is complete.

use super::subfolder::{LOGS, PCAPS, copy_files};
use super::{CAPTURE, EVENTS, FILE_MODE, FOLDER_MODE, RUN, RunManifest};
use crate::remarks::Remarks;
use crate::{atomic_file, capture};
use labsim_event::{Event, EventRecord, Sink, SinkError};
use labsim_verdict::Observations;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, fchmod, fstat, mkdirat};
use nix::unistd::{Gid, fchown, fchownat};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::fs::{DirBuilder, File};
use std::io::{self, Write};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why a folder of results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ResultsError {
    /// The folder itself.
    #[error(
        "the results folder {dir} cannot be made or opened: {errno}; name one you may write to"
    )]
    Folder {
        /// As it was named.
        dir: PathBuf,
        /// The kernel's error.
        errno: Errno,
    },
    /// A scenario's folder or file in it.
    #[error("{path} cannot be written: {}", reason(*.errno))]
    Inside {
        /// The folder or file.
        path: PathBuf,
        /// The kernel's error.
        errno: Errno,
    },
    /// A file cannot be replaced, such as an earlier run's capture.
    #[error("{path} cannot be replaced: {error}; remove it")]
    Replace {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: std::io::Error,
    },
    /// A scenario's folder would be the place of another one's files.
    #[error(
        "the results of the scenario `{id}` would lie among those of `{owner}`; rename its file or \
         run them separately"
    )]
    Clash {
        /// The scenario.
        id: String,
        /// The other one.
        owner: String,
    },
}

fn reason(errno: Errno) -> String {
    match errno {
        // What O_NOFOLLOW reports for a link, with and without O_DIRECTORY (open(2)).
        Errno::ELOOP | Errno::ENOTDIR => {
            "it is a link or not a folder, and results never go through links; remove it".into()
        }
        errno => errno.desc().to_owned(),
    }
}

/// What is written beside events, `capture.pcapng` and logs.
#[derive(Debug, Clone, Copy, Default)]
pub struct ResultsOptions {
    /// A classic capture for each interface.
    pub pcap: bool,
    /// labsim's own markers, in captures of either format.
    pub markers: bool,
}

/// Writes every scenario's events, captures and logs. Only the folders of running scenarios are open.
pub struct ResultsWriter {
    dir: PathBuf,
    folder: OwnedFd,
    group: Gid,
    options: ResultsOptions,
    running: BTreeMap<String, ScenarioFolder>,
    run_started: Option<EventRecord>,
}

struct ScenarioFolder {
    path: PathBuf,
    folder: OwnedFd,
    events: File,
    /// From the end of its steps to that of the scenario, when comments are complete.
    observations: Option<Arc<Observations>>,
    remarks: Remarks,
}

impl ResultsWriter {
    /// Makes the folder with `run.json`, and one in it for each scenario that is run into it, with
    /// an empty `events.jsonl`. A scenario's name may be a path of folders: `ipv6/two-families`.
    /// Captures and logs of an earlier run are removed.
    ///
    /// Folders and files are readable by their owner's group. What is new gets the group of the
    /// folder `dir`: root in a container writes into a folder of another user.
    ///
    /// # Errors
    /// The first folder or file that cannot be made.
    pub fn create(
        dir: &Path,
        manifest: &RunManifest,
        options: ResultsOptions,
    ) -> Result<Self, ResultsError> {
        let named = |errno| ResultsError::Folder { dir: dir.to_owned(), errno };
        DirBuilder::new()
            .recursive(true)
            .mode(FOLDER_MODE.bits())
            .create(dir)
            .map_err(|error| named(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let top = nix::fcntl::open(dir, flags, Mode::empty()).map_err(named)?;
        let group = Gid::from_raw(fstat(&top).map_err(named)?.st_gid);
        let write = |out: &mut dyn Write| {
            serde_json::to_writer_pretty(&mut *out, manifest)?;
            out.write_all(b"\n")
        };
        atomic_file::replace(&top, RUN.as_ref(), FILE_MODE, write)
            .map_err(|error| ResultsError::Replace { path: dir.join(RUN), error })?;
        // An ordinary user may not give a file to a group that is not the user's: it stays readable
        // by its owner.
        let _ = fchownat(&top, RUN, None, Some(group), AtFlags::AT_SYMLINK_NOFOLLOW);
        let scenarios: BTreeSet<&str> = manifest.names().collect();
        for id in &scenarios {
            if let Some(owner) = owner_of(id, &scenarios) {
                return Err(ResultsError::Clash { id: (*id).to_owned(), owner: owner.to_owned() });
            }
            ScenarioFolder::create(&top, id, dir.join(id), group)?;
        }
        let (dir, running) = (dir.to_owned(), BTreeMap::new());
        Ok(Self { dir, folder: top, group, options, running, run_started: None })
    }

    /// Copies a scenario's files from another folder of results.
    pub(super) fn copy_from(&mut self, name: &str, from: &OwnedFd) -> io::Result<()> {
        let path = self.dir.join(name);
        let to = ScenarioFolder::create(&self.folder, name, path, self.group);
        let to = to.map_err(|error| io::Error::other(error.to_string()))?;
        copy_files(from, &to.folder, &[".jsonl", ".pcapng"])?;
        [LOGS, PCAPS].iter().try_for_each(|subfolder| subfolder.copy(from, &to.folder))
    }

    /// Writes an event of a scenario.
    pub(super) fn append(&mut self, name: &str, record: &EventRecord) -> io::Result<()> {
        if !self.running.contains_key(name) {
            self.open(name).map_err(|error| error.source)?;
        }
        let folder = self.running.get_mut(name);
        folder.map_or(Ok(()), |folder| folder.append(record).map_err(|error| error.source))?;
        if matches!(record.event, Event::ScenarioEnded { .. }) {
            self.running.remove(name);
        }
        Ok(())
    }

    /// The folder as it was named.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Opens the folder of a scenario that begins.
    fn open(&mut self, id: &str) -> Result<(), SinkError> {
        let path = self.dir.join(id);
        let target = path.display().to_string();
        let folder = ScenarioFolder::create(&self.folder, id, path, self.group)
            .map_err(|error| SinkError { target, source: io::Error::other(error.to_string()) })?;
        self.running.insert(id.to_owned(), folder);
        Ok(())
    }
}

/// The scenario among whose own files a folder of this name would be.
fn owner_of<'a>(id: &'a str, scenarios: &BTreeSet<&str>) -> Option<&'a str> {
    id.match_indices('/').map(|(at, _)| id.split_at(at)).find_map(|(owner, rest)| {
        let first = rest.trim_start_matches('/').split('/').next().unwrap_or_default();
        let own = [EVENTS, CAPTURE, LOGS.name, PCAPS.name];
        let is_own = own.contains(&first) || is_capture_of_try(first);
        (is_own && scenarios.contains(owner)).then_some(owner)
    })
}

/// The capture of a try that failed.
fn capture_of_try(number: usize) -> String {
    format!("try-{number}.pcapng")
}

fn is_capture_of_try(name: &str) -> bool {
    name.strip_prefix("try-").is_some_and(|rest| rest.ends_with(".pcapng"))
}

impl ScenarioFolder {
    fn create(top: &OwnedFd, id: &str, path: PathBuf, group: Gid) -> Result<Self, ResultsError> {
        let fail = |path: PathBuf| move |errno| ResultsError::Inside { path, errno };
        let folder = make_folders(top, id, group).map_err(fail(path.clone()))?;
        let remove = |name: &OsStr| {
            atomic_file::remove(&folder, name)
                .map_err(|error| ResultsError::Replace { path: path.join(name), error })
        };
        remove(CAPTURE.as_ref())?;
        let names = names_in(&folder).map_err(fail(path.clone()))?;
        for name in names.iter().filter(|name| name.to_str().is_some_and(is_capture_of_try)) {
            remove(name)?;
        }
        for subfolder in [LOGS, PCAPS] {
            subfolder.remove(&folder).map_err(fail(path.join(subfolder.name)))?;
        }
        let events = open_file(&folder, EVENTS).map_err(fail(path.join(EVENTS)))?;
        Ok(Self { path, folder, events, observations: None, remarks: Remarks::default() })
    }

    fn append(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let written = serde_json::to_vec(record).map_err(io::Error::from).and_then(|mut line| {
            line.push(b'\n');
            self.events.write_all(&line)
        });
        written.map_err(self.failed(Path::new(EVENTS)))
    }

    fn write_log(&self, file: &str, text: &[u8]) -> Result<(), SinkError> {
        let write = || open_file(&LOGS.create(&self.folder)?, file)?.write_all(text);
        write().map_err(self.failed(&Path::new(LOGS.name).join(file)))
    }

    /// Writes the captures of a try that failed under a name of its own; the next try has others.
    fn end_try(&mut self, number: usize) -> Result<(), SinkError> {
        self.write_captures(ResultsOptions::default())?;
        let kept = capture_of_try(number);
        match renameat(&self.folder, CAPTURE, &self.folder, kept.as_str()) {
            Ok(()) | Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(self.failed(Path::new(&kept))(errno.into())),
        }
    }

    /// Writes the captures, once all comments are known.
    fn write_captures(&mut self, options: ResultsOptions) -> Result<(), SinkError> {
        let remarks = std::mem::take(&mut self.remarks);
        let Some(observations) = self.observations.take() else { return Ok(()) };
        let ResultsOptions { pcap, markers } = options;
        let write =
            |out: &mut dyn Write| capture::write_pcapng(out, &observations, markers, &remarks);
        atomic_file::replace(&self.folder, CAPTURE.as_ref(), FILE_MODE, write)
            .map_err(self.failed(Path::new(CAPTURE)))?;
        if !pcap {
            return Ok(());
        }
        let pcaps = Path::new(PCAPS.name);
        let folder = PCAPS.create(&self.folder).map_err(self.failed(pcaps))?;
        for point in capture::split_by_point(&observations.capture, markers) {
            let write = |out: &mut dyn Write| point.write_pcap(out);
            atomic_file::replace(&folder, point.file.as_ref(), FILE_MODE, write)
                .map_err(self.failed(&pcaps.join(&point.file)))?;
        }
        Ok(())
    }

    /// For `map_err`: the file of the scenario's folder that could not be written.
    fn failed(&self, file: &Path) -> impl FnOnce(io::Error) -> SinkError + use<> {
        let target = self.path.join(file).display().to_string();
        move |source| SinkError { target, source }
    }
}

/// Makes and opens a folder below another one, and those between them; none may be a link.
fn make_folders(top: &OwnedFd, path: &str, group: Gid) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut folder = None;
    for name in path.split('/') {
        let parent = folder.as_ref().unwrap_or(top);
        let is_new = match mkdirat(parent, name, FOLDER_MODE) {
            Ok(()) => true,
            Err(Errno::EEXIST) => false,
            Err(errno) => return Err(errno),
        };
        let opened = openat(parent, name, flags, Mode::empty())?;
        if is_new {
            share(&opened, group);
        }
        folder = Some(opened);
    }
    folder.ok_or(Errno::ENOENT)
}

/// The names in a folder.
fn names_in(folder: &OwnedFd) -> nix::Result<Vec<OsString>> {
    let failed = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let listed = std::fs::read_dir(format!("/proc/self/fd/{}", folder.as_raw_fd()));
    let names = listed.map_err(failed)?.map(|entry| entry.map(|entry| entry.file_name()));
    names.collect::<io::Result<_>>().map_err(failed)
}

/// Gives a folder to a group, and by its set-group-ID bit what is made in it later: then labsim may
/// be in a user namespace in which the group has no number.
fn share(folder: &OwnedFd, group: Gid) {
    let is_shared = fstat(folder).is_ok_and(|stat| Gid::from_raw(stat.st_gid) == group);
    if !is_shared && fchown(folder, None, Some(group)).is_ok() {
        let _ = fchmod(folder, FOLDER_MODE | Mode::S_ISGID);
    }
}

/// Opens or empties a file for writing, if it is no link.
fn open_file(folder: &OwnedFd, name: &str) -> nix::Result<File> {
    let flags = OFlag::O_WRONLY
        | OFlag::O_CREAT
        | OFlag::O_TRUNC
        | OFlag::O_NOFOLLOW
        | OFlag::O_NONBLOCK
        | OFlag::O_CLOEXEC;
    openat(folder, name, flags, FILE_MODE).map(File::from)
}

impl Sink for ResultsWriter {
    fn consume(&mut self, record: &EventRecord) -> Result<(), SinkError> {
        let Some(name) = &record.scenario else {
            if matches!(record.event, Event::RunStarted { .. }) {
                self.run_started = Some(record.clone());
            }
            return Ok(());
        };
        if !self.running.contains_key(name) {
            self.open(name)?;
        }
        let Some(folder) = self.running.get_mut(name) else { return Ok(()) };
        if matches!(record.event, Event::ScenarioStarted { .. })
            && let Some(run) = &self.run_started
        {
            folder.append(run)?;
        }
        folder.append(record)?;
        folder.remarks.add(name, &record.event);
        match &record.event {
            Event::ProcessLogged { file, text, .. } => folder.write_log(file, text),
            Event::Observed { observations, .. } => {
                folder.observations = Some(Arc::clone(observations));
                Ok(())
            }
            Event::TryFailed { number, .. } => folder.end_try(*number),
            Event::ScenarioEnded { .. } => {
                let written = folder.write_captures(self.options);
                self.running.remove(name);
                written
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
#[path = "writer_tests.rs"]
mod tests;

//! The folder of results: `DIR/SCENARIO/events.jsonl`, `DIR/SCENARIO/capture.pcapng`, and
//! `DIR/SCENARIO/logs` with what programs printed.
//!
//! labsim may run as root in a folder that others can write to: below DIR no link is followed, and
//! a capture appears under its name only when it is whole.

mod logs;

use crate::{capture, whole};
use labsim_event::{Event, Sink, Told};
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

pub(crate) const EVENTS: &str = "events.jsonl";
pub(crate) const CAPTURE: &str = "capture.pcapng";

/// Why a folder of results cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The folder itself.
    #[error(
        "the results folder {dir} cannot be made or opened: {errno}; name one you may write to"
    )]
    Folder {
        /// As it was named.
        dir: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
    /// A scenario's folder or file in it.
    #[error("{path} cannot be written: {}", reason(*.errno))]
    Inside {
        /// The folder or file.
        path: PathBuf,
        /// What the kernel said.
        errno: Errno,
    },
}

fn reason(errno: Errno) -> String {
    match errno {
        // What O_NOFOLLOW says about a link, with and without O_DIRECTORY (open(2)).
        Errno::ELOOP | Errno::ENOTDIR => {
            "it is a link or not a folder, and results never go through links; remove it".into()
        }
        errno => errno.desc().to_owned(),
    }
}

/// Keeps every scenario's events and capture.
pub struct OutFolder {
    dir: PathBuf,
    scenarios: BTreeMap<String, ScenarioFolder>,
    run_started: Option<Told>,
}

struct ScenarioFolder {
    path: PathBuf,
    folder: OwnedFd,
    events: File,
}

impl OutFolder {
    /// Makes the folder, and one in it for each scenario, with an empty `events.jsonl`. A capture
    /// of an earlier run is removed.
    ///
    /// # Errors
    /// The first folder or file that cannot be made.
    pub fn create<'a>(
        dir: &Path,
        scenarios: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, FolderError> {
        let named = |errno| FolderError::Folder { dir: dir.to_owned(), errno };
        std::fs::create_dir_all(dir)
            .map_err(|error| named(Errno::from_raw(error.raw_os_error().unwrap_or(0))))?;
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let top = nix::fcntl::open(dir, flags, Mode::empty()).map_err(named)?;
        let mut folders = BTreeMap::new();
        for name in scenarios {
            let path = dir.join(name);
            let folder = ScenarioFolder::create(&top, name, path)?;
            folders.insert(name.to_owned(), folder);
        }
        Ok(Self { dir: dir.to_owned(), scenarios: folders, run_started: None })
    }

    /// The folder as it was named.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

impl ScenarioFolder {
    fn create(top: &OwnedFd, name: &str, path: PathBuf) -> Result<Self, FolderError> {
        let fail = |path: PathBuf| move |errno| FolderError::Inside { path, errno };
        match mkdirat(top, name, Mode::from_bits_truncate(0o755)) {
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(errno) => return Err(fail(path)(errno)),
        }
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let folder = openat(top, name, flags, Mode::empty()).map_err(fail(path.clone()))?;
        whole::remove(&folder, CAPTURE.as_ref()).map_err(fail(path.join(CAPTURE)))?;
        logs::remove(&folder).map_err(fail(path.join(logs::FOLDER)))?;
        let events = open_file(&folder, EVENTS).map_err(fail(path.join(EVENTS)))?;
        Ok(Self { path, folder, events })
    }

    fn append(&mut self, told: &Told) -> Result<(), String> {
        let fail = |error: &dyn std::fmt::Display| {
            format!("{} cannot be written: {error}", self.path.join(EVENTS).display())
        };
        let mut line = serde_json::to_vec(told).map_err(|error| fail(&error))?;
        line.push(b'\n');
        self.events.write_all(&line).map_err(|error| fail(&error))
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
    openat(folder, name, flags, Mode::from_bits_truncate(0o644)).map(File::from)
}

impl Sink for OutFolder {
    fn take(&mut self, told: &Told) -> Result<(), String> {
        let Some(name) = &told.scenario else {
            if matches!(told.event, Event::RunStarted { .. }) {
                self.run_started = Some(told.clone());
            }
            return Ok(());
        };
        let Some(folder) = self.scenarios.get_mut(name) else { return Ok(()) };
        if matches!(told.event, Event::ScenarioStarted { .. })
            && let Some(run) = &self.run_started
        {
            folder.append(run)?;
        }
        folder.append(told)?;
        if let Event::ProcessLogged { file, text, .. } = &told.event {
            logs::keep(&folder.folder, file, text).map_err(|error| {
                let path = folder.path.join(logs::FOLDER).join(file);
                format!("{} cannot be written: {error}", path.display())
            })?;
        }
        if let Event::Observed { observations, .. } = &told.event {
            whole::write(&folder.folder, CAPTURE.as_ref(), |out| capture::write(out, observations))
                .map_err(|error| {
                    format!("{} cannot be written: {error}", folder.path.join(CAPTURE).display())
                })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::{Direction, InterfaceName, NodeName};
    use labsim_verdict::Observations;
    use labsim_wire::decode::LinkType;
    use labsim_wire::pcapng::{Block, Reader};
    use std::fs;
    use std::sync::Arc;

    fn observed() -> Event {
        let mut observations = Observations::default();
        let node = NodeName::new("client").unwrap();
        let interface = InterfaceName::new("eth0").unwrap();
        let point = observations.capture.add_point(node, interface, LinkType::Ethernet);
        observations.capture.push(7, point, Direction::Out, 60, &[0; 60]);
        Event::Observed { frames: 1, dropped: 0, observations: Arc::new(observations) }
    }

    fn told(event: Event) -> Told {
        Told { at_ms: 1.0, scenario: Some("s".into()), event }
    }

    #[test]
    fn a_capture_has_a_block_for_each_interface_and_each_frame() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = OutFolder::create(dir.path(), ["s"]).unwrap();
        folder.take(&told(observed())).unwrap();
        let bytes = fs::read(dir.path().join("s").join(CAPTURE)).unwrap();
        let mut reader = Reader::new(bytes.as_slice()).unwrap();
        let mut blocks = Vec::new();
        while let Some(block) = reader.next_block().unwrap() {
            blocks.push(block);
        }
        let named = |b: &Block| format!("{b:?}").contains("client:eth0");
        assert!(blocks.iter().any(named), "{blocks:?}");
        assert!(blocks.iter().any(|b| matches!(b, Block::Packet { .. })), "{blocks:?}");
    }

    #[test]
    fn events_are_one_json_object_a_line() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = OutFolder::create(dir.path(), ["s"]).unwrap();
        let step = || Event::StepStarted { step: "login".into(), what: "x\ny".into() };
        folder.take(&told(step())).unwrap();
        folder.take(&told(step())).unwrap();
        let text = fs::read_to_string(dir.path().join("s").join(EVENTS)).unwrap();
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(value["event"], "step_started");
            assert_eq!(value["scenario"], "s");
        }
    }

    #[test]
    fn what_an_earlier_run_left_is_gone_before_the_next_begins() {
        let dir = tempfile::tempdir().unwrap();
        OutFolder::create(dir.path(), ["s"]).unwrap().take(&told(observed())).unwrap();
        OutFolder::create(dir.path(), ["s"]).unwrap();
        assert!(!dir.path().join("s").join(CAPTURE).exists());
        assert_eq!(fs::read(dir.path().join("s").join(EVENTS)).unwrap(), b"");
    }

    #[test]
    fn no_link_is_followed_neither_as_a_folder_nor_as_a_file() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink(elsewhere.path(), dir.path().join("s")).unwrap();
        let refused = OutFolder::create(dir.path(), ["s"]).err().unwrap();
        assert!(refused.to_string().contains("never go through links"), "{refused}");

        fs::remove_file(dir.path().join("s")).unwrap();
        fs::create_dir(dir.path().join("s")).unwrap();
        let target = elsewhere.path().join("target");
        fs::write(&target, "kept").unwrap();
        std::os::unix::fs::symlink(&target, dir.path().join("s").join(EVENTS)).unwrap();
        assert!(OutFolder::create(dir.path(), ["s"]).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}

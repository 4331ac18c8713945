//! `DIR/SCENARIO/logs` and `DIR/SCENARIO/pcap`, below which no link is followed either.

use super::reader::{self, ReadFailure};
use super::{FILE_MODE, FOLDER_MODE};
use crate::atomic_file;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::io::{self, Read as _, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// A folder in a scenario's folder that holds files of one ending.
pub(super) struct Subfolder {
    pub(super) name: &'static str,
    ending: &'static str,
}

/// A file for every program.
pub(super) const LOGS: Subfolder = Subfolder { name: "logs", ending: ".log" };
/// A capture for every interface.
pub(super) const PCAPS: Subfolder = Subfolder { name: "pcap", ending: ".pcap" };

/// Files of a folder that are copied at most.
const FILES: usize = 100_000;

/// Copies the regular files that have one of the endings, without following links.
pub(super) fn copy_files(from: &OwnedFd, to: &OwnedFd, endings: &[&str]) -> io::Result<()> {
    let listed = format!("/proc/self/fd/{}", from.as_raw_fd());
    for entry in std::fs::read_dir(listed)?.take(FILES) {
        let name = entry?.file_name();
        let Some(name) = name.to_str().filter(|name| endings.iter().any(|it| name.ends_with(it)))
        else {
            continue;
        };
        let failed = |failure: ReadFailure| io::Error::other(format!("{name}: {failure}"));
        let Some(file) = reader::open(from, name).map_err(failed)? else { continue };
        let mut file = file.take(reader::FILE);
        let write = |out: &mut dyn Write| io::copy(&mut file, out).map(drop);
        atomic_file::replace(to, name.as_ref(), FILE_MODE, write)?;
    }
    Ok(())
}

impl Subfolder {
    /// Removes the files of an earlier run, and their folder if nothing else is in it.
    pub(super) fn remove(&self, scenario: &OwnedFd) -> nix::Result<()> {
        let folder = match self.open(scenario) {
            Ok(folder) => folder,
            Err(Errno::ENOENT) => return Ok(()),
            Err(errno) => return Err(errno),
        };
        let failed = |error: io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
        let listed = format!("/proc/self/fd/{}", folder.as_raw_fd());
        for entry in std::fs::read_dir(listed).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if name.as_encoded_bytes().ends_with(self.ending.as_bytes()) {
                unlinkat(&folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
            }
        }
        match unlinkat(scenario, self.name, UnlinkatFlags::RemoveDir) {
            Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    /// Opens the folder, which is made if there is none.
    pub(super) fn create(&self, scenario: &OwnedFd) -> io::Result<OwnedFd> {
        match mkdirat(scenario, self.name, FOLDER_MODE) {
            Ok(()) | Err(Errno::EEXIST) => Ok(self.open(scenario)?),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Copies the files of another scenario's folder, if it has any.
    pub(super) fn copy(&self, from: &OwnedFd, to: &OwnedFd) -> io::Result<()> {
        match self.open(from) {
            Ok(from) => copy_files(&from, &self.create(to)?, &[self.ending]),
            Err(Errno::ENOENT) => Ok(()),
            Err(errno) => Err(errno.into()),
        }
    }

    fn open(&self, scenario: &OwnedFd) -> nix::Result<OwnedFd> {
        let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        openat(scenario, self.name, flags, Mode::empty())
    }
}

#[cfg(test)]
mod tests {
    use crate::results_dir::testing::{create, record};
    use labsim_event::{Event, EventRecord, Sink as _};
    use std::fs;
    use std::os::unix::fs::symlink;

    fn logged(file: &str) -> EventRecord {
        let event = Event::ProcessLogged {
            file: file.to_owned(),
            node: "rs1".to_owned(),
            bytes: 5,
            lost: 0,
            text: (*b"hello").into(),
        };
        record(event)
    }

    #[test]
    fn a_log_is_kept_until_the_next_run_and_is_no_part_of_the_events() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = create(dir.path(), &["s"]).unwrap();
        folder.consume(&logged("aaa@rs1.log")).unwrap();
        let path = dir.path().join("s/logs/aaa@rs1.log");
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        let events = fs::read_to_string(dir.path().join("s/events.jsonl")).unwrap();
        assert!(events.contains("aaa@rs1.log") && !events.contains("hello"), "{events}");
        create(dir.path(), &["s"]).unwrap();
        assert!(!dir.path().join("s/logs").exists());
    }

    #[test]
    fn no_link_is_followed_to_a_log_or_to_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("kept.log");
        fs::write(&target, "kept").unwrap();
        let mut folder = create(dir.path(), &["s"]).unwrap();
        folder.consume(&logged("first.log")).unwrap();
        fs::remove_dir_all(dir.path().join("s/logs")).unwrap();
        symlink(elsewhere.path(), dir.path().join("s/logs")).unwrap();
        assert!(folder.consume(&logged("kept.log")).unwrap_err().target.contains("logs/kept.log"));
        let refused = create(dir.path(), &["s"]).err().unwrap().to_string();
        assert!(refused.contains("never go through links"), "{refused}");
        fs::remove_file(dir.path().join("s/logs")).unwrap();
        fs::create_dir(dir.path().join("s/logs")).unwrap();
        symlink(&target, dir.path().join("s/logs/kept.log")).unwrap();
        assert!(folder.consume(&logged("kept.log")).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}

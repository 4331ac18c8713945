//! `DIR/SCENARIO/logs`: a file for every program, below which no link is followed either.

use super::open_file;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, mkdirat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};

pub(super) const FOLDER: &str = "logs";

fn open(scenario: &OwnedFd) -> nix::Result<OwnedFd> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    openat(scenario, FOLDER, flags, Mode::empty())
}

/// Removes the logs of an earlier run, and their folder if nothing else is in it.
pub(super) fn remove(scenario: &OwnedFd) -> nix::Result<()> {
    let folder = match open(scenario) {
        Ok(folder) => folder,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno),
    };
    let failed = |error: std::io::Error| Errno::from_raw(error.raw_os_error().unwrap_or(0));
    let listed = format!("/proc/self/fd/{}", folder.as_raw_fd());
    for entry in std::fs::read_dir(listed).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if name.as_encoded_bytes().ends_with(b".log") {
            unlinkat(&folder, name.as_os_str(), UnlinkatFlags::NoRemoveDir)?;
        }
    }
    match unlinkat(scenario, FOLDER, UnlinkatFlags::RemoveDir) {
        Ok(()) | Err(Errno::ENOTEMPTY | Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Writes a log. Only the owner can read it: programs print what they like.
pub(super) fn keep(scenario: &OwnedFd, file: &str, text: &[u8]) -> std::io::Result<()> {
    match mkdirat(scenario, FOLDER, Mode::from_bits_truncate(0o700)) {
        Ok(()) | Err(Errno::EEXIST) => {}
        Err(errno) => return Err(errno.into()),
    }
    open_file(&open(scenario)?, file)?.write_all(text)
}

#[cfg(test)]
mod tests {
    use crate::folder::OutFolder;
    use labsim_event::{Event, Sink, Told};
    use std::fs;
    use std::os::unix::fs::symlink;

    fn logged(file: &str) -> Told {
        let event = Event::ProcessLogged {
            file: file.to_owned(),
            node: "rs1".to_owned(),
            bytes: 5,
            lost: 0,
            text: (*b"hello").into(),
        };
        Told { at_ms: 1.0, scenario: Some("s".into()), event }
    }

    #[test]
    fn a_log_is_kept_until_the_next_run_and_is_no_part_of_the_events() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = OutFolder::create(dir.path(), ["s"]).unwrap();
        folder.take(&logged("aaa@rs1.log")).unwrap();
        let path = dir.path().join("s/logs/aaa@rs1.log");
        assert_eq!(fs::read(&path).unwrap(), b"hello");
        let events = fs::read_to_string(dir.path().join("s/events.jsonl")).unwrap();
        assert!(events.contains("aaa@rs1.log") && !events.contains("hello"), "{events}");
        OutFolder::create(dir.path(), ["s"]).unwrap();
        assert!(!dir.path().join("s/logs").exists());
    }

    #[test]
    fn no_link_is_followed_to_a_log_or_to_their_folder() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("kept.log");
        fs::write(&target, "kept").unwrap();
        let mut folder = OutFolder::create(dir.path(), ["s"]).unwrap();
        symlink(elsewhere.path(), dir.path().join("s/logs")).unwrap();
        assert!(folder.take(&logged("kept.log")).unwrap_err().contains("logs/kept.log"));
        let refused = OutFolder::create(dir.path(), ["s"]).err().unwrap().to_string();
        assert!(refused.contains("never go through links"), "{refused}");
        fs::remove_file(dir.path().join("s/logs")).unwrap();
        fs::create_dir(dir.path().join("s/logs")).unwrap();
        symlink(&target, dir.path().join("s/logs/kept.log")).unwrap();
        assert!(folder.take(&logged("kept.log")).is_err());
        assert_eq!(fs::read_to_string(&target).unwrap(), "kept");
    }
}

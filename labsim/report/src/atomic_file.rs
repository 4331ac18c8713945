//! Replaces a file in one step: a reader finds the old content or the new one, each complete.

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::{Mode, SFlag, fstatat};
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::OwnedFd;

/// Writes the file `name` in `folder`, in place of an earlier one. A new file gets `mode`, less the
/// process's umask.
///
/// The content goes to `.NAME.part` in the same folder, which is then renamed (rename(2)): if
/// labsim is killed in between, the earlier file is still there. A symbolic link is replaced and
/// not followed.
///
/// # Errors
/// `name` exists and is neither a regular file nor a symbolic link (it is left alone), or the
/// kernel refuses. The earlier file is still there.
pub(crate) fn replace(
    folder: &OwnedFd,
    name: &OsStr,
    mode: Mode,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    check_replaceable(folder, name)?;
    let part = part_name(name);
    let file = create_part(folder, &part, mode)?;
    let renamed =
        write_all(file, write).and_then(|()| Ok(renameat(folder, part.as_os_str(), folder, name)?));
    if renamed.is_err() {
        let _ = unlinkat(folder, part.as_os_str(), UnlinkatFlags::NoRemoveDir);
    }
    renamed
}

/// Removes a regular file or a symbolic link, if there is one.
///
/// # Errors
/// It is something else, which is left alone, or the kernel refuses.
pub(crate) fn remove(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    check_replaceable(folder, name)?;
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

fn check_replaceable(folder: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let kind = match fstatat(folder, name, AtFlags::AT_SYMLINK_NOFOLLOW) {
        Ok(stat) => SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT,
        Err(Errno::ENOENT) => return Ok(()),
        Err(errno) => return Err(errno.into()),
    };
    let what = match kind {
        SFlag::S_IFREG | SFlag::S_IFLNK => return Ok(()),
        SFlag::S_IFDIR => "a folder",
        SFlag::S_IFIFO => "a FIFO",
        SFlag::S_IFSOCK => "a socket",
        _ => "a device",
    };
    Err(io::Error::other(format!("{} is {what} and not a regular file", name.display())))
}

/// The file's name while it is written.
fn part_name(name: &OsStr) -> OsString {
    let mut part = OsString::from(".");
    part.push(name);
    part.push(".part");
    part
}

/// Creates the file to write to; one that a killed run left is removed first.
fn create_part(folder: &OwnedFd, part: &OsStr, mode: Mode) -> io::Result<File> {
    // O_EXCL follows no link in the last component.
    let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    let file = match openat(folder, part, flags, mode) {
        Err(Errno::EEXIST) => {
            remove(folder, part)?;
            openat(folder, part, flags, mode)?
        }
        opened => opened?,
    };
    Ok(File::from(file))
}

fn write_all(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut buffered = BufWriter::with_capacity(256 << 10, file);
    write(&mut buffered)?;
    buffered.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// As the code under test, for files that all users may read.
    fn replace(
        folder: &OwnedFd,
        name: &OsStr,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        super::replace(folder, name, Mode::from_bits_truncate(0o644), write)
    }
    use std::os::unix::fs::{FileTypeExt as _, symlink};
    use std::sync::atomic::{AtomicBool, Ordering};

    fn open(dir: &tempfile::TempDir) -> OwnedFd {
        File::open(dir.path()).unwrap().into()
    }

    fn names(dir: &tempfile::TempDir) -> Vec<OsString> {
        let entries = fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    #[test]
    fn a_link_is_replaced_and_its_target_stays() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("target"), "old").unwrap();
        symlink("target", dir.path().join("name")).unwrap();
        replace(&open(&dir), OsStr::new("name"), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"new");
        assert_eq!(fs::read(dir.path().join("target")).unwrap(), b"old");
    }

    #[test]
    fn a_failed_write_leaves_the_earlier_file_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("name"), "old").unwrap();
        let half = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        };
        replace(&open(&dir), OsStr::new("name"), half).unwrap_err();
        assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"old");
        assert_eq!(names(&dir), ["name"]);
    }

    #[test]
    fn the_earlier_file_has_its_name_until_the_new_one_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        fs::write(&path, "old").unwrap();
        // More than the buffer holds: a part of it has reached the file before the look.
        let big = vec![b'n'; 1 << 20];
        let look = |out: &mut dyn Write| {
            out.write_all(&big)?;
            assert_eq!(fs::read(&path)?, b"old");
            Ok(())
        };
        replace(&open(&dir), OsStr::new("name"), look).unwrap();
        assert_eq!(fs::read(&path).unwrap(), big);
    }

    #[test]
    fn a_reader_finds_a_complete_file_during_every_replacement() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        let content = |digit: u8| vec![b'0' + digit % 10; 300 << 10];
        fs::write(&path, content(0)).unwrap();
        let folder = open(&dir);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for round in 1..=200 {
                    let write = |out: &mut dyn Write| out.write_all(&content(round));
                    replace(&folder, OsStr::new("name"), write).unwrap();
                }
                done.store(true, Ordering::Release);
            });
            while !done.load(Ordering::Acquire) {
                let found = fs::read(&path).unwrap();
                assert_eq!(found.len(), 300 << 10);
                assert!(found.iter().all(|byte| *byte == found[0]), "two files in one");
            }
        });
    }

    #[test]
    fn what_a_killed_run_left_is_in_nobodys_way() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("victim"), "kept").unwrap();
        symlink("victim", dir.path().join(".name.part")).unwrap();
        for content in ["one", "two"] {
            replace(&open(&dir), OsStr::new("name"), |out| out.write_all(content.as_bytes()))
                .unwrap();
            assert_eq!(fs::read_to_string(dir.path().join("name")).unwrap(), content);
            fs::write(dir.path().join(".name.part"), "half").unwrap();
        }
        assert_eq!(fs::read_to_string(dir.path().join("victim")).unwrap(), "kept");
    }

    #[test]
    fn neither_a_fifo_nor_a_folder_nor_a_socket_is_replaced_or_removed() {
        let dir = tempfile::tempdir().unwrap();
        nix::unistd::mkfifo(&dir.path().join("fifo"), Mode::S_IRWXU).unwrap();
        fs::create_dir(dir.path().join("folder")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("socket")).unwrap();
        for (name, what) in [("fifo", "a FIFO"), ("folder", "a folder"), ("socket", "a socket")] {
            let folder = open(&dir);
            let write = |_: &mut dyn Write| panic!("written");
            for refused in
                [replace(&folder, OsStr::new(name), write), remove(&folder, OsStr::new(name))]
            {
                let refused = refused.unwrap_err().to_string();
                assert!(refused.contains(what), "{refused}");
            }
        }
        let kind = |name: &str| fs::symlink_metadata(dir.path().join(name)).unwrap().file_type();
        assert!(kind("fifo").is_fifo() && kind("folder").is_dir() && kind("socket").is_socket());
        assert_eq!(names(&dir).len(), 3);
    }

    #[test]
    fn a_device_is_not_replaced() {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&terminal.slave).unwrap();
        let folder: OwnedFd = File::open(path.parent().unwrap()).unwrap().into();
        let name = path.file_name().unwrap();
        let refused = replace(&folder, name, |_| panic!("written")).unwrap_err().to_string();
        assert!(refused.contains("a device"), "{refused}");
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_char_device());
    }
}

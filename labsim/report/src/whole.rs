//! Files that appear under their names only when they are whole.

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::sys::stat::Mode;
use nix::unistd::{UnlinkatFlags, linkat, unlinkat};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::fd::{AsRawFd, OwnedFd};

/// For everybody to read.
const MODE: Mode = Mode::from_bits_truncate(0o644);

/// Writes `name` in `folder`, in place of what was there; a link is replaced, not followed.
///
/// The file has no name until it is whole, so that whatever ends labsim in between leaves nothing
/// half-written (open(2), `O_TMPFILE`).
pub(crate) fn write(
    folder: &OwnedFd,
    name: &OsStr,
    write: impl Fn(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let unnamed = OFlag::O_TMPFILE | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
    match openat(folder, ".", unnamed, MODE) {
        Ok(file) => {
            let file = write_all(File::from(file), write)?;
            let nameless = format!("/proc/self/fd/{}", file.as_raw_fd());
            remove(folder, name)?;
            let follow = AtFlags::AT_SYMLINK_FOLLOW;
            Ok(linkat(nix::fcntl::AT_FDCWD, nameless.as_str(), folder, name, follow)?)
        }
        // File systems without nameless files.
        Err(Errno::EOPNOTSUPP | Errno::EISDIR | Errno::ENOENT) => {
            let part = part_of(name);
            remove(folder, &part)?;
            let new = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            let file = File::from(openat(folder, part.as_os_str(), new, MODE)?);
            write_all(file, write)?;
            Ok(renameat(folder, part.as_os_str(), folder, name)?)
        }
        Err(errno) => Err(errno.into()),
    }
}

/// Removes a file or a link, if there is one.
pub(crate) fn remove(folder: &OwnedFd, name: &OsStr) -> nix::Result<()> {
    match unlinkat(folder, name, UnlinkatFlags::NoRemoveDir) {
        Ok(()) | Err(Errno::ENOENT) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// What a file is called while it is written.
fn part_of(name: &OsStr) -> OsString {
    let mut part = name.to_owned();
    part.push(".part");
    part
}

fn write_all(file: File, write: impl Fn(&mut dyn Write) -> io::Result<()>) -> io::Result<File> {
    let mut buffered = BufWriter::with_capacity(256 << 10, file);
    write(&mut buffered)?;
    buffered.into_inner().map_err(io::IntoInnerError::into_error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn opened(dir: &tempfile::TempDir) -> OwnedFd {
        File::open(dir.path()).unwrap().into()
    }

    #[test]
    fn a_link_is_replaced_and_what_it_names_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("target"), "kept").unwrap();
        std::os::unix::fs::symlink("target", dir.path().join("name")).unwrap();
        write(&opened(&dir), OsStr::new("name"), |out| out.write_all(b"new")).unwrap();
        assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"new");
        assert_eq!(fs::read(dir.path().join("target")).unwrap(), b"kept");
    }

    #[test]
    fn what_was_not_written_whole_leaves_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("name"), "old").unwrap();
        let half = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            Err(io::Error::other("the disk is full"))
        };
        write(&opened(&dir), OsStr::new("name"), half).unwrap_err();
        assert_eq!(fs::read(dir.path().join("name")).unwrap(), b"old");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}

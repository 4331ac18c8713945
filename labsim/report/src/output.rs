//! A file or a stream that a user names for results that are written as one document.
//!
//! | the path names | what is done |
//! |---|---|
//! | nothing, or a regular file | each version of the document replaces the file in one step |
//! | a symbolic link to a regular file | the same, with the file that the link names; the link stays |
//! | a FIFO, a terminal or another character device | the last version is written to it |
//! | a link of `/proc`, such as `/dev/stdout` | the last version is appended to what it stands for |
//! | a folder, a socket, a block device, a link to nothing | refused |
//!
//! What is not a regular file is never replaced. Links are followed by the kernel first, so that
//! its rules about links in shared folders hold (proc_sys_fs(5), `protected_symlinks`).

use crate::atomic_file;
use nix::errno::Errno;
use nix::fcntl::{FcntlArg, OFlag, fcntl, open};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::{Mode, fstat};
use nix::sys::statfs::{PROC_SUPER_MAGIC, statfs};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Of a new file: readable by all users.
const MODE: Mode = Mode::from_bits_truncate(0o644);
/// Of a file with secrets.
const PRIVATE_MODE: Mode = Mode::from_bits_truncate(0o600);
/// Milliseconds that a FIFO's reader may take nothing.
const PATIENCE_MS: u16 = 10_000;
/// Links that are followed at most, as in the kernel (path_resolution(7)).
const MAX_LINKS: usize = 40;

/// Why a path cannot be written to.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The path has no last component.
    #[error("the path does not name a file")]
    NoName,
    /// A folder.
    #[error("it is a folder")]
    Folder,
    /// A block device: a document would destroy what is on it.
    #[error("it is a block device")]
    BlockDevice,
    /// A socket: it cannot be opened as a file.
    #[error("it is a socket")]
    Socket,
    /// A FIFO that no process reads.
    #[error("it is a FIFO without a reader; start the reader first")]
    NoReader,
    /// A symbolic link to a file that does not exist.
    #[error(
        "it is a symbolic link to a file that does not exist; create the file or remove the link"
    )]
    DanglingLink,
    /// A file that another document replaces.
    #[error("another document is written to the same file; name another one")]
    Shared,
    /// Who reads a stream is not known.
    #[error("it is no regular file; secrets are only written to a file that is this user's alone")]
    NotPrivate,
    /// The kernel refuses.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl From<Errno> for OutputError {
    fn from(errno: Errno) -> Self {
        Self::Io(errno.into())
    }
}

/// Where a document is written.
#[derive(Debug)]
pub enum Output {
    /// A regular file, or none yet: replaced by each version.
    File {
        /// Its folder.
        folder: OwnedFd,
        /// Its name in the folder.
        name: OsString,
        /// Who may read it, less the process's umask.
        mode: Mode,
    },
    /// Takes one version, the last.
    Stream(File),
}

impl Output {
    /// Opens what the path names, and makes its folder if there is none. Nothing is written yet.
    /// # Errors
    /// Why it cannot be written to.
    pub fn open(path: &Path) -> Result<Self, OutputError> {
        path.file_name().ok_or(OutputError::NoName)?;
        fs::create_dir_all(parent(path))?;
        // O_NONBLOCK: a FIFO without a reader is refused and not waited for (fifo(7)).
        let flags = OFlag::O_WRONLY | OFlag::O_NONBLOCK | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let file = match open(path, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(Errno::ENOENT) if path.is_symlink() => return Err(OutputError::DanglingLink),
            Err(Errno::ENOENT) => return Self::file(path),
            Err(Errno::EISDIR) => return Err(OutputError::Folder),
            Err(Errno::ENXIO) => {
                let kind = fs::metadata(path)?.file_type();
                return Err(match (kind.is_fifo(), kind.is_socket()) {
                    (true, _) => OutputError::NoReader,
                    (_, true) => OutputError::Socket,
                    _ => Errno::ENXIO.into(),
                });
            }
            Err(errno) => return Err(errno.into()),
        };
        let meta = file.metadata()?;
        if meta.file_type().is_block_device() {
            return Err(OutputError::BlockDevice);
        }
        if !meta.is_file() {
            return Ok(Self::Stream(file));
        }
        let Some(target) = follow_links(path)? else {
            fcntl(&file, FcntlArg::F_SETFL(OFlag::O_APPEND))?;
            return Ok(Self::Stream(file));
        };
        let found = fs::symlink_metadata(&target)?;
        if (found.dev(), found.ino()) != (meta.dev(), meta.ino()) {
            return Err(io::Error::other("it changes while it is opened").into());
        }
        Self::file(&target)
    }

    /// The same for a document with secrets: a regular file that this user alone may read.
    ///
    /// # Errors
    /// Those of [`open`](Self::open), and what is no regular file.
    pub fn open_private(path: &Path) -> Result<Self, OutputError> {
        match Self::open(path)? {
            Self::File { folder, name, .. } => Ok(Self::File { folder, name, mode: PRIVATE_MODE }),
            Self::Stream(_) => Err(OutputError::NotPrivate),
        }
    }

    fn file(path: &Path) -> Result<Self, OutputError> {
        let name = path.file_name().ok_or(OutputError::NoName)?.to_owned();
        let flags = OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let folder = open(parent(path), flags, Mode::empty())?;
        Ok(Self::File { folder, name, mode: MODE })
    }

    /// Whether each version would replace one of the other output's.
    #[must_use]
    pub fn is_same_file(&self, other: &Self) -> bool {
        let (Self::File { folder, name, .. }, Self::File { folder: other_folder, name: other, .. }) =
            (self, other)
        else {
            return false;
        };
        let id = |folder: &OwnedFd| fstat(folder).map(|stat| (stat.st_dev, stat.st_ino)).ok();
        name == other && id(folder).is_some() && id(folder) == id(other_folder)
    }

    /// Writes a version of the document. A stream takes the last one alone.
    ///
    /// # Errors
    /// The kernel's; an earlier file is still there then.
    pub fn write(
        &self,
        is_last: bool,
        document: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> io::Result<()> {
        match self {
            Self::File { folder, name, mode } => {
                atomic_file::replace(folder, name, *mode, document)
            }
            Self::Stream(file) if is_last => {
                let mut bytes = Vec::new();
                document(&mut bytes)?;
                write_patiently(file, &bytes, PATIENCE_MS)
            }
            Self::Stream(_) => Ok(()),
        }
    }
}

/// Writes a text to what a path names, which is treated as for a document of a run.
///
/// # Errors
/// Why it cannot be written; an earlier file is still there then.
pub fn write_file(path: &Path, text: &str) -> Result<(), OutputError> {
    Ok(Output::open(path)?.write(true, |out| out.write_all(text.as_bytes()))?)
}

fn parent(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// The path of the file that a path's links lead to; `None` if one of them is a link of `/proc`,
/// which stands for an open file and not for a path.
fn follow_links(path: &Path) -> io::Result<Option<PathBuf>> {
    let mut path = path.to_owned();
    for _ in 0..MAX_LINKS {
        if !fs::symlink_metadata(&path)?.is_symlink() {
            return Ok(Some(path));
        }
        let folder = fs::canonicalize(parent(&path))?;
        if statfs(&folder)?.filesystem_type() == PROC_SUPER_MAGIC {
            return Ok(None);
        }
        path = folder.join(fs::read_link(&path)?);
    }
    Err(Errno::ELOOP.into())
}

/// Writes to a stream that may have no room for now.
fn write_patiently(mut file: &File, mut bytes: &[u8], patience_ms: u16) -> io::Result<()> {
    while !bytes.is_empty() {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => bytes = bytes.get(written..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut room = [PollFd::new(file.as_fd(), PollFlags::POLLOUT)];
                match poll(&mut room, PollTimeout::from(patience_ms)) {
                    Ok(0) => {
                        let why = format!("its reader takes nothing for {} s", patience_ms / 1000);
                        return Err(io::Error::new(io::ErrorKind::TimedOut, why));
                    }
                    Ok(_) | Err(Errno::EINTR) => {}
                    Err(errno) => return Err(errno.into()),
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::{Uid, mkfifo, setfsuid};
    use std::io::Read as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _, chown, symlink};

    fn write(path: &Path, versions: &[&str]) -> io::Result<()> {
        let output = Output::open(path).unwrap();
        for (number, version) in versions.iter().enumerate() {
            output.write(number + 1 == versions.len(), |out| out.write_all(version.as_bytes()))?;
        }
        Ok(())
    }

    fn refused(path: &Path) -> String {
        Output::open(path).unwrap_err().to_string()
    }

    #[test]
    fn a_regular_file_is_replaced_by_every_version() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new/folder/name");
        write(&path, &["one"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one");
        write(&path, &["two", "three"]).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three");
    }

    #[test]
    fn a_file_with_secrets_is_the_users_alone_also_where_another_one_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        for path in [path, dir.path().join("new")] {
            Output::open_private(&path).unwrap().write(true, |out| out.write_all(b"new")).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), "new");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let refused = Output::open_private(Path::new("/dev/null")).unwrap_err().to_string();
        assert!(refused.contains("it is no regular file"), "{refused}");
    }

    #[test]
    fn a_link_stays_and_the_file_that_it_names_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let (target, link) = (dir.path().join("results/target"), dir.path().join("link"));
        fs::create_dir(dir.path().join("results")).unwrap();
        fs::write(&target, "old").unwrap();
        symlink("results/target", dir.path().join("second")).unwrap();
        symlink("second", &link).unwrap();
        write(&link, &["new"]).unwrap();
        assert!(link.is_symlink() && dir.path().join("second").is_symlink());
        assert_eq!(fs::read_to_string(target).unwrap(), "new");
    }

    #[test]
    fn a_link_to_nothing_and_a_circle_of_links_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let link = dir.path().join("link");
        symlink("nothing", &link).unwrap();
        assert!(refused(&link).contains("a file that does not exist"));
        fs::remove_file(&link).unwrap();
        symlink("link", &link).unwrap();
        assert!(refused(&link).contains("symbolic links"), "{}", refused(&link));
        assert!(link.is_symlink());
    }

    #[test]
    fn a_device_stays_and_takes_the_last_version() {
        let terminal = nix::pty::openpty(None, None).unwrap();
        let path = nix::unistd::ttyname(&terminal.slave).unwrap();
        write(&path, &["one", "two"]).unwrap();
        let mut taken = [0; 8];
        let mut master = File::from(terminal.master);
        let length = master.read(&mut taken).unwrap();
        assert_eq!(taken[..length], *b"two");
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_char_device());
    }

    #[test]
    fn a_link_to_a_device_stays_and_the_device_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let (null, full) = (dir.path().join("null"), dir.path().join("full"));
        symlink("/dev/null", &null).unwrap();
        symlink("/dev/full", &full).unwrap();
        write(&null, &["document"]).unwrap();
        let error = write(&full, &["document"]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(Errno::ENOSPC as i32));
        assert!(null.is_symlink() && full.is_symlink());
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
    }

    #[test]
    fn a_link_of_proc_is_appended_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("redirected");
        fs::write(&path, "text\n").unwrap();
        let open = fs::OpenOptions::new().append(true).open(&path).unwrap();
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&open));
        write(Path::new(&link), &["one", "two"]).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "text\ntwo");
    }

    #[test]
    fn a_fifo_without_a_reader_is_refused_and_one_with_a_reader_is_written_to() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        assert!(refused(&path).contains("without a reader"));
        let reader = reader_of(&path);
        write(&path, &["one", "two"]).unwrap();
        assert_eq!(io::read_to_string(reader).unwrap(), "two");
        assert!(fs::symlink_metadata(&path).unwrap().file_type().is_fifo());
    }

    /// Opens a FIFO that has no writer yet, and waits for one only when it reads.
    fn reader_of(fifo: &Path) -> File {
        let nonblocking = OFlag::O_NONBLOCK.bits();
        let reader = fs::OpenOptions::new().read(true).custom_flags(nonblocking).open(fifo);
        let reader = reader.unwrap();
        fcntl(&reader, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
        reader
    }

    #[test]
    fn a_fifo_takes_more_than_its_buffer_holds() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let reader = reader_of(&path);
        let document = "x".repeat(1 << 20);
        let output = Output::open(&path).unwrap();
        std::thread::scope(|scope| {
            let taken = scope.spawn(|| io::read_to_string(reader).unwrap());
            output.write(true, |out| out.write_all(document.as_bytes())).unwrap();
            drop(output);
            assert_eq!(taken.join().unwrap().len(), document.len());
        });
    }

    #[test]
    fn a_fifo_whose_reader_takes_nothing_is_given_up() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("fifo");
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        let _reader = reader_of(&path);
        let Output::Stream(fifo) = Output::open(&path).unwrap() else { panic!("not a stream") };
        let error = write_patiently(&fifo, &vec![0; 1 << 20], 20).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_folder_a_socket_and_no_name_are_refused_and_stay() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refused(dir.path()).contains("a folder"));
        let path = dir.path().join("socket");
        let _socket = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(refused(&path).contains("a socket"));
        assert!(refused(Path::new("/")).contains("does not name a file"));
        assert!(fs::symlink_metadata(path).unwrap().file_type().is_socket());
    }

    /// Another user than root, for this thread's file accesses alone.
    fn as_ordinary_user(then: impl FnOnce()) {
        if Uid::effective().is_root() {
            setfsuid(Uid::from_raw(ORDINARY));
        }
        then();
        setfsuid(Uid::effective());
    }

    const ORDINARY: u32 = 65_534;

    #[test]
    fn a_file_that_the_user_may_not_write_is_refused_and_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("name");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
        if Uid::effective().is_root() {
            for owned in [dir.path(), &path] {
                chown(owned, Some(ORDINARY), None).unwrap();
            }
        }
        as_ordinary_user(|| assert!(refused(&path).contains("Permission denied")));
        assert_eq!(fs::read_to_string(path).unwrap(), "old");
    }

    #[test]
    fn a_folder_that_the_user_may_not_write_is_told_when_the_file_is_written() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o555)).unwrap();
        as_ordinary_user(|| {
            let error = write(&dir.path().join("name"), &["new"]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        });
    }
}

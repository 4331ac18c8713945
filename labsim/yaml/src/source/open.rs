//! Opens files: those that the user names, and those that a file names, which are not trusted.

use labsim_codes::file::FILE_UNREADABLE;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::{Mode, SFlag, fstat};

use super::{SIZE_LIMIT, Source};
use crate::{Diagnostic, Diagnostics};

/// What every file is opened with: no waiting for a FIFO's writer, no controlling terminal.
const READ: OFlag =
    OFlag::O_RDONLY.union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC).union(OFlag::O_NOCTTY);
/// What a folder on the way is opened with: to go on from there, not to list it.
const FOLDER: OFlag = OFlag::O_PATH.union(OFlag::O_DIRECTORY).union(OFlag::O_CLOEXEC);

const ENDINGS: [&str; 3] = ["yaml", "yml", "json"];

impl Source {
    /// Opens a file that the user has named. Symbolic links are followed.
    ///
    /// Only a regular file is read, and at most one byte more than [`SIZE_LIMIT`].
    ///
    /// # Errors
    /// The file cannot be opened, is not a regular file, is too large, or is not UTF-8.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, Diagnostics> {
        let path = path.as_ref();
        let name = shown(path);
        match open(path, READ, Mode::empty()) {
            Ok(file) => read_regular(name, file),
            Err(errno) => {
                Err(Diagnostic::of_file(name, FILE_UNREADABLE, cannot_open(errno)).into())
            }
        }
    }

    /// Opens a file that the file `base` names, as [`open_in`](Self::open_in) the folder of `base`.
    ///
    /// # Errors
    /// Those of [`open_in`](Self::open_in).
    pub fn open_beside(base: &Path, relative: &str) -> Result<Self, Diagnostics> {
        let folder = base.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self::open_in(folder.unwrap_or(Path::new(".")), relative)
    }

    /// Opens `relative` in `folder`, for a name that comes from a file or from a folder's listing.
    ///
    /// labsim may run as root on files of another user, and a message shows lines of a file. So
    /// the name must be relative and end in `.yaml`, `.yml` or `.json`, and no part of it may be
    /// a symbolic link (the folder's own path may). It may go up with `..`.
    ///
    /// Each part is opened in turn with `O_NOFOLLOW` in the folder before it (openat(2)): what
    /// openat2(2) does with `RESOLVE_NO_SYMLINKS`, but on every kernel and under every seccomp
    /// filter.
    ///
    /// # Errors
    /// A name that is not allowed, and those of [`open`](Self::open).
    pub fn open_in(folder: &Path, relative: &str) -> Result<Self, Diagnostics> {
        let name = shown(&folder.join(relative));
        open_without_links(folder, relative)
            .map_err(|message| Diagnostic::of_file(name.clone(), FILE_UNREADABLE, message).into())
            .and_then(|file| read_regular(name, file))
    }
}

fn open_without_links(folder: &Path, relative: &str) -> Result<OwnedFd, String> {
    let path = Path::new(relative);
    if path.is_absolute() {
        return Err("the path is absolute; give one relative to the file that names it".to_owned());
    }
    if !path.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending == *known)) {
        return Err("the name must end in .yaml, .yml or .json".to_owned());
    }
    let mut parts: Vec<Component<'_>> =
        path.components().filter(|part| *part != Component::CurDir).collect();
    let last = parts.pop().ok_or("the name is empty")?;
    let mut at = open(folder, FOLDER, Mode::empty()).map_err(cannot_open)?;
    for part in parts {
        at = step(&at, part, FOLDER)?;
    }
    step(&at, last, READ)
}

/// Opens one part of a path, refusing a symbolic link.
fn step(at: &OwnedFd, part: Component<'_>, how: OFlag) -> Result<OwnedFd, String> {
    let part = Path::new(part.as_os_str());
    openat(at, part, how | OFlag::O_NOFOLLOW, Mode::empty()).map_err(|errno| {
        // A link is ELOOP for the file itself and ENOTDIR where a folder is wanted (open(2)).
        let link = openat(at, part, OFlag::O_PATH | OFlag::O_NOFOLLOW, Mode::empty())
            .and_then(fstat)
            .is_ok_and(|meta| {
                SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT == SFlag::S_IFLNK
            });
        if link {
            format!(
                "`{}` is a symbolic link, which a file may not name; name what it points to",
                shown(part)
            )
        } else {
            cannot_open(errno)
        }
    })
}

fn read_regular(name: String, file: OwnedFd) -> Result<Source, Diagnostics> {
    let kind = match fstat(&file) {
        Ok(meta) => SFlag::from_bits_truncate(meta.st_mode) & SFlag::S_IFMT,
        Err(errno) => {
            return Err(Diagnostic::of_file(name, FILE_UNREADABLE, cannot_open(errno)).into());
        }
    };
    if kind != SFlag::S_IFREG {
        let what = match kind {
            SFlag::S_IFDIR => "a folder",
            SFlag::S_IFIFO => "a FIFO",
            SFlag::S_IFCHR | SFlag::S_IFBLK => "a device",
            _ => "no file",
        };
        let message = format!("this is {what}; name a regular file");
        return Err(Diagnostic::of_file(name, FILE_UNREADABLE, message).into());
    }
    let mut bytes = Vec::new();
    match File::from(file).take(SIZE_LIMIT as u64 + 1).read_to_end(&mut bytes) {
        Ok(_) => Source::from_bytes(name, bytes),
        Err(error) => {
            Err(Diagnostic::of_file(name, FILE_UNREADABLE, format!("cannot be read: {error}"))
                .into())
        }
    }
}

fn cannot_open(errno: Errno) -> String {
    match errno {
        Errno::ENOENT => "no such file".to_owned(),
        Errno::EACCES | Errno::EPERM => "you may not read this file".to_owned(),
        Errno::ENOTDIR => "a part of the path is not a folder".to_owned(),
        // What open(2) says to a socket.
        Errno::ENXIO => "this is a socket; name a regular file".to_owned(),
        Errno::EINVAL => "the name holds a NUL".to_owned(),
        _ => format!("cannot be opened: {}", errno.desc()),
    }
}

fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

//! The folder of a user's labs that are up, with a folder for each.
//!
//! A lab is up while its folder's lock is held, by its holder alone (flock(2)): the kernel lets go of
//! it when the holder ends in whatever way. Folders come and go under a lock on the folder of all.

use crate::error::LiveError;
use crate::name::LabName;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};
use nix::unistd::{geteuid, mkdir};
use std::env;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Only the owner enters, reads and writes.
const OWNER_ONLY: u32 = 0o700;
/// Bits of a mode that anybody else must not have.
const OTHERS: u32 = 0o077;
/// How often the folder of all may vanish between its making and its locking.
const TRIES: usize = 100;
/// The most labs of a user.
const MOST: usize = 1000;

const LOCK: &str = "lock";
/// The name of a holder's socket in the lab's folder.
pub(crate) const SOCKET: &str = "socket";
/// The name of the file that nodes have as `/etc/hosts`.
pub(crate) const HOSTS: &str = "hosts";
/// The name of the folder of what interactive shells read, and of their histories.
pub(crate) const SHELLS: &str = "shells";

/// The folder of a user's labs. It has to be asked for before the process moves into a user namespace,
/// in which the user has another number.
#[derive(Debug, Clone)]
pub struct LabsFolder {
    path: PathBuf,
    /// Whether the folder that it is in has to be the user's own.
    in_own: bool,
}

/// A name that no other lab can have while this, or a copy of it in another process, is open.
#[derive(Debug)]
pub struct Claim {
    folder: LabsFolder,
    name: LabName,
    lock: File,
}

impl LabsFolder {
    /// `$XDG_RUNTIME_DIR/labsim` where there is such a folder of the user's own, else
    /// `/run/labsim-UID` for root, else `/tmp/labsim-UID`. Nothing is made.
    #[must_use]
    pub fn of_user() -> Self {
        let user = geteuid();
        let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| {
            path.is_absolute() && open_folder(path).is_ok_and(|folder| is_own(&folder))
        });
        let in_own = runtime.is_some();
        let path = match runtime {
            Some(runtime) => runtime.join("labsim"),
            None if user.is_root() && is_writable(Path::new("/run")) => "/run/labsim-0".into(),
            None => format!("/tmp/labsim-{user}").into(),
        };
        Self { path, in_own }
    }

    /// Takes a name for a new lab. Folders of labs whose holder is gone are removed.
    ///
    /// # Errors
    /// [`LiveError::IsUp`], or [`LiveError::Folder`].
    pub fn claim(&self, name: &LabName) -> Result<Claim, LiveError> {
        let failed = |error| self.failure(&error);
        let _all = self.lock(true)?.ok_or_else(|| self.error("it cannot be made"))?;
        let up = self.sweep().map_err(failed)?;
        if up.contains(name) {
            return Err(LiveError::IsUp(name.clone()));
        }
        if up.len() >= MOST {
            return Err(self.error(format!("{MOST} labs are up, which is the most")));
        }
        let folder = self.path.join(name.as_str());
        let make = || {
            make_folder(&folder)?;
            let lock = File::create_new(folder.join(LOCK))?;
            lock.lock().map(|()| lock)
        };
        match make() {
            Ok(lock) => Ok(Claim { folder: self.clone(), name: name.clone(), lock }),
            Err(error) => {
                self.remove(name);
                let _ = fs::remove_dir(&self.path);
                Err(failed(error))
            }
        }
    }

    /// The labs that are up, by name. Folders of labs whose holder is gone are removed.
    ///
    /// # Errors
    /// [`LiveError::Folder`].
    pub fn up(&self) -> Result<Vec<LabName>, LiveError> {
        let Some(_all) = self.lock(false)? else { return Ok(Vec::new()) };
        let up = self.sweep().map_err(|error| self.failure(&error))?;
        if up.is_empty() {
            // Somebody else's file in it keeps it.
            let _ = fs::remove_dir(&self.path);
        }
        Ok(up)
    }

    /// The lab of that name, or the only one that is up.
    ///
    /// # Errors
    /// [`LiveError::Unknown`], [`LiveError::NoLab`], [`LiveError::Several`], [`LiveError::Folder`].
    pub fn find(&self, name: Option<&LabName>) -> Result<LabName, LiveError> {
        let up = self.up()?;
        match (name, up.as_slice()) {
            (Some(name), up) if up.contains(name) => Ok(name.clone()),
            (Some(name), _) => Err(LiveError::Unknown { name: name.clone(), known: up }),
            (None, []) => Err(LiveError::NoLab),
            (None, [only]) => Ok(only.clone()),
            (None, _) => Err(LiveError::Several(up)),
        }
    }

    /// A file of a lab's folder.
    pub(crate) fn file(&self, name: &LabName, file: &str) -> PathBuf {
        self.path.join(name.as_str()).join(file)
    }

    /// The folder of a lab, open.
    pub(crate) fn open(&self, name: &LabName) -> io::Result<File> {
        open_folder(&self.path.join(name.as_str()))
    }

    /// Whether a lab's lock is held.
    pub(crate) fn is_up(&self, name: &LabName) -> bool {
        is_held(&self.file(name, LOCK)).unwrap_or(false)
    }

    /// Locks the folder, after checking that it is the user's alone. `None` if it does not exist and
    /// is not to be made.
    fn lock(&self, make: bool) -> Result<Option<File>, LiveError> {
        let failed = |error| self.failure(&error);
        for _ in 0..TRIES {
            if make {
                let parent = self.path.parent().filter(|_| self.in_own).map(open_folder);
                if !parent.transpose().map_err(failed)?.is_none_or(|it| is_own(&it)) {
                    return Err(self.error("the folder that it is in is another user's"));
                }
                make_folder(&self.path).map_err(failed)?;
            }
            let folder = match open_folder(&self.path) {
                Ok(folder) => folder,
                Err(error) if error.kind() == io::ErrorKind::NotFound && !make => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed(error)),
            };
            let state = fstat(&folder).map_err(|errno| failed(errno.into()))?;
            if !is_own(&folder) || state.st_mode & OTHERS != 0 {
                return Err(self.error("it has to be this user's alone, mode 0700; remove it"));
            }
            folder.lock().map_err(failed)?;
            // Whoever removes it does so under the lock.
            if fstat(&folder).is_ok_and(|state| state.st_nlink > 0) {
                return Ok(Some(folder));
            }
        }
        Err(self.error("other commands remove it again and again"))
    }

    /// Removes the folders of labs that are not up, and returns the others' names. Under the lock.
    fn sweep(&self) -> io::Result<Vec<LabName>> {
        let mut up = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let file_name = entry?.file_name();
            let Some(name) = file_name.to_str().and_then(|it| it.parse::<LabName>().ok()) else {
                continue;
            };
            match is_held(&self.file(&name, LOCK)) {
                Ok(true) => up.push(name),
                Ok(false) => self.remove(&name),
                Err(error) => return Err(error),
            }
        }
        up.sort();
        Ok(up)
    }

    /// Removes a lab's folder, if it is one.
    fn remove(&self, name: &LabName) {
        if let Err(error) = fs::remove_dir_all(self.path.join(name.as_str()))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%name, %error, "the folder of a lab that is gone cannot be removed");
        }
    }

    /// What a failure to work in it means.
    pub(crate) fn failure(&self, error: &io::Error) -> LiveError {
        let is_full =
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded);
        let remedy = if is_full {
            "; free some there, or set XDG_RUNTIME_DIR to a folder of yours elsewhere"
        } else {
            ""
        };
        self.error(format!("{error}{remedy}"))
    }

    fn error(&self, reason: impl Into<String>) -> LiveError {
        LiveError::Folder { path: self.path.clone(), reason: reason.into() }
    }
}

impl Claim {
    /// The lab's name.
    #[must_use]
    pub fn name(&self) -> &LabName {
        &self.name
    }

    /// The folder of all labs.
    #[must_use]
    pub fn folder(&self) -> &LabsFolder {
        &self.folder
    }

    /// Takes the name again if the lab's folder was removed.
    ///
    /// # Errors
    /// Those of [`LabsFolder::claim`].
    pub(crate) fn renew(&mut self) -> Result<(), LiveError> {
        if !self.is_in_place() {
            *self = self.folder.claim(&self.name)?;
        }
        Ok(())
    }

    /// Whether the lock in the lab's folder is this one: folders are removed by others, at the end of
    /// a user's last session for one.
    fn is_in_place(&self) -> bool {
        let state = |file: &File| file.metadata().map(|it| (it.dev(), it.ino()));
        let there = fs::symlink_metadata(self.folder.file(&self.name, LOCK));
        let there = there.map(|it| (it.dev(), it.ino()));
        matches!((there, state(&self.lock)), (Ok(there), Ok(own)) if there == own)
    }

    /// Gives the name up, with the lab's folder.
    pub fn release(self) {
        // The name is another's only after both are gone.
        if let Ok(Some(_all)) = self.folder.lock(false) {
            if self.is_in_place() {
                self.folder.remove(&self.name);
            }
            let Self { folder, lock, .. } = self;
            drop(lock);
            let _ = fs::remove_dir(&folder.path);
        }
    }
}

/// Whether a lock is held; `false` if there is no such file.
fn is_held(lock: &Path) -> io::Result<bool> {
    match File::options().read(true).open(lock) {
        // Shared: whoever looks at the same time does not take it for held.
        Ok(file) => match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(error),
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes a folder that its owner alone enters, unless it is there.
pub(crate) fn make_folder(path: &Path) -> io::Result<()> {
    match mkdir(path, Mode::from_bits_truncate(OWNER_ONLY)) {
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(errno) => Err(errno.into()),
    }
}

/// Opens a folder itself, never what a link stands for.
fn open_folder(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_RDONLY | OFlag::O_CLOEXEC;
    Ok(open(path, flags, Mode::empty())?.into())
}

fn is_own(folder: &File) -> bool {
    fstat(folder).is_ok_and(|state| state.st_uid == geteuid().as_raw())
}

fn is_writable(folder: &Path) -> bool {
    nix::unistd::access(folder, nix::unistd::AccessFlags::W_OK).is_ok()
}

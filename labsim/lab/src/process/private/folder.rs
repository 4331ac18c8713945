//! The private folder: on a tmpfs in the process's own mount namespace, or among temporary files.

use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount as mount_at};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, mkdir, mkdtemp, write};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the folder is, for the process alone.
///
/// A folder to mount over has to exist already, or something would be left of it. `/dev/shm` is
/// there wherever POSIX shared memory is, and a lab's process that sees none of the host's shared
/// memory misses nothing.
pub(super) const MOUNTED: &str = "/dev/shm/labsim";

/// The tmpfs's size is its bound: what a process writes there is memory.
const OPTIONS: &std::ffi::CStr = c"mode=0755,size=64m";
const OWNER_ONLY: u32 = 0o700;

/// The files as the kernel wants to hear of them, for the time between fork and exec, in which
/// nothing may be allocated.
pub(super) struct Files {
    folders: Vec<CString>,
    files: Vec<(CString, Vec<u8>)>,
}

impl Files {
    /// Takes relative paths.
    pub(super) fn new(texts: &BTreeMap<PathBuf, String>) -> io::Result<Self> {
        let path = |path: &Path| Ok::<_, io::Error>(CString::new(path.as_os_str().as_bytes())?);
        let folders = folders(texts).into_iter().map(path).collect::<io::Result<_>>()?;
        let files = texts.iter().map(|(name, text)| Ok((path(name)?, text.clone().into_bytes())));
        Ok(Self { folders, files: files.collect::<io::Result<_>>()? })
    }

    /// Writes all of them into the current folder.
    fn write(&self) -> nix::Result<()> {
        let mode = Mode::from_bits_truncate(OWNER_ONLY);
        for folder in &self.folders {
            mkdir(folder.as_c_str(), mode)?;
        }
        let flags = OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
        for (name, text) in &self.files {
            let file = open(name.as_c_str(), flags, mode)?;
            let mut rest = text.as_slice();
            while !rest.is_empty() {
                let written = write(&file, rest)?;
                rest = rest.get(written..).unwrap_or_default();
            }
        }
        Ok(())
    }
}

/// The folders in between, each after the one that it is in.
fn folders(texts: &BTreeMap<PathBuf, String>) -> BTreeSet<&Path> {
    let parents = texts.keys().flat_map(|path| path.ancestors().skip(1));
    parents.filter(|parent| !parent.as_os_str().is_empty()).collect()
}

/// Has the process make the folder before the program begins, and begin in it.
pub(super) fn mount(command: &mut Command, files: Files) {
    // SAFETY: between fork and exec the closure makes system calls with what it captured, and
    // allocates nothing.
    unsafe {
        command.pre_exec(move || {
            unshare(CloneFlags::CLONE_NEWNS)?;
            let none = None::<&std::ffi::CStr>;
            // What happens to mounts in here stays in here.
            mount_at(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
            let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
            mount_at(Some(c"labsim"), c"/dev/shm", Some(c"tmpfs"), plain, Some(OPTIONS))?;
            // The processes of the own PID namespace; a container may refuse it, and then `/proc`
            // shows the host's.
            let no_programs = plain | MsFlags::MS_NOEXEC;
            let _ = mount_at(Some(c"proc"), c"/proc", Some(c"proc"), no_programs, none);
            mkdir(MOUNTED_C, Mode::from_bits_truncate(OWNER_ONLY))?;
            chdir(MOUNTED_C)?;
            Ok(files.write()?)
        })
    };
}

/// [`MOUNTED`] for the kernel.
const MOUNTED_C: &std::ffi::CStr = c"/dev/shm/labsim";

/// A folder among the temporary files. Dropping it removes it with all that is in it.
#[derive(Debug)]
pub(in crate::process) struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    /// Makes one that only the owner can enter (mkdtemp(3)).
    pub(super) fn create() -> io::Result<Self> {
        Ok(Self(mkdtemp(&std::env::temp_dir().join("labsim-XXXXXX"))?))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn fill(&self, texts: &BTreeMap<PathBuf, String>) -> io::Result<()> {
        for folder in folders(texts) {
            DirBuilder::new().mode(OWNER_ONLY).create(self.0.join(folder))?;
        }
        for (name, text) in texts {
            let mut options = OpenOptions::new();
            options.write(true).create_new(true).mode(OWNER_ONLY);
            options.open(self.0.join(name))?.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The process is gone; whatever it forbade itself is the user's own doing.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_temporary_folder_is_its_owners_alone_and_goes_with_its_handle() {
        let folder = TemporaryFolder::create().unwrap();
        let texts = BTreeMap::from([(PathBuf::from("a/b/c"), "text".to_owned())]);
        folder.fill(&texts).unwrap();
        let path = folder.path().to_owned();
        for (name, content) in [("", None), ("a", None), ("a/b", None), ("a/b/c", Some("text"))] {
            let mode = std::fs::metadata(path.join(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, OWNER_ONLY, "{name}");
            if let Some(content) = content {
                assert_eq!(std::fs::read_to_string(path.join(name)).unwrap(), content);
            }
        }
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn folders_in_between_are_made_from_the_outermost_on() {
        let texts = BTreeMap::from([(PathBuf::from("a/b/c"), String::new())]);
        let folders: Vec<_> = folders(&texts).into_iter().collect();
        assert_eq!(folders, [Path::new("a"), Path::new("a/b")]);
    }
}

//! A folder of a child process's own: on a tmpfs in a mount namespace (mount_namespaces(7)) that
//! goes with the process.

use crate::child::{Isolation, Refusals};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount as mount_at};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::{chdir, mkdir, write};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{CStr, CString};
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the folder is, for the process alone.
///
/// A folder to mount over has to exist already, or something would be left of it. `/var/tmp` is on every
/// system that keeps to the Filesystem Hierarchy Standard (5.15), programs write there as they do
/// elsewhere (FreeRADIUS, for one, creates no file below `/dev`), and what the host has there is nothing
/// that a process needs.
pub const MOUNTED: &str = "/var/tmp/labsim";
/// [`MOUNTED`] for the kernel.
const MOUNTED_C: &CStr = c"/var/tmp/labsim";

/// The tmpfs's size is its bound: what a process writes there is memory.
const OPTIONS: &CStr = c"mode=0755,size=64m";
/// Only the owner enters, reads and writes.
pub const OWNER_ONLY: u32 = 0o700;

/// Files in the form that the kernel takes, for the time between fork and exec, in which nothing
/// may be allocated.
#[derive(Debug)]
pub struct Files {
    folders: Vec<CString>,
    files: Vec<(CString, Vec<u8>)>,
}

impl Files {
    /// Takes texts by relative path. Folders in between are made; mode 0700 all of them.
    ///
    /// # Errors
    /// A path with a zero byte.
    pub fn new(texts: &BTreeMap<PathBuf, String>) -> io::Result<Self> {
        let path = |path: &Path| Ok::<_, io::Error>(CString::new(path.as_os_str().as_bytes())?);
        let folders = parent_folders(texts).into_iter().map(path).collect::<io::Result<_>>()?;
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

/// The folders that the files lie in, each after the one that it is in.
#[must_use]
pub fn parent_folders(texts: &BTreeMap<PathBuf, String>) -> BTreeSet<&Path> {
    let parents = texts.keys().flat_map(|path| path.ancestors().skip(1));
    parents.filter(|parent| !parent.as_os_str().is_empty()).collect()
}

/// Has the process make the folder before the program begins, and begin in it. Where the kernel
/// refuses it, the process does not start, and `refusals` tells ([`Isolation::PrivateFolder`]);
/// where it refuses a `/proc` of the PID namespace alone, the process starts with the host's
/// ([`Isolation::OwnProc`]).
pub fn mount(command: &mut Command, files: Files, refusals: Refusals) {
    // SAFETY: between fork and exec the closure makes system calls with what it captured, and
    // allocates nothing.
    unsafe {
        command.pre_exec(move || {
            let refused = |errno: Errno| {
                refusals.record(Isolation::PrivateFolder, errno);
                io::Error::from(errno)
            };
            make(&files, &refusals).map_err(refused)
        })
    };
}

fn make(files: &Files, refusals: &Refusals) -> nix::Result<()> {
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none = None::<&CStr>;
    // What happens to mounts in here stays in here.
    mount_at(none, c"/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount_at(Some(c"labsim"), c"/var/tmp", Some(c"tmpfs"), plain, Some(OPTIONS))?;
    // The processes of the own PID namespace; a container may refuse it.
    let no_programs = plain | MsFlags::MS_NOEXEC;
    if let Err(errno) = mount_at(Some(c"proc"), c"/proc", Some(c"proc"), no_programs, none) {
        refusals.record(Isolation::OwnProc, errno);
    }
    mkdir(MOUNTED_C, Mode::from_bits_truncate(OWNER_ONLY))?;
    chdir(MOUNTED_C)?;
    files.write()
}

#[cfg(test)]
mod tests {
    use super::parent_folders;
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    #[test]
    fn folders_in_between_are_made_from_the_outermost_on() {
        let texts = BTreeMap::from([(PathBuf::from("a/b/c"), String::new())]);
        let folders: Vec<_> = parent_folders(&texts).into_iter().collect();
        assert_eq!(folders, [Path::new("a"), Path::new("a/b")]);
    }
}

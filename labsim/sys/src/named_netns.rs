//! Network namespaces under names, as ip-netns(8) has them, for this process and its children alone.

use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use std::ffi::OsStr;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};

/// The folder that iproute2's has in it (`NETNS_RUN_DIR` in its sources).
const PARENT: &str = "/var/run";
/// The folder's name in there.
const FOLDER: &str = "netns";
/// The names are memory, and few.
const OPTIONS: &str = "mode=0755,size=16m";

/// Moves this process, which must have a single thread, into a mount namespace of its own
/// (mount_namespaces(7)), in which ip-netns(8) finds these network namespaces under these names, and no
/// others. Nothing of it is seen outside, and all of it goes with the last process in the namespace.
/// The process needs CAP_SYS_ADMIN in its user namespace.
///
/// # Errors
/// The mount that the kernel refuses.
pub fn show(namespaces: &[(String, OwnedFd)]) -> io::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let folder = folder(&fs::canonicalize(PARENT)?)?;
    for (name, namespace) in namespaces {
        let file = folder.join(name);
        File::create_new(&file)?;
        bind(namespace.as_fd(), OsStr::new(""), &file)?;
    }
    Ok(())
}

/// An empty folder, also where the host has none and this process may make none.
fn folder(parent: &Path) -> io::Result<PathBuf> {
    let folder = parent.join(FOLDER);
    if folder.is_dir() {
        mount_memory(&folder)?;
    } else {
        // Before it is covered.
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let original = open(parent, flags, Mode::empty())?;
        mount_memory(parent)?;
        show_entries(&original, parent)?;
        DirBuilder::new().mode(0o755).create(&folder)?;
    }
    Ok(folder)
}

fn mount_memory(folder: &Path) -> nix::Result<()> {
    let plain = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    mount(Some("labsim"), folder, Some("tmpfs"), plain, Some(OPTIONS))
}

/// Has all entries of a folder, with what is mounted there, in a folder that covers it.
fn show_entries(original: &OwnedFd, covering: &Path) -> io::Result<()> {
    for entry in fs::read_dir(by_descriptor(original.as_fd()))? {
        let entry = entry?;
        let (name, target) = (entry.file_name(), covering.join(entry.file_name()));
        let kind = entry.file_type()?;
        let shown = if kind.is_symlink() {
            fs::read_link(entry.path()).and_then(|link| symlink(link, &target))
        } else if kind.is_dir() {
            DirBuilder::new().create(&target).and_then(|()| bind(original.as_fd(), &name, &target))
        } else {
            File::create_new(&target).and_then(|_| bind(original.as_fd(), &name, &target))
        };
        match shown {
            // It has gone meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            shown => shown?,
        }
    }
    Ok(())
}

/// Has a descriptor's file, or an entry of its folder, at another place too.
fn bind(descriptor: BorrowedFd<'_>, entry: &OsStr, target: &Path) -> io::Result<()> {
    let mut source = by_descriptor(descriptor);
    if !entry.is_empty() {
        source.push(entry);
    }
    let none = None::<&str>;
    // With what is mounted in it: an ordinary user may not uncover what is below.
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source.as_path()), target, none, flags, none).map_err(|errno: Errno| errno.into())
}

fn by_descriptor(descriptor: BorrowedFd<'_>) -> PathBuf {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd()).into()
}

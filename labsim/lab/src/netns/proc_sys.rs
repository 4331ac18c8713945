//! `/proc/sys` where a container's engine mounts it read-only: writable for labsim alone.

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::statvfs::{FsFlags, statvfs};

use tracing::info;

const PROC_SYS: &str = "/proc/sys";

/// Makes `/proc/sys` writable for this process and its children, if it is not, and says whether
/// that was done. The process gets a mount namespace of its own for it, and changes its copy of
/// the mount: other processes' stays as it is (mount_namespaces(7)). Of what is there, labsim only
/// writes the settings of network namespaces that it made.
///
/// It takes CAP_SYS_ADMIN. Where that is missing, or a security module forbids the mount, nothing
/// has changed, and the first setting that cannot be written says what helps.
pub(super) fn reopen() -> bool {
    let read_only = statvfs(PROC_SYS).is_ok_and(|it| it.flags().contains(FsFlags::ST_RDONLY));
    if !read_only {
        return false;
    }
    match remount() {
        Ok(()) => {
            info!("/proc/sys is read-only; made writable in a mount namespace of labsim's own")
        }
        Err(errno) => {
            info!(error = errno.desc(), "/proc/sys is read-only, and cannot be made writable");
            return false;
        }
    }
    true
}

fn remount() -> nix::Result<()> {
    let none = None::<&str>;
    unshare(CloneFlags::CLONE_NEWNS)?;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    let harmless = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(none, PROC_SYS, none, MsFlags::MS_BIND | MsFlags::MS_REMOUNT | harmless, none)
}

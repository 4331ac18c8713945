//! Network namespaces (network_namespaces(7)), held by file descriptor alone.

use nix::sched::{CloneFlags, setns, unshare};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A network namespace. The kernel frees it when no thread is in it and no descriptor of it and of
/// its sockets is open.
#[derive(Debug)]
pub struct Namespace(OwnedFd);

impl AsFd for Namespace {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Namespace {
    /// Creates a namespace and moves the calling thread into it (unshare(2)).
    ///
    /// # Errors
    /// `EPERM` without CAP_SYS_ADMIN, `ENOSPC` where `user.max_net_namespaces` is used up, `EMFILE`
    /// without a free descriptor.
    pub fn create() -> io::Result<Self> {
        unshare(CloneFlags::CLONE_NEWNET)?;
        Self::current()
    }

    /// The namespace of the calling thread.
    ///
    /// # Errors
    /// `/proc/thread-self/ns/net` does not open.
    pub fn current() -> io::Result<Self> {
        Ok(Self(File::open("/proc/thread-self/ns/net")?.into()))
    }

    /// Moves the calling thread into the namespace (setns(2)).
    ///
    /// # Errors
    /// `EPERM` without CAP_SYS_ADMIN in the user namespace that owns it.
    pub fn enter(&self) -> io::Result<()> {
        Ok(setns(self, CloneFlags::CLONE_NEWNET)?)
    }
}

impl From<OwnedFd> for Namespace {
    fn from(descriptor: OwnedFd) -> Self {
        Self(descriptor)
    }
}

//! Descriptors that tokio has no type for, on its event queue.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use tokio::io::unix::AsyncFd;

/// Whatever owns its descriptor.
pub(crate) fn register<T: AsFd + AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: what can lend its descriptor (`AsFd`) keeps it valid as long as it lives, and nobody
    // changes what is registered: `AsyncFd` owns it.
    unsafe { AsyncFd::register(owner) }.map_err(io::Error::from)
}

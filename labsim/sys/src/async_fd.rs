//! Descriptors that tokio has no type for, on its event queue.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use tokio::io::unix::AsyncFd;

/// Registers a descriptor with the current tokio runtime's event queue.
///
/// # Errors
/// The event queue rejects the descriptor (epoll_ctl(2)), as it does a regular file.
pub fn register<T: AsFd + AsRawFd>(owner: T) -> io::Result<AsyncFd<T>> {
    // SAFETY: what can lend its descriptor (`AsFd`) keeps it valid as long as it lives, and
    // `AsyncFd` owns it, so that the registered descriptor does not change.
    unsafe { AsyncFd::register(owner) }.map_err(io::Error::from)
}

//! Closes packet sockets in the background.
//!
//! The kernel waits for a grace period in every close of a packet socket, some 10 ms each
//! (`packet_release`). Threads that wait together share the grace period.

use std::os::fd::OwnedFd;
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

/// More threads would gain nothing: their closes would wait for the same few grace periods.
const MAX_THREADS: usize = 32;

/// The threads that are closing sockets.
#[derive(Debug, Default)]
pub(crate) struct DeferredClose(Mutex<Vec<JoinHandle<()>>>);

impl DeferredClose {
    /// Has `sockets` closed.
    pub(crate) fn close(&self, mut sockets: Vec<OwnedFd>) {
        let share = sockets.len().div_ceil(MAX_THREADS).max(1);
        let mut threads = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A lab that stays up has many captures.
        threads.retain(|thread| !thread.is_finished());
        while !sockets.is_empty() {
            let rest = sockets.split_off(share.min(sockets.len()));
            let ours = std::mem::replace(&mut sockets, rest);
            // A thread that cannot start has dropped its sockets, and so has closed them here.
            let closer = std::thread::Builder::new().name("lab-close".into());
            threads.extend(closer.spawn(move || drop(ours)));
        }
    }

    /// Waits until all are closed.
    pub(crate) fn wait(&self) {
        let threads = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let _ = thread.join();
        }
    }
}

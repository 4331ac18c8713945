//! Ends a run whose standard output is closed: `labsim run ... | head -1`.

use crate::exit::Exit;
use crate::signals::GRACE;
use labsim_runner::Canceller;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the standard output is closed at its other end.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClosedOutput(Arc<AtomicBool>);

impl ClosedOutput {
    /// Cancels the run when the other end of the standard output is closed, and ends the process if
    /// that takes too long. Without the thread that watches, the run ends when it has printed all.
    pub(crate) fn watch(canceller: Canceller) -> Self {
        let closed = Self::default();
        let watched = closed.clone();
        let watch = move || {
            let output = std::io::stdout();
            // POLLERR of a pipe, POLLHUP of a socket or a terminal: they need not be asked for, and a
            // regular file has neither (poll(2)).
            let mut polled = [PollFd::new(output.as_fd(), PollFlags::empty())];
            while poll(&mut polled, PollTimeout::NONE).is_err() {}
            watched.0.store(true, Ordering::Relaxed);
            canceller.cancel();
            std::thread::sleep(GRACE);
            std::process::exit(Exit::Invalid as i32);
        };
        if let Err(error) = std::thread::Builder::new().name("output".into()).spawn(watch) {
            tracing::warn!(%error, "a closed output will not end the run");
        }
        closed
    }

    /// Whether it is.
    pub(crate) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

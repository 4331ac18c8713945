//! Ends a test program whose test does not end.

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Longer than any test's own deadlines.
const LIMIT: Duration = Duration::from_secs(120);

/// While it exists, a thread counts down to the end of the process.
pub(crate) struct Watchdog(Option<(Sender<()>, JoinHandle<()>)>);

impl Watchdog {
    pub(crate) fn start(name: &'static str) -> Self {
        let (sender, receiver) = channel::<()>();
        let thread = std::thread::spawn(move || {
            if receiver.recv_timeout(LIMIT) == Err(RecvTimeoutError::Timeout) {
                eprintln!("test {name} ... FAILED: still running after {LIMIT:?}");
                std::process::exit(1);
            }
        });
        Self(Some((sender, thread)))
    }
}

impl Drop for Watchdog {
    /// Waits for the thread, so that the next test does not find it.
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.0.take() {
            drop(sender);
            let _ = thread.join();
        }
    }
}

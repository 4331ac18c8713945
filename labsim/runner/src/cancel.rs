//! Whether a run has been interrupted, for code that waits and code that does not.

use std::sync::Arc;
use tokio::sync::watch;

/// Held by whoever runs; cheap to copy.
#[derive(Debug, Clone)]
pub struct Cancelled(watch::Receiver<bool>);

/// Held by whoever hears the signal.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<watch::Sender<bool>>);

/// A pair of which one interrupts the other.
#[must_use]
pub fn cancellation() -> (Canceller, Cancelled) {
    let (sender, receiver) = watch::channel(false);
    (Canceller(Arc::new(sender)), Cancelled(receiver))
}

impl Canceller {
    /// Interrupts every holder of the other half.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancelled {
    /// Whether it has happened.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when it happens; never, if nobody is left who could do it.
    pub async fn wait(&mut self) {
        if self.0.wait_for(|cancelled| *cancelled).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

//! Whether a run has been interrupted, for code that waits and code that does not.

use labsim_codes::{Code, run};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// The side of the run; cheap to clone.
#[derive(Debug, Clone)]
pub struct Cancelled {
    signal: watch::Receiver<bool>,
    /// When the time is over, the earliest first.
    limit: Option<TimeLimit>,
}

/// A time limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TimeLimit {
    /// When it is over.
    pub(crate) ends: Instant,
    /// How long it is.
    pub(crate) allowed: Duration,
    /// What exceeding it is reported as.
    pub(crate) code: Code,
}

/// Why something is to end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cancellation {
    /// By a signal.
    Signal,
    /// It takes too long.
    Timeout(TimeLimit),
}

/// The side of the signal handler.
#[derive(Debug, Clone)]
pub struct Canceller(Arc<watch::Sender<bool>>);

/// A connected pair: one interrupts the other.
#[must_use]
pub fn cancellation() -> (Canceller, Cancelled) {
    let (sender, receiver) = watch::channel(false);
    (Canceller(Arc::new(sender)), Cancelled { signal: receiver, limit: None })
}

impl Canceller {
    /// Interrupts every holder of the other side.
    pub fn cancel(&self) {
        self.0.send_replace(true);
    }
}

impl Cancelled {
    /// The same, and over when the time is, if that is earlier.
    pub(crate) fn with_limit(&self, since: Instant, allowed: Duration, code: Code) -> Self {
        // A time beyond what the clock can count is no limit.
        let added = since.checked_add(allowed).map(|ends| TimeLimit { ends, allowed, code });
        let limits = self.limit.into_iter().chain(added);
        Self { signal: self.signal.clone(), limit: limits.min_by_key(|limit| limit.ends) }
    }

    /// Whether it has happened.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.cancellation().is_some()
    }

    /// Why, if it has happened.
    pub(crate) fn cancellation(&self) -> Option<Cancellation> {
        if *self.signal.borrow() {
            return Some(Cancellation::Signal);
        }
        let over = self.limit.filter(|limit| limit.ends <= Instant::now());
        over.map(Cancellation::Timeout)
    }

    /// Returns when it happens, with the reason; never, if there is no limit and every
    /// [`Canceller`] is gone.
    pub(crate) async fn wait(&mut self) -> Cancellation {
        let limit = self.limit;
        let timeout = async {
            match limit {
                Some(limit) => {
                    tokio::time::sleep_until(limit.ends.into()).await;
                    limit
                }
                None => std::future::pending().await,
            }
        };
        let signal = async {
            if self.signal.wait_for(|cancelled| *cancelled).await.is_err() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            () = signal => Cancellation::Signal,
            limit = timeout => Cancellation::Timeout(limit),
        }
    }
}

impl TimeLimit {
    /// A sentence: what took too long.
    pub(crate) fn describe(&self) -> String {
        let what = if self.code == run::RUN_TIMED_OUT { "the run" } else { "the scenario" };
        let seconds = self.allowed.as_secs_f64();
        format!("{what} did not end within {seconds} s")
    }
}

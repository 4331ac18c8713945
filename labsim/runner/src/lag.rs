//! How late the scenario's event loop runs, because the machine or a blocking call holds it up.

use std::cell::Cell;
use std::convert::Infallible;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// How often the lag is measured.
const INTERVAL: Duration = Duration::from_millis(2);

/// Measures the longest lag.
#[derive(Debug, Default)]
pub(crate) struct LagMeter {
    longest: Cell<Duration>,
    due: Cell<Option<Instant>>,
}

impl LagMeter {
    /// Runs `work`, and measures the lag as long as that takes.
    pub(crate) async fn during<T>(&self, work: impl Future<Output = T>) -> T {
        let output = tokio::select! {
            biased;
            output = work => output,
            never = self.measure() => match never {},
        };
        // What the work waited for may have been late itself.
        self.note();
        output
    }

    /// The longest time by which anything was late.
    pub(crate) fn longest(&self) -> Duration {
        self.longest.get()
    }

    async fn measure(&self) -> Infallible {
        loop {
            let due = Instant::now() + INTERVAL;
            self.due.set(Some(due));
            sleep_until(due).await;
            self.note();
        }
    }

    fn note(&self) {
        let late = self.due.take().map_or(Duration::ZERO, |due| due.elapsed());
        self.longest.set(self.longest.get().max(late));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn a_blocking_call_shows_as_lag() {
        let meter = LagMeter::default();
        meter.during(async { tokio::time::sleep(Duration::from_millis(1)).await }).await;
        let before = meter.longest();
        let block = async {
            tokio::task::yield_now().await;
            std::thread::sleep(before + Duration::from_millis(30));
        };
        meter.during(block).await;
        assert!(meter.longest() >= before + Duration::from_millis(20), "{:?}", meter.longest());
    }
}

//! Several sinks behind one lock, shared by scenarios that run side by side.

use labsim_event::{Event, Sink, Told};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Gives every event to every sink, in one order.
pub struct Sinks {
    began: Instant,
    inner: Mutex<Inner>,
}

struct Inner {
    sinks: Vec<Box<dyn Sink>>,
    failures: Vec<String>,
}

impl Sinks {
    /// Starts the clock of the run.
    #[must_use]
    pub fn new(sinks: Vec<Box<dyn Sink>>) -> Self {
        Self { began: Instant::now(), inner: Mutex::new(Inner { sinks, failures: Vec::new() }) }
    }

    /// Tells all sinks. What a sink could not write is kept once for each different sentence.
    pub fn tell(&self, scenario: Option<&str>, event: Event) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let at_ms = self.began.elapsed().as_secs_f64() * 1e3;
        let told = Told { at_ms, scenario: scenario.map(str::to_owned), event };
        let Inner { sinks, failures } = &mut *inner;
        for sink in sinks {
            if let Err(failure) = sink.take(&told)
                && !failures.contains(&failure)
            {
                failures.push(failure);
            }
        }
    }

    /// What could not be written so far.
    #[must_use]
    pub fn failures(&self) -> Vec<String> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).failures.clone()
    }
}

//! Several sinks behind one lock, shared by scenarios that run side by side.

use labsim_event::{Event, EventRecord, Sink, milliseconds};
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

    /// Gives the event to all sinks. What a sink could not write is recorded once for each
    /// different message.
    pub fn emit(&self, scenario: Option<&str>, event: Event) {
        let at_ms = milliseconds(self.began.elapsed());
        self.replay(&EventRecord::now(at_ms, scenario.map(str::to_owned), event));
    }

    /// Gives an event of an earlier run to all sinks, likewise.
    pub fn replay(&self, record: &EventRecord) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let Inner { sinks, failures } = &mut *inner;
        for sink in sinks {
            let Err(failure) = sink.consume(record).map_err(|error| error.to_string()) else {
                continue;
            };
            if !failures.contains(&failure) {
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

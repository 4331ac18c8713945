//! How scenarios and runs end.

use serde::Serialize;

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every expectation held.
    Passed,
    /// An expectation did not hold, or frames were lost by a capture.
    Failed,
    /// This machine cannot run it.
    Skipped,
    /// labsim could not carry it out, and it is not the machine's lack of a feature.
    Broken,
    /// The run was interrupted before it ended.
    Interrupted,
}

/// How many scenarios ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Every expectation held.
    pub passed: usize,
    /// An expectation did not hold, or the run broke.
    pub failed: usize,
    /// This machine cannot run it.
    pub skipped: usize,
    /// Stopped by a signal, or not begun because of one.
    pub interrupted: usize,
}

impl Totals {
    /// Counts one more.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed | Outcome::Broken => self.failed += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Interrupted => self.interrupted += 1,
        }
    }
}

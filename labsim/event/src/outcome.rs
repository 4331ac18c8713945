//! How scenarios and runs end.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every expectation held.
    Passed,
    /// Every expectation held, and an earlier try of the same run failed.
    Flaky,
    /// An expectation did not hold, frames were lost by a capture, or it took too long.
    Failed,
    /// This machine cannot run it.
    Skipped,
    /// Its file is not valid, or labsim failed to run it for another reason than a missing feature
    /// of the machine.
    Broken,
    /// The run was interrupted before it ended.
    Interrupted,
}

/// How many scenarios ended how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Totals {
    /// Every expectation held, at the first try.
    pub passed: usize,
    /// Every expectation held at a later try.
    pub flaky: usize,
    /// An expectation did not hold, or it took too long.
    pub failed: usize,
    /// The file is not valid, or labsim failed to run it.
    pub errors: usize,
    /// This machine cannot run it.
    pub skipped: usize,
    /// Stopped before it ended.
    pub interrupted: usize,
    /// Not begun, because the run ended before.
    pub not_run: usize,
}

impl Outcome {
    /// The name, as events have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Flaky => "flaky",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Broken => "broken",
            Self::Interrupted => "interrupted",
        }
    }
}

impl Totals {
    /// Counts one more.
    pub fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Flaky => self.flaky += 1,
            Outcome::Failed => self.failed += 1,
            Outcome::Broken => self.errors += 1,
            Outcome::Skipped => self.skipped += 1,
            Outcome::Interrupted => self.interrupted += 1,
        }
    }
}

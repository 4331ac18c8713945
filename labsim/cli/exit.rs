//! The exit codes, all of them.

use labsim_event::Totals;
use std::process::ExitCode;

/// Why labsim ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// Everything that was asked for succeeded; of the scenarios, at least one passed and none
    /// failed.
    Success = 0,
    /// An expectation failed, or a scenario broke; two runs that were compared are different.
    Failed = 1,
    /// Invalid arguments or files; results that could not be written count here.
    Invalid = 2,
    /// This machine cannot run it: everything was skipped.
    CannotRun = 3,
    /// Interrupted by a signal (128 + SIGINT, as a shell would say).
    Interrupted = 130,
}

impl Exit {
    /// The code of a run that ended with `totals`.
    pub(crate) fn of(totals: &Totals) -> Self {
        if totals.interrupted > 0 {
            Self::Interrupted
        } else if totals.failed > 0 {
            Self::Failed
        } else if totals.passed == 0 {
            Self::CannotRun
        } else {
            Self::Success
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(passed: usize, failed: usize, skipped: usize, interrupted: usize) -> Totals {
        Totals { passed, failed, skipped, interrupted }
    }

    #[test]
    fn only_a_run_in_which_nothing_ran_cannot_run() {
        assert_eq!(Exit::of(&totals(0, 0, 3, 0)), Exit::CannotRun);
        assert_eq!(Exit::of(&totals(1, 0, 3, 0)), Exit::Success);
    }

    #[test]
    fn a_failure_outweighs_skips_and_passes_and_a_signal_outweighs_all() {
        assert_eq!(Exit::of(&totals(5, 1, 3, 0)), Exit::Failed);
        assert_eq!(Exit::of(&totals(5, 1, 3, 1)), Exit::Interrupted);
    }
}

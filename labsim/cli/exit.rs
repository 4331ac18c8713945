//! The exit codes.

use labsim_event::Totals;
use std::process::ExitCode;

/// The exit code of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// See [`Exit::meaning`], as for the others.
    Success = 0,
    Failed = 1,
    Invalid = 2,
    CannotRun = 3,
    /// 128 + SIGINT, as shells report it.
    Interrupted = 130,
}

impl Exit {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Success, Self::Failed, Self::Invalid, Self::CannotRun, Self::Interrupted];

    /// What the code tells a caller, for the manual too.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Success => {
                "Success. Of the scenarios, at least one passed and none failed; compared runs are equal."
            }
            Self::Failed => {
                "A scenario failed (an expectation did not hold, or it took too long), ended with an \
                 ERROR (labsim failed to run it), or was FLAKY without `--flaky-ok`; compared runs \
                 differ, or a forwarder rejected a command."
            }
            Self::Invalid => {
                "Arguments or files are not valid, nothing is selected, no lab of that name is up, or results \
                 could not be written. A file that is not valid is an ERROR, and every other scenario ran."
            }
            Self::CannotRun => {
                "This machine cannot run it: every scenario was skipped, a needed feature or privilege \
                 is missing, or no forwarder, or lab that is up, answers."
            }
            Self::Interrupted => "A signal interrupted the run; its lab was torn down.",
        }
    }

    /// The code of a run that was not interrupted and ended with `totals`.
    pub(crate) fn of(totals: &Totals, accepts_flaky: bool) -> Self {
        let Totals { passed, flaky, failed, errors, not_run, .. } = *totals;
        if failed + errors + not_run > 0 || (flaky > 0 && !accepts_flaky) {
            Self::Failed
        } else if passed + flaky == 0 {
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

    fn exit(totals: Totals) -> Exit {
        Exit::of(&totals, false)
    }

    const SKIPPED: Totals = Totals {
        passed: 0,
        flaky: 0,
        failed: 0,
        errors: 0,
        skipped: 3,
        interrupted: 0,
        not_run: 0,
    };

    #[test]
    fn only_a_run_in_which_nothing_ran_cannot_run() {
        assert_eq!(exit(SKIPPED), Exit::CannotRun);
        assert_eq!(exit(Totals { passed: 1, ..SKIPPED }), Exit::Success);
    }

    #[test]
    fn failures_errors_and_what_was_not_run_outweigh_skips_and_passes() {
        let passed = Totals { passed: 5, ..SKIPPED };
        assert_eq!(exit(Totals { failed: 1, ..passed }), Exit::Failed);
        assert_eq!(exit(Totals { errors: 1, ..passed }), Exit::Failed);
        assert_eq!(exit(Totals { not_run: 1, ..passed }), Exit::Failed);
    }

    #[test]
    fn flaky_scenarios_are_a_success_only_where_they_are_accepted() {
        let flaky = Totals { flaky: 1, ..SKIPPED };
        assert_eq!(Exit::of(&flaky, false), Exit::Failed);
        assert_eq!(Exit::of(&flaky, true), Exit::Success);
    }
}

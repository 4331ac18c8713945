//! Runs test programs that have a `main` function of their own (`harness = false`).
//!
//! libtest starts threads before the first test runs, and a process with several threads cannot
//! enter a user namespace (user_namespaces(7)). These programs acquire their privileges first, and
//! then run their tests one after the other with libtest's options and output, so that `cargo test`
//! and cargo-nextest run them as any other.

#![forbid(unsafe_code)]

mod watchdog;

pub use libtest_mimic::{Completion, Trial};

use libtest_mimic::Arguments;
use std::fmt::Display;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use watchdog::Watchdog;

/// How long anything may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// [`PATIENCE`] from now: a deadline that a healthy machine never meets.
#[must_use]
pub fn soon() -> Instant {
    Instant::now() + PATIENCE
}

/// Waits until a condition holds.
///
/// # Panics
/// If it does not hold within [`PATIENCE`]; `what` is named.
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "no {what} within {PATIENCE:?}");
        std::thread::yield_now();
    }
}

/// Parses the command line (libtest's options), acquires the privileges that the tests need, and
/// runs those that were selected one at a time, on the calling thread. `--list` acquires nothing.
///
/// Returns success if all selected tests passed or were ignored.
pub fn run<R: Display, E: Display>(
    acquire_privileges: impl FnOnce() -> Result<R, E>,
    trials: Vec<Trial>,
) -> ExitCode {
    let mut arguments = Arguments::from_args();
    if !arguments.list {
        match acquire_privileges() {
            Ok(privileges) => println!("privileges: {privileges}"),
            Err(error) => {
                eprintln!("the tests need network namespaces: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    // Tests compare what the whole process holds: descriptors, threads, child processes.
    arguments.test_threads = Some(1);
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// What a test function returns.
pub trait TestResult {
    /// Whether the test ran, or could not run on this machine.
    fn completion(self) -> Completion;
}

impl TestResult for () {
    fn completion(self) -> Completion {
        Completion::Completed
    }
}

impl TestResult for Completion {
    fn completion(self) -> Completion {
        self
    }
}

/// A test of that name; it fails by panicking, or by running for longer than two minutes.
pub fn trial<R: TestResult + 'static>(name: &'static str, test: fn() -> R) -> Trial {
    Trial::ignorable_test(name, move || {
        let _watchdog = Watchdog::start(name);
        Ok(test().completion())
    })
}

/// Defines `trials()`, which returns the listed test functions as [`Trial`]s of the same names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) fn trials() -> ::std::vec::Vec<$crate::Trial> {
            vec![$($crate::trial(stringify!($name), $name)),+]
        }
    };
}

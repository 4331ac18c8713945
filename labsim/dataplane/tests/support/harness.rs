//! Runs tests one after the other and reports as libtest does.

use super::namespace::gain_rights;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Longer than any test's own deadlines.
const LONGEST: Duration = Duration::from_secs(60);
/// Longer than anything here takes on a slow machine.
const DEADLINE: Duration = Duration::from_secs(20);

/// How a test can end without having failed.
pub enum Ended {
    Passed,
    /// The machine lacks something; said, and never counted as passed.
    Impossible(String),
}

pub type Test = (&'static str, fn() -> Ended);

/// Ends the whole program if a test does not end: a test that waits for ever has failed.
struct Watch(#[allow(dead_code, reason = "its end is what counts")] Sender<()>);

impl Watch {
    fn over(name: &'static str) -> Self {
        let (sender, receiver) = channel::<()>();
        std::thread::spawn(move || {
            if receiver.recv_timeout(LONGEST) == Err(RecvTimeoutError::Timeout) {
                println!("test {name} ... FAILED, no end after {LONGEST:?}");
                std::process::exit(1);
            }
        });
        Self(sender)
    }
}

/// Runs those tests, if this user can make network namespaces.
pub fn run_with_rights(tests: &[Test]) -> ExitCode {
    match gain_rights() {
        Ok(how) => println!("network namespaces {how}"),
        Err(error) => {
            eprintln!(
                "neither rights nor a user namespace to make network namespaces: {error}; run as \
                 root, or allow unprivileged user namespaces"
            );
            return ExitCode::FAILURE;
        }
    }
    run(tests)
}

/// Runs those whose names contain one of the arguments, or all.
fn run(tests: &[Test]) -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--list") {
        for (name, _) in tests {
            println!("{name}: test");
        }
        return ExitCode::SUCCESS;
    }
    let filters: Vec<&String> =
        arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let exact = arguments.iter().any(|argument| argument == "--exact");
    let wanted = |name: &str| {
        let fits = |filter: &&String| if exact { *filter == name } else { name.contains(*filter) };
        filters.is_empty() || filters.iter().any(fits)
    };
    let chosen: Vec<&Test> = tests.iter().filter(|(name, _)| wanted(name)).collect();
    println!("\nrunning {} tests", chosen.len());
    let (mut passed, mut failed, mut impossible) = (0, 0, 0);
    for (name, test) in &chosen {
        let _watch = Watch::over(name);
        match catch_unwind(AssertUnwindSafe(test)) {
            Ok(Ended::Passed) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Ok(Ended::Impossible(why)) => {
                impossible += 1;
                println!("test {name} ... ignored, {why}");
            }
            Err(_) => {
                failed += 1;
                println!("test {name} ... FAILED");
            }
        }
    }
    let result = if failed == 0 { "ok" } else { "FAILED" };
    let out = tests.len() - chosen.len();
    println!(
        "\ntest result: {result}. {passed} passed; {failed} failed; {impossible} ignored; \
         0 measured; {out} filtered out\n"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Waits until something that comes about by itself is there.
pub fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let start = Instant::now();
    while !there() {
        assert!(start.elapsed() < DEADLINE, "no {what}");
        std::thread::yield_now();
    }
}

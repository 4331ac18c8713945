//! The program's frames, held against the engine's: between network namespaces of the test's own. Where
//! bpf(2) is not allowed, these tests say so and do nothing.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod corpus;
mod frames;
mod shares;
mod support;
mod whole;

use std::process::ExitCode;

fn main() -> ExitCode {
    let trials = [corpus::trials(), frames::trials(), shares::trials(), whole::trials()];
    let trials = trials.into_iter().flatten().collect();
    labsim_test_support::run(support::namespace::acquire_privileges, trials)
}

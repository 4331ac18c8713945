//! A lab in real namespaces. As root or as an ordinary user: what a test needs and this machine
//! does not have fails the test, or is what the test is about; nothing is skipped.

// A test program without libtest's harness is no test to clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod captures;
mod failures;
mod families;
mod harness;
mod helpers;
mod hosts;
mod leftovers;
mod links;
mod processes;
mod relays;
mod shape;
mod tunnels;

use harness::{Test, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(helper) = helpers::wanted() {
        return helpers::be(&helper);
    }
    let rights = match labsim_lab::gain_rights() {
        Ok(rights) => rights,
        Err(error) => {
            eprintln!("no lab can be built here: {error}");
            return ExitCode::FAILURE;
        }
    };
    println!("rights: {rights:?}");
    let tests: Vec<Test> = [
        hosts::TESTS,
        tunnels::TESTS,
        families::TESTS,
        captures::TESTS,
        links::TESTS,
        processes::TESTS,
        relays::TESTS,
        failures::TESTS,
        leftovers::TESTS,
    ]
    .concat();
    run(&tests)
}

/// A list of tests by their functions' names.
#[macro_export]
macro_rules! tests {
    ($($name:ident),+ $(,)?) => {
        pub(crate) const TESTS: &[$crate::harness::Test] = &[$((stringify!($name), $name)),+];
    };
}

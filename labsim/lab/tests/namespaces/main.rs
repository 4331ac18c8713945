//! A lab in real namespaces. As root or as an ordinary user: what a test needs and this machine
//! does not have fails the test, or is what the test is about; nothing is skipped.

// A test program without libtest's harness is no test to clippy.
#![allow(clippy::unwrap_used, clippy::panic)]

mod captures;
mod captures_of;
mod changes;
mod failures;
mod families;
mod filters;
mod helpers;
mod hosts;
mod leftovers;
mod links;
mod processes;
mod relays;
mod shape;
mod states;
mod teardown;
mod tunnels;

use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(helper) = helpers::wanted() {
        return helpers::be(&helper);
    }
    let trials = [
        hosts::trials(),
        tunnels::trials(),
        families::trials(),
        filters::trials(),
        captures::trials(),
        captures_of::trials(),
        changes::trials(),
        links::trials(),
        processes::trials(),
        relays::trials(),
        states::trials(),
        failures::trials(),
        leftovers::trials(),
    ];
    labsim_test_support::run(labsim_lab::acquire_privileges, trials.into_iter().flatten().collect())
}

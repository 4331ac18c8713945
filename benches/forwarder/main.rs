//! `cargo bench --bench forwarder`: what the forwarder takes for a packet.
//!
//! `-- engine` runs that section alone: the engine without a data plane, by the number of flows.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot measure ends")]

mod engine;
mod frames;
mod measure;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut kept = true;
    if wanted("engine") {
        kept &= engine::print();
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

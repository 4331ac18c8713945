//! `cargo bench --bench forwarder`: what the forwarder takes for a packet.
//!
//! `-- engine` or `-- plane` runs one section alone: the engine without a data plane, by the number
//! of flows; the whole forwarder beside the kernel's own forwarding.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot measure ends")]

mod engine;
mod frames;
mod measure;
mod plane;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut kept = true;
    if wanted("engine") {
        kept &= engine::print();
    }
    if wanted("plane") {
        if wanted("engine") {
            println!();
        }
        kept &= plane::print();
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

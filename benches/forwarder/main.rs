//! `cargo bench --bench forwarder`: the time that the forwarder needs per packet.
//!
//! `-- engine` or `-- plane` runs one section alone: the engine without a data plane, by the number
//! of flows; the whole forwarder, compared with the kernel's ip_forward. `-- instructions`, which
//! `ci/vm bench` runs, compares them and IPVS where the clock counts instructions; `-- behaviour` prints what each makes of
//! the same packets. `--smoke` takes a few seconds and judges no target.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot measure ends")]

mod engine;
mod frames;
mod measure;
mod plane;
#[path = "../support/scale.rs"]
mod scale;

use scale::Scale;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let only = arguments.iter().find(|argument| !argument.starts_with('-'));
    let scale = Scale::from_arguments(&arguments);
    let is_selected = |part: &str| only.is_none_or(|only| only == part);
    let mut kept = true;
    if is_selected("engine") {
        kept &= engine::print(scale);
    }
    if is_selected("plane") {
        if is_selected("engine") {
            println!();
        }
        kept &= plane::print(scale);
    }
    if only.is_some_and(|only| only == "behaviour") {
        plane::print_behaviour();
    }
    if only.is_some_and(|only| only == "instructions") {
        kept &= plane::print_instructions(scale);
    }
    if kept || scale == Scale::Smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! `cargo bench --bench lab`: the time that labsim needs to build a lab, compared with other
//! programs.
//!
//! The first table is a star of hosts around a router, built by labsim, by `ip -batch`
//! (iproute2) and by a floor: raw netlink in C, without settings, read-backs or switched-off
//! offloads. The second part is the main job, the third one scenarios with very many real servers.
//! `-- star`, `-- job` or `-- heavy` runs one of them alone; `--smoke` takes a few seconds and judges
//! no target.
//!
//! `-- --others` builds the star by Mininet and pyroute2 too, where they are installed, and prints a
//! table in Markdown, which README.md has.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot measure ends")]

mod beside;
mod heavy;
mod job;
mod memory;
mod others;
#[path = "../support/scale.rs"]
mod scale;
mod star;
mod table;
#[path = "../../labsim/lab/tests/namespaces/teardown.rs"]
mod teardown;

use scale::Scale;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, hosts] = arguments.as_slice()
        && role == others::IP_ROLE
    {
        return others::run_as_ip_builder(hosts.parse().expect("a number of hosts"));
    }
    if let [role, script, hosts] = arguments.as_slice()
        && role == others::SCRIPT_ROLE
    {
        let hosts = hosts.parse().expect("a number of hosts");
        return others::run_as_script_builder(Path::new(script), hosts);
    }
    let only = arguments.iter().find(|argument| !argument.starts_with('-'));
    let scale = Scale::from_arguments(&arguments);
    if arguments.iter().any(|argument| argument == "--others") {
        beside::print(scale);
        return ExitCode::SUCCESS;
    }
    let is_selected = |part: &str| only.is_none_or(|only| only == part);
    let mut kept = true;
    if is_selected("star") {
        kept = table::print(scale);
    }
    if is_selected("job") {
        job::print(scale);
    }
    if is_selected("heavy") {
        kept &= heavy::print(scale);
    }
    if kept || scale == Scale::Smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

//! `cargo bench --bench lab`: what labsim takes, beside the same lab built by others.
//!
//! The first table is a star of hosts around a router, built by labsim, by `ip -batch`
//! (iproute2) and by a floor: raw netlink in C, without settings, read-backs or switched-off
//! offloads. The second part is the main job. `-- star` or `-- job` runs one of them alone.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot measure ends")]

mod job;
mod others;
mod star;
mod table;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [role, hosts] = arguments.as_slice()
        && role == others::IP_ROLE
    {
        return others::be_ip(hosts.parse().expect("a number of hosts"));
    }
    let only = arguments.iter().find(|argument| !argument.starts_with('-'));
    let wanted = |part: &str| only.is_none_or(|only| only == part);
    let mut kept = true;
    if wanted("star") {
        kept = table::print();
    }
    if wanted("job") {
        job::print();
    }
    if kept { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

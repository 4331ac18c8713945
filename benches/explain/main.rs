//! `cargo bench --bench explain`: how fast `labsim explain` reads large captures, compared with tshark, and how
//! much memory it takes.
//!
//! The captures are made here: logins through a tunnel, seen at client, load balancer and server. `--smoke`
//! takes a few seconds and judges no target, `--whole` measures 1 GB and a million connections.
//! `-- write FOLDER CONNECTIONS` only writes the captures, for a profiler.

#![allow(clippy::expect_used, clippy::panic, reason = "a bench that cannot measure ends")]

mod logins;
mod measured;
#[path = "../support/scale.rs"]
mod scale;

use measured::{Measured, explain, tshark};
use scale::Scale;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// At least this much of tshark's speed.
const OF_TSHARK: f64 = 1.0 / 3.0;
/// At most this many MiB.
const MEMORY: f64 = 512.0;
/// How much longer a connection may take among ten times as many.
const GROWTH: f64 = 1.5;
/// Connections whose captures have 1 GB.
const OF_GIGABYTE: u32 = 345_000;
const MILLION: u32 = 1_000_000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> =
        arguments.iter().map(String::as_str).filter(|it| *it != "--bench").collect();
    if let ["write", folder, connections] = words.as_slice() {
        let connections = connections.parse().expect("a number of connections");
        logins::write(Path::new(folder), connections).expect("the captures are written");
        return ExitCode::SUCCESS;
    }
    let scale = Scale::from_arguments(&arguments);
    let is_whole = words.contains(&"--whole");
    let connections = if is_whole { OF_GIGABYTE } else { scale.choose(33_000, 330) };
    let most = if is_whole { MILLION } else { scale.choose(100_000, 3_300) };
    let kept = print(scale, connections, most);
    if kept || scale == Scale::Smoke { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the table; whether all targets were reached.
fn print(scale: Scale, connections: u32, most: u32) -> bool {
    println!("labsim explain: logins seen at client, load balancer and server");
    println!(
        "  {:<8} {:>11} {:>8} {:>8} {:>8} {:>10}",
        "program", "connections", "MB", "s", "MB/s", "peak MiB"
    );
    let row = |program: &str, connections: u32, it: &Measured| {
        println!(
            "  {program:<8} {connections:>11} {:>8.1} {:>8.2} {:>8.1} {:>10.1}",
            it.megabytes,
            it.seconds,
            it.speed(),
            it.peak_mib
        );
    };
    let fewer = captures((connections / 10).max(1));
    let small = explain(&fewer.files);
    row("labsim", connections / 10, &small);
    let some = captures(connections);
    let ours = explain(&some.files);
    row("labsim", connections, &ours);
    let of_tshark = match tshark(&some.files) {
        Some(theirs) => {
            row("tshark", connections, &theirs);
            ours.speed() / theirs.speed()
        }
        None => {
            println!("  without tshark: it is not installed");
            f64::NAN
        }
    };
    drop(some);
    let all = captures(most);
    let large = explain(&all.files);
    row("labsim", most, &large);
    let growth = (large.seconds / f64::from(most)) / (ours.seconds / f64::from(connections));
    let peak = ours.peak_mib.max(large.peak_mib);
    println!(
        "  of tshark's speed: {of_tshark:.2}; a connection among more of them takes {growth:.2}"
    );
    // A program that is not installed gives NaN, which misses no target.
    let is_slow = of_tshark < OF_TSHARK;
    let kept = !is_slow && peak <= MEMORY && growth <= GROWTH;
    println!(
        "  targets: at least {OF_TSHARK:.2} of tshark's speed, at most {MEMORY} MiB, {GROWTH} for growth: {}",
        scale.judge(kept)
    );
    kept
}

/// Captures in a folder that goes with them.
struct Captures {
    files: [PathBuf; 3],
    _folder: tempfile::TempDir,
}

fn captures(connections: u32) -> Captures {
    let folder = tempfile::tempdir().expect("a folder for captures");
    let files = logins::write(folder.path(), connections).expect("the captures are written");
    Captures { files, _folder: folder }
}

//! The main job as a user runs it: how long, how much memory, how often, and what is left.

use crate::memory::{peaks_of, status_kib};
use crate::scale::Scale;
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Runs in a row, and kills.
const MANY: usize = 200;
const FEW: usize = 16;
/// Timed runs.
const TIMED: usize = 41;
const TIMED_SMOKE: usize = 3;

/// Prints one line a figure.
pub(crate) fn print(scale: Scale) {
    let (many, timed) = (scale.choose(MANY, FEW), scale.choose(TIMED, TIMED_SMOKE));
    nix::sys::prctl::set_child_subreaper(true).expect("this process reaps orphans");
    println!("\nThe main job: labsim run scenarios/tacacs-ipip.yaml, whole process");
    let copies = Copies::new(many);
    time(&copies.one(), timed);
    memory(&copies.one());
    in_a_row(&copies, many);
    side_by_side(&copies, many / 8);
    killed(&copies.one(), many);
}

/// Copies of the shipped scenario, so that one process can run it many times.
struct Copies(tempfile::TempDir);

impl Copies {
    fn new(count: usize) -> Self {
        let dir = tempfile::tempdir().expect("a folder for copies");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for folder in ["topologies", "scenarios", "scenarios/parts", "eight", "eight/parts"] {
            fs::create_dir(dir.path().join(folder)).expect("a folder");
        }
        for part in fs::read_dir(root.join("scenarios/parts")).expect("the parts") {
            let part = part.expect("a part").path();
            for folder in ["scenarios/parts", "eight/parts"] {
                let to = dir.path().join(folder).join(part.file_name().expect("a file's name"));
                fs::copy(&part, to).expect("a part");
            }
        }
        let topology = "topologies/one-arm-routed.yaml";
        fs::copy(root.join(topology), dir.path().join(topology)).expect("the topology");
        let copy = |to: String| {
            let from = root.join("scenarios/tacacs-ipip.yaml");
            fs::copy(from, dir.path().join(to)).expect("the scenario");
        };
        (0..count).for_each(|n| copy(format!("scenarios/{n:03}.yaml")));
        (0..8).for_each(|n| copy(format!("eight/{n}.yaml")));
        Self(dir)
    }

    fn one(&self) -> PathBuf {
        self.0.path().join("scenarios/000.yaml")
    }
}

/// `labsim run`, which says nothing on standard output.
pub(crate) fn labsim(paths: &[&Path], more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_labsim"));
    command.arg("run").args(paths).args(more).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

fn time(scenario: &Path, timed: usize) {
    let mut times: Vec<f64> = (0..=timed)
        .map(|_| {
            let began = Instant::now();
            let status = labsim(&[scenario], &[]).status().expect("labsim runs");
            assert!(status.success(), "the main job failed");
            began.elapsed().as_secs_f64() * 1e3
        })
        .skip(1)
        .collect();
    times.sort_by(f64::total_cmp);
    println!(
        "  {:<34} median {:>6.1} ms, min {:.1}, max {:.1} of {timed} (wanted: median <= 100 ms)",
        "one run, from exec to exit",
        times[timed / 2],
        times[0],
        times[timed - 1],
    );
}

fn memory(scenario: &Path) {
    let mut child = labsim(&[scenario], &[]).spawn().expect("labsim runs");
    let peaks = peaks_of(&mut child, Duration::ZERO);
    let total: u64 = peaks.values().sum();
    println!(
        "  {:<34} {:>6.1} MiB in {} processes (wanted: <= 64 MiB)",
        "peak memory, sum of all processes",
        total as f64 / 1024.0,
        peaks.len(),
    );
}

fn in_a_row(copies: &Copies, many: usize) {
    let began = Instant::now();
    let out = copies.0.path().join("out");
    let folder = copies.0.path().join("scenarios");
    let more = ["--out", out.to_str().expect("a plain path")];
    let mut child = labsim(&[&folder], &more).spawn().expect("labsim runs");
    let mut resident = [0; 2];
    while child.try_wait().expect("labsim is waited for").is_none() {
        // Folders are made at the start and filled one after the other.
        for (mark, resident) in [many / 10, many - 2].into_iter().zip(&mut resident) {
            let capture = out.join(format!("{mark:03}/capture.pcapng"));
            if *resident == 0 && capture.exists() {
                *resident = status_kib(child.id(), "VmRSS:");
            }
        }
    }
    let passed = child.wait().is_ok_and(|status| status.success());
    println!(
        "  {:<34} {}, {:.1} ms each; resident after {}: {:.1} MiB, after {}: {:.1} MiB",
        format!("{many} runs in a row, one process"),
        verdict(passed),
        began.elapsed().as_secs_f64() * 1e3 / many as f64,
        many / 10,
        resident[0] as f64 / 1024.0,
        many - 2,
        resident[1] as f64 / 1024.0,
    );
}

fn side_by_side(copies: &Copies, rounds: usize) {
    let folder = copies.0.path().join("eight");
    let passed = (0..rounds)
        .filter(|_| labsim(&[&folder], &["--jobs", "8"]).status().is_ok_and(|s| s.success()))
        .count();
    println!("  {:<34} {passed} of {rounds} rounds passed", "8 labs side by side");
}

#[expect(clippy::zombie_processes, reason = "everybody is reaped, orphans included")]
fn killed(scenario: &Path, many: usize) {
    let mut random = 0x9e37_79b9_7f4a_7c15u64;
    let mut orphans = 0;
    for _ in 0..many {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        let child = labsim(&[scenario], &[]).spawn().expect("labsim runs");
        std::thread::sleep(Duration::from_micros(random % 80_000));
        let _ = kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        orphans += usize::from(!everybody_is_gone());
    }
    println!(
        "  {:<34} {} left a process behind",
        format!("kill -9 at {many} random moments"),
        if orphans == 0 { "none".to_owned() } else { orphans.to_string() },
    );
}

/// Reaps children and the orphans of killed ones; false if somebody is left after 5 seconds.
fn everybody_is_gone() -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Err(Errno::ECHILD) => return true,
            _ => std::thread::yield_now(),
        }
    }
    false
}

fn verdict(passed: bool) -> &'static str {
    if passed { "all passed" } else { "SOME FAILED" }
}

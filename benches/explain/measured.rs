//! What reading captures takes: time, and the most memory.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How often the memory of a process is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// The figures of one program.
pub(crate) struct Measured {
    pub(crate) megabytes: f64,
    pub(crate) seconds: f64,
    pub(crate) peak_mib: f64,
}

impl Measured {
    /// In MB a second.
    pub(crate) fn speed(&self) -> f64 {
        self.megabytes / self.seconds
    }
}

/// `labsim explain` of all files at once.
pub(crate) fn explain(files: &[PathBuf]) -> Measured {
    let mut command = Command::new(env!("CARGO_BIN_EXE_labsim"));
    let (seconds, peak_mib) = run(command.arg("explain").args(files));
    Measured { megabytes: megabytes(files), seconds, peak_mib }
}

/// tshark with a filter of each file; `None` if it is not installed.
pub(crate) fn tshark(files: &[PathBuf]) -> Option<Measured> {
    let mut version = Command::new("tshark");
    version.arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().ok()?;
    let mut sum = Measured { megabytes: megabytes(files), seconds: 0.0, peak_mib: 0.0 };
    for file in files {
        let mut command = Command::new("tshark");
        let (seconds, peak_mib) = run(command.arg("-r").arg(file).args(["-Y", "tcp.flags.syn==1"]));
        sum.seconds += seconds;
        sum.peak_mib = sum.peak_mib.max(peak_mib);
    }
    Some(sum)
}

/// The seconds that a program takes, and its peak memory in MiB.
fn run(command: &mut Command) -> (f64, f64) {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().expect("the program runs");
    let mut peak = 0.0;
    let status = loop {
        if let Some(status) = child.try_wait().expect("the program is waited for") {
            break status;
        }
        peak = peak_mib(&child).unwrap_or(peak);
        std::thread::sleep(LOOK);
    };
    let seconds = began.elapsed().as_secs_f64();
    assert!(status.success(), "{command:?} failed: {status}");
    (seconds, peak)
}

/// The high water mark (proc(5)); `None` if the process has ended.
fn peak_mib(child: &Child) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().ok()?;
    Some(kib / 1024.0)
}

fn megabytes(files: &[PathBuf]) -> f64 {
    let length = |file: &PathBuf| Path::metadata(file).expect("a capture").len();
    files.iter().map(length).sum::<u64>() as f64 / 1e6
}

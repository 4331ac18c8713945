//! How much memory processes took, as `/proc` has it.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::time::Duration;

/// The most memory that the process and its children ever had resident, in KiB by process. It is
/// looked up until the process ends, with a pause between two looks.
pub(crate) fn peaks_of(child: &mut Child, pause: Duration) -> BTreeMap<u32, u64> {
    let mut peaks = BTreeMap::new();
    while child.try_wait().expect("labsim is waited for").is_none() {
        for pid in family(child) {
            let peak = status_kib(pid, "VmHWM:");
            peaks.entry(pid).and_modify(|it: &mut u64| *it = peak.max(*it)).or_insert(peak);
        }
        std::thread::sleep(pause);
    }
    peaks
}

/// A process and its children.
fn family(child: &Child) -> Vec<u32> {
    let pid = child.id();
    let mut all = vec![pid];
    for task in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
        all.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    all
}

/// A figure of `/proc/PID/status` in KiB; 0 of a process that is gone.
pub(crate) fn status_kib(pid: u32, key: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

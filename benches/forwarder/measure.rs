//! Figures of many short rounds: other work on the machine lengthens some of them, and the median
//! and the least are what is left of it.

use std::time::Duration;

/// Times of rounds of so many packets each.
pub(crate) struct Rounds {
    packets: usize,
    times: Vec<Duration>,
}

impl Rounds {
    pub(crate) const fn new(packets: usize) -> Self {
        Self { packets, times: Vec::new() }
    }

    pub(crate) fn add(&mut self, time: Duration) {
        self.times.push(time);
    }

    /// The median, in ns a packet.
    pub(crate) fn median(&mut self) -> f64 {
        self.times.sort_unstable();
        self.a_packet(self.times.get(self.times.len() / 2))
    }

    /// The least, in ns a packet.
    pub(crate) fn least(&self) -> f64 {
        self.a_packet(self.times.iter().min())
    }

    fn a_packet(&self, time: Option<&Duration>) -> f64 {
        time.map_or(f64::NAN, |time| time.as_secs_f64() * 1e9 / self.packets as f64)
    }
}

/// The resident memory of this process, in MiB.
pub(crate) fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc(5)");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a figure");
    kib / 1024.0
}

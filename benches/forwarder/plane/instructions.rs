//! What a packet costs on one processor whose clock counts instructions (`ci/vm bench`: qemu's -icount),
//! from the generator's call to the frame's end behind the forwarder. Figures are exact, and the same in
//! every run but for timers. On another machine they are times.

pub(super) mod lab;

use super::generator::Generator;
use super::rate::pin;
use crate::scale::Scale;
use lab::{Contestant, Lab, VIPS};
use nix::unistd::Pid;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// Frames' lengths in bytes, without the frame check sequence.
const LENGTHS: [usize; 2] = [64, 1400];
/// Turns of all flows before anything is measured: the fast path is given 64 flows a turn of its engine.
const WARM_UP: usize = 20;
/// Turns that are measured.
const TURNS: usize = 12;
/// How long a process has for its first packets.
const PATIENCE: Duration = Duration::from_secs(60);
/// The clock's nanoseconds an instruction; without it, figures are times.
const NANOSECONDS: &str = "NANOSECONDS_PER_INSTRUCTION";
/// At most this much of `ip_forward`'s.
const WANTED: f64 = 1.1;

/// Prints the table; whether the fast path reached what is wanted.
pub(crate) fn print(scale: Scale) -> bool {
    labsim_lab::acquire_privileges().unwrap_or_else(|error| panic!("{error}"));
    let one: Option<f64> = std::env::var(NANOSECONDS).ok().and_then(|text| text.parse().ok());
    let what = if one.is_some() { "instructions" } else { "nanoseconds" };
    println!("{what} a packet, over veth, one arm, {} UDP flows, IPIP or 6in6", Generator::FLOWS);
    let lab = Lab::build();
    let families: &[IpAddr] = if scale == Scale::Full { &VIPS } else { &VIPS[..1] };
    for contestant in &lab.contestants {
        for vip in families {
            warm_up(&lab, contestant, *vip);
        }
    }
    lab.disown();
    // On one processor all work is in one order.
    let processes = lab.contestants.iter().filter_map(Contestant::process);
    for thread in processes.chain([Pid::from_raw(0)]) {
        pin(thread, 0);
    }
    println!(
        "  {:<6} {:>5} {:<28} {:>7} {:>7} {:>14} {:>6}",
        "", "bytes", "", "all", "added", "of ip_forward", "lost"
    );
    let mut kept = true;
    for vip in families {
        for length in LENGTHS {
            // The generator's own, and what is added by the two that the fast path is compared with.
            let (mut alone, mut kernel, mut ipvs) = (0.0, f64::NAN, f64::INFINITY);
            for contestant in &lab.contestants {
                let (time, lost) = measure(&lab, contestant, *vip, length, scale);
                let all = time / one.unwrap_or(1.0);
                if contestant.mac == lab::UNOWNED {
                    alone = all;
                }
                let (own, family) = (all - alone, if vip.is_ipv4() { "IPv4" } else { "IPv6" });
                match contestant.title.as_str() {
                    lab::IP_FORWARD => kernel = own,
                    lab::IPVS => ipvs = own,
                    _ => {}
                }
                let ratio = own / kernel;
                println!(
                    "  {family:<6} {length:>5} {:<28} {all:>7.0} {own:>7.0} {ratio:>14.2} {lost:>6}",
                    contestant.title
                );
                if contestant.title == lab::FAST_PATH {
                    kept &= lost == 0 && ratio <= WANTED && own < ipvs;
                }
            }
        }
    }
    println!(
        "  wanted of the fast path: fewer than IPVS, and at most {WANTED} of ip_forward: {}\n  \
         all: with the generator's call and both ends' veth. added: less the generator alone, whose frames\n  \
         end at the first veth. ip_forward encapsulates nothing.",
        scale.judge(kept)
    );
    kept
}

/// Has neighbours resolved and flows opened; what has to go on in the kernel does so afterwards.
pub(super) fn warm_up(lab: &Lab, contestant: &Contestant, vip: IpAddr) {
    let mut generator =
        Generator::new(lab.ends(), contestant.index, contestant.mac, vip, LENGTHS[0]);
    if contestant.mac == lab::UNOWNED {
        return;
    }
    let began = Instant::now();
    let mut turns = 0;
    while turns < WARM_UP {
        let before = lab.came_back(contestant);
        let sent = generator.turn(|| std::thread::sleep(Duration::from_millis(5)));
        std::thread::sleep(Duration::from_millis(20));
        let came = lab.came_back(contestant) - before;
        turns += usize::from(came >= sent);
        let title = &contestant.title;
        assert!(began.elapsed() < PATIENCE, "{title}: of {sent} frames to {vip} {came} came back");
    }
}

/// The clock's nanoseconds a packet, and how many were lost.
fn measure(
    lab: &Lab,
    contestant: &Contestant,
    vip: IpAddr,
    length: usize,
    scale: Scale,
) -> (f64, u64) {
    let mut generator = Generator::new(lab.ends(), contestant.index, contestant.mac, vip, length);
    let idle = SchedulerClass::new();
    // Also what the kernel's own threads do (ksoftirqd) is done then.
    let between = || idle.step_back();
    // The caches of the kernel's allocators, and the flows behind other contestants' turns.
    let _ = generator.turn(between);
    let before = lab.came_back(contestant);
    let turns = scale.choose(TURNS, 1);
    let began = Instant::now();
    let sent: u64 = (0..turns).map(|_| generator.turn(between)).sum();
    let time = began.elapsed();
    let came = lab.came_back(contestant) - before;
    let lost = if contestant.mac == lab::UNOWNED { 0 } else { sent.saturating_sub(came) };
    (time.as_secs_f64() * 1e9 / sent as f64, lost)
}

/// Has all others that share this thread's processor wait while a call's frames are sent, and do all their
/// work afterwards, so that no time is idle.
struct SchedulerClass;

impl SchedulerClass {
    fn new() -> Self {
        Self::set(libc::SCHED_FIFO, 1);
        Self
    }

    /// Waits until no other thread is ready to run.
    fn step_back(&self) {
        Self::set(libc::SCHED_IDLE, 0);
        Self::set(libc::SCHED_FIFO, 1);
    }

    fn set(policy: i32, priority: i32) {
        labsim_sys::testing::set_scheduler(policy, priority)
            .expect("the scheduler's class (CAP_SYS_NICE)");
    }
}

impl Drop for SchedulerClass {
    fn drop(&mut self) {
        Self::set(libc::SCHED_OTHER, 0);
    }
}

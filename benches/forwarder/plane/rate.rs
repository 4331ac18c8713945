//! Packets a second and CPU time a packet, at the generator's full rate.

use super::contestant::Contestant;
use super::generator::{Generator, Sent};
use super::median;
use super::path::{Lab, VIP};
use crate::scale::Scale;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::unistd::Pid;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Frames' lengths in bytes, without the frame check sequence.
const LENGTHS: [usize; 2] = [64, 1400];
/// Rounds of each contestant, in turns, so that other work on the machine hits all of them.
const ROUNDS: usize = 21;
const WARM_UP: Duration = Duration::from_millis(20);
const ROUND: Duration = Duration::from_millis(130);
/// At least this much of `ip_forward`'s rate: the forwarder, and its fast path.
const WANTED: f64 = 0.9;
const WANTED_ACCELERATED: f64 = 1.15;

/// One round.
struct Figures {
    /// Packets that came back, a second.
    rate: f64,
    /// Of those that were sent.
    lost: f64,
    /// ns of the generator's thread for a packet that it sent.
    generator: f64,
    /// ns of the contestant's process for a packet that came back.
    process: f64,
    /// How much of the time the two ran: less than all of it is waiting, or another's turn.
    busy: [f64; 2],
}

/// Prints the table; whether every data plane reached what is wanted.
pub(super) fn print(lab: &Lab, scale: Scale) -> bool {
    let rounds = scale.choose(ROUNDS, 1);
    let processes = || lab.contestants.iter().filter_map(|it| it.process.as_ref());
    processes().for_each(|process| pin(process.pid(), 1));
    println!(
        "  packets a second through veth, and CPU ns a packet; medians of {rounds} rounds of {} ms",
        ROUND.as_millis()
    );
    println!(
        "  {:>5} {:<22} {:>8} {:>14} {:>5} {:>14} {:>14} {:>7}",
        "bytes", "", "1000 pps", "of ip_forward", "lost", "generator", "process", "added"
    );
    let mut kept = true;
    for length in LENGTHS {
        let mut generators: Vec<Generator> = lab
            .contestants
            .iter()
            .map(|it| Generator::new(lab.ends(), it.index, it.mac, VIP.into(), length))
            .collect();
        let mut all: Vec<Vec<Figures>> = lab.contestants.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            let turns = lab.contestants.iter().zip(&mut generators).zip(&mut all);
            for ((contestant, generator), figures) in turns {
                figures.push(round(lab, contestant, generator));
            }
        }
        let alone = of(&all[0], |it| it.generator);
        for (contestant, figures) in lab.contestants.iter().zip(&all) {
            let ratios = figures.iter().zip(&all[1]).map(|(it, kernel)| it.rate / kernel.rate);
            let ratio = median(ratios.collect());
            let (generator, process) =
                (of(figures, |it| it.generator), of(figures, |it| it.process));
            let [busy, process_busy] = [0, 1].map(|who| of(figures, |it| it.busy[who]) * 100.0);
            println!(
                "  {length:>5} {:<22} {:>8.0} {ratio:>14.2} {:>4.0}% {generator:>7.0} ({busy:>3.0}%) \
                 {process:>7.0} ({process_busy:>3.0}%) {:>7.0}",
                contestant.title(),
                of(figures, |it| it.rate) / 1e3,
                of(figures, |it| it.lost) * 100.0,
                generator - alone + process,
            );
            kept &= match contestant.name {
                "forwarder" => ratio >= WANTED,
                "accelerated" => ratio >= WANTED_ACCELERATED,
                _ => true,
            };
        }
    }
    let everywhere = sched_getaffinity(Pid::from_raw(0)).expect("the processors of this process");
    for process in processes() {
        sched_setaffinity(process.pid(), &everywhere).expect("the processors");
    }
    println!(
        "  wanted: at least {WANTED} of ip_forward, and {WANTED_ACCELERATED} on the fast path: {}",
        scale.judge(kept)
    );
    println!(
        "  generator: its thread, with the softirqs that run in it: all of ip_forward, of a ring its \
         filling.\n  process: the forwarder's, with the softirqs of its sending. added: both, less \
         the generator alone.\n  (%): of the time; what is near 100 bounds the rate, and a \
         generator far below is a machine that is\n  busy with something else. Softirqs that a \
         kernel thread (ksoftirqd) takes over are in no figure."
    );
    kept
}

/// Keeps a thread on one of the processors that this process may use, if there are so many.
pub(super) fn pin(thread: Pid, number: usize) {
    let may = sched_getaffinity(Pid::from_raw(0)).expect("the processors of this process");
    let mut there = (0..CpuSet::count()).filter(|cpu| may.is_set(*cpu) == Ok(true));
    if let Some(cpu) = there.nth(number) {
        let mut set = CpuSet::new();
        set.set(cpu).expect("a processor's number");
        sched_setaffinity(thread, &set).expect("a processor");
    }
}

fn of(figures: &[Figures], what: impl Fn(&Figures) -> f64) -> f64 {
    median(figures.iter().map(what).collect())
}

fn round(lab: &Lab, contestant: &Contestant, generator: &mut Generator) -> Figures {
    let stop = AtomicBool::new(false);
    let (first, began_cpu) = (lab.came_back(contestant), contestant.cpu());
    let (sent, came, elapsed) = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            // Else the scheduler may put both on one processor, and measures itself.
            pin(Pid::from_raw(0), 0);
            generator.run(&stop)
        });
        std::thread::sleep(WARM_UP);
        let (before, began) = (lab.came_back(contestant), Instant::now());
        std::thread::sleep(ROUND);
        let (after, elapsed) = (lab.came_back(contestant), began.elapsed());
        stop.store(true, Ordering::Relaxed);
        let sent: Sent = thread.join().expect("the generator");
        (sent, after - before, elapsed)
    });
    // What still lies in a ring is a few milliseconds' work.
    std::thread::sleep(Duration::from_millis(10));
    let came_in_all = lab.came_back(contestant) - first;
    let cpu = contestant.cpu() - began_cpu;
    let busy = [sent.cpu, cpu].map(|time| time.as_secs_f64() / sent.elapsed.as_secs_f64());
    let nanoseconds = |time: Duration, packets: u64| time.as_secs_f64() * 1e9 / packets as f64;
    // Without a contestant nothing comes back: the rate is the generator's.
    let is_baseline = contestant.name == "nothing";
    let seconds = elapsed.as_secs_f64();
    Figures {
        rate: if is_baseline {
            sent.frames as f64 / sent.elapsed.as_secs_f64()
        } else {
            came as f64 / seconds
        },
        lost: if is_baseline { 0.0 } else { 1.0 - came_in_all as f64 / sent.frames as f64 },
        generator: nanoseconds(sent.cpu, sent.frames),
        process: nanoseconds(cpu, came_in_all.max(1)),
        busy,
    }
}

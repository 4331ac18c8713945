//! Measures the star built by all three, alternately, and prints the figures beside the targets.

use crate::others::{Floor, build_by_ip, has_ip};
use crate::scale::Scale;
use crate::star;
use crate::teardown::close_and_wait;
use labsim_lab::{Lab, LabPlan};
use labsim_scenario::model::Topology;
use std::time::{Duration, Instant};

/// Hosts, and how often each is built. The others are slow: the largest star only thrice.
const STARS: [(usize, usize); 4] = [(3, 15), (50, 9), (200, 5), (1000, 3)];
const SMALL_STARS: [(usize, usize); 4] = [(1, 1), (2, 1), (3, 1), (4, 1)];
/// At most this much of what `ip -batch` and the floor take.
const OF_IP: f64 = 0.5;
const OF_FLOOR: f64 = 2.0;
/// How much more a host of 1000 may take than a host of 200: linear growth, and some noise.
const GROWTH: f64 = 1.25;
/// No teardown takes this long.
const PATIENCE: Duration = Duration::from_secs(120);

/// The figures of one size.
#[derive(Default)]
struct Figures {
    build: Vec<f64>,
    teardown: Vec<f64>,
    ip: Vec<f64>,
    floor: Vec<f64>,
}

/// Prints the table; whether all targets were reached.
pub(crate) fn print(scale: Scale) -> bool {
    let rights = labsim_lab::acquire_privileges().unwrap_or_else(|error| panic!("{error}"));
    println!("A star of hosts around a router, medians in ms ({rights})");
    let floor = Floor::compile().map_err(|why| println!("  without the floor: {why}")).ok();
    let ip = has_ip();
    if !ip {
        println!("  without `ip -batch`: iproute2 is not installed");
    }
    println!(
        "  {:>5} {:>10} {:>10} {:>11} {:>8} {:>9} {:>9} {:>10}",
        "hosts", "labsim", "a host", "ip -batch", "of it", "floor", "of it", "teardown"
    );
    let (mut kept, mut ours, mut floors) = (true, Vec::new(), Vec::new());
    for (hosts, rounds) in scale.choose(STARS, SMALL_STARS) {
        let figures = measure(hosts, rounds, ip, floor.as_ref());
        let build = median(figures.build);
        let (ip, floor) = (median(figures.ip), median(figures.floor));
        println!(
            "  {hosts:>5} {build:>10.1} {:>10.2} {ip:>11.1} {:>8.2} {floor:>9.1} {:>9.2} {:>10.1}",
            build / hosts as f64,
            build / ip,
            build / floor,
            median(figures.teardown),
        );
        // A program that is not installed gives NaN, which misses no target.
        kept &= !(build / ip > OF_IP || build / floor > OF_FLOOR);
        ours.push(build / hosts as f64);
        floors.push(floor / hosts as f64);
    }
    let growth = |per_host: &[f64]| per_host[3] / per_host[2];
    let (ours, floors) = (growth(&ours), growth(&floors));
    kept &= ours <= GROWTH;
    println!("  a host of 1000 takes {ours:.2} times a host of 200 (the floor: {floors:.2})");
    println!(
        "  targets: at most {OF_IP} of `ip -batch`, {OF_FLOOR} of the floor, {GROWTH} for growth: {}",
        scale.judge(kept)
    );
    kept
}

fn measure(hosts: usize, rounds: usize, ip: bool, floor: Option<&Floor>) -> Figures {
    let topology = star::topology(hosts);
    let mut figures = Figures::default();
    for _ in 0..rounds {
        wait_for_teardown();
        let (build, teardown) = build_and_close(&topology);
        figures.build.push(milliseconds(build));
        figures.teardown.push(milliseconds(teardown));
        if let Some(floor) = floor {
            wait_for_teardown();
            figures.floor.push(milliseconds(floor.build(hosts)));
        }
        if ip {
            wait_for_teardown();
            figures.ip.push(milliseconds(build_by_ip(hosts)));
        }
    }
    figures
}

/// Builds a lab and closes it; how long each took.
pub(crate) fn build_and_close(topology: &Topology) -> (Duration, Duration) {
    let began = Instant::now();
    let lab = Lab::build(&LabPlan::of_topology(topology)).unwrap_or_else(|it| panic!("{it}"));
    let (build, began) = (began.elapsed(), Instant::now());
    close_and_wait(lab, began + PATIENCE).unwrap_or_else(|it| panic!("{it}"));
    (build, began.elapsed())
}

/// Waits until the kernel has dismantled every namespace that was closed before: it does so in
/// the order of closing, and would be doing so beside the next measurement.
pub(crate) fn wait_for_teardown() {
    let mut one = star::topology(1);
    one.nodes.truncate(1);
    one.nodes[0].interfaces.clear();
    one.links.clear();
    build_and_close(&one);
}

pub(crate) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

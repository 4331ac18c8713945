//! A scenario with very many real servers: a login for each of them, and every wire captured.

use crate::job::labsim;
use crate::memory::peaks_of;
use crate::scale::Scale;
use crate::table::wait_for_teardown;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Real servers, as many logins, and how often they are timed.
const ROWS: [(usize, usize); 4] = [(50, 5), (200, 3), (500, 3), (1000, 3)];
const SMALL_ROWS: [(usize, usize); 2] = [(5, 1), (10, 1)];
/// What the last row may take: 1,000 servers.
const SECONDS: f64 = 6.0;
const MEGABYTES: f64 = 400.0;
/// Servers on one segment. An ARP request is a frame for each of them, so their number on one segment
/// would count twice.
const RACK: usize = 50;
/// Entries of the kernel's ARP table that a run needs: the router's of a server and a server's of the
/// router, and some of the other nodes.
const ENTRIES: usize = 2;
const MORE_ENTRIES: usize = 8;
/// How many entries there may be on the whole machine, all network namespaces together.
const ENTRY_LIMIT: &str = "/proc/sys/net/ipv4/neigh/default/gc_thresh3";
/// Between two looks at the memory: often enough for the smallest row, and no load on the run.
const PAUSE: Duration = Duration::from_millis(2);

/// The figures of one row.
struct Figures {
    seconds: Vec<f64>,
    megabytes: f64,
}

impl Figures {
    fn median(&self) -> f64 {
        self.seconds[self.seconds.len() / 2]
    }
}

/// Prints the table; whether the targets were reached, where the last row could be measured.
pub(crate) fn print(scale: Scale) -> bool {
    labsim_lab::acquire_privileges().unwrap_or_else(|error| panic!("{error}"));
    println!(
        "\nMany real servers, {RACK} on a segment: a TACACS+ login each, by IPIP, every wire captured"
    );
    println!(
        "  {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>15} {:>15}",
        "servers", "runs", "median s", "min s", "max s", "MB", "ms a server", "kB a server"
    );
    let rows = scale.choose(ROWS.as_slice(), SMALL_ROWS.as_slice());
    let mut before: Option<(usize, Figures)> = None;
    let mut kept = None;
    for &(servers, timed) in rows {
        if let Err(why) = has_room(servers) {
            println!("  {servers:>7} not measured: {why}");
            kept = None;
            continue;
        }
        let figures = measure(servers, timed);
        let (seconds, megabytes) = (figures.median(), figures.megabytes);
        let last = timed - 1;
        let growth = before.map_or_else(String::new, |(fewer, before)| {
            let more = (servers - fewer) as f64;
            format!(
                " {:>15.2} {:>15.1}",
                (seconds - before.median()) * 1e3 / more,
                (megabytes - before.megabytes) * 1e3 / more
            )
        });
        println!(
            "  {servers:>7} {timed:>6} {seconds:>9.2} {:>9.2} {:>9.2} {megabytes:>9.1}{growth}",
            figures.seconds[0], figures.seconds[last]
        );
        kept = Some(seconds <= SECONDS && megabytes <= MEGABYTES);
        before = Some((servers, figures));
    }
    println!(
        "  (exec to exit; MB: peak, sum of all processes; a server: growth from the row above)\n  \
         targets of 1000 servers: at most {SECONDS} s and {MEGABYTES} MB: {}",
        kept.map_or("not measured", |kept| scale.judge(kept))
    );
    kept.unwrap_or(true)
}

/// Whether the machine's ARP table has room for that many servers. A full one drops packets, and no
/// login would be what is measured. Where the limit cannot be read, the run shows it.
fn has_room(servers: usize) -> Result<(), String> {
    let limit = fs::read_to_string(ENTRY_LIMIT).ok().and_then(|text| text.trim().parse().ok());
    let (limit, needed) = (limit.unwrap_or(usize::MAX), ENTRIES * servers + MORE_ENTRIES);
    match needed <= limit {
        true => Ok(()),
        false => Err(format!(
            "the machine's ARP table has room for {limit} entries, and {needed} are needed \
             (sysctl -w net.ipv4.neigh.default.gc_thresh3={})",
            needed.next_power_of_two()
        )),
    }
}

fn measure(servers: usize, timed: usize) -> Figures {
    let folder = tempfile::tempdir().expect("a folder for the scenario");
    let scenario = write_scenario(folder.path(), servers);
    // The first run is for the memory, which is looked up beside it; it also has files in the cache.
    wait_for_teardown();
    let mut run = labsim(&[&scenario], &[]);
    let mut child = run.stdout(Stdio::piped()).spawn().expect("labsim runs");
    let peaks = peaks_of(&mut child, PAUSE);
    let output = child.wait_with_output().expect("labsim ends");
    let report = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{servers} servers: {report}");
    assert!(
        report.contains("none lost"),
        "{servers} servers: not every frame was captured: {report}"
    );
    let mut seconds: Vec<f64> = (0..timed)
        .map(|_| {
            // The ARP entries of the run before go with its namespaces.
            wait_for_teardown();
            let began = Instant::now();
            let status = labsim(&[&scenario], &[]).status().expect("labsim runs");
            assert!(status.success(), "{servers} servers: the scenario failed");
            began.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    Figures { seconds, megabytes: peaks.values().sum::<u64>() as f64 * 1024.0 / 1e6 }
}

/// Writes topology and scenario: the shipped part with TACACS+ under Direct Server Return, for as
/// many servers. Every one of them has to answer a login.
fn write_scenario(folder: &Path, servers: usize) -> PathBuf {
    // A file names others by relative paths without links, so the shipped ones have to be copied.
    let mut init = Command::new(env!("CARGO_BIN_EXE_labsim"));
    let status = init.arg("init").arg(folder).stdout(Stdio::null()).status();
    assert!(status.expect("labsim runs").success(), "labsim init failed");
    let names: Vec<String> = (1..=servers).map(|it| format!("rs{it}")).collect();
    let addresses: Vec<String> =
        (0..servers).map(|it| format!("10.1.{}.{}", it / RACK, 51 + it % RACK)).collect();
    let racks = servers.div_ceil(RACK);
    // Racks in place of the shipped topology's one segment.
    let ports: String = (0..racks).map(|rack| format!("rack{rack}: 10.1.{rack}.1/24, ")).collect();
    let mut topology = format!(
        "extends: topologies/one-arm-routed.yaml\nnodes:\n  \
         router: {{interfaces: {{{ports}servers: null}}}}\n"
    );
    for (name, address) in names.iter().zip(&addresses) {
        let _ = writeln!(topology, "  {name}: {{interfaces: {{eth0: {address}/24}}}}");
    }
    topology.push_str("segments:\n  servers: null\n");
    for (rack, names) in names.chunks(RACK).enumerate() {
        let ports: String = names.iter().map(|name| format!(", \"{name}:eth0\"")).collect();
        let _ = writeln!(topology, "  rack{rack}: [\"router:rack{rack}\"{ports}]");
    }
    fs::write(folder.join("topology.yaml"), topology).expect("the topology");

    let members: Vec<String> = addresses.iter().map(|it| format!("{it}:49")).collect();
    let (names, members) = (names.join(", "), members.join(", "));
    let scenario = format!(
        "extends: scenarios/parts/tacacs.yaml\n\
         topology: topology.yaml\n\
         real_servers: {{servers: {{nodes: [{names}]}}}}\n\
         load_balancers: {{lb: {{pools: {{p_tacacs-test_49: {{members: [{members}]}}}}}}}}\n\
         tacacs_servers: {{aaa: {{nodes: [{names}]}}}}\n\
         steps: {{login: {{tacacs_login: {{times: {servers}, concurrency: 30}}}}}}\n\
         expect:\n  \
           pool_answers: null\n  \
           distribution:\n    \
             distribution: {{nodes: [{names}], at_least: 1}}\n    \
             pass: every server answered a login\n    \
             fail: a server answered no login\n"
    );
    let path = folder.join("scenario.yaml");
    fs::write(&path, scenario).expect("the scenario");
    path
}

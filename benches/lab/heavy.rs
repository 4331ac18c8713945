//! A scenario with very many real servers: a login for each of them, and every wire captured.

use crate::job::labsim;
use crate::memory::peaks_of;
use crate::scale::Scale;
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

/// Prints the table; whether the targets were reached.
pub(crate) fn print(scale: Scale) -> bool {
    println!(
        "\nMany real servers on one segment: a TACACS+ login each, by IPIP, every wire captured"
    );
    println!(
        "  {:>7} {:>6} {:>9} {:>9} {:>9} {:>9} {:>15} {:>15}",
        "servers", "runs", "median s", "min s", "max s", "MB", "ms a server", "kB a server"
    );
    let rows = scale.choose(ROWS.as_slice(), SMALL_ROWS.as_slice());
    let mut before: Option<(usize, Figures)> = None;
    let mut kept = true;
    for &(servers, timed) in rows {
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
        kept = seconds <= SECONDS && megabytes <= MEGABYTES;
        before = Some((servers, figures));
    }
    println!(
        "  (exec to exit; MB: peak, sum of all processes; a server: growth from the row above)\n  \
         targets of 1000 servers: at most {SECONDS} s and {MEGABYTES} MB: {}",
        scale.judge(kept)
    );
    kept
}

fn measure(servers: usize, timed: usize) -> Figures {
    let folder = tempfile::tempdir().expect("a folder for the scenario");
    let scenario = write_scenario(folder.path(), servers);
    // The first run is for the memory, which is looked up beside it; it also has files in the cache.
    let mut run = labsim(&[&scenario], &[]);
    let mut child = run.stdout(Stdio::piped()).spawn().expect("labsim runs");
    let peaks = peaks_of(&mut child, PAUSE);
    let output = child.wait_with_output().expect("labsim ends");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{servers} servers: {said}");
    assert!(said.contains("none lost"), "{servers} servers: not every frame was captured: {said}");
    let mut seconds: Vec<f64> = (0..timed)
        .map(|_| {
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
        (1..=servers).map(|it| format!("10.1.{}.{}", 1 + it / 250, 1 + it % 250)).collect();
    let mut topology = "extends: topologies/one-arm-routed.yaml\nnodes:\n  \
                        router: {interfaces: {servers: 10.1.0.1/16}}\n"
        .to_owned();
    for (name, address) in names.iter().zip(&addresses) {
        let _ = writeln!(topology, "  {name}: {{interfaces: {{eth0: {address}/16}}}}");
    }
    let ports: String = names.iter().map(|name| format!(", \"{name}:eth0\"")).collect();
    let _ = writeln!(topology, "segments:\n  servers: [\"router:servers\"{ports}]");
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

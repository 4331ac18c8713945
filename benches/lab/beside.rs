//! labsim beside other tools: the star built by each of them, as a table for README.md.

use crate::others::{Floor, SCRIPTS, Script, build_by_ip, has_ip};
use crate::scale::Scale;
use crate::star;
use crate::table::{build_and_close, milliseconds, wait_for_teardown};
use labsim_scenario::model::Topology;
use std::fs;
use std::process::Command;

/// Hosts, and how often each star is built by each tool.
const STARS: [(usize, usize); 3] = [(5, 15), (50, 9), (200, 5)];
const SMALL_STARS: [(usize, usize); 3] = [(1, 1), (2, 1), (3, 1)];

/// A tool, and what it took.
struct Row {
    tool: Tool,
    /// With its version.
    name: String,
    /// Milliseconds, for each star.
    figures: Vec<Vec<f64>>,
    /// Milliseconds that Python takes to read the tool's modules.
    imports: Vec<f64>,
}

enum Tool {
    Labsim,
    Ip,
    Floor(Floor),
    Script(&'static Script),
}

impl Tool {
    /// What it does beside making the star, or does not do, in words that follow its name.
    fn does(&self) -> &'static str {
        match self {
            Self::Labsim => {
                "also switches offloads and IPv6's autoconfiguration off, looks for the carrier of \
                 every link, sets the kernel's own defaults where the machine's differ, and reads \
                 settings back"
            }
            Self::Ip => {
                "is run once for the links and once more in each node; the router does not forward"
            }
            Self::Floor(_) => {
                "is a C program that does nothing else: one netlink request at a time, forwarding \
                 switched on after the measurement; it is not in this repository"
            }
            Self::Script(script) => script.does,
        }
    }
}

/// Prints the table.
pub(crate) fn print(scale: Scale) {
    labsim_lab::acquire_privileges().unwrap_or_else(|error| panic!("{error}"));
    let stars = scale.choose(STARS, SMALL_STARS);
    let mut rows = installed();
    for (hosts, rounds) in stars {
        let topology = star::topology(hosts);
        rows.iter_mut().for_each(|row| row.figures.push(Vec::new()));
        for _ in 0..rounds {
            rows.iter_mut().for_each(|row| row.build(hosts, &topology));
        }
    }
    println!("\n{}\n", machine());
    let nodes: String = stars.iter().map(|(hosts, _)| format!(" {} nodes |", hosts + 1)).collect();
    println!("| built by |{nodes}\n|---|{}", "---:|".repeat(stars.len()));
    for row in &rows {
        let cells: String = row.figures.iter().map(|it| format!(" {} |", cell(it))).collect();
        println!("| {} |{cells}", row.name);
    }
    let rounds: Vec<String> = stars.iter().map(|(_, rounds)| rounds.to_string()).collect();
    println!(
        "\nMilliseconds, median (least to most) of {} runs by turns. Building alone is measured, from \
         the first namespace to the last route: not the tool's start, and no teardown.\n",
        rounds.join(", ")
    );
    for row in &rows {
        println!("- {} {}.", row.name, row.tool.does());
        if !row.imports.is_empty() {
            println!("  Reading its Python modules is not counted: {}.", cell(&row.imports));
        }
    }
}

/// A row for each tool that is there; the others are named, with what installs them.
fn installed() -> Vec<Row> {
    let row = |tool, name: String| Row { tool, name, figures: Vec::new(), imports: Vec::new() };
    let mut rows = vec![row(Tool::Labsim, format!("labsim {}", env!("CARGO_PKG_VERSION")))];
    match Floor::compile() {
        Ok(floor) => rows.push(row(Tool::Floor(floor), "netlink in C".into())),
        Err(why) => println!("without the floor: {why}"),
    }
    match has_ip() {
        true => rows.push(row(Tool::Ip, format!("`ip -batch` ({})", iproute2()))),
        false => println!("without `ip -batch`: apt-get install iproute2"),
    }
    for script in &SCRIPTS {
        match script.is_installed() {
            true => rows.push(row(Tool::Script(script), script.name.into())),
            false => println!("without {}: {}", script.name, script.installation),
        }
    }
    rows
}

impl Row {
    /// Builds once, with nothing else going on in the kernel.
    fn build(&mut self, hosts: usize, topology: &Topology) {
        wait_for_teardown();
        let took = match &self.tool {
            Tool::Labsim => build_and_close(topology).0,
            Tool::Ip => build_by_ip(hosts),
            Tool::Floor(floor) => floor.build(hosts),
            Tool::Script(script) => {
                let built = script.build(hosts);
                self.name = format!("{} {}", script.name, built.version);
                self.imports.push(milliseconds(built.import));
                built.build
            }
        };
        if let Some(figures) = self.figures.last_mut() {
            figures.push(milliseconds(took));
        }
    }
}

/// Median, least and most.
fn cell(figures: &[f64]) -> String {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let median = sorted[sorted.len() / 2];
    let digits = if median < 100.0 { 1 } else { 0 };
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    format!("{median:.digits$} ({least:.digits$} to {most:.digits$})")
}

/// Cores, processor, kernel and day: what figures depend on.
fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = processors
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown processor", |(_, model)| model);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let day = output_of("date", "+%F");
    format!("{cores} cores ({processor}), Linux {}, {}:", kernel.trim(), day.trim())
}

/// The version of iproute2: `ip utility, iproute2-6.1.0, libbpf 1.1.2`.
fn iproute2() -> String {
    let output = output_of("ip", "-V");
    output.split([',', ' ']).find(|it| it.starts_with("iproute2")).unwrap_or("iproute2").to_owned()
}

fn output_of(program: &str, argument: &str) -> String {
    let output = Command::new(program).arg(argument).output();
    output.map_or_else(|_| String::new(), |it| String::from_utf8_lossy(&it.stdout).into_owned())
}

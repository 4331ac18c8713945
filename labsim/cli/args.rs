//! Commands, arguments and flags.

mod convert;
pub(crate) mod exercise;
mod explain;
mod forwarder;
mod live;
mod results;
mod run;
mod set;
mod steps;

pub(crate) use convert::{Export, ExportBalancer, ExportTarget, Import, Vendor};
pub(crate) use exercise::{Exercise, ExerciseCommand};
pub(crate) use explain::{Explain, MergeCaptures};
pub(crate) use forwarder::{Ctl, CtlCommand, DataPlane, Forwarder, ForwarderCommand, PoolMember};
pub(crate) use live::{Capture, Down, Exec, LabName, Logs, Reset, Restart, Save, Shell, Since, Up};
pub(crate) use results::{DocumentArgs, ResultsArgs};
pub(crate) use run::{Diagnose, LabArgs, ListFormat, Pva, Run};
pub(crate) use set::Set;
pub(crate) use steps::{Check, StepArgs};

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;

/// A network lab for Direct Server Return load balancing.
#[derive(Debug, Parser)]
#[command(name = "labsim", version, about, arg_required_else_help = true, max_term_width = 100)]
#[command(disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) log: LogArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags of the log and the output, for every command.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// More output: `run` prints all expectations of every scenario, `import` lists the lines that
    /// are no configuration; the log on standard error has the level info with -v, debug with -vv.
    /// RUST_LOG wins over it
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Format of the log
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    pub(crate) log_format: LogFormat,
    /// When colours are used. In the order of precedence: this option, NO_COLOR (none), FORCE_COLOR
    /// or CLICOLOR_FORCE other than 0 (always), TERM=dumb or CLICOLOR=0 (none), else on a terminal
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto, value_name = "WHEN")]
    pub(crate) color: ColorChoice,
}

/// When colours are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ColorChoice {
    /// On a terminal, unless the environment decides
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// A format of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One line of text per record
    Text,
    /// One JSON object per line
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build each scenario's lab, run its steps and check its expectations
    Run(Run),
    /// Run a scenario that fails again with the fixes of its causes, and prove which are needed
    Diagnose(Diagnose),
    /// Compare two folders of results, or two scenarios: configuration, verdicts, frames and kernel counters
    Compare(Compare),
    /// Tell what captures of a real network show of each connection: where its packets went, how far
    /// the clocks differ, and what became of it
    Explain(Explain),
    /// Write the packets of captures of a real network to one file, on one time axis: the clock of the
    /// first, each other clock corrected into what the packets show of it
    MergeCaptures(MergeCaptures),
    /// Write kept results as one HTML page
    Report(Report),
    /// Merge the results of a run's partitions, and name what is missing
    Merge(Merge),
    /// Build a scenario's lab and keep it up, without running its steps
    Up(Up),
    /// List the labs that are up
    List,
    /// Show a lab that is up: its nodes, their addresses, what runs in them, and what was changed
    Status(LabName),
    /// Print what programs and built-in servers of a node printed and logged in a lab that is up
    Logs(Logs),
    /// Run the next step of the scenario, or the named one, in a lab that is up
    Step(StepArgs),
    /// Run the scenario's steps in a lab that is up, and check its expectations
    Check(Check),
    /// Capture the packets of a lab that is up: as they come, or those that it has kept
    Capture(Capture),
    /// Change a lab that is up: links, routes, members, ..., and how what runs in it is configured
    Set(Set),
    /// Print what happens in a lab that is up: steps, states of members, drops, ends of programs, changes
    #[command(after_long_help = live::WATCH_NOTES)]
    Watch(LabName),
    /// Bring nodes of a lab that is up back to what they were when it was built
    Reset(Reset),
    /// Write what was changed in a lab that is up as a scenario
    Save(Save),
    /// Build a lab that is up again, from what it was made of
    Restart(Restart),
    /// End a lab that is up
    Down(Down),
    /// Run a command in a node of a lab that is up
    Exec(Exec),
    /// Open a shell in a node of a lab that is up
    Shell(Shell),
    /// Open tmux with a shell in each node of a lab that is up, in the panes of one window
    Tmux(LabName),
    /// Find and repair what is wrong in a lab: exercises that check themselves
    Exercise(Exercise),
    /// Print the progress of a class: who solved which exercise, with tries, hints and time
    Class(exercise::Class),
    /// Print an order in which the shipped scenarios can be taught, each with a sentence
    Lessons,
    /// Check scenario and topology files and report all errors; needs no privileges
    Validate(Validate),
    /// Check the kernel features and limits of this machine, how many labs it has room for, and whether
    /// the named scenarios can run on it
    Doctor(Doctor),
    /// Convert a load balancer's configuration into a topology and a scenario
    Import(Import),
    /// Print a scenario's devices as Linux commands, F5 configuration or a containerlab topology
    Export(Export),
    /// Print the JSON Schema of a file format
    Schema(Schema),
    /// Print a scenario or topology merged with the files that it extends, each part with its file
    Show(Show),
    /// Print what would be built of a scenario or topology: nodes, links, addresses, routes,
    /// sysctls
    Plan(Plan),
    /// Draw the lab of a scenario or topology: nodes, links, segments, VIPs, tunnels
    Graph(Graph),
    /// Write a Wireshark profile for captures of labsim: columns, a colour for each node, no false
    /// retransmissions
    WiresharkProfile(WiresharkProfile),
    /// Write the shipped topologies, scenarios, exercises and their schemas into a folder
    Init(Init),
    /// Run the load balancer in the current network namespace, or control the one running there
    Forwarder(Forwarder),
    /// Run the built-in TACACS+ and RADIUS servers of a scenario's node in the current network
    /// namespace
    Server(Server),
    /// Print the completions of a shell
    Completions(Completions),
    /// Write a man page for every command
    Man(OutputFolder),
    /// Write the reference manual as Markdown
    #[command(hide = true)]
    Manual(OutputFolder),
    /// Print the help of a command, or what a code such as [unknown-key] means and its remedy
    Help(Help),
}

/// `labsim help`
#[derive(Debug, Args)]
pub(crate) struct Help {
    /// A command, a code, or `codes` for a list of all codes
    #[arg(value_name = "COMMAND|CODE")]
    pub(crate) topic: Vec<String>,
}

/// `labsim show`
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Scenario or topology file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
}

/// `labsim plan`
#[derive(Debug, Args)]
pub(crate) struct Plan {
    /// Scenario or topology file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Tunnel decapsulator on the real servers
    #[arg(long, value_enum, default_value_t = PlannedTunnel::Kernel)]
    pub(crate) tunnel: PlannedTunnel,
}

/// `labsim graph`
#[derive(Debug, Args)]
pub(crate) struct Graph {
    /// Scenario or topology file
    #[arg(value_name = "FILE", required_unless_present = "run", conflicts_with = "run")]
    pub(crate) file: Option<PathBuf>,
    /// Draw the way of a packet of a kept run: a scenario's folder written by `run --out`
    #[arg(long, value_name = "DIR", requires = "packet")]
    pub(crate) run: Option<PathBuf>,
    /// The packet: the number of one of its frames in capture.pcapng, or a step, whose first packet is
    /// drawn, and the first answer to it
    #[arg(long, value_name = "N|STEP", requires = "run")]
    pub(crate) packet: Option<String>,
    /// Write a file for each hop: FILE-1.svg, FILE-2.svg, ...
    #[arg(long, requires = "run", requires = "output")]
    pub(crate) slides: bool,
    /// Write to this file, in place of an earlier one; else to standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Format; else the one that the ending of --output names (.svg, .dot, .gv, .mmd, .mermaid, .d2),
    /// or SVG
    #[arg(long, value_enum)]
    pub(crate) format: Option<GraphFormat>,
}

/// A format of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum GraphFormat {
    /// A picture that stands alone, for light and dark pages
    Svg,
    /// Text for Graphviz
    Dot,
    /// Text for Mermaid, as in Markdown
    Mermaid,
    /// Text for D2
    D2,
}

/// Tunnel decapsulator of a plan, which does not depend on the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum PlannedTunnel {
    /// The kernel's tunnel device
    Kernel,
    /// labsim's own decapsulator behind a TUN device of the same name
    Userspace,
}

/// `labsim wireshark-profile`
#[derive(Debug, Args)]
pub(crate) struct WiresharkProfile {
    /// The profile's folder, which is created if it does not exist; else the profile `labsim` of this
    /// user's Wireshark
    #[arg(value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// Whose nodes get colours: a scenario or topology file, or a folder written by `run --out`
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) of: Option<PathBuf>,
    /// Write the TACACS+ and RADIUS secrets of the scenario too, so that Wireshark decodes payloads;
    /// only the user may read these files
    #[arg(long, requires = "of")]
    pub(crate) with_secrets: bool,
    /// Set Wireshark's `Deinterlacing conversations key` to interfaces and MAC addresses; a Wireshark
    /// that lacks it, such as 4.0, ignores it with a warning
    #[arg(long)]
    pub(crate) deinterlace: bool,
    /// Replace files of an earlier profile
    #[arg(long)]
    pub(crate) force: bool,
}

/// `labsim init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// The folder, which is created if it does not exist; existing files are not overwritten
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// `labsim completions`
#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `labsim man`, `labsim manual`
#[derive(Debug, Args)]
pub(crate) struct OutputFolder {
    /// The folder, which is created if it does not exist; files of the same names are replaced
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
}

/// `labsim compare`
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// A folder written by `run --out`, or a scenario's own folder in one
    #[arg(value_name = "DIR")]
    pub(crate) first: PathBuf,
    /// Another folder, of the same scenarios, or another scenario's own folder
    #[arg(value_name = "DIR")]
    pub(crate) second: PathBuf,
    /// Write the comparison to this file as an HTML page without scripts, both runs side by side
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

/// `labsim report`
#[derive(Debug, Args)]
pub(crate) struct Report {
    /// A folder written by `run --out` or `merge --out`
    #[arg(value_name = "DIR")]
    pub(crate) dir: PathBuf,
    /// Write the page to this file, in place of an earlier one
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) html: PathBuf,
}

/// `labsim merge`
#[derive(Debug, Args)]
pub(crate) struct Merge {
    /// The folders that `run --partition ... --out DIR` wrote, one of each partition
    #[arg(required = true, value_name = "DIR")]
    pub(crate) dirs: Vec<PathBuf>,
    /// Exit with 0 even if scenarios are FLAKY
    #[arg(long)]
    pub(crate) flaky_ok: bool,
    /// Write the results of all partitions into one folder
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) documents: DocumentArgs,
}

/// `labsim validate`
#[derive(Debug, Args)]
pub(crate) struct Validate {
    /// Scenario or topology files, or folders of them
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
}

/// `labsim doctor`
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// Scenario files, or folders of them, to check against this machine
    #[arg(value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
}

/// `labsim server`
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: PathBuf,
    /// The node whose servers run
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
}

/// `labsim schema`
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// File format
    #[arg(value_enum)]
    pub(crate) format: Format,
}

/// A file format of labsim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Nodes, links, segments
    Topology,
    /// Steps on a topology, and expectations
    Scenario,
    /// Configuration of `labsim forwarder`
    Forwarder,
    /// A line of events.jsonl
    Events,
    /// The file of `run --json`
    Results,
}

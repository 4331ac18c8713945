//! Commands, arguments and flags.

pub(crate) mod exercise;
mod live;
mod results;
mod run;
mod set;
mod steps;

pub(crate) use exercise::{Exercise, ExerciseCommand};
pub(crate) use live::{Capture, Down, Exec, LabName, Logs, Reset, Restart, Save, Shell, Since, Up};
pub(crate) use results::{DocumentArgs, ResultsArgs};
pub(crate) use run::{Diagnose, LabArgs, ListFormat, Run};
pub(crate) use set::Set;
pub(crate) use steps::{Check, StepArgs};

use clap::builder::UnknownArgumentValueParser;
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::net::SocketAddr;
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

/// `labsim explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Captures of the same time at different places, any number in a file: pcap or pcapng, also
    /// compressed by gzip, zstd or lz4, or what tcpdump printed, as a page with text around it; `-` is
    /// standard input. NAME names the place; `client`, `load-balancer`, `server` and `router` say what it
    /// is
    #[arg(required = true, value_name = "[NAME=]FILE")]
    pub(crate) files: Vec<OsString>,
    /// An address that clients ask, of a virtual server; may be given several times. What it tells is taken
    /// where packets do not show who asks
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) vip: Vec<labsim_explain::Vip>,
    /// What the place NAME is: client, load-balancer, server or router; may be given several times. NAME is a
    /// place as it is printed, or what stands before the colon in several. A notice names what packets
    /// contradict
    #[arg(long, value_name = "NAME=ROLE", value_parser = role)]
    pub(crate) role: Vec<(String, labsim_explain::Role)>,
    /// The configuration of an F5, as `labsim import f5` reads it; may be given several times, for several
    /// files of one device. Where it and the captures differ is printed with file and line
    #[arg(long, value_name = "FILE")]
    pub(crate) f5: Vec<PathBuf>,
    /// The same of an A10
    #[arg(long, value_name = "FILE")]
    pub(crate) a10: Vec<PathBuf>,
    /// The same of IPVS, as `ipvsadm-save -n` prints it
    #[arg(long, value_name = "FILE")]
    pub(crate) ipvs: Vec<PathBuf>,
    /// The state of the server NODE, as `labsim import linux` reads it: a file, or a folder of files; may be
    /// given several times. It is joined with the captures by the server's addresses, else by NODE. Files of
    /// the folder with `before` and `after` in their names are read as --counters
    #[arg(long, value_name = "NODE=DIR|FILE", value_parser = node)]
    pub(crate) linux: Vec<(String, PathBuf)>,
    /// The counters of the server NODE before and after what was captured, as `nstat -az` prints them, or
    /// /proc/net/snmp and netstat have them
    #[arg(long, value_name = "NODE=BEFORE,AFTER", value_parser = counters)]
    pub(crate) counters: Vec<(String, [PathBuf; 2])>,
    /// Print pseudonyms in place of addresses and of the names of files, hosts and virtual servers: the same
    /// for the same input. Ports stay
    #[arg(long)]
    pub(crate) redact: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Print a short text to be pasted into a ticket, at most 80 wide: of each connection that is not
    /// healthy what, where, the evidence, and what to send next
    #[arg(long, conflicts_with = "json")]
    pub(crate) ticket: bool,
}

fn node(text: &str) -> Result<(String, PathBuf), String> {
    match text.split_once('=') {
        Some((name, path)) if !name.is_empty() && !path.is_empty() => {
            Ok((name.to_owned(), path.into()))
        }
        _ => Err("write NODE=FILE, or NODE=FOLDER".to_owned()),
    }
}

fn counters(text: &str) -> Result<(String, [PathBuf; 2]), String> {
    let files = text.split_once('=').and_then(|(name, files)| Some((name, files.split_once(',')?)));
    match files {
        Some((name, (before, after))) if ![name, before, after].contains(&"") => {
            Ok((name.to_owned(), [before.into(), after.into()]))
        }
        _ => Err("write NODE=BEFORE,AFTER: two files".to_owned()),
    }
}

fn role(text: &str) -> Result<(String, labsim_explain::Role), String> {
    let (name, role) = text.rsplit_once('=').unwrap_or_default();
    match labsim_explain::Role::of_name(role) {
        Some(role) if !name.is_empty() => Ok((name.to_owned(), role)),
        _ => Err("write NAME=ROLE, ROLE being client, load-balancer, server or router".to_owned()),
    }
}

/// `labsim merge-captures`
#[derive(Debug, Args)]
pub(crate) struct MergeCaptures {
    /// Captures of the same time at different places, of all forms that `labsim explain` reads; of texts
    /// the packets are taken whose bytes are shown. NAME names the place, and its interface in the output
    #[arg(required = true, value_name = "[NAME=]FILE")]
    pub(crate) files: Vec<OsString>,
    /// The file to be written: pcapng, one interface for each place, packets in the order of time. What
    /// was corrected is printed, and in the file's comments
    #[arg(short, long, value_name = "OUT.pcapng")]
    pub(crate) out: PathBuf,
    /// Replace the file if it exists
    #[arg(long)]
    pub(crate) force: bool,
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

/// `labsim import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// What the files are of
    #[arg(value_enum)]
    pub(crate) vendor: Vendor,
    /// All files of the configuration, `-` is standard input; of `linux` also folders, with all that is
    /// in them
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Of `linux`: the scenario to extend, and its real server that the host takes the place of; without
    /// it a lab is made around the host
    #[arg(long, num_args = 2, value_names = ["SCENARIO", "NODE"])]
    pub(crate) into: Option<Vec<String>>,
    /// Folder of the new files; existing files are not overwritten
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) out: PathBuf,
}

/// What is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vendor {
    /// F5 BIG-IP: tmsh text such as bigip.conf
    F5,
    /// A10 ACOS: output of `show running-config`
    A10,
    /// Linux Virtual Server: output of `ipvsadm-save -n`, or commands of ipvsadm
    Ipvs,
    /// Linux Virtual Server: keepalived.conf
    Keepalived,
    /// A real server's state: output of `ip addr`, `ip -d link`, `ip route`, `ip rule`, `sysctl -a`,
    /// `ss -ltnu`, `nft list ruleset`, `iptables-save`, as text or as `ip -j` prints it; files of
    /// sysctl.d, systemd-networkd, netplan, ifcfg and interfaces(5)
    Linux,
}

/// `labsim export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    pub(crate) target: ExportTarget,
}

/// The format of an export.
#[derive(Debug, Subcommand)]
pub(crate) enum ExportTarget {
    /// Commands that configure a Linux host as one of the real servers
    Linux {
        /// The scenario
        #[arg(value_name = "SCENARIO")]
        scenario: PathBuf,
        /// The real server
        #[arg(value_name = "NODE")]
        node: String,
        /// Write files that last instead: sysctl.d, modules-load.d and units of systemd-networkd, below
        /// this folder as below a host's root; existing files are not overwritten
        #[arg(long, value_name = "DIR")]
        persistent: Option<PathBuf>,
    },
    /// The load balancers as tmsh stanzas
    F5 {
        /// The scenario
        #[arg(value_name = "SCENARIO")]
        scenario: PathBuf,
    },
    /// A load balancer as ACOS configuration of A10; what it cannot say is listed in comments and on
    /// standard error
    A10(ExportBalancer),
    /// A load balancer as rules for `ipvsadm -R`, as `ipvsadm-save -n` prints them; what IPVS cannot say
    /// is listed on standard error
    Ipvs(ExportBalancer),
    /// A load balancer as the virtual servers of keepalived.conf; what it cannot say is listed in
    /// comments and on standard error
    Keepalived(ExportBalancer),
    /// A load balancer as the configuration of `labsim forwarder`, secrets of monitors included
    Forwarder {
        /// The scenario
        #[arg(value_name = "SCENARIO")]
        scenario: PathBuf,
        /// The load balancer
        #[arg(value_name = "NODE")]
        node: String,
    },
    /// The lab as a topology file of containerlab
    Containerlab {
        /// The scenario
        #[arg(value_name = "SCENARIO")]
        scenario: PathBuf,
        /// Image of the containers, with labsim, sh, iproute2 and ethtool
        #[arg(long, value_name = "NAME", default_value = "labsim-shell")]
        image: String,
        /// The scenario's path in the image, if it is not the path named above below /
        #[arg(long, value_name = "PATH")]
        scenario_path: Option<String>,
    },
}

/// A load balancer of a scenario.
#[derive(Debug, Args)]
pub(crate) struct ExportBalancer {
    /// The scenario
    #[arg(value_name = "SCENARIO")]
    pub(crate) scenario: PathBuf,
    /// The load balancer, where the scenario has several
    #[arg(value_name = "NODE")]
    pub(crate) node: Option<String>,
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

/// `labsim forwarder`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Forwarder {
    #[command(subcommand)]
    pub(crate) command: Option<ForwarderCommand>,
    /// Configuration: virtual servers and pools; reloaded on SIGHUP
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) config: Option<PathBuf>,
    /// Report all errors of the configuration and exit, without running
    #[arg(long)]
    pub(crate) check: bool,
    /// Take commands from standard input, one JSON object per line, and stop when it ends
    #[arg(long)]
    pub(crate) stdio: bool,
    /// Control socket: an abstract name in the network namespace, or a path
    #[arg(long, value_name = "@NAME|PATH", default_value = "@labsim-forwarder")]
    pub(crate) control: OsString,
    /// Serve OpenMetrics over HTTP at this address of the network namespace, path /metrics. The
    /// endpoint is unauthenticated: bind it to a loopback or management address
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ForwarderCommand {
    /// Control the forwarder that runs in the current network namespace
    Ctl(Ctl),
}

/// `labsim forwarder ctl`
#[derive(Debug, Args)]
pub(crate) struct Ctl {
    /// Control socket of the forwarder, as given to its own `--control`
    #[arg(long, value_name = "@NAME|PATH", default_value = "@labsim-forwarder")]
    pub(crate) control: OsString,
    /// The former name of `--control`: an unknown argument whose error names the new one.
    #[arg(long, hide = true, value_parser = UnknownArgumentValueParser::suggest_arg("--control"))]
    socket: Option<()>,
    #[command(subcommand)]
    pub(crate) command: CtlCommand,
}

/// A command to a forwarder.
#[derive(Debug, Subcommand)]
pub(crate) enum CtlCommand {
    /// Show virtual servers and members with their state and traffic
    Status {
        /// Print one line of JSON with all counters
        #[arg(long)]
        json: bool,
    },
    /// Print the metrics as OpenMetrics text
    Metrics,
    /// Reload the configuration file, or load another one
    Reload {
        /// Another configuration file
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Add a member to a pool
    Add {
        #[command(flatten)]
        member: PoolMember,
        /// Share of new flows relative to the other members
        #[arg(long, value_name = "N", default_value_t = 1)]
        ratio: u16,
        /// Which new flows it takes: all by default
        #[arg(long)]
        state: Option<AdminState>,
    },
    /// Change a member's ratio, its state, or both
    #[command(group = clap::ArgGroup::new("settings").required(true).multiple(true))]
    Set {
        #[command(flatten)]
        member: PoolMember,
        /// Share of new flows relative to the other members; 0 drains the member
        #[arg(long, value_name = "N", group = "settings")]
        ratio: Option<u16>,
        /// Which new flows it takes
        #[arg(long, group = "settings")]
        state: Option<AdminState>,
    },
    /// Drain a member (ratio 0): existing flows continue, new flows go to other members
    Drain(PoolMember),
    /// Remove a member; its existing flows continue until they end
    Remove(PoolMember),
}

/// What an operator sets a member to.
#[derive(Debug, Clone, Copy, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum AdminState {
    /// All new flows
    Enabled,
    /// Those of clients that have a persistence record for it
    Disabled,
    /// None
    ForcedOffline,
}

impl From<AdminState> for labsim_forwarder::AdminState {
    fn from(state: AdminState) -> Self {
        match state {
            AdminState::Enabled => Self::Enabled,
            AdminState::Disabled => Self::Disabled,
            AdminState::ForcedOffline => Self::ForcedOffline,
        }
    }
}

/// A member of a pool.
#[derive(Debug, Args)]
pub(crate) struct PoolMember {
    /// Name of the pool
    #[arg(value_name = "POOL")]
    pub(crate) pool: String,
    /// Address and port of the member
    #[arg(value_name = "ADDRESS:PORT")]
    pub(crate) member: SocketAddr,
}

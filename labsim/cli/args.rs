//! What can be typed.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A network lab for Direct Server Return load balancing.
#[derive(Debug, Parser)]
#[command(name = "labsim", version, about, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build each scenario's lab, run its steps, and judge its expectations
    Run(Run),
    /// Compare two folders of results, scenario by scenario: verdicts, frames, kernel counters
    Compare(Compare),
    /// Read scenario or topology files and report every mistake; needs no rights
    Validate(Validate),
    /// Try what this machine can do, and whether the named files can run here
    Doctor(Doctor),
    /// Turn a load balancer's configuration into a topology and a scenario that run
    Import(Import),
    /// Print what makes real devices like those of a scenario
    Export(Export),
    /// Print the JSON Schema of a file format
    Schema(Schema),
    /// Run the load balancer in the present network namespace, or operate the one that runs there
    Forwarder(Forwarder),
}

/// `labsim run`
#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Scenario files, or folders of them
    #[arg(required = true, value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
    /// Keep DIR/SCENARIO/capture.pcapng and DIR/SCENARIO/events.jsonl
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Keep the results as JUnit XML, a test case for each scenario
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// How many scenarios run side by side
    #[arg(long, value_name = "N", default_value = "1")]
    pub(crate) jobs: NonZeroUsize,
    /// Who takes packets out of the tunnel on the real servers
    #[arg(long, value_enum, default_value_t = Tunnel::Auto)]
    pub(crate) tunnel: Tunnel,
    /// Who delays, loses and reorders frames on impaired links
    #[arg(long, value_enum, default_value_t = Impairments::Auto)]
    pub(crate) impairments: Impairments,
}

/// Who impairs links.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Impairments {
    /// The kernel's netem if it has it, otherwise labsim's relay
    Auto,
    /// The kernel's netem; a scenario with impaired links is skipped where the kernel has none
    Kernel,
    /// labsim's relay, which loses the same frames in every run
    Relay,
}

/// Where a tunnel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Tunnel {
    /// The kernel's if it has one, otherwise labsim's own
    Auto,
    /// The kernel's; a scenario that needs a tunnel is skipped where the kernel has none
    Kernel,
    /// labsim's own, behind a TUN device of the same name
    Userspace,
}

/// `labsim compare`
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// A folder that `run --out` made
    #[arg(value_name = "DIR")]
    pub(crate) first: PathBuf,
    /// Another one of the same scenarios
    #[arg(value_name = "DIR")]
    pub(crate) second: PathBuf,
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
    /// Scenario files, or folders of them, to be checked against this machine
    #[arg(value_name = "FILE|DIR")]
    pub(crate) paths: Vec<PathBuf>,
}

/// `labsim import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Whose configuration it is
    #[arg(value_enum)]
    pub(crate) vendor: Vendor,
    /// Its files, together
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Where the two files are written, which must not be there yet
    #[arg(long, value_name = "DIR", required = true)]
    pub(crate) out: PathBuf,
}

/// A load balancer's maker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Vendor {
    /// BIG-IP: tmsh's text, such as bigip.conf
    F5,
    /// ACOS: `show running-config`
    A10,
}

/// `labsim export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(subcommand)]
    pub(crate) what: Exported,
}

/// What is printed.
#[derive(Debug, Subcommand)]
pub(crate) enum Exported {
    /// The commands that make a Linux host one of the real servers
    Linux {
        /// The scenario
        #[arg(value_name = "SCENARIO")]
        scenario: PathBuf,
        /// The real server
        #[arg(value_name = "NODE")]
        node: String,
    },
    /// The load balancers as tmsh stanzas
    F5 {
        /// The scenario
        #[arg(value_name = "SCENARIO")]
        scenario: PathBuf,
    },
}

/// `labsim schema`
#[derive(Debug, Args)]
pub(crate) struct Schema {
    /// Which format
    #[arg(value_enum)]
    pub(crate) format: Format,
}

/// A file format of labsim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Nodes, links, segments
    Topology,
    /// What is run on a topology and expected of it
    Scenario,
}

/// `labsim forwarder`
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Forwarder {
    #[command(subcommand)]
    pub(crate) command: Option<ForwarderCommand>,
    /// Its virtual servers and pools; read again on SIGHUP
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) config: Option<PathBuf>,
    /// Where `labsim forwarder ctl` reaches it: a name of the network namespace, or a file
    #[arg(long, value_name = "@NAME|PATH", default_value = "@labsim-forwarder")]
    pub(crate) control: OsString,
    /// Answer `GET /metrics` over HTTP at this address of the network namespace
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ForwarderCommand {
    /// Operate the forwarder that runs in the present network namespace
    Ctl(Ctl),
}

/// `labsim forwarder ctl`
#[derive(Debug, Args)]
pub(crate) struct Ctl {
    /// Where the forwarder listens
    #[arg(long, value_name = "@NAME|PATH", default_value = "@labsim-forwarder")]
    pub(crate) socket: OsString,
    #[command(subcommand)]
    pub(crate) order: Order,
}

/// What a forwarder is asked for.
#[derive(Debug, Subcommand)]
pub(crate) enum Order {
    /// Show virtual servers and members, and what they carry
    Status {
        /// As one line of JSON, with every counter
        #[arg(long)]
        json: bool,
    },
    /// Print the metrics as OpenMetrics text
    Metrics,
    /// Read its configuration file again, or take this one over
    Reload {
        /// Another configuration file
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
    /// Add a member to a pool
    Add {
        #[command(flatten)]
        member: PoolMember,
        /// Its share of new flows
        #[arg(long, value_name = "N", default_value_t = 1)]
        ratio: u16,
    },
    /// Give a member another ratio
    Set {
        #[command(flatten)]
        member: PoolMember,
        /// Its share of new flows; 0 drains it
        #[arg(long, value_name = "N")]
        ratio: u16,
    },
    /// Drain a member: its flows stay, and new ones go elsewhere (ratio 0)
    Drain(PoolMember),
    /// Take a member out; flows that it still has stay with it until they end
    Remove(PoolMember),
}

/// A member of a pool.
#[derive(Debug, Args)]
pub(crate) struct PoolMember {
    /// The pool
    #[arg(value_name = "POOL")]
    pub(crate) pool: String,
    /// Address and port
    #[arg(value_name = "ADDRESS:PORT")]
    pub(crate) member: SocketAddr,
}

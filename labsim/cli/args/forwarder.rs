//! Arguments of `labsim forwarder`, and of what controls it.

use clap::builder::UnknownArgumentValueParser;
use clap::{Args, Subcommand, ValueEnum};
use labsim_dataplane::forwarder::DataPlaneChoice;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

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
    /// Touch nothing of the network before the first line of standard input
    #[arg(long, hide = true, requires = "stdio")]
    pub(crate) wait: bool,
    /// Control socket: an abstract name in the network namespace, or a path
    #[arg(long, value_name = "@NAME|PATH", default_value = "@labsim-forwarder")]
    pub(crate) control: OsString,
    /// Serve OpenMetrics over HTTP at this address of the network namespace, path /metrics. The
    /// endpoint is unauthenticated: bind it to a loopback or management address
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) metrics: Option<SocketAddr>,
    /// What forwards established flows of virtual servers with `pva_acceleration`
    #[arg(long, value_enum, default_value_t = DataPlane::Auto)]
    pub(crate) data_plane: DataPlane,
}

/// How frames are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataPlane {
    /// The kernel, by a BPF program, where it allows that, otherwise the packet ring, or in a lab a packet socket
    Auto,
    /// The packet ring, through which the forwarder gets every packet
    Ring,
    /// The kernel, or an error
    Kernel,
}

impl From<DataPlane> for DataPlaneChoice {
    fn from(plane: DataPlane) -> Self {
        match plane {
            DataPlane::Auto => Self::Auto,
            DataPlane::Ring => Self::Ring,
            DataPlane::Kernel => Self::Kernel,
        }
    }
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

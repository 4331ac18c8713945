//! Arguments of the commands for labs that stay up.

use super::run::ForwardingArgs;
use clap::Args;
use labsim_runner::{ImpairmentChoice, TunnelChoice};
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// `labsim up`
#[derive(Debug, Args)]
#[command(after_long_help = UP_NOTES)]
pub(crate) struct Up {
    /// The scenario
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// The lab's name; else that of the file, without its ending
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
    /// Run the steps before this one
    #[arg(long, value_name = "STEP")]
    pub(crate) at: Option<String>,
    /// Tunnel decapsulator on the real servers
    #[arg(long, value_enum, default_value_t = TunnelChoice::Auto)]
    pub(crate) tunnel: TunnelChoice,
    /// Link impairment engine: what delays, drops and reorders frames
    #[arg(long, value_enum, default_value_t = ImpairmentChoice::Auto)]
    pub(crate) impairments: ImpairmentChoice,
    #[command(flatten)]
    pub(crate) forwarding: ForwardingArgs,
    /// MiB of the lab's last packets that are kept for `labsim capture --since`; 0 for none
    #[arg(long, value_name = "MIB", default_value_t = labsim_live::KEEP_MIB,
        value_parser = clap::value_parser!(u32).range(0..=16_384))]
    pub(crate) keep: u32,
}

/// What `labsim help up` says below the options.
const UP_NOTES: &str = "\
The command returns when all of the lab runs. A process of its own holds the lab; there is no daemon. Its \
end, also by `kill -9`, ends every process in the lab, and nothing stays but a folder that the next \
command removes. The scenario's steps are not run, or only those before the one that `--at` \
names, and its file is not read again: `labsim restart` builds the lab again from what was read.

The last packets of all interfaces are kept in the holder's memory, which grows as packets come, up to \
`--keep` MiB; then the oldest ones make room. `labsim capture --since 5m` shows them.

    labsim up scenarios/tacacs-ipip.yaml
    labsim exec client -- ping -c 1 10.1.1.51
    labsim down";

/// `labsim status`, `labsim tmux`, `labsim watch`
#[derive(Debug, Args)]
pub(crate) struct LabName {
    /// The lab; not needed if one alone is up
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// `labsim capture`
#[derive(Debug, Args)]
#[command(after_long_help = CAPTURE_NOTES)]
pub(crate) struct Capture {
    /// Nodes or interfaces, such as rs1 or lb:eth0; all of the lab if none is named
    #[arg(value_name = "NODE[:IF]")]
    pub(crate) points: Vec<String>,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
    /// Not the packets that come, but those that the lab has kept, from so long ago on: such as 5m, in s, m or
    /// h; or all
    #[arg(long, value_name = "TIME|all", value_parser = since)]
    pub(crate) since: Option<Since>,
    /// Write packets as pcapng to a file, or to the standard output (-), in place of a line each
    #[arg(short = 'w', long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(long, requires = "write")]
    pub(crate) force: bool,
    /// Only packets with these header fields, such as 'protocol: tcp, destination_port: 49'
    #[arg(long, value_name = "FIELDS", allow_hyphen_values = true)]
    pub(crate) filter: Option<String>,
}

/// From when on packets that were kept are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// Whatever there is.
    All,
    /// So long ago.
    Last(Duration),
}

fn since(text: &str) -> Result<Since, String> {
    match text {
        "all" => Ok(Since::All),
        _ => labsim_model::parse_age(text)
            .map(Since::Last)
            .map_err(|error| format!("{error}; or `all`")),
    }
}

/// What `labsim help capture` says below the options.
const CAPTURE_NOTES: &str = "\
Every packet is there at each interface that it passes, in one stream: `node:interface` is the name of its \
interface, as in the captures of `labsim run`. Packets are written as they come. Ctrl-C ends the capture, \
and so does the lab's end, or that of the program that reads; the file is complete then. What came faster \
than it could be written is dropped, and how much that was is said at the end and in the file. labsim's own \
marker frames are left out.

With `--since` the packets are those that the lab has kept, as `labsim up --keep` says, and the capture ends \
with the last one that came before it was started: nothing is followed. If the lab does not keep all packets \
of that time any more, it prints how far they reach back.

FIELDS are those of an expectation's `match`: direction, source, destination, protocol, source_port, \
destination_port, ttl, length, tos, dont_fragment, flags, payload, icmp and outer, with the values that \
scenarios have; they are of the innermost packet. All of them have to hold.

    labsim capture
    labsim capture rs1 lb:eth0 --filter 'destination_port: 49, flags: S'
    labsim capture --since 5m -w x.pcapng
    labsim capture -w - | wireshark -k -i -
    ssh HOST labsim capture -w - | wireshark -k -i -";

/// What `labsim help watch` says below the options.
pub(super) const WATCH_NOTES: &str = "\
A line for each event, with the seconds since the lab is up and the node: steps and checks of every user of \
the lab, with each request as the server saw it; members that monitors find up or down; packets that the \
forwarder, the kernel of another node or a filter of the scenario dropped, with the counter that says why; \
processes of the lab that ended; what `labsim status` lists as changed. Steps are printed at once. Everything \
else is read once a second while at least one `labsim watch` runs. Ctrl-C ends it, and so does the lab's end.

Several can run at the same time. One whose output is not read does not delay the others: it loses lines, and \
prints how many.

    labsim watch";

/// `labsim reset`
#[derive(Debug, Args)]
#[command(after_long_help = RESET_NOTES)]
pub(crate) struct Reset {
    /// The node; without one, all nodes of the lab
    #[arg(value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help reset` says below the options.
const RESET_NOTES: &str = "\
Undoes what `labsim status` lists as changed: devices, addresses, routes, rules, neighbours that were set by \
hand, sysctls and packet filters, members of pools, and the configuration of load balancers and built-in servers, \
whatever has changed them. A configuration that several nodes share is undone in all of them. Then the forwarder is started \
anew, with its members as in the file and without flows, and whatever else labsim started and that has \
ended. Shells stay open, and programs that were started in them go on. Without a node the next step is the \
first one again.

What cannot be undone, such as a veth device that was deleted, is listed, and the exit code is 1; `labsim \
restart` builds the whole lab again.

    labsim reset rs1
    labsim reset";

/// `labsim save`
#[derive(Debug, Args)]
#[command(after_long_help = SAVE_NOTES)]
pub(crate) struct Save {
    /// The scenario to write (- for standard output); else the lab's name with -saved.yaml
    #[arg(short, long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help save` says below the options.
const SAVE_NOTES: &str = "\
The scenario extends the file that the lab was made of. Its lab is built as this one is now: sysctls, \
addresses, routes, MTUs, VIPs and tunnels of real servers, filters of the scenario. Changes of addresses \
and routes of nodes are those of their topology, and are in a second file beside it, FILE-topology.yaml. If \
the lab's own files are gone or were changed, what they were is written there too, merged: \
FILE-base.yaml, FILE-base-topology.yaml.

What a scenario cannot begin with, such as rules of nftables that were typed in, or what its own steps would \
do again, is listed on standard error and in the file's first lines. So are members of pools, and the \
configuration of load balancers and built-in servers, which are not saved. No file is ever replaced.

    labsim save -o broken.yaml
    labsim run broken.yaml";

/// `labsim restart`
#[derive(Debug, Args)]
#[command(after_long_help = RESTART_NOTES)]
pub(crate) struct Restart {
    /// The lab; not needed if one alone is up
    #[arg(value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help restart` says below the options.
const RESTART_NOTES: &str = "\
The lab remembers the texts of its files and the options of `labsim up`: the files may be gone, or changed, \
which `labsim down` and `labsim up` take up. The new lab is built first, beside the one that is up. Once all \
of it runs, the earlier one ends, with every shell and command in it, and the new one has its name; no step \
was run in it. If it cannot be built, the earlier one stays up as it was. Meanwhile both take memory.

    labsim restart";

/// `labsim down`
#[derive(Debug, Args)]
#[command(after_long_help = DOWN_NOTES)]
pub(crate) struct Down {
    /// The lab; not needed if one alone is up
    #[arg(value_name = "NAME", conflicts_with = "all")]
    pub(crate) name: Option<labsim_live::LabName>,
    /// End all labs of this user
    #[arg(long)]
    pub(crate) all: bool,
    /// First write what there is of the lab into this folder, which may not exist yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// What `labsim help down` says below the options.
const DOWN_NOTES: &str = "\
Every shell and command in the lab ends with it. What `--out DIR` writes before that:

    capture.pcapng   the packets that the lab has kept, of all interfaces
    logs/NODE.log    what `labsim logs NODE` prints
    status.txt       what `labsim status` prints, with all changes
    files/           the scenario that the lab was made of, and the files that it uses

DIR is made, and may not exist; with `--all` each lab has a folder of its name in it. If something cannot be \
written, the lab stays up, and nothing is left of its folder.

    labsim down --out friday";

/// `labsim logs`
#[derive(Debug, Args)]
#[command(after_long_help = LOGS_NOTES)]
pub(crate) struct Logs {
    /// The node
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help logs` says below the options.
const LOGS_NOTES: &str = "\
Prints a line for each line of the node's processes, of programs that steps ran, of built-in servers (every \
request, with the client's address as the server saw it) and of the forwarder, in the order in which they \
came, with what each is from. A forwarder logs warnings; after `labsim up -v` also what its monitors find. \
The last 256 KiB of each node are kept, and how many lines came before is said on standard error. Control \
characters are printed as `\\u{1b}`.

    labsim logs rs1";

/// `labsim exec`
#[derive(Debug, Args)]
#[command(after_long_help = EXEC_NOTES)]
pub(crate) struct Exec {
    /// The node
    #[arg(value_name = "NODE")]
    pub(crate) node: String,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
    /// The program and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// What `labsim help exec` says below the options.
const EXEC_NOTES: &str = "\
The command has labsim's standard streams and terminal, and gets the signals that labsim gets. The exit code \
is the command's, 128 and the signal's number if a signal ended it, 127 if it is not found, and 126 if \
it cannot be started. It ends with labsim and with the lab; LABSIM_NODE and LABSIM_LAB are in its \
environment. Its host name is the node's, and /etc/hosts has the addresses of all nodes, where the \
kernel allows it; files are the host's.";

/// `labsim shell`
#[derive(Debug, Args)]
#[command(after_long_help = SHELL_NOTES)]
pub(crate) struct Shell {
    /// The node; without one, `ip netns exec NODE CMD` works in the shell
    #[arg(value_name = "NODE")]
    pub(crate) node: Option<String>,
    /// The lab; not needed if one alone is up
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<labsim_live::LabName>,
}

/// What `labsim help shell` says below the options.
const SHELL_NOTES: &str = "\
The shell is that of the environment variable SHELL. bash, zsh and fish read the user's own settings; then \
their prompt is the node's, and their history is the node's alone and ends with the lab. Standard input has \
to be a terminal; `labsim exec NODE -- sh` runs commands from other inputs.

Without a node the shell is in the network of its caller, and `ip netns list` has the nodes of the lab, \
and these only: in mounts of the shell's own, so that nothing is on the host. `ip netns exec` mounts /sys; \
where a container forbids that, `labsim exec` works still.

    labsim shell rs1
    labsim shell
    ip netns exec rs1 ip addr";

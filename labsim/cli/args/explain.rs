//! Arguments of the commands that read captures of other networks.

use clap::Args;
use std::ffi::OsString;
use std::path::PathBuf;

/// `labsim explain`
#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// Captures of the same time at different places, any number in a file: pcap or pcapng, also
    /// compressed by gzip, zstd or lz4, or what tcpdump printed, as a page with text around it; `-` is
    /// standard input. NAME names the place; `client`, `load-balancer`, `server` and `router` say what it
    /// is
    #[arg(required = true, value_name = "[NAME=]FILE")]
    pub(crate) files: Vec<OsString>,
    /// An address that clients ask, of a virtual server; may be given several times. What it says is taken
    /// where packets do not show who asks
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) vip: Vec<labsim_explain::Vip>,
    /// What the place NAME is: client, load-balancer, server or router; may be given several times. NAME is a
    /// place as it is printed, or what stands before the colon in several. A notice names what packets
    /// contradict
    #[arg(long, value_name = "NAME=ROLE", value_parser = role)]
    pub(crate) role: Vec<(String, labsim_explain::Role)>,
    /// Explain only connections of which this is an end; may be given several times. Of very many connections
    /// some of each kind are explained: this asks for others
    #[arg(long, value_name = "ADDRESS[:PORT]")]
    pub(crate) flow: Vec<labsim_explain::Vip>,
    /// The configuration of an F5, as `labsim import f5` reads it; may be given several times, for several
    /// files of one device. Where it and the captures differ is printed with file and line; which places are the
    /// load balancer's and its members' is taken from it where packets do not show it, and --reproduce builds its
    /// labs with it
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
    /// Write a topology and scenarios into DIR, a new or empty folder, for each connection that differs from
    /// the others: a lab without a fault, and one for each cause that is shown or possible. Run them, and
    /// compare their captures with those that are explained
    #[arg(long, value_name = "DIR", conflicts_with_all = ["redact", "ticket"])]
    pub(crate) reproduce: Option<PathBuf>,
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
    /// Write a page with all of it, too, which opens in a browser by double click; a file of this name is replaced
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
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

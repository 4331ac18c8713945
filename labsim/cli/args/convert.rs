//! Arguments of `labsim import` and `labsim export`.

use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

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

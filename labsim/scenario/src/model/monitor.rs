//! How a pool's members are watched.

use super::Secret;
use std::time::Duration;

/// A pool's monitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Monitor {
    /// What a probe asks.
    pub kind: MonitorKind,
    /// From the beginning of one probe to that of the next; 5 s by default.
    pub interval: Duration,
    /// How long a probe may take; no longer than the interval.
    pub timeout: Duration,
    /// Successes in a row that bring a member back.
    pub rise: u16,
    /// Failures in a row that take a member out.
    pub fall: u16,
    /// Probes go through the tunnel to the VIP and port of each virtual server that uses the pool.
    pub transparent: bool,
    /// The port that is probed instead.
    pub port: Option<u16>,
    /// What the servers share with their clients; TACACS+'s and RADIUS's monitors have one.
    pub secret: Option<Secret>,
}

/// What a monitor's probe asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MonitorKind {
    /// A TCP connection.
    Tcp,
    /// The beginning of a TACACS+ login.
    Tacacs,
    /// RADIUS's Status-Server.
    Radius,
    /// An ICMP echo request.
    Icmp,
}

impl MonitorKind {
    /// The word of a scenario file.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tacacs => "tacacs",
            Self::Radius => "radius",
            Self::Icmp => "icmp",
        }
    }
}

/// What becomes of the flows of a member that is down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ActionOnDown {
    /// They stay with it until they end. F5's default.
    #[default]
    None,
    /// They end at once, and both ends of TCP's are reset.
    Reset,
    /// The next packet of each goes to another member.
    Reselect,
}

//! What a forwarder reports: that it is ready, and its counters.

use labsim_forwarder::Counters;
use serde::{Deserialize, Serialize};
use std::fmt::{self, Display, Formatter};

/// Frames can flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The interface, such as `eth0`.
    pub interface: String,
    /// How frames are moved.
    #[serde(flatten)]
    pub data_plane: DataPlane,
}

/// How frames are moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataPlane {
    /// `packet-ring`; `packet-socket`, where the socket has no ring; or `fast-path`, where the kernel
    /// forwards established flows, and the ring gets the rest.
    #[serde(rename = "data_plane")]
    pub name: String,
    /// Why it is not the fast path, where a virtual server has `pva_acceleration`.
    #[serde(rename = "data_plane_reason", default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Default for DataPlane {
    fn default() -> Self {
        Self { name: Self::PACKET_RING.to_owned(), reason: None }
    }
}

impl DataPlane {
    pub(super) const FAST_PATH: &str = "fast-path";
    pub(super) const PACKET_RING: &str = "packet-ring";
    pub(super) const PACKET_SOCKET: &str = "packet-socket";

    /// Whether it is the fast path, or stands in for it.
    #[must_use]
    pub fn is_about_acceleration(&self) -> bool {
        self.name == Self::FAST_PATH || self.reason.is_some()
    }
}

impl Display for DataPlane {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Some(reason) => write!(out, "{} ({reason})", self.name),
            None => out.write_str(&self.name),
        }
    }
}

/// How long a forwarder is meant to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// As a service: it takes the kernel 8 ms to make a packet ring and 16 to close it, which then matters little.
    Long,
    /// As long as a scenario, of which that is a third: frames wait in the socket's queue.
    Short,
}

/// Which data plane is to run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum DataPlaneChoice {
    /// The fast path where a virtual server has `pva_acceleration` and the kernel allows it, and else the
    /// packet ring.
    #[default]
    Auto,
    /// The packet ring.
    Ring,
    /// The fast path, or an error.
    Kernel,
}

impl DataPlaneChoice {
    /// The word of `labsim forwarder --data-plane`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ring => "ring",
            Self::Kernel => "kernel",
        }
    }
}

/// All counters at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The engine's.
    pub engine: Box<Counters>,
    /// The sockets'.
    pub socket: SocketCounters,
    /// Whether the kernel drops its own copies of packets to VIPs.
    #[serde(default)]
    pub ingress_drop: IngressDrop,
    /// How frames are moved.
    #[serde(flatten)]
    pub data_plane: DataPlane,
}

/// The rule at the interface's ingress that drops the kernel's own copies of packets to VIPs: once
/// they come in a stream, where nothing but speed is lost without it, and from the start, where the
/// kernel would answer or forward them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum IngressDrop {
    /// No VIP needs it, or there are more than are worth comparing.
    #[default]
    NotNeeded,
    /// No stream has come yet.
    Waiting,
    /// In force.
    Active,
    /// The kernel refuses it.
    Refused {
        /// The kernel's error.
        error: String,
    },
}

/// What the kernel's side of the data plane counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SocketCounters {
    /// Frames that the kernel handed over.
    pub received: u64,
    /// Frames that the kernel dropped because the ring was full.
    pub dropped: u64,
    /// Frames of several segments that could not be cut here, and frames longer than a slot that
    /// the kernel had no room to keep: not handed to the engine.
    pub oversized: u64,
    /// Frames whose transport checksum was left to hardware and was completed here.
    pub checksums_completed: u64,
    /// Frames of several segments (GSO), cut into segments here.
    pub segmented: u64,
    /// Frames that the kernel took.
    pub sent: u64,
    /// Packets that were given to the host's own kernel.
    #[serde(default)]
    pub to_host: u64,
    /// Frames and packets that the kernel refused to take.
    pub send_errors: u64,
}

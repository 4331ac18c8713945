//! What a forwarder reports: that it is ready, and its counters.

use labsim_forwarder::Counters;
use serde::{Deserialize, Serialize};

/// Frames can flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The interface, such as `eth0`.
    pub interface: String,
    /// How frames are moved: `packet-ring`.
    pub data_plane: String,
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

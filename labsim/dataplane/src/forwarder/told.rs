//! What a forwarder tells.

use labsim_forwarder::Counters;
use serde::{Deserialize, Serialize};

/// Frames can flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The arm, such as `eth0`.
    pub interface: String,
    /// How frames are moved: `packet-ring`.
    pub data_plane: String,
}

/// Everything that was counted up to a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The engine's.
    pub engine: Box<Counters>,
    /// The sockets'.
    pub socket: SocketCounters,
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
    /// Frames that the kernel refused to take.
    pub send_errors: u64,
}

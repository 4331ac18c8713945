//! What the forwarder process says on its standard output: one JSON object a line.

use labsim_forwarder::Counters;
use serde::{Deserialize, Serialize};

/// One line of the forwarder's standard output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// Frames can flow.
    Ready {
        /// The arm, such as `eth0`.
        interface: String,
        /// How frames are moved: `packet-ring`.
        data_plane: String,
    },
    /// Asked for by the line `counters` on standard input, and said once more at the end.
    Counters {
        /// The engine's.
        engine: Box<Counters>,
        /// The sockets'.
        socket: SocketCounters,
    },
    /// A line on standard input that is no command.
    UnknownCommand {
        /// The line, cut if it was long.
        line: String,
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
    /// Frames that the kernel refused to take.
    pub send_errors: u64,
}

//! Link-layer addresses that a node knows.

use super::NodeState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;

/// An entry of the neighbour cache (ip-neighbour(8)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Neighbour {
    /// Its address.
    pub address: IpAddr,
    /// The device that it is behind.
    pub device: String,
    /// Its link-layer address; absent if it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// What the kernel thinks of it.
    pub state: NeighbourState,
}

/// The state of an entry (`ndm_state`, rtnetlink(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourState {
    /// Its address is being asked for, and no answer came yet.
    Incomplete,
    /// It was confirmed reachable lately.
    Reachable,
    /// It is used, and asked again when it is needed.
    Stale,
    /// It is used, and soon asked again.
    Delay,
    /// It is being asked again.
    Probe,
    /// It did not answer.
    Failed,
    /// The device resolves no neighbours.
    Noarp,
    /// It was set by hand.
    Permanent,
    /// No state, or one of another number.
    Other,
}

impl NeighbourState {
    /// The word that `ip neighbour` has for it, in lower case.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Reachable => "reachable",
            Self::Stale => "stale",
            Self::Delay => "delay",
            Self::Probe => "probe",
            Self::Failed => "failed",
            Self::Noarp => "noarp",
            Self::Permanent => "permanent",
            Self::Other => "none",
        }
    }
}

impl fmt::Display for NeighbourState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl NodeState {
    /// What the node knows of a neighbour, on each device.
    pub fn neighbours_at(&self, address: IpAddr) -> impl Iterator<Item = &Neighbour> {
        self.neighbours.iter().filter(move |one| one.address == address)
    }
}

//! What can be asked of a running forwarder, and what it answers: JSON, a line each.

use labsim_dataplane::forwarder::{Ready, Snapshot};
use labsim_forwarder::{Changes, Config};
use labsim_monitor::{HealthByPool, Origins};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The longest line that is read, in bytes: a configuration with as many members as there can be.
pub const LONGEST_LINE: u64 = 8 << 20;

/// A request: `"status"`, `{"set_member": {"pool": "p", "member": "10.1.1.51:49", "ratio": 0}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Tell what was counted. The answer comes after everything that reached the forwarder before
    /// the question has been dealt with.
    Counters,
    /// Tell the configuration that is in force, and what was counted.
    Status,
    /// Tell the metrics as OpenMetrics text.
    Metrics,
    /// Tell how each watched member fares.
    Health,
    /// End all probes for good, and tell where they came from. Members stay as they were found.
    StopMonitors,
    /// Read the configuration file again and take it over.
    Reload,
    /// Take this configuration over.
    Configure(Box<Config>),
    /// Add a member to a pool.
    AddMember(MemberRatio),
    /// Give a member another ratio; 0 drains it.
    SetMember(MemberRatio),
    /// Take a member out of a pool. Its flows stay with it until they end.
    RemoveMember(MemberName),
}

/// A member of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberName {
    /// The pool.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
}

/// A member of a pool with its ratio.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberRatio {
    /// The pool.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
    /// Its share of new flows.
    pub ratio: u16,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Frames can flow: the first line on the standard output, without being asked for.
    Ready(Ready),
    /// What was counted; without being asked for at the end.
    Counters(Snapshot),
    /// What is in force.
    Status(Box<Status>),
    /// The metrics.
    Metrics(String),
    /// How each watched member fares.
    Health(HealthByPool),
    /// Nothing is probed any more: where probes came from.
    MonitorsStopped(Origins),
    /// It was done: what has changed.
    Changed(Changes),
    /// It was not done, and nothing has changed: every reason, in sentences.
    Refused(Vec<String>),
}

/// What is in force, and what was counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The configuration, without its secrets.
    pub config: Config,
    /// How each watched member fares.
    #[serde(default)]
    pub health: HealthByPool,
    /// The counters.
    pub counted: Snapshot,
}

impl Answer {
    /// One reason.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(vec![reason.into()])
    }
}

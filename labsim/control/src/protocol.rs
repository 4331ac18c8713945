//! Requests to a running forwarder and its answers: one line of JSON each.

use labsim_dataplane::forwarder::{Ready, Snapshot};
use labsim_forwarder::{Changes, Config, MirroredFlow, MirroredFlows};
use labsim_model::{AdminState, FailoverState, ProbeSources, Profile};
use labsim_monitor::HealthByPool;
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// The longest line that is read, in bytes: a configuration with as many members as there can be.
pub const LONGEST_LINE: u64 = 8 << 20;

/// A request: `"status"`, `{"set_member": {"pool": "p", "member": "10.1.1.51:49", "state": "disabled"}}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The counters. The answer comes after everything that reached the forwarder before the
    /// request has been processed.
    Counters,
    /// The current configuration, the health of monitored members, and the counters.
    Status,
    /// The metrics as OpenMetrics text.
    Metrics,
    /// The health of each monitored member.
    Health,
    /// End all probes for good, and return their sources. Members keep their state.
    StopMonitors,
    /// End all probes until [`Self::ResumeMonitors`], and return the sources of those since shortly
    /// before the last pause. Members keep their state.
    PauseMonitors,
    /// Probe again.
    ResumeMonitors,
    /// Forget flows, clients that persist, neighbours and counters. Members keep their state.
    BeginAnew,
    /// Read the configuration file again and apply it.
    Reload,
    /// Apply this configuration.
    Configure(Box<Config>),
    /// Add a member to a pool.
    AddMember(NewMember),
    /// Give a member another ratio, another state, or both.
    SetMember(MemberSettings),
    /// Remove a member from a pool. Its flows stay with it until they end.
    RemoveMember(MemberName),
    /// Become active, or go on standby. What was active forgets its flows.
    SetFailoverState(FailoverState),
    /// Copies of the flows of virtual servers with `mirror`, a page of them: from 0, then from the last
    /// page's `next`.
    MirroredFlows {
        /// Where the page begins.
        from: u32,
    },
    /// Take copies of another forwarder's flows over.
    AddMirroredFlows(Vec<MirroredFlow>),
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

/// A new member of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// The pool.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
    /// Its share of new flows.
    pub ratio: u16,
    /// How packets reach it, if not as the pool says.
    #[serde(default)]
    pub profile: Option<Profile>,
    /// Which new flows it takes.
    #[serde(default)]
    pub state: AdminState,
}

/// A member of a pool and what changes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MemberSettings {
    /// The pool.
    pub pool: String,
    /// Address and port.
    pub member: SocketAddr,
    /// Its share of new flows; 0 drains it.
    #[serde(default)]
    pub ratio: Option<u16>,
    /// Which new flows it takes.
    #[serde(default)]
    pub state: Option<AdminState>,
}

/// A part of the kernel that a forwarder may need and not every kernel has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KernelPart {
    /// nftables with the netdev family's ingress hook.
    Nftables,
    /// The ingress queueing discipline with BPF filters (`sch_ingress`, `cls_bpf`).
    IngressFilter,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The forwarder is ready: the first line on the standard output, without a request.
    Ready(Ready),
    /// The counters; also written at the end, without a request.
    Counters(Snapshot),
    /// The status.
    Status(Box<Status>),
    /// The metrics as OpenMetrics text.
    Metrics(String),
    /// The health of each monitored member.
    Health(HealthByPool),
    /// All probes have ended: their sources.
    MonitorsStopped(ProbeSources),
    /// Members are probed again.
    MonitorsResumed,
    /// The configuration was applied: what has changed.
    Changed(Changes),
    /// A page of copies of flows.
    MirroredFlows(MirroredFlows),
    /// How many of the copies were taken over.
    FlowsAdded(u64),
    /// The request was refused, and nothing has changed: every reason, in sentences.
    Refused(Vec<String>),
    /// The forwarder cannot start, as this kernel lacks what it needs. Instead of [`Self::Ready`].
    Unsupported {
        /// What is missing.
        lacks: KernelPart,
        /// A sentence.
        reason: String,
    },
}

/// The current configuration, health and counters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The configuration, without its secrets.
    pub config: Config,
    /// The health of each monitored member.
    #[serde(default)]
    pub health: HealthByPool,
    /// The counters.
    pub counted: Snapshot,
}

impl Answer {
    /// A refusal with one reason.
    pub(crate) fn refused(reason: impl Into<String>) -> Self {
        Self::Refused(vec![reason.into()])
    }
}

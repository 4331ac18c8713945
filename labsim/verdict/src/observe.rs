//! What a run observed, as plain data: captures, answers, logs and counters.

mod capture;
mod probes;

pub use capture::is_marker;
pub use capture::{Capture, FrameRecord, FrameView, Liveness, Point, PointId};
pub use probes::Probes;

use labsim_scenario::model::{Attachment, InterfaceName, LoginResult, NodeName, StepName};
use labsim_wire::decode::Flow;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

/// Everything that a run observed.
#[derive(Debug, Clone, Default)]
pub struct Observations {
    /// The frames of all capture points.
    pub capture: Capture,
    /// Frames that a node's capture had no room for, by node; nodes without any may be left out.
    pub capture_drops: BTreeMap<NodeName, u64>,
    /// When it was proven at the end that nothing was in flight, in nanoseconds since 1970: what was
    /// sent before that has arrived or never will. `None` if packets never stopped.
    pub settled_ns: Option<u64>,
    /// Where load balancers' monitors sent from: these frames are set aside.
    pub probes: BTreeMap<NodeName, Probes>,
    /// How the steps went, in their order. A step that was not done has none.
    pub steps: Vec<StepObservation>,
    /// What the servers logged, in order.
    pub server_log: Vec<ServerEntry>,
    /// Each load balancer's counters at the end, by name.
    pub forwarder_counters: BTreeMap<NodeName, BTreeMap<String, u64>>,
    /// Each node's kernel counters that rose during the run, and by how much, under the names of
    /// `/proc/net/snmp` and `/proc/net/netstat`, section and column joined as nstat(8) does it:
    /// `IpInAddrErrors`, `TcpInCsumErrors`, `TcpExtIPReversePathFilter`. Columns of netstat's
    /// sections are found without the section's name too.
    pub kernel_counters: BTreeMap<NodeName, BTreeMap<String, u64>>,
    /// What became of frames on impaired links, by the interface that sent them.
    pub link_counters: BTreeMap<Attachment, LinkCounters>,
    /// The names of all counters that the kernels have, whether or not they rose.
    pub known_counters: BTreeSet<String>,
    /// The tunnel devices' counters that rose during the run, by node and device, under the names
    /// of [`labsim_scenario::model::DEVICE_COUNTERS`]. labsim's own markers are not in them; what
    /// its own decapsulator refused is, where the kernel's tunnel counts it.
    pub device_counters: BTreeMap<NodeName, BTreeMap<InterfaceName, BTreeMap<String, u64>>>,
}

/// What became of the frames that one end of an impaired link sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Frames that did not arrive, for whatever reason.
    pub dropped: u64,
    /// Everything that was counted and is not 0, by name: `taken`, `lost`, `queue_full`.
    pub by_name: BTreeMap<String, u64>,
}

impl Observations {
    /// How the step of that name went.
    #[must_use]
    pub fn step(&self, name: &StepName) -> Option<&StepObservation> {
        self.steps.iter().find(|step| step.name == *name)
    }
}

/// How a step went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepObservation {
    /// The step.
    pub name: StepName,
    /// Its logins or requests, in the order in which they began; none of a step that makes none.
    pub attempts: Vec<Attempt>,
}

/// How one login or request went, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The client's node.
    pub from: NodeName,
    /// IP protocol number: 6 for TACACS+, 17 for RADIUS, 0 of a program.
    pub protocol: u8,
    /// How it ended; of one that was resumed, how it ended in the end.
    pub result: LoginResult,
    /// What was said, or what went wrong, in a sentence.
    pub detail: String,
    /// The client's own address and port, once it had one: never an unspecified address.
    pub local: Option<SocketAddr>,
    /// What it connected to or asked; an unspecified address of a program.
    pub remote: SocketAddr,
    /// From the first packet's call to the result, in nanoseconds.
    pub duration_ns: u64,
}

impl Attempt {
    /// From the client to what it asked; `None` if the client had no address and port.
    pub(crate) fn flow(&self) -> Option<Flow> {
        let source = self.local?;
        Some(Flow { protocol: self.protocol, source, destination: self.remote })
    }
}

/// A line of a server's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerEntry {
    /// The server's node.
    pub node: NodeName,
    /// The client as the server saw it.
    pub client: SocketAddr,
    /// The address and port that the client reached, as the server saw it.
    pub local: SocketAddr,
    /// The user, if it came that far.
    pub user: Option<String>,
    /// How it ended, in the server's words: `pass`, `fail`, `refused: unknown client`, ...
    pub outcome: String,
}

//! What a run observed, as plain data: captures, answers, logs and counters.

mod capture;
mod probe;

pub(crate) use capture::decode_stored;
pub use capture::is_marker;
pub use capture::{Capture, FrameRecord, FrameView, Liveness, Point, PointId};
pub use probe::is_probe;

use labsim_model::{NodeState, ProbeSources};
use labsim_scenario::model::filter::Decided;
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
    /// When it was proven at the end that nothing was in flight, in nanoseconds since 1970: what
    /// was sent before that has arrived or never will. `None` if packets never stopped.
    pub settled_ns: Option<u64>,
    /// Where load balancers' monitors sent from: these frames are set aside.
    pub probes: BTreeMap<NodeName, ProbeSources>,
    /// How late the scenario's event loop ran at most while steps were executed, in nanoseconds. Built-in
    /// clients and servers react on it.
    pub lag_ns: u64,
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
    /// Neighbours that the machine's kernel refused during the run, because its table was full.
    pub refused_neighbours: u64,
    /// What became of frames on impaired links, by the interface that sent them.
    pub link_counters: BTreeMap<Attachment, LinkCounters>,
    /// What the filters of each node decided about during the run.
    pub filtered: BTreeMap<NodeName, Vec<Decided>>,
    /// The names of all counters that the kernels have, whether or not they rose.
    pub known_counters: BTreeSet<String>,
    /// The tunnel devices' counters that rose during the run, by node and device, under the names
    /// of [`labsim_scenario::model::DEVICE_COUNTERS`]. labsim's own markers are not in them; what
    /// its own decapsulator refused is, where the kernel's tunnel counts it.
    pub device_counters: BTreeMap<NodeName, BTreeMap<InterfaceName, BTreeMap<String, u64>>>,
    /// What each node was set up with after the last step; empty if it was not read, as of a run
    /// in which nothing failed.
    pub states: BTreeMap<NodeName, NodeState>,
    /// What was counted from each step's start until the next one's, or of the last step until
    /// nothing was in flight. A packet that a step sent and that was still on its way when the next
    /// one began, such as a retransmission, is counted with the later step. Empty if nothing was
    /// read between the steps.
    pub step_counters: BTreeMap<StepName, IntervalCounters>,
}

/// Counters that rose in an interval, and by how much. Those that did not are left out, and so are
/// nodes and devices of which none did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IntervalCounters {
    /// When reading the counters at its start began, in nanoseconds since 1970. Each node's are
    /// read at another time: what passed between this and the end of that reading may be counted
    /// in the interval before.
    pub from_ns: u64,
    /// When reading the counters at its end was done, in nanoseconds since 1970.
    pub until_ns: u64,
    /// Kernel counters by node, named as in [`Observations::kernel_counters`].
    pub kernel: BTreeMap<NodeName, BTreeMap<String, u64>>,
    /// Counters of all devices by node and device, named as in
    /// [`Observations::device_counters`]. labsim's own markers are not in them.
    pub devices: BTreeMap<NodeName, BTreeMap<String, BTreeMap<String, u64>>>,
    /// Load balancers' counters by node. One that was killed in the interval has begun anew: what
    /// it counted since is here.
    pub forwarders: BTreeMap<NodeName, BTreeMap<String, u64>>,
    /// What became of frames on impaired links, by the interface that sent them, named as in
    /// [`LinkCounters::by_name`].
    pub links: BTreeMap<Attachment, BTreeMap<String, u64>>,
}

impl IntervalCounters {
    /// By how much a kernel counter of a node rose, with or without its section's name; 0 if not
    /// at all.
    #[must_use]
    pub fn kernel(&self, node: &NodeName, name: &str) -> u64 {
        self.kernel.get(node).map_or(0, |counters| kernel_counter(counters, name))
    }

    /// By how much a counter of a node's device rose; 0 if not at all.
    #[must_use]
    pub fn device(&self, node: &NodeName, device: &str, name: &str) -> u64 {
        let counters = self.devices.get(node).and_then(|devices| devices.get(device));
        counters.and_then(|counters| counters.get(name)).copied().unwrap_or_default()
    }
}

/// By how much a node's kernel counter rose, with or without its section's name; 0 if not at all.
pub(crate) fn kernel_counter(counters: &BTreeMap<String, u64>, name: &str) -> u64 {
    let of = |section: &str| counters.get(&format!("{section}{name}")).copied();
    of("").or_else(|| of("TcpExt")).or_else(|| of("IpExt")).unwrap_or_default()
}

/// What became of the frames that one end of an impaired link sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkCounters {
    /// Frames that did not arrive, for whatever reason.
    pub dropped: u64,
    /// Everything that was counted and is not 0, by name: `taken`, `lost`, `queue_full`.
    pub by_name: BTreeMap<String, u64>,
}

impl LinkCounters {
    /// What was counted since an earlier moment.
    #[must_use]
    pub fn since(self, before: &Self) -> Self {
        let Self { dropped, mut by_name } = self;
        for (name, count) in &mut by_name {
            *count = count.saturating_sub(before.by_name.get(name).copied().unwrap_or(0));
        }
        by_name.retain(|_, count| *count > 0);
        Self { dropped: dropped.saturating_sub(before.dropped), by_name }
    }
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
    /// Of a step that waits for something: that it did not happen in time, in a sentence.
    pub unmet: Option<String>,
}

/// How one exchange or request went, as its client saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The client's node.
    pub from: NodeName,
    /// IP protocol number: 6 over TCP, 17 over UDP, 0 of a program.
    pub protocol: u8,
    /// How it ended; of one that was resumed, how it ended in the end.
    pub result: LoginResult,
    /// What was said, or what went wrong, in a sentence.
    pub detail: String,
    /// The client's own address and port, once it had one: never an unspecified address.
    pub local: Option<SocketAddr>,
    /// What it connected to or asked; an unspecified address of a program.
    pub remote: SocketAddr,
    /// When it began, in nanoseconds since 1970: before its first packet, and after the end of the
    /// one before it from the same port.
    pub began_ns: u64,
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
    /// When it was logged, in nanoseconds since 1970: before the client saw the answer that it is
    /// about.
    pub time_ns: u64,
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

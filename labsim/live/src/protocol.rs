//! What a lab's holder and its clients say to each other: a line of JSON each, over a connection for
//! each request; to [`Request::Work`] there are many answers, a line each. Private, and only understood
//! by the same version of labsim, but for the lab's end: the form of [`Request::Down`], the folder's lock
//! and the socket's name stay as they are, so that `labsim down` ends the labs of other versions too.

use labsim_event::Event;
use labsim_model::NodeState;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

/// The version of holder and client.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The longest request.
pub(crate) const LONGEST_REQUEST: u64 = 4096;
/// The longest answer.
pub(crate) const LONGEST_ANSWER: u64 = 8 << 20;
/// Bytes of the texts of a lab's files that an answer has room for, each of which takes two at most.
pub(crate) const LARGEST_ORIGIN: usize = 3 << 20;

/// MiB of its last packets that a lab keeps unless something else is asked for.
pub const KEEP_MIB: u32 = 64;

/// What is sent, with its sender's version.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Versioned<T> {
    pub(crate) version: String,
    pub(crate) message: T,
}

/// The version of whatever is sent.
#[derive(Debug, Deserialize)]
pub(crate) struct Version {
    pub(crate) version: String,
}

impl<T> Versioned<T> {
    pub(crate) fn new(message: T) -> Self {
        Self { version: VERSION.to_owned(), message }
    }
}

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Request {
    /// The lab's state.
    Status,
    /// A node's namespaces: the network's and the PIDs', then the user namespace if there is one.
    Enter { node: String },
    /// A socket that receives a node's frames, and the interfaces that it receives them of.
    Tap { node: String },
    /// What the lab's ring has of a time and later, in nanoseconds since 1970.
    Kept { since_ns: Option<u64> },
    /// What a node was set up with when everything ran, and what it is set up with now.
    Setups { node: String },
    /// What the lab was made of.
    Origin,
    /// What was printed and logged in a node.
    Logs { node: String },
    /// Steps of the scenario. They are interrupted if the client closes its connection before their
    /// end.
    Work(Work),
    /// What happens in the lab, until the client closes its connection.
    Watch,
    /// The lab's end. Every version sends and understands `{"version":"...","message":"Down"}`.
    Down,
}

/// Steps of the scenario that are run in the lab. One client's at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Work {
    /// The step after the last one that was run.
    NextStep,
    /// The step of that name.
    Step(String),
    /// The steps before the one of that name, from the first.
    StepsBefore(String),
    /// All steps, and the verdict.
    Check,
    /// The node, or every node, is brought back to what it was when it was built.
    Reset(Option<String>),
    /// A change of the lab.
    Set {
        /// A step that changes a lab, or a key of a scenario that configures what runs: `link`,
        /// `load_balancers`.
        kind: String,
        /// What a scenario has below it.
        fields: String,
    },
}

/// What the holder answers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    /// To [`Request::Status`].
    Status(Status),
    /// To [`Request::Enter`]; the namespaces' descriptors come with it.
    Enter,
    /// To [`Request::Tap`]; the socket comes with it.
    Tap(Vec<TapInterface>),
    /// To [`Request::Kept`]; the memory with the frames comes with it.
    Kept(Box<KeptFrames>),
    /// To [`Request::Setups`].
    Setups(Box<(NodeState, NodeState)>),
    /// To [`Request::Origin`].
    Origin(Origin),
    /// To [`Request::Logs`].
    Logs(Logs),
    /// To [`Request::Work`]: what happened. [`Answer::Done`] or [`Answer::Failed`] is the last.
    Event(Box<Event>),
    /// To [`Work::NextStep`] and [`Work::Step`], after the step: the way of its packets.
    Walk(StepWalk),
    /// To [`Work::Reset`]: what became of each node.
    Reset(Vec<NodeReset>),
    /// To [`Work::Set`]: what is to be said of it all the same, each with its place.
    Warned(Vec<String>),
    /// To [`Work::Set`]: what is wrong with it, each with its place. The last answer.
    Rejected(Vec<String>),
    /// To [`Request::Watch`]: everything that happens from now on is told.
    Watching,
    /// To [`Request::Watch`]: something that has happened.
    Happened(Happening),
    /// To [`Request::Watch`]: so many lines were lost here, as the client did not read.
    Lost(u64),
    /// The work is done.
    Done,
    /// The work could not be done: a sentence.
    Failed(String),
    /// To [`Request::Down`].
    Down,
    /// A sentence.
    Refused(String),
}

/// The way of a step's first packet, and of the first answer to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StepWalk {
    /// A line for each place, below lines that say which packet it is.
    pub lines: Vec<String>,
    /// The source of the first answer that reached the client.
    pub source_seen: Option<IpAddr>,
}

/// The state of a lab.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Status {
    /// The scenario's file when the lab was made.
    pub file: PathBuf,
    /// How long it has been up, in seconds.
    pub seconds: u64,
    /// How tunnels are decapsulated.
    pub tunnel: String,
    /// How links are impaired, if they are.
    pub impairments: Option<String>,
    /// The step that [`Work::NextStep`] is about, and how many steps there are.
    pub next: (Option<String>, usize),
    /// What work is done for another client, and for how many seconds. What [`NodeStatus::running`]
    /// says is then of the moment when it began.
    pub busy: Option<(String, u64)>,
    /// The nodes, in the file's order.
    pub nodes: Vec<NodeStatus>,
}

/// The state of a node.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct NodeStatus {
    /// The node.
    pub name: String,
    /// Its addresses at the moment, with their devices: `eth0 10.1.1.51/24`; a VIP is followed by
    /// `(VIP)`. Without the loopback's own.
    pub addresses: Vec<String>,
    /// Why the addresses could not be read, if they could not.
    pub unread: Option<String>,
    /// What was changed since everything ran, a phrase each: devices, addresses, routes, rules, neighbours
    /// that were set by hand, sysctls, packet filters.
    pub changed: Vec<String>,
    /// What differs from the scenario in the configuration of its forwarder and its built-in servers, a phrase
    /// each: members of pools among it. While work is done, as it was when that began.
    pub reconfigured: Vec<String>,
    /// VIP and port of each virtual server that its forwarder serves.
    pub virtual_servers: Vec<String>,
    /// What labsim started in it.
    pub running: Vec<RunningStatus>,
}

/// A node that was brought back to what it was when it was built.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct NodeReset {
    /// The node.
    pub name: String,
    /// What had changed, as [`NodeStatus::changed`] and [`NodeStatus::reconfigured`] say it.
    pub changed: Vec<String>,
    /// What differs still.
    pub left: Vec<String>,
    /// What the kernel refused, a sentence each.
    pub refused: Vec<String>,
    /// What was started again: `forwarder`, `process radiusd`.
    pub started: Vec<String>,
}

/// An interface whose frames a tap receives.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct TapInterface {
    pub(crate) index: u32,
    pub(crate) name: String,
    /// Whether its frames begin with an Ethernet header.
    pub(crate) ethernet: bool,
}

/// What a lab's ring has at a moment, beside the frames.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptFrames {
    /// What frames name by its place.
    pub(crate) points: Vec<KeptPoint>,
    /// Frames that the kernel had no room for since the lab is up, by node.
    pub(crate) dropped: Vec<(String, u64)>,
    /// From when on all frames are there, but for those that were dropped: nanoseconds since 1970.
    pub(crate) reaches_ns: u64,
    /// Frames before that, which are not kept any more.
    pub(crate) cut: u64,
    /// How much is kept.
    pub(crate) keep_mib: u32,
    /// Why no more frames are kept, if they cannot be read.
    pub(crate) failed: Option<String>,
}

/// An interface whose frames a ring has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct KeptPoint {
    /// `node:interface`.
    pub(crate) name: String,
    /// Whether its frames begin with an Ethernet header.
    pub(crate) ethernet: bool,
}

/// Something that has happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Happening {
    /// Milliseconds since the lab is up.
    pub(crate) at_ms: u64,
    /// What, as a sentence that may name what programs and packets hold.
    pub(crate) text: String,
}

/// Something that labsim started.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunningStatus {
    /// `forwarder`, `TACACS+ server`, `process radiusd`.
    pub what: String,
    /// How it ended by itself, if it did.
    pub ended: Option<String>,
}

/// What a lab was made of: it can be made again without its file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Origin {
    /// The scenario's file, for people.
    pub file: PathBuf,
    /// The texts that it was read from, by their paths from its folder.
    pub sources: BTreeMap<String, String>,
    /// What was to decapsulate tunnels, as `labsim up` takes it.
    pub tunnel: String,
    /// What was to impair links, as `labsim up` takes it.
    pub impairments: String,
    /// What was to forward established flows, as `labsim up` takes it.
    #[serde(default)]
    pub data_plane: String,
    /// The acceleration of all virtual servers in place of their own, as `labsim up` takes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pva: Option<String>,
    /// MiB of its last packets that are kept.
    pub keep_mib: u32,
}

impl Origin {
    /// The path of the scenario's file among its sources.
    #[must_use]
    pub fn first_source(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Bytes of all texts.
    pub(crate) fn size(&self) -> usize {
        self.sources.values().map(String::len).sum()
    }
}

/// What was printed and logged in a node, the last of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Logs {
    /// In the order in which it came: what it is from, such as `forwarder` or `process radiusd`, and
    /// a line without its end, with whatever else a program prints.
    pub lines: Vec<(String, String)>,
    /// How many lines came before them.
    pub lost: u64,
}

#[cfg(test)]
mod tests {
    use super::{Request, VERSION, Versioned};

    #[test]
    fn the_request_of_a_labs_end_has_the_form_that_all_versions_understand() {
        let text = format!(r#"{{"version":"{VERSION}","message":"Down"}}"#);
        assert_eq!(serde_json::to_string(&Versioned::new(Request::Down)).unwrap(), text);
        let later = r#"{"later":1,"version":"99.0.0","message":"Down"}"#;
        let request: Versioned<Request> = serde_json::from_str(later).unwrap();
        assert_eq!(request.message, Request::Down);
    }
}

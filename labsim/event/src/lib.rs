//! What a run reports while it works: the only thing that goes from the runner to the reports.
//!
//! Every event is one JSON object in a line of `events.jsonl`: an [`EventRecord`]. Durations are
//! milliseconds; secrets are never part of an event. [`schema`] describes the format, and
//! `schema/events.json` is what it returns.

#![forbid(unsafe_code)]

mod outcome;
mod schema;

pub use labsim_verdict::{
    CauseRecord, CauseStanding, ExpectationResult, Finding, Fix, Proof, Standing,
};
pub use outcome::{Outcome, Totals};
pub use schema::schema;

use labsim_model::ProbeSources;
use labsim_picture::Lab;
use labsim_verdict::Observations;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The number of the events' format. It rises when a field or an event is removed or changes its
/// meaning; what is added does not change it.
pub const SCHEMA: u32 = 1;

/// Parts that a run is divided into at most.
pub const MAX_PARTITIONS: usize = 65_536;

/// An event, when it happened and what it is about.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct EventRecord {
    /// The number of the format: 1.
    pub schema: u32,
    /// Wall-clock time: microseconds since 1970-01-01 00:00 UTC.
    pub time_us: u64,
    /// Milliseconds since the run began, by a clock that is never set back.
    pub at_ms: f64,
    /// The scenario that it is about, by its path below the folder that was named, without the ending;
    /// of a repeated one with `#` and the number of the repetition. Absent for the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Milliseconds of a duration, to the microsecond: a longer fraction says nothing.
#[must_use]
pub fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

impl EventRecord {
    /// An event that happens now.
    #[must_use]
    pub fn now(at_ms: f64, scenario: Option<String>, event: Event) -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let time_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        Self { schema: SCHEMA, time_us, at_ms, scenario, event }
    }
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins; every file has been read.
    RunStarted {
        /// The version of labsim.
        version: String,
        /// How many scenarios are going to be run; absent if they are repeated until one fails.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scenarios: Option<usize>,
        /// How many at a time.
        jobs: usize,
        /// `root` or `user namespace`, and how labsim acquired them; `none` if it did not.
        rights: String,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Its file.
        file: PathBuf,
    },
    /// The scenario's file was read and is valid.
    ScenarioLoaded {
        /// It, merged with the files that it extends, as YAML without secrets.
        configuration: String,
    },
    /// A warning about the scenario's file: valid, but it cannot work, which may be the
    /// scenario's purpose.
    Warned {
        /// `file:line:column: sentence`.
        warning: String,
    },
    /// The scenario's file is not valid, so nothing of it runs.
    FileRejected {
        /// Each error: `file:line:column: sentence [code]`.
        errors: Vec<String>,
    },
    /// A try of the scenario did not pass, and the next one begins. The events before belong to this
    /// try, those that follow to the next.
    TryFailed {
        /// Its number, from 1.
        number: usize,
        /// How it ended.
        outcome: Outcome,
        /// Why, as of a scenario that ended.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The stable code of the reason, or of a failure's first cause.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// How long it took.
        took_ms: f64,
    },
    /// The lab is built: links are up, addresses and routes are set.
    LabBuilt {
        /// Nodes, the hidden switch namespace not among them.
        nodes: usize,
        /// Links and segment ports.
        links: usize,
        /// `kernel`, `userspace` or `none`, and for what reason.
        tunnel: String,
        /// What impairs links: `netem`, or `labsim's relay` and for what reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        impairments: Option<String>,
        /// How long it took.
        took_ms: f64,
        /// Who is wired to whom, as pictures show it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lab: Option<Box<Lab>>,
        /// What each node is set up with, as `labsim plan` prints it.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        plan: BTreeMap<String, Vec<String>>,
    },
    /// Captures run, servers listen, the forwarder takes packets, every capture point is verified
    /// to work.
    Ready {
        /// Interfaces that are captured.
        capture_points: usize,
        /// How each forwarder sends and receives frames, by node.
        data_planes: BTreeMap<String, String>,
        /// Since the lab was built.
        took_ms: f64,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: String,
        /// What it does, in a sentence.
        what: String,
    },
    /// A step that waits has found something new. The first half second of a wait has no such event, and what
    /// changes more often than that is told with its last value.
    StepWaits {
        /// The step's name.
        step: String,
        /// What was found, in a sentence: a counter's value, or a member's state with its last probe.
        found: String,
    },
    /// A step is over.
    StepEnded {
        /// Its name.
        step: String,
        /// `pass`, `fail`, `error`, `refused`, `timeout`, `paused`; `mixed` of several logins that
        /// ended differently, `done` of a step that makes none.
        result: String,
        /// The reply or the error; of several logins the number of each result, and their times.
        detail: String,
        /// How many logins or requests it made.
        attempts: usize,
        /// The client's own address and port, if there was one login and it got so far.
        #[serde(skip_serializing_if = "Option::is_none")]
        local: Option<SocketAddr>,
        /// How long it took.
        took_ms: f64,
    },
    /// A server's log has a new line.
    ServerLogged {
        /// The server's node.
        node: String,
        /// The client as the server saw it.
        client: SocketAddr,
        /// The line, without secrets.
        line: String,
    },
    /// The kernel refused an isolation to a program, which runs without it.
    IsolationRefused {
        /// The program's node.
        node: String,
        /// The program: its name in the scenario, or that of the step that runs it.
        program: String,
        /// `PID namespace`: what it starts and does not end may outlive it. `private folder`: its
        /// files are in a folder of mode 0700 among the host's temporary files. `own /proc`: it
        /// sees the host's processes.
        isolation: String,
        /// The kernel's error.
        reason: String,
    },
    /// What a program printed, whether or not it ended well. The text is for `logs/FILE`.
    ProcessLogged {
        /// The file: the program's name in the scenario, and its node's if it runs in several.
        file: String,
        /// Its node.
        node: String,
        /// Bytes that are kept.
        bytes: usize,
        /// Bytes before them that were discarded.
        lost: u64,
        /// The kept bytes, unchanged: a program may print secrets.
        #[serde(skip)]
        text: Arc<[u8]>,
    },
    /// A load balancer's monitors were stopped. Their probes and the replies are in
    /// `capture.pcapng`, and every check leaves them out: these are the addresses and ports that
    /// they were sent from.
    MonitorsStopped {
        /// The load balancer's node.
        node: String,
        /// Where the probes were sent from.
        #[serde(flatten)]
        sources: ProbeSources,
    },
    /// A forwarder's counters at the end.
    ForwarderCounted {
        /// Its node.
        node: String,
        /// Those that are not zero.
        counters: BTreeMap<String, u64>,
    },
    /// Counters of an impaired link, for the frames that one of its ends sent.
    LinkCounted {
        /// `node:interface`.
        interface: String,
        /// Those that are not zero.
        counters: BTreeMap<String, u64>,
    },
    /// What a packet filter of a node decided about during the steps.
    FilterCounted {
        /// The node.
        node: String,
        /// The filter's name in the scenario.
        filter: String,
        /// Packets by hook and rule, such as `input: iifname tunl0 drop`, or `input: policy drop`
        /// where no rule matched; those that are not zero.
        counters: BTreeMap<String, u64>,
    },
    /// A node's kernel counters that rose during the steps.
    KernelCounted {
        /// The node.
        node: String,
        /// Its protocols' counters that rose, under the names of nstat(8).
        counters: BTreeMap<String, u64>,
        /// Its tunnel devices' counters that rose, by device; a device that counted nothing too.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        devices: BTreeMap<String, BTreeMap<String, u64>>,
    },
    /// No packet is in flight any more, and the captures are closed. The frames themselves are for
    /// `capture.pcapng`.
    Observed {
        /// Frames at all points.
        frames: usize,
        /// Frames that captures dropped.
        dropped: u64,
        /// Everything that was observed.
        #[serde(skip)]
        observations: Arc<Observations>,
    },
    /// An expectation was checked. One without a name, which never passes, is a problem of the run
    /// itself: a step that failed (`step-failed`, with its place in the file), or lost frames.
    Judged(ExpectationResult),
    /// Why a step did not pass, with the evidence; of a run that passed, of a step whose `diagnosis`
    /// is expected. Of a step with several logins there is
    /// one for each set of causes.
    Diagnosed {
        /// The step.
        step: String,
        /// What was found, in the order of a diagnosis: the request's path, causes, the reply's
        /// path, server logs.
        findings: Vec<Finding>,
        /// The causes among them, with what shows and what cures each, in the order in which the
        /// packets met them.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        causes: Vec<CauseRecord>,
    },
    /// The scenario was run again with a change, to prove a cause. Of its run there is no other
    /// event.
    TrialEnded(TrialResult),
    /// The causes of a failure were put to the proof.
    Proved(Proof),
    /// A scenario is over and its lab is gone.
    ScenarioEnded {
        /// How it ended.
        outcome: Outcome,
        /// Why, if it was skipped, broken or interrupted, or took too long: what is missing and the
        /// remedy.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
        /// The stable code of the reason, or of a failure's first cause (`labsim help CODE`);
        /// absent if it passed.
        #[serde(skip_serializing_if = "Option::is_none")]
        code: Option<String>,
        /// Expectations that held.
        held: usize,
        /// All expectations.
        expectations: usize,
        /// From reading the plan to the lab's end.
        took_ms: f64,
    },
    /// The run is over.
    RunEnded {
        /// How the scenarios ended.
        #[serde(flatten)]
        totals: Totals,
        /// Why it ended before every scenario had run.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ended_early: Option<String>,
        /// How long it took.
        took_ms: f64,
    },
    /// An event that this version does not know; only read, never written.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}

/// How a run with a change ended.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TrialResult {
    /// The change, as lines of a YAML file that extends the scenario's; none of a run that only
    /// repeats it.
    pub change: Vec<String>,
    /// Whether all expectations held.
    pub passed: bool,
    /// How many expectations held.
    pub held: usize,
    /// All expectations.
    pub expectations: usize,
    /// The names of those that did not hold, and problems of the run itself.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<String>,
    /// The codes of the causes that it showed, in the order in which the packets met them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<String>,
    /// Why the scenario with the change is not valid, or its lab cannot run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub impossible: Option<String>,
    /// How long it took.
    pub took_ms: f64,
}

/// An event could not be written by a sink.
#[derive(Debug, thiserror::Error)]
#[error("{target} cannot be written: {source}")]
pub struct SinkError {
    /// The file or stream, as a message names it: `the JUnit file junit.xml`.
    pub target: String,
    /// What the system reports.
    pub source: std::io::Error,
}

/// Consumes events, in the order in which they happen.
pub trait Sink: Send {
    /// Consumes one event.
    ///
    /// # Errors
    /// Something could not be written; the run goes on and reports it at its end.
    fn consume(&mut self, record: &EventRecord) -> Result<(), SinkError>;
}

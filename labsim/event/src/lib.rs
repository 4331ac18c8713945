//! What a run tells while it works: the only thing that goes from the runner to the reports.
//!
//! Every event is one JSON object a line in `events.jsonl`. Times are milliseconds; secrets are
//! never part of an event.

#![forbid(unsafe_code)]

mod outcome;

pub use outcome::{Outcome, Totals};

use labsim_verdict::Observations;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

/// An event and where it belongs.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    /// Milliseconds since the run began.
    pub at_ms: f64,
    /// The scenario that it is about; `None` for the run as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scenario: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run begins; everything that was named is valid.
    RunStarted {
        /// The version of labsim.
        version: &'static str,
        /// How many scenarios are going to be run.
        scenarios: usize,
        /// How many at a time.
        jobs: usize,
        /// `root` or `user namespace`, and what labsim did for them; `none` if it got none.
        rights: String,
    },
    /// A scenario begins.
    ScenarioStarted {
        /// Its file.
        file: PathBuf,
    },
    /// What reading the scenario's file warned about: it is allowed and cannot work, as the file
    /// may be there to show.
    Warned {
        /// `file:line:column: sentence`.
        warning: String,
    },
    /// The lab stands: links are up, addresses and routes are set.
    LabBuilt {
        /// Nodes, the hidden switch namespace not among them.
        nodes: usize,
        /// Links and segment ports.
        links: usize,
        /// `kernel`, `userspace` or `none`, and for what reason.
        tunnel: String,
        /// Who impairs links: `netem`, or `labsim's relay` and for what reason.
        #[serde(skip_serializing_if = "Option::is_none")]
        impairments: Option<String>,
        /// How long it took.
        took_ms: f64,
    },
    /// Captures run, servers listen, the forwarder takes packets, every capture point is proven
    /// alive.
    Ready {
        /// Interfaces that are captured.
        capture_points: usize,
        /// How each load balancer moves frames, by node.
        data_planes: BTreeMap<String, String>,
        /// How long it took since the lab stood.
        took_ms: f64,
    },
    /// A step begins.
    StepStarted {
        /// Its name.
        step: String,
        /// What it does, in a sentence.
        what: String,
    },
    /// A step is over.
    StepEnded {
        /// Its name.
        step: String,
        /// `pass`, `fail`, `error`, `refused`, `timeout`, `paused`; `mixed` of several logins that
        /// ended differently, `done` of a step that makes none.
        result: String,
        /// What was said or what went wrong; of several logins how many ended how, and their times.
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
    /// What a program printed, whether or not it ended well. The text is for `logs/FILE`.
    ProcessLogged {
        /// The file: the program's name in the scenario, and its node's if it runs in several.
        file: String,
        /// Its node.
        node: String,
        /// How many bytes are kept.
        bytes: usize,
        /// How many came before them and were let go.
        lost: u64,
        /// What is kept, as it was printed: it is the program's text, with whatever it gives away.
        #[serde(skip)]
        text: Arc<[u8]>,
    },
    /// A load balancer's monitors were stopped. What they sent, and what answered it, is in
    /// `capture.pcapng` and set aside by every verdict: they tell where they sent from.
    MonitorsStopped {
        /// The load balancer's node.
        node: String,
        /// Its own addresses.
        addresses: BTreeSet<IpAddr>,
        /// Ports of TCP.
        tcp: BTreeSet<u16>,
        /// Ports of UDP.
        udp: BTreeSet<u16>,
        /// Identifiers of ICMP echo.
        icmp: BTreeSet<u16>,
    },
    /// A forwarder's counters at the end.
    ForwarderCounted {
        /// Its node.
        node: String,
        /// Those that are not zero.
        counters: BTreeMap<String, u64>,
    },
    /// What became of the frames that the interface at an impaired link's end sent.
    LinkCounted {
        /// `node:interface`.
        interface: String,
        /// Those that are not zero.
        counters: BTreeMap<String, u64>,
    },
    /// What a node's kernel counted while the steps went by.
    KernelCounted {
        /// The node.
        node: String,
        /// Its protocols' counters that rose, under the names of nstat(8).
        counters: BTreeMap<String, u64>,
        /// Its tunnel devices' counters that rose, by device; a device that counted nothing too.
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        devices: BTreeMap<String, BTreeMap<String, u64>>,
    },
    /// Nothing is in flight any more and the captures are closed. The frames themselves are for
    /// `capture.pcapng`.
    Observed {
        /// Frames at all points.
        frames: usize,
        /// Frames that a capture could not take.
        dropped: u64,
        /// Everything that was observed.
        #[serde(skip)]
        observations: Arc<Observations>,
    },
    /// An expectation was judged.
    Judged {
        /// The expectation's name in its file; empty for a finding about the run itself.
        name: String,
        /// Whether it holds.
        passed: bool,
        /// The file's sentence for this outcome.
        sentence: String,
        /// `file:line` of the expectation; empty for a finding about the run itself.
        place: String,
        /// What was expected, if it failed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        expected: Vec<String>,
        /// What was seen; for a passed one the figures that prove it.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        seen: Vec<String>,
        /// The frames in question, a line each, if it failed.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        frames: Vec<String>,
    },
    /// Why a step did not go as expected, with the evidence.
    Diagnosed {
        /// The step.
        step: String,
        /// Sentences.
        findings: Vec<String>,
    },
    /// A scenario is over and its lab is gone.
    ScenarioEnded {
        /// How it ended.
        outcome: Outcome,
        /// Why, if it was skipped, broken or interrupted: what is missing and the remedy.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
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
        /// How long it took.
        took_ms: f64,
    },
}

/// Takes events, in the order in which they happen.
pub trait Sink: Send {
    /// Takes one event.
    ///
    /// # Errors
    /// A sentence about what could not be written; the run goes on and tells it at its end.
    fn take(&mut self, told: &Told) -> Result<(), String>;
}

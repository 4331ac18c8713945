//! Lays two runs of one scenario beside each other: what is different that two runs of the same
//! lab would have in common.
//!
//! Compared are the outcome and each expectation's verdict, the capture points, the frames at each
//! of them, and the kernels' counters of what went wrong. What two runs of one lab never have in
//! common is normalised: times, IP identifications, TCP's first sequence numbers,
//! ports that are no service's, link-layer addresses (by whose they are), TACACS+'s session and
//! what it hides, RADIUS's authenticators and what they hide.
//!
//! Frames are compared by flow, in their order; flows, and what belongs to none, in any order.
//! What a timer decides is set aside where the runs differ in it, counted, and never a difference:
//!
//! - what load balancers' monitors sent and were answered (not counted);
//! - a frame that is sent again, 100 ms or more after the same one, and a TCP segment all of
//!   which was sent that long before, in whatever segments;
//! - an acknowledgement without data, if another packet of its flow acknowledges as much or more;
//! - where such an acknowledgement stands among segments that begin at its sequence number;
//! - ARP that confirms a neighbour who is known (asked by unicast), and how often ARP asks;
//!   IPv6's neighbour discovery and multicast membership;
//! - which client met which server, if logins to one address were under way at the same time in
//!   both runs: then every client's and every server's own frames have to be the same.
//!
//! What chance decides on a link that loses or reorders frames is not set aside: two such runs are
//! different. Of fragments that are not the first, lengths are compared and not what is in them.

mod canonical;
mod concurrency;
mod configuration;
mod counters;
mod hops;
mod others;
mod payload;
mod points;
pub(crate) mod ports;
mod retransmissions;
mod streams;

use crate::diagnose::CauseRecord;
use crate::frames::Frames;
use crate::observe::Observations;
pub use hops::{HopRow, SeenHop, StepComparison};
pub use others::compare_others;

use labsim_scenario::model::{InterfaceName, NodeName};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::SocketAddr;

/// What is kept of a run.
#[derive(Debug, Clone, Default)]
pub struct SavedRun {
    /// How the scenario ended: `passed`, `failed`, `skipped`, `broken`, `interrupted`.
    pub outcome: String,
    /// Whether each expectation held, by its name.
    pub expectations: BTreeMap<String, bool>,
    /// The nodes whose forwarders may have translated addresses.
    pub balancers: BTreeSet<NodeName>,
    /// Captures and kernel counters; the rest is not looked at.
    pub observations: Observations,
    /// The scenario's file, as the run named it.
    pub file: String,
    /// What was done, in order.
    pub steps: Vec<SavedStep>,
    /// Why steps did not pass.
    pub causes: Vec<SavedCause>,
    /// What each node was to be set up with, as `labsim plan` prints it; empty if that was not kept.
    pub plan: BTreeMap<String, Vec<String>>,
    /// What pictures show of each node.
    pub shown: BTreeMap<String, Vec<ShownRow>>,
}

impl SavedRun {
    fn frames(&self) -> Frames<'_> {
        Frames::new(&self.observations.capture, &self.observations.probes, &self.balancers)
    }
}

/// A line of a node's box in a picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownRow {
    /// Such as `eth0 10.1.1.51/24`.
    pub text: String,
    /// Whether a plan has the same in its own words.
    pub in_plan: bool,
}

/// A step of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedStep {
    /// Its name.
    pub name: String,
    /// What it does, in a sentence.
    pub what: String,
    /// How it ended: `pass`, `timeout`; `None` if it did not.
    pub result: Option<String>,
    /// The client's address and port, of a step with one login or request.
    pub client: Option<SocketAddr>,
    /// When it began, in nanoseconds since 1970.
    pub from_ns: u64,
    /// When it ended; the greatest number if it did not.
    pub to_ns: u64,
}

/// Why a step did not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedCause {
    /// Where, and what shows it.
    pub record: CauseRecord,
    /// In a sentence.
    pub sentence: String,
}

/// One of two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The one that was named first.
    First,
    /// The other.
    Second,
}

/// Something that two runs of the same lab would have in common, and these have not. Pairs are of
/// the first and the second run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// How the scenario ended.
    Outcome([String; 2]),
    /// How nodes were set up.
    Configuration {
        /// The nodes of which the same differs.
        nodes: Vec<String>,
        /// What only the first run has, and what only the second.
        only: [Vec<String>; 2],
    },
    /// Whether an expectation held; `None` where it was not judged.
    Expectation {
        /// Its name.
        name: String,
        /// Whether it held.
        held: [Option<bool>; 2],
    },
    /// Frames were lost by a node's capture, so that nothing is proven.
    Lost {
        /// The node.
        node: NodeName,
        /// How many.
        frames: [u64; 2],
    },
    /// Only one run has that capture point.
    Point {
        /// `node:interface`.
        point: String,
        /// Who has it.
        only: Side,
    },
    /// Frames at a point.
    Frames {
        /// `node:interface`.
        point: String,
        /// The first ones, in the order of their flows.
        rows: Vec<FrameRow>,
        /// How many more differ.
        more: usize,
    },
    /// A counter of a kernel or of a tunnel device.
    Counter {
        /// The node.
        node: NodeName,
        /// The device, if it is a device's.
        device: Option<InterfaceName>,
        /// The counter's name.
        counter: String,
        /// By how much it rose.
        rose: [u64; 2],
    },
}

/// A frame that differs, or that only one run has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRow {
    /// The frame of each run; `None` where there is no such frame.
    pub frames: [Option<SeenFrame>; 2],
    /// What is not the same, if both have it: a field and its two values.
    pub fields: Vec<(String, [String; 2])>,
}

/// A frame for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFrame {
    /// Its number in the capture file, from 1, as Wireshark counts.
    pub number: usize,
    /// As tcpdump would show it.
    pub line: String,
}

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// None if the runs are the same.
    pub differences: Vec<Difference>,
    /// Frames that were compared, of both runs.
    pub frames: [usize; 2],
    /// Capture points that both runs have.
    pub points: usize,
    /// Frames of both runs that a timer decides, set aside.
    pub set_aside: usize,
    /// Points at which clients' addresses were not compared, because it is timing who met whom.
    pub who_met_whom: usize,
    /// The steps, if frames differ or the runs are of different scenarios.
    pub steps: Vec<StepComparison>,
    /// What one of two different scenarios has and the other has not, in sentences.
    pub not_comparable: Vec<String>,
}

impl Comparison {
    /// The first step whose packets went another way, and where.
    #[must_use]
    pub fn first_hop(&self) -> Option<(&StepComparison, &HopRow)> {
        self.steps.iter().find_map(|step| Some((step, step.rows.get(step.first?)?)))
    }
}

/// Compares two runs of a scenario.
#[must_use]
pub fn compare(first: &SavedRun, second: &SavedRun) -> Comparison {
    let runs = [first, second];
    let mut found = Comparison::default();
    configuration::compare(&runs, &mut found.differences);
    if first.outcome != second.outcome {
        let outcomes = runs.map(|run| run.outcome.clone());
        found.differences.push(Difference::Outcome(outcomes));
        // One that was skipped, for one, has nothing to compare.
        if runs.iter().any(|run| run.observations.capture.points().is_empty()) {
            return found;
        }
    }
    let names: BTreeSet<&String> = runs.iter().flat_map(|run| run.expectations.keys()).collect();
    for name in names {
        let held = runs.map(|run| run.expectations.get(name).copied());
        if held[0] != held[1] {
            found.differences.push(Difference::Expectation { name: name.clone(), held });
        }
    }
    let drops = |run: &SavedRun, node: &NodeName| {
        run.observations.capture_drops.get(node).copied().unwrap_or(0)
    };
    let losers: BTreeSet<&NodeName> =
        runs.iter().flat_map(|run| run.observations.capture_drops.keys()).collect();
    for node in losers {
        let frames = runs.map(|run| drops(run, node));
        if frames != [0, 0] {
            found.differences.push(Difference::Lost { node: node.clone(), frames });
        }
    }
    let frames = runs.map(|run| run.frames());
    let aside = points::compare(&runs, &frames, &mut found);
    counters::compare(&runs, &aside, &mut found.differences);
    if found.differences.iter().any(|one| matches!(one, Difference::Frames { .. })) {
        found.steps = hops::compare(&runs);
    }
    found
}

impl fmt::Display for SeenFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "frame {}: {}", self.number, self.line)
    }
}

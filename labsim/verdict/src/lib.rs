//! What was expected, what was observed, and what it means. Pure.
//!
//! [`judge()`] puts a scenario's expectations to [`Observations`] and gives a [`Verdict`].

#![forbid(unsafe_code)]

mod align;
mod answer;
mod arp_nd;
mod check_result;
pub mod compare;
mod count;
mod diagnose;
mod diagnosis;
mod distribution;
mod exchange;
mod filter;
mod flow_numbers;
mod forwarder;
mod frames;
mod isn;
mod journey;
mod judge;
mod kernel;
mod lateness;
mod mac_table;
mod matching;
mod messages;
mod observe;
mod overtaking;
mod path_metrics;
mod proof;
mod run_defect;
mod servers;
mod step_end;
mod translate;
mod walk;

pub use diagnose::{
    Cause, CauseRecord, Change, Diagnosis, Finding, Fix, Rounds, Topic, TopicWays, Trace, Way,
    named_drops, ways,
};
pub use frames::{FrameLine, FrameList};
pub use journey::{Journey, Journeys, Sighting};
pub use judge::{ExpectationResult, Verdict, diagnose, judge, judge_with_states};
pub use mac_table::MacTable;
pub use matching::frame_matches;
pub use observe::{
    Attempt, Capture, FrameRecord, FrameView, IntervalCounters, LinkCounters, Liveness,
    Observations, Point, PointId, ServerEntry, StepObservation, is_marker, is_probe,
};
pub use proof::{
    CauseStanding, Failure, Interrupted, LABS, Laboratory, Proof, Standing, Suspect, Trial,
    first_changes, prove,
};
pub use run_defect::RunDefect;
pub use step_end::StepFailure;
pub use walk::Walk;

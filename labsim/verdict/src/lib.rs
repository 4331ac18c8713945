//! What was expected, what was observed, and what it means. Pure.
//!
//! [`judge()`] puts a scenario's expectations to [`Observations`] and gives a [`Verdict`].

#![forbid(unsafe_code)]

mod align;
mod answer;
pub mod compare;
mod count;
mod diagnose;
mod exchange;
mod forwarder;
mod frames;
mod isn;
mod judge;
mod kernel;
mod matching;
mod neighbourhood;
mod observe;
mod passage;
mod ruling;
mod servers;
mod spread;
mod stations;
mod translate;
mod words;

pub use diagnose::{Cause, Diagnosis, Evidence, Rounds, Trace, WrongSource};
pub use frames::{FrameLine, FrameList};
pub use judge::{Finding, Judgement, Verdict, diagnose, judge};
pub use observe::{
    Attempt, Capture, FrameRecord, FrameView, LinkCounters, Liveness, Observations, Point, PointId,
    Probes, ServerEntry, StepObservation, is_marker,
};

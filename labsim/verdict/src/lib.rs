//! What was expected, what was observed, and what it means. Pure.
//!
//! [`judge()`] puts a scenario's expectations to [`Observations`] and gives a [`Verdict`].

#![forbid(unsafe_code)]

mod align;
mod count;
mod diagnose;
mod exchange;
mod frames;
mod isn;
mod judge;
mod login;
mod matching;
mod observe;
mod ruling;
mod servers;

pub use diagnose::{Cause, Diagnosis, Evidence, Trace};
pub use frames::{FrameLine, FrameList};
pub use judge::{Finding, Judgement, Verdict, diagnose, judge};
pub use observe::{
    Capture, FrameRecord, FrameView, Liveness, Observations, Point, PointId, ServerEntry,
    StepObservation, is_marker,
};

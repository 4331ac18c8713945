//! What was expected, what was observed, and what it means. Pure.

#![forbid(unsafe_code)]

mod observe;

pub use observe::{
    Capture, FrameRecord, FrameView, Liveness, Observations, Point, PointId, ServerEntry,
    StepObservation, is_marker,
};

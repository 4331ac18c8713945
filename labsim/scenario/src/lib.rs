//! Topology and scenario files: read, validated, names resolved.
//!
//! What leaves this crate is a [`model::Scenario`] that cannot be wrong: every name in it
//! resolves, every address fits its subnet, every expectation names a step and a capture point
//! that exist. A file that is wrong gives every one of its errors with its place instead.

#![forbid(unsafe_code)]

mod acceleration;
mod exercise;
mod file;
mod frame_filter;
mod input;
mod ipvs;
mod live;
mod load;
pub mod model;
mod recognize;
mod resolve;
mod schema;
mod text;

pub use exercise::LoadedExercise;
pub use frame_filter::frame_match;
pub use input::Input;
pub use ipvs::{Obstacle, ObstacleOf};
pub use live::{CONFIGURATION, LiveChange, LiveScenario, StepForm, step_forms};
pub use load::{
    Loaded, Opened, Validated, kind, load, load_changed, load_topology, merged, validate,
};
pub use schema::{Kind, schema};

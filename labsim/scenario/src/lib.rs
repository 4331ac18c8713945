//! Topology and scenario files: read, validated, names resolved.
//!
//! What leaves this crate is a [`model::Scenario`] that cannot be wrong: every name in it
//! resolves, every address fits its subnet, every expectation names a step and a capture point
//! that exist. A file that is wrong gives every one of its mistakes with its place instead.

#![forbid(unsafe_code)]

mod file;
mod load;
pub mod model;
mod resolve;
mod schema;
mod text;

pub use load::{Loaded, Validated, kind, load, load_topology, validate};
pub use schema::{Kind, schema};

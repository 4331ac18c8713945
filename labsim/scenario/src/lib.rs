//! Topology and scenario files: read, validated, names resolved.
//!
//! What leaves this crate is a [`model::Scenario`] that cannot be wrong: every name in it
//! resolves, every address fits its subnet, every expectation names a step and a capture point
//! that exist.

pub mod model;

//! YAML, read into types.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod common;
mod derive;
mod document;
mod follow_ups;
mod hostile;
mod keys;
mod open;
mod partial;
mod text;
mod wrong_values;

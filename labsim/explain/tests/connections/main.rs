//! Captures explained.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod bypass;
mod configuration;
mod document;
mod explain;
mod families;
mod given;
mod many;
mod redact;
mod reports;
mod roles;
mod support;
mod udp;

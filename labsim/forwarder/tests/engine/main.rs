//! The engine, driven by frames and a clock of the test's.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod announce;
mod availability;
mod capture;
mod datagrams;
mod driven;
mod failover;
mod families;
mod flows;
mod neighbours;
mod offload;
mod outcomes;
mod own_host;
mod persistence;
mod prefetch;
mod probe;
mod properties;
mod reconfigure;
mod scheduling;
mod support;
mod timeout;
mod translation;
mod translation6;
mod translation_properties;
mod tunnels;

//! The file formats, read from texts and from the shipped files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod captures;
mod common;
mod exercises;
mod expectation_mistakes;
mod extends;
mod failover;
mod families;
mod filters;
mod floods;
mod impairments;
mod ipvs;
mod limits;
mod listening;
mod long_names;
mod monitors;
mod mutations;
mod node_changes;
mod one_load_balancer;
mod operation_mistakes;
mod plain;
mod processes;
mod scenario_format;
mod scenario_mistakes;
mod schema;
mod secrets;
mod services;
mod shipped;
mod step_mistakes;
mod tags;
mod together;
mod topology_format;
mod topology_mistakes;
mod warnings;

//! Every kind of check and every cause, on frames of the document's lab.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod answer;
mod begun_flows;
mod comparing;
mod diagnosing;
mod diagnosis;
mod exchange;
mod families;
mod faults;
mod flow_moves;
mod forwarder;
mod frames;
mod garbage;
mod intervals;
mod kernel;
mod lab;
mod lateness;
mod links;
mod loops;
mod many;
mod one_port;
mod path_metrics;
mod probes;
mod scenario;
mod states;
mod steps;
mod translation;
mod wire;

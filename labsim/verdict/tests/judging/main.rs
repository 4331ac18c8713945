//! Every kind of check and every cause, on frames of the document's lab.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod answer;
mod comparing;
mod diagnosing;
mod exchange;
mod families;
mod faults;
mod forwarder;
mod frames;
mod garbage;
mod kernel;
mod lab;
mod loops;
mod many;
mod passage;
mod probes;
mod scenario;
mod translation;
mod wire;

//! Every kind of check and every cause, on frames of the document's lab.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod answer;
mod diagnosing;
mod exchange;
mod frames;
mod lab;
mod scenario;
mod wire;

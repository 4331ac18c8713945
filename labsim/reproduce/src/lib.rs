//! Labs for connections that were captured elsewhere. Pure.
//!
//! [`experiments`] makes of each explained connection a topology and scenarios: one without a fault, and one for
//! each cause that its captures show or leave possible. [`Experiment::compare`] lays the captures of such a lab beside
//! those that the connection was explained from. What comes of it is a [`Reproduction`].

#![forbid(unsafe_code)]

mod configured;
mod difference;
mod experiment;
mod faults;
mod flow;
mod hops;
mod members;
mod network;
mod packet;
mod places;
mod reproduction;
mod scenario;
mod service;
mod subnet;
mod topology;
mod translation;
#[cfg(test)]
mod valid_tests;
mod wiring;
mod yaml;

pub use difference::Difference;
pub use experiment::{Experiment, File, Impossible, Lab, MAX_EXPERIMENTS, NotBuilt, experiments};
pub use flow::LEFT_OUT;
pub use reproduction::{Connection, Document, LabResult, Outcome, Reproduction};

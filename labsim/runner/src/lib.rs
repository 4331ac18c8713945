//! Runs scenarios: plan, build, traffic, observe, judge; tells what happens in events.
//!
//! The order of a scenario's course is in `course.rs`. Every wait is for an event with a
//! deadline; the deadlines only bound what hangs.

#![forbid(unsafe_code)]

mod balancer_config;
mod balancers;
mod cancel;
mod course;
mod datagrams;
mod devices;
mod fault;
mod impairments;
mod jobs;
mod judgement;
mod login;
mod observations;
mod processes;
mod servers;
mod settle;
mod steps;
mod tunnels;

pub use cancel::{Cancelled, Canceller, cancellation};
pub use course::{Ways, rehearse};
pub use impairments::Impairments;
pub use jobs::{run, skip};
pub use tunnels::Tunnel;

use labsim_event::Event;
use labsim_scenario::model::Scenario;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// A scenario to be run.
#[derive(Debug, Clone)]
pub struct Work {
    /// Its file, for messages.
    pub file: PathBuf,
    /// What is in it.
    pub scenario: Scenario,
    /// What reading it warned about.
    pub warnings: Vec<String>,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many labs at a time.
    pub jobs: NonZeroUsize,
    /// Who takes packets out of tunnels.
    pub tunnel: Tunnel,
    /// Who impairs links.
    pub impairments: Impairments,
    /// The program whose `forwarder` command is a load balancer: labsim itself.
    pub program: PathBuf,
    /// By which right namespaces are made, for the report.
    pub rights: String,
}

/// Takes events; scenarios side by side call it from their own threads.
pub type Tell<'a> = &'a (dyn Fn(Option<&str>, Event) + Sync);

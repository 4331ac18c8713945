//! Runs scenarios: plan, build, start, steps, observe, stop, verdict; emits events meanwhile.
//!
//! The order of a scenario's run is in `scenario_run.rs`. Every wait is for an event with a
//! deadline; the deadlines only bound what hangs.

#![forbid(unsafe_code)]

mod cancel;
mod choices;
mod component;
mod components;
mod datagrams;
mod error;
mod exchange;
mod experiment;
mod intervals;
mod jobs;
mod judgement;
mod keep;
mod lag;
mod logbook;
mod observations;
mod observing;
mod parallel;
mod partition;
mod plan;
mod proof;
mod quiesce;
mod scenario_run;
mod steps;

pub use cancel::{Cancelled, Canceller, cancellation};
pub use choices::{EngineChoice, Engines, ImpairmentChoice, TunnelChoice};
pub use components::Running;
pub use components::configure::Done;
pub use components::servers::serve;
pub use error::RunError;
pub use experiment::{Experiment, experiment};
pub use jobs::{run, skip};
pub use keep::{Keeping, Kept, keep};
pub use logbook::{Logbook, LoggedLine, NodeLog};
pub use parallel::{Jobs, open_files};
pub use partition::{
    Candidate, OtherScenarios, Partition, PartitionError, PartitionMethod, Selection,
};
pub use plan::RunPlan;
pub use proof::{LoadChanged, Proving};
pub use scenario_run::dry_run;

use labsim_codes::Code;
use labsim_dataplane::forwarder::DataPlaneChoice;
use labsim_event::Event;
use labsim_scenario::model::{PvaAcceleration, Scenario};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

/// A scenario to be run.
pub struct Work {
    /// What names it in events and results; unique in a run.
    pub id: String,
    /// Its file, for messages.
    pub file: PathBuf,
    /// Reads the file. It is read when its turn comes and dropped afterwards, so that a long run needs
    /// no more memory than a short one.
    pub load: Box<dyn FnOnce() -> Result<Loaded, Rejection> + Send>,
    /// Reads the file with a change laid over it, to prove causes.
    pub load_changed: LoadChanged,
}

/// Why a scenario's file is not valid.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// The code of the first error.
    pub code: Code,
    /// Each error as `file:line:column: sentence [code]`; at least one.
    pub errors: Vec<String>,
}

/// A scenario that was read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The scenario.
    pub scenario: Scenario,
    /// Warnings of the file's reader, as `file:line:column: sentence`.
    pub warnings: Vec<String>,
    /// The file merged with those that it extends, as YAML without secrets.
    pub configuration: String,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many scenarios there are; `None` if they are repeated until one fails.
    pub scenarios: Option<usize>,
    /// How many scenarios run at the same time.
    pub jobs: NonZeroUsize,
    /// What decapsulates tunnels.
    pub tunnel: TunnelChoice,
    /// What forwards for load balancers.
    pub engine: EngineChoice,
    /// What moves the frames of load balancers.
    pub data_plane: DataPlaneChoice,
    /// The acceleration of all virtual servers; `None` leaves each its own.
    pub pva: Option<PvaAcceleration>,
    /// What impairs links.
    pub impairments: ImpairmentChoice,
    /// The program whose `forwarder` command is a load balancer: labsim itself.
    pub program: PathBuf,
    /// By which right namespaces are created, for the report.
    pub rights: String,
    /// When a run or a scenario ends early, is tried again, or counts as failed.
    pub policy: Policy,
    /// How the causes of failures are proved, if they are.
    pub proving: Option<Proving>,
}

/// When a run or a scenario ends early, is tried again, or counts as failed.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    /// No scenario begins once so many have failed or ended with an error.
    pub max_fail: Option<NonZeroUsize>,
    /// How long a scenario may take.
    pub timeout: Option<Duration>,
    /// How long the run may take.
    pub run_timeout: Option<Duration>,
    /// How often a scenario that failed or ended with an error is tried again.
    pub retries: usize,
    /// Skipped scenarios that count as failed.
    pub fail_on_skip: SkipRule,
}

/// Skipped scenarios that count as failed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum SkipRule {
    /// None.
    #[default]
    Accept,
    /// All.
    FailAll,
    /// Those skipped for a reason of one of these codes.
    Fail(Vec<Code>),
}

impl SkipRule {
    /// The codes for which scenarios are skipped.
    #[must_use]
    pub const fn codes() -> &'static [Code] {
        error::UNSUPPORTED
    }

    fn fails(&self, code: Code) -> bool {
        match self {
            Self::Accept => false,
            Self::FailAll => true,
            Self::Fail(codes) => codes.contains(&code),
        }
    }
}

/// Receives events with the scenario that they belong to. Scenarios that run at the same time call
/// it from their own threads.
pub type Emit<'a> = &'a (dyn Fn(Option<&str>, Event) + Sync);

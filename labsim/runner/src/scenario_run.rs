//! The run of one scenario: plan, build, start, steps, quiesce, observe, stop, verdict.

use crate::cancel::Cancelled;
use crate::choices::Engines;
use crate::component;
use crate::components::forwarder::WaitingForwarders;
use crate::components::programs::check_installed;
use crate::components::{Components, build_lab};
use crate::error::RunError;
use crate::jobs::milliseconds;
use crate::logbook::Logbook;
use crate::observations;
use crate::observing::{After, Observing, Steps, observe};
use crate::plan::RunPlan;
use crate::steps::{OpenLogins, StepRecord};
use crate::{ImpairmentChoice, Options, TunnelChoice, judgement};
use labsim_codes::Code;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::{Capture, Lab, Scope};
use labsim_scenario::model::Scenario;
use labsim_verdict::{Failure, Observations, Verdict};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::info;

/// The verdict of a scenario.
pub(crate) struct RunResult {
    /// Whether every expectation holds and nothing else is wrong.
    pub(crate) passed: bool,
    /// If it failed: that of the verdict.
    pub(crate) code: Option<Code>,
    /// How many expectations hold.
    pub(crate) held: usize,
    /// If it failed: what the verdict shows.
    pub(crate) failure: Option<Failure>,
    /// How late the scenario's event loop ran at most.
    pub(crate) lag: Duration,
}

/// Builds a scenario's lab and starts its captures, and undoes both: whether the scenario can run
/// on this machine. Returns how its tunnels and its impairments would work.
///
/// # Errors
/// [`RunError::Unsupported`] with what is missing and the remedy; [`RunError::Internal`] if
/// building failed for another reason.
pub fn dry_run(scenario: &Scenario) -> Result<Engines, RunError> {
    check_installed(scenario)?;
    let engines = Engines::choose(scenario, TunnelChoice::Auto, ImpairmentChoice::Auto)?;
    let lab = Lab::build(&RunPlan::new(scenario, &engines)?.lab)?;
    Capture::start(&lab)?;
    Ok(engines)
}

/// What a scenario's runs capture.
pub(crate) fn capture_scope(scenario: &Scenario) -> Scope {
    Scope::new(scenario.captures.clone(), labsim_verdict::frame_matches)
}

/// Runs a scenario. Its lab is gone when this returns.
pub(crate) fn run(
    scenario: &Scenario,
    options: &Options,
    emit: &dyn Fn(Event),
    cancelled: &Cancelled,
) -> Result<RunResult, RunError> {
    check_installed(scenario)?;
    let scenario = &*options.engine.apply(scenario)?;
    let accelerated = options.pva.map(|pva| scenario.with_pva_acceleration(pva));
    let scenario = accelerated.as_ref().unwrap_or(scenario);
    let engines = Engines::choose(scenario, options.tunnel, options.impairments)?
        .with_data_plane(options.data_plane);
    let began = Instant::now();
    let plan = RunPlan::new(scenario, &engines)?;
    let (mut lab, waiting) = build_lab(&plan, &options.program)?;
    info!(nodes = plan.lab.nodes.len(), links = plan.links(), "lab built");
    emit(Event::LabBuilt {
        nodes: plan.lab.nodes.len(),
        links: plan.links(),
        tunnel: engines.tunnel,
        impairments: engines.impairments,
        took_ms: milliseconds(began),
        lab: Some(Box::new(labsim_picture::Lab::of_scenario(scenario))),
        plan: plan.node_lines(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::from_source(run::PROCESS_LIMIT, "the scenario's event loop"))?;
    let local = tokio::task::LocalSet::new();
    let mut cancelled = cancelled.clone();
    let run = run_lab(scenario, plan, (&mut lab, waiting), &options.program, emit, &mut cancelled);
    local.block_on(&runtime, run)
}

/// Everything between the built lab and the verdict.
async fn run_lab(
    scenario: &Scenario,
    plan: RunPlan,
    (lab, waiting): (&mut Lab, WaitingForwarders),
    program: &Path,
    emit: &dyn Fn(Event),
    cancelled: &mut Cancelled,
) -> Result<RunResult, RunError> {
    let began = Instant::now();
    let capture = Capture::start_of(lab, capture_scope(scenario))?;
    let longest_delay = plan.relay.longest_delay;
    let mut components = Components::new(plan, (lab, waiting), program, Logbook::default());
    let lab = &*lab;
    let mut open = OpenLogins::default();
    let work = async |components: &mut Components| {
        let mut record = StepRecord::default();
        let observing = Observing { lab, capture, longest_delay, began, after: After::LabEnds };
        let steps = Steps { all: &scenario.steps, record: &mut record, open: &mut open };
        let mut observations = observe(observing, components, steps, emit).await?;
        let verdict = judgement::judge(scenario, &mut observations, lab);
        Ok((observations, verdict))
    };
    let (observed, verdict) =
        component::run_with(&mut components, lab, cancelled, emit, work).await?;
    Ok(report(observed, verdict, emit))
}

/// Emits what was observed, and the verdict.
pub(crate) fn report(observed: Observations, verdict: Verdict, emit: &dyn Fn(Event)) -> RunResult {
    let observations = Arc::new(observed);
    observations::counter_events(&observations).for_each(emit);
    emit(Event::Observed {
        frames: observations.capture.len(),
        dropped: observations.capture_drops.values().sum(),
        observations: Arc::clone(&observations),
    });
    judgement::report(verdict, Duration::from_nanos(observations.lag_ns), emit)
}

//! Steps of a running lab, observed: from the markers at the begin of a capture until nothing is in
//! flight any more.

use crate::component;
use crate::components::Components;
use crate::components::servers::LogLine;
use crate::error::RunError;
use crate::intervals::Intervals;
use crate::jobs::milliseconds;
use crate::observations::{self, Collected, Snapshot};
use crate::quiesce;
use crate::steps::{LabSteps, OpenLogins, RunContext, StepRecord, run_steps};
use labsim_event::Event;
use labsim_lab::{Capture, Lab, MarkerKind};
use labsim_model::ProbeSources;
use labsim_scenario::model::{NodeName, Step};
use labsim_verdict::Observations;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a capture point may take to see its own marker.
const MARKER_TIMEOUT: Duration = Duration::from_secs(20);

/// How steps are observed.
pub(crate) struct Observing<'a> {
    pub(crate) lab: &'a Lab,
    /// Runs already.
    pub(crate) capture: Capture,
    /// The longest time that a frame may be on impaired links.
    pub(crate) longest_delay: Duration,
    /// When its preparations began, for the report.
    pub(crate) began: Instant,
    pub(crate) after: After,
}

/// What comes after the steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// The lab's end.
    LabEnds,
    /// The lab stays up. What it counted before the steps is left out.
    LabStays,
    /// More steps; logins that are open go on.
    MoreSteps,
}

/// Steps, with what those before them left.
pub(crate) struct Steps<'r, 'a> {
    pub(crate) all: &'r [Step],
    pub(crate) record: &'r mut StepRecord,
    pub(crate) open: &'r mut OpenLogins<'a>,
}

/// Runs steps, waits until nothing is in flight, and ends the capture. Monitors do not probe when this
/// returns; after an error they may not.
pub(crate) async fn observe<'a>(
    observing: Observing<'a>,
    components: &mut Components,
    steps: Steps<'_, 'a>,
    emit: &dyn Fn(Event),
) -> Result<Observations, RunError> {
    let Observing { lab, capture, longest_delay, began, after } = observing;
    capture.mark(MarkerKind::Start, Instant::now() + MARKER_TIMEOUT)?;
    // Between the markers, which the kernel counts as well.
    let before = snapshot(components, lab, &capture).await?;
    emit(Event::Ready {
        capture_points: capture.taken_points(),
        data_planes: data_planes(components),
        took_ms: milliseconds(began),
    });
    let intervals = Intervals::new(before);
    let context = RunContext::new(lab, &capture, components, longest_delay, emit, intervals);
    let Steps { all, record, open } = steps;
    let steps = Steps { all, record: &mut *record, open };
    let Quiescent { quiescent_ns, probes, server_log, intervals } =
        run_to_quiescence(context, lab, steps, after).await?;
    let after_steps = snapshot(components, lab, &capture).await?;
    capture.mark(MarkerKind::End, Instant::now() + MARKER_TIMEOUT)?;
    let captured = capture.stop()?;
    component::check(components)?;
    let collected = Collected {
        captured,
        quiescent_ns,
        probes,
        steps: record.observed.clone(),
        lag: record.lag,
        server_log,
        intervals,
        after: after_steps,
        since_first_step: after != After::LabEnds,
    };
    Ok(collected.into_observations())
}

/// What the steps left when nothing was in flight any more.
struct Quiescent {
    quiescent_ns: Option<u64>,
    probes: BTreeMap<NodeName, ProbeSources>,
    server_log: Vec<LogLine>,
    intervals: Intervals,
}

/// Runs the steps, and waits until nothing is in flight.
async fn run_to_quiescence<'a>(
    context: RunContext<'_>,
    lab: &'a Lab,
    steps: Steps<'_, 'a>,
    after: After,
) -> Result<Quiescent, RunError> {
    let emit = context.emit;
    let mut executor = LabSteps::new(lab, context, steps.open);
    run_steps(steps.all, steps.record, &mut executor, emit).await?;
    if after != After::MoreSteps {
        // What that sends is in flight before the lab is quiet.
        executor.end_open_logins();
    }
    let mut context = executor.into_context();
    // They would probe for ever, and packets would always be in flight.
    let mut probes = BTreeMap::new();
    for forwarder in context.components.forwarders() {
        let sources = match after {
            After::LabEnds => forwarder.stop_monitors().await?,
            After::LabStays | After::MoreSteps => forwarder.pause_monitors().await?,
        };
        if !sources.is_empty() {
            probes.insert(forwarder.node().clone(), sources);
        }
    }
    observations::probe_events(&probes).for_each(emit);
    let quiescent_ns = quiesce::wait(&mut context).await?;
    context.collect_server_log();
    let RunContext { server_log, intervals, .. } = context;
    Ok(Quiescent { quiescent_ns, probes, server_log, intervals })
}

/// What all components have counted up to now, with everything that reached them before.
async fn snapshot(
    components: &mut Components,
    lab: &Lab,
    capture: &Capture,
) -> Result<Snapshot, RunError> {
    component::flush(components, Instant::now() + MARKER_TIMEOUT).await?;
    let refused_neighbours = labsim_lab::refused_neighbours();
    Ok(Snapshot { refused_neighbours, ..count(components, lab, capture).await? })
}

/// What all components have counted up to now. What the machine's kernel refused, which is looked at
/// over all steps only, is left out.
pub(crate) async fn count(
    components: &mut Components,
    lab: &Lab,
    capture: &Capture,
) -> Result<Snapshot, RunError> {
    let (markers, from_ns) = (capture.markers(), labsim_lab::now_ns());
    let mut snapshot = Snapshot { markers, from_ns, ..Snapshot::default() };
    component::observe(components, lab, &mut snapshot).await?;
    snapshot.until_ns = labsim_lab::now_ns();
    Ok(snapshot)
}

/// How each forwarder moves frames.
fn data_planes(components: &mut Components) -> BTreeMap<String, String> {
    let planes = components.forwarders().filter_map(|forwarder| {
        Some((forwarder.node().to_string(), forwarder.data_plane()?.to_owned()))
    });
    planes.collect()
}

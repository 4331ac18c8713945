//! The course of one scenario: plan, build, listen, capture, traffic, silence, verdict.

use crate::balancers::Balancers;
use crate::cancel::Cancelled;
use crate::fault::Fault;
use crate::impairments::{Engine, Impaired, Impairments};
use crate::jobs::milliseconds;
use crate::observations::Kernels;
use crate::processes::{self, Processes};
use crate::servers::{Line, Servers};
use crate::steps::{Means, Steps};
use crate::tunnels::{Tunnel, Tunnels, Way};
use crate::{Options, Tell, Work, devices, impairments, judgement, observations, settle};
use labsim_event::Event;
use labsim_lab::{Capture, Lab, MarkerKind, Plan};
use labsim_scenario::model::Scenario;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a capture point may take to see its own marker.
const MARKER_PATIENCE: Duration = Duration::from_secs(20);

/// What was decided.
pub(crate) struct Judged {
    pub(crate) passed: bool,
    pub(crate) held: usize,
}

/// What does a scenario's work on this machine, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ways {
    /// Who takes packets out of tunnels.
    pub tunnel: String,
    /// Who impairs links; `None` if none is impaired.
    pub impairments: Option<String>,
}

/// Builds a scenario's lab and starts its captures, and undoes both: whether the scenario can run
/// on this machine. Returns how its tunnel and its impairments would work.
///
/// # Errors
/// What is missing, and the remedy.
pub fn rehearse(scenario: &Scenario) -> Result<Ways, String> {
    let rehearsal = || {
        processes::look_up(scenario)?;
        let way = Way::choose(Tunnel::Auto, scenario)?;
        let engine = Engine::choose(Impairments::Auto, scenario)?;
        let plan = engine.plan(Plan::of(scenario, way.modes));
        let lab = Lab::build(&plan).map_err(observations::unbuilt)?;
        Capture::start(&lab).map_err(Fault::broken("the captures cannot be started"))?;
        Ok(Ways { tunnel: way.told, impairments: engine.told })
    };
    rehearsal().map_err(|fault: Fault| fault.to_string())
}

/// Carries a scenario out. Its lab is gone when this returns.
pub(crate) fn run(
    work: &Work,
    options: &Options,
    tell: Tell<'_>,
    cancelled: &Cancelled,
) -> Result<Judged, Fault> {
    let scenario = &work.scenario;
    let tell = |event: Event| tell(Some(scenario.name.as_str()), event);
    processes::look_up(scenario)?;
    let way = Way::choose(options.tunnel, scenario)?;
    let engine = Engine::choose(options.impairments, scenario)?;
    let began = Instant::now();
    let plan = engine.plan(Plan::of(scenario, way.modes));
    let mut lab = Lab::build(&plan).map_err(observations::unbuilt)?;
    tell(Event::LabBuilt {
        nodes: scenario.topology.nodes.len(),
        links: links(scenario),
        tunnel: way.told,
        impairments: engine.told,
        took_ms: milliseconds(began),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Fault::broken("the scenario's event loop"))?;
    let local = tokio::task::LocalSet::new();
    let mut cancelled = cancelled.clone();
    local.block_on(&runtime, async {
        tokio::select! {
            biased;
            () = cancelled.wait() => Err(Fault::Interrupted),
            judged = carry_out(scenario, &mut lab, &options.program, &tell) => judged,
        }
    })
}

/// Everything between the built lab and its end.
async fn carry_out(
    scenario: &Scenario,
    lab: &mut Lab,
    program: &Path,
    tell: &dyn Fn(Event),
) -> Result<Judged, Fault> {
    let began = Instant::now();
    let capture = Capture::start(lab).map_err(Fault::broken("the captures cannot be started"))?;
    let impaired = Impaired::start(lab)?;
    let tunnels = Tunnels::start(lab, scenario)?;
    let lab = &*lab;
    let servers = Servers::start(lab, scenario)?;
    let balancers = Balancers::start(lab, scenario, program).await?;
    let mut processes = Processes::start(lab, scenario, tell).await?;
    mark(&capture, MarkerKind::Start)?;
    // Between the markers, which the kernel counts as well.
    let before = kernels(lab, scenario, &tunnels, &capture)?;
    tell(Event::Ready {
        capture_points: capture.points(),
        data_planes: balancers.data_planes(),
        took_ms: milliseconds(began),
    });

    let longest_way = impairments::longest_way(scenario);
    let mut means =
        Means { lab, capture: &capture, tunnels: &tunnels, servers, balancers, longest_way };
    let mut steps = Steps::new(lab);
    let mut log = Vec::new();
    for step in &scenario.steps {
        steps.take(step, &mut means, tell).await?;
        keep_lines(&means.servers, &mut log, tell);
        processes.check()?;
    }

    // They would go on for ever, and nothing would ever be quiet.
    let probes = observations::probes(means.balancers.stop_monitors().await?);
    for event in observations::probes_told(&probes) {
        tell(event);
    }
    let settled_ns = settle::settle(&mut means).await?;
    keep_lines(&means.servers, &mut log, tell);
    let counted = means.balancers.counted().await?;
    let after = kernels(lab, scenario, &tunnels, &capture)?;
    mark(&capture, MarkerKind::End)?;
    let captured = capture.stop().map_err(Fault::broken("the captures cannot be ended"))?;
    processes.stop().await?;
    let (steps, failures) = steps.finish();
    let links = impaired.counted(scenario);
    let counters = (&before, &after);
    let observed = observations::collect(
        &captured,
        (settled_ns, probes),
        steps,
        log,
        &counted,
        links,
        counters,
    );
    let observed = Arc::new(observed);
    for (end, counters) in &observed.link_counters {
        let interface = format!("{}:{}", end.node, end.interface);
        let counters = counters.by_name.clone();
        tell(Event::LinkCounted { interface, counters });
    }
    for (node, counters) in &observed.forwarder_counters {
        let counters = counters.clone();
        tell(Event::ForwarderCounted { node: node.to_string(), counters });
    }
    for event in observations::kernels_told(&observed) {
        tell(event);
    }
    tell(Event::Observed {
        frames: observed.capture.len(),
        dropped: observed.capture_drops.values().sum(),
        observations: Arc::clone(&observed),
    });
    Ok(judgement::judge(scenario, &observed, failures, tell))
}

/// What kernels have counted up to now, once decapsulators have dealt with what they have.
fn kernels(
    lab: &Lab,
    scenario: &Scenario,
    tunnels: &Tunnels,
    capture: &Capture,
) -> Result<Kernels, Fault> {
    tunnels.drain(Instant::now() + MARKER_PATIENCE)?;
    Ok(Kernels {
        protocols: observations::kernel_counters(lab)?,
        devices: devices::counted(lab, scenario, tunnels, capture)?,
    })
}

/// Tells and keeps what servers logged meanwhile.
fn keep_lines(servers: &Servers<'_>, log: &mut Vec<Line>, tell: &dyn Fn(Event)) {
    for (node, entry) in servers.new_lines() {
        let (client, line) = (entry.client, entry.to_string());
        tell(Event::ServerLogged { node: node.to_string(), client, line });
        log.push((node, entry));
    }
}

/// Marks every capture point. Points that did not see their marker are for the verdict to judge.
fn mark(capture: &Capture, kind: MarkerKind) -> Result<(), Fault> {
    capture
        .mark(kind, Instant::now() + MARKER_PATIENCE)
        .map(drop)
        .map_err(Fault::broken("the marker frames cannot be sent"))
}

fn links(scenario: &Scenario) -> usize {
    let ports: usize = scenario.topology.segments.iter().map(|segment| segment.ports.len()).sum();
    scenario.topology.links.len() + ports
}

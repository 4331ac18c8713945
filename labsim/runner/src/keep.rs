//! A lab that stays up: built and started as for a run. Its steps are run when they are asked for, as
//! often as wanted, each time with captures of their own.

mod change;

use crate::cancel::Cancelled;
use crate::choices::Engines;
use crate::component;
use crate::components::programs::check_installed;
use crate::components::{Components, Running, build_lab};
use crate::error::RunError;
use crate::intervals::Intervals;
use crate::jobs::Ending;
use crate::logbook::Logbook;
use crate::observing::{After, Observing, Steps, observe};
use crate::plan::RunPlan;
use crate::scenario_run::{capture_scope, report};
use crate::steps::{OpenLogins, RunContext, StepRecord};
use crate::{ImpairmentChoice, Policy, TunnelChoice, judgement, quiesce};
use labsim_codes::run;
use labsim_dataplane::forwarder::DataPlaneChoice;
use labsim_event::{Event, Outcome};
use labsim_lab::{Capture, Lab};
use labsim_scenario::model::{
    InterfaceName, LoginResult, NodeName, PvaAcceleration, Scenario, Step,
};
use labsim_verdict::{Observations, diagnose};
use std::convert::Infallible;
use std::ops::Range;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

/// How a lab is kept.
#[derive(Debug, Clone)]
pub struct Keeping {
    /// What decapsulates tunnels.
    pub tunnel: TunnelChoice,
    /// What impairs links.
    pub impairments: ImpairmentChoice,
    /// What forwards established flows of virtual servers with `pva_acceleration`.
    pub data_plane: DataPlaneChoice,
    /// The acceleration of all virtual servers, in place of their own.
    pub pva: Option<PvaAcceleration>,
    /// The program whose `forwarder` command is a load balancer: labsim itself.
    pub program: PathBuf,
}

/// A lab that is up, with everything that runs in it.
pub struct Kept<'a> {
    lab: &'a Lab,
    components: &'a mut Components,
    engines: &'a Engines,
    scenario: Rc<Scenario>,
    /// The acceleration of all virtual servers, in place of the scenario's.
    pva: Option<PvaAcceleration>,
    /// The longest time that a frame may be on impaired links.
    longest_delay: Duration,
    /// Of the steps that were run one by one.
    record: StepRecord,
    open: OpenLogins<'a>,
    /// The place of the step after the last one that was run.
    next: usize,
}

impl<'a> Kept<'a> {
    /// The lab.
    #[must_use]
    pub fn lab(&self) -> &'a Lab {
        self.lab
    }

    /// How its tunnels and impairments work.
    #[must_use]
    pub fn engines(&self) -> &'a Engines {
        self.engines
    }

    /// What runs in its nodes.
    pub fn running(&mut self) -> Vec<Running> {
        self.components.running()
    }

    /// What its programs and servers print and log.
    #[must_use]
    pub fn logbook(&self) -> Logbook {
        self.components.logbook().clone()
    }

    /// Forgets what the built-in servers logged, which grows with every request. To be called now and
    /// then.
    pub fn forget_server_log(&mut self) {
        drop(self.components.server_log().take());
    }

    /// The scenario.
    #[must_use]
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The scenario's steps.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.scenario.steps
    }

    /// The place of the step after the last one that was run.
    #[must_use]
    pub fn next(&self) -> usize {
        self.next
    }

    /// Lets logins that a step has left in the background go on; never ready. To be polled while nothing
    /// else is done.
    pub fn poll_open_logins(&mut self, context: &mut Context<'_>) -> Poll<Infallible> {
        self.open.poll(context);
        Poll::Pending
    }

    /// Runs steps by their places, one by one: how each ended, and of one that did not pass, what became
    /// of its packets. Can be dropped at any time, with [`Self::recover`] after that.
    ///
    /// # Errors
    /// A step cannot be run, and the lab stays up.
    pub async fn step(
        &mut self,
        places: Range<usize>,
        emit: &dyn Fn(Event),
    ) -> Result<(), RunError> {
        for place in places {
            self.observed_step(place, emit).await?;
        }
        Ok(())
    }

    /// Runs the step at a place as [`Self::step`] does, and returns what was observed meanwhile.
    ///
    /// # Errors
    /// The step cannot be run, and the lab stays up.
    pub async fn observed_step(
        &mut self,
        place: usize,
        emit: &dyn Fn(Event),
    ) -> Result<Observations, RunError> {
        let scenario = Rc::clone(&self.scenario);
        let steps = scenario.steps.get(place..=place).unwrap_or_default();
        self.next = place + 1;
        let observed = self.observe(steps, After::MoreSteps, emit).await;
        self.recover().await?;
        let mut observations = observed?;
        for step in steps {
            if has_passed(&observations, step) {
                continue;
            }
            observations.states = judgement::states(self.lab);
            if let Some(diagnosis) = diagnose(&scenario, &observations, &step.name) {
                emit(Event::Diagnosed {
                    step: diagnosis.step.to_string(),
                    findings: diagnosis.findings(),
                    causes: diagnosis.records(),
                });
            }
        }
        Ok(observations)
    }

    /// Runs all steps, and judges what was observed as a run does. The lab stays as the steps leave it.
    /// Emits what a run emits of a scenario from [`Event::Ready`] on. Can be dropped at any time, with
    /// [`Self::recover`] after that.
    pub async fn check(&mut self, emit: &dyn Fn(Event)) -> Outcome {
        let began = Instant::now();
        let observed = self.judge(emit).await;
        let recovered = self.recover().await;
        let result = observed.and_then(|result| recovered.map(|()| result));
        let ending = Ending::of(result, self.scenario.expectations.len(), &Policy::default());
        let outcome = ending.outcome;
        emit(ending.into_event(began));
        outcome
    }

    /// Has monitors probe again, if they do not. To be called when steps were interrupted.
    ///
    /// # Errors
    /// A forwarder does not answer.
    pub async fn recover(&mut self) -> Result<(), RunError> {
        for forwarder in self.components.forwarders() {
            forwarder.resume_monitors().await?;
        }
        Ok(())
    }

    /// Starts again what runs in nodes: forwarders in any case, as members and flows are what they were
    /// then, servers that were stopped, and programs that have ended. Returns what was started, by its node.
    ///
    /// # Errors
    /// One of them cannot be started.
    pub async fn start_again(
        &mut self,
        nodes: &[NodeName],
    ) -> Result<Vec<(NodeName, String)>, RunError> {
        self.components.start_again(self.lab, nodes, &|_| ()).await
    }

    /// Begins with the first step, with logins that are open ended and what nodes have learned forgotten.
    ///
    /// # Errors
    /// A node cannot be entered.
    pub fn begin_anew(&mut self) -> Result<(), RunError> {
        (self.record, self.open, self.next) = (StepRecord::default(), OpenLogins::default(), 0);
        self.forget_learned()
    }

    async fn judge(
        &mut self,
        emit: &dyn Fn(Event),
    ) -> Result<crate::scenario_run::RunResult, RunError> {
        (self.record, self.open) = (StepRecord::default(), OpenLogins::default());
        self.next = self.scenario.steps.len();
        let scenario = Rc::clone(&self.scenario);
        let mut observations = self.observe(&scenario.steps, After::LabStays, emit).await?;
        let verdict = judgement::judge(&scenario, &mut observations, self.lab);
        Ok(report(observations, verdict, emit))
    }

    /// Runs steps with a capture of their own.
    async fn observe(
        &mut self,
        steps: &[Step],
        after: After,
        emit: &dyn Fn(Event),
    ) -> Result<Observations, RunError> {
        let began = Instant::now();
        self.end_earlier_probes(emit).await?;
        if after == After::LabStays {
            self.forget_learned()?;
        }
        self.forget_server_log();
        let capture = self.capture()?;
        if after == After::LabStays {
            // What they send then is captured, as in a new lab.
            for forwarder in self.components.forwarders() {
                forwarder.begin_anew().await?;
            }
        }
        self.recover().await?;
        let Self { lab, longest_delay, .. } = *self;
        let observing = Observing { lab, capture, longest_delay, began, after };
        let steps = Steps { all: steps, record: &mut self.record, open: &mut self.open };
        observe(observing, self.components, steps, emit).await
    }

    /// Has the kernels of all nodes forget what they learned from packets.
    fn forget_learned(&self) -> Result<(), RunError> {
        let failed = RunError::from_source(run::NAMESPACE_REFUSED, "what a node has learned");
        self.lab.nodes().try_for_each(|node| node.forget_learned()).map_err(failed)
    }

    /// Starts a capture. Devices may be down, as programs in the nodes set them.
    fn capture(&self) -> Result<Capture, RunError> {
        let capture = Capture::start_of(self.lab, capture_scope(&self.scenario))?;
        for (node, state) in judgement::states(self.lab) {
            for device in state.devices.iter().filter(|device| !device.up) {
                if let Ok(interface) = InterfaceName::new(device.name.as_str()) {
                    capture.was_down(&node, &interface);
                }
            }
        }
        Ok(capture)
    }

    /// Where monitors' probes came from is asked for since now. Nothing of earlier probes is in flight
    /// when this returns, and no monitor probes.
    async fn end_earlier_probes(&mut self, emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let mut any = false;
        for forwarder in self.components.forwarders() {
            any |= !forwarder.pause_monitors().await?.is_empty();
        }
        if any {
            let capture = self.capture()?;
            let (lab, components) = (self.lab, &mut *self.components);
            let (delay, intervals) = (self.longest_delay, Intervals::default());
            let mut context = RunContext::new(lab, &capture, components, delay, emit, intervals);
            quiesce::wait(&mut context).await?;
        }
        Ok(())
    }
}

/// Whether all logins and requests of a step passed, and what it waited for happened.
fn has_passed(observations: &Observations, step: &Step) -> bool {
    observations.step(&step.name).is_some_and(|observed| {
        let passed = observed
            .attempts
            .iter()
            .all(|attempt| matches!(attempt.result, LoginResult::Pass | LoginResult::Paused));
        passed && observed.unmet.is_none()
    })
}

/// Builds a scenario's lab, starts what runs in it, and does `work` when all of it is ready. The lab is
/// gone when this returns.
///
/// # Errors
/// [`RunError::Unsupported`] with what this machine lacks; [`RunError::Interrupted`]; that of `work`; or
/// [`RunError::Internal`] with what failed.
pub fn keep(
    scenario: &Scenario,
    keeping: &Keeping,
    cancelled: &Cancelled,
    work: impl AsyncFnOnce(Kept<'_>) -> Result<(), RunError>,
) -> Result<(), RunError> {
    check_installed(scenario)?;
    let accelerated = keeping.pva.map(|pva| scenario.with_pva_acceleration(pva));
    let scenario = accelerated.as_ref().unwrap_or(scenario);
    let engines = Engines::choose(scenario, keeping.tunnel, keeping.impairments)?
        .with_data_plane(keeping.data_plane);
    let plan = RunPlan::new(scenario, &engines)?;
    let longest_delay = plan.relay.longest_delay;
    let (mut lab, waiting) = build_lab(&plan, &keeping.program)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(RunError::from_source(run::PROCESS_LIMIT, "the lab's event loop"))?;
    let mut cancelled = cancelled.clone();
    let kept = async {
        let mut components =
            Components::new(plan, (&mut lab, waiting), &keeping.program, Logbook::keeping());
        let lab = &lab;
        let work = async |components: &mut Components| {
            let engines = &engines;
            let (record, open) = (StepRecord::default(), OpenLogins::default());
            let scenario = Rc::new(scenario.clone());
            work(Kept {
                lab,
                components,
                engines,
                scenario,
                pva: keeping.pva,
                longest_delay,
                record,
                open,
                next: 0,
            })
            .await
        };
        component::run_with(&mut components, lab, &mut cancelled, &|_| (), work).await
    };
    tokio::task::LocalSet::new().block_on(&runtime, kept)
}

//! Runs a scenario's steps, one after the other.

mod attempts;
mod background;
mod conditions;
mod exchanges;
mod failover;
mod flood;
mod links;
mod nodes;
mod packet;
mod paused;
mod transfer;

use crate::component::{self, Component as _};
use crate::components::Components;
use crate::components::programs::{log_event, run_to_end};
use crate::components::servers::LogLine;
use crate::error::RunError;
use crate::intervals::Intervals;
use crate::jobs::milliseconds;
use crate::lag::LagMeter;
use crate::observing::count;
use crate::quiesce;
use background::Background;
use labsim_event::Event;
use labsim_lab::{Capture, Lab, now_ns};
use labsim_scenario::model::{Step, StepAction, StepName};
use labsim_verdict::{Attempt, StepObservation};
use paused::Paused;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tracing::{Instrument as _, info, info_span};

/// A running lab, as steps use it.
pub(crate) struct RunContext<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) capture: &'a Capture,
    pub(crate) components: &'a mut Components,
    /// The longest time that a frame may be on impaired links.
    pub(crate) longest_delay: Duration,
    pub(crate) emit: &'a dyn Fn(Event),
    /// What the built-in servers have logged.
    pub(crate) server_log: Vec<LogLine>,
    /// What was counted from step to step.
    pub(crate) intervals: Intervals,
}

impl<'a> RunContext<'a> {
    pub(crate) fn new(
        lab: &'a Lab,
        capture: &'a Capture,
        components: &'a mut Components,
        longest_delay: Duration,
        emit: &'a dyn Fn(Event),
        intervals: Intervals,
    ) -> Self {
        let server_log = Vec::new();
        Self { lab, capture, components, longest_delay, emit, server_log, intervals }
    }

    /// Emits and keeps what the built-in servers have logged since the last call.
    pub(crate) fn collect_server_log(&mut self) {
        for logged in self.components.server_log().take() {
            let (client, line) = (logged.entry.client, logged.entry.to_string());
            (self.emit)(Event::ServerLogged { node: logged.node.to_string(), client, line });
            self.server_log.push(logged);
        }
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StepEnd {
    /// Its logins or requests; none of a step that makes none.
    pub(crate) attempts: Vec<Attempt>,
    /// A word.
    pub(crate) result: String,
    /// A sentence.
    pub(crate) detail: String,
    /// Whether the step waited in vain; the detail says for what.
    pub(crate) is_unmet: bool,
}

impl StepEnd {
    fn new(result: &str, detail: String) -> Self {
        Self { attempts: Vec::new(), result: result.to_owned(), detail, is_unmet: false }
    }

    /// Of a step that makes no login and no request.
    fn done(detail: impl Into<String>) -> Self {
        Self::new("done", detail.into())
    }

    /// What the step waited for did not happen in time.
    fn timed_out(detail: String) -> Self {
        Self { is_unmet: true, ..Self::new("timeout", detail) }
    }
}

/// How the steps ended up to now.
#[derive(Debug, Default)]
pub(crate) struct StepRecord {
    pub(crate) observed: Vec<StepObservation>,
    /// How late the event loop ran at most while they were executed.
    pub(crate) lag: Duration,
}

impl StepRecord {
    /// The attempts of an earlier step.
    fn attempts_mut(&mut self, login: &StepName) -> Result<&mut Vec<Attempt>, RunError> {
        let step = self.observed.iter_mut().find(|step| step.name == *login);
        step.map(|step| &mut step.attempts)
            .ok_or_else(|| RunError::step_impossible(format!("the step `{login}` was not run")))
    }
}

/// Executes steps.
pub(crate) trait StepExecutor {
    /// Executes one. It may change what earlier steps observed.
    async fn execute(&mut self, step: &Step, record: &mut StepRecord) -> Result<StepEnd, RunError>;

    /// Before each step.
    async fn before_step(&mut self, step: &Step) -> Result<(), RunError>;

    /// After each step, once its end is recorded.
    fn after_step(&mut self) -> Result<(), RunError>;
}

/// Runs steps in their order, and adds them to the record of those before. The first error ends
/// them. A step that is run once more takes its own place in the record.
pub(crate) async fn run_steps(
    steps: &[Step],
    record: &mut StepRecord,
    executor: &mut impl StepExecutor,
    emit: &dyn Fn(Event),
) -> Result<(), RunError> {
    for step in steps {
        executor.before_step(step).await?;
        let span = info_span!("step", name = %step.name);
        let end = run_step(step, executor, record, emit).instrument(span).await?;
        let StepEnd { attempts, detail, is_unmet, .. } = end;
        let unmet = is_unmet.then_some(detail);
        record.observed.retain(|earlier| earlier.name != step.name);
        record.observed.push(StepObservation { name: step.name.clone(), attempts, unmet });
        executor.after_step()?;
    }
    Ok(())
}

async fn run_step(
    step: &Step,
    executor: &mut impl StepExecutor,
    record: &mut StepRecord,
    emit: &dyn Fn(Event),
) -> Result<StepEnd, RunError> {
    let name = step.name.to_string();
    let what = step.action.description();
    info!(%what, "starts");
    emit(Event::StepStarted { step: name.clone(), what });
    let began = Instant::now();
    let meter = LagMeter::default();
    let end = meter.during(executor.execute(step, record)).await?;
    record.lag = record.lag.max(meter.longest());
    info!(result = end.result, detail = end.detail, "ends");
    emit(Event::StepEnded {
        step: name,
        result: end.result.clone(),
        detail: end.detail.clone(),
        attempts: end.attempts.len(),
        local: match end.attempts.as_slice() {
            [only] => only.local,
            _ => None,
        },
        took_ms: milliseconds(began),
    });
    Ok(end)
}

/// Logins that go on, or pause, after their steps. Dropping it ends them.
#[derive(Default)]
pub(crate) struct OpenLogins<'a> {
    background: Background<'a>,
    /// What the exchanges in the background are called.
    nouns: BTreeMap<StepName, &'static str>,
    paused: BTreeMap<StepName, Paused>,
}

impl OpenLogins<'_> {
    /// Lets those in the background go on. To be polled while no step runs.
    pub(crate) fn poll(&mut self, context: &mut std::task::Context<'_>) {
        self.background.poll_all(context);
    }
}

/// Executes steps in a running lab, which lives for `'a`.
pub(crate) struct LabSteps<'r, 'a> {
    lab: &'a Lab,
    context: RunContext<'r>,
    open: &'r mut OpenLogins<'a>,
}

impl<'r, 'a> LabSteps<'r, 'a> {
    pub(crate) fn new(lab: &'a Lab, context: RunContext<'r>, open: &'r mut OpenLogins<'a>) -> Self {
        Self { lab, context, open }
    }

    /// Ends the exchanges that are open.
    pub(crate) fn end_open_logins(&mut self) {
        *self.open = OpenLogins::default();
    }

    /// Returns what it was made of.
    pub(crate) fn into_context(self) -> RunContext<'r> {
        self.context
    }

    async fn execute_in_foreground(
        &mut self,
        step: &Step,
        record: &mut StepRecord,
    ) -> Result<StepEnd, RunError> {
        let context = &mut self.context;
        let (lab, components) = (context.lab, &mut *context.components);
        match &step.action {
            StepAction::Exchange(exchange) if exchange.pause => {
                let (attempt, paused) = paused::begin(lab, exchange).await?;
                self.open.paused.extend(paused.map(|paused| (step.name.clone(), paused)));
                Ok(attempts::summarize(vec![attempt], exchange.noun()))
            }
            StepAction::Exchange(exchange) => {
                let ended = exchanges::all(lab, exchange).await?;
                Ok(attempts::summarize(ended, exchange.noun()))
            }
            StepAction::Finish { login } => {
                Err(RunError::step_impossible(format!("`{login}` is not in the background")))
            }
            StepAction::Resume { login } => self.resume(login, record).await,
            StepAction::Run(run) => {
                let ended =
                    run_to_end(lab, &step.name, run, components.logbook(), context.emit).await?;
                let file = format!("{}.log", step.name);
                (context.emit)(log_event(file, &run.node, &ended.log));
                Ok(attempts::summarize(vec![ended.attempt], "program"))
            }
            StepAction::TcpTransfer(one) => {
                Ok(attempts::summarize(vec![transfer::run(lab, one).await?], "transfer"))
            }
            StepAction::SendPacket(packet) => {
                let end = packet::send(lab, packet)?;
                quiesce::wait(context).await?;
                Ok(end)
            }
            StepAction::Flood(flood) => {
                let end = flood::send(lab, flood).await?;
                quiesce::wait(context).await?;
                Ok(end)
            }
            StepAction::AwaitCounter { node, counter, at_least, timeout } => {
                let forwarder = components.forwarder(node)?;
                let telling = conditions::Telling::new(context.emit, &step.name);
                let condition = conditions::Counter { counter, at_least: *at_least };
                condition.wait(forwarder, *timeout, telling).await
            }
            StepAction::AwaitMember { node, pool, member, state, timeout } => {
                let forwarder = components.forwarder(node)?;
                let telling = conditions::Telling::new(context.emit, &step.name);
                let condition = conditions::Member { pool, member: *member, state: *state };
                condition.wait(forwarder, *timeout, telling).await
            }
            StepAction::ChangeMember(change) => {
                components.forwarder(&change.node)?.change(change).await?;
                Ok(StepEnd::done(conditions::fmt_change(change)))
            }
            StepAction::KillForwarder { node } => {
                // Packets in flight arrive first, so that every run loses the same ones.
                quiesce::wait(context).await?;
                context.components.forwarder(node)?.kill().await?;
                Ok(StepEnd::done(format!("the forwarder in {node} was killed")))
            }
            StepAction::StartForwarder { node } => {
                let forwarder = components.forwarder(node)?;
                forwarder.start(lab, context.emit)?;
                forwarder.ready(lab).await?;
                Ok(StepEnd::done(format!("the forwarder in {node} accepts packets again")))
            }
            StepAction::Failover { from, to } => failover::run(context, from, to).await,
            StepAction::StopServer { node, keep_connections: true } => {
                components.servers(node)?.stop_listening().await;
                Ok(StepEnd::done(format!("servers on {node} stopped listening")))
            }
            StepAction::StopServer { node, keep_connections: false } => {
                components.servers(node)?.stop_all().await;
                Ok(StepEnd::done(format!("servers on {node} stopped")))
            }
            StepAction::StartServer { node } => {
                let servers = components.servers(node)?;
                if servers.listen() {
                    return Err(RunError::step_impossible(format!(
                        "servers on {node} run already"
                    )));
                }
                servers.start(lab, context.emit)?;
                Ok(StepEnd::done(format!("servers on {node} listen again")))
            }
            StepAction::SetLink { interface, up } => links::set(context, interface, *up).await,
            StepAction::ChangeNode(change) => nodes::change(context, change).await,
        }
    }

    /// Resumes an exchange, and records how it ended in place of the pause.
    async fn resume(
        &mut self,
        login: &StepName,
        record: &mut StepRecord,
    ) -> Result<StepEnd, RunError> {
        let Some(attempt) = record.attempts_mut(login)?.first_mut() else {
            return Err(RunError::inconsistent(format!("the step `{login}` began nothing")));
        };
        let Some(paused) = self.open.paused.remove(login) else {
            let detail = format!("`{login}` had ended before: {}", attempt.detail);
            return Ok(StepEnd::new(attempt.result.word(), detail));
        };
        paused.resume(attempt).await;
        let detail = format!("`{login}` was resumed: {}", attempt.detail);
        Ok(StepEnd::new(attempt.result.word(), detail))
    }
}

impl StepExecutor for LabSteps<'_, '_> {
    /// What is in the background goes on meanwhile.
    async fn execute(&mut self, step: &Step, record: &mut StepRecord) -> Result<StepEnd, RunError> {
        let mut background = std::mem::take(&mut self.open.background);
        let end = match &step.action {
            StepAction::Exchange(exchange) if exchange.background => {
                self.open.nouns.insert(step.name.clone(), exchange.noun());
                let (lab, exchange) = (self.lab, exchange.clone());
                background.begin(&step.name, async move { exchanges::all(lab, &exchange).await });
                Ok(StepEnd::done("running in the background"))
            }
            StepAction::Finish { login } => {
                let noun = self.open.nouns.get(login).copied().unwrap_or("exchange");
                let finished = background.finish(login).await?;
                record.attempts_mut(login)?.clone_from(&finished);
                let StepEnd { result, detail, .. } = attempts::summarize(finished, noun);
                Ok(StepEnd::new(&result, detail))
            }
            _ => background.run_beside(self.execute_in_foreground(step, record)).await,
        };
        self.open.background = background;
        end
    }

    async fn before_step(&mut self, step: &Step) -> Result<(), RunError> {
        let RunContext { lab, capture, components, intervals, .. } = &mut self.context;
        let now = match intervals.has_started() {
            true => Some(count(components, lab, capture).await?),
            false => None,
        };
        intervals.start(step.name.clone(), now);
        Ok(())
    }

    fn after_step(&mut self) -> Result<(), RunError> {
        self.context.collect_server_log();
        component::check(self.context.components)
    }
}

/// When something began, by both clocks: the one that measures, and the captures'.
#[derive(Debug, Clone, Copy)]
struct Began {
    instant: Instant,
    /// In nanoseconds since 1970.
    time_ns: u64,
}

impl Began {
    fn now() -> Self {
        Self { instant: Instant::now(), time_ns: now_ns() }
    }

    /// Nanoseconds since then.
    fn elapsed_ns(self) -> u64 {
        u64::try_from(self.instant.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests;

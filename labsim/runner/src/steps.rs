//! Carries a scenario's steps out, one after the other.

mod awaiting;
mod background;
mod links;
mod logins;
mod packet;
mod paused;
mod request;
mod words;

use crate::balancers::Balancers;
use crate::fault::Fault;
use crate::processes;
use crate::servers::Servers;
use crate::settle;
use crate::tunnels::Tunnels;
use background::Background;
use labsim_event::Event;
use labsim_lab::{Capture, Lab};
use labsim_scenario::model::{Attachment, Step, StepAction, StepName};
use labsim_verdict::{Attempt, StepObservation};
use paused::Paused;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// What steps work with.
pub(crate) struct Means<'a> {
    pub(crate) lab: &'a Lab,
    pub(crate) capture: &'a Capture,
    pub(crate) tunnels: &'a Tunnels,
    pub(crate) servers: Servers<'a>,
    pub(crate) balancers: Balancers<'a>,
    /// How long a frame may be on impaired links.
    pub(crate) longest_way: Duration,
}

/// The steps that were done.
pub(crate) struct Steps<'a> {
    lab: &'a Lab,
    background: Background<'a>,
    observed: Vec<StepObservation>,
    paused: BTreeMap<StepName, Paused>,
    failures: Vec<String>,
}

/// How a step went.
struct Outcome {
    attempts: Vec<Attempt>,
    result: String,
    detail: String,
}

impl Outcome {
    /// Of a step that makes no login and no request.
    fn done(result: &str, detail: String) -> Self {
        Self { attempts: Vec::new(), result: result.to_owned(), detail }
    }
}

impl<'a> Steps<'a> {
    /// None yet.
    pub(crate) fn new(lab: &'a Lab) -> Self {
        Self {
            lab,
            background: Background::default(),
            observed: Vec::new(),
            paused: BTreeMap::new(),
            failures: Vec::new(),
        }
    }

    /// Carries a step out and tells about it.
    pub(crate) async fn take(
        &mut self,
        step: &'a Step,
        means: &mut Means<'_>,
        tell: &dyn Fn(Event),
    ) -> Result<(), Fault> {
        let name = step.name.to_string();
        tell(Event::StepStarted { step: name.clone(), what: words::what(&step.action) });
        let began = Instant::now();
        let mut background = std::mem::take(&mut self.background);
        let carried_out = self.carry_out(step, means, &mut background, tell).await;
        self.background = background;
        let Outcome { attempts, result, detail } = carried_out?;
        tell(Event::StepEnded {
            step: name,
            result,
            detail,
            attempts: attempts.len(),
            local: match attempts.as_slice() {
                [only] => only.local,
                _ => None,
            },
            took_ms: began.elapsed().as_secs_f64() * 1e3,
        });
        self.observed.push(StepObservation { name: step.name.clone(), attempts });
        Ok(())
    }

    /// What was observed, and what did not come about that a step waited for. Logins that still
    /// pause are over.
    pub(crate) fn finish(self) -> (Vec<StepObservation>, Vec<String>) {
        (self.observed, self.failures)
    }

    /// Has the logins in the background go on while a step is carried out.
    async fn carry_out(
        &mut self,
        step: &'a Step,
        means: &mut Means<'_>,
        background: &mut Background<'a>,
        tell: &dyn Fn(Event),
    ) -> Result<Outcome, Fault> {
        match &step.action {
            StepAction::TacacsLogin(login) if login.background => {
                background.begin(&step.name, logins::all(self.lab, login));
                let detail = "they are under way in the background".to_owned();
                Ok(Outcome::done("done", detail))
            }
            StepAction::Finish { login } => {
                let attempts = background.finish(login).await?;
                let observed = self.observed.iter_mut().find(|step| step.name == *login);
                let observed = observed
                    .ok_or_else(|| Fault::Broken(format!("there is no login `{login}`")))?;
                observed.attempts.clone_from(&attempts);
                let Outcome { result, detail, .. } = words::of_attempts(attempts, "login");
                Ok(Outcome::done(&result, detail))
            }
            _ => background.beside(self.in_front(step, means, tell)).await,
        }
    }

    async fn in_front(
        &mut self,
        step: &Step,
        means: &mut Means<'_>,
        tell: &dyn Fn(Event),
    ) -> Result<Outcome, Fault> {
        match &step.action {
            StepAction::TacacsLogin(login) if login.pause => {
                let (attempt, paused) = paused::begin(means.lab, login).await?;
                if let Some(paused) = paused {
                    self.paused.insert(step.name.clone(), paused);
                }
                Ok(words::of_attempts(vec![attempt], "login"))
            }
            StepAction::TacacsLogin(login) => {
                let attempts = logins::all(means.lab, login).await?;
                Ok(words::of_attempts(attempts, "login"))
            }
            StepAction::Finish { login } => {
                Err(Fault::Broken(format!("the login `{login}` is not in the background")))
            }
            StepAction::Resume { login } => self.resume(login).await,
            StepAction::AwaitMember { node, pool, member, state, timeout } => {
                let wanted = awaiting::WantedMember { node, pool, member: *member, state: *state };
                let awaited = awaiting::member(&mut means.balancers, &wanted, *timeout).await?;
                Ok(self.awaited(&step.name, awaited))
            }
            StepAction::ChangeMember(change) => {
                means.balancers.change(change).await?;
                Ok(Outcome::done("done", words::changed(change)))
            }
            StepAction::StopServer { node, keep_connections } => {
                means.servers.stop_on(node, *keep_connections).await?;
                Ok(Outcome::done("done", format!("nobody listens on {node} any more")))
            }
            StepAction::StartServer { node } => {
                means.servers.start_on(node)?;
                Ok(Outcome::done("done", format!("the servers on {node} listen again")))
            }
            StepAction::SetLink { interface: Attachment { node, interface }, up } => {
                links::set(means, node, interface, *up).await
            }
            StepAction::Radius(request) => {
                let attempt = request::ask(means.lab, request).await?;
                Ok(words::of_attempts(vec![attempt], "request"))
            }
            StepAction::Run(run) => {
                let ended = processes::to_its_end(means.lab, run).await?;
                tell(processes::logged(format!("{}.log", step.name), &run.node, &ended.log));
                Ok(words::of_attempts(vec![ended.attempt], "program"))
            }
            StepAction::SendPacket(packet) => {
                let outcome = packet::send(means.lab, packet)?;
                settle::settle(means).await?;
                Ok(outcome)
            }
            StepAction::KillForwarder { node } => {
                // What is on its way gets through first, so that the same is lost every time.
                settle::settle(means).await?;
                means.balancers.kill(node).await?;
                Ok(Outcome::done("done", format!("the forwarder in {node} was killed")))
            }
            StepAction::StartForwarder { node } => {
                means.balancers.start_again(node).await?;
                Ok(Outcome::done("done", format!("the forwarder in {node} takes packets again")))
            }
            StepAction::AwaitCounter { node, counter, at_least, timeout } => {
                let wanted = awaiting::Wanted { node, counter, at_least: *at_least };
                let awaited = awaiting::counter(&mut means.balancers, &wanted, *timeout).await?;
                Ok(self.awaited(&step.name, awaited))
            }
        }
    }

    /// What a step waited for came about, or fails the scenario.
    fn awaited(&mut self, step: &StepName, awaited: Result<String, String>) -> Outcome {
        match awaited {
            Ok(detail) => Outcome::done("done", detail),
            Err(failure) => {
                self.failures.push(format!("step {step}: {failure}"));
                Outcome::done("timeout", failure)
            }
        }
    }

    /// Goes on with a login, and puts how it ended in the place of the pause.
    async fn resume(&mut self, login: &StepName) -> Result<Outcome, Fault> {
        let observed = self.observed.iter_mut().find(|step| step.name == *login);
        let attempt = observed.and_then(|step| step.attempts.first_mut());
        let attempt =
            attempt.ok_or_else(|| Fault::Broken(format!("there is no login `{login}`")))?;
        let Some(paused) = self.paused.remove(login) else {
            let detail = format!("the login `{login}` had ended before: {}", attempt.detail);
            return Ok(Outcome::done(attempt.result.word(), detail));
        };
        paused.resume(attempt).await;
        let detail = format!("the login `{login}` went on: {}", attempt.detail);
        Ok(Outcome::done(attempt.result.word(), detail))
    }
}

/// Nanoseconds since `began`.
fn nanoseconds(began: Instant) -> u64 {
    u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

//! What forwards for a load balancer: labsim's own forwarder, or Linux Virtual Server in the node's kernel.

use super::configure::Done;
use super::director::Director;
use super::forwarder::{Forwarder, WaitingForwarders};
use crate::component::{Component, Pending, Shutdown};
use crate::error::RunError;
use crate::logbook::Logbook;
use crate::plan::ForwarderPart;
use labsim_event::Event;
use labsim_lab::Lab;
use labsim_model::{Engine, ForwarderConfig, ProbeSources};
use labsim_monitor::Health;
use labsim_scenario::model::{MemberUpdate, NodeName};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::Instant;

/// What forwards for a load balancer.
pub(crate) enum Balancer {
    /// A process of labsim's.
    Forwarder(Box<Forwarder>),
    /// The node's kernel.
    Director(Box<Director>),
}

impl Balancer {
    /// Takes its process out of `waiting`, if it is there.
    pub(super) fn new(
        part: ForwarderPart,
        waiting: &mut WaitingForwarders,
        program: &Path,
        logbook: Logbook,
    ) -> Self {
        match part.config.balancer.engine {
            Engine::Labsim => {
                let waiting = waiting.take(&part.node);
                Self::Forwarder(Box::new(Forwarder::new(part, waiting, program, logbook)))
            }
            Engine::Ipvs => Self::Director(Box::new(Director::new(part))),
        }
    }

    /// What it is, for people.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Forwarder(_) => super::forwarder::WHAT,
            Self::Director(_) => super::director::WHAT,
        }
    }

    /// Its node.
    pub(crate) fn node(&self) -> &NodeName {
        match self {
            Self::Forwarder(one) => one.node(),
            Self::Director(one) => one.node(),
        }
    }

    /// labsim's own forwarder.
    pub(crate) fn forwarder(&mut self) -> Result<&mut Forwarder, RunError> {
        match self {
            Self::Forwarder(one) => Ok(&mut **one),
            Self::Director(one) => Err(RunError::step_impossible(format!(
                "IPVS forwards in {}, and labsim changes no director's failover state",
                one.node()
            ))),
        }
    }

    /// How it moves frames; `None` where it does not run.
    pub(crate) fn data_plane(&self) -> Option<&str> {
        match self {
            Self::Forwarder(one) => one.data_plane(),
            Self::Director(one) => one.data_plane(),
        }
    }

    /// Its counters by name.
    pub(crate) async fn counters(&mut self) -> Result<BTreeMap<String, u64>, RunError> {
        match self {
            Self::Forwarder(one) => one.counters().await,
            Self::Director(one) => one.counters(),
        }
    }

    /// Changes a member while packets flow; it is changed when this returns.
    pub(crate) async fn change(&mut self, change: &MemberUpdate) -> Result<(), RunError> {
        match self {
            Self::Forwarder(one) => one.change(change).await,
            Self::Director(one) => one.change(change),
        }
    }

    /// Has it apply another configuration; see [`Forwarder::configure`].
    pub(crate) async fn configure(
        &mut self,
        config: &ForwarderConfig,
    ) -> Result<Option<Done>, RunError> {
        match self {
            Self::Forwarder(one) => one.configure(config).await,
            Self::Director(one) => one.configure(config),
        }
    }

    /// What its configuration differs in from the one that it was given.
    pub(crate) async fn differences(&mut self) -> Result<Vec<String>, RunError> {
        match self {
            Self::Forwarder(one) => one.differences().await,
            Self::Director(one) => Ok(one.differences()),
        }
    }

    /// What a member's monitor has found; `None` if the member has no monitor.
    pub(crate) async fn health(
        &mut self,
        pool: &str,
        member: SocketAddr,
    ) -> Result<Option<Health>, RunError> {
        match self {
            Self::Forwarder(one) => one.health(pool, member).await,
            Self::Director(_) => Ok(None),
        }
    }

    /// Ends the probes of its monitors, and returns where probes came from since the lab was built.
    pub(crate) async fn stop_monitors(&mut self) -> Result<ProbeSources, RunError> {
        match self {
            Self::Forwarder(one) => one.stop_monitors().await.cloned(),
            Self::Director(_) => Ok(ProbeSources::default()),
        }
    }

    /// Ends the probes of its monitors for a while, and returns where probes came from since the last
    /// pause.
    pub(crate) async fn pause_monitors(&mut self) -> Result<ProbeSources, RunError> {
        match self {
            Self::Forwarder(one) => one.pause_monitors().await,
            Self::Director(_) => Ok(ProbeSources::default()),
        }
    }

    /// Has its monitors probe again, if it runs.
    pub(crate) async fn resume_monitors(&mut self) -> Result<(), RunError> {
        match self {
            Self::Forwarder(one) => one.resume_monitors().await,
            Self::Director(_) => Ok(()),
        }
    }

    /// Has it forget flows, clients that persist, neighbours and counters, if it runs.
    pub(crate) async fn begin_anew(&mut self) -> Result<(), RunError> {
        match self {
            Self::Forwarder(one) => one.begin_anew().await,
            Self::Director(one) => Err(one.keeps_connections()),
        }
    }

    /// Kills its process.
    pub(crate) async fn kill(&mut self) -> Result<(), RunError> {
        match self {
            Self::Forwarder(one) => one.kill().await,
            Self::Director(one) => Err(one.keeps_connections()),
        }
    }

    /// How its process ended by itself; `None` while it runs.
    pub(super) fn ended(&mut self) -> Option<ExitStatus> {
        match self {
            Self::Forwarder(one) => one.ended(),
            Self::Director(_) => None,
        }
    }

    /// Has its next process start as the scenario says, whatever failovers there were.
    pub(super) fn forget_failover(&mut self) {
        if let Self::Forwarder(one) = self {
            one.forget_failover();
        }
    }

    fn component(&mut self) -> &mut dyn Component<Lab> {
        match self {
            Self::Forwarder(one) => &mut **one,
            Self::Director(one) => &mut **one,
        }
    }
}

impl Component<Lab> for Balancer {
    fn name(&self) -> String {
        format!("the {} in {}", self.what(), self.node())
    }

    fn start(&mut self, lab: &Lab, emit: &dyn Fn(Event)) -> Result<(), RunError> {
        self.component().start(lab, emit)
    }

    fn ready<'a>(&'a mut self, lab: &'a Lab) -> Pending<'a> {
        self.component().ready(lab)
    }

    fn flush(&mut self, deadline: Instant) -> Pending<'_> {
        self.component().flush(deadline)
    }

    fn observe<'a>(
        &'a mut self,
        lab: &'a Lab,
        into: &'a mut crate::observations::Snapshot,
    ) -> Pending<'a> {
        self.component().observe(lab, into)
    }

    fn request_stop(&mut self) {
        self.component().request_stop();
    }

    fn stop<'a>(&'a mut self, how: Shutdown, emit: &'a dyn Fn(Event)) -> Pending<'a> {
        self.component().stop(how, emit)
    }
}

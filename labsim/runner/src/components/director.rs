//! Linux Virtual Server (IPVS) in a load balancer's node: its table is written by netlink, and the node's
//! kernel forwards.

mod table;

use super::configure::Done;
use super::forwarder::{differences, keep_members};
use crate::component::{Component, Pending, Shutdown, done};
use crate::error::RunError;
use crate::observations::Snapshot;
use crate::plan::ForwarderPart;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::{Ipvs, Lab};
use labsim_model::ipvs::{self, Severity};
use labsim_model::{ForwarderConfig, LoadBalancer, Member};
use labsim_scenario::model::{MemberChange, MemberUpdate, NodeName};
use std::collections::BTreeMap;

/// What it is.
pub(super) const WHAT: &str = "IPVS director";

/// A load balancer whose packets the node's kernel forwards.
pub(crate) struct Director {
    part: ForwarderPart,
    /// The configuration that the table has; `None` where it has none.
    running: Option<(Ipvs, ForwarderConfig)>,
}

impl Director {
    pub(super) fn new(part: ForwarderPart) -> Self {
        Self { part, running: None }
    }

    pub(super) fn node(&self) -> &NodeName {
        &self.part.node
    }

    pub(super) fn data_plane(&self) -> Option<&'static str> {
        self.running.as_ref().map(|_| "IPVS")
    }

    /// IPVS's statistics, under the names of the forwarder's counters of the same meaning
    /// ([`ipvs::COUNTERS`]).
    pub(super) fn counters(&self) -> Result<BTreeMap<String, u64>, RunError> {
        let (ipvs, running) = self.running()?;
        let failed = RunError::from_source(
            run::COUNTERS_UNREADABLE,
            format!("the statistics of IPVS in {}", self.part.node),
        );
        table::counters(ipvs, &ipvs::Director::new(&running.balancer)).map_err(failed)
    }

    /// Changes a member; connections that it has go on.
    pub(super) fn change(&mut self, change: &MemberUpdate) -> Result<(), RunError> {
        let (_, config) = self.running()?;
        let mut changed = config.clone();
        let MemberUpdate { pool, member, to, .. } = change;
        let Some(pool) = changed.balancer.pools.get_mut(pool) else {
            return Err(RunError::step_impossible(format!("there is no pool {pool}")));
        };
        let place = pool.members.iter().position(|one| one.address == *member);
        match (*to, place) {
            (MemberChange::Added { ratio, profile, state }, None) => {
                pool.members.push(Member { address: *member, ratio, profile, state });
            }
            (MemberChange::Set { ratio, state }, Some(place)) => {
                if let Some(one) = pool.members.get_mut(place) {
                    one.ratio = ratio.unwrap_or(one.ratio);
                    one.state = state.unwrap_or(one.state);
                }
            }
            (MemberChange::Removed, Some(place)) => drop(pool.members.remove(place)),
            (MemberChange::Added { .. }, Some(_)) => {
                return Err(RunError::step_impossible(format!("{member} is a member already")));
            }
            (_, None) => {
                return Err(RunError::step_impossible(format!("{member} is not a member")));
            }
        }
        self.apply(changed)
    }

    /// Has the table be that of another configuration; see [`super::forwarder::Forwarder::configure`].
    pub(super) fn configure(&mut self, config: &ForwarderConfig) -> Result<Option<Done>, RunError> {
        if self.part.config == *config {
            return Ok(None);
        }
        let applied = match &self.running {
            None => Done::ForwarderWaits,
            Some((_, running)) => {
                let kept = keep_members(config, &self.part.config, running);
                self.part.config = config.clone();
                self.apply(kept)?;
                Done::Applied
            }
        };
        self.part.config = config.clone();
        Ok(Some(applied))
    }

    pub(super) fn differences(&self) -> Vec<String> {
        let running = self.running.as_ref().map(|(_, running)| running.clone().without_secrets());
        running.map(|running| differences(&self.part.config, &running)).unwrap_or_default()
    }

    /// What cannot be done to it: its connections are the kernel's.
    pub(super) fn keeps_connections(&self) -> RunError {
        let node = &self.part.node;
        RunError::step_impossible(format!(
            "IPVS in {node} has no process, and its connections last until they expire, also without its \
             table; bring the lab up anew"
        ))
    }

    /// Changes the table from what it has to another configuration.
    fn apply(&mut self, config: ForwarderConfig) -> Result<(), RunError> {
        let node = self.part.node.clone();
        check(&node, &config.balancer)?;
        let (ipvs, running) = self.running.as_mut().ok_or_else(|| stopped(&node))?;
        let was = ipvs::Director::new(&running.balancer);
        table::change(&ipvs.table, Some(&was), &ipvs::Director::new(&config.balancer))
            .map_err(|refusal| failed(&node, &refusal))?;
        *running = config;
        Ok(())
    }

    fn running(&self) -> Result<&(Ipvs, ForwarderConfig), RunError> {
        self.running.as_ref().ok_or_else(|| stopped(&self.part.node))
    }
}

fn stopped(node: &NodeName) -> RunError {
    RunError::step_impossible(format!("IPVS in {node} has no table"))
}

fn failed(node: &NodeName, refusal: &table::Refusal) -> RunError {
    RunError::internal(run::FORWARDER_NOT_STARTED, format!("IPVS in {node}: {refusal}"))
}

/// Whether IPVS can do what a load balancer asks for. Valid scenarios ask for nothing else.
fn check(node: &NodeName, balancer: &LoadBalancer) -> Result<(), RunError> {
    let director = ipvs::Director::new(balancer);
    let mut differences = director.differences.iter();
    match differences.find(|one| one.severity == Severity::Refused) {
        Some(one) => Err(RunError::step_impossible(format!("{node} is a director of IPVS: {one}"))),
        None => Ok(()),
    }
}

impl Component<Lab> for Director {
    fn name(&self) -> String {
        format!("the {WHAT} in {}", self.part.node)
    }

    fn start(&mut self, lab: &Lab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        let ForwarderPart { node: name, config, .. } = &self.part;
        if self.running.is_some() {
            return Err(RunError::step_impossible(format!("{} already runs", self.name())));
        }
        check(name, &config.balancer)?;
        let node = lab.node(name).ok_or_else(|| RunError::unknown_node(name))?;
        let context = format!("{} cannot be started", self.name());
        let ipvs =
            node.ipvs().map_err(RunError::from_source(run::FORWARDER_NOT_STARTED, context))?;
        table::change(&ipvs.table, None, &ipvs::Director::new(&config.balancer))
            .map_err(|refusal| failed(name, &refusal))?;
        self.running = Some((ipvs, config.clone()));
        Ok(())
    }

    fn observe<'a>(&'a mut self, _lab: &'a Lab, into: &'a mut Snapshot) -> Pending<'a> {
        done(match self.running.is_some() {
            true => self.counters().map(|counters| {
                into.forwarders.insert(self.part.node.clone(), counters);
            }),
            false => Ok(()),
        })
    }

    fn stop<'a>(&'a mut self, _how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        let flushed = self.running.take().map_or(Ok(()), |(ipvs, _)| ipvs.table.flush());
        let context = format!("{} cannot be stopped", self.name());
        done(flushed.map_err(RunError::from_source(run::FORWARDER_NOT_STARTED, context)))
    }
}

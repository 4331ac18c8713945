//! The forwarders: a process in each load balancer's namespace, which can be killed and started
//! again.

mod counted;
mod process;

pub(crate) use counted::Counted;

use crate::balancer_config;
use crate::fault::Fault;
use labsim_control::{MemberName, MemberRatio, Request};
use labsim_lab::Lab;
use labsim_monitor::{Health, Origins};
use labsim_scenario::model::{MemberChange, MemberFate, NodeName, Scenario};
use process::Process;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

/// The forwarders; dropping them ends the processes.
pub(crate) struct Balancers<'a> {
    lab: &'a Lab,
    program: &'a Path,
    all: BTreeMap<NodeName, Balancer>,
    /// Where probes came from, as far as it is known.
    origins: BTreeMap<NodeName, Origins>,
}

struct Balancer {
    config: String,
    /// `None` once it was killed.
    process: Option<Process>,
}

impl<'a> Balancers<'a> {
    /// Starts a forwarder in every load balancer and waits until all of them take packets.
    pub(crate) async fn start(
        lab: &'a Lab,
        scenario: &Scenario,
        program: &'a Path,
    ) -> Result<Self, Fault> {
        let mut balancers = Self { lab, program, all: BTreeMap::new(), origins: BTreeMap::new() };
        for (name, config) in &scenario.load_balancers {
            let config = balancer_config::of(scenario, name, config)?;
            let config = serde_json::to_string(&config)
                .map_err(Fault::broken("the forwarder's configuration"))?;
            let process = Some(balancers.spawn(name, &config)?);
            balancers.all.insert(name.clone(), Balancer { config, process });
        }
        for process in balancers.running() {
            process.await_ready().await?;
        }
        Ok(balancers)
    }

    /// How each moves frames, by node.
    pub(crate) fn data_planes(&self) -> BTreeMap<String, String> {
        let planes = self.all.iter().filter_map(|(name, balancer)| {
            Some((name.to_string(), balancer.process.as_ref()?.data_plane().to_owned()))
        });
        planes.collect()
    }

    /// Asks every forwarder that runs what it counted. A forwarder answers after everything that
    /// reached it before the question has been dealt with.
    pub(crate) async fn counted(&mut self) -> Result<BTreeMap<NodeName, Counted>, Fault> {
        for process in self.running() {
            process.ask().await?;
        }
        let mut all = BTreeMap::new();
        for process in self.running() {
            all.insert(process.node().clone(), Counted(process.answer().await?));
        }
        Ok(all)
    }

    /// A counter of one forwarder; `None` if it has none of that name.
    pub(crate) async fn counter(
        &mut self,
        node: &NodeName,
        counter: &str,
    ) -> Result<Option<u64>, Fault> {
        let process = self.all.get_mut(node).and_then(|balancer| balancer.process.as_mut());
        let process = process.ok_or_else(|| not_running(node))?;
        process.ask().await?;
        Ok(Counted(process.answer().await?).by_name().get(counter).copied())
    }

    /// Changes a member while packets flow; it is changed when this returns.
    pub(crate) async fn change(&mut self, change: &MemberChange) -> Result<(), Fault> {
        let MemberChange { node, pool, member, to } = change;
        let (pool, member) = (pool.clone(), *member);
        let request = match *to {
            MemberFate::Added { ratio } => Request::AddMember(MemberRatio { pool, member, ratio }),
            MemberFate::Set { ratio } => Request::SetMember(MemberRatio { pool, member, ratio }),
            MemberFate::Removed => Request::RemoveMember(MemberName { pool, member }),
        };
        let process = self.all.get_mut(node).and_then(|balancer| balancer.process.as_mut());
        process.ok_or_else(|| not_running(node))?.change(&request).await
    }

    /// What a member's monitor has found; `None` if nobody watches it.
    pub(crate) async fn health(
        &mut self,
        node: &NodeName,
        pool: &str,
        member: SocketAddr,
    ) -> Result<Option<Health>, Fault> {
        let process = self.all.get_mut(node).and_then(|balancer| balancer.process.as_mut());
        let mut all = process.ok_or_else(|| not_running(node))?.health().await?;
        Ok(all.get_mut(pool).and_then(|pool| pool.remove(&member.to_string())))
    }

    /// Ends the probes of all monitors, so that nothing is sent any more that nobody asked for;
    /// returns where probes came from.
    pub(crate) async fn stop_monitors(&mut self) -> Result<BTreeMap<NodeName, Origins>, Fault> {
        for process in self.all.values_mut().filter_map(|balancer| balancer.process.as_mut()) {
            let origins = process.stop_monitors().await?;
            self.origins.entry(process.node().clone()).or_default().add(origins);
        }
        Ok(self.origins.clone())
    }

    /// Kills a forwarder by SIGKILL; it is gone when this returns. Its monitors have told before
    /// where they sent from, which nobody could ask for afterwards.
    pub(crate) async fn kill(&mut self, node: &NodeName) -> Result<(), Fault> {
        let process = self.all.get_mut(node).and_then(|balancer| balancer.process.take());
        let mut process = process.ok_or_else(|| not_running(node))?;
        let origins = process.stop_monitors().await?;
        self.origins.entry(node.clone()).or_default().add(origins);
        // The handle kills and reaps.
        Ok(())
    }

    /// Starts a forwarder that was killed, and waits until it takes packets.
    pub(crate) async fn start_again(&mut self, node: &NodeName) -> Result<(), Fault> {
        let config = match self.all.get(node) {
            Some(Balancer { config, process: None }) => config.clone(),
            Some(_) => return Err(Fault::Broken(format!("the forwarder in {node} runs already"))),
            None => return Err(Fault::no_node(node)),
        };
        let mut process = self.spawn(node, &config)?;
        process.await_ready().await?;
        if let Some(balancer) = self.all.get_mut(node) {
            balancer.process = Some(process);
        }
        Ok(())
    }

    fn spawn(&self, name: &NodeName, config: &str) -> Result<Process, Fault> {
        let node = self.lab.node(name).ok_or_else(|| Fault::no_node(name))?;
        Process::spawn(node, self.program, config)
            .map_err(Fault::broken(&format!("the forwarder in {name} cannot be started")))
    }

    fn running(&mut self) -> impl Iterator<Item = &mut Process> {
        self.all.values_mut().filter_map(|balancer| balancer.process.as_mut())
    }
}

fn not_running(node: &NodeName) -> Fault {
    Fault::Broken(format!("the forwarder in {node} does not run"))
}

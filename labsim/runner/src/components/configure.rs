//! Another configuration of what runs: forwarders apply it, servers are started again with it.

use super::Components;
use super::servers::NodeServers;
use crate::component::{Component as _, Shutdown};
use crate::error::RunError;
use crate::plan::{RunPlan, ServerPart};
use labsim_lab::Lab;
use labsim_scenario::model::NodeName;
use std::fmt;

/// What another configuration had done in a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// The forwarder has applied it.
    Applied,
    /// The forwarder does not run; it starts with it.
    ForwarderWaits,
    /// The built-in servers were started with it.
    ServersStarted,
    /// The built-in servers are stopped; they start with it.
    ServersWait,
    /// The built-in servers have ended, as there are none in it.
    ServersEnded,
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Applied => "its forwarder has applied it",
            Self::ForwarderWaits => "its forwarder does not run, and starts with it",
            Self::ServersStarted => "its servers were started with it",
            Self::ServersWait => "its servers are stopped, and start with it",
            Self::ServersEnded => "its servers have ended",
        })
    }
}

impl Components {
    /// Has forwarders and servers run as `plan` says; those that it does not change go on. Returns what was
    /// done, by node. After an error some may run as it says.
    pub(crate) async fn configure(
        &mut self,
        lab: &Lab,
        plan: &RunPlan,
    ) -> Result<Vec<(NodeName, Done)>, RunError> {
        let mut done = Vec::new();
        let new = plan.forwarders.iter().find(|part| !self.forwarders.contains_key(&part.node));
        let gone = self.forwarders.keys().find(|node| plan.forwarder_config(node).is_none());
        if let Some(node) = new.map(|part| &part.node).or(gone) {
            return Err(RunError::step_impossible(format!(
                "whether {node} is a load balancer is decided when the lab is built; change the file, and \
                 bring the lab up anew"
            )));
        }
        for part in &plan.forwarders {
            let forwarder = self.forwarder(&part.node)?;
            let applied = forwarder.configure(&part.config).await?;
            done.extend(applied.map(|applied| (part.node.clone(), applied)));
        }
        let gone: Vec<NodeName> = self.servers.keys().cloned().collect();
        let gone = gone.into_iter().filter(|node| plan.servers.iter().all(|it| it.node != *node));
        for node in gone {
            if let Some(mut servers) = self.servers.remove(&node) {
                servers.stop_all().await;
                servers.stop(Shutdown::Immediate, &|_| ()).await?;
                done.push((node, Done::ServersEnded));
            }
        }
        for part in &plan.servers {
            let started = self.configure_servers(lab, part).await?;
            done.extend(started.map(|started| (part.node.clone(), started)));
        }
        Ok(done)
    }

    async fn configure_servers(
        &mut self,
        lab: &Lab,
        part: &ServerPart,
    ) -> Result<Option<Done>, RunError> {
        match self.servers.get_mut(&part.node) {
            Some(servers) if servers.part() == part && !servers.has_failed() => Ok(None),
            Some(servers) => {
                let start = servers.listen() || servers.has_failed();
                servers.stop_all().await;
                servers.set_part(part.clone());
                if !start {
                    return Ok(Some(Done::ServersWait));
                }
                servers.start(lab, &|_| ())?;
                Ok(Some(Done::ServersStarted))
            }
            None => {
                let (log, logbook) = (self.server_log.clone(), self.logbook.clone());
                let mut servers = NodeServers::new(part.clone(), log, logbook);
                servers.start(lab, &|_| ())?;
                self.servers.insert(part.node.clone(), servers);
                Ok(Some(Done::ServersStarted))
            }
        }
    }
}

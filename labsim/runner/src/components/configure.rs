//! Another configuration of what runs: forwarders apply it, servers are started again with it.

use super::Components;
use super::servers::NodeServers;
use crate::component::{Component as _, Shutdown};
use crate::error::RunError;
use crate::plan::{RunPlan, ServerPart};
use labsim_lab::Lab;
use labsim_scenario::model::NodeName;

impl Components {
    /// Has forwarders and servers run as `plan` says; those that it does not change go on. Returns what was
    /// done, by node. After an error some may run as it says.
    pub(crate) async fn configure(
        &mut self,
        lab: &Lab,
        plan: &RunPlan,
    ) -> Result<Vec<(NodeName, String)>, RunError> {
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
            if let Some(what) = forwarder.configure(&part.config).await? {
                done.push((part.node.clone(), what.to_owned()));
            }
        }
        let gone: Vec<NodeName> = self.servers.keys().cloned().collect();
        let gone = gone.into_iter().filter(|node| plan.servers.iter().all(|it| it.node != *node));
        for node in gone {
            if let Some(mut servers) = self.servers.remove(&node) {
                servers.stop_all().await;
                servers.stop(Shutdown::Immediate, &|_| ()).await?;
                done.push((node, "its servers have ended".to_owned()));
            }
        }
        for part in &plan.servers {
            if let Some(what) = self.configure_servers(lab, part).await? {
                done.push((part.node.clone(), what.to_owned()));
            }
        }
        Ok(done)
    }

    async fn configure_servers(
        &mut self,
        lab: &Lab,
        part: &ServerPart,
    ) -> Result<Option<&'static str>, RunError> {
        match self.servers.get_mut(&part.node) {
            Some(servers) if servers.part() == part && !servers.has_failed() => Ok(None),
            Some(servers) => {
                let start = servers.listen() || servers.has_failed();
                servers.stop_all().await;
                servers.set_part(part.clone());
                if !start {
                    return Ok(Some("its servers are stopped, and start with that"));
                }
                servers.start(lab, &|_| ())?;
                Ok(Some("its servers were started again"))
            }
            None => {
                let (log, logbook) = (self.server_log.clone(), self.logbook.clone());
                let mut servers = NodeServers::new(part.clone(), log, logbook);
                servers.start(lab, &|_| ())?;
                self.servers.insert(part.node.clone(), servers);
                Ok(Some("its servers were started"))
            }
        }
    }
}

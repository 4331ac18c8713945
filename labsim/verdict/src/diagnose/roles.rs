//! Which load balancers run and which are active, as the steps left them.

use super::Subject;
use labsim_model::FailoverState;
use labsim_scenario::model::{NodeName, StepAction};
use std::collections::{BTreeMap, BTreeSet};

/// What load balancers are at the end of what was done up to a step.
#[derive(Debug, Default)]
pub(super) struct Roles<'a> {
    /// Their forwarders were killed.
    stopped: BTreeSet<&'a NodeName>,
    standby: BTreeSet<&'a NodeName>,
    /// Started, or made active, by a step; the last one last.
    began: Vec<&'a NodeName>,
    /// The last load balancer that each took over from.
    took_over_from: BTreeMap<&'a NodeName, &'a NodeName>,
}

impl<'a> Roles<'a> {
    pub(super) fn of(subject: &Subject<'a>) -> Self {
        let all = subject.context.scenario.load_balancers.iter();
        let standby = all.filter(|(_, one)| one.failover_state == FailoverState::Standby);
        let mut roles =
            Self { standby: standby.map(|(node, _)| node).collect(), ..Self::default() };
        for action in subject.done() {
            match action {
                StepAction::KillForwarder { node } => {
                    roles.stopped.insert(node);
                    roles.began.retain(|other| *other != node);
                }
                StepAction::StartForwarder { node } => {
                    roles.stopped.remove(node);
                    roles.began.push(node);
                }
                StepAction::Failover { from, to } => {
                    roles.standby.insert(from);
                    roles.standby.remove(to);
                    roles.began.retain(|other| *other != from);
                    roles.began.push(to);
                    roles.took_over_from.insert(to, from);
                }
                _ => {}
            }
        }
        roles
    }

    pub(super) fn is_stopped(&self, node: &NodeName) -> bool {
        self.stopped.contains(node)
    }

    pub(super) fn is_standby(&self, node: &NodeName) -> bool {
        self.standby.contains(node)
    }

    /// The load balancer that was active before this one.
    pub(super) fn predecessor(&self, node: &NodeName) -> Option<&'a NodeName> {
        self.took_over_from.get(node).copied()
    }

    /// Those that a step started or made active and that forward packets.
    pub(super) fn began(&self) -> impl Iterator<Item = &'a NodeName> {
        let serves = |node: &&NodeName| !self.is_stopped(node) && !self.is_standby(node);
        self.began.iter().copied().filter(serves)
    }
}

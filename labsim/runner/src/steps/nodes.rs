//! Changes routes, kernel settings, addresses and packet filters of nodes.

use super::{RunContext, StepEnd};
use crate::error::RunError;
use crate::quiesce;
use labsim_codes::run;
use labsim_lab::BuildError;
use labsim_scenario::model::{NodeChange, RouteTarget};

/// Changes a node.
pub(super) async fn change(
    context: &mut RunContext<'_>,
    change: &NodeChange,
) -> Result<StepEnd, RunError> {
    // Packets in flight arrive first, so that the change meets the same ones in every run.
    quiesce::wait(context).await?;
    context.lab.change_node(change).map_err(|error| match error {
        BuildError::Refused { .. } => {
            RunError::from_source(run::NODE_NOT_CHANGED, "the node cannot be changed")(error)
        }
        // What the machine lacks, and what it forbids, is no other while a lab runs.
        other => RunError::from(other),
    })?;
    Ok(StepEnd::done(outcome(change)))
}

/// How the node is now.
fn outcome(change: &NodeChange) -> String {
    match change {
        NodeChange::Route { node, destination, target } => match target {
            RouteTarget::Via { via, .. } => {
                format!("{node} sends packets to {destination} via {via}")
            }
            RouteTarget::Blackhole => format!("{node} drops packets to {destination}"),
            RouteTarget::Unreachable => format!("{node} refuses packets to {destination}"),
            RouteTarget::Removed => format!("{node} has no route to {destination} itself"),
        },
        NodeChange::Sysctls { node, .. } => {
            format!("{node} reads its settings back as they were written")
        }
        NodeChange::Address { node, interface, address, present, .. } => {
            let has = if *present { "has" } else { "no longer has" };
            format!("{node}:{interface} {has} {address}")
        }
        NodeChange::Filter { filter, present } => {
            format!("the filter {filter} is {}", if *present { "in" } else { "out" })
        }
    }
}

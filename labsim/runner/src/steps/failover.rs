//! A failover: a standby load balancer becomes active in place of another.

use super::{RunContext, StepEnd};
use crate::error::RunError;
use crate::quiesce;
use labsim_model::FailoverState;
use labsim_scenario::model::NodeName;

/// Copies the mirrored flows of `from` to `to`, puts `from` on standby and makes `to` active, in this order:
/// the two are never active at the same time.
pub(super) async fn run(
    context: &mut RunContext<'_>,
    from: &NodeName,
    to: &NodeName,
) -> Result<StepEnd, RunError> {
    // Packets in flight arrive first, so that every run copies the same flows.
    quiesce::wait(context).await?;
    let components = &mut *context.components;
    if !components.forwarder(to)?.forwarder()?.runs() {
        return Err(RunError::step_impossible(format!("the forwarder in {to} does not run")));
    }
    if components.forwarder(to)?.forwarder()?.failover_state() == FailoverState::Active {
        return Err(RunError::step_impossible(format!("{to} is active already")));
    }
    let active = components.forwarder(from)?.forwarder()?;
    let runs = active.runs();
    let pages = active.mirrored_flows().await?;
    active.set_failover_state(FailoverState::Standby).await?;
    let (mut copied, mut added) = (0, 0);
    let next = components.forwarder(to)?.forwarder()?;
    for page in pages.into_iter().filter(|page| !page.is_empty()) {
        copied += page.len() as u64;
        added += next.add_mirrored_flows(page).await?;
    }
    next.set_failover_state(FailoverState::Active).await?;
    let flows = match (copied, copied - added) {
        (0, _) => String::new(),
        (_, 0) => format!(" with {added} mirrored flows"),
        (_, refused) => format!(" with {added} mirrored flows, and could not take {refused} more"),
    };
    let down = if runs { "" } else { ", whose forwarder does not run" };
    Ok(StepEnd::done(format!("{to} is active{flows}, in place of {from}{down}")))
}

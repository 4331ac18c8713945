//! Sets interfaces down and up.

use super::{RunContext, StepEnd};
use crate::error::RunError;
use crate::quiesce;
use labsim_codes::run;
use labsim_scenario::model::Attachment;
use std::time::Instant;

/// Sets an interface down, or up again.
pub(super) async fn set(
    context: &mut RunContext<'_>,
    end: &Attachment,
    up: bool,
) -> Result<StepEnd, RunError> {
    let Attachment { node, interface } = end;
    if !up {
        // Packets in flight arrive first, so that every run loses the same ones.
        quiesce::wait(context).await?;
        context.capture.before_down(node, interface, Instant::now() + quiesce::TIMEOUT)?;
    }
    let set = context.lab.set_link(node, interface, up);
    set.map_err(RunError::from_source(run::LINK_NOT_SET, "the interface cannot be set"))?;
    if up {
        context.capture.after_up(node, interface);
    }
    let state = if up { "up" } else { "down" };
    Ok(StepEnd::done(format!("{node}:{interface} is {state}")))
}

//! Sets interfaces down and up.

use super::{Means, Outcome};
use crate::fault::Fault;
use crate::settle;
use labsim_scenario::model::{InterfaceName, NodeName};
use std::time::Instant;

/// Sets an interface down, or up again.
pub(super) async fn set(
    means: &mut Means<'_>,
    node: &NodeName,
    interface: &InterfaceName,
    up: bool,
) -> Result<Outcome, Fault> {
    let state = if up { "up" } else { "down" };
    if !up {
        // What is on its way gets through first, so that the same is lost every time.
        settle::settle(means).await?;
        let ended = means.capture.before_down(node, interface, Instant::now() + settle::PATIENCE);
        ended.map_err(Fault::broken("the captures cannot be marked"))?;
    }
    let set = means.lab.set_link(node, interface, up);
    set.map_err(Fault::broken("the interface cannot be set"))?;
    if up {
        means.capture.after_up(node, interface);
    }
    Ok(Outcome::done("done", format!("{node}:{interface} is {state}")))
}

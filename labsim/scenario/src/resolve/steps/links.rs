//! Steps that set interfaces down and up.

use crate::file::{InterfaceState, RawSetLink};
use crate::model::{Attachment, InterfaceName, StepAction};
use crate::resolve::Report;
use crate::resolve::lookup::Lookup;
use crate::text::{listed, quoted};
use labsim_codes::file;
use std::collections::BTreeSet;

/// The interfaces that are down while the steps go by.
#[derive(Default)]
pub(super) struct LinkState {
    down: BTreeSet<Attachment>,
    /// Whether a step with an error may have set another one.
    unclear: bool,
}

impl LinkState {
    /// A step that sets an interface down, which must be up, or the other way round.
    pub(super) fn set(
        &mut self,
        fields: &RawSetLink,
        lookup: &Lookup<'_>,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let node = lookup.node(&fields.node, report)?;
        let name = InterfaceName::new(&fields.interface).ok();
        let interfaces =
            lookup.get(&node).map(|node| node.interfaces.as_slice()).unwrap_or_default();
        // A node that is not there stands in a file with errors, and may have any.
        let unclear = lookup.get(&node).is_none();
        let has = |name: &InterfaceName| unclear || interfaces.iter().any(|it| it.name == *name);
        let Some(interface) = name.filter(has) else {
            self.unclear = true;
            report.at(
                fields.interface.span,
                file::UNKNOWN_NAME,
                format!(
                    "`{node}` has no interface {} on a link; it has {}",
                    quoted(&fields.interface),
                    listed(interfaces.iter().map(|it| &it.name))
                ),
            );
            return None;
        };
        let interface = Attachment { node, interface };
        let up = fields.state.value == InterfaceState::Up;
        let changes =
            if up { self.down.remove(&interface) } else { self.down.insert(interface.clone()) };
        if !changes && !self.unclear && !report.lacks_some() {
            let (state, other) = if up { ("up", "down") } else { ("down", "up") };
            report.at(
                fields.state.span, file::STEP_ORDER,
                format!("{interface} is {state} at this step already; write `{other}`, or leave the step out"),
            );
        }
        Some(StepAction::SetLink { interface, up })
    }
}

//! The nodes' kernels, which count from the moment that the nodes exist.

use crate::component::{Component, Pending, Shutdown, done};
use crate::error::RunError;
use crate::observations::Snapshot;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::{CounterText, Lab};
use labsim_scenario::model::NodeName;
use std::collections::BTreeMap;

/// The counters of the nodes' protocols, devices and filters.
#[derive(Default)]
pub(super) struct NodeKernels {
    /// The counters when they were last read.
    last: BTreeMap<NodeName, CounterText>,
}

impl NodeKernels {
    fn counters(&mut self, lab: &Lab, into: &mut Snapshot) -> Result<(), RunError> {
        let unreadable = |context| RunError::from_source(run::COUNTERS_UNREADABLE, context);
        let all = lab.counter_texts_since(&self.last);
        for (node, counters) in all.map_err(unreadable("the nodes' counters".to_owned()))? {
            let name = node.name();
            let counters = counters.map_err(unreadable(format!("the counters of {name}")))?;
            into.kernels.insert(name.clone(), counters);
            let filtered = node.filtered().map_err(unreadable(format!("the filters of {name}")))?;
            if !filtered.is_empty() {
                into.filters.insert(name.clone(), filtered);
            }
        }
        self.last.clone_from(&into.kernels);
        Ok(())
    }
}

impl Component<Lab> for NodeKernels {
    fn name(&self) -> String {
        "the nodes' kernels".to_owned()
    }

    fn start(&mut self, _lab: &Lab, _emit: &dyn Fn(Event)) -> Result<(), RunError> {
        Ok(())
    }

    fn observe<'a>(&'a mut self, lab: &'a Lab, into: &'a mut Snapshot) -> Pending<'a> {
        done(self.counters(lab, into))
    }

    fn stop<'a>(&'a mut self, _how: Shutdown, _emit: &'a dyn Fn(Event)) -> Pending<'a> {
        done(Ok(()))
    }
}

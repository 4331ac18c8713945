//! A node's kernel, which counts from the moment that the node exists.

use crate::component::{Component, Pending, Shutdown, done};
use crate::error::RunError;
use crate::observations::Snapshot;
use labsim_codes::run;
use labsim_event::Event;
use labsim_lab::{CounterText, Lab};
use labsim_scenario::model::NodeName;

/// The counters of a node's protocols, devices and filters.
pub(super) struct NodeKernel {
    node: NodeName,
    /// Its counters when they were last read.
    last: Option<CounterText>,
}

impl NodeKernel {
    pub(super) fn new(node: NodeName) -> Self {
        Self { node, last: None }
    }

    fn counters(&mut self, lab: &Lab, into: &mut Snapshot) -> Result<(), RunError> {
        let node = lab.node(&self.node).ok_or_else(|| RunError::unknown_node(&self.node))?;
        let context = format!("the counters of {}", self.node);
        let counters = node
            .counter_text_since(self.last.as_ref())
            .map_err(RunError::from_source(run::COUNTERS_UNREADABLE, context))?;
        self.last = Some(counters.clone());
        into.kernels.insert(self.node.clone(), counters);
        let context = format!("the filters of {}", self.node);
        let filtered =
            node.filtered().map_err(RunError::from_source(run::COUNTERS_UNREADABLE, context))?;
        if !filtered.is_empty() {
            into.filters.insert(self.node.clone(), filtered);
        }
        Ok(())
    }
}

impl Component<Lab> for NodeKernel {
    fn name(&self) -> String {
        format!("the kernel of {}", self.node)
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

//! What each node was set up with when everything ran, what has changed since, and its way back.

use crate::changes::changes;
use crate::protocol::NodeReset;
use labsim_lab::{Lab, Node, Setup};
use labsim_model::NodeState;
use labsim_scenario::model::{NodeChange, NodeName, Scenario, StepAction};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// Of a node that could not be read.
const UNKNOWN: &str = "what was set up when it was built is not known";

/// Nodes as they were built.
pub(crate) struct Built<'a> {
    lab: &'a Lab,
    scenario: &'a Scenario,
    /// `None` of one that could not be read.
    setups: RefCell<BTreeMap<NodeName, Option<Setup>>>,
    /// Settings that were written in nodes, and neither by the scenario when it was built nor by its steps.
    further: RefCell<BTreeMap<NodeName, BTreeSet<String>>>,
}

impl<'a> Built<'a> {
    pub(crate) fn new(lab: &'a Lab, scenario: &'a Scenario) -> Self {
        Self { lab, scenario, setups: RefCell::default(), further: RefCell::default() }
    }

    /// Reads what nodes are set up with, unless that is known. To be called before anything can change it.
    pub(crate) fn know<'n>(&self, nodes: impl IntoIterator<Item = &'n Node>) {
        let mut setups = self.setups.borrow_mut();
        for node in nodes {
            setups.entry(node.name().clone()).or_insert_with(|| self.read(node).ok());
        }
    }

    /// Has settings of a node compared and brought back from now on. To be called before they are written.
    pub(crate) fn know_sysctls<'n>(
        &self,
        node: &NodeName,
        sysctls: impl IntoIterator<Item = &'n String>,
    ) {
        let Some(node) = self.lab.node(node) else { return };
        self.know([node]);
        let mut further = self.further.borrow_mut();
        further.entry(node.name().clone()).or_default().extend(sysctls.into_iter().cloned());
        drop(further);
        let now = self.read(node);
        let mut setups = self.setups.borrow_mut();
        if let (Some(Some(built)), Ok(now)) = (setups.get_mut(node.name()), now) {
            built.add_sysctls_of(&now);
        }
    }

    /// What a node is set up with now, and what has changed since it was built.
    pub(crate) fn compare(&self, node: &Node) -> (io::Result<NodeState>, Vec<String>) {
        self.know([node]);
        let now = self.read(node).map(|setup| setup.state().clone());
        let changed = match (self.setups.borrow().get(node.name()), &now) {
            (Some(Some(built)), Ok(now)) => changes(built.state(), now),
            // The error says why.
            (Some(Some(_)), Err(_)) => Vec::new(),
            _ => vec![UNKNOWN.to_owned()],
        };
        (now, changed)
    }

    /// What a node was set up with, and what it is set up with now.
    ///
    /// # Errors
    /// Why it is not known.
    pub(crate) fn setups(&self, node: &Node) -> Result<(NodeState, NodeState), String> {
        self.know([node]);
        let now = self.read(node).map_err(|error| error.to_string())?;
        match self.setups.borrow().get(node.name()) {
            Some(Some(built)) => Ok((built.state().clone(), now.state().clone())),
            _ => Err(UNKNOWN.to_owned()),
        }
    }

    /// Undoes what has changed in nodes, and says what has.
    pub(crate) fn restore(&self, nodes: &[NodeName]) -> Vec<NodeReset> {
        let nodes = nodes.iter().filter_map(|name| self.lab.node(name));
        let restore = |node: &Node| {
            let (_, changed) = self.compare(node);
            let refused = match self.setups.borrow().get(node.name()) {
                Some(Some(built)) if !changed.is_empty() => match node.restore(built) {
                    Ok(refused) => refused,
                    Err(error) => vec![error.to_string()],
                },
                _ => Vec::new(),
            };
            let name = node.name().to_string();
            NodeReset { name, changed, refused, ..NodeReset::default() }
        };
        nodes.map(restore).collect()
    }

    /// Adds to what was undone what is left.
    pub(crate) fn look_again(&self, resets: &mut [NodeReset]) {
        for reset in resets {
            let node = NodeName::new(&reset.name).ok().and_then(|name| self.lab.node(&name));
            if let Some(node) = node {
                let (now, left) = self.compare(node);
                reset.left = left;
                reset.refused.extend(now.err().map(|error| error.to_string()));
            }
        }
    }

    fn read(&self, node: &Node) -> io::Result<Setup> {
        node.setup(&self.sysctls(node))
    }

    /// The settings that the scenario writes in a node, when it is built or in a step.
    fn sysctls(&self, node: &Node) -> Vec<String> {
        let plan = node.plan();
        let planned = plan.early_sysctls.iter().chain(&plan.late_sysctls);
        let changes = self.scenario.steps.iter().filter_map(|step| match &step.action {
            StepAction::ChangeNode(change) => Some(&**change),
            _ => None,
        });
        let of_steps = changes.filter_map(|change| match change {
            NodeChange::Sysctls { node: of, sysctls } if of == node.name() => {
                Some(sysctls.keys().cloned())
            }
            _ => None,
        });
        let further = self.further.borrow();
        let further = further.get(node.name()).into_iter().flatten().cloned();
        planned.map(|sysctl| sysctl.key.clone()).chain(of_steps.flatten()).chain(further).collect()
    }
}

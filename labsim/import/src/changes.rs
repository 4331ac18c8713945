//! What was changed in a lab that is up, as files that extend those that it was made of.

mod draft;
mod edit;

pub(crate) use draft::{Draft, DraftNode, DraftRoute};

use crate::lab::saved;
use labsim_model::NodeState;
use labsim_scenario::model::{NodeName, Scenario};

/// What a node was set up with when its lab was built, and what it is set up with now.
#[derive(Debug, Clone)]
pub struct ChangedNode {
    /// The node.
    pub name: NodeName,
    /// Then.
    pub built: NodeState,
    /// Now.
    pub now: NodeState,
}

/// A file that extends the scenario's, and one that extends its topology's where that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedFiles {
    /// The scenario.
    pub scenario: String,
    /// The topology that it names.
    pub topology: Option<String>,
}

/// How the files name each other, and what stands at their beginnings.
#[derive(Debug, Clone)]
pub struct Names {
    /// Comments, with a line's end each.
    pub header: String,
    /// The scenario that is extended.
    pub scenario: String,
    /// The topology that is extended.
    pub topology: String,
    /// The new topology.
    pub own_topology: String,
    /// Whether the new topology is named in any case: what the scenario names is not there.
    pub always: bool,
}

/// Changes of a lab that files can express.
#[derive(Debug)]
pub struct Saved {
    draft: Draft,
}

impl Saved {
    /// The changes that make `load` return a scenario that has them. `load` is given files with these and
    /// earlier ones.
    #[must_use]
    pub fn new(
        scenario: &Scenario,
        nodes: &[ChangedNode],
        names: &Names,
        load: &dyn Fn(&SavedFiles) -> Option<Scenario>,
    ) -> Self {
        let mut draft = Draft::new(nodes);
        for node in nodes {
            for alternatives in edit::edits(scenario, node) {
                if alternatives.iter().any(|edit| edit.is_done(node, &draft)) {
                    continue;
                }
                let tried = alternatives.into_iter().find_map(|edit| {
                    let mut with = draft.clone();
                    edit.apply(scenario, node, &mut with);
                    let loaded = load(&saved::files(scenario, &with, names)?)?;
                    edit.is_in(&node.name, &loaded).then_some(with)
                });
                draft = tried.unwrap_or(draft);
            }
        }
        Self { draft }
    }

    /// Whether there is any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.draft.is_empty()
    }

    /// What a node is set up with where the files are used.
    #[must_use]
    pub fn expected(&self, node: &NodeName) -> Option<&NodeState> {
        self.draft.expected.get(node)
    }

    /// The files.
    #[must_use]
    pub fn files(&self, scenario: &Scenario, names: &Names) -> Option<SavedFiles> {
        saved::files(scenario, &self.draft, names)
    }
}

#[cfg(test)]
mod tests;

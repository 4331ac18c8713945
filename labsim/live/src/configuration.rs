//! How what runs in a lab is configured, and what was changed of that since the lab was built.

use crate::protocol::Origin;
use labsim_scenario::model::{NodeName, Scenario};
use labsim_scenario::{CONFIGURATION, Input, LiveChange, LiveScenario};
use labsim_yaml::Diagnostics;
use std::cell::RefCell;
use std::rc::Rc;

/// The configuration of a lab's load balancers and built-in servers.
pub(crate) struct Configuration<'a> {
    built: Rc<Scenario>,
    origin: &'a Origin,
    /// `None` while nothing was asked of it.
    live: RefCell<Option<LiveScenario>>,
}

impl<'a> Configuration<'a> {
    pub(crate) fn new(built: &Scenario, origin: &'a Origin) -> Self {
        Self { built: Rc::new(built.clone()), origin, live: RefCell::default() }
    }

    /// Whether a change of this kind is one of the configuration.
    pub(crate) fn is_of(kind: &str) -> bool {
        CONFIGURATION.contains(&kind)
    }

    /// Reads a change, with what is to be said of it all the same.
    pub(crate) fn change(
        &self,
        kind: &str,
        fields: &str,
    ) -> Result<(LiveChange, Diagnostics), Diagnostics> {
        let mut live = self.live.borrow_mut();
        let live = match &mut *live {
            Some(live) => live,
            none => {
                let (sources, path) = (&self.origin.sources, self.origin.first_source());
                none.insert(LiveScenario::open(Input::InMemory { sources, path: &path })?)
            }
        };
        live.change(kind, fields)
    }

    /// The configuration without the changes that concern a node, or without any; `None` if there are none.
    pub(crate) fn without(
        &self,
        node: Option<&NodeName>,
    ) -> Option<Result<LiveScenario, Diagnostics>> {
        let live = self.live.borrow();
        let live = live.as_ref().filter(|live| match node {
            Some(node) => !live.changed(node).is_empty(),
            None => live.has_changes(),
        })?;
        Some(live.without(node))
    }

    /// The scenario with all changes.
    pub(crate) fn scenario(&self) -> Rc<Scenario> {
        let live = self.live.borrow();
        Rc::clone(live.as_ref().map_or(&self.built, |live| live.scenario()))
    }

    /// What runs is configured so from now on.
    pub(crate) fn is_now(&self, live: LiveScenario) {
        *self.live.borrow_mut() = Some(live);
    }

    /// What was changed in a node, a phrase each.
    pub(crate) fn changed(&self, node: &NodeName) -> Vec<String> {
        self.live.borrow().as_ref().map(|live| live.changed(node)).unwrap_or_default()
    }

    /// Whether there are changes; they may be such as have no effect.
    pub(crate) fn has_changes(&self) -> bool {
        self.live.borrow().as_ref().is_some_and(LiveScenario::has_changes)
    }

    /// VIP and port of each virtual server of a node.
    pub(crate) fn virtual_servers(&self, node: &NodeName) -> Vec<String> {
        let of = |scenario: &Scenario| {
            let balancer = scenario.load_balancers.get(node);
            let servers = balancer.into_iter().flat_map(|it| it.virtual_servers.values());
            servers.map(|server| server.destination.to_string()).collect()
        };
        let live = self.live.borrow();
        of(live.as_ref().map_or(&self.built, |live| live.scenario()))
    }
}

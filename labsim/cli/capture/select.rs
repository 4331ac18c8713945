//! Which nodes and interfaces are captured.

use labsim_lab::{TappedPoint, Taps};
use labsim_live::{Lab, LiveError};
use labsim_model::{known_names, quote};
use std::collections::{BTreeMap, BTreeSet};

/// What is named as `NODE` or `NODE:INTERFACE`, or all of the lab if nothing is.
pub(super) struct Selection {
    /// The interfaces of each node; `None` for all of them.
    nodes: BTreeMap<String, Option<Vec<String>>>,
    /// In the order in which they are named.
    order: Vec<String>,
}

impl Selection {
    pub(super) fn new(named: &[String]) -> Self {
        let mut nodes: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
        let mut order = Vec::new();
        for name in named {
            let (node, interface) = match name.split_once(':') {
                Some((node, interface)) => (node, Some(interface.to_owned())),
                None => (name.as_str(), None),
            };
            if !nodes.contains_key(node) {
                order.push(node.to_owned());
            }
            let wanted = nodes.entry(node.to_owned()).or_insert_with(|| Some(Vec::new()));
            match (wanted.as_mut(), interface) {
                (Some(wanted), Some(interface)) => wanted.push(interface),
                (_, None) => *wanted = None,
                (None, Some(_)) => {}
            }
        }
        Self { nodes, order }
    }

    /// Opens the points, whose frames come from now on.
    ///
    /// # Errors
    /// The node or interface does not exist, or the lab's holder refuses.
    pub(super) fn open(mut self, lab: &Lab) -> Result<Taps, LiveError> {
        if self.order.is_empty() {
            self.order.extend(lab.status()?.nodes.into_iter().map(|node| node.name));
        }
        let mut taps = Taps::default();
        for node in &self.order {
            let (socket, points) = lab.tap(node)?;
            let wanted =
                self.interfaces(node, points.iter().map(|point| point.interface.as_str()))?;
            taps.add(node, socket, &points, wanted);
        }
        Ok(taps)
    }

    /// Which of these points are wanted.
    ///
    /// # Errors
    /// The node or interface does not exist.
    pub(super) fn among(&self, points: &[TappedPoint]) -> Result<Vec<bool>, LiveError> {
        let split = |point: &TappedPoint| {
            let (node, interface) = point.name.split_once(':').unwrap_or_default();
            (node.to_owned(), interface.to_owned())
        };
        let points: Vec<(String, String)> = points.iter().map(split).collect();
        let nodes: BTreeSet<&str> = points.iter().map(|(node, _)| node.as_str()).collect();
        if let Some(unknown) = self.order.iter().find(|node| !nodes.contains(node.as_str())) {
            let known = known_names(unknown, "its nodes", nodes.iter().copied());
            let message = format!("the lab has no node {}; {known}", quote(unknown));
            return Err(LiveError::Refused(message));
        }
        for node in &self.order {
            let of_node = points.iter().filter(|(of, _)| of == node);
            self.interfaces(node, of_node.map(|(_, interface)| interface.as_str()))?;
        }
        let is_wanted = |(node, interface): &(String, String)| match self.nodes.get(node) {
            None => self.order.is_empty(),
            Some(None) => true,
            Some(Some(wanted)) => wanted.contains(interface),
        };
        Ok(points.iter().map(is_wanted).collect())
    }

    /// The interfaces of a node that are wanted, all of which it has; `None` for all.
    fn interfaces<'n>(
        &self,
        node: &str,
        known: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<Option<&[String]>, LiveError> {
        let wanted = self.nodes.get(node).and_then(|wanted| wanted.as_deref());
        let is_known = |interface: &&String| known.clone().any(|it| it == interface.as_str());
        match wanted.iter().copied().flatten().find(|it| !is_known(it)) {
            None => Ok(wanted),
            Some(interface) => {
                let known = known_names(interface, "its interfaces", known);
                let interface = quote(interface);
                let message = format!("{node} has no interface {interface}; {known}");
                Err(LiveError::Refused(message))
            }
        }
    }
}

//! Which nodes and interfaces are captured.

use labsim_lab::Taps;
use labsim_live::{Lab, LiveError};
use labsim_model::{known_names, quote};
use std::collections::BTreeMap;

/// Opens the points that are named as `NODE` or `NODE:INTERFACE`, or all of the lab if none is.
///
/// # Errors
/// There is no such node or interface, or the lab's holder refuses.
pub(super) fn open(lab: &Lab, named: &[String]) -> Result<Taps, LiveError> {
    // `None` for all interfaces of a node.
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
    if named.is_empty() {
        order.extend(lab.status()?.nodes.into_iter().map(|node| node.name));
    }
    let mut taps = Taps::default();
    for node in order {
        let (socket, points) = lab.tap(&node)?;
        let wanted = nodes.remove(&node).flatten();
        for interface in wanted.iter().flatten() {
            if points.iter().all(|point| point.interface != *interface) {
                let known = points.iter().map(|point| point.interface.as_str());
                let known = known_names(interface, "its interfaces", known);
                let interface = quote(interface);
                let message = format!("{node} has no interface {interface}; {known}");
                return Err(LiveError::Refused(message));
            }
        }
        taps.add(&node, socket, &points, wanted.as_deref());
    }
    Ok(taps)
}

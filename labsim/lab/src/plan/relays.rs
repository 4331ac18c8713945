//! Which links have a relay between their ends: those that are impaired.

use super::{IfIndexAllocator, InterfacePlan, LabPlan, RelayPlan, VethLink, VethLinkEnd};
use labsim_scenario::model::{Attachment, Impairment, InterfaceName};
use std::collections::BTreeMap;

impl LabPlan {
    /// Has the kernel's netem impair the links, instead of the relay.
    #[must_use]
    pub fn with_netem(mut self) -> Self {
        for relay in self.links.iter_mut().filter_map(|link| link.relay.as_mut()) {
            relay.netem = true;
        }
        self
    }

    /// The interface that an end is, unless it is a bridge's port.
    pub(crate) fn attachment(&self, end: &VethLinkEnd) -> Option<Attachment> {
        let VethLinkEnd::Node { node, interface } = end else { return None };
        let node = self.nodes.get(*node)?;
        let interface = node.interfaces.get(*interface)?.name.clone();
        Some(Attachment { node: node.name.clone(), interface })
    }

    /// Splits every veth link of which an end is impaired.
    pub(super) fn split(
        &mut self,
        impairments: &BTreeMap<Attachment, Impairment>,
        numbers: &mut IfIndexAllocator,
    ) {
        if impairments.is_empty() {
            return;
        }
        for place in 0..self.links.len() {
            let Some(VethLink { ends, .. }) = self.links.get(place) else { continue };
            let of_end = |end| impairments.get(&self.attachment(end)?).cloned();
            let impairments = ends.each_ref().map(of_end);
            if impairments.iter().all(Option::is_none) {
                continue;
            }
            let [Some(first), Some(second)] = ends.each_ref().map(|end| self.inner(end, numbers))
            else {
                continue;
            };
            let relay = RelayPlan { inner: [first, second], impairments, netem: false };
            if let Some(link) = self.links.get_mut(place) {
                link.relay = Some(relay);
            }
        }
    }

    /// The far end of an end's pair. It is like that end, so that what the link carries is what it
    /// would carry without a relay, offloads among it.
    fn inner(&self, end: &VethLinkEnd, numbers: &mut IfIndexAllocator) -> Option<InterfacePlan> {
        let outer = match end {
            VethLinkEnd::Node { node, interface } => {
                self.nodes.get(*node)?.interfaces.get(*interface)?
            }
            VethLinkEnd::Port { port, .. } => port,
        };
        let (index, mac) = numbers.next();
        let name = InterfaceName::new(&format!("relay-{index}")).ok()?;
        Some(InterfacePlan { name, index, mac, ipv6: false, ..outer.clone() })
    }
}

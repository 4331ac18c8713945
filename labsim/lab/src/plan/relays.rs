//! Which links have a relay between their ends: those that are impaired.

use super::{Cable, CableEnd, InterfacePlan, Numbers, Plan, RelayPlan};
use labsim_scenario::model::{Attachment, Impairment, InterfaceName};
use std::collections::{BTreeMap, BTreeSet};

impl Plan {
    /// Has the kernel's netem impair the links that are impaired, instead of whoever relays.
    #[must_use]
    pub fn with_netem(mut self) -> Self {
        for relay in self.cables.iter_mut().filter_map(|cable| cable.relay.as_mut()) {
            relay.netem = true;
        }
        self
    }

    /// The interface that an end is, unless it is a bridge's port.
    pub(crate) fn attachment(&self, end: &CableEnd) -> Option<Attachment> {
        let CableEnd::Node { node, interface } = end else { return None };
        let node = self.nodes.get(*node)?;
        let interface = node.interfaces.get(*interface)?.name.clone();
        Some(Attachment { node: node.name.clone(), interface })
    }

    /// Splits every cable of which an end is impaired.
    pub(super) fn split(
        &mut self,
        impairments: &BTreeMap<Attachment, Impairment>,
        numbers: &mut Numbers,
    ) {
        if impairments.is_empty() {
            return;
        }
        let mut taken = self.fabric_names();
        for place in 0..self.cables.len() {
            let Some(Cable { ends, .. }) = self.cables.get(place) else { continue };
            let of_end = |end| impairments.get(&self.attachment(end)?).cloned();
            let impairments = ends.each_ref().map(of_end);
            if impairments.iter().all(Option::is_none) {
                continue;
            }
            let [Some(first), Some(second)] =
                ends.each_ref().map(|end| self.inner(end, numbers, &mut taken))
            else {
                continue;
            };
            let relay = RelayPlan { inner: [first, second], impairments, netem: false };
            if let Some(cable) = self.cables.get_mut(place) {
                cable.relay = Some(relay);
            }
        }
    }

    /// The far end of an end's pair. It is like that end, so that what the link carries is what it
    /// would carry without a relay, offloads among it.
    fn inner(
        &self,
        end: &CableEnd,
        numbers: &mut Numbers,
        taken: &mut BTreeSet<String>,
    ) -> Option<InterfacePlan> {
        let outer = match end {
            CableEnd::Node { node, interface } => {
                self.nodes.get(*node)?.interfaces.get(*interface)?
            }
            CableEnd::Port { port, .. } => port,
        };
        let (index, mac) = numbers.next();
        let names = (1..).map(|number| format!("relay-{number}"));
        let name = names.into_iter().find(|name| !taken.contains(name))?;
        let inner = InterfacePlan {
            name: InterfaceName::new(&name).ok()?,
            index,
            mac,
            ipv6: false,
            ..outer.clone()
        };
        taken.insert(name);
        Some(inner)
    }

    /// The names of all devices in the fabric.
    fn fabric_names(&self) -> BTreeSet<String> {
        let bridges = self.bridges.iter().map(|bridge| &bridge.name);
        let ports = self.cables.iter().flat_map(|cable| &cable.ends).filter_map(|end| match end {
            CableEnd::Port { port, .. } => Some(&port.name),
            CableEnd::Node { .. } => None,
        });
        let peers = self.tunnels().filter_map(|tunnel| Some(&tunnel.peer.as_ref()?.name));
        bridges.chain(ports).chain(peers).map(|name| name.as_str().to_owned()).collect()
    }
}

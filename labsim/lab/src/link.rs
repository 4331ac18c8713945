//! Links that fail while a lab runs, and come back.

use crate::build::await_addresses_here;
use crate::error::BuildError;
use crate::lab::Lab;
use crate::netlink::request;
use crate::plan::{InterfacePlan, NodePlan, VethLinkEnd};
use labsim_scenario::model::{InterfaceName, NodeName};
use labsim_sys::Errno;
use labsim_sys::device::has_carrier;
use labsim_sys::netlink::{Batch, Refusal, Socket};
use labsim_sys::netns::Namespace;
use std::io;

impl Lab {
    /// Sets an interface of a node down or up, as ip-link(8) does. The other end of the
    /// link loses and regains its carrier; both ends know when this returns. The kernel forgets
    /// the routes and IPv6 addresses of an interface that goes down: when it comes up, those of the
    /// plan are put back.
    ///
    /// # Errors
    /// The interface does not exist, or the kernel refused the change.
    pub fn set_link(
        &self,
        node: &NodeName,
        interface: &InterfaceName,
        up: bool,
    ) -> Result<(), BuildError> {
        let refused = |reason: String| {
            let state = if up { "up" } else { "down" };
            BuildError::Refused { operation: format!("{node}:{interface} {state}"), reason }
        };
        let found = self.nodes().enumerate().find_map(|(position, it)| {
            let mut interfaces = it.plan().interfaces.iter().enumerate();
            let (place, device) = interfaces.find(|(_, device)| device.name == *interface)?;
            (it.name() == node).then_some((it, position, place, device))
        });
        let Some((of_lab, position, place, device)) = found else {
            return Err(refused("the lab has no such interface".to_owned()));
        };
        let entered = |source: io::Error| BuildError::Namespace { node: node.to_string(), source };
        let failed = |refusal: Refusal<()>| refused(refusal.to_string());
        let work = || match up {
            true => {
                raise(of_lab.plan(), device).map_err(failed)?;
                await_addresses_here(of_lab.plan())
            }
            false => lower(device).map_err(failed),
        };
        of_lab.run(work).map_err(entered)??;
        if let Some((namespace, name)) = self.other_end(position, place) {
            // What is asked for is that the kernel has taken note.
            let asked = self.run_in(namespace, || has_carrier(&Socket::open()?, name.as_str()));
            asked.map_err(entered)?.map_err(|errno| failed(errno.into()))?;
        }
        Ok(())
    }

    /// The other end of an interface's veth pair, and where it is.
    fn other_end(&self, node: usize, interface: usize) -> Option<(&Namespace, &InterfaceName)> {
        let here = VethLinkEnd::Node { node, interface };
        let link = self.links().iter().find(|link| link.ends.contains(&here))?;
        let [first, second] = &link.ends;
        if let Some(relay) = &link.relay {
            let [near_first, near_second] = &relay.inner;
            let inner = if *first == here { near_first } else { near_second };
            return Some((self.switch_ns()?, &inner.name));
        }
        match if *first == here { second } else { first } {
            VethLinkEnd::Port { port, .. } => Some((self.switch_ns()?, &port.name)),
            VethLinkEnd::Node { node, interface } => {
                let node = self.nodes().nth(*node)?;
                Some((node.namespace(), &node.plan().interfaces.get(*interface)?.name))
            }
        }
    }
}

fn lower(device: &InterfacePlan) -> Result<(), Refusal<()>> {
    let mut batch = Batch::default();
    batch.push(request::set_down(device.index, device.mtu), ());
    batch.send(&mut Socket::open()?)
}

fn raise(plan: &NodePlan, device: &InterfacePlan) -> Result<(), Refusal<()>> {
    let mut netlink = Socket::open()?;
    let mut batch = Batch::default();
    batch.push(request::set_up(device.index, None), ());
    batch.send(&mut netlink)?;
    // Frames go through from here on, if the other end is up.
    let _: Result<bool, Errno> = has_carrier(&netlink, device.name.as_str());
    let mut batch = Batch::default();
    let addresses = plan.addresses.iter().filter(|it| it.interface == device.name);
    for address in addresses.filter(|it| it.address.addr().is_ipv6()) {
        batch.push(request::address(address, device.index), ());
    }
    for route in plan.routes.iter().filter(|it| it.route.interface == device.name) {
        batch.push(request::only_route(route, device.index), ());
    }
    batch.send(&mut netlink)
}

//! Links: veth pairs made in place, and set up at both ends.

use super::{IPV6_LEAST_MTU, Site, refusal_error, refused};
use crate::device;
use crate::error::BuildError;
use crate::netlink::{Batch, Refusal, Request};
use crate::plan::{Cable, CableEnd, InterfacePlan, Plan};
use nix::errno::Errno;

/// Which namespace an end is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Fabric,
    Node(usize),
}

/// An end of a pair.
struct End<'a> {
    place: Place,
    plan: &'a InterfacePlan,
    /// For messages.
    name: String,
}

/// A veth pair. The request for it goes to the namespace of the first end, and names that of the
/// second.
struct Pair<'a> {
    cable: &'a Cable,
    near: End<'a>,
    /// The bridge that `near` is a port of.
    bridge: Option<u32>,
    far: End<'a>,
}

/// Makes every pair; frames go through when this returns. Those with the same first namespace
/// travel together.
pub(super) fn make(
    plan: &Plan,
    sites: &mut [Site],
    mut fabric: Option<&mut Site>,
) -> Result<(), BuildError> {
    let pairs = pairs(plan);
    let mut of_fabric = Batch::default();
    let mut of_node: Vec<Batch<&Cable>> = sites.iter().map(|_| Batch::default()).collect();
    for Pair { cable, near, bridge, far } in &pairs {
        let Some(far_site) = site(far.place, sites, fabric.as_deref()) else { continue };
        let request = Request::veth(near.plan, *bridge, far.plan, &far_site.namespace);
        match near.place {
            Place::Fabric => of_fabric.push(request, *cable),
            Place::Node(node) => {
                if let Some(batch) = of_node.get_mut(node) {
                    batch.push(request, *cable);
                }
            }
        }
    }
    let link = |refusal| {
        refused(refusal, |cable: &Cable| {
            let [a, b] = cable.ends.each_ref().map(|end| plan.end_name(end));
            format!("link {a} -- {b}")
        })
    };
    if let Some(fabric) = fabric.as_deref_mut() {
        of_fabric.send(&mut fabric.netlink).map_err(link)?;
    }
    for (batch, site) in of_node.into_iter().zip(sites.iter_mut()) {
        batch.send(&mut site.netlink).map_err(link)?;
    }
    let ends: Vec<&End<'_>> = pairs.iter().flat_map(|pair| [&pair.near, &pair.far]).collect();
    raise(&ends, sites, fabric.as_deref_mut())?;
    for end in ends {
        if let Some(site) = site(end.place, sites, fabric.as_deref()) {
            finish_end(&end.name, end.plan, site)?;
        }
    }
    Ok(())
}

/// A pair for each cable; two for one with a relay, which sits between their inner ends.
fn pairs(plan: &Plan) -> Vec<Pair<'_>> {
    let mut pairs = Vec::with_capacity(plan.cables.len());
    for cable in &plan.cables {
        let [Some(first), Some(second)] = cable.ends.each_ref().map(|end| outer(plan, end)) else {
            continue;
        };
        let Some(relay) = &cable.relay else {
            let bridge = bridge(plan, &cable.ends[0]);
            pairs.push(Pair { cable, near: first, bridge, far: second });
            continue;
        };
        for ((outer, end), inner) in [first, second].into_iter().zip(&cable.ends).zip(&relay.inner)
        {
            let name = format!("the relay's end towards {}", outer.name);
            let inner = End { place: Place::Fabric, plan: inner, name };
            // A bridge's port is made where its bridge is.
            pairs.push(match bridge(plan, end) {
                bridge @ Some(_) => Pair { cable, near: outer, bridge, far: inner },
                None => Pair { cable, near: inner, bridge: None, far: outer },
            });
        }
    }
    pairs
}

fn outer<'a>(plan: &'a Plan, end: &'a CableEnd) -> Option<End<'a>> {
    let name = plan.end_name(end);
    Some(match end {
        CableEnd::Node { node, interface } => {
            let of_node = plan.nodes.get(*node)?;
            End { place: Place::Node(*node), plan: of_node.interfaces.get(*interface)?, name }
        }
        CableEnd::Port { port, .. } => End { place: Place::Fabric, plan: port, name },
    })
}

fn bridge(plan: &Plan, end: &CableEnd) -> Option<u32> {
    match end {
        CableEnd::Port { bridge, .. } => plan.bridges.get(*bridge).map(|it| it.index),
        CableEnd::Node { .. } => None,
    }
}

fn site<'a>(place: Place, sites: &'a [Site], fabric: Option<&'a Site>) -> Option<&'a Site> {
    match place {
        Place::Fabric => fabric,
        Place::Node(node) => sites.get(node),
    }
}

/// Sets every end up.
fn raise(
    ends: &[&End<'_>],
    sites: &mut [Site],
    fabric: Option<&mut Site>,
) -> Result<(), BuildError> {
    let mut of_fabric = Batch::default();
    let mut of_node: Vec<_> = sites.iter().map(|_| Batch::default()).collect();
    for end in ends {
        let batch = match end.place {
            Place::Fabric => Some(&mut of_fabric),
            Place::Node(node) => of_node.get_mut(node),
        };
        if let (Some(site), Some(batch)) = (site(end.place, sites, fabric.as_deref()), batch) {
            if let Some(request) = site.quieting(end.plan) {
                batch.push(request, *end);
            }
            batch.push(Request::set_up(end.plan.index, None), *end);
        }
    }
    let sites = sites.iter_mut().chain(fabric);
    for (batch, site) in of_node.into_iter().chain([of_fabric]).zip(sites) {
        batch
            .send(&mut site.netlink)
            .map_err(|refusal| refused(refusal, |end| format!("{} up", end.name)))?;
    }
    Ok(())
}

impl Site {
    /// Has a device that is down make no IPv6 address by itself when it comes up: no link-local
    /// address, so no neighbour or router solicitation and no multicast report in anyone's
    /// capture. (Below its least MTU a device has no IPv6 at all.)
    pub(super) fn quieting(&self, it: &InterfacePlan) -> Option<Request> {
        (self.ipv6 && it.mtu >= IPV6_LEAST_MTU).then(|| Request::no_own_ipv6(it.index))
    }
}

/// Offloads as the plan wants them, and frames go through from here on.
pub(super) fn finish_end(name: &str, it: &InterfacePlan, site: &Site) -> Result<(), BuildError> {
    let failed = |errno: Errno, what: &str| {
        refusal_error(&Refusal::<()>::from(errno), format!("{what} of {name}"))
    };
    if !it.offloads {
        device::offloads_off(&site.netlink, &it.name).map_err(|e| failed(e, "offloads"))?;
    }
    match device::has_carrier(&site.netlink, &it.name).map_err(|e| failed(e, "carrier"))? {
        true => Ok(()),
        false => Err(BuildError::NoCarrier { interface: name.to_owned() }),
    }
}

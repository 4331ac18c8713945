//! Links: veth pairs made in place, and set up at both ends.

use super::{IPV6_LEAST_MTU, NodeBuilder, refusal_error, refused};
use crate::error::BuildError;
use crate::netlink::request;
use crate::plan::{InterfacePlan, LabPlan, VethLink, VethLinkEnd};
use labsim_sys::Errno;
use labsim_sys::device;
use labsim_sys::netlink::{Batch, Refusal, Request};

/// Which namespace an end is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    SwitchNs,
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
    link: &'a VethLink,
    near: End<'a>,
    /// The bridge that `near` is a port of.
    bridge: Option<u32>,
    far: End<'a>,
}

/// Makes every pair; frames go through when this returns. Those with the same first namespace
/// travel together.
pub(super) fn make(
    plan: &LabPlan,
    builders: &mut [NodeBuilder],
    mut switch_ns: Option<&mut NodeBuilder>,
) -> Result<(), BuildError> {
    let pairs = pairs(plan);
    let mut of_switch_ns = Batch::default();
    let mut of_node: Vec<Batch<&VethLink>> = builders.iter().map(|_| Batch::default()).collect();
    for Pair { link, near, bridge, far } in &pairs {
        let Some(far_site) = builder(far.place, builders, switch_ns.as_deref()) else { continue };
        let pair = request::veth(near.plan, *bridge, far.plan, &far_site.namespace);
        match near.place {
            Place::SwitchNs => of_switch_ns.push(pair, *link),
            Place::Node(node) => {
                if let Some(batch) = of_node.get_mut(node) {
                    batch.push(pair, *link);
                }
            }
        }
    }
    let link = |refusal| {
        refused(refusal, |link: &VethLink| {
            let [a, b] = link.ends.each_ref().map(|end| plan.end_name(end));
            format!("link {a} -- {b}")
        })
    };
    if let Some(switch_ns) = switch_ns.as_deref_mut() {
        of_switch_ns.send(&mut switch_ns.netlink).map_err(link)?;
    }
    for (batch, builder) in of_node.into_iter().zip(builders.iter_mut()) {
        batch.send(&mut builder.netlink).map_err(link)?;
    }
    let ends: Vec<&End<'_>> = pairs.iter().flat_map(|pair| [&pair.near, &pair.far]).collect();
    raise(&ends, builders, switch_ns.as_deref_mut())?;
    for end in ends {
        if let Some(builder) = builder(end.place, builders, switch_ns.as_deref()) {
            finish_end(&end.name, end.plan, builder)?;
        }
    }
    Ok(())
}

/// A pair for each veth link; two for one with a relay, which sits between their inner ends.
fn pairs(plan: &LabPlan) -> Vec<Pair<'_>> {
    let mut pairs = Vec::with_capacity(plan.links.len());
    for link in &plan.links {
        let [Some(first), Some(second)] = link.ends.each_ref().map(|end| outer(plan, end)) else {
            continue;
        };
        let Some(relay) = &link.relay else {
            let bridge = bridge(plan, &link.ends[0]);
            pairs.push(Pair { link, near: first, bridge, far: second });
            continue;
        };
        for ((outer, end), inner) in [first, second].into_iter().zip(&link.ends).zip(&relay.inner) {
            let name = format!("the relay's end towards {}", outer.name);
            let inner = End { place: Place::SwitchNs, plan: inner, name };
            // A bridge's port is made where its bridge is.
            pairs.push(match bridge(plan, end) {
                bridge @ Some(_) => Pair { link, near: outer, bridge, far: inner },
                None => Pair { link, near: inner, bridge: None, far: outer },
            });
        }
    }
    pairs
}

fn outer<'a>(plan: &'a LabPlan, end: &'a VethLinkEnd) -> Option<End<'a>> {
    let name = plan.end_name(end);
    Some(match end {
        VethLinkEnd::Node { node, interface } => {
            let of_node = plan.nodes.get(*node)?;
            End { place: Place::Node(*node), plan: of_node.interfaces.get(*interface)?, name }
        }
        VethLinkEnd::Port { port, .. } => End { place: Place::SwitchNs, plan: port, name },
    })
}

fn bridge(plan: &LabPlan, end: &VethLinkEnd) -> Option<u32> {
    match end {
        VethLinkEnd::Port { bridge, .. } => plan.bridges.get(*bridge).map(|it| it.index),
        VethLinkEnd::Node { .. } => None,
    }
}

fn builder<'a>(
    place: Place,
    builders: &'a [NodeBuilder],
    switch_ns: Option<&'a NodeBuilder>,
) -> Option<&'a NodeBuilder> {
    match place {
        Place::SwitchNs => switch_ns,
        Place::Node(node) => builders.get(node),
    }
}

/// Sets every end up.
fn raise(
    ends: &[&End<'_>],
    builders: &mut [NodeBuilder],
    switch_ns: Option<&mut NodeBuilder>,
) -> Result<(), BuildError> {
    let mut of_switch_ns = Batch::default();
    let mut of_node: Vec<_> = builders.iter().map(|_| Batch::default()).collect();
    for end in ends {
        let batch = match end.place {
            Place::SwitchNs => Some(&mut of_switch_ns),
            Place::Node(node) => of_node.get_mut(node),
        };
        if let (Some(builder), Some(batch)) =
            (builder(end.place, builders, switch_ns.as_deref()), batch)
        {
            if let Some(disable_autoconf) = builder.disable_autoconf(end.plan) {
                batch.push(disable_autoconf, *end);
            }
            batch.push(request::set_up(end.plan.index, None), *end);
        }
    }
    let builders = builders.iter_mut().chain(switch_ns);
    for (batch, builder) in of_node.into_iter().chain([of_switch_ns]).zip(builders) {
        batch
            .send(&mut builder.netlink)
            .map_err(|refusal| refused(refusal, |end| format!("{} up", end.name)))?;
    }
    Ok(())
}

impl NodeBuilder {
    /// Has a device that is down make no IPv6 address by itself when it comes up: no link-local
    /// address, so no neighbour or router solicitation and no multicast report in anyone's
    /// capture. (Below its least MTU a device has no IPv6 at all.)
    pub(super) fn disable_autoconf(&self, it: &InterfacePlan) -> Option<Request> {
        (self.ipv6 && it.mtu >= IPV6_LEAST_MTU).then(|| request::disable_autoconf(it.index))
    }
}

/// Offloads as the plan wants them, and frames go through from here on.
pub(super) fn finish_end(
    name: &str,
    it: &InterfacePlan,
    builder: &NodeBuilder,
) -> Result<(), BuildError> {
    let failed = |errno: Errno, what: &str| {
        refusal_error(&Refusal::<()>::from(errno), format!("{what} of {name}"))
    };
    if !it.offloads {
        device::disable_offloads(&builder.netlink, it.name.as_str())
            .map_err(|e| failed(e, "offloads"))?;
    }
    match device::has_carrier(&builder.netlink, it.name.as_str())
        .map_err(|e| failed(e, "carrier"))?
    {
        true => Ok(()),
        false => Err(BuildError::NoCarrier { interface: name.to_owned() }),
    }
}

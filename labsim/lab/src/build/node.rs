//! What is inside one node: tunnel device, addresses, routes, late settings.

use super::{NodeBuilder, Tunnel, enter, ipv6, refused, set_sysctls, tunnel};
use crate::error::BuildError;
use crate::netlink::request;
use crate::netns::WorkerContext;
use crate::plan::{AddressPlan, NodePlan, RoutePlan, TunnelMode, TunnelPlan};
use labsim_sys::netlink::Batch;

/// The loopback device's number: the first of every namespace.
const LOOPBACK: u32 = 1;

/// What a request of a node is for.
enum Operation<'a> {
    Loopback,
    TunnelUp(&'a TunnelPlan),
    Address(&'a AddressPlan),
    Route(&'a RoutePlan),
}

impl Operation<'_> {
    fn in_words(&self, node: &NodePlan) -> String {
        let node = &node.name;
        match self {
            Self::Loopback => format!("{node}:lo up"),
            Self::TunnelUp(tunnel) => {
                format!("{node}:{} {}", tunnel.name, if tunnel.up { "up" } else { "down" })
            }
            Self::Address(it) => format!("address {} on {node}:{}", it.address, it.interface),
            Self::Route(it) => {
                let (hops, to) = (it.route.describe_next_hops(), &it.route);
                format!("route to {} via {hops} on {node}:{}", to.destination, to.interface)
            }
        }
    }
}

/// Finishes a node whose links are up. Devices come first, then addresses and routes, then the
/// settings that may name a device. Returns its tunnel devices, in the plan's order.
pub(super) fn configure_node(
    node: &NodePlan,
    builder: &mut NodeBuilder,
    mut switch_ns: Option<&mut NodeBuilder>,
    context: &mut WorkerContext,
) -> Result<Vec<Tunnel>, BuildError> {
    let with_ipv6 = node.interfaces.iter().filter(|it| it.ipv6);
    let settings: Vec<_> = with_ipv6.flat_map(|it| ipv6::switch_on(it.name.as_str())).collect();
    if !settings.is_empty() {
        enter(node.name.as_str(), builder, context)?;
        set_sysctls(&node.name, &settings)?;
    }
    let mut tunnels = Vec::with_capacity(node.tunnels.len());
    for plan in &node.tunnels {
        tunnels.push(tunnel::make(node, plan, builder, switch_ns.as_deref_mut(), context)?);
    }
    configure(node, &tunnels, builder)?;
    if !node.late_sysctls.is_empty() {
        enter(node.name.as_str(), builder, context)?;
        set_sysctls(&node.name, &node.late_sysctls)?;
    }
    Ok(tunnels)
}

fn configure(
    node: &NodePlan,
    tunnels: &[Tunnel],
    builder: &mut NodeBuilder,
) -> Result<(), BuildError> {
    let index_of = |name: &str| {
        let interface = node.interfaces.iter().find(|it| it.name.as_str() == name);
        let mut made = node.tunnels.iter().zip(tunnels);
        let tunnel = made.find(|(plan, _)| plan.name.as_str() == name);
        match (interface, tunnel) {
            (Some(interface), _) => Some(interface.index),
            (None, Some((_, tunnel))) => Some(tunnel.index),
            (None, None) => (name == "lo").then_some(LOOPBACK),
        }
    };
    let mut batch = Batch::default();
    batch.push(request::set_up(LOOPBACK, None), Operation::Loopback);
    for (tunnel, &Tunnel { index, .. }) in node.tunnels.iter().zip(tunnels) {
        // Of the kernel's own devices, those that IPv6 comes out of make themselves an address.
        // `gre0` has no IPv6 before it is up: the module gives it its MTU only after it is there
        // (`ip_tunnel_init_net` of net/ipv4/ip_tunnel.c).
        let late = tunnel.name.as_str() == "gre0";
        let quiet = match tunnel.mode {
            TunnelMode::Userspace => true,
            TunnelMode::Kernel => tunnel.kind.inner_ipv6() && !late,
            TunnelMode::UserspaceVeth => false,
        };
        if builder.ipv6 && quiet {
            batch.push(request::disable_autoconf(index), Operation::TunnelUp(tunnel));
        }
        let request = match tunnel.up {
            true => request::set_up(index, Some(tunnel.mtu)),
            false => request::set_down(index, tunnel.mtu),
        };
        batch.push(request, Operation::TunnelUp(tunnel));
    }
    // An interface that the node does not have gets number 0, and so the kernel's refusal.
    for address in &node.addresses {
        let index = index_of(address.interface.as_str()).unwrap_or_default();
        batch.push(request::address(address, index), Operation::Address(address));
    }
    for route in &node.routes {
        let index = index_of(route.route.interface.as_str()).unwrap_or_default();
        batch.push(request::route(route, index), Operation::Route(route));
    }
    batch
        .send(&mut builder.netlink)
        .map_err(|refusal| refused(refusal, |operation| operation.in_words(node)))
}

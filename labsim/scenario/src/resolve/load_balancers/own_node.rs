//! A load balancer whose node is more: a member of its own pool, a host of the VIP, or one with several
//! interfaces.

use crate::model::{InterfaceName, LoadBalancer, Node, NodeName, RealServer, SourceTranslation};
use crate::resolve::Report;
use crate::resolve::lookup::Lookup;
use labsim_codes::file;
use labsim_model::{Engine, KeyPath, is_unread};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Checks what such a node cannot do: its kernel answers a client straight, from the address that was
/// asked.
pub(in crate::resolve) fn check_own_nodes(
    load_balancers: &BTreeMap<NodeName, LoadBalancer>,
    real_servers: &BTreeMap<NodeName, RealServer>,
    lookup: &Lookup<'_>,
    report: &mut Report<'_>,
) {
    if !lookup.knows_addresses() {
        return;
    }
    for (node, balancer) in load_balancers {
        let vips = balancer.virtual_servers.values().map(|server| server.destination.ip());
        let own = OwnNode { node, vips: vips.collect(), real_servers, lookup };
        for (name, server) in &balancer.virtual_servers {
            let Some(pool) = balancer.pools.get(&server.pool) else { continue };
            let vip = server.destination.ip();
            let at = KeyPath::new(["virtual_servers", name]);
            let mut problem = |path: KeyPath, message| {
                let place = report.span_of(&["load_balancers", node.as_str()], &path);
                report.first_at(place, file::CONFLICT, message);
            };
            let translates = [
                (server.translate_address, "translate_address"),
                (
                    server.source_address_translation != SourceTranslation::None,
                    "source_address_translation",
                ),
            ];
            let translates = translates.into_iter().find_map(|(does, key)| does.then_some(key));
            for (index, member) in pool.members.iter().enumerate() {
                let ip = member.address.ip();
                let Some((own, other)) = own.elsewhere(ip) else { continue };
                // IPVS's packets are the kernel's own, which routes them.
                if balancer.engine == Engine::Ipvs {
                    continue;
                }
                if pool.profile_of(member).tunnel().is_some() && translates.is_none() {
                    continue;
                }
                let message = format!(
                    "{ip} is behind `{node}:{other}`, and the load balancer answers for the VIP at \
                     `{node}:{own}`: a member behind another interface needs a tunnel and no address \
                     translation; write such as `profile: ipip`"
                );
                let path = KeyPath::new(["pools", &server.pool, "members"]).join(index);
                problem(path.join("address"), message);
            }
            let monitor = pool.monitor.as_ref().is_some_and(|monitor| monitor.transparent);
            if monitor && own.has(vip) {
                let message = format!(
                    "a transparent monitor cannot probe {vip}, which `{node}` has itself: the packets \
                     never leave; remove `transparent`, or take the VIP off the node"
                );
                problem(KeyPath::new(["pools", &server.pool, "monitor"]), message);
            }
            let members = pool.members.iter().map(|member| member.address);
            let mut members = members.filter(|member| !is_unread(*member));
            let Some(member) = members.find(|member| own.has(member.ip())) else { continue };
            if let Some(key) = translates {
                let message = format!(
                    "the member {member} is `{node}` itself, whose answers leave without passing the \
                     load balancer and could not be translated back; take `{key}` out, or the member"
                );
                problem(at.join(key), message);
            } else if !own.has(vip) {
                let message = format!(
                    "the member {member} is `{node}` itself, which does not have the VIP {vip} and \
                     would send its packets away; make `{node}` a real server with this VIP, or give \
                     it to an interface"
                );
                problem(at.join("destination"), message);
            }
        }
    }
}

struct OwnNode<'a> {
    node: &'a NodeName,
    vips: Vec<IpAddr>,
    real_servers: &'a BTreeMap<NodeName, RealServer>,
    lookup: &'a Lookup<'a>,
}

impl OwnNode<'_> {
    /// The node's interface for the VIPs and the one that an address is behind, if that is another one.
    fn elsewhere(&self, address: IpAddr) -> Option<(&InterfaceName, &InterfaceName)> {
        let node = self.lookup.get(self.node)?;
        let main = node.main_interface(&self.vips)?;
        let other = leaves_by(node, address).filter(|other| **other != main.name)?;
        (!self.has(address)).then_some((&main.name, other))
    }

    /// Whether the node has the address, on whatever interface.
    fn has(&self, address: IpAddr) -> bool {
        let server = self.real_servers.get(self.node);
        let mut vips = server.into_iter().flat_map(|server| &server.vips);
        self.lookup.owner(address).is_some_and(|owner| owner.node == *self.node)
            || vips.any(|vip| vip.address == address)
    }
}

/// The interface by which a node's packets to an address leave: that of its closest subnet or route.
fn leaves_by(node: &Node, address: IpAddr) -> Option<&InterfaceName> {
    let connected =
        node.interfaces.iter().flat_map(|it| it.addresses.iter().map(move |net| (net, &it.name)));
    let routes = node.routes.iter().map(|route| (&route.destination, &route.interface));
    let fitting = routes.chain(connected).filter(|(net, _)| net.contains(&address));
    fitting.max_by_key(|(net, _)| net.prefix_len()).map(|(_, interface)| interface)
}

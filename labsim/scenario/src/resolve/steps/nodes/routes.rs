//! Steps that change routes.

use super::{Nodes, changed};
use crate::file::RawSetRoute;
use crate::model::{InterfaceName, NodeChange, NodeName, RouteTarget, StepAction};
use crate::resolve::real_servers::route_metrics;
use crate::resolve::{Report, address};
use crate::text::listed;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use labsim_codes::file;
use labsim_yaml::{Located, Span};
use std::collections::BTreeSet;
use std::net::IpAddr;

impl Nodes<'_> {
    /// A step that sets a route, or removes one that is there.
    pub(in crate::resolve::steps) fn set_route(
        &mut self,
        fields: &RawSetRoute,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let step = self.read_route(fields, report);
        self.unclear |= step.is_none();
        step
    }

    fn read_route(&mut self, fields: &RawSetRoute, report: &mut Report<'_>) -> Option<StepAction> {
        let node = self.node(&fields.node, "routes", report);
        let metrics = route_metrics((fields.mtu, fields.advmss), report);
        let destination = match fields.to.value.as_str() {
            "default" => None,
            text => Some(report.take(fields.to.span, address::prefix(text))?),
        };
        let node = node?;
        let Some(next_hop) = next_hop(&fields.via, report)? else {
            let word = &fields.via.value;
            if let Some(size) = fields.mtu.or(fields.advmss) {
                let message =
                    format!("a route that is `{word}` has no packet sizes; leave them out");
                report.at(size.span, file::CONFLICT, message);
            }
            let Some(destination) = destination else {
                let message = format!(
                    "`default` with `{word}` may be of either family; write `0.0.0.0/0` or `::/0`"
                );
                report.at(fields.to.span, file::AMBIGUOUS, message);
                return None;
            };
            let target = match word.as_str() {
                "blackhole" => RouteTarget::Blackhole,
                "unreachable" => RouteTarget::Unreachable,
                _ => {
                    self.check_removal(&node, destination, fields.via.span, report);
                    RouteTarget::Removed
                }
            };
            return self.route(node, destination, target);
        };
        let destination = destination.unwrap_or_else(|| everything(next_hop));
        if destination.addr().is_ipv4() != next_hop.is_ipv4() {
            let message = format!(
                "{next_hop} cannot be the next hop to {destination}; write one of its family"
            );
            report.at(fields.via.span, file::ADDRESS_FAMILY, message);
            return None;
        }
        let interface = report.take(fields.via.span, self.reach(&node, next_hop))?;
        self.route(node, destination, RouteTarget::Via { via: next_hop, interface, metrics })
    }

    fn route(
        &mut self,
        node: NodeName,
        destination: IpNet,
        target: RouteTarget,
    ) -> Option<StepAction> {
        let is_there = target != RouteTarget::Removed;
        self.routes.insert((node.clone(), destination), is_there);
        Some(changed(NodeChange::Route { node, destination, target }))
    }

    fn check_removal(
        &self,
        node: &NodeName,
        destination: IpNet,
        span: Span,
        report: &mut Report<'_>,
    ) {
        let Some(found) = self.lookup.get(node) else { return };
        let written = || found.routes.iter().map(|route| route.destination);
        let connected = || found.interfaces.iter().flat_map(|one| &one.addresses);
        let in_file = || {
            written().any(|route| route == destination)
                || connected().any(|net| net.trunc() == destination)
        };
        let key = (node.clone(), destination);
        if self.routes.get(&key).copied().unwrap_or_else(in_file) || self.is_unclear(report) {
            return;
        }
        let message = format!(
            "`{node}` has no route to {destination} at this step; it has {}",
            listed(
                written().chain(connected().map(|net| net.trunc())).collect::<BTreeSet<_>>().iter()
            )
        );
        report.at(span, file::STEP_ORDER, message);
    }

    /// The interface that reaches a next hop, which has to have an owner: the one with the longest
    /// prefix around it.
    fn reach(&self, node: &NodeName, via: IpAddr) -> Result<InterfaceName, String> {
        // In a file with errors, it may be there.
        let Some(found) = self.lookup.get(node) else { return InterfaceName::new("lo") };
        let added = self.addresses.iter().filter(|((of, ..), net)| of == node && net.is_some());
        let added = added.filter_map(|((_, interface, _), net)| Some((interface, (*net)?)));
        let own = found.interfaces.iter().flat_map(|one| {
            let kept = move |net: &&IpNet| {
                let key = (node.clone(), one.name.clone(), net.addr());
                self.addresses.get(&key).is_none_or(Option::is_some)
            };
            one.addresses.iter().filter(kept).map(move |net| (&one.name, *net))
        });
        let all: Vec<(&InterfaceName, IpNet)> = own.chain(added).collect();
        let around = all.iter().filter(|(_, net)| net.contains(&via));
        let Some((interface, _)) = around.max_by_key(|(_, net)| net.prefix_len()) else {
            let of_family = all.iter().filter(|(_, net)| net.addr().is_ipv4() == via.is_ipv4());
            let nets: BTreeSet<IpNet> = of_family.map(|(_, net)| net.trunc()).collect();
            return Err(format!(
                "the next hop {via} is unreachable: `{node}` is on {}; name a neighbour's address",
                listed(nets.iter())
            ));
        };
        match self.lookup.owner(via) {
            Some(owner) if owner.node == *node => {
                Err(format!("the next hop {via} is `{node}` itself; name a neighbour's address"))
            }
            None if self.lookup.knows_addresses() => Err(format!(
                "no node has the next hop's address {via}; name an address of a neighbour of \
                 `{node}:{interface}`"
            )),
            _ => Ok((*interface).clone()),
        }
    }
}

/// The next hop's address; `Some(None)` of a word.
fn next_hop(text: &Located<String>, report: &mut Report<'_>) -> Option<Option<IpAddr>> {
    match text.value.as_str() {
        "blackhole" | "unreachable" | "none" => Some(None),
        other => {
            let parsed = address::host(other);
            let parsed = parsed
                .map_err(|message| format!("{message}, or `blackhole`, `unreachable` or `none`"));
            report.take(text.span, parsed).map(Some)
        }
    }
}

fn everything(of_family: IpAddr) -> IpNet {
    match of_family {
        IpAddr::V4(_) => Ipv4Net::default().into(),
        IpAddr::V6(_) => Ipv6Net::default().into(),
    }
}

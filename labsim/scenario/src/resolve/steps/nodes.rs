//! Steps that change routes, kernel settings, addresses and packet filters of nodes.

mod routes;

use super::Servers;
use crate::file::{Presence, RawSetAddress, RawSetFilter, RawSetSysctls};
use crate::model::{
    FilterName, InterfaceName, Node, NodeChange, NodeName, Scope, StepAction, TunnelDevice,
};
use crate::resolve::lookup::Lookup;
use crate::resolve::sysctls::{self, sysctls};
use crate::resolve::{Report, address};
use crate::text::{listed, quoted};
use ipnet::IpNet;
use labsim_codes::file;
use labsim_yaml::Located;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

/// The nodes' routes, addresses and filters while the steps go by.
pub(super) struct Nodes<'a> {
    servers: &'a Servers<'a>,
    lookup: &'a Lookup<'a>,
    /// What steps have changed: whether a node has a route to the destination.
    routes: HashMap<(NodeName, IpNet), bool>,
    /// Likewise for addresses of an interface.
    addresses: HashMap<(NodeName, InterfaceName, IpAddr), Option<IpNet>>,
    filters: BTreeMap<&'a FilterName, bool>,
    /// Whether a step with an error may have changed anything.
    unclear: bool,
}

impl<'a> Nodes<'a> {
    /// As the file has them.
    pub(super) fn new(servers: &'a Servers<'a>, lookup: &'a Lookup<'a>) -> Self {
        let filters = servers.filters.iter().map(|filter| (&filter.name, filter.present));
        let (routes, addresses) = (HashMap::new(), HashMap::new());
        let filters = filters.collect();
        Self { servers, lookup, routes, addresses, filters, unclear: false }
    }

    /// A step that writes kernel settings.
    pub(super) fn set_sysctls(
        &self,
        fields: &RawSetSysctls,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let node = self.lookup.node(&fields.node, report)?;
        if fields.sysctls.value.is_empty() {
            let message =
                "`sysctls` is empty; write a setting such as `net.ipv4.conf.all.rp_filter: 1`";
            report.empty(fields.sysctls.span, message);
        }
        let has_interface =
            |name: &str| !self.lookup.knows_names() || self.has_interface(&node, name);
        let otherwise = format!("`{node}` has no interface {{}}; name one that it has");
        let scope = sysctls::Scope { has_interface: &has_interface, otherwise: &otherwise };
        let sysctls = sysctls(&fields.sysctls.value, &scope, report);
        Some(changed(NodeChange::Sysctls { node, sysctls }))
    }

    /// A step that adds an address that is not there, or the other way round.
    pub(super) fn set_address(
        &mut self,
        fields: &RawSetAddress,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let step = self.read_address(fields, report);
        self.unclear |= step.is_none();
        step
    }

    fn read_address(
        &mut self,
        fields: &RawSetAddress,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let node = self.node(&fields.node, "addresses", report);
        let text = &fields.address;
        let parsed = match text.contains('/') {
            true => address::interface(text),
            false => address::host(text).map(IpNet::from),
        };
        let address = report.take(text.span, parsed);
        let (node, address) = (node?, address?);
        let interface = self.interface(&node, &fields.interface, report)?;
        if let Some(scope) = fields.scope.as_ref().filter(|_| address.addr().is_ipv6()) {
            report.at(
                scope.span,
                file::ADDRESS_FAMILY,
                "the kernel derives an IPv6 address's scope from the address; leave it out",
            );
        }
        let present = fields.state.value == Presence::Present;
        let usual = if interface.as_str() == "lo" { Scope::Host } else { Scope::Global };
        let scope = fields.scope.as_ref().map_or(usual, |scope| scope.value);
        let known = self.known_address(&node, &interface, address.addr());
        let unclear = self.is_unclear(report) || self.lookup.get(&node).is_none();
        let problem = match (known, present) {
            _ if unclear => None,
            (Some(_), true) => Some(format!(
                "{node}:{interface} has {} at this step already; write `absent`, or leave the step out",
                address.addr()
            )),
            (None, false) => Some(format!(
                "{node}:{interface} has no {} at this step; write `present`, or leave the step out",
                address.addr()
            )),
            (Some(known), false) if known != address => Some(format!(
                "{node}:{interface} has {} with another prefix length; write {known}",
                address.addr()
            )),
            (None, true) if !self.runs_ipv6(&node, &interface, address) => Some(format!(
                "{node}:{interface} has no IPv6 address in the topology, so IPv6 does not run on it; \
                 give it one there"
            )),
            _ => None,
        };
        if let Some(message) = problem {
            report.at(fields.state.span, file::STEP_ORDER, message);
        }
        let key = (node.clone(), interface.clone(), address.addr());
        self.addresses.insert(key, present.then_some(address));
        Some(changed(NodeChange::Address { node, interface, address, scope, present }))
    }

    /// An address as the interface has it at this step.
    fn known_address(
        &self,
        node: &NodeName,
        interface: &InterfaceName,
        address: IpAddr,
    ) -> Option<IpNet> {
        if let Some(set) = self.addresses.get(&(node.clone(), interface.clone(), address)) {
            return *set;
        }
        let own = self.lookup.get(node).into_iter().flat_map(|node| &node.interfaces);
        let own = own.filter(|one| one.name == *interface).flat_map(|one| &one.addresses).copied();
        let server = self.servers.real_servers.get(node);
        let vips = server.into_iter().flat_map(|server| &server.vips);
        let vips = vips.filter(|vip| vip.interface == *interface);
        let vips = vips.map(|vip| IpNet::from(vip.address));
        let tunnels = self.tunnels(node).iter().filter(|tunnel| tunnel.name == *interface);
        let tunnels = tunnels.filter_map(|tunnel| tunnel.address).map(IpNet::from);
        own.chain(vips).chain(tunnels).find(|net| net.addr() == address)
    }

    fn runs_ipv6(&self, node: &NodeName, interface: &InterfaceName, address: IpNet) -> bool {
        let found = self.lookup.get(node).map(|node: &Node| &node.interfaces);
        let mut linked = found.into_iter().flatten().filter(|one| one.name == *interface);
        address.addr().is_ipv4()
            || linked.all(|one| one.addresses.iter().any(|net| net.addr().is_ipv6()))
    }

    /// A step that puts a filter in that is out, or the other way round.
    pub(super) fn set_filter(
        &mut self,
        fields: &RawSetFilter,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let step = self.read_filter(fields, report);
        self.unclear |= step.is_none();
        step
    }

    fn read_filter(
        &mut self,
        fields: &RawSetFilter,
        report: &mut Report<'_>,
    ) -> Option<StepAction> {
        let name = FilterName::new(&fields.filter).ok();
        let found = name.as_ref().and_then(|name| self.filters.get_key_value(name));
        let Some((name, was)) = found.map(|(name, present)| ((*name).clone(), *present)) else {
            if !report.lacks_some() {
                let known = listed(self.filters.keys());
                let message =
                    format!("unknown filter {}; `filters` has {known}", quoted(&fields.filter));
                report.at(fields.filter.span, file::UNKNOWN_NAME, message);
            }
            return None;
        };
        let present = fields.state.value == Presence::Present;
        if was == present && !self.is_unclear(report) {
            let (state, other) =
                if present { ("present", "absent") } else { ("absent", "present") };
            let message = format!(
                "the filter `{name}` is {state} at this step already; write `{other}`, or leave the \
                 step out"
            );
            report.at(fields.state.span, file::STEP_ORDER, message);
        }
        if let Some(state) = self.filters.get_mut(&name) {
            *state = present;
        }
        Some(changed(NodeChange::Filter { filter: name, present }))
    }

    /// A node; of a load balancer, the forwarder reads `what` only when it starts.
    fn node(
        &self,
        name: &Located<String>,
        what: &str,
        report: &mut Report<'_>,
    ) -> Option<NodeName> {
        let node = self.lookup.node(name, report)?;
        if self.servers.load_balancers.contains_key(&node) {
            report.warn(
                name.span,
                file::NO_EFFECT,
                format!(
                    "the forwarder of `{node}` reads the node's {what} when it starts; restart it \
                     after this step (`kill_forwarder`, `start_forwarder`)"
                ),
            );
        }
        Some(node)
    }

    /// Whether more may be there, or less, than is known.
    fn is_unclear(&self, report: &Report<'_>) -> bool {
        self.unclear || report.lacks_some()
    }

    fn tunnels(&self, node: &NodeName) -> &'a [TunnelDevice] {
        self.servers.real_servers.get(node).map(|server| &server.tunnels[..]).unwrap_or_default()
    }

    fn has_interface(&self, node: &NodeName, name: &str) -> bool {
        let tunnel = self.tunnels(node).iter().any(|tunnel| tunnel.name.as_str() == name);
        let linked = |node: &Node| node.interfaces.iter().any(|one| one.name.as_str() == name);
        name == "lo" || tunnel || self.lookup.get(node).is_none_or(linked)
    }

    fn interface(
        &self,
        node: &NodeName,
        text: &Located<String>,
        report: &mut Report<'_>,
    ) -> Option<InterfaceName> {
        let name = InterfaceName::new(text).ok();
        let found = name.filter(|_| self.has_interface(node, text));
        if found.is_none() {
            let linked = self.lookup.get(node).into_iter().flat_map(|node| &node.interfaces);
            let linked = linked.map(|one| one.name.as_str());
            let tunnels = self.tunnels(node).iter().map(|tunnel| tunnel.name.as_str());
            let names: Vec<&str> = std::iter::once("lo").chain(linked).chain(tunnels).collect();
            let message = format!(
                "`{node}` has no interface {}; it has {}",
                quoted(text),
                listed(names.iter())
            );
            report.at(text.span, file::UNKNOWN_NAME, message);
        }
        found
    }
}

fn changed(change: NodeChange) -> StepAction {
    StepAction::ChangeNode(Box::new(change))
}

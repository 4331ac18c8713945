//! Routes: the written ones, and a host's default routes where only one router can be meant.

use super::topology::{Lab, Port};
use super::{Report, address};
use crate::file::Texts;
use crate::model::Route;
use crate::text::{listed, quoted};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use labsim_codes::file;
use labsim_yaml::{Located, Span};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

/// Most routes of a node.
const ROUTES: usize = 8192;

/// The routers' addresses on each wire, by the subnet that they are in.
pub(super) type Routers = Vec<HashMap<IpNet, Vec<(usize, IpAddr)>>>;

/// Where each wire's routers are.
pub(super) fn routers(lab: &Lab<'_>) -> Routers {
    let of_domain = |domain: &super::wiring::Domain| {
        let mut routers: HashMap<IpNet, Vec<(usize, IpAddr)>> = HashMap::new();
        for &(node, interface) in
            domain.ports.iter().filter(|port| lab.nodes[port.0].fields.forward)
        {
            for net in &lab.port((node, interface)).addresses {
                routers.entry(net.trunc()).or_default().push((node, net.addr()));
            }
        }
        routers
    };
    lab.domains.iter().map(of_domain).collect()
}

/// The routes of one node.
pub(super) fn of(
    lab: &Lab<'_>,
    node: usize,
    routers: &Routers,
    report: &mut Report<'_>,
) -> Vec<Route> {
    let table = &lab.nodes[node].fields.routes;
    if let Some((key, _)) = table.iter().nth(ROUTES) {
        report.limit(key.span, table.len(), ROUTES, "route");
        return Vec::new();
    }
    let mut written = Written {
        lab,
        node,
        subnets: Subnets::of(lab, node),
        routes: Vec::new(),
        seen: HashMap::new(),
        settled: HashSet::new(),
    };
    for (key, hops) in table.iter() {
        written.read(key, hops, report);
    }
    let Written { mut routes, settled, .. } = written;
    if !lab.nodes[node].fields.forward {
        for of_ipv4 in [true, false].into_iter().filter(|family| !settled.contains(family)) {
            let has_routes =
                routes.iter().any(|route| route.destination.addr().is_ipv4() == of_ipv4);
            routes.extend(inferred(lab, node, routers, of_ipv4, has_routes, report));
        }
    }
    routes
}

/// The connected subnets of a node, found without looking at each.
struct Subnets {
    interfaces: HashMap<IpNet, usize>,
    lengths: BTreeMap<bool, BTreeSet<u8>>,
}

impl Subnets {
    fn of(lab: &Lab<'_>, node: usize) -> Self {
        let mut subnets = Self { interfaces: HashMap::new(), lengths: BTreeMap::new() };
        for (place, interface) in lab.nodes[node].interfaces.iter().enumerate() {
            for net in &interface.addresses {
                let of_family = subnets.lengths.entry(net.addr().is_ipv4()).or_default();
                of_family.insert(net.prefix_len());
                subnets.interfaces.entry(net.trunc()).or_insert(place);
            }
        }
        subnets
    }

    /// The interface whose subnet holds `address`: the longest prefix wins.
    fn find(&self, address: IpAddr) -> Option<usize> {
        let lengths = self.lengths.get(&address.is_ipv4())?;
        lengths.iter().rev().find_map(|length| {
            let net = IpNet::new(address, *length).ok()?.trunc();
            self.interfaces.get(&net).copied()
        })
    }
}

struct Written<'a, 'f> {
    lab: &'a Lab<'f>,
    node: usize,
    subnets: Subnets,
    routes: Vec<Route>,
    seen: HashMap<IpNet, Span>,
    /// Families (IPv4: `true`) whose default route is not to be inferred: it is written, it is
    /// `none`, or what is written cannot be read.
    settled: HashSet<bool>,
}

impl Written<'_, '_> {
    fn read(&mut self, key: &Located<String>, hops: &Located<Texts>, report: &mut Report<'_>) {
        let is_default = key.value == "default";
        let hops = address::each(hops);
        if is_default && matches!(hops.as_slice(), [only] if only.value == "none") {
            self.settled.extend([true, false]);
            return;
        }
        let destination = if is_default {
            None
        } else {
            match address::prefix(key) {
                Ok(prefix) => Some(prefix),
                Err(message) => {
                    return report.at(
                        key.span,
                        file::INVALID_VALUE,
                        format!("{message}, or `default`"),
                    );
                }
            }
        };
        if hops.is_empty() {
            return report.at(
                key.span,
                file::MISSING_VALUE,
                "a route has a next hop; write its address, or a list of several",
            );
        }
        let mut known = Vec::new();
        for hop in &hops {
            match report.take(hop.span, address::address(hop)) {
                Some(via) => known.push((hop.span, via)),
                None => self.settled.extend([true, false]),
            }
        }
        // A default route may be of both families.
        for of_ipv4 in [true, false] {
            let of_family = |(_, via): &&(Span, IpAddr)| match destination {
                Some(_) => of_ipv4,
                None => via.is_ipv4() == of_ipv4,
            };
            let hops: Vec<(Span, IpAddr)> = known.iter().filter(of_family).copied().collect();
            if !hops.is_empty() {
                self.add(key, destination.unwrap_or_else(|| everything(of_ipv4)), &hops, report);
            }
        }
    }

    /// Adds the route to one destination.
    fn add(
        &mut self,
        key: &Located<String>,
        destination: IpNet,
        hops: &[(Span, IpAddr)],
        report: &mut Report<'_>,
    ) {
        let of_ipv4 = destination.addr().is_ipv4();
        if destination.prefix_len() == 0 {
            self.settled.insert(of_ipv4);
        }
        let mut route: Option<Route> = None;
        let mut complete = true;
        for &(span, via) in hops {
            if of_ipv4 != via.is_ipv4() {
                let message = format!(
                    "{via} cannot be the next hop to {destination}; write one of its family"
                );
                report.at(span, file::ADDRESS_FAMILY, message);
                complete = false;
                continue;
            }
            let reached = self.reach(via);
            if self.lab.unclear && reached.is_err() {
                complete = false;
                continue;
            }
            let Some(interface) = report.take(span, reached) else {
                complete = false;
                continue;
            };
            let interface = &self.lab.nodes[self.node].interfaces[interface].name;
            let Some(route) = &mut route else {
                let (via, interface) = (vec![via], interface.clone());
                route = Some(Route { destination, via, interface });
                continue;
            };
            if route.via.contains(&via) {
                let message = format!("{via} is a next hop of this route already; keep one");
                report.at(span, file::DUPLICATE_VALUE, message);
            } else if route.interface != *interface {
                let message = format!(
                    "{via} is reached through `{interface}`, and the next hop before it through \
                     `{}`; the next hops of a route share an interface",
                    route.interface
                );
                report.at(span, file::CONFLICT, message);
            } else {
                route.via.push(via);
            }
        }
        if let Some(first) = self.seen.insert(destination, key.span) {
            let line = report.line(first, key.span);
            report.at(
                key.span,
                file::DUPLICATE_VALUE,
                format!("a second route to {destination} (the first is in {line}); keep one"),
            );
        } else if complete {
            self.routes.extend(route);
        }
    }

    /// The interface that reaches a next hop, which must have an owner there.
    fn reach(&self, via: IpAddr) -> Result<usize, String> {
        let draft = &self.lab.nodes[self.node];
        let name = &draft.name;
        let Some(interface) = self.subnets.find(via) else {
            let nets: Vec<IpNet> = draft
                .interfaces
                .iter()
                .flat_map(|one| &one.addresses)
                .filter(|net| net.addr().is_ipv4() == via.is_ipv4())
                .map(|net| net.trunc())
                .collect();
            return Err(format!(
                "the next hop {via} is unreachable: `{name}` is on {}; name a neighbour's address",
                listed(nets.iter())
            ));
        };
        let here = (self.node, interface);
        match self.lab.owners.get(&via) {
            Some((owner, _)) if owner.0 == self.node => {
                Err(format!("the next hop {via} is `{name}` itself; name a neighbour's address"))
            }
            Some((owner, _)) if self.are_apart(*owner, here) => Err(format!(
                "the next hop {via} is {}, which is not on the wire of {}",
                self.lab.show(*owner),
                self.lab.show(here)
            )),
            Some(_) => Ok(interface),
            None => Err(format!(
                "no node has the next hop's address {via}; name an address of a neighbour on the \
                 wire of {}",
                self.lab.show(here)
            )),
        }
    }

    /// Whether two interfaces are on different wires. One that is on none was reported as that.
    fn are_apart(&self, one: Port, other: Port) -> bool {
        match (self.lab.port(one).plugged, self.lab.port(other).plugged) {
            (Some(one), Some(other)) => one.value != other.value,
            _ => false,
        }
    }
}

fn everything(of_ipv4: bool) -> IpNet {
    if of_ipv4 { Ipv4Net::default().into() } else { Ipv6Net::default().into() }
}

/// A host's default route by the only router on its subnets.
fn inferred(
    lab: &Lab<'_>,
    node: usize,
    routers: &Routers,
    of_ipv4: bool,
    has_routes: bool,
    report: &mut Report<'_>,
) -> Option<Route> {
    let draft = &lab.nodes[node];
    let mut found: BTreeMap<usize, (IpAddr, usize)> = BTreeMap::new();
    for (place, interface) in draft.interfaces.iter().enumerate() {
        let Some(plugged) = interface.plugged else { continue };
        for net in interface.addresses.iter().filter(|net| net.addr().is_ipv4() == of_ipv4) {
            for (router, via) in routers[plugged.value].get(&net.trunc()).into_iter().flatten() {
                found.entry(*router).or_insert((*via, place));
            }
        }
    }
    if found.len() > 1 && !has_routes {
        let names: Vec<String> = found
            .iter()
            .map(|(router, (via, _))| format!("{} {via}", lab.nodes[*router].name))
            .collect();
        report.at(
            draft.span,
            file::AMBIGUOUS,
            format!(
                "{} has more than one router ({}); say which: `routes: {{default: {}}}`, or \
                 `default: none`",
                quoted(draft.name.as_str()),
                listed(names.iter()),
                found.values().next().map(|(via, _)| via.to_string()).unwrap_or_default()
            ),
        );
    }
    match found.values().next() {
        Some((via, place)) if found.len() == 1 => Some(Route {
            destination: everything(of_ipv4),
            via: vec![*via],
            interface: draft.interfaces[*place].name.clone(),
        }),
        _ => None,
    }
}

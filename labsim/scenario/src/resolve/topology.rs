//! A topology file: nodes, their interfaces and settings, and the passes that wire them.

use super::sysctls::{Scope, sysctls};
use super::wiring::Domain;
use super::{Report, address, mtu, routes, subnets, wiring};
use crate::file::{RawInterface, RawNode, TopologyFile};
use crate::model::{
    Attachment, Interface, InterfaceName, Link, Node, NodeName, Segment, Setting, Topology,
};
use crate::text::quoted;
use ipnet::IpNet;
use labsim_yaml::{Located, Scalar, Span, Table};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

/// Most nodes of a topology.
const NODES: usize = 4096;
/// Most interfaces of a node: a router in the middle of a star has as many as the star has hosts.
const INTERFACES: usize = 4096;
/// The greatest column and row of a node in a picture.
const PLACES: u32 = 99;
/// Most addresses of an interface.
const ADDRESSES: usize = 64;

/// A topology, as far as it could be resolved.
pub(crate) struct Resolved {
    /// What is meant.
    pub(crate) topology: Topology,
    /// Which interface has an address.
    pub(crate) owners: HashMap<IpAddr, Attachment>,
    /// Whether nodes or interfaces were left out, because of their names or their number.
    pub(crate) lacks_some: bool,
}

/// A node while its file is being resolved.
pub(super) struct Draft<'f> {
    /// Its name and the place of it.
    pub(super) name: NodeName,
    pub(super) span: Span,
    pub(super) fields: &'f RawNode,
    pub(super) interfaces: Vec<DraftInterface>,
    by_name: HashMap<InterfaceName, usize>,
    /// Interfaces that were left out, because of their names or their number.
    pub(super) left_out: HashSet<&'f str>,
}

impl Draft<'_> {
    /// The interface of that name.
    pub(super) fn interface(&self, name: &str) -> Option<usize> {
        InterfaceName::new(name).ok().and_then(|name| self.by_name.get(&name).copied())
    }

    /// Whether an interface was left out.
    fn lacks_some(&self) -> bool {
        !self.left_out.is_empty()
    }
}

/// An interface while its file is being resolved.
pub(super) struct DraftInterface {
    pub(super) name: InterfaceName,
    pub(super) span: Span,
    pub(super) addresses: Vec<Located<IpNet>>,
    pub(super) mtu: Option<Located<u32>>,
    /// The link or segment that it is plugged into, and where the file says so.
    pub(super) plugged: Option<Located<usize>>,
}

/// An interface of a draft: the node's and the interface's index.
pub(super) type Port = (usize, usize);

/// Everything that the passes look at.
pub(super) struct Lab<'f> {
    pub(super) nodes: Vec<Draft<'f>>,
    pub(super) by_name: HashMap<NodeName, usize>,
    pub(super) domains: Vec<Domain>,
    pub(super) owners: HashMap<IpAddr, (Port, Span)>,
    /// Nodes that were left out, because of their names or their number.
    pub(super) left_out: HashSet<&'f str>,
    /// Whether an address could not be read, or its interface was left out: then any may be the one
    /// that was meant.
    pub(super) unclear: bool,
}

impl Lab<'_> {
    pub(super) fn port(&self, (node, interface): Port) -> &DraftInterface {
        &self.nodes[node].interfaces[interface]
    }

    /// `node:interface`.
    pub(super) fn show(&self, (node, interface): Port) -> String {
        let draft = &self.nodes[node];
        format!("`{}:{}`", draft.name, draft.interfaces[interface].name)
    }

    pub(super) fn attachment(&self, (node, interface): Port) -> Attachment {
        let draft = &self.nodes[node];
        Attachment { node: draft.name.clone(), interface: draft.interfaces[interface].name.clone() }
    }
}

/// Resolves a topology file; `name` is the file's name without its ending.
pub(crate) fn topology(file: &TopologyFile, name: &str, report: &mut Report<'_>) -> Resolved {
    let beyond = file.nodes.iter().skip(NODES);
    let mut lab = Lab {
        nodes: Vec::new(),
        by_name: HashMap::new(),
        domains: Vec::new(),
        owners: HashMap::new(),
        left_out: beyond.map(|(key, _)| key.as_str()).collect(),
        unclear: report.lacks_some(),
    };
    if let Some((key, _)) = file.nodes.iter().nth(NODES) {
        report.limit(key.span, file.nodes.len(), NODES, "node");
    }
    for (key, fields) in file.nodes.iter().take(NODES) {
        let Some(name) = report.take(key.span, node_name(key)) else {
            lab.left_out.insert(key);
            continue;
        };
        let Interfaces { all, by_name, left_out } =
            interfaces(&fields.value.interfaces, &mut lab.unclear, report);
        lab.by_name.insert(name.clone(), lab.nodes.len());
        lab.nodes.push(Draft {
            name,
            span: key.span,
            fields: &fields.value,
            interfaces: all,
            by_name,
            left_out,
        });
    }
    // Its addresses are not known either.
    lab.unclear |= !lab.left_out.is_empty() || lab.nodes.iter().any(Draft::lacks_some);
    if file.nodes.is_empty() {
        report.empty(Span::default(), "`nodes` is empty; a topology has at least one node");
    }
    let places = places(&lab, report);
    wiring::wire(file, &mut lab, report);
    subnets::check(&mut lab, report);
    mtu::check(&lab, report);
    let mut resolved = finish(name, &lab, report);
    for (node, at) in resolved.topology.nodes.iter_mut().zip(places) {
        node.at = at;
    }
    resolved
}

/// Where pictures show the nodes, of those of which the file says so.
fn places(lab: &Lab<'_>, report: &mut Report<'_>) -> Vec<Option<[u32; 2]>> {
    let mut taken: HashMap<[u32; 2], (&NodeName, Span)> = HashMap::new();
    let mut places = Vec::new();
    for draft in &lab.nodes {
        let place = draft.fields.at.as_ref().and_then(|at| {
            let checked = match *at.value.as_slice() {
                [column, row] if column.max(row) <= PLACES => match taken.get(&[column, row]) {
                    None => Ok([column, row]),
                    Some((other, span)) => {
                        let line = report.line(*span, at.span);
                        Err(format!(
                            "`{other}` stands at [{column}, {row}] already ({line}); give each its own"
                        ))
                    }
                },
                [column, row] => Err(format!(
                    "[{column}, {row}] is beyond [{PLACES}, {PLACES}]; count columns and rows from 0"
                )),
                _ => Err("a place is `[column, row]`, two numbers from 0".to_owned()),
            };
            report.take(at.span, checked)
        });
        if let Some(place) = place {
            taken.insert(place, (&draft.name, draft.span));
        }
        places.push(place);
    }
    places
}

/// The word for the server that answered, in a capture point; no node can have this name.
pub(super) const REAL_SERVER: &str = "real_server";

/// Checks a node's name.
pub(super) fn node_name(key: &str) -> Result<NodeName, String> {
    if key == REAL_SERVER {
        return Err(
            "`real_server` is reserved for the server that answered; give the node another name"
                .to_owned(),
        );
    }
    NodeName::new(key)
}

/// A node's interfaces while its file is being resolved.
struct Interfaces<'f> {
    all: Vec<DraftInterface>,
    by_name: HashMap<InterfaceName, usize>,
    left_out: HashSet<&'f str>,
}

fn interfaces<'f>(
    table: &'f Table<Located<RawInterface>>,
    unclear: &mut bool,
    report: &mut Report<'_>,
) -> Interfaces<'f> {
    let (mut all, mut by_name) = (Vec::new(), HashMap::new());
    let beyond = table.iter().skip(INTERFACES);
    let mut left_out: HashSet<&str> = beyond.map(|(key, _)| key.as_str()).collect();
    if let Some((key, _)) = table.iter().nth(INTERFACES) {
        report.limit(key.span, table.len(), INTERFACES, "interface");
    }
    for (key, form) in table.iter().take(INTERFACES) {
        let Some(name) = report.take(key.span, interface_name(key)) else {
            left_out.insert(key);
            continue;
        };
        let written = form.addresses.as_ref().map(address::each).unwrap_or_default();
        let mtu = form.mtu;
        let mut addresses = Vec::new();
        if report.limit(form.span, written.len(), ADDRESSES, "address") {
            for text in &written {
                let net = report.take(text.span, address::interface(text));
                *unclear |= net.is_none();
                addresses.extend(net.map(|net| Located::new(net, text.span)));
            }
        }
        by_name.insert(name.clone(), all.len());
        all.push(DraftInterface { name, span: key.span, addresses, mtu, plugged: None });
    }
    Interfaces { all, by_name, left_out }
}

/// Names that a device cannot have: those that mean something else below `/proc/sys/net/*/conf`,
/// and the devices that a kernel with tunnel modules puts into every new namespace.
const RESERVED: [&str; 12] = [
    "all",
    "default",
    "tunl0",
    "gre0",
    "gretap0",
    "erspan0",
    "sit0",
    "ip_vti0",
    "ip6_vti0",
    "ip6tnl0",
    "ip6gre0",
    "bonding_masters",
];

/// Checks an interface's name.
pub(super) fn interface_name(key: &str) -> Result<InterfaceName, String> {
    if key == "lo" {
        Err("every node has `lo`; leave it out, or give this another name".to_owned())
    } else if RESERVED.contains(&key) {
        Err(format!("the name {} is the kernel's own; give this another name", quoted(key)))
    } else {
        InterfaceName::new(key)
    }
}

fn finish(name: &str, lab: &Lab<'_>, report: &mut Report<'_>) -> Resolved {
    let routers = routes::routers(lab);
    let nodes = (0..lab.nodes.len()).map(|index| node(lab, index, &routers, report)).collect();
    let (mut links, mut segments) = (Vec::new(), Vec::new());
    for domain in &lab.domains {
        let ends: Vec<Attachment> = domain.ports.iter().map(|port| lab.attachment(*port)).collect();
        if let Some(segment) = &domain.segment {
            let mtu = domain.ports.iter().map(|port| mtu::of(lab, *port)).max();
            let mtu = mtu.unwrap_or(mtu::USUAL);
            segments.push(Segment { name: segment.clone(), ports: ends, mtu });
        } else if let Ok(ends) = <[Attachment; 2]>::try_from(ends) {
            links.push(Link { ends });
        }
    }
    let owners =
        lab.owners.iter().map(|(address, (port, _))| (*address, lab.attachment(*port))).collect();
    let lacks_some = !lab.left_out.is_empty() || lab.nodes.iter().any(Draft::lacks_some);
    let topology = Topology { name: name.to_owned(), nodes, links, segments };
    Resolved { topology, owners, lacks_some }
}

fn node(lab: &Lab<'_>, index: usize, routers: &routes::Routers, report: &mut Report<'_>) -> Node {
    let draft = &lab.nodes[index];
    let interfaces = draft.interfaces.iter().enumerate().map(|(place, interface)| {
        let domain = interface.plugged.map(|plugged| &lab.domains[plugged.value]);
        Interface {
            name: interface.name.clone(),
            addresses: interface.addresses.iter().map(|net| net.value).collect(),
            mtu: mtu::of(lab, (index, place)),
            offloads: domain.is_some_and(|domain| domain.offloads),
        }
    });
    let interfaces = interfaces.collect();
    let routes = routes::of(lab, index, routers, report);
    let sysctls = settings(draft, &draft.fields.sysctls, report);
    let (name, forward) = (draft.name.clone(), draft.fields.forward);
    Node { name, forward, interfaces, routes, sysctls, at: None }
}

fn settings(
    draft: &Draft<'_>,
    table: &Table<Located<Scalar>>,
    report: &mut Report<'_>,
) -> BTreeMap<String, Setting> {
    let names: BTreeSet<&str> = draft.interfaces.iter().map(|one| one.name.as_str()).collect();
    let otherwise = format!(
        "`{}` has no interface {{}}; a tunnel device's settings belong to `real_servers` in the \
         scenario",
        draft.name
    );
    let scope = Scope { has_interface: &|name| names.contains(name), otherwise: &otherwise };
    sysctls(table, &scope, report)
}

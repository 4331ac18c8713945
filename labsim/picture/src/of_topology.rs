//! The lab of a topology: nodes, interfaces with addresses, routes, links and segments.

use crate::lab::{Lab, Network, NetworkKind, Node, Port, Role, Row, RowKind};
use labsim_scenario::model::{self, Attachment, Interface, Topology};

/// The usual MTU, which is not written.
const USUAL_MTU: u32 = 1500;
/// Rows of one kind in a box that are written out; the others are counted.
pub(crate) const MAX_ROWS: usize = 8;

impl Lab {
    /// The lab of a topology. It does not say who is client and who is server.
    #[must_use]
    pub fn of_topology(topology: &Topology) -> Self {
        let nodes = topology.nodes.iter().map(node).collect();
        let mut lab = Self { name: topology.name.clone(), nodes, networks: Vec::new() };
        for link in &topology.links {
            lab.connect(NetworkKind::Link, "", &link.ends);
        }
        for segment in &topology.segments {
            lab.connect(NetworkKind::Segment, segment.name.as_str(), &segment.ports);
        }
        lab
    }

    fn connect(&mut self, kind: NetworkKind, name: &str, ends: &[Attachment]) {
        let ports = ends.iter().filter_map(|end| self.port(end)).collect();
        self.networks.push(Network { kind, name: name.to_owned(), ports });
    }

    /// The row of an interface.
    pub(crate) fn port(&self, end: &Attachment) -> Option<Port> {
        let node = self.position(end.node.as_str())?;
        let is_it =
            |row: &Row| row.kind == RowKind::Interface && row.label == end.interface.as_str();
        let row = self.nodes.get(node)?.rows.iter().position(is_it)?;
        Some(Port { node, row })
    }

    /// The position of the node of that name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.nodes.iter().position(|node| node.name == name)
    }
}

fn node(node: &model::Node) -> Node {
    let mut rows: Vec<Row> = node.interfaces.iter().flat_map(interface_rows).collect();
    let routes = node.routes.iter().filter(|route| route.destination.prefix_len() != 0);
    let routes = routes.map(|route| {
        let net = route.destination;
        let is_host = net.prefix_len() == net.max_prefix_len();
        let destination = if is_host { net.addr().to_string() } else { net.to_string() };
        let hops = route.describe_next_hops();
        Row::new(RowKind::Detail, "route", format!("{destination} via {hops}"))
    });
    rows.extend(bounded(routes.collect()));
    let role = if node.forward { Role::Router } else { Role::Host };
    Node { name: node.name.as_str().to_owned(), role, rows, at: node.at }
}

/// A row for each address, the first with the interface's name.
fn interface_rows(interface: &Interface) -> Vec<Row> {
    let Interface { name, addresses, mtu, .. } = interface;
    let mut texts: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    if texts.is_empty() {
        texts.push("no address".to_owned());
    }
    if *mtu != USUAL_MTU {
        texts.push(format!("mtu {mtu}"));
    }
    let rows = texts.into_iter().enumerate().map(|(position, text)| match position {
        0 => Row::new(RowKind::Interface, name.as_str(), text),
        _ => Row::new(RowKind::Detail, "", text),
    });
    rows.collect()
}

/// The first rows, and how many there are beyond them.
pub(crate) fn bounded(mut rows: Vec<Row>) -> Vec<Row> {
    let count = rows.len();
    if count > MAX_ROWS {
        rows.truncate(MAX_ROWS - 1);
        let more = format!("and {} more", count - rows.len());
        rows.push(Row::new(RowKind::Detail, "", more));
    }
    rows
}

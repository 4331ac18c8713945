//! What a picture shows, without places.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Nodes, networks, and rows and ends of all of them, that are drawn at most.
const MAX_PARTS: usize = 2000;

/// A lab as it is drawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lab {
    /// Of the topology or the scenario.
    pub name: String,
    /// In the file's order.
    pub nodes: Vec<Node>,
    /// Links, then segments, then tunnels.
    pub networks: Vec<Network>,
}

/// One node, drawn as a box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub role: Role,
    /// What the box lists, interfaces first.
    pub rows: Vec<Row>,
    /// The column and the row that the file asks for, from 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<[u32; 2]>,
}

/// What a node is for.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A step sends from it, and it is none of the others.
    Client,
    /// It forwards packets.
    Router,
    /// A load balancer runs in it.
    LoadBalancer,
    /// A server of the scenario, with a VIP or without.
    Server,
    /// Anything else.
    Host,
}

impl Role {
    /// As the box names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Router => "router",
            Self::LoadBalancer => "load balancer",
            Self::Server => "real server",
            Self::Host => "host",
        }
    }
}

/// A line in a node's box.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Row {
    /// What it is about.
    pub kind: RowKind,
    /// Such as `eth0`; empty if it goes on with the row above.
    pub label: String,
    /// Such as an address.
    pub text: String,
}

/// What a row is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowKind {
    /// An interface: a wire begins here.
    Interface,
    /// A VIP that the node holds.
    Vip,
    /// An end of a tunnel.
    Tunnel,
    /// Anything else.
    Detail,
}

/// What connects nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    /// How.
    pub kind: NetworkKind,
    /// A segment's name, what a tunnel is made of, empty for a link.
    pub name: String,
    /// Where it ends. The first end of a tunnel is the load balancer's.
    pub ports: Vec<Port>,
}

/// How nodes are connected.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// A cable between two interfaces.
    Link,
    /// A switched Ethernet.
    Segment,
    /// From a load balancer to members of its pools.
    Tunnel,
}

/// An end of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Port {
    /// Position in [`Lab::nodes`].
    pub node: usize,
    /// Position in [`Node::rows`].
    pub row: usize,
}

impl Row {
    pub(crate) fn new(kind: RowKind, label: impl Into<String>, text: impl Into<String>) -> Self {
        Self { kind, label: label.into(), text: text.into() }
    }
}

impl Lab {
    /// Whether it can be drawn: it has a node, every end of a network is a row of a node, and there are not too many of
    /// anything. A lab that was made of a valid file and is not too large is sound; one that was read from
    /// elsewhere may be forged.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let rows: usize = self.nodes.iter().map(|node| node.rows.len()).sum();
        let ends: usize = self.networks.iter().map(|network| network.ports.len()).sum();
        let has =
            |port: &Port| self.nodes.get(port.node).is_some_and(|node| port.row < node.rows.len());
        !self.nodes.is_empty()
            && self.nodes.len() + self.networks.len() + rows + ends <= MAX_PARTS
            && self.networks.iter().flat_map(|network| &network.ports).all(has)
    }

    /// The name of a port: `rs1:eth0`.
    #[must_use]
    pub fn port_name(&self, port: Port) -> String {
        let Some(node) = self.nodes.get(port.node) else { return String::new() };
        let label = node.rows.get(port.row).map_or("", |row| row.label.as_str());
        format!("{}:{label}", node.name)
    }

    /// The lab in sentences, for those who do not see the picture.
    #[must_use]
    pub fn description(&self) -> String {
        let mut sentences = Vec::new();
        let nodes: Vec<String> = self
            .nodes
            .iter()
            .map(|node| match node.role {
                Role::Host => node.name.clone(),
                role if role.name() == node.name => node.name.clone(),
                role => format!("{} ({})", node.name, role.name()),
            })
            .collect();
        sentences.push(format!("Nodes: {}.", nodes.join(", ")));
        let holders: Vec<String> = self.nodes.iter().filter_map(vips_of).collect();
        if !holders.is_empty() {
            sentences.push(format!("VIPs: {}.", holders.join("; ")));
        }
        for network in &self.networks {
            let ports: Vec<String> = match network.kind {
                // A tunnel is between nodes.
                NetworkKind::Tunnel => {
                    let name = |port: &Port| Some(self.nodes.get(port.node)?.name.clone());
                    network.ports.iter().filter_map(name).collect()
                }
                _ => network.ports.iter().map(|port| self.port_name(*port)).collect(),
            };
            sentences.push(match (network.kind, ports.split_first()) {
                (NetworkKind::Tunnel, Some((from, to))) => {
                    format!("Tunnel {} from {from} to {}.", network.name, to.join(", "))
                }
                (NetworkKind::Segment, _) => {
                    format!("Segment {}: {}.", network.name, ports.join(", "))
                }
                _ => format!("Link: {}.", ports.join(" - ")),
            });
        }
        sentences.join(" ")
    }
}

/// `172.16.4.99 on rs1`; `None` of a node without VIPs.
fn vips_of(node: &Node) -> Option<String> {
    let vips = node.rows.iter().filter(|row| row.kind == RowKind::Vip);
    let vips: Vec<&str> = vips.map(|row| row.text.as_str()).collect();
    (!vips.is_empty()).then(|| format!("{} at {}", vips.join(", "), node.name))
}

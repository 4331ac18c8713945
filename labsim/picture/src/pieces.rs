//! Networks as parts that lie in the gap between two columns each.

use crate::lab::{Lab, Network, NetworkKind, Port};

/// What stands in a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Item {
    /// A node, by its position.
    Node(usize),
    /// A tunnel that passes the column by, by its number.
    Through(usize),
}

/// The side of a column that a wire comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Left,
    Right,
}

/// Where a piece ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct End {
    pub(crate) item: Item,
    /// The row of a node.
    pub(crate) row: usize,
    /// At which side of the item.
    pub(crate) side: Side,
}

/// A network, or a part of one, in one gap.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    /// Position of the network in the lab.
    pub(crate) network: usize,
    /// How it connects.
    pub(crate) kind: NetworkKind,
    /// The column on the left of the gap.
    pub(crate) gap: usize,
    /// At least one.
    pub(crate) ends: Vec<End>,
    /// The network's name, on one of its pieces.
    pub(crate) label: Option<String>,
}

/// All pieces, and the column of each [`Item::Through`].
pub(crate) struct Pieces {
    pub(crate) all: Vec<Piece>,
    pub(crate) throughs: Vec<usize>,
}

impl Pieces {
    pub(crate) fn of(lab: &Lab, column: &[usize]) -> Self {
        let mut pieces = Self { all: Vec::new(), throughs: Vec::new() };
        for (position, network) in lab.networks.iter().enumerate() {
            if !network.ports.is_empty() {
                pieces.add(position, network, column);
            }
        }
        pieces
    }

    fn add(&mut self, position: usize, network: &Network, column: &[usize]) {
        let kind = network.kind;
        let gap = gap(network, column);
        let mut ends = Vec::new();
        for port in &network.ports {
            let at = column[port.node];
            let side = if at <= gap { Side::Right } else { Side::Left };
            let mut end = End { item: Item::Node(port.node), row: port.row, side };
            // From gap to gap, to the one where the ends meet.
            let mut passed: Vec<usize> = match side {
                Side::Right => (at + 1..=gap).collect(),
                Side::Left => (gap + 1..at).rev().collect(),
            };
            for column in passed.drain(..) {
                let through = Item::Through(self.throughs.len());
                self.throughs.push(column);
                let (gap, other) = match side {
                    Side::Right => (column - 1, Side::Left),
                    Side::Left => (column, Side::Right),
                };
                let other = End { item: through, row: 0, side: other };
                let ends = vec![end, other];
                self.all.push(Piece { network: position, kind, gap, ends, label: None });
                end = End { item: through, row: 0, side };
            }
            ends.push(end);
        }
        let label = match kind {
            NetworkKind::Link => None,
            NetworkKind::Segment => Some(network.name.clone()),
            NetworkKind::Tunnel => Some(format!("{} tunnel", network.name)),
        };
        self.all.push(Piece { network: position, kind, gap, ends, label });
    }
}

/// The gap where a network's ends meet. A wired one's are in one column or in two neighbouring ones; a
/// tunnel's are near the servers.
fn gap(network: &Network, column: &[usize]) -> usize {
    let at = |port: &Port| column[port.node];
    let lowest = network.ports.iter().map(at).min().unwrap_or(0);
    if network.kind != NetworkKind::Tunnel {
        return lowest;
    }
    let begin = network.ports.first().map_or(0, at);
    let ends = || network.ports.iter().skip(1).map(at);
    match (ends().min(), ends().max()) {
        (Some(least), _) if begin < least => least - 1,
        (_, Some(greatest)) => greatest,
        _ => begin,
    }
}

//! Which column a node stands in, and its place among the others there.

use crate::lab::{Lab, Network, NetworkKind, Role};
use std::collections::{BTreeSet, VecDeque};

/// Rounds of ordering columns by their neighbours.
const ROUNDS: usize = 4;

/// The column of each node: the one that the file asks for, or else how many networks lie between it and the
/// clients. Every column has a node.
pub(crate) fn columns(lab: &Lab) -> Vec<usize> {
    let mut columns = by_distance(lab);
    for (column, node) in columns.iter_mut().zip(&lab.nodes) {
        if let Some([asked, _]) = node.at {
            *column = usize::try_from(asked).unwrap_or(usize::MAX);
        }
    }
    let used: BTreeSet<usize> = columns.iter().copied().collect();
    for column in &mut columns {
        *column = used.range(..*column).count();
    }
    columns
}

fn by_distance(lab: &Lab) -> Vec<usize> {
    let mut column: Vec<Option<usize>> = vec![None; lab.nodes.len()];
    let wired = || lab.networks.iter().filter(|one| one.kind != NetworkKind::Tunnel);
    let mut begins = sources(lab);
    loop {
        let mut queue: VecDeque<usize> = VecDeque::new();
        for node in begins {
            if column[node].is_none() {
                column[node] = Some(0);
                queue.push_back(node);
            }
        }
        while let Some(node) = queue.pop_front() {
            let next = column[node].map(|found| found + 1);
            for network in wired().filter(|one| has(one, node)) {
                for port in &network.ports {
                    if column[port.node].is_none() {
                        column[port.node] = next;
                        queue.push_back(port.node);
                    }
                }
            }
        }
        // Another part of the lab that no network connects with this one.
        match column.iter().position(Option::is_none) {
            Some(node) => begins = vec![node],
            None => return column.into_iter().flatten().collect(),
        }
    }
}

fn has(network: &Network, node: usize) -> bool {
    network.ports.iter().any(|port| port.node == node)
}

/// Where the picture begins on the left: the clients; without any, the first host and the hosts
/// that it shares a network with; without hosts, the first node.
fn sources(lab: &Lab) -> Vec<usize> {
    let of_role = |role: Role| {
        let nodes = lab.nodes.iter().enumerate();
        nodes.filter(move |(_, node)| node.role == role).map(|(position, _)| position)
    };
    let clients: Vec<usize> = of_role(Role::Client).collect();
    if !clients.is_empty() {
        return clients;
    }
    let Some(first) = of_role(Role::Host).next() else { return vec![0] };
    let joins = |node: usize, other: usize| {
        lab.networks.iter().any(|one| has(one, node) && has(one, other))
    };
    of_role(Role::Host).filter(|node| *node == first || joins(*node, first)).collect()
}

/// The nodes of each column, from top to bottom: near to what they are wired to, and load balancers
/// above servers where that leaves a choice; those with a row in the file in the order of their rows.
pub(crate) fn ordered(lab: &Lab, column: &[usize]) -> Vec<Vec<usize>> {
    let count = column.iter().max().map_or(0, |last| last + 1);
    let mut columns: Vec<Vec<usize>> = vec![Vec::new(); count];
    for (node, column) in column.iter().enumerate() {
        columns[*column].push(node);
    }
    for nodes in &mut columns {
        nodes.sort_by_key(|node| (lab.nodes[*node].role, *node));
    }
    for round in 0..ROUNDS {
        let is_forth = round % 2 == 0;
        for step in 1..count {
            let (at, from) =
                if is_forth { (step, step - 1) } else { (count - 1 - step, count - step) };
            let keys = barycenters(lab, &columns[from], &columns[at]);
            columns[at].sort_by_key(|node| (keys[*node], lab.nodes[*node].role, *node));
        }
    }
    for nodes in &mut columns {
        by_row(lab, nodes);
    }
    columns
}

/// Puts nodes that have a row into the order of their rows, at the places that such nodes have; the others
/// stay.
fn by_row(lab: &Lab, nodes: &mut [usize]) {
    let row = |node: &usize| lab.nodes[*node].at.map(|[_, row]| row);
    let places: Vec<usize> =
        (0..nodes.len()).filter(|place| row(&nodes[*place]).is_some()).collect();
    let mut placed: Vec<usize> = places.iter().map(|place| nodes[*place]).collect();
    placed.sort_by_key(row);
    for (place, node) in places.into_iter().zip(placed) {
        nodes[place] = node;
    }
}

/// For each node of a column the mean place of its networks' ends in another, in thousandths of a
/// place; a node without any stays where it is.
fn barycenters(lab: &Lab, from: &[usize], at: &[usize]) -> Vec<i64> {
    let mut keys = vec![0; lab.nodes.len()];
    for (own, node) in at.iter().enumerate() {
        let (mut sum, mut count) = (0_i64, 0_i64);
        for network in &lab.networks {
            if network.kind == NetworkKind::Tunnel || !has(network, *node) {
                continue;
            }
            for port in &network.ports {
                if let Some(place) = from.iter().position(|other| *other == port.node) {
                    sum += place as i64 * 1000 + port.row as i64 * 10;
                    count += 1;
                }
            }
        }
        keys[*node] = if count == 0 { own as i64 * 1000 } else { sum / count };
    }
    keys
}

//! What differs in how two labs were set up: the lines of their nodes' plans.

use super::{Difference, SavedRun};
use labsim_scenario::model::NodeName;
use std::collections::{BTreeMap, BTreeSet};

/// Compares the nodes' plans, and what pictures show of load balancers; what pictures show of all nodes,
/// if a run kept no plan. Nodes that only one run has are told by their capture points.
pub(super) fn compare(runs: &[&SavedRun; 2], to: &mut Vec<Difference>) {
    let with_plan = runs.iter().all(|run| !run.plan.is_empty());
    let lines = runs.map(|run| lines(run, with_plan));
    let nodes: BTreeSet<&String> = lines.iter().flat_map(BTreeMap::keys).collect();
    for node in nodes {
        let [Some(first), Some(second)] = [0, 1].map(|run| lines[run].get(node)) else { continue };
        let only = [without(first, second), without(second, first)];
        if only.iter().all(Vec::is_empty) {
            continue;
        }
        let alike = to.iter_mut().find_map(|one| match one {
            Difference::Configuration { nodes, only: known } if *known == only => Some(nodes),
            _ => None,
        });
        match alike {
            Some(nodes) => nodes.push(node.clone()),
            None => to.push(Difference::Configuration { nodes: vec![node.clone()], only }),
        }
    }
}

fn lines(run: &SavedRun, with_plan: bool) -> BTreeMap<String, Vec<String>> {
    let mut lines: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if with_plan {
        for (node, plan) in &run.plan {
            lines.insert(node.clone(), plan.iter().map(|line| essence(line)).collect());
        }
    }
    for (node, shown) in &run.shown {
        let is_balancer = NodeName::new(node).is_ok_and(|name| run.balancers.contains(&name));
        if !with_plan || is_balancer {
            let own = lines.entry(node.clone()).or_default();
            own.extend(
                shown.iter().filter(|row| !(with_plan && row.in_plan)).map(|row| row.text.clone()),
            );
        }
    }
    lines
}

/// A line without what the machine decides: where tunnels are ended, and interfaces' addresses, which are
/// numbered in the order of the nodes.
fn essence(line: &str) -> String {
    let line = line.trim();
    if let Some(tunnel) = line.strip_prefix("tunnel ") {
        let end = tunnel.rfind(" (").unwrap_or(tunnel.len());
        return format!("tunnel {}", tunnel.get(..end).unwrap_or(tunnel));
    }
    if line.starts_with("interface ")
        && let Some((before, after)) = line.split_once(" mac ")
    {
        let rest = after.split_once(' ').map_or("", |(_, rest)| rest);
        return format!("{before} {rest}");
    }
    line.to_owned()
}

/// The lines that the other has not as often.
fn without(own: &[String], other: &[String]) -> Vec<String> {
    let mut left: BTreeMap<&String, usize> = BTreeMap::new();
    for line in other {
        *left.entry(line).or_default() += 1;
    }
    let mut only = Vec::new();
    for line in own {
        match left.get_mut(line) {
            Some(count) if *count > 0 => *count -= 1,
            _ => only.push(line.clone()),
        }
    }
    only
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_machine_decides_is_no_difference() {
        for (one, other) in [
            (
                "tunnel tunl0 ipip mtu 1480 (in the kernel)",
                "tunnel tunl0 ipip mtu 1480 (TUN with x)",
            ),
            (
                "interface eth0 mac 02:00:00:00:00:65 mtu 1500 offloads off",
                "  interface eth0 mac 02:00:00:00:00:6a mtu 1500 offloads off",
            ),
        ] {
            assert_eq!(essence(one), essence(other));
        }
        assert_ne!(essence("interface eth0 mac a mtu 1"), essence("interface eth0 mac a mtu 2"));
        assert_eq!(essence("route 0.0.0.0/0 via 10.0.0.1 dev eth0 (x)").len(), 41);
    }

    #[test]
    fn lines_are_counted_and_their_order_is_no_difference() {
        let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
        assert!(without(&lines("aba"), &lines("baa")).is_empty());
        assert_eq!(without(&lines("aba"), &lines("ab")), ["a"]);
    }
}

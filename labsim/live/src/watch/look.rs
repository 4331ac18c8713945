//! Looks at a lab again and again while somebody watches it.

use super::forwarder;
use super::seen::{Seen, SeenNode};
use super::watchers::Watchers;
use crate::built::Built;
use crate::desk::Now;
use labsim_lab::{CounterText, Lab, Node};
use labsim_scenario::model::Scenario;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;
use tokio::task::yield_now;
use tokio::time::sleep;

/// Between two looks.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks at a lab while there are watchers, and tells them what has happened. Nothing is read while there
/// are none.
pub(crate) async fn look(
    watchers: &Watchers,
    (lab, scenario): (&Lab, &Scenario),
    built: &Built<'_>,
    now: &RefCell<Now<'_>>,
) -> Infallible {
    loop {
        watchers.come().await;
        let mut counters = BTreeMap::new();
        let mut before: Option<Seen> = None;
        while watchers.are_there() {
            let mut seen = Seen { running: running(now), ..Seen::default() };
            for node in lab.nodes() {
                let has_forwarder = scenario.load_balancers.contains_key(node.name());
                let mut of_node = read(node, built, &mut counters);
                if has_forwarder {
                    // Its kernel drops its own copies of what the forwarder takes.
                    of_node.drops.clear();
                    of_node.forwarder = forwarder::status(node).await;
                }
                seen.nodes.insert(node.name().to_string(), of_node);
                // Clients, servers and steps come first.
                yield_now().await;
            }
            if let Some(before) = &before {
                seen.since(before).iter().for_each(|line| watchers.tell(line));
            }
            before = Some(seen);
            watchers.begin();
            sleep(INTERVAL).await;
        }
    }
}

/// What labsim started and how it ended; not known while work is done.
fn running(now: &RefCell<Now<'_>>) -> Option<BTreeMap<(String, String), Option<String>>> {
    match &mut *now.borrow_mut() {
        Now::Idle(kept) => {
            let running = kept.running().into_iter();
            Some(running.map(|it| ((it.node.to_string(), it.what), it.ended)).collect())
        }
        Now::Busy(_) => None,
    }
}

/// Whether a counter is of packets that were dropped. Columns of netstat's sections have the section's name
/// before their own.
fn is_drop(counter: &str) -> bool {
    let sections = ["TcpExt", "IpExt"];
    let column = sections.iter().find_map(|section| counter.strip_prefix(section));
    labsim_verdict::named_drops().any(|drop| drop == counter || Some(drop) == column)
}

/// What the kernel of a node says.
fn read(node: &Node, built: &Built<'_>, counters: &mut BTreeMap<String, CounterText>) -> SeenNode {
    let (state, changed) = built.compare(node);
    let mut seen = SeenNode {
        changed: state.ok().map(|_| changed.into_iter().collect()),
        ..SeenNode::default()
    };
    let name = node.name().to_string();
    let before = counters.get(&name);
    if let Ok(now) = node.counter_text_since(before) {
        if let Some(before) = before {
            let mut risen = now.risen_since(before);
            risen.retain(|name, _| is_drop(name));
            seen.drops = risen;
        }
        counters.insert(name, now);
    }
    for decided in node.filtered().unwrap_or_default().into_iter().filter(|it| it.drops) {
        let rule = format!("{}, {}: {}", decided.filter, decided.hook, decided.by);
        *seen.filtered.entry(rule).or_default() += decided.packets;
    }
    seen
}

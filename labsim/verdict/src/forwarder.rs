//! Judges a forwarder's counters.

use crate::check_result::{CheckContext, CheckResult};
use labsim_scenario::model::{Count, NodeName};
use std::collections::BTreeMap;

/// Judges a counter at the end. One that is not there is 0; a forwarder that gave none at all
/// proves nothing.
pub(crate) fn forwarder(
    context: &CheckContext<'_>,
    node: &NodeName,
    counter: &str,
    wanted: Count,
) -> CheckResult {
    let expected = format!("the forwarder on {node} counts {counter}: {wanted}");
    let Some(counters) = context.observations.forwarder_counters.get(node) else {
        return CheckResult::fail(expected, format!("the forwarder on {node} gave no counters"));
    };
    let number = value(counters, counter);
    let seen = format!("the forwarder on {node} counted {counter}: {number}");
    if wanted.holds(number) {
        return CheckResult::pass(seen);
    }
    let others: Vec<String> = counters
        .iter()
        .filter(|(_, number)| **number > 0)
        .take(crate::frames::SHOWN)
        .map(|(name, number)| format!("{name} {number}"))
        .collect();
    let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
    CheckResult::failed(vec![expected], vec![seen, format!("all that it counted: {others}")])
}

/// A counter by its name, or by what stands behind a group's name in it: `no_flow` finds
/// `outcomes.no_flow`.
pub(crate) fn value(counters: &BTreeMap<String, u64>, name: &str) -> u64 {
    if let Some(number) = counters.get(name) {
        return *number;
    }
    let behind = |known: &str| known.strip_suffix(name).is_some_and(|group| group.ends_with('.'));
    counters.iter().filter(|(known, _)| behind(known)).map(|(_, number)| *number).max().unwrap_or(0)
}

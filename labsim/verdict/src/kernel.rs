//! Judges a kernel's counters, and a tunnel device's.

use crate::check_result::{CheckContext, CheckResult};
use labsim_scenario::model::{Count, InterfaceName, NodeName};
use std::collections::BTreeMap;

/// A counter of a node's kernel, or of its tunnel device.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Counter<'a> {
    pub(crate) node: &'a NodeName,
    pub(crate) device: Option<&'a InterfaceName>,
    pub(crate) name: &'a str,
}

/// Judges by how much a counter rose. One that the kernel does not have proves nothing.
pub(crate) fn kernel(
    context: &CheckContext<'_>,
    counter: Counter<'_>,
    wanted: Count,
) -> CheckResult {
    let Counter { node, device, name } = counter;
    let whose = device.map_or_else(|| node.to_string(), |device| format!("{node}:{device}"));
    let expected = format!("{name} of {whose} rises by {wanted}");
    let observed = context.observations;
    let rose = match device {
        Some(device) => observed.device_counters.get(node).and_then(|its| its.get(device)),
        None => observed.kernel_counters.get(node),
    };
    let Some(rose) = rose else {
        return CheckResult::fail(expected, format!("the counters of {whose} were not read"));
    };
    if device.is_none() && !observed.known_counters.contains(name) {
        let why = format!("the kernel has no counter {name}; `nstat -az` lists those that it has");
        return CheckResult::fail(expected, why);
    }
    let number = rose.get(name).copied().unwrap_or(0);
    let seen = format!("{name} of {whose} rose by {number}");
    if wanted.holds(number) {
        return CheckResult::pass(seen);
    }
    CheckResult::failed(vec![expected], vec![seen, format!("all that rose: {}", all(rose))])
}

fn all(counters: &BTreeMap<String, u64>) -> String {
    let shown: Vec<String> = counters
        .iter()
        .take(crate::frames::SHOWN)
        .map(|(name, number)| format!("{name} {number}"))
        .collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}

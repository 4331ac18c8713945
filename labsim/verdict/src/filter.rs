//! Judges what packet filters dropped.

use crate::check_result::{CheckContext, CheckResult};
use crate::messages::count as say;
use labsim_scenario::model::filter::Decided;
use labsim_scenario::model::{Count, FilterName, NodeName};

/// Judges how many packets a filter dropped, in one node or in all that have it. A node whose
/// counters were not read proves nothing.
pub(crate) fn filter(
    context: &CheckContext<'_>,
    name: &FilterName,
    node: Option<&NodeName>,
    wanted: Count,
) -> CheckResult {
    let place = node.map_or_else(String::new, |node| format!(" of {node}"));
    let expected = format!("the filter {name}{place} drops {wanted}");
    let filters = context.scenario.filters.iter().filter(|filter| filter.name == *name);
    let nodes = filters.flat_map(|filter| &filter.nodes);
    let (mut number, mut seen) = (0_u64, Vec::new());
    for node in nodes.filter(|own| node.is_none_or(|node| node == *own)) {
        let Some(all) = context.observations.filtered.get(node) else {
            return CheckResult::fail(expected, format!("the filters of {node} were not read"));
        };
        for Decided { hook, by, drops, packets, .. } in all.iter().filter(|it| it.filter == *name) {
            if *packets == 0 {
                continue;
            }
            let decided = say(*packets, "packet");
            seen.push(format!("{node}, {hook}, `{by}`: {decided}"));
            number = number.saturating_add(if *drops { *packets } else { 0 });
        }
    }
    let sum = format!("the filter {name}{place} dropped {}", say(number, "packet"));
    if wanted.holds(number) {
        let all = [vec![sum], seen].concat();
        return CheckResult::pass(all.join("; "));
    }
    if seen.is_empty() {
        seen.push("it saw no packet".to_owned());
    }
    CheckResult::failed(vec![expected], [vec![sum], seen].concat())
}

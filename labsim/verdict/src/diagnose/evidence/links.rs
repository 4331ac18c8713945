//! What the counters of impaired links show.

use crate::diagnose::{Cause, Evidence, Subject, Trace};
use labsim_scenario::model::{Attachment, Direction};

/// Counters of frames that did not arrive.
const DROPS: [&str; 5] = ["lost", "queue_full", "netem_dropped", "send_refused", "receive_dropped"];

/// The link that the packet went out to and did not come out of.
pub(super) fn lost(subject: &Subject<'_>, trace: &Trace) -> Option<Evidence> {
    if trace.last_direction != Direction::Out {
        return None;
    }
    let last = subject.case.frames.get(trace.last)?;
    let interface = subject.case.frames.point(last.record.point)?.interface.clone();
    let sender = Attachment { node: trace.last_node.clone(), interface };
    let counters = subject.case.observations.link_counters.get(&sender)?;
    if counters.dropped == 0 {
        return None;
    }
    let impairment = subject.case.scenario.impairments.get(&sender)?.to_string();
    let value = |name: &str| counters.by_name.get(name).copied().unwrap_or(0);
    let drops = DROPS.iter().map(|name| (name, value(name))).filter(|(_, number)| *number > 0);
    let drops: Vec<String> = drops.map(|(name, number)| format!("{name} {number}")).collect();
    let (dropped, taken) = (counters.dropped, value("taken"));
    let counters = drops.join(", ");
    let cause = Cause::LostOnLink { sender, impairment, dropped, taken, counters };
    Some(subject.evidence(cause, &[trace.last]))
}

//! What a forwarder counted, under the names that scenarios use.

use labsim_dataplane::forwarder::Snapshot;
use labsim_model::outcome::SocketDrop;
use serde_json::Value;
use std::collections::BTreeMap;

/// Groups whose counters have the names of virtual servers and members in them: too many to show.
const BY_NAME: [&str; 2] = ["virtual_servers", "members"];

/// Packets by outcome (`no_flow`), and every other group's counters behind the group's name
/// (`flows.timed_out`, `neighbours.failed`, `answers.tcp_reset`).
pub(crate) fn by_name(counters: &Snapshot) -> BTreeMap<String, u64> {
    let outcomes = counters.engine.outcomes.iter();
    let mut named: BTreeMap<String, u64> =
        outcomes.map(|(name, tally)| (name.clone(), tally.packets)).collect();
    let socket = [
        (SocketDrop::Dropped, counters.socket.dropped),
        (SocketDrop::Oversized, counters.socket.oversized),
        (SocketDrop::SendErrors, counters.socket.send_errors),
    ];
    named.extend(socket.map(|(drop, count)| (drop.name().to_owned(), count)));
    // Through the names that the forwarder itself writes: what it learns to count is shown.
    let Ok(Value::Object(groups)) = serde_json::to_value(&counters.engine) else { return named };
    for (group, counters) in groups {
        let Value::Object(counters) = counters else { continue };
        if BY_NAME.contains(&group.as_str()) {
            continue;
        }
        let counts = counters.iter().filter_map(|(name, count)| Some((name, count.as_u64()?)));
        named.extend(counts.map(|(name, count)| (format!("{group}.{name}"), count)));
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_dataplane::SocketCounters;
    use labsim_forwarder::{Counters, Tally};

    #[test]
    fn outcomes_have_their_own_name_and_other_counters_their_groups() {
        let mut engine = Box::<Counters>::default();
        engine.outcomes.insert("no_flow".to_owned(), Tally { packets: 3, bytes: 180 });
        engine.flows.timed_out = 1;
        engine.neighbours.failed = 2;
        engine.answers.tcp_reset = 4;
        let socket = SocketCounters { dropped: 5, ..SocketCounters::default() };
        let named = by_name(&Snapshot { engine, socket, ..Snapshot::default() });
        for (name, count) in [
            ("no_flow", 3),
            ("flows.timed_out", 1),
            ("flows.open", 0),
            ("neighbours.failed", 2),
            ("answers.tcp_reset", 4),
            ("socket_dropped", 5),
        ] {
            assert_eq!(named.get(name), Some(&count), "{name} in {named:?}");
        }
        assert!(!named.keys().any(|name| name.starts_with("outcomes")), "{named:?}");
    }
}

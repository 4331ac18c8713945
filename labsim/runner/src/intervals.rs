//! What was counted from step to step. A counter belongs to the interval in which it rose: nothing is
//! waited for between the steps, so what an earlier step left in flight is counted with a later one.

use crate::observations::{Snapshot, increase, risen};
use labsim_lab::{Counters, InterfaceCounters};
use labsim_scenario::model::StepName;
use labsim_verdict::IntervalCounters;
use std::collections::BTreeMap;
use tracing::debug;

/// The counters before the first step, and by how much they rose in each.
#[derive(Debug, Default)]
pub(crate) struct Intervals {
    first: Snapshot,
    /// At the start of the step that runs; `None` in the first one.
    last: Option<Snapshot>,
    by_step: BTreeMap<StepName, IntervalCounters>,
    running: Option<StepName>,
}

impl Intervals {
    /// Begins with what was counted before the first step.
    pub(crate) fn new(first: Snapshot) -> Self {
        Self { first, ..Self::default() }
    }

    /// A step starts. Unless it is the first one, `now` is what was counted up to now.
    pub(crate) fn start(&mut self, step: StepName, now: Option<Snapshot>) {
        if let Some(now) = now {
            self.close(&now);
            // One that was killed begins at 0 when it is started again.
            self.first.forwarders.retain(|node, _| now.forwarders.contains_key(node));
            self.last = Some(now);
        }
        self.running = Some(step);
    }

    /// Whether a step has started.
    pub(crate) fn has_started(&self) -> bool {
        self.running.is_some()
    }

    /// Ends the last step's interval; the counters before the first step, and what rose in each.
    pub(crate) fn end(
        mut self,
        after: &Snapshot,
    ) -> (Snapshot, BTreeMap<StepName, IntervalCounters>) {
        self.close(after);
        (self.first, self.by_step)
    }

    fn close(&mut self, now: &Snapshot) {
        let Some(step) = self.running.take() else { return };
        let counters = between(self.last.as_ref().unwrap_or(&self.first), now);
        debug!(%step, ?counters, "counted");
        self.by_step.insert(step, counters);
    }
}

/// What rose from one moment to a later one.
fn between(before: &Snapshot, after: &Snapshot) -> IntervalCounters {
    let mut interval = IntervalCounters {
        from_ns: before.from_ns,
        until_ns: after.until_ns,
        ..IntervalCounters::default()
    };
    for (node, now) in &after.kernels {
        let was = before.kernels.get(node);
        let kernel = risen(was, now);
        if !kernel.is_empty() {
            interval.kernel.insert(node.clone(), kernel);
        }
        let tunnels = after.devices.get(node);
        let is_tunnel =
            |name: &str| tunnels.is_some_and(|all| all.keys().any(|one| one.as_str() == name));
        let before_of = |name: &str| {
            let mut all = was?.interfaces();
            all.find(|(one, _)| *one == name).map(|(_, counters)| errors(&counters))
        };
        let mut devices: BTreeMap<String, Counters> = now
            .interfaces()
            .filter(|(name, _)| !is_tunnel(name))
            .map(|(name, counters)| {
                (name.to_owned(), increase(before_of(name).as_ref(), &errors(&counters)))
            })
            .collect();
        for (name, counters) in tunnels.into_iter().flatten() {
            let before = before.devices.get(node).and_then(|all| all.get(name));
            devices.insert(name.to_string(), increase(before, counters));
        }
        devices.retain(|_, counters| !counters.is_empty());
        if !devices.is_empty() {
            interval.devices.insert(node.clone(), devices);
        }
    }
    for (node, now) in &after.forwarders {
        // One that was killed is not in the snapshot after that: it begins at 0.
        let counters = increase(before.forwarders.get(node), now);
        if !counters.is_empty() {
            interval.forwarders.insert(node.clone(), counters);
        }
    }
    for (end, now) in &after.links {
        let counters = increase(before.links.get(end).map(|was| &was.by_name), &now.by_name);
        if !counters.is_empty() {
            interval.links.insert(end.clone(), counters);
        }
    }
    interval
}

/// What tells that a device did not do its work. Its packets and bytes are left out: those of
/// Ethernet devices have the captures' markers among them.
fn errors(counters: &InterfaceCounters) -> Counters {
    [
        ("rx_errors", counters.rx_errors),
        ("rx_dropped", counters.rx_dropped),
        ("rx_fifo", counters.rx_fifo),
        ("rx_frame", counters.rx_frame),
        ("tx_errors", counters.tx_errors),
        ("tx_dropped", counters.tx_dropped),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use labsim_scenario::model::NodeName;

    fn forwarded(count: u64) -> Snapshot {
        let counters = BTreeMap::from([("forwarded".to_owned(), count)]);
        let forwarders = BTreeMap::from([(NodeName::new("lb").unwrap(), counters)]);
        Snapshot { forwarders, ..Snapshot::default() }
    }

    fn step(name: &str) -> StepName {
        StepName::new(name).unwrap()
    }

    #[test]
    fn a_counter_belongs_to_the_step_in_which_it_rose_and_a_killed_forwarder_begins_anew() {
        let mut intervals = Intervals::new(forwarded(3));
        assert!(!intervals.has_started());
        intervals.start(step("login"), None);
        intervals.start(step("kill"), Some(forwarded(8)));
        intervals.start(step("start"), Some(Snapshot::default()));
        let (first, by_step) = intervals.end(&forwarded(9));
        assert!(first.forwarders.is_empty(), "that one was killed");
        let lb = NodeName::new("lb").unwrap();
        let rose = |name: &str| {
            let counters = by_step[&step(name)].forwarders.get(&lb);
            counters.map(|counters| counters["forwarded"])
        };
        assert_eq!((rose("login"), rose("kill"), rose("start")), (Some(5), None, Some(9)));
    }

    #[test]
    fn a_run_without_steps_has_no_intervals() {
        assert!(Intervals::new(forwarded(3)).end(&forwarded(4)).1.is_empty());
    }
}

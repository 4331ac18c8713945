//! The member with the least flows for its weight.
//!
//! What counts is the load that the new flow would make, (flows + 1) / weight, so that a member of
//! weight 3 gets the first three flows' worth. Among equals it is the one that was chosen longest
//! ago: an idle pool's members take turns, instead of the first having all.

use super::min_tree::MinTree;

/// The least loaded member. Entries of weight 0 are skipped.
#[derive(Debug)]
pub(super) struct LeastConnections {
    entries: Vec<Entry>,
    order: MinTree,
    /// Flows that began so far.
    began: u64,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    weight: u16,
    flows: u32,
    /// The number of the last flow that it got.
    last: u64,
}

fn precedes(entries: &[Entry], one: usize, other: usize) -> bool {
    let (a, b) = (&entries[one], &entries[other]);
    if a.weight == 0 || b.weight == 0 {
        return (a.weight == 0, one) < (b.weight == 0, other);
    }
    let cross = |one: &Entry, by: &Entry| (u64::from(one.flows) + 1) * u64::from(by.weight);
    (cross(a, b), a.last, one) < (cross(b, a), b.last, other)
}

impl LeastConnections {
    /// A scheduler without flows.
    pub(super) fn new(weights: &[u16]) -> Self {
        let entries: Vec<Entry> =
            weights.iter().map(|weight| Entry { weight: *weight, flows: 0, last: 0 }).collect();
        let order = MinTree::new(entries.len(), |one, other| precedes(&entries, one, other));
        Self { entries, order, began: 0 }
    }

    /// The least loaded member.
    pub(super) fn least(&self) -> Option<usize> {
        self.order.min().filter(|member| self.entries[*member].weight > 0)
    }

    /// A flow of the member began.
    pub(super) fn flow_started(&mut self, member: usize) {
        self.began += 1;
        let entry = &mut self.entries[member];
        entry.flows += 1;
        entry.last = self.began;
        self.update(member);
    }

    /// The member has so many flows that began before.
    pub(super) fn adopt(&mut self, member: usize, flows: u64) {
        self.entries[member].flows += flows as u32;
        self.update(member);
    }

    /// A flow of the member is over.
    pub(super) fn flow_ended(&mut self, member: usize) {
        self.entries[member].flows -= 1;
        self.update(member);
    }

    /// Gives a member another weight. Its flows stay.
    pub(super) fn set_weight(&mut self, member: usize, weight: u16) {
        self.entries[member].weight = weight;
        self.update(member);
    }

    fn update(&mut self, member: usize) {
        let Self { entries, order, .. } = self;
        order.update(member, |one, other| precedes(entries, one, other));
    }
}

#[cfg(test)]
mod tests {
    use super::LeastConnections;

    fn begin(least: &mut LeastConnections, count: usize) -> Vec<usize> {
        let mut chosen = Vec::new();
        for _ in 0..count {
            let Some(member) = least.least() else { break };
            least.flow_started(member);
            chosen.push(member);
        }
        chosen
    }

    #[test]
    fn who_has_least_is_next_and_equals_take_turns() {
        let mut least = LeastConnections::new(&[1, 1, 1]);
        assert_eq!(begin(&mut least, 4), [0, 1, 2, 0]);
        least.flow_ended(2);
        assert_eq!(begin(&mut least, 1), [2], "it has none, and the others do");
        // An idle pool: each flow ends before the next begins.
        let mut idle = LeastConnections::new(&[1, 1, 1]);
        let mut chosen = Vec::new();
        for _ in 0..5 {
            chosen.extend(begin(&mut idle, 1));
            idle.flow_ended(chosen[chosen.len() - 1]);
        }
        assert_eq!(chosen, [0, 1, 2, 0, 1]);
    }

    #[test]
    fn flows_that_stay_follow_the_weights() {
        let mut least = LeastConnections::new(&[3, 2, 1, 0]);
        let chosen = begin(&mut least, 60);
        let had = [0, 1, 2, 3].map(|one| chosen.iter().filter(|member| **member == one).count());
        assert_eq!(had, [30, 20, 10, 0]);
    }

    #[test]
    fn a_member_without_weight_keeps_its_flows_and_gets_no_other() {
        let mut least = LeastConnections::new(&[1, 1]);
        begin(&mut least, 4);
        least.set_weight(0, 0);
        assert_eq!(begin(&mut least, 3), [1, 1, 1]);
        least.set_weight(1, 0);
        assert_eq!(least.least(), None);
        least.flow_ended(0);
        least.set_weight(0, 1);
        assert_eq!(begin(&mut least, 3), [0, 0, 0], "it has one, and the other five");
    }
}

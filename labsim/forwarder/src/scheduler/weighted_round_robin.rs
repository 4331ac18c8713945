//! Members in turn, each as often as its weight says: round robin, and F5's ratio.
//!
//! A member of weight w has its turns at the moments 1/2w, 3/2w, 5/2w, ... of a clock that the
//! turns themselves drive: each is spread evenly, and after as many turns as all weights together
//! every member has had exactly its own. (The divisors 1, 3, 5, ... are Webster's; IPVS's wrr and
//! F5's ratio give the same shares, in another order.)

use super::min_tree::MinTree;

/// A weighted round robin. Entries of weight 0 are skipped.
#[derive(Debug)]
pub(super) struct WeightedRoundRobin {
    entries: Vec<Entry>,
    order: MinTree,
    /// The last turn's moment.
    now: VirtualTime,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    weight: u16,
    /// Turns of the member, and turns that passed while its weight was 0.
    turns: u64,
}

/// A fraction: odds by twice the weight, of which the two cancels out everywhere.
#[derive(Debug, Clone, Copy)]
struct VirtualTime {
    numerator: u64,
    weight: u16,
}

impl VirtualTime {
    fn is_before(self, other: Self) -> bool {
        let cross = |one: Self, by: Self| u128::from(one.numerator) * u128::from(by.weight);
        cross(self, other) < cross(other, self)
    }
}

impl Entry {
    /// Its next turn's.
    const fn next_time(&self) -> VirtualTime {
        VirtualTime { numerator: 2 * self.turns + 1, weight: self.weight }
    }
}

/// The order: by the next turn's moment, then by place; members without turns come last.
fn precedes(entries: &[Entry], one: usize, other: usize) -> bool {
    let (a, b) = (&entries[one], &entries[other]);
    if a.weight == 0 || b.weight == 0 {
        return (a.weight == 0, one) < (b.weight == 0, other);
    }
    let (first, second) = (a.next_time(), b.next_time());
    first.is_before(second) || (one < other && !second.is_before(first))
}

impl WeightedRoundRobin {
    /// The first turn is about to come.
    pub(super) fn new(weights: &[u16]) -> Self {
        let entries: Vec<Entry> =
            weights.iter().map(|weight| Entry { weight: *weight, turns: 0 }).collect();
        let order = MinTree::new(entries.len(), |one, other| precedes(&entries, one, other));
        Self { entries, order, now: VirtualTime { numerator: 0, weight: 1 } }
    }

    /// The next member.
    pub(super) fn next(&self) -> Option<usize> {
        self.order.min().filter(|member| self.entries[*member].weight > 0)
    }

    /// The member has had its turn.
    pub(super) fn advance(&mut self, member: usize) {
        self.now = self.entries[member].next_time();
        self.entries[member].turns += 1;
        self.update(member);
    }

    /// Gives a member another weight. It neither makes up for turns that it missed, nor pays for
    /// those that it had.
    pub(super) fn set_weight(&mut self, member: usize, weight: u16) {
        let VirtualTime { numerator, weight: by } = self.now;
        let odds = (u128::from(numerator) * u128::from(weight)).div_ceil(u128::from(by));
        self.entries[member] = Entry { weight, turns: (odds / 2) as u64 };
        self.update(member);
    }

    fn update(&mut self, member: usize) {
        let Self { entries, order, .. } = self;
        order.update(member, |one, other| precedes(entries, one, other));
    }
}

#[cfg(test)]
mod tests {
    use super::WeightedRoundRobin;
    use proptest::prelude::*;

    fn take(turns: &mut WeightedRoundRobin, count: usize) -> Vec<usize> {
        let mut took = Vec::new();
        for _ in 0..count {
            let Some(member) = turns.next() else { break };
            turns.advance(member);
            took.push(member);
        }
        took
    }

    #[test]
    fn equals_go_round() {
        assert_eq!(take(&mut WeightedRoundRobin::new(&[1, 1, 1]), 7), [0, 1, 2, 0, 1, 2, 0]);
        assert_eq!(take(&mut WeightedRoundRobin::new(&[9]), 3), [0, 0, 0]);
        assert_eq!(take(&mut WeightedRoundRobin::new(&[]), 3), [0; 0]);
        assert_eq!(take(&mut WeightedRoundRobin::new(&[0, 0]), 3), [0; 0]);
    }

    #[test]
    fn greater_weights_come_more_often_and_are_spread_out() {
        assert_eq!(take(&mut WeightedRoundRobin::new(&[3, 1]), 8), [0, 0, 1, 0, 0, 0, 1, 0]);
        assert_eq!(take(&mut WeightedRoundRobin::new(&[5, 1, 1]), 7), [0, 0, 0, 1, 2, 0, 0]);
    }

    #[test]
    fn who_comes_back_is_next_and_does_not_make_up_for_what_it_missed() {
        let mut turns = WeightedRoundRobin::new(&[1, 1, 1]);
        turns.set_weight(1, 0);
        assert_eq!(take(&mut turns, 5), [0, 2, 0, 2, 0]);
        turns.set_weight(1, 1);
        assert_eq!(take(&mut turns, 6), [1, 2, 0, 1, 2, 0]);
    }

    proptest! {
        #[test]
        fn each_round_gives_everybody_exactly_its_weight(
            weights in prop::collection::vec(0..40u16, 1..20),
        ) {
            let mut turns = WeightedRoundRobin::new(&weights);
            let round = weights.iter().map(|weight| usize::from(*weight)).sum();
            for _ in 0..3 {
                let took = take(&mut turns, round);
                for (member, weight) in weights.iter().enumerate() {
                    let had = took.iter().filter(|one| **one == member).count();
                    prop_assert_eq!(had, usize::from(*weight), "{}", member);
                }
            }
        }

        #[test]
        fn from_any_change_on_shares_are_right_again(
            before in prop::collection::vec(0..9u16, 5),
            after in prop::collection::vec(1..9u16, 5),
            turns_before in 0..100usize,
        ) {
            let mut turns = WeightedRoundRobin::new(&before);
            take(&mut turns, turns_before);
            for (member, weight) in after.iter().enumerate() {
                turns.set_weight(member, *weight);
            }
            let round: usize = after.iter().map(|weight| usize::from(*weight)).sum();
            let took = take(&mut turns, round * 10);
            for (member, weight) in after.iter().enumerate() {
                let had = took.iter().filter(|one| **one == member).count();
                prop_assert!(had.abs_diff(usize::from(*weight) * 10) <= 1, "{} {}", member, had);
            }
        }
    }
}

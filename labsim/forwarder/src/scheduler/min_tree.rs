//! A min tree (tournament tree): the first of many in an order that changes one at a time, in O(log
//! n) and without allocation.

/// An empty leaf, after the last entry.
const NONE: u32 = u32::MAX;

/// The first of all entries. The order is the caller's, which calls [`Self::update`] whenever the
/// position of an entry may have changed.
#[derive(Debug)]
pub(super) struct MinTree {
    /// A heap-shaped tree: the winner of all is at 1, and the entries' own places are its last
    /// half.
    winners: Box<[u32]>,
}

impl MinTree {
    /// A tree of the entries from 0 to `entries`.
    pub(super) fn new(entries: usize, precedes: impl Fn(usize, usize) -> bool) -> Self {
        let half = entries.next_power_of_two();
        let mut winners = vec![NONE; half * 2].into_boxed_slice();
        for (entry, place) in winners[half..].iter_mut().take(entries).enumerate() {
            *place = entry as u32;
        }
        let mut tournament = Self { winners };
        for place in (1..half).rev() {
            tournament.update_node(place, &precedes);
        }
        tournament
    }

    /// The first of all; `None` without entries.
    pub(super) fn min(&self) -> Option<usize> {
        // The tree of one entry is its own place alone.
        self.winners.get(1).copied().filter(|winner| *winner != NONE).map(|one| one as usize)
    }

    /// This entry's place in the order may have changed.
    pub(super) fn update(&mut self, entry: usize, precedes: impl Fn(usize, usize) -> bool) {
        let mut place = (self.winners.len() / 2 + entry) / 2;
        while place >= 1 {
            self.update_node(place, &precedes);
            place /= 2;
        }
    }

    fn update_node(&mut self, place: usize, precedes: &impl Fn(usize, usize) -> bool) {
        let (one, other) = (self.winners[place * 2], self.winners[place * 2 + 1]);
        let is_others = one == NONE || other != NONE && precedes(other as usize, one as usize);
        self.winners[place] = if is_others { other } else { one };
    }
}

#[cfg(test)]
mod tests {
    use super::MinTree;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_winner_is_the_least_whatever_changes(
            mut values in prop::collection::vec(0..50u8, 0..40),
            changes in prop::collection::vec((0..40usize, 0..50u8), 0..60),
        ) {
            let mut tournament =
                MinTree::new(values.len(), |a, b| (values[a], a) < (values[b], b));
            for (entry, value) in changes {
                if let Some(place) = values.get_mut(entry) {
                    *place = value;
                    tournament.update(entry, |a, b| (values[a], a) < (values[b], b));
                }
                let least = (0..values.len()).min_by_key(|entry| (values[*entry], *entry));
                prop_assert_eq!(tournament.min(), least);
            }
        }
    }
}

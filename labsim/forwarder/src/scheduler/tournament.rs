//! A winner tree: the first of many in an order that changes one at a time, in O(log n) and without
//! allocation.

/// Stands for nobody, beside the last player.
const NOBODY: u32 = u32::MAX;

/// Who comes first of all players. The order is the caller's: it is told whenever a player's place
/// in it may have changed.
#[derive(Debug)]
pub(super) struct Tournament {
    /// A heap-shaped tree: the winner of all is at 1, and the players' own places are its last half.
    winners: Box<[u32]>,
}

impl Tournament {
    /// Has `players` players, from 0, play.
    pub(super) fn new(players: usize, comes_first: impl Fn(usize, usize) -> bool) -> Self {
        let half = players.next_power_of_two();
        let mut winners = vec![NOBODY; half * 2].into_boxed_slice();
        for (player, place) in winners[half..].iter_mut().take(players).enumerate() {
            *place = player as u32;
        }
        let mut tournament = Self { winners };
        for place in (1..half).rev() {
            tournament.play(place, &comes_first);
        }
        tournament
    }

    /// The first of all; `None` without players.
    pub(super) fn winner(&self) -> Option<usize> {
        // The tree of one player is its own place alone.
        self.winners.get(1).copied().filter(|winner| *winner != NOBODY).map(|one| one as usize)
    }

    /// This player's place in the order may have changed.
    pub(super) fn replay(&mut self, player: usize, comes_first: impl Fn(usize, usize) -> bool) {
        let mut place = (self.winners.len() / 2 + player) / 2;
        while place >= 1 {
            self.play(place, &comes_first);
            place /= 2;
        }
    }

    fn play(&mut self, place: usize, comes_first: &impl Fn(usize, usize) -> bool) {
        let (one, other) = (self.winners[place * 2], self.winners[place * 2 + 1]);
        let is_others =
            one == NOBODY || other != NOBODY && comes_first(other as usize, one as usize);
        self.winners[place] = if is_others { other } else { one };
    }
}

#[cfg(test)]
mod tests {
    use super::Tournament;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_winner_is_the_least_whatever_changes(
            mut values in prop::collection::vec(0..50u8, 0..40),
            changes in prop::collection::vec((0..40usize, 0..50u8), 0..60),
        ) {
            let mut tournament =
                Tournament::new(values.len(), |a, b| (values[a], a) < (values[b], b));
            for (player, value) in changes {
                if let Some(place) = values.get_mut(player) {
                    *place = value;
                    tournament.replay(player, |a, b| (values[a], a) < (values[b], b));
                }
                let least = (0..values.len()).min_by_key(|player| (values[*player], *player));
                prop_assert_eq!(tournament.winner(), least);
            }
        }
    }
}

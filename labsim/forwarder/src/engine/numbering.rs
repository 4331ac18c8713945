//! The numbers of virtual servers and members, which flows hold: what stays keeps its number, and
//! what is new gets one that nothing holds any more, or the next.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;

/// Numbers for `wanted`, whose keys are different, in their order. `present` are the keys of the
/// numbers that are in use, and whether the number may be another's already.
pub(super) fn assign_numbers<K: Eq + Hash>(
    present: impl Iterator<Item = (K, bool)>,
    wanted: impl Iterator<Item = K>,
) -> Vec<usize> {
    let present: Vec<(K, bool)> = present.collect();
    let known: HashMap<&K, usize> =
        present.iter().enumerate().map(|(number, (key, _))| (key, number)).collect();
    let wanted: Vec<Option<usize>> = wanted.map(|key| known.get(&key).copied()).collect();
    let kept: HashSet<usize> = wanted.iter().copied().flatten().collect();
    let free =
        present.iter().enumerate().filter(|(number, (_, free))| *free && !kept.contains(number));
    let mut free = free.map(|(number, _)| number).chain(present.len()..);
    wanted.into_iter().map(|number| number.or_else(|| free.next()).unwrap_or(usize::MAX)).collect()
}

#[cfg(test)]
mod tests {
    use super::assign_numbers;

    #[test]
    fn what_stays_keeps_its_number_and_what_is_new_gets_a_free_one_or_the_next() {
        let present = [("a", false), ("b", true), ("c", false), ("d", true)];
        for (wanted, expected) in [
            (vec!["a", "c"], vec![0, 2]),
            (vec!["c", "x", "a"], vec![2, 1, 0]),
            (vec!["x", "y", "z", "w"], vec![1, 3, 4, 5]),
            (vec!["x", "b"], vec![3, 1]),
            (vec![], vec![]),
        ] {
            assert_eq!(assign_numbers(present.into_iter(), wanted.into_iter()), expected);
        }
    }
}

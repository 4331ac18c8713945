use super::Table;
use crate::{Instant, Persistence, SourceAddress};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn rule(timeout: u32, prefix_length: Option<u8>) -> Persistence {
    Persistence::SourceAddress(SourceAddress { timeout, prefix_length })
}

fn table(capacity: usize, rules: &[Persistence]) -> Table {
    Table::new(capacity, rules.iter().copied())
}

fn client(number: u32) -> [u64; 2] {
    [0, 0xffff_0000_0000 | u64::from(number)]
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * 1_000_000_000)
}

#[test]
fn a_client_is_remembered_until_the_timeout_after_its_last_flow() {
    let mut table = table(4, &[rule(10, None)]);
    assert_eq!(table.find(0, client(1), at(0)), None);
    table.record(0, client(1), 7, at(0));
    assert_eq!(table.find(0, client(1), at(9)), Some(7));
    assert_eq!(table.find(0, client(2), at(9)), None);
    table.record(0, client(1), 7, at(9));
    assert_eq!(table.find(0, client(1), at(18)), Some(7));
    assert_eq!(table.find(0, client(1), at(19)), None);
    // The first deadline is still waited for, and finds nothing to do.
    table.expire(at(10), 9);
    assert_eq!(table.next_deadline(), Some(at(19)));
    table.expire(at(19), 9);
    assert_eq!(table.next_deadline(), None);
    let counters = table.counters();
    assert_eq!((counters.entries, counters.recorded), (0, 1));
    assert_eq!((counters.hits, counters.expired), (1, 1));
}

#[test]
fn an_entry_whose_time_is_over_counts_as_none_even_before_it_is_taken_out() {
    let mut table = table(4, &[rule(10, None)]);
    table.record(0, client(1), 7, at(0));
    table.record(0, client(1), 8, at(10));
    assert_eq!(table.find(0, client(1), at(19)), Some(8));
    let counters = table.counters();
    assert_eq!((counters.recorded, counters.expired, counters.moved), (2, 1, 0));
}

#[test]
fn virtual_servers_remember_for_themselves_and_some_not_at_all() {
    let mut table = table(4, &[rule(10, None), Persistence::None, rule(10, None)]);
    table.record(0, client(1), 7, at(0));
    table.record(1, client(1), 8, at(0));
    assert_eq!(table.find(0, client(1), at(1)), Some(7));
    assert_eq!(table.find(1, client(1), at(1)), None);
    assert_eq!(table.find(2, client(1), at(1)), None);
    assert_eq!(table.counters().entries, 1);
    // Nothing is set aside where nobody persists.
    let mut none = super::Table::new(1 << 24, [Persistence::None].into_iter());
    none.record(0, client(1), 7, at(0));
    assert_eq!((none.entries.capacity(), none.counters().entries), (0, 0));
}

#[test]
fn clients_that_share_a_prefix_are_one() {
    let mut table = table(4, &[rule(10, Some(24))]);
    table.record(0, client(0x0a00_0001), 7, at(0));
    assert_eq!(table.find(0, client(0x0a00_00ff), at(1)), Some(7));
    assert_eq!(table.find(0, client(0x0a00_0101), at(1)), None);
}

#[test]
fn a_flood_through_one_virtual_server_leaves_the_others_clients() {
    for (quiet, flooded) in [(0, 1), (1, 0)] {
        let mut table = table(100, &[rule(1000, None), rule(1000, None)]);
        for number in 0..40 {
            table.record(quiet, client(number), 5, at(0));
        }
        for number in 0..10_000 {
            table.record(flooded, client(number), 7, at(1));
        }
        let counters = table.counters();
        assert_eq!((counters.entries, counters.evicted), (100, 40 + 10_000 - 100));
        assert!((0..40).all(|number| table.find(quiet, client(number), at(2)) == Some(5)));
        let left = |number| table.find(flooded, client(number), at(2)).is_some();
        assert!((9_940..10_000).all(left) && !(0..9_940).any(left), "the newest are left");
    }
}

#[test]
fn the_budget_bounds_one_call_and_the_rest_is_due_at_once() {
    let mut table = table(100, &[rule(10, None), rule(20, None)]);
    (0..50).for_each(|number| table.record(0, client(number), 1, at(0)));
    (0..50).for_each(|number| table.record(1, client(number), 1, at(0)));
    table.expire(at(20), 60);
    assert_eq!((table.counters().entries, table.next_deadline()), (40, Some(at(20))));
    table.expire(at(20), 60);
    assert_eq!((table.counters().entries, table.next_deadline()), (0, None));
}

proptest! {
    /// Against a map that does everything the slow way.
    #[test]
    fn what_is_found_is_what_was_last_recorded_and_is_not_too_old(
        actions in prop::collection::vec((0..3u8, 0..2u16, 0..12u32, 0..3u16, 0..4u64), 0..300),
    ) {
        let timeouts = [5, 9];
        let mut table = table(8, &[rule(5, None), rule(9, None)]);
        let mut known: BTreeMap<(u16, u32), (u16, u64)> = BTreeMap::new();
        let mut now = 0;
        for (action, server, number, member, passed) in actions {
            now += passed;
            known.retain(|(server, _), (_, last)| *last + timeouts[usize::from(*server)] > now);
            match action {
                0 => table.expire(at(now), 100),
                1 => {
                    let evicted = table.counters().evicted;
                    table.expire(at(now), 100);
                    table.record(server, client(number), member, at(now));
                    if table.counters().evicted > evicted {
                        known.retain(|(server, number), _| {
                            table.find(*server, client(*number), at(now)).is_some()
                        });
                        prop_assert_eq!(known.len() + 1, 8);
                    }
                    known.insert((server, number), (member, now));
                }
                _ => {
                    let found = table.find(server, client(number), at(now));
                    prop_assert_eq!(found, known.get(&(server, number)).map(|(member, _)| *member));
                }
            }
            prop_assert!(table.counters().entries <= 8);
        }
    }
}

//! The flow table against a plain map, and its timeouts on a virtual clock.

use super::{Entry, ExpiryReason, Table};
use crate::Instant;
use crate::flow::{Flow, FlowId, Key, Seen, SequenceNumbers, State};
use proptest::prelude::{Strategy, any, prop, proptest};
use std::collections::BTreeMap;
use std::time::Duration;

const SECOND: u64 = 1_000_000_000;

fn key(number: u32) -> Key {
    let source = std::net::Ipv4Addr::from_bits(0xc0a8_0000 | (number >> 3)).into();
    Key::new(source, [172, 16, 4, 99].into(), (number & 7) as u16, 49, 6)
}

fn flow(state: State) -> Flow {
    Flow { server: 0, member: 0, state, seen: Seen::default(), snat: None }
}

fn established() -> Flow {
    Flow { seen: Seen::default().with_second_packet(), ..flow(State::Open) }
}

fn at(seconds: u64) -> Instant {
    Instant::from_nanos(seconds * SECOND)
}

fn table(capacity: usize) -> Table {
    let mut table = Table::new(capacity);
    table.set_idle(vec![Duration::from_secs(300)]);
    table
}

fn insert(table: &mut Table, key: Key, flow: Flow, now: Instant) -> Option<FlowId> {
    table.insert(key, flow, SequenceNumbers::default(), now)
}

fn expire(table: &mut Table, now: Instant) -> Vec<ExpiryReason> {
    let mut gone = Vec::new();
    while let Some(id) = table.next_due(now) {
        match table.overdue(id, now) {
            Some(why) => {
                table.remove(id);
                gone.push(why);
            }
            None => table.put_off(id, now),
        }
    }
    gone
}

#[test]
fn an_entry_fills_one_cache_line() {
    assert_eq!(size_of::<Entry>(), 64);
}

#[test]
fn each_state_has_its_own_timeout() {
    for (state, seconds, reason) in [
        (State::Opening, 5, ExpiryReason::Handshake),
        (State::Open, 300, ExpiryReason::Idle),
        (State::Closing, 5, ExpiryReason::Closed),
    ] {
        let mut table = table(4);
        assert!(insert(&mut table, key(1), flow(state), at(1000)).is_some());
        let id = table.find(&key(1)).unwrap();
        let before = Instant::from_nanos(at(1000 + seconds).as_nanos() - 1);
        assert_eq!(table.overdue(id, before), None);
        assert_eq!(table.overdue(id, at(1000 + seconds)), Some(reason));
        assert_eq!(expire(&mut table, before), []);
        let due = table.next_deadline().unwrap();
        assert!(due >= at(1000 + seconds) && due <= at(1001 + seconds), "{due:?}");
        assert_eq!(expire(&mut table, due), [reason]);
        assert_eq!((table.len(), table.next_deadline()), (0, None));
    }
}

#[test]
fn a_packet_puts_the_idle_timeout_off() {
    let mut table = table(4);
    assert!(insert(&mut table, key(1), flow(State::Open), at(0)).is_some());
    let id = table.find(&key(1)).unwrap();
    for second in (100..5000).step_by(100) {
        table.touch(id, at(second));
        assert_eq!(expire(&mut table, at(second)), []);
    }
    assert_eq!(expire(&mut table, at(5199)), []);
    assert_eq!(expire(&mut table, at(5202)), [ExpiryReason::Idle]);
}

#[test]
fn a_repeated_syn_does_not_keep_a_half_open_flow_alive() {
    let mut table = table(4);
    assert!(insert(&mut table, key(1), flow(State::Opening), at(0)).is_some());
    let id = table.find(&key(1)).unwrap();
    table.touch(id, at(4));
    assert_eq!(expire(&mut table, at(5)), [ExpiryReason::Handshake]);
}

#[test]
fn a_full_table_gives_up_half_open_flows_and_never_established_ones() {
    let mut table = table(3);
    assert!(insert(&mut table, key(1), flow(State::Opening), at(0)).is_some());
    assert!(insert(&mut table, key(2), established(), at(0)).is_some());
    assert!(insert(&mut table, key(3), flow(State::Opening), at(1)).is_some());
    assert!(insert(&mut table, key(4), flow(State::Open), at(1)).is_none());
    assert!(table.evict().is_some());
    assert_eq!(table.find(&key(1)), None);
    assert!(insert(&mut table, key(4), established(), at(1)).is_some());
    assert!(table.evict().is_some());
    assert!(insert(&mut table, key(5), established(), at(1)).is_some());
    assert!(table.evict().is_none());
    assert!(insert(&mut table, key(6), flow(State::Open), at(1)).is_none());
    assert_eq!(expire(&mut table, at(400)), [ExpiryReason::Idle; 3]);
}

#[test]
fn a_full_table_gives_up_flows_of_a_single_packet_one_after_the_other() {
    let mut table = table(200);
    for number in 0..200 {
        let flow = if number % 50 == 7 { flow(State::Open) } else { established() };
        assert!(insert(&mut table, key(number), flow, at(0)).is_some());
    }
    let mut gone = Vec::new();
    for number in 200.. {
        let (before, evicted) = (table.len(), table.evict());
        let Some((id, _)) = evicted else { break };
        assert_eq!(table.len(), before - 1);
        gone.push(id.number() - 1);
        assert!(insert(&mut table, key(number), established(), at(0)).is_some());
    }
    assert_eq!(gone, [7, 57, 107, 157]);
}

#[test]
fn flows_that_are_due_together_end_in_one_order_however_often_it_is_looked() {
    let order = |is_looked: fn(u64) -> bool| {
        let mut table = table(8);
        let mut gone = Vec::new();
        for second in 0..=600 {
            // The wheel's round is shorter than twice the timeout.
            let beginning = match second {
                0 => 0..1,
                290 => 1..4,
                _ => 0..0,
            };
            for number in beginning {
                insert(&mut table, key(number), established(), at(second)).unwrap();
            }
            while is_looked(second)
                && let Some(id) = table.next_due(at(second))
            {
                match table.overdue(id, at(second)) {
                    Some(_) => {
                        gone.push(table.key(id).ports());
                        table.remove(id);
                    }
                    None => table.put_off(id, at(second)),
                }
            }
        }
        gone
    };
    let each = order(|_| true);
    assert_eq!(each.len(), 4);
    assert_eq!(order(|second| second > 550), each);
}

/// One thing that is done to the table: which flow, what, and how much later.
fn actions() -> impl Strategy<Value = Vec<(u32, u8, u64)>> {
    prop::collection::vec((0..40u32, any::<u8>(), 0..40u64), 0..400)
}

proptest! {
    #[test]
    fn the_table_knows_what_a_plain_map_knows(actions in actions()) {
        let mut table = table(24);
        let mut model: BTreeMap<u32, (State, u64)> = BTreeMap::new();
        let mut now = 0;
        for (number, action, later) in actions {
            now += later;
            let found = table.find(&key(number));
            assert_eq!(found.is_some(), model.contains_key(&number));
            match (found, action % 4) {
                (None, kind) => {
                    let state = if kind == 0 { State::Opening } else { State::Open };
                    let added = insert(&mut table, key(number), flow(state), at(now)).is_some();
                    assert_eq!(added, model.len() < 24);
                    if added {
                        model.insert(number, (state, now));
                    }
                }
                (Some(id), 0) => {
                    table.remove(id);
                    model.remove(&number);
                }
                (Some(id), 1) => {
                    table.set_state(id, State::Closing, at(now));
                    model.insert(number, (State::Closing, now));
                }
                (Some(id), _) => {
                    table.touch(id, at(now));
                    let entry = model.get_mut(&number).unwrap();
                    if entry.0 != State::Opening {
                        entry.1 = now;
                    }
                }
            }
            // The wheel may be late by its width, and is never early.
            let gone = expire(&mut table, at(now)).len();
            let over = |(state, seen): &(State, u64), now| {
                now >= seen + if *state == State::Open { 300 } else { 5 }
            };
            let before = model.len();
            model.retain(|number, flow| !over(flow, now) || table.find(&key(*number)).is_some());
            assert_eq!(before - model.len(), gone);
            assert_eq!(table.len(), model.len());
            for (number, flow) in &model {
                assert!(table.find(&key(*number)).is_some());
                assert!(!over(flow, now.saturating_sub(1)), "a flow outlived its time by a second");
            }
        }
    }
}

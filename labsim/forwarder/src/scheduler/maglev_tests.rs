use super::{Maglev, Order, populate};
use crate::MaglevHash;
use crate::flow::Key;
use proptest::prelude::*;
use std::net::SocketAddr;

const SIZE: u32 = 65_537;

fn addresses(count: usize) -> Vec<SocketAddr> {
    (0..count).map(|n| SocketAddr::from(([10, 1, (n >> 8) as u8, n as u8], 49))).collect()
}

fn maglev(members: &[SocketAddr], weights: &[u16]) -> Maglev {
    Maglev::new(MaglevHash::FiveTuple, SIZE, members, weights)
}

fn flow(number: u32) -> Key {
    let client = SocketAddr::from(([192, 168, (number >> 16) as u8, 201], number as u16));
    Key::new(client.ip(), [172, 16, 4, 99].into(), client.port(), 49, 6)
}

/// Places of each member.
fn is_shared_snat_address(table: &Maglev) -> Vec<usize> {
    let mut shares = vec![0; table.orders.len()];
    table.table.iter().for_each(|member| shares[usize::from(*member)] += 1);
    shares
}

#[test]
fn the_papers_example_comes_out_place_by_place() {
    // Table 1: permutations of B0, B1 and B2 for seven places, and the table with B1 and without.
    let orders = [(3, 4), (0, 2), (3, 1)].map(|(offset, skip)| Order { offset, skip });
    let permutation = |order: Order| {
        let place = |n: u32| (order.offset + n * order.skip) % 7;
        (0..7).map(place).collect::<Vec<_>>()
    };
    assert_eq!(permutation(orders[0]), [3, 0, 4, 1, 5, 2, 6]);
    assert_eq!(permutation(orders[1]), [0, 2, 4, 6, 1, 3, 5]);
    assert_eq!(permutation(orders[2]), [3, 4, 5, 6, 0, 1, 2]);
    let mut table = [9; 7];
    populate(&mut table, (0..3).map(|member| (member, 1, orders[usize::from(member)])));
    assert_eq!(table, [1, 0, 1, 0, 2, 2, 0]);
    populate(&mut table, [0, 2].into_iter().map(|member| (member, 1, orders[usize::from(member)])));
    assert_eq!(table, [0, 0, 0, 0, 2, 2, 2]);
}

#[test]
fn every_member_has_its_share_of_the_places() {
    for count in [1, 2, 3, 10, 100, 1000] {
        let shares = is_shared_snat_address(&maglev(&addresses(count), &vec![1; count]));
        // All take a place a round, so nobody is more than one ahead.
        let (least, most) = (shares.iter().min().unwrap(), shares.iter().max().unwrap());
        assert!(most - least <= 1, "{count} members: {least} to {most} places");
    }
}

#[test]
fn shares_follow_the_weights_and_weight_0_has_none() {
    let shares = is_shared_snat_address(&maglev(&addresses(5), &[3, 2, 1, 0, 65_535]));
    let all = 65_541;
    for (share, weight) in shares.iter().zip([3, 2, 1, 0, 65_535]) {
        assert!(share.abs_diff(SIZE as usize * weight / all) <= 1, "{shares:?}");
    }
}

#[test]
fn removing_one_of_n_moves_hardly_more_than_its_own_share() {
    for count in [3, 10, 100, 1000] {
        let members = addresses(count);
        let before = maglev(&members, &vec![1; count]);
        for removed in [0, count / 2, count - 1] {
            let mut weights = vec![1; count];
            weights[removed] = 0;
            let after = maglev(&members, &weights);
            let mut others = 0;
            for (one, other) in before.table.iter().zip(&after.table) {
                assert_ne!(usize::from(*other), removed);
                others += usize::from(usize::from(*one) != removed && one != other);
            }
            let share = others as f64 / f64::from(SIZE);
            assert!(share < 0.01, "{count} less one: {share} of the places moved needlessly");
        }
    }
}

#[test]
fn the_files_order_does_not_matter() {
    let members = addresses(20);
    let weights: Vec<u16> = (1..=20).collect();
    let one = maglev(&members, &weights);
    let turned: Vec<SocketAddr> = members.iter().rev().copied().collect();
    let turned_weights: Vec<u16> = (1..=20).rev().collect();
    let other = maglev(&turned, &turned_weights);
    for (one, other) in one.table.iter().zip(&other.table) {
        assert_eq!(members[usize::from(*one)], turned[usize::from(*other)]);
    }
}

/// Load balancers of two versions would disagree if these ever changed.
#[test]
fn flows_find_the_same_members_for_ever() {
    let table = maglev(&addresses(3), &[1, 1, 1]);
    let chosen: Vec<u16> = (0..16).map(|n| table.choose(&flow(n), |_| true).unwrap()).collect();
    assert_eq!(chosen, [0, 2, 1, 1, 0, 0, 2, 0, 2, 2, 0, 2, 1, 0, 2, 2]);
}

#[test]
fn by_source_address_all_of_a_clients_flows_are_one_members() {
    let members = addresses(50);
    let table = Maglev::new(MaglevHash::SourceAddress, SIZE, &members, &[1; 50]);
    let one = table.choose(&flow(1), |_| true);
    assert!((2..500).all(|port| table.choose(&flow(port), |_| true) == one));
    let by_flow = maglev(&members, &[1; 50]);
    let chosen = (1..500).map(|port| by_flow.choose(&flow(port), |_| true));
    assert!(chosen.collect::<std::collections::BTreeSet<_>>().len() > 40);
}

#[test]
fn an_unavailable_members_flows_spread_over_all_others_and_none_of_theirs_moves() {
    let table = maglev(&addresses(10), &[1; 10]);
    let mut got = [0; 10];
    for number in 0..20_000 {
        let before = table.choose(&flow(number), |_| true).unwrap();
        let after = table.choose(&flow(number), |member| member != 4).unwrap();
        if before == 4 {
            got[usize::from(after)] += 1;
        } else {
            assert_eq!(before, after);
        }
    }
    assert_eq!(got[4], 0);
    // About 2000 flows over nine members: 222 each.
    assert!(
        got.iter().enumerate().all(|(one, got)| one == 4 || (150..300).contains(got)),
        "{got:?}"
    );
}

proptest! {
    #[test]
    fn whoever_is_left_is_found(
        left in prop::collection::btree_set(0..300u16, 0..4),
        number in any::<u32>(),
    ) {
        let table = Maglev::new(MaglevHash::FiveTuple, 1021, &addresses(300), &[1; 300]);
        let chosen = table.choose(&flow(number), |member| left.contains(&member));
        prop_assert_eq!(chosen.is_none(), left.is_empty());
        prop_assert!(chosen.is_none_or(|member| left.contains(&member)));
    }

    #[test]
    fn whatever_the_weights_every_place_is_filled_and_shares_follow_them(
        weights in prop::collection::vec(0..200u16, 1..30),
    ) {
        let all: usize = weights.iter().map(|weight| usize::from(*weight)).sum();
        prop_assume!(all > 0);
        let members = addresses(weights.len());
        let table = Maglev::new(MaglevHash::FiveTuple, 1021, &members, &weights);
        for (share, weight) in is_shared_snat_address(&table).iter().zip(&weights) {
            let due = 1021 * usize::from(*weight) / all;
            prop_assert!(share.abs_diff(due) <= 2, "{} places, {} due", share, due);
        }
    }
}

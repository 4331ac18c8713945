//! Maglev's consistent hashing (Eisenbud et al., NSDI 2016, section 3.4): a table that says for
//! each hash which member it is, and that hardly changes when members come and go.
//!
//! Each member goes through the table's places in an order of its own, and all fill it in turn,
//! each with the first place of its order that is free. Weights say whose turn it is, as in katran
//! and Envoy: a member of weight w has w turns while one of weight 1 has one, spread evenly. Its
//! first comes after half of its distance, where those wait for the whole, so that shares are
//! rounded to the nearest and not down. (IPVS's mh gives a member all its turns of a round in a
//! row.)

use super::stable_hash::{Kind, hash, step};
use crate::MaglevHash;
use crate::flow::Key;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{IpAddr, SocketAddr};

/// How often a flow is hashed anew in search of a member that takes it.
const ATTEMPTS: u32 = 32;

/// A pool's table: two bytes a place.
#[derive(Debug)]
pub(super) struct Maglev {
    by: MaglevHash,
    /// By member.
    orders: Vec<Order>,
    /// Members by address and port, which is the same order whatever a file's is.
    sorted: Vec<u16>,
    table: Box<[u16]>,
}

/// The order in which a member goes through the places: from `offset`, by `skip` at a time. The
/// table's size is a prime, so it meets each of them once.
#[derive(Debug, Clone, Copy)]
struct Order {
    offset: u32,
    skip: u32,
}

impl Order {
    fn of(member: SocketAddr, size: u32) -> Self {
        let address = match member.ip() {
            IpAddr::V4(address) => address.to_ipv6_mapped(),
            IpAddr::V6(address) => address,
        };
        let bits = address.to_bits();
        let words = [(bits >> 64) as u64, bits as u64, u64::from(member.port())];
        let size = u64::from(size);
        Self {
            offset: (hash(Kind::Offset, &words) % size) as u32,
            skip: (hash(Kind::Skip, &words) % (size - 1) + 1) as u32,
        }
    }
}

impl Maglev {
    /// A table of `size` places, a prime, for members of these weights.
    pub(super) fn new(by: MaglevHash, size: u32, members: &[SocketAddr], weights: &[u16]) -> Self {
        let mut sorted: Vec<u16> = (0..members.len()).map(|member| member as u16).collect();
        sorted.sort_unstable_by_key(|member| members[usize::from(*member)]);
        let orders = members.iter().map(|member| Order::of(*member, size)).collect();
        let table = vec![0; size as usize].into_boxed_slice();
        let mut maglev = Self { by, orders, sorted, table };
        maglev.populate(weights);
        maglev
    }

    /// Fills the table for these weights. Takes 2 ms with three members and 6 ms with a thousand
    /// for 65,537 places, and is for changes of the configuration; members that fail are passed by
    /// [`Self::choose`].
    pub(super) fn populate(&mut self, weights: &[u16]) {
        let Self { orders, sorted, table, .. } = self;
        let each = sorted.iter().map(|member| usize::from(*member));
        let each = each.map(|member| (member as u16, weights[member], orders[member]));
        populate(table, each);
    }

    /// The member at the flow's place, if it `takes` the flow. One whose member does not is hashed
    /// anew (IPVS's `mh-fallback`), so that such a member's flows spread over all others, and none
    /// of theirs moves. `None` if no member takes it.
    pub(super) fn choose(&self, flow: &Key, takes: impl Fn(u16) -> bool) -> Option<u16> {
        let [high, low] = flow.source();
        let mut hash = match self.by {
            MaglevHash::SourceAddress => hash(Kind::Flow, &[high, low]),
            MaglevHash::FiveTuple => {
                let [to_high, to_low] = flow.destination();
                let rest = u64::from(flow.ports()) << 8 | u64::from(flow.protocol());
                hash(Kind::Flow, &[high, low, to_high, to_low, rest])
            }
        };
        for _ in 0..ATTEMPTS {
            let member = self.table[(hash % self.table.len() as u64) as usize];
            if takes(member) {
                return Some(member);
            }
            hash = step(hash);
        }
        // Few are left: the next one in order.
        let first = (hash % self.sorted.len().max(1) as u64) as usize;
        let (before, after) = self.sorted.split_at(first.min(self.sorted.len()));
        after.iter().chain(before).copied().find(|member| takes(*member))
    }
}

/// Fills the table: member, weight and order of each. Without any weight it stays as it is.
fn populate(table: &mut [u16], members: impl Iterator<Item = (u16, u16, Order)>) {
    struct Turn {
        member: u16,
        weight: u64,
        taken: u64,
        at: usize,
        skip: usize,
    }
    let mut turns: Vec<Turn> = members
        .filter(|(_, weight, _)| *weight > 0)
        .map(|(member, weight, Order { offset, skip })| {
            let (at, skip) = (offset as usize, skip as usize);
            Turn { member, weight: weight.into(), taken: 0, at, skip }
        })
        .collect();
    // When a member's next turn is: its weight's odd halves, in 2^-32.
    let moment = |turn: &Turn| ((2 * turn.taken + 1) << 32) / turn.weight;
    let mut next: BinaryHeap<Reverse<(u64, usize)>> =
        turns.iter().enumerate().map(|(number, turn)| Reverse((moment(turn), number))).collect();
    let mut is_free = vec![true; table.len()];
    let mut left = table.len();
    while left > 0 {
        let Some(mut first) = next.peek_mut() else { return };
        let Reverse((_, number)) = *first;
        let turn = &mut turns[number];
        while !is_free[turn.at] {
            turn.at = (turn.at + turn.skip) % table.len();
        }
        is_free[turn.at] = false;
        table[turn.at] = turn.member;
        turn.taken += 1;
        left -= 1;
        *first = Reverse((moment(turn), number));
    }
}

#[cfg(test)]
#[path = "maglev_tests.rs"]
mod tests;

//! What is wrong with pools: their members, and how they share flows.

use super::{Problem, unfit};
use crate::config::{LoadBalancingMode, Maglev, Pool};
use std::collections::{BTreeMap, BTreeSet};

/// Members over all pools: a flow holds its member's number in 16 bits.
const MOST_MEMBERS: usize = 1 << 16;
/// The largest Maglev table (Envoy's bound); 10 MB.
const LARGEST_TABLE: u32 = 5_000_011;
/// Places of all Maglev tables together; 200 MB.
const MOST_PLACES: u64 = 100_000_000;

/// Everything that is wrong with the pools by themselves.
pub(super) fn check_pools(pools: &BTreeMap<String, Pool>, problems: &mut Vec<Problem>) {
    for (name, pool) in pools {
        check_members(&format!("pools.{name}.members"), pool, problems);
        if let LoadBalancingMode::Maglev(Maglev { table_size, .. }) = pool.load_balancing_mode {
            let path = format!("pools.{name}.load_balancing_mode.maglev.table_size");
            check_table_size(path, table_size, pool.members.len(), problems);
        }
    }
    if pools.values().map(|pool| pool.members.len()).sum::<usize>() > MOST_MEMBERS {
        let most = format!("more than {MOST_MEMBERS} members over all pools");
        problems.push(Problem::new("pools", most));
    }
    let sizes = pools.values().map(|pool| match pool.load_balancing_mode {
        LoadBalancingMode::Maglev(Maglev { table_size, .. }) => u64::from(table_size),
        _ => 0,
    });
    if sizes.sum::<u64>() > MOST_PLACES {
        let most = format!("more than {MOST_PLACES} places in all Maglev tables together");
        problems.push(Problem::new("pools", format!("{most}; give smaller tables")));
    }
}

fn check_members(path: &str, pool: &Pool, problems: &mut Vec<Problem>) {
    if pool.members.is_empty() {
        problems.push(Problem::new(path, "the pool has no member; give at least one"));
    }
    let mut seen = BTreeSet::new();
    for member in &pool.members {
        let member = member.address;
        if let Some(advice) = unfit(member) {
            problems.push(Problem::new(path, format!("{member} cannot be a member; {advice}")));
        }
        if !seen.insert(member) {
            problems.push(Problem::new(path, format!("{member} is there twice")));
        }
    }
}

fn check_table_size(path: String, size: u32, members: usize, problems: &mut Vec<Problem>) {
    let message = if !(2..=LARGEST_TABLE).contains(&size) {
        format!("{size} is out of range; give a prime from 2 to {LARGEST_TABLE}")
    } else if !is_prime(size) {
        let next = (size..=LARGEST_TABLE).find(|size| is_prime(*size)).unwrap_or(LARGEST_TABLE);
        format!("{size} is no prime; give one such as {next}")
    } else if (size as usize) < members {
        format!(
            "{size} places are too few for {members} members; give a prime of {} or more",
            members * 100
        )
    } else {
        return;
    };
    problems.push(Problem::new(path, message));
}

fn is_prime(number: u32) -> bool {
    let roots = 2..=number.isqrt();
    number > 1 && !roots.into_iter().any(|divisor| number.is_multiple_of(divisor))
}

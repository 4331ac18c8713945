//! Errors of pools: their members, and how they share flows.

use super::unicast_error;
use crate::load_balancer::{LoadBalancingMode, Maglev, Pool};
use crate::{KeyPath, Problem, is_unread, quote};
use labsim_codes::file;
use std::collections::{BTreeMap, HashSet};

/// Members of one pool.
const MOST_MEMBERS: usize = 4096;
/// Members over all pools: a flow holds its member's number in 16 bits.
const MOST_MEMBERS_IN_ALL: usize = 1 << 16;
/// The largest Maglev table (Envoy's bound); 10 MB.
const LARGEST_TABLE: u32 = 5_000_011;
/// Places of all Maglev tables together; 200 MB.
const MOST_PLACES: u64 = 100_000_000;

/// Finds everything that is wrong with the pools by themselves.
pub(super) fn check_pools(pools: &BTreeMap<String, Pool>, problems: &mut Vec<Problem>) {
    for (name, pool) in pools {
        let at = KeyPath::new(["pools", name]);
        check_members(name, &at.join("members"), pool, problems);
        if let LoadBalancingMode::Maglev(Maglev { table_size, .. }) = pool.load_balancing_mode {
            let path = at.join("load_balancing_mode").join("maglev").join("table_size");
            check_table_size(path, table_size, pool.members.len(), problems);
        }
    }
    let mut too_many = |message| {
        problems.push(Problem::new(file::TOO_MANY, KeyPath::new(["pools"]), message));
    };
    let members = pools.values().map(|pool| pool.members.len()).sum::<usize>();
    if members > MOST_MEMBERS_IN_ALL {
        too_many(format!(
            "{members} members over all pools; at most {MOST_MEMBERS_IN_ALL} are allowed"
        ));
    }
    let sizes = pools.values().map(|pool| match pool.load_balancing_mode {
        LoadBalancingMode::Maglev(Maglev { table_size, .. }) => u64::from(table_size),
        _ => 0,
    });
    let places = sizes.sum::<u64>();
    if places > MOST_PLACES {
        too_many(format!(
            "{places} places in all Maglev tables together; at most {MOST_PLACES} are allowed: \
             write smaller `table_size`s"
        ));
    }
}

fn check_members(name: &str, path: &KeyPath, pool: &Pool, problems: &mut Vec<Problem>) {
    if pool.members.is_empty() {
        problems.push(Problem::absence(
            file::MISSING_VALUE,
            path.clone(),
            "",
            format!("the pool {} has no members; add one such as 10.1.1.51:49", quote(name)),
        ));
    }
    if pool.members.len() > MOST_MEMBERS {
        let message = format!("{} members; at most {MOST_MEMBERS} are allowed", pool.members.len());
        problems.push(Problem::new(file::TOO_MANY, path.clone(), message));
    }
    let mut seen = HashSet::new();
    for (index, member) in pool.members.iter().enumerate() {
        let member = member.address;
        if is_unread(member) {
            continue;
        }
        let path = || path.join(index).join("address");
        if let Some(message) = unicast_error(member) {
            problems.push(Problem::new(file::UNUSABLE_ADDRESS, path(), message));
        }
        if !seen.insert(member) {
            let message = format!("{member} is a member already; remove one");
            problems.push(Problem::new(file::DUPLICATE_VALUE, path(), message));
        }
    }
}

fn check_table_size(path: KeyPath, size: u32, members: usize, problems: &mut Vec<Problem>) {
    let message = if !(2..=LARGEST_TABLE).contains(&size) {
        format!("a table of {size} places; write a prime from 2 to {LARGEST_TABLE}")
    } else if !is_prime(size) {
        let next = (size..=LARGEST_TABLE).find(|size| is_prime(*size)).unwrap_or(LARGEST_TABLE);
        format!("{size} is not a prime; write one such as {next}")
    } else if (size as usize) < members {
        format!(
            "{size} places are too few for {members} members; write a prime of {} or more",
            members * 100
        )
    } else {
        return;
    };
    problems.push(Problem::new(file::OUT_OF_RANGE, path, message));
}

fn is_prime(number: u32) -> bool {
    number > 1 && (2..=number.isqrt()).all(|divisor| !number.is_multiple_of(divisor))
}

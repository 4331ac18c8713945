//! Packet filters, as they were: tables that have changed go, and those of the plan are made again.

use crate::filter::table_removal;
use crate::lab::Node;
use labsim_model::node_state::FilterChain;
use labsim_sys::Errno;
use labsim_sys::netlink::nftables::transact;
use std::collections::{BTreeMap, BTreeSet};

/// A table's family and name.
type Table = (String, String);

/// Makes the tables of the calling thread's namespace, which is the node's, what they were.
pub(super) fn restore(node: &Node, built: &[FilterChain], refused: &mut Vec<String>) {
    let now = crate::state::filters_here();
    let (was, is) = (by_table(built), by_table(&now));
    let tables: BTreeSet<&Table> = was.keys().chain(is.keys()).collect();
    let changed = tables.into_iter().filter(|table| was.get(*table) != is.get(*table));
    let changed: Vec<Table> = changed.cloned().collect();
    // Their counters are read before.
    if let Err(error) = node.forget_filters_here(&changed) {
        refused.push(error.to_string());
    }
    for (family, table) in &changed {
        let Some(removal) = table_removal(family, table) else { continue };
        match transact(&[removal]).map(drop) {
            Ok(()) => {}
            // It is gone, or a program's that holds it: with that it goes.
            Err(refusal) if matches!(refusal.errno, Errno::ENOENT | Errno::EPERM) => {}
            Err(refusal) => refused.push(format!("table {family} {table}: {refusal}")),
        }
    }
    if let Err(error) = node.make_filters_here() {
        refused.push(error.to_string());
    }
}

fn by_table(chains: &[FilterChain]) -> BTreeMap<Table, Vec<FilterChain>> {
    let mut tables: BTreeMap<Table, Vec<FilterChain>> = BTreeMap::new();
    for chain in chains {
        let mut chain = chain.clone();
        for rule in &mut chain.rules {
            rule.packets = None;
        }
        tables.entry((chain.family.clone(), chain.table.clone())).or_default().push(chain);
    }
    tables
}

//! Every row holds, and every outcome has one.

use crate::{Row, forwarded, fragments, icmp, link, refused, tunnel};
use labsim_forwarder::Outcome;
use std::collections::BTreeSet;

fn check(rows: &[Row]) {
    rows.iter().for_each(Row::check);
}

#[test]
fn packets_of_flows_go_on() {
    check(&forwarded::rows());
}

#[test]
fn fragments_follow_their_first() {
    check(&fragments::rows());
}

#[test]
fn icmp_reaches_whom_it_is_about() {
    check(&icmp::rows());
}

#[test]
fn errors_about_tunnels_are_learned_from() {
    check(&tunnel::rows());
}

#[test]
fn neighbours_are_found_and_given_up() {
    check(&link::rows());
}

#[test]
fn what_is_wrong_is_refused_by_its_name() {
    check(&refused::rows());
}

#[test]
fn every_outcome_has_a_row() {
    let rows = [
        forwarded::rows(),
        fragments::rows(),
        icmp::rows(),
        tunnel::rows(),
        link::rows(),
        refused::rows(),
    ];
    let rows = rows.iter().flatten();
    let reached: BTreeSet<Outcome> =
        rows.flat_map(|row| row.counted.iter().flatten().copied().chain([row.outcome])).collect();
    let missing: Vec<_> =
        Outcome::ALL.iter().filter(|outcome| !reached.contains(outcome)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

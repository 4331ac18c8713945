//! Every row holds, and every outcome has one.

use crate::{
    Row, faulty, forwarded, forwarded6, fragments, fragments6, icmp, icmp6, link, ndp, refused,
    refused6, tunnel, tunnel6,
};
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
fn ipv6_packets_of_flows_go_on_through_every_kind_of_tunnel() {
    check(&forwarded6::rows());
}

#[test]
fn ipv6_fragments_follow_their_first() {
    check(&fragments6::rows());
}

#[test]
fn icmpv6_reaches_whom_it_is_about() {
    check(&icmp6::rows());
}

#[test]
fn errors_about_tunnels_of_any_families_are_learned_from() {
    check(&tunnel6::rows());
}

#[test]
fn ipv6_neighbours_are_found_and_given_up() {
    check(&ndp::rows());
}

#[test]
fn what_is_wrong_with_ipv6_is_refused_by_its_name() {
    check(&refused6::rows());
}

#[test]
fn what_is_faulty_on_purpose_is_so_and_in_nothing_else() {
    check(&faulty::rows());
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
        forwarded6::rows(),
        fragments6::rows(),
        icmp6::rows(),
        tunnel6::rows(),
        ndp::rows(),
        refused6::rows(),
    ];
    let rows = rows.iter().flatten();
    let reached: BTreeSet<Outcome> =
        rows.flat_map(|row| row.counted.iter().flatten().copied().chain([row.outcome])).collect();
    // These two need a host that has the VIP: `own_host.rs` has them.
    let of_host = [Outcome::DeliveredToHost, Outcome::LeftToHost];
    let others = Outcome::ALL.iter().filter(|outcome| !of_host.contains(outcome));
    let missing: Vec<_> = others.filter(|outcome| !reached.contains(outcome)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

//! Two folders of results, compared as a user types it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use std::fs;
use support::Desk;

const SCENARIO: &str = "scenarios/tunnels/ttl.yaml";

#[test]
fn two_runs_of_a_scenario_are_the_same_and_a_changed_one_is_not() {
    let desk = Desk::new();
    for out in ["before", "again"] {
        desk.labsim(&["run", SCENARIO, "--out", out]).exits(0);
    }
    desk.labsim(&["compare", "before", "again"]).exits(0).says("SAME ttl").says("1 the same");
    desk.edit(SCENARIO, "ttl: 2}", "ttl: 3}");
    desk.labsim(&["run", SCENARIO, "--out", "after"]).exits(1);
    desk.labsim(&["compare", "before", "after"])
        .exits(1)
        .says("DIFFERENT ttl")
        .says("passed in before, failed in after")
        .says("expectation arrived: held in before, did not hold in after")
        .says("rs1:eth0: frames differ")
        .says("outer ttl: 1, 2");
}

#[test]
fn everything_that_cannot_be_compared_is_told_at_once() {
    let desk = Desk::new();
    let ended = desk.labsim(&["compare", "gone", "scenarios"]).exits(2);
    assert!(ended.stderr.contains("gone: no such folder"), "{}", ended.stderr);
    assert!(ended.stderr.contains("scenarios: no results in it"), "{}", ended.stderr);
    for folder in ["one/s", "two/s"] {
        fs::create_dir_all(desk.path(folder)).unwrap();
        desk.write(&format!("{folder}/events.jsonl"), "no event\n");
    }
    let ended = desk.labsim(&["compare", "one", "two"]).exits(2);
    for file in ["one/s/events.jsonl: line 1", "two/s/events.jsonl: line 1", "2 mistakes"] {
        assert!(ended.stderr.contains(file), "{}", ended.stderr);
    }
}

//! Impaired links, as a user meets them: they do what they say, and who does it is told.

use crate::support::{Desk, Ended};

/// Runs a shipped scenario with something laid over it, on labsim's relay.
fn over(base: &str, yaml: &str) -> Ended {
    let desk = Desk::new();
    let path = desk.over("changed", base, yaml);
    desk.labsim(&["run", "-v", &path, "--impairments", "relay"])
}

#[test]
fn the_relay_can_be_asked_for_and_the_report_says_so() {
    let desk = Desk::new();
    let args =
        ["run", "-v", "scenarios/link-delay.yaml", "--impairments", "relay", "--out", "results"];
    desk.labsim(&args).exits(0).says("impairments: labsim's relay (as requested)");
    let events = std::fs::read_to_string(desk.path("results/link-delay/events.jsonl")).unwrap();
    let events: Vec<serde_json::Value> =
        events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let built = events.iter().find(|it| it["event"] == "lab_built").unwrap();
    assert_eq!(built["impairments"], "labsim's relay (as requested)");
    let counted: Vec<_> = events.iter().filter(|it| it["event"] == "link_counted").collect();
    let ends: Vec<_> = counted.iter().map(|it| it["interface"].as_str().unwrap()).collect();
    assert_eq!(ends, ["client:eth0", "router:client"]);
    for end in counted {
        assert!(end["counters"]["taken"].as_u64().unwrap() >= 5, "{end}");
        assert_eq!(end["counters"]["taken"], end["counters"]["sent"], "{end}");
    }
}

#[test]
fn the_kernels_netem_is_used_or_its_absence_is_named() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "-v", "scenarios/link-delay.yaml", "--impairments", "kernel"]);
    match ended.code {
        Some(0) => ended.exits(0).says("impairments: netem"),
        _ => ended.exits(3).says("the kernel's netem was requested").says("sch_netem"),
    };
}

#[test]
fn a_lab_without_impaired_links_says_nothing_about_them() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "-v", "scenarios/tacacs-ipip.yaml"]).exits(0);
    assert!(!ended.stdout.contains("impairments"), "{}", ended.stdout);
}

#[test]
fn a_line_without_its_delay_is_found_out() {
    let ended = over("link-delay", "impairments: {\"client:eth0\": null}\n").exits(1);
    ended.says("✗ the client's packets did not all take 20 ms or more to the router");
    ended.says("✓ each reply took 20 ms or more from the router");
}

#[test]
fn a_line_that_loses_nothing_is_found_out() {
    let ended = over("link-loss", "impairments: {\"client:eth0\": {loss: 0%}}\n").exits(1);
    ended.says("✗ the line lost none of the client's packets").says("lost: 0");
}

#[test]
fn an_upper_bound_is_held_against_the_line_too() {
    let bound = "expect: {there: {path: {delay: {at_most: 1ms}}}}\n";
    let lost = "expect: {there: {path: {delay: {at_least: null, at_most: 1ms}}}}\n";
    over("link-delay", bound).exits(2).says("`at_least` 20ms is above `at_most` 1ms; swap them");
    over("link-delay", lost).exits(1).says("delay of each that arrived: at most 1ms");
}

#[test]
fn a_packet_that_the_line_lost_is_explained_by_the_lines_own_count() {
    // With this seed ARP gets through and what follows does not.
    let fault = "impairments: {\"client:eth0\": {loss: 80%, seed: 4}}\n\
                 steps: {login: {tacacs_login: {timeout: 0.5}}}\n";
    let ended = over("tacacs-ipip", fault).exits(1);
    // Where the client is late to give up, a retransmission arrives, and the words are the same.
    ended.says("the impaired link behind client:eth0 (loss 80%) dropped").says("frames: lost");
}

#[test]
fn the_port_of_a_segment_is_impaired_like_the_end_of_a_link() {
    let yaml = "impairments: {\"router:servers\": {delay: 10ms}}\n\
        expect:\n  slow:\n    \
        path: {from: \"router:servers out\", to: \"rs1:eth0 in\", delay: {at_least: 10ms}}\n    \
        pass: slow\n    fail: quick\n";
    over("tacacs-ipip", yaml).exits(0).says("✓ slow");
}

#[test]
fn offloads_pass_an_impaired_link_as_they_are() {
    let desk = Desk::new();
    let link = "  - [\"client:eth0\", \"router:client\"]";
    let map = "  - {endpoints: [\"client:eth0\", \"router:client\"], offloads: true}";
    desk.edit("topologies/one-arm-routed.yaml", link, map);
    desk.labsim(&["run", "-v", "scenarios/link-delay.yaml", "--impairments", "relay"]).exits(0);
}

#[test]
fn a_lab_with_impaired_links_is_rehearsed() {
    let desk = Desk::new();
    let ended = desk.labsim(&["doctor", "scenarios/link-rate.yaml"]).exits(0);
    ended.says("link-rate.yaml: can run here").says("; impairments: ");
}

//! Faults of the field, each put into the shipped scenario: the run fails, and says why.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use support::Desk;

const SCENARIO: &str = "scenarios/tacacs-ipip.yaml";

#[test]
fn a_wrong_password_fails_the_login_and_the_expectation() {
    let desk = Desk::new();
    desk.edit(SCENARIO, "password: indigo", "password: orange");
    desk.labsim(&["run", SCENARIO]).exits(1).says("the server said FAIL");
}

#[test]
fn a_wrong_shared_secret_is_told_from_a_wrong_password() {
    let desk = Desk::new();
    desk.edit(SCENARIO, "password: indigo", "password: indigo, secret: other");
    desk.labsim(&["run", SCENARIO]).exits(1).says("secret");
}

#[test]
fn a_client_that_the_server_does_not_know_is_refused() {
    let desk = Desk::new();
    desk.edit(SCENARIO, "clients: [192.168.11.201]", "clients: [192.168.11.202]");
    desk.labsim(&["run", SCENARIO]).exits(1).says("closed without an answer");
}

#[test]
fn the_outer_source_that_the_prose_names_is_not_the_captures() {
    let desk = Desk::new();
    desk.edit(SCENARIO, "outer_source: client", "outer_source: egress");
    desk.labsim(&["run", SCENARIO]).exits(1).says("172.16.0.10");
}

#[test]
fn a_server_without_a_decapsulator_answers_protocol_unreachable_and_the_run_says_so() {
    let desk = Desk::new();
    desk.drop_lines(SCENARIO, "tunnel: ipip");
    desk.drop_lines(SCENARIO, "tunl0.rp_filter");
    desk.labsim(&["run", SCENARIO]).exits(1).says("IpInUnknownProtos");
}

#[test]
fn a_vip_that_is_missing_on_the_server_is_a_silent_drop_that_its_counter_shows() {
    let desk = Desk::new();
    desk.drop_lines(SCENARIO, "    vip: 172.16.4.99");
    desk.labsim(&["run", SCENARIO]).exits(1).says("IpInAddrErrors");
}

#[test]
fn a_strict_reverse_path_filter_drops_what_comes_out_of_the_tunnel() {
    let desk = Desk::new();
    desk.edit(SCENARIO, "net.ipv4.conf.all.rp_filter: 2", "net.ipv4.conf.all.rp_filter: 1");
    desk.labsim(&["run", SCENARIO]).exits(1).says("IPReversePathFilter");
}

#[test]
fn an_expectation_that_does_not_hold_shows_the_row_the_field_and_the_frames() {
    let desk = Desk::new();
    desk.edit(SCENARIO, "ttl: 127", "ttl: 99");
    let ended = desk.labsim(&["run", SCENARIO]).exits(1);
    ended.says("expected").says("99").says("127").says("192.168.11.201");
}

//! Faults of the field, each put into the shipped scenario: the run fails, and says why.

use crate::support::{Desk, Ended};

/// Runs the shipped scenario with a fault laid over it; nothing waits for more than
/// 2 s, which is between TCP's SYN after 1 s and that after 3 s.
fn with(fault: &str) -> Ended {
    let desk = Desk::new();
    let quick = "steps: {login: {tacacs_login: {timeout: 2}}}\n";
    desk.over("quick", "tacacs-ipip", quick);
    let path = desk.over("fault", "quick", fault);
    desk.labsim(&["run", "-v", &path]).exits(1)
}

/// Runs a RADIUS scenario of one login with a fault laid over it.
fn radius_with(fault: &str) -> Ended {
    let desk = Desk::new();
    let quick = "steps: {pap: {radius_login: {timeout: 2, max_transmissions: 1}}}\n";
    desk.over("quick", "parts/radius", quick);
    let path = desk.over("fault", "quick", fault);
    desk.labsim(&["run", "-v", &path]).exits(1)
}

#[test]
fn a_wrong_password_fails_the_login_and_the_expectation() {
    with("steps: {login: {tacacs_login: {password: orange}}}\n").says("the server replied FAIL");
}

#[test]
fn a_wrong_shared_secret_is_told_from_a_wrong_password() {
    with("steps: {login: {tacacs_login: {secret: other}}}\n").says("secret");
}

#[test]
fn a_client_that_the_server_does_not_know_is_refused() {
    let ended = with("tacacs_servers: {aaa: {clients: [192.168.11.202]}}\n");
    ended.says("closed without an answer");
}

#[test]
fn the_outer_source_that_the_prose_names_is_not_the_captures() {
    with("load_balancers: {lb: {outer_source: egress}}\n").says("172.16.0.10");
}

#[test]
fn a_server_without_a_decapsulator_answers_protocol_unreachable_and_the_run_says_so() {
    let ended = with(
        "real_servers: {servers: {tunnel: null, sysctls: {net.ipv4.conf.tunl0.rp_filter: null}}}\n",
    );
    ended.says("IpInUnknownProtos");
}

#[test]
fn a_vip_that_is_missing_on_the_server_is_a_silent_drop_that_its_counter_shows() {
    with("real_servers: {servers: {vip: null}}\n").says("IpInAddrErrors");
}

/// Runs the login by IPv6 in IPv6 with a fault laid over it.
fn ipv6_with(fault: &str) -> Ended {
    let desk = Desk::new();
    let quick = "steps: {login: {tacacs_login: {timeout: 2}}}\n";
    desk.over("quick", "ipv6/tacacs-6in6", quick);
    let path = desk.over("fault", "quick", fault);
    desk.labsim(&["run", "-v", &path]).exits(1)
}

#[test]
fn by_ipv6_a_server_without_a_decapsulator_is_told_by_the_counter_of_its_own() {
    let ended = ipv6_with("real_servers: {servers: {tunnel: null}}\n");
    ended.says("does not decapsulate IPv6-in-IP (IP protocol 41) packets (Ip6InUnknownProtos +");
    ended.says("it has no tunnel device for them [tunnel-missing]");
}

#[test]
fn by_ipv6_a_vip_that_is_missing_is_told_by_the_counter_of_its_own() {
    let ended = ipv6_with("real_servers: {servers: {vip: null}}\n");
    ended.says("for 2001:db8:4::99 (Ip6InAddrErrors +");
    ended.says("no interface has this address [vip-missing]");
}

#[test]
fn a_server_whose_tunnel_ends_with_the_other_family_takes_nothing() {
    let members = "[\"[2001:db8:1::51]:49\"]";
    let ended = ipv6_with(&format!(
        "load_balancers: {{lb: {{pools: {{p_tacacs-test_49: {{members: {members}}}}}}}}}\n\
         real_servers: {{servers: {{tunnel: {{mode: ipip, up: false}}}}}}\n"
    ));
    ended.says("port unreachable (type 1, code 4)");
}

#[test]
fn a_strict_reverse_path_filter_drops_what_comes_out_of_the_tunnel() {
    let ended = with("real_servers: {servers: {sysctls: {net.ipv4.conf.all.rp_filter: 1}}}\n");
    ended.says("IPReversePathFilter");
}

#[test]
fn an_expectation_that_does_not_hold_shows_the_row_the_field_and_the_frames() {
    let ended = with("expect: {balancer_in: {exchange: {client: {ttl: 99}}}}\n");
    ended.says("expected").says("99").says("127").says("192.168.11.201");
}

#[test]
fn a_tunnel_key_that_only_one_end_has_keeps_the_server_from_answering() {
    let desk = Desk::new();
    let fault = "steps: {login: {tacacs_login: {timeout: 2}}}\n\
        real_servers: {servers: {tunnel: {mode: gre, key: 1}}}\n";
    let path = desk.over("fault", "tacacs-gre-key", fault);
    let ended = desk.labsim(&["run", "-v", &path]).exits(1);
    ended.says("no answer to the connection request within 2s");
}

#[test]
fn a_radius_secret_that_differs_is_no_answer_at_all() {
    let ended = radius_with("steps: {pap: {radius_login: {secret: other}}}\n");
    ended.says("no answer from 172.16.4.99:1812, the request was sent once");
}

#[test]
fn a_radius_password_that_is_wrong_is_a_reject() {
    let ended = radius_with("steps: {pap: {radius_login: {password: orange}}}\n");
    ended.says("the server replied REJECT");
}

#[test]
fn a_counter_that_never_rises_fails_the_run_and_is_told() {
    let ended = with(
        "steps: {never: {await_counter: {node: lb, counter: flows.timed_out, at_least: 7, \
         timeout: 1}}}\n",
    );
    ended.says(
        "✗ step `never`: flows.timed_out of lb is 0 after 1s, expected at least 7 [step-failed]",
    );
    ended.says("8 of 8 expectations held");
}

#[test]
fn a_counter_that_does_not_exist_is_told() {
    let ended = with(
        "steps: {never: {await_counter: {node: lb, counter: no_such, at_least: 1, timeout: 1}}}\n",
    );
    ended.says("the forwarder in lb has no counter `no_such`");
}

#[test]
fn a_load_balancer_that_stays_dead_ends_the_session_and_the_run_goes_on_to_its_verdict() {
    let desk = Desk::new();
    let fault = "steps: {login: {tacacs_login: {timeout: 2}}, second: null, start: null, \
        resume_second: null}\nexpect: {second: null, picked_up: null}\n";
    let path = desk.over("fault", "failover", fault);
    let ended = desk.labsim(&["run", "-v", &path]).exits(1);
    ended.says("the login did not survive the load balancer's death");
}

#[test]
fn a_login_that_nobody_resumes_stays_paused() {
    let desk = Desk::new();
    let fault = "steps: {second: null, kill: null, start: null, resume_second: null, \
        resume: null}\nexpect:\n  login: {answer: {result: paused}}\n  second: null\n  client_seen: null\n  \
        pool_answers: null\n  picked_up: null\n";
    let path = desk.over("paused", "failover", fault);
    desk.labsim(&["run", "-v", &path])
        .exits(0)
        .says("paused where the server asked for the password");
}

//! Takeovers that no shipped scenario has, and what is said of those that fail.

use crate::support::Desk;

/// A login after the takeover that the scenario itself does not have.
fn login(name: &str, timeout: &str) -> String {
    format!(
        "  {name}: {{tacacs_login: {{from: client, to: 10.1.1.99:49, user: violet, password: indigo, \
         timeout: {timeout}}}}}\n"
    )
}

/// Of all expectations about the shipped takeover, only that the login `again` passes.
const AGAIN: &str = "expect:
  before: null
  quiet: null
  announced: null
  after: null
  by_the_second: null
  again: {answer: {step: again, result: pass, source: 10.1.1.99}, pass: it passed, fail: it did not pass}
";

/// Two load balancers without a failover state: one is killed, and the other started.
fn started_in_place_of_a_dead_one(faults: &str, timeout: &str) -> String {
    format!(
        "load_balancers: {{lb2: {{failover_state: active, faults: {faults}}}}}\nsteps:\n  before: null\n  \
         takeover: null\n  after: null\n  stands_by: {{kill_forwarder: {{node: lb2}}}}\n{first}  \
         dies: {{kill_forwarder: {{node: lb}}}}\n  takes_over: {{start_forwarder: {{node: lb2}}}}\n{again}{AGAIN}",
        first = login("first", "5"),
        again = login("again", timeout),
    )
}

#[test]
fn a_forwarder_that_starts_in_place_of_a_dead_one_announces_its_vips() {
    let desk = Desk::new();
    let path = desk.over("started", "takeover", &started_in_place_of_a_dead_one("[]", "5"));
    desk.labsim(&["run", &path]).exits(0);
    let silent = started_in_place_of_a_dead_one("[no_gratuitous_arp]", "0.4");
    let path = desk.over("silent", "takeover", &silent);
    let failed = desk.labsim(&["run", &path]).exits(1);
    failed.says(
        "the link-layer address of lb, whose forwarder is stopped: lb2 has taken 10.1.1.99 over",
    );
    failed.says("[vip-not-announced]");
    assert!(!failed.stdout.contains("none of its interfaces"), "{failed:?}");
}

#[test]
fn flows_that_were_mirrored_before_the_active_one_died_go_on() {
    let desk = Desk::new();
    let dies = "steps:\n  failover: null\n  resume: null\n  dies: {kill_forwarder: {node: lb}}\n  \
                takes_over: {failover: {from: lb, to: lb2}}\n  late: {resume: {login: open}}\n";
    let path = desk.over("dies", "takeover-mirrored", dies);
    desk.labsim(&["run", &path]).exits(0);
}

#[test]
fn a_load_balancer_that_announced_its_vip_is_not_accused_where_the_router_ignores_that() {
    let desk = Desk::new();
    let ignores = format!(
        "steps:\n  takeover: null\n  after: null\n  \
         ignores: {{set_sysctls: {{node: router, sysctls: {{net.ipv4.conf.all.drop_gratuitous_arp: 1}}}}}}\n  \
         takes_over: {{failover: {{from: lb, to: lb2}}}}\n{again}{AGAIN}",
        again = login("again", "0.4"),
    );
    let path = desk.over("ignores", "takeover", &ignores);
    let failed = desk.labsim(&["run", &path]).exits(1);
    failed
        .says("the forwarder on lb dropped 1 packet (standby +1): the load balancer is on standby");
    assert!(!failed.stdout.contains("vip-not-announced"), "{failed:?}");
}

//! Labs that stay up, changed by `labsim set` and by `labsim forwarder ctl`, and brought back.

use crate::support::labs::Labs;
use crate::support::{DEADLINE, Ended};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Instant;

const POOL: &str = "p_tacacs-test_49";
const LABSIM: &str = env!("CARGO_BIN_EXE_labsim");
const PASSED: &str = "PASS one: 8 of 8 expectations held;";

/// Changes the lab that is up.
fn set(labs: &Labs, kind: &str, fields: &str) -> Ended {
    labs.labsim(&["set", kind, fields])
}

/// The changes that `labsim status` lists, without the nodes' names.
fn changes(labs: &Labs) -> Vec<String> {
    let status = labs.labsim(&["status"]).exits(0);
    let changes = status.stdout.lines().filter_map(|line| line.strip_prefix("  changed: "));
    changes.map(str::to_owned).collect()
}

#[test]
fn steps_that_change_a_lab_are_typed_without_quotation_marks_listed_and_undone() {
    let labs = Labs::new();
    labs.up("one");
    let typed = ["set", "route", "node:", "rs1,", "to:", "192.0.2.0/24,", "via:", "blackhole"];
    labs.labsim(&typed).exits(0).says("rs1 drops packets to 192.0.2.0/24");
    set(&labs, "link", "node: rs2, interface: eth0, state: down").exits(0).says("rs2:eth0 is down");
    set(&labs, "address", "node: rs1, interface: lo, address: 172.16.4.99, state: absent").exits(0);
    // Neither the scenario nor what is compared in any lab has it.
    set(&labs, "sysctls", "node: rs3, sysctls: {net.ipv4.tcp_fin_timeout: 30}").exits(0);
    let fields = format!("node: lb, pool: {POOL}, member: 10.1.1.51:49, state: disabled");
    set(&labs, "member", &fields).exits(0);
    let fields = format!("node: lb, pool: {POOL}, member: 10.1.1.52:49");
    set(&labs, "remove_member", &fields).exits(0);
    let mut all = changes(&labs);
    all.sort();
    assert_eq!(
        all,
        [
            "eth0 is down",
            "gone: address 172.16.4.99/32 on lo",
            "gone: member 10.1.1.52:49 of p_tacacs-test_49",
            "gone: route 0.0.0.0/0 via 10.1.1.1 dev eth0",
            "gone: route 10.1.1.0/24 dev eth0 src 10.1.1.52",
            "member 10.1.1.51:49 of p_tacacs-test_49 is disabled, was enabled",
            "net.ipv4.tcp_fin_timeout is 30, was 60",
            "new: route blackhole 192.0.2.0/24",
        ]
    );
    let reset = labs.labsim(&["reset"]).exits(0);
    reset.says("lb: undone: gone: member 10.1.1.52:49").says("rs3: undone: net.ipv4.tcp_fin_t");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says(PASSED);
}

#[test]
fn servers_and_forwarders_are_stopped_and_started_and_say_what_does_not_fit() {
    let labs = Labs::new();
    labs.up("one");
    set(&labs, "start_server", "node: rs1").exits(1).says("servers on rs1 run already");
    set(&labs, "stop_server", "node: rs1").exits(0).says("servers on rs1 stopped");
    set(&labs, "start_server", "node: rs1").exits(0).says("servers on rs1 listen again");
    set(&labs, "start_forwarder", "node: lb").exits(1).says("the forwarder in lb already runs");
    set(&labs, "kill_forwarder", "node: lb").exits(0).says("the forwarder in lb was killed");
    let member = format!("node: lb, pool: {POOL}, member: 10.1.1.51:49");
    set(&labs, "remove_member", &member).exits(1).says("the forwarder in lb does not run");
    let profile = format!("lb: {{pools: {{{POOL}: {{profile: gre}}}}}}");
    let waits = set(&labs, "load_balancers", &profile).exits(0);
    waits.says("lb: its forwarder does not run, and starts with it");
    set(&labs, "start_forwarder", "node: lb").exits(0).says("accepts packets again");
    set(&labs, "add_member", &member).exits(1).says("is already a member of `p_tacacs-test_49`");
    // The tunnel is another one than the servers'.
    labs.labsim(&["check"]).exits(1).says("FAIL one: ");
    labs.labsim(&["reset", "lb"]).exits(0).says("pools.p_tacacs-test_49.profile is gre, was ipip");
    labs.labsim(&["check"]).exits(0).says(PASSED);
}

#[test]
fn what_is_wrong_in_a_change_is_named_with_its_place_and_changes_nothing() {
    let labs = Labs::new();
    labs.labsim(&["set", "link", "node: rs1"]).exits(2).says("no lab is up");
    labs.up("one");
    labs.labsim(&["set"]).exits(2).says("<WHAT>");
    let wrong = |kind: &str, fields: &str, says: &[&str]| {
        let ended = set(&labs, kind, fields).exits(2);
        for text in says {
            ended.says(text);
        }
    };
    wrong("lnk", "node: rs1", &["labsim set: nothing is set by `lnk`; did you mean `link`?"]);
    wrong("link", "", &["`link` takes interface, node, state"]);
    wrong(
        "link",
        "node: rs11, interface: eth0, state: down",
        &["labsim set:1:8: ", "rs11", "    1 | {node: rs11, interface: eth0, state: down}"],
    );
    wrong("link", "node: rs1, interface: eth0, stat: down", &["did you mean `state`?"]);
    wrong("link", "node: rs1, interface: eth7, state: down", &["has no interface `eth7`"]);
    wrong("route", "node: rs1}, expect: {", &["labsim set:1:"]);
    wrong("tacacs_login", "from: client", &["`tacacs_login` changes nothing that stays"]);
    wrong("steps", "login: null", &["the key `steps` of a scenario is not changed"]);
    wrong("real_servers", "servers: {vip: null}", &["kernels are changed by `link`, `route`"]);
    wrong("load_balancers", "lb: {pools: {p: {profle: gre}}}", &["did you mean `profile`?"]);
    wrong("tacacs_servers", "aaa: {port: 99999}", &["labsim set:1:14: "]);
    let pool = "lb: {virtual_servers: {vs_tacacs-test_49: {pool: q}}}";
    wrong("load_balancers", pool, &["`q`"]);
    let long = format!("aaa: {{users: {{violet: {}}}}}", "x".repeat(5000));
    wrong("tacacs_servers", &long, &["longer than the 4096 bytes"]);
    // In nothing but the file.
    set(&labs, "load_balancers", "lb: null").exits(1).says("bring the lab up anew");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says(PASSED);
}

#[test]
fn a_servers_configuration_is_changed_judged_and_undone_in_all_its_nodes() {
    let labs = Labs::new();
    labs.up("one");
    let changed = set(&labs, "tacacs_servers", "aaa: {secret: sesame, port: 4949}").exits(0);
    changed.says("rs1: its servers were started with it").says("rs3: its servers");
    let listed = changes(&labs);
    assert_eq!(listed.len(), 6, "{listed:?}");
    assert_eq!(listed[0], "tacacs_servers.aaa.secret is another one");
    assert_eq!(listed[1], "new: tacacs_servers.aaa.port: 4949");
    let listening = labs.labsim(&["exec", "rs2", "--", "ss", "-ltnH"]).exits(0);
    listening.says(":4949 ");
    assert!(!listening.stdout.contains(":49 "), "{listening:?}");
    // Nothing listens at the port that clients ask.
    labs.labsim(&["check"]).exits(1).says("FAIL one: ");
    let again = set(&labs, "tacacs_servers", "aaa: {port: 49}").exits(0);
    again.says("rs1: its servers were started with it");
    let same = set(&labs, "tacacs_servers", "aaa: {port: 49}").exits(0);
    same.says("what runs is configured so already");
    // The login has the servers' secret, as in the file, whatever that is.
    labs.labsim(&["check"]).exits(0).says(PASSED);
    let reset = labs.labsim(&["reset", "rs1"]).exits(0);
    reset.says("rs1: undone: tacacs_servers.aaa.secret is another one");
    reset.says("rs3: started again: built-in servers");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says(PASSED);
}

#[test]
fn a_forwarder_applies_another_configuration_and_keeps_what_was_set_of_its_members() {
    let labs = Labs::new();
    labs.up("one");
    let fields = format!("node: lb, pool: {POOL}, member: 10.1.1.53:49, ratio: 0");
    set(&labs, "member", &fields).exits(0);
    let snat = "lb: {virtual_servers: {vs_tacacs-test_49: {source_address_translation: automap}}}";
    let applied = set(&labs, "load_balancers", snat).exits(0);
    applied.says("lb: its forwarder has applied it").says("labsim set:1:").says("[dsr-broken]");
    let judged = labs.labsim(&["check"]).exits(1);
    judged.says("lb translated the source 192.168.11.201 to 172.16.0.10");
    let mut all = changes(&labs);
    all.sort();
    assert_eq!(
        all,
        [
            "new: load_balancers.lb.virtual_servers.vs_tacacs-test_49.source_address_translation: \
             automap",
            "the ratio of member 10.1.1.53:49 of p_tacacs-test_49 is 0, was 1",
        ]
    );
    let none = "lb: {virtual_servers: {vs_tacacs-test_49: {source_address_translation: null}}}";
    set(&labs, "load_balancers", none).exits(0);
    assert_eq!(
        changes(&labs),
        ["the ratio of member 10.1.1.53:49 of p_tacacs-test_49 is 0, was 1"]
    );
    labs.labsim(&["check"]).exits(0).says(PASSED);
}

#[test]
fn a_server_that_cannot_start_leaves_all_servers_as_they_were() {
    let labs = Labs::new();
    labs.up("one");
    // The port is in use in one of the nodes.
    let file = labs.0.over("other", "tacacs-ipip", "tacacs_servers: {aaa: {port: 4949}}\n");
    let mut command = labs.command(&["exec", "rs2", "--", LABSIM, "server", &file, "rs2"]);
    let mut other = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(other.stdout.as_mut().unwrap()).read_line(&mut ready).unwrap();
    assert_eq!(ready, "ready\n");
    let refused = set(&labs, "tacacs_servers", "aaa: {port: 4949}").exits(1);
    refused.says("the TACACS+ server on rs2, port 4949: Address already in use");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says(PASSED);
    interrupt(other.id());
    Ended::of(other.wait_with_output());
    set(&labs, "tacacs_servers", "aaa: {port: 4949}")
        .exits(0)
        .says("rs2: its servers were started");
}

#[test]
fn a_server_comes_and_goes_and_another_load_balancer_takes_another_lab() {
    let labs = Labs::new();
    labs.up("one");
    let started = set(&labs, "tcp_servers", "web: {nodes: [client], port: 8080}").exits(0);
    started.says("client: its servers were started with it");
    labs.labsim(&["exec", "client", "--", "ss", "-ltnH"]).exits(0).says(":8080 ");
    let ended = set(&labs, "tcp_servers", "web: null").exits(0);
    ended.says("client: its servers have ended");
    let listening = labs.labsim(&["exec", "client", "--", "ss", "-ltnH"]).exits(0);
    assert!(!listening.stdout.contains(":8080 "), "{listening:?}");
    let second = "router: {virtual_servers: {vs: {destination: 172.16.4.77:49, pool: p}}, pools: {p: \
                  {profile: ipip, members: [10.1.1.51:49]}}}";
    let refused = set(&labs, "load_balancers", second);
    assert!(matches!(refused.code, Some(1 | 2)), "{refused:?}");
    refused.says("labsim");
    assert_eq!(changes(&labs), [""; 0]);
    labs.labsim(&["check"]).exits(0).says(PASSED);
}

#[test]
fn what_an_operator_does_inside_the_node_is_listed_and_undone() {
    let labs = Labs::new();
    labs.up("one");
    let ctl = |args: &[&str]| {
        let all = [&["exec", "lb", "--", LABSIM, "forwarder", "ctl"], args].concat();
        labs.labsim(&all).exits(0)
    };
    ctl(&["status"]).says("virtual server vs_tacacs-test_49 tcp 172.16.4.99:49");
    ctl(&["drain", POOL, "10.1.1.51:49"]).says("members: 1 changed");
    ctl(&["remove", POOL, "10.1.1.52:49"]);
    ctl(&["add", POOL, "10.1.1.61:49", "--ratio", "2"]);
    let mut all = changes(&labs);
    all.sort();
    assert_eq!(
        all,
        [
            "gone: member 10.1.1.52:49 of p_tacacs-test_49",
            "new: member 10.1.1.61:49 of p_tacacs-test_49, ratio 2",
            "the ratio of member 10.1.1.51:49 of p_tacacs-test_49 is 0, was 1",
        ]
    );
    labs.labsim(&["reset", "lb"]).exits(0).says("lb: undone: new: member 10.1.1.61:49");
    assert_eq!(changes(&labs), [""; 0]);
}

#[test]
fn a_change_waits_for_no_other_work_and_can_be_interrupted() {
    let labs = Labs::new();
    let hold = "steps: {hold: {run: {node: client, command: [sleep, \"1000\"], timeout: 1000}}}\n";
    let file = labs.0.over("hold", "tacacs-ipip", hold);
    labs.labsim(&["up", &file]).exits(0);
    let mut command = labs.command(&["step", "hold"]);
    let step = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_status_says(&labs, "busy: step hold, for ");
    let busy = set(&labs, "link", "node: rs1, interface: eth0, state: down").exits(2);
    busy.says("the lab is busy: step hold, for ");
    interrupt(step.id());
    Ended::of(step.wait_with_output()).exits(130);
    until_idle(&labs);
    // A forwarder that does not answer keeps a change waiting.
    let lb = forwarder(&labs);
    kill(lb, Signal::SIGSTOP).unwrap();
    let fields = format!("node: lb, pool: {POOL}, member: 10.1.1.51:49, ratio: 0");
    let mut command = labs.command(&["set", "member", &fields]);
    let change = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until_status_says(&labs, "busy: a change, for ");
    interrupt(change.id());
    let ended = Ended::of(change.wait_with_output()).exits(130);
    ended.says("interrupted; the lab `hold` stays up");
    kill(lb, Signal::SIGCONT).unwrap();
    until_idle(&labs);
    labs.labsim(&["step", "login"]).exits(0).says("step login: pass");
}

fn interrupt(process: u32) {
    kill(Pid::from_raw(i32::try_from(process).unwrap()), Signal::SIGINT).unwrap();
}

/// The process that is the lab's forwarder.
fn forwarder(labs: &Labs) -> Pid {
    let is_it = |process: &i32| {
        let command = std::fs::read(format!("/proc/{process}/cmdline")).unwrap_or_default();
        command.split(|byte| *byte == 0).any(|word| word == b"--stdio")
    };
    Pid::from_raw(labs.processes("hold").into_iter().find(is_it).unwrap())
}

/// Asks for the lab's state until it says `text`.
fn until_status_says(labs: &Labs, text: &str) {
    until(labs, |status| status.contains(text));
}

fn until_idle(labs: &Labs) {
    until(labs, |status| !status.contains("busy"));
}

fn until(labs: &Labs, holds: impl Fn(&str) -> bool) {
    let began = Instant::now();
    loop {
        let status = labs.labsim(&["status"]).exits(0);
        if holds(&status.stdout) {
            return;
        }
        assert!(began.elapsed() < DEADLINE, "{status:?}");
    }
}

#[test]
fn what_is_not_saved_of_a_configuration_is_listed() {
    let labs = Labs::new();
    labs.up("one");
    set(&labs, "tacacs_servers", "aaa: {port: 4949}").exits(0);
    let saved = labs.labsim(&["save"]).exits(1);
    saved.says("not saved: rs1: new: tacacs_servers.aaa.port: 4949").says("no file was written");
}

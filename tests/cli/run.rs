//! The main job, as a user types it: the document's lab runs and proves what it claims.

use crate::support::Desk;
use std::path::Path;

const SCENARIO: &str = "scenarios/tacacs-ipip.yaml";

#[test]
fn the_documents_lab_passes_and_says_what_was_proved() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", SCENARIO]).exits(0);
    assert_eq!(ended.stdout.lines().count(), 3, "{}", ended.stdout);
    ended.says("PASS tacacs-ipip").says("none lost").says("1 passed, 0 failed, 0 skipped");
    assert!(!ended.stdout.contains('\x1b') && !ended.stdout.contains('\r'), "{}", ended.stdout);
    assert_eq!(ended.stderr, "");
}

/// Whether the kernel has its own IPIP tunnels. `labsim doctor` goes first: its probe makes a
/// kernel load the module where it is installed.
fn kernel_has_ipip(desk: &Desk) -> bool {
    let doctor = desk.labsim(&["doctor"]);
    let loaded = Path::new("/sys/module/ipip").exists();
    let state = if loaded { "ok" } else { "missing: " };
    let lines = doctor.stdout.lines();
    let found = lines.filter_map(|line| line.strip_prefix("kernel ipip")).collect::<Vec<_>>();
    assert_eq!(found.len(), 1, "{doctor:#?}");
    assert!(found[0].trim_start().starts_with(state), "{state} was expected: {doctor:#?}");
    loaded
}

#[test]
fn the_userspace_tunnel_runs_unless_the_kernels_module_is_loaded() {
    let desk = Desk::new();
    let loaded = kernel_has_ipip(&desk);
    let ended = desk.labsim(&["run", "-v", SCENARIO, "--tunnel", "userspace"]);
    if loaded {
        ended.exits(3).says("SKIP tacacs-ipip: ").says("modprobe -r ipip");
    } else {
        ended.exits(0).says("tunnel: userspace, ").says("(as requested)");
    }
}

#[test]
fn the_kernels_tunnel_runs_where_its_module_is_loaded_and_is_missing_elsewhere() {
    let desk = Desk::new();
    let loaded = kernel_has_ipip(&desk);
    let ended = desk.labsim(&["run", "-v", SCENARIO, "--tunnel", "kernel"]);
    if loaded {
        ended.exits(0).says("tunnel: kernel (ipip)");
    } else {
        ended.exits(3).says("SKIP tacacs-ipip: ").says("the kernel has no ipip tunnels");
    }
}

#[test]
fn results_are_kept_in_a_folder_of_the_scenarios_name() {
    let desk = Desk::new();
    desk.labsim(&["run", SCENARIO, "--out", "results"]).exits(0);
    let events = std::fs::read_to_string(desk.path("results/tacacs-ipip/events.jsonl")).unwrap();
    let kinds: Vec<String> = events
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .map(|event| event["event"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(kinds.first().map(String::as_str), Some("run_started"));
    assert_eq!(kinds.last().map(String::as_str), Some("scenario_ended"));
    for kind in ["lab_built", "ready", "step_ended", "server_logged", "observed", "judged"] {
        assert!(kinds.iter().any(|it| it == kind), "{kind} is missing in {kinds:?}");
    }
    assert!(!events.contains("indigo"), "the password is in the events");
    let capture = std::fs::read(desk.path("results/tacacs-ipip/capture.pcapng")).unwrap();
    for point in ["client:eth0", "router:lb", "lb:eth0", "rs1:tunl0", "rs3:eth0", "rs2:lo"] {
        let named = capture.windows(point.len()).any(|bytes| bytes == point.as_bytes());
        assert!(named, "no interface block is named {point}");
    }
}

#[test]
fn every_shipped_scenario_passes() {
    let desk = Desk::new();
    let ended = desk.labsim(&["run", "scenarios", "--jobs", "2"]).exits(0);
    all_passed(&desk, &ended);
    assert_eq!(ended.stderr, "");
}

#[test]
fn every_shipped_scenario_passes_with_the_userspace_tunnel() {
    let desk = Desk::new();
    let args = ["run", "scenarios", "--jobs", "2", "--tunnel", "userspace"];
    all_passed(&desk, &desk.labsim(&args).exits(0));
}

/// The scenarios that need a distribution's programs, and the first package of each.
const PROGRAMS: [(&str, &str); 3] =
    [("freeradius-ipip", "freeradius"), ("nginx-ipip", "nginx-light"), ("unbound-gre", "unbound")];

/// All of them; where the programs of some are not installed, or the kernel has no IPVS, all but these, which
/// say so.
fn all_passed(desk: &Desk, ended: &crate::support::Ended) {
    let files = |folder| {
        let entries = std::fs::read_dir(desk.path(folder)).unwrap();
        entries.filter(|entry| !entry.as_ref().unwrap().file_type().unwrap().is_dir()).count()
    };
    let number: usize = ["scenarios", "scenarios/faults", "scenarios/ipv6", "scenarios/tunnels"]
        .map(files)
        .iter()
        .sum();
    let mut skipped = 0;
    for (name, package) in PROGRAMS {
        let skip = format!("SKIP {name}: ");
        if let Some(line) = ended.stdout.lines().find(|line| line.starts_with(&skip)) {
            assert!(line.contains(&format!("apt-get install {package}")), "{line}");
            skipped += 1;
        }
    }
    skipped += ended.stdout.lines().filter(|line| line.ends_with("[ipvs-missing]")).count();
    ended.says(&format!("{} passed, 0 failed, {skipped} skipped", number - skipped));
}

#[test]
fn what_a_scenario_was_warned_about_stands_with_its_result() {
    let desk = Desk::new();
    let args = ["run", "-v", "scenarios/port-translation.yaml", "--out", "out"];
    let ended = desk.labsim(&args).exits(0);
    ended.says("PASS port-translation").says("\n  ! scenarios/port-translation.yaml:10:");
    let events = std::fs::read_to_string(desk.path("out/port-translation/events.jsonl")).unwrap();
    assert!(events.contains("\"event\":\"warned\""), "{events}");
}

#[test]
fn many_logins_are_told_in_one_sentence() {
    let desk = Desk::new();
    let args = ["run", "-v", "scenarios/many-logins.yaml", "--out", "out"];
    let ended = desk.labsim(&args).exits(0);
    ended.says("step login: 300 logins: 300 pass; minimum ").says("median").says("maximum");
    let events = std::fs::read_to_string(desk.path("out/many-logins/events.jsonl")).unwrap();
    let events = events.lines().map(|line| serde_json::from_str(line).unwrap());
    let mut events: Vec<serde_json::Value> = events.collect();
    events.retain(|event| event["event"] == "step_ended");
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["attempts"], &events[0]["result"]), (&300.into(), &"pass".into()));
}

#[test]
fn every_expectation_is_told_by_its_name() {
    let desk = Desk::new();
    desk.labsim(&["run", SCENARIO, "--out", "out"]).exits(0);
    let events = std::fs::read_to_string(desk.path("out/tacacs-ipip/events.jsonl")).unwrap();
    for name in ["login", "client_seen", "replies_pass_by", "client_wire", "server_wire"] {
        let named = format!("\"event\":\"judged\",\"name\":\"{name}\",\"passed\":true");
        assert!(events.contains(&named), "{name} is missing in {events}");
    }
}

#[test]
fn scenarios_run_side_by_side() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("copies")).unwrap();
    for n in 1..=9 {
        desk.write(&format!("copies/{n}.yaml"), "extends: ../scenarios/tacacs-ipip.yaml\n");
    }
    desk.labsim(&["run", "copies", "--jobs", "8"]).exits(0).says("9 passed, 0 failed, 0 skipped");
}

#[test]
fn a_closed_pipe_is_no_reason_to_panic() {
    let desk = Desk::new();
    let mut command = desk.command(&["run", SCENARIO]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(std::process::Stdio::piped()).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(!stderr.contains("panicked"), "{stderr}");
    assert_eq!(output.status.code(), Some(2), "results that cannot be written are told: {stderr}");
}

/// Names that no device of the kernel could have.
const LONG_NAMES: &str = "\
nodes:
  accounting-clients-building-four-left: {interfaces: {eth0: 192.168.11.201/24}}
  accounting-clients-building-four-right: {interfaces: {eth0: 192.168.11.202/24}}
  a-router-with-a-very-long-name-indeed-01:
    forward: true
    interfaces: {clients: 192.168.11.1/24, balancers: 172.16.0.1/24, servers: 10.1.1.1/24}
    routes: {172.16.4.99: 172.16.0.10}
  balancer-of-the-first-data-centre-number-one: {interfaces: {eth0: 172.16.0.10/24}}
  verylongname1: {interfaces: {eth0: 10.1.1.51/24}}
  verylongname2: {interfaces: {eth0: 10.1.1.52/24}}
links:
  - [\"balancer-of-the-first-data-centre-number-one:eth0\", \"a-router-with-a-very-long-name-indeed-01:balancers\"]
segments:
  a-segment-with-a-long-name-for-the-clients-of-building-four:
    - a-router-with-a-very-long-name-indeed-01:clients
    - accounting-clients-building-four-left:eth0
    - accounting-clients-building-four-right:eth0
  a-segment-with-a-long-name-for-the-servers-of-building-four:
    - a-router-with-a-very-long-name-indeed-01:servers
    - verylongname1:eth0
    - verylongname2:eth0
";

const LONG_SCENARIO: &str = "\
topology: topology.yaml
load_balancers:
  balancer-of-the-first-data-centre-number-one:
    virtual_servers: {vip1: {destination: 172.16.4.99:49, pool: sg1}}
    pools: {sg1: {profile: ipip, members: [10.1.1.51:49, 10.1.1.52:49]}}
real_servers:
  - nodes: [verylongname1, verylongname2]
    tunnel: ipip
    vip: 172.16.4.99
    sysctls: {net.ipv4.conf.all.rp_filter: 2, net.ipv4.conf.tunl0.rp_filter: 0}
tacacs_servers:
  - {nodes: [verylongname1, verylongname2], secret: x, clients: [192.168.11.0/24], users: {violet: indigo}}
impairments:
  accounting-clients-building-four-left:eth0: {delay: 1ms}
processes:
  beside:
    node: accounting-clients-building-four-right
    command: [sh, -c, echo go; sleep 60]
    ready: {line: go}
steps:
  login:
    tacacs_login:
      from: [accounting-clients-building-four-left, accounting-clients-building-four-right]
      times: 2
      to: 172.16.4.99:49
      user: violet
      password: indigo
expect:
  login:
    answer: {result: pass, source: 172.16.4.99}
    pass: all logins passed
    fail: not all logins passed
";

#[test]
fn names_of_nodes_and_segments_are_not_bound_by_the_kernels_limit_for_devices() {
    let desk = Desk::new();
    std::fs::create_dir(desk.path("long")).unwrap();
    desk.write("long/topology.yaml", LONG_NAMES);
    desk.write("long/scenario.yaml", LONG_SCENARIO);
    desk.labsim(&["validate", "long"]).exits(0);
    let ended = desk.labsim(&["run", "-v", "long/scenario.yaml", "--out", "out"]).exits(0);
    ended.says("4 of 4 logins passed");
    assert!(desk.path("out/scenario/capture.pcapng").exists());
}

#[test]
fn a_setting_that_only_the_kernel_finds_wrong_is_an_error_with_its_line() {
    let desk = Desk::new();
    // The two ends of a range are swapped, which no table of limits shows.
    let over = "real_servers:\n  servers:\n    sysctls:\n      \
                net.ipv4.ip_local_port_range: 50000 40000\n";
    let path = desk.over("swapped", "tacacs-ipip", over);
    let ended = desk.labsim(&["run", &path]).exits(1);
    ended.says("ERROR swapped: ").says("/swapped.yaml:5: rs1: sysctl net.ipv4.ip_local_port_range");
    ended.says(" = 50000 40000: the kernel rejects it: Invalid argument").says("[sysctl-rejected]");
}

#[test]
fn a_setting_of_an_earlier_kernel_skips_the_scenario_by_name() {
    let desk = Desk::new();
    let over = "real_servers: {servers: {sysctls: {net.ipv4.tcp_tw_recycle: 1}}}\n";
    let path = desk.over("earlier", "tacacs-ipip", over);
    let ended = desk.labsim(&["run", &path]).exits(3);
    ended.says("SKIP earlier: ").says("net.ipv4.tcp_tw_recycle").says("[sysctl-unknown]");
}

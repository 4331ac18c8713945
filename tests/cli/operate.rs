//! A running forwarder is operated as an engineer would: in a node of a lab, by a shell.

use crate::support::{Desk, Ended};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// A forwarder's configuration. The client's node has one interface, and forwards nothing.
const CONFIG: &str = "interface: eth0
virtual_servers:
  vs: {destination: 172.16.4.99:49, pool: p, translate_address: false}
pools:
  p: {profile: ipip, members: [10.1.1.51:49, 10.1.1.52:49]}
";

/// Functions for the scripts, and waits for what comes about by itself.
const PRELUDE: &str = r#"set -eu
cd "{dir}"
labsim=LABSIM
ctl() { "$labsim" forwarder ctl "$@"; }
until_said() { until grep -q "$1" "$2"; do sleep 0.01; done; }
"#;

/// Starts a forwarder.
const START: &str = r#"
mkfifo input
# The shell opens them in the background, perhaps after they are searched.
touch output errors
"$labsim" forwarder --stdio --config config.yaml $OPTIONS < input > output 2> errors &
forwarder=$!
exec 3> input
until_said '"ready"' output
"#;

/// Runs a script beside a forwarder, and returns what it printed.
fn beside_a_forwarder(options: &str, script: &str) -> (Ended, String) {
    let environment = format!(
        "OPTIONS: \"{options}\", SCRAPE: \"{}\"",
        std::env::current_exe().unwrap().display()
    );
    in_a_node(&Desk::new(), &environment, &format!("{START}{script}"))
}

/// Runs a script in a node of a lab, and returns what it printed.
fn in_a_node(desk: &Desk, environment: &str, script: &str) -> (Ended, String) {
    let labsim = env!("CARGO_BIN_EXE_labsim");
    let script = format!("{PRELUDE}{script}").replace("LABSIM", labsim);
    let indented = |text: &str| text.replace('\n', "\n            ");
    let scenario = format!(
        "extends: tacacs-ipip.yaml
steps:
  login: null
  script:
    run:
      node: client
      command: [/bin/sh, \"{{dir}}/script\"]
      environment: {{{environment}}}
      files:
          config.yaml: |
            {}
          script: |
            {}
expect:
  login: null
  client_seen: null
  pool_answers: null
  replies_pass_by: null
  client_wire: null
  balancer_in: null
  balancer_out: null
  server_wire: null
  script: {{answer: {{step: script, result: pass}}, pass: yes, fail: no}}
",
        indented(CONFIG),
        indented(&script),
    );
    desk.write("scenarios/case.yaml", scenario);
    let ended = desk.labsim(&["run", "scenarios/case.yaml", "--out", "out"]);
    let log = std::fs::read_to_string(desk.path("out/case/logs/script.log")).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "{log}\n{ended:#?}");
    (ended, log)
}

#[test]
fn members_come_change_and_go_by_the_control_socket() {
    let (_, log) = beside_a_forwarder(
        "",
        r#"
ctl status
ctl drain p 10.1.1.51:49
ctl add p 10.1.1.53:49 --ratio 2
ctl set p 10.1.1.53:49 --state disabled
ctl remove p 10.1.1.52:49
ctl status
ctl remove p 10.1.1.59:49 && exit 9 || echo "refused: $?"
ctl add q 10.1.1.59:49 && exit 9 || echo "refused: $?"
ctl reload
ctl status
ctl status --json | grep -q '"flows_opened":0'
ctl --control @nobody status && exit 9 || echo "nobody: $?"
exec 3>&-
wait $forwarder
"#,
    );
    let mut lines = log.lines().map(str::trim_end);
    for expected in [
        "virtual server vs tcp 172.16.4.99:49: 0 flows, 0 opened, 0 packets",
        "  pool p",
        "    10.1.1.51:49          unmonitored ratio 1     0 flows, 0 opened, 0 packets",
        "    10.1.1.52:49          unmonitored ratio 1     0 flows, 0 opened, 0 packets",
        "members: 1 changed",
        "members: 1 added",
        "members: 1 changed",
        "members: 1 removed",
        "virtual server vs tcp 172.16.4.99:49: 0 flows, 0 opened, 0 packets",
        "  pool p",
        "    10.1.1.51:49          drained     ratio 0     0 flows, 0 opened, 0 packets",
        "    10.1.1.53:49          disabled    ratio 2     0 flows, 0 opened, 0 packets",
        "labsim: unknown member 10.1.1.59:49 of `p`; known: 10.1.1.51:49, 10.1.1.53:49",
        "refused: 1",
        "labsim: unknown pool `q`; known: p",
        "refused: 1",
        "members: 1 added, 1 removed, 1 changed",
    ] {
        assert_eq!(lines.next(), Some(expected), "{log}");
    }
    assert!(log.contains("no forwarder listens at @nobody"), "{log}");
    assert!(log.ends_with("nobody: 3\n"), "{log}");
}

#[test]
fn a_hangup_has_the_file_read_again_and_a_bad_one_is_refused_with_every_place() {
    let (_, log) = beside_a_forwarder(
        "",
        r#"
sed -i 's/10.1.1.52:49/{address: 10.1.1.52:49, ratio: 0}/' config.yaml
kill -HUP $forwarder
until ctl status | grep -q drained; do sleep 0.01; done
printf 'interface: eth0\nvirtual_servers: {vs: {destination: nowhere, pool: p}}\npools: {p: {members: [10.1.1.51], ratoi: 2}}\n' > config.yaml
kill -HUP $forwarder
until_said 'config.yaml:3' errors
ctl status | grep drained
ctl reload && exit 9 || echo "refused: $?"
printf 'interface: eth1\nvirtual_servers: {vs: {destination: 172.16.4.99:49, pool: q}}\npools: {p: {members: [10.1.1.51:49]}}\n' > config.yaml
ctl reload && exit 9 || echo "refused: $?"
ctl reload config.yaml && exit 9 || echo "refused: $?"
sed -i 's/pool: q/pool: p/' config.yaml
ctl reload && exit 9 || echo "refused: $?"
ctl metrics | grep config_changes_total
kill -TERM $forwarder
wait $forwarder
tail -1 output | cut -c-12
"#,
    );
    for expected in [
        "config.yaml:2:",
        "config.yaml:3:",
        "refused: 1",
        "there is no pool `q`; `pools` has `p`",
        "config.yaml: interface: it cannot change while the forwarder runs",
        "labsim_forwarder_config_changes_total{result=\"applied\"} 1",
        "labsim_forwarder_config_changes_total{result=\"refused\"} 4",
        "{\"counters\":",
    ] {
        assert!(log.contains(expected), "`{expected}` is missing in\n{log}");
    }
    assert!(log.contains("10.1.1.52:49          drained"), "{log}");
}

#[test]
fn metrics_are_served_over_http_and_a_silent_client_holds_nobody_up() {
    let (_, log) = beside_a_forwarder(
        "--metrics 127.0.0.1:9100 --control control",
        r#"
ls -l control | cut -c-10
"$SCRAPE" --ignored --exact operate::scrape --nocapture
ctl --control control metrics | tail -1
exec 3>&-
wait $forwarder
ls control 2> /dev/null || echo "the socket is gone"
"#,
    );
    for expected in [
        "srw-------",
        "HTTP/1.1 200 OK",
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        "labsim_forwarder_member_ratio{pool=\"p\",member=\"10.1.1.51:49\"} 1",
        "# EOF",
        "the socket is gone",
    ] {
        assert!(log.contains(expected), "`{expected}` is missing in\n{log}");
    }
}

#[test]
#[ignore = "what another test runs inside a node"]
fn scrape() {
    let connect = || TcpStream::connect("127.0.0.1:9100").unwrap();
    // Clients that say nothing, less than there is room for.
    let _silent = [connect(), connect()];
    let mut client = connect();
    client.write_all(b"GET /metrics HTTP/1.1\r\nHost: node\r\n\r\n").unwrap();
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    println!("{text}");
}

#[test]
fn members_that_are_watched_are_shown_with_what_their_monitors_found() {
    let (_, log) = beside_a_forwarder(
        "",
        r#"
sed -i 's/{profile/{monitor: {tcp: {interval: 20ms}}, action_on_down: reset, profile/' config.yaml
sed -i 's/10.1.1.52:49/10.1.1.52:50/' config.yaml
ctl reload
until_said 'labsim: member 10.1.1.51:49 of p is up: connected' errors
until_said 'labsim: member 10.1.1.52:50 of p is down: .*connection refused' errors
ctl status
ctl status --json | grep -q '"state":"down"' && echo "in JSON too"
ctl metrics | grep 'member_state.* 1$'
sed -i 's/{tcp: {interval: 20ms}}/{tacacs: {secret: hush}}/' config.yaml
ctl reload
ctl status --json | grep -q hush && exit 9 || echo "no secret"
sed -i 's/{secret: hush}/{secret: hush, transparent: true}/' config.yaml
sed -i 's/translate_address: false/translate_address: true/' config.yaml
ctl reload && exit 9 || echo "refused: $?"
sed -i 's/translate_address: true/translate_address: false/' config.yaml
tables() { grep -c '^Id 18' /proc/net/fib_trie || true; }
echo "tables: $(tables)"
ctl reload
echo "tables: $(tables)"
exec 3>&-
wait $forwarder
echo "tables: $(tables)"
"#,
    );
    for expected in [
        "    10.1.1.51:49          up          ratio 1     0 flows, 0 opened, 0 packets\n      up for ",
        " probes failed; connected\n    10.1.1.52:50          down        ratio 1 ",
        " probes failed; 10.1.1.52:50: connection refused\n",
        "in JSON too\n",
        "labsim_forwarder_member_state{pool=\"p\",member=\"10.1.1.52:50\",state=\"down\"} 1\n",
        "pools: 1 changed\nno secret\n",
        ": `vs` translates addresses",
        "refused: 1\ntables: 0\npools: 1 changed\ntables: 1\ntables: 0\n",
    ] {
        assert!(log.contains(expected), "`{expected}` is missing in\n{log}");
    }
}

#[test]
fn a_second_forwarder_of_a_namespace_is_told_to_take_another_socket() {
    let (_, log) = beside_a_forwarder(
        "",
        r#"
"$labsim" forwarder --config config.yaml < /dev/null && exit 9 || echo "refused: $?"
"#,
    );
    assert!(log.contains("is in use") && log.contains("--control @NAME"), "{log}");
    assert!(log.ends_with("refused: 3\n"), "{log}");
}

#[test]
fn a_forwarder_runs_until_a_signal_whatever_its_standard_input_is_and_notifies_systemd() {
    let desk = Desk::new();
    let path = desk.path("notify");
    let manager = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(crate::support::DEADLINE)).unwrap();
    let (_, log) = in_a_node(
        &desk,
        &format!("NOTIFY_SOCKET: \"{}\"", path.display()),
        r#"
touch output
"$labsim" forwarder --config config.yaml < /dev/null > output &
forwarder=$!
until_said '"ready"' output
ctl status | head -n 1
kill -TERM $forwarder
wait $forwarder && echo "ended: $?"
"$labsim" forwarder --check --config config.yaml
echo "pools: {p: {memberz: []}}" > config.yaml
"$labsim" forwarder --check --config config.yaml && exit 9 || echo "refused: $?"
"#,
    );
    for expected in [
        "virtual server vs tcp 172.16.4.99:49: 0 flows",
        "ended: 0\nconfig.yaml: a valid forwarder configuration\n",
        "config.yaml:1:13: unknown key `memberz`",
        "refused: 2\n",
    ] {
        assert!(log.contains(expected), "`{expected}` is missing in\n{log}");
    }
    for expected in ["READY=1", "STOPPING=1"] {
        let mut state = [0; 64];
        let length = manager.recv(&mut state).unwrap();
        assert_eq!(String::from_utf8_lossy(&state[..length]).trim_end(), expected);
    }
}

/// So a lab can start it before there is a network. Nothing has bound its control socket meanwhile.
#[test]
fn a_forwarder_that_is_to_wait_touches_nothing_of_the_network_before_its_first_line() {
    let (_, log) = in_a_node(
        &Desk::new(),
        "A: b",
        r#"
sed -i 's/eth0/eth7/' config.yaml
"$labsim" forwarder --stdio --wait --config config.yaml < /dev/null && echo "given up: $?"
mkfifo input
"$labsim" forwarder --stdio --wait --config config.yaml < input &
forwarder=$!
exec 3> input
grep -q @labsim-forwarder /proc/net/unix && exit 9
echo >&3
wait $forwarder && exit 9 || echo "began: $?"
"#,
    );
    assert!(log.starts_with("given up: 0\n"), "{log}");
    assert!(log.contains("eth7") && log.ends_with("began: 3\n"), "{log}");
}

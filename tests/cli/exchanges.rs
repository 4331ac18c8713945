//! Exchanges with servers of any service: how they end, and what is said of why.

use crate::support::{Desk, Ended};

/// Runs an exchange from the client straight to rs1, which has these servers.
fn direct(servers: &str, step: &str) -> Ended {
    let desk = Desk::new();
    let yaml = format!(
        "topology: ../topologies/one-segment.yaml
{servers}
steps:
  go: {{{step}}}
expect:
  go: {{answer: {{step: go, result: pass}}, pass: it ended as expected, fail: it did not end as expected}}
"
    );
    desk.write("scenarios/case.yaml", yaml);
    Ended::of(desk.command(&["run", "-v", "scenarios/case.yaml"]).output())
}

const TCP: &str = "tcp_servers: [{nodes: rs1, port: 7}, {nodes: rs1, port: 9, form: discard}, \
                   {nodes: rs1, port: 25, form: {bytes: {request: 4, answer: 9, close: true}}}]";

#[test]
fn bytes_that_come_back_as_expected_pass_whoever_closes() {
    for keys in [
        "to: 10.1.1.51:7, send: 5000, rounds: 3",
        "to: 10.1.1.51:7, send: hello, close: reset",
        "to: 10.1.1.51:25, send: QUIT, receive: 9, close: server",
        "to: 10.1.1.51:9, send: 5000, receive: 0",
    ] {
        direct(TCP, &format!("tcp_exchange: {{from: client, {keys}}}")).exits(0);
    }
}

#[test]
fn another_answer_a_short_one_and_none_are_told_apart() {
    for (keys, says) in [
        ("to: 10.1.1.51:7, send: hello, receive: hallo", "the exchange ended with error"),
        (
            "to: 10.1.1.51:25, send: QUIT, receive: 10, close: server",
            "the server closed the connection after 9 of 10 bytes of round 1",
        ),
        ("to: 10.1.1.51:9, send: hello, timeout: 0.3", "the exchange ended with timeout"),
        ("to: 10.1.1.51:8, send: hello", "the exchange ended with refused"),
        ("to: 10.1.1.51:7, send: hello, mss: 500", "the client's segment size is 1460 bytes"),
    ] {
        direct(TCP, &format!("tcp_exchange: {{from: client, {keys}}}")).exits(1).says(says);
    }
}

#[test]
fn a_datagram_is_sent_again_until_its_transmissions_are_used_up() {
    let servers = "udp_servers: [{nodes: rs1, port: 7}, {nodes: rs1, port: 9, form: discard}]";
    let ask = |keys: &str| direct(servers, &format!("udp_exchange: {{from: client, {keys}}}"));
    ask("to: 10.1.1.51:7, send: 1000, times: 3").exits(0);
    ask("to: 10.1.1.51:9, send: hello, receive: 0").exits(0);
    ask("to: 10.1.1.51:9, send: hello, timeout: 0.1, max_transmissions: 2")
        .exits(1)
        .says("no answer from 10.1.1.51:9 after 2 transmissions");
}

/// The fault as a change of the web servers' part; the verdict has its cause, and speaks of no AAA.
#[test]
fn a_request_that_fails_has_the_causes_that_a_login_has() {
    for (fault, code) in [
        ("real_servers: {servers: {vip: null}}", "vip-missing"),
        (
            "real_servers: {servers: {tunnel: null, sysctls: {net.ipv4.conf.tunl0.rp_filter: null}}}",
            "tunnel-missing",
        ),
        (
            "real_servers: {servers: {sysctls: {net.ipv4.conf.tunl0.rp_filter: 1, \
             net.ipv4.conf.all.rp_filter: 1}}}",
            "rp-filter",
        ),
        ("tcp_servers: {web: {listen: own}}", "not-listening-at-vip"),
        (
            "load_balancers: {lb: {virtual_servers: {vs_http_80: {translate_address: true}}}}",
            "destination-translated",
        ),
    ] {
        let desk = Desk::new();
        let steps = "steps: {get: {http_get: {timeout: 0.5}}}";
        desk.write("scenarios/case.yaml", format!("extends: parts/http.yaml\n{fault}\n{steps}\n"));
        let ended = Ended::of(desk.command(&["run", "-v", "scenarios/case.yaml"]).output());
        let ended = ended.exits(1);
        ended.says(&format!("[{code}]"));
        for word in ["TACACS", "RADIUS", "login"] {
            assert!(!ended.stdout.contains(word), "{code}: {word} in {}", ended.stdout);
        }
    }
}

/// The proof changes the servers' own part of the file.
#[test]
fn a_server_that_does_not_listen_at_the_vip_is_proved() {
    let desk = Desk::new();
    let fault = "extends: parts/http.yaml\ntcp_servers: {web: {listen: own}}\n";
    desk.write("scenarios/case.yaml", fault);
    let ended = Ended::of(desk.command(&["diagnose", "scenarios/case.yaml"]).output());
    ended.exits(1).says("[not-listening-at-vip] (proved)").says("listen: any");
}

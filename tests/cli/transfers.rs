//! The step that moves bytes over a TCP connection: how it ends, and what it says of its end.

use crate::support::{Desk, Ended};

/// Runs a transfer from the client straight to rs1, with these keys, and this rule of the client's.
fn transfer(keys: &str, rule: &str) -> Ended {
    let desk = Desk::new();
    let yaml = format!(
        "topology: ../topologies/one-segment.yaml
filters: {{f: {{nodes: rs1, input: '{rule}'}}}}
steps:
  move: {{tcp_transfer: {{from: client, to: 10.1.1.51:5001{keys}}}}}
expect:
  move: {{answer: {{result: pass}}, pass: all bytes arrived, fail: some bytes did not arrive}}
"
    );
    desk.write("scenarios/case.yaml", yaml);
    Ended::of(desk.command(&["run", "-v", "scenarios/case.yaml"]).output())
}

const NOTHING: &str = "udp dport 9 drop";

#[test]
fn all_bytes_arrive_in_either_direction_or_in_none() {
    for (keys, says) in [
        ("", "100000 of 100000 bytes arrived at the server, and 100000 of 100000 at the client"),
        (", send: 0", "0 of 0 bytes arrived at the server, and 100000 of 100000 at the client"),
        (", receive: 1", "100000 of 100000 bytes arrived at the server, and 1 of 1 at the client"),
        (", send: 0, receive: 0, servers: rs1", "0 of 0 bytes arrived at the server"),
    ] {
        transfer(keys, NOTHING).exits(0).says(says).says("; rs1 served it");
    }
}

#[test]
fn a_transfer_whose_long_segments_are_lost_times_out_and_says_how_far_it_came() {
    transfer(", receive: 0, timeout: 2", "tcp dport 5001 ip length > 1000 drop")
        .exits(1)
        .says("the transfer ended with timeout")
        .says("not done after 2s: 0 of 100000 bytes arrived at the server, and 0 of 0");
}

#[test]
fn a_transfer_without_a_connection_is_refused() {
    transfer("", "tcp dport 5001 reject with tcp reset")
        .exits(1)
        .says("the transfer ended with refused")
        .says("a RST came back");
}

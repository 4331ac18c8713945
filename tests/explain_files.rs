//! Captures of others, explained together with configurations, states and counters of their devices.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod support;

use support::captures::capture_of;
use support::{Desk, shipped};

const STATE: &str = "1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536\n    link/loopback 00:00:00:00:00:00\n    \
                     inet 127.0.0.1/8 scope host lo\n\
                     2: eth0: <BROADCAST,UP,LOWER_UP> mtu 1500\n    link/ether 02:00:00:00:00:01\n    \
                     inet 10.1.1.51/24 scope global eth0\n\
                     3: tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480\n    link/ipip 0.0.0.0 brd 0.0.0.0\n";
const BIGIP: &str = "ltm pool p {\n    members { 10.1.1.51:49 { address 10.1.1.51 } }\n    profiles { ipip }\n}\n\
                     ltm virtual vs {\n    destination 172.16.4.99:49\n    ip-protocol tcp\n    pool p\n    \
                     translate-address disabled\n    translate-port disabled\n}\n";

#[test]
fn a_servers_state_decides_what_its_captures_leave_open() {
    let desk = Desk::new();
    let capture = capture_of(&desk, "faults/vip-missing");
    desk.labsim(&["explain", &capture]).exits(0).says("NOT DECIDABLE ");
    std::fs::create_dir(desk.path("rs1")).unwrap();
    desk.write("rs1/ip-addr.txt", STATE);
    desk.write("bigip.conf", BIGIP);
    let files = ["--linux", "rs1=rs1", "--f5", "bigip.conf"];
    let with_files = [&["explain", capture.as_str()], &files[..]].concat();
    let ended = desk.labsim(&with_files).exits(0);
    ended
        .says("CAUSE SHOWN [vip-missing] ")
        .says("rs1's files show 172.16.4.99 on none of its devices (rs1/ip-addr.txt:3 and below).");
    let ended = desk.labsim(&[&with_files[..], &["--ticket"]].concat()).exits(0);
    ended.says("rs1/ip-addr.txt:3");
}

#[test]
fn counters_are_read_from_the_folder_of_a_servers_state() {
    let desk = Desk::new();
    let capture = capture_of(&desk, "faults/vip-missing");
    std::fs::create_dir(desk.path("rs1")).unwrap();
    desk.write("rs1/nstat-before.txt", "#kernel\nIpInAddrErrors 3 0.0\n");
    desk.write("rs1/nstat-after.txt", "#kernel\nIpInAddrErrors 9 0.0\n");
    let counters = "rs1=rs1/nstat-before.txt,rs1/nstat-after.txt";
    for files in [["--linux", "rs1=rs1"], ["--counters", counters]] {
        let ended = desk.labsim(&[&["explain", capture.as_str()], &files[..]].concat()).exits(0);
        ended
            .says("possible, among others: vip-missing, ")
            .says("rs1 did not have the address of 6 packets in the meantime");
    }
}

#[test]
fn files_that_say_nothing_are_named() {
    let desk = Desk::new();
    let page = shipped().join("labsim/captures/tests/data/login.md");
    std::fs::copy(page, desk.path("login.md")).unwrap();
    desk.write("empty.conf", "sys dns { }\n");
    desk.write("state.txt", STATE);
    let explain = |files: &[&str]| desk.labsim(&[&["explain", "login.md"], files].concat());
    explain(&["--f5", "empty.conf"]).exits(2).says("no virtual server can be imported");
    explain(&["--f5", "missing.conf"]).exits(2).says("missing.conf: ");
    explain(&["--linux", "state.txt"]).exits(2).says("write NODE=FILE");
    explain(&["--counters", "rs1=state.txt,state.txt"]).exits(2).says("no counters of the kernel");
    explain(&["--linux", "rs1=state.txt"]).exits(0).says("the files of rs1 were not used");
}

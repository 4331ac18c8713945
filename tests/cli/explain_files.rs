//! Captures of others, explained together with configurations, states and counters of their devices.

use crate::support::captures::{capture_of, frames, pcap};
use crate::support::{Desk, shipped};

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

#[test]
fn files_of_one_capture_are_one_point_whose_frames_are_counted_on() {
    let desk = Desk::new();
    let capture = capture_of(&desk, "tacacs-ipip");
    let all = frames(&desk, &capture);
    let of_client: Vec<_> = all
        .iter()
        .filter(|(point, _)| point == "client:eth0")
        .map(|(_, frame)| (frame.time_ns.unwrap(), frame.original_length, &frame.bytes[..]))
        .collect();
    let (one, other) = of_client.split_at(of_client.len() / 2);
    desk.write("c_00001_20260131120000.pcap", pcap(one.iter().copied()));
    desk.write("c_00002_20260131120100.pcap", pcap(other.iter().copied()));
    let explain = |files: [&str; 2]| desk.labsim(&["explain", files[0], files[1]]).exits(0);
    let parts = ["c_00001_20260131120000.pcap", "c_00002_20260131120100.pcap"];
    let ended = explain(parts);
    ended
        .says("1 capture point, 1 TCP connection")
        .says("c_00001_20260131120000.pcap: the first of 2 files of one capture");
    // In the other order the second one begins before the first one ends.
    let ended = explain([parts[1], parts[0]]);
    ended.says("2 capture points, 1 TCP connection");
}

#[test]
fn what_is_printed_for_others_has_no_address_and_no_name_of_the_capture() {
    let desk = Desk::new();
    let capture = capture_of(&desk, "faults/vip-missing");
    desk.write("acme.txt", STATE);
    desk.write("bigip-acme.conf", BIGIP);
    let files = ["--linux", "rs1=acme.txt", "--f5", "bigip-acme.conf", "--redact"];
    for form in [&[][..], &["--ticket"], &["--json"]] {
        let ended =
            desk.labsim(&[&["explain", capture.as_str()], &files[..], form].concat()).exits(0);
        let printed = ended.stdout + &ended.stderr;
        assert!(printed.contains("198.18.0."), "{printed}");
        for original in
            ["172.16.4.99", "10.1.1.", "192.168.11.", "acme", "vip-missing/", "rs1", "lb:"]
        {
            assert!(!printed.contains(original), "{original} is left:\n{printed}");
        }
    }
}

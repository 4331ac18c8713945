//! Labs for what was captured elsewhere: `labsim explain --reproduce`.

use crate::support::captures::{capture_of, split};
use crate::support::{Desk, shipped};
use serde_json::Value;
use std::fs;

/// A desk with our own page of three captures.
fn desk() -> Desk {
    let desk = Desk::new();
    let page = shipped().join("labsim/captures/tests/data/login.md");
    fs::copy(page, desk.path("login.md")).unwrap();
    desk
}

#[test]
fn the_page_with_three_captures_has_the_packets_of_a_lab_without_a_fault() {
    let desk = desk();
    let ended = desk.labsim(&["explain", "login.md", "--reproduce", "labs"]).exits(0);
    ended
        .says(
            "  192.168.11.201:61067 -> 172.16.4.99:49: the same packets as in a network without a fault\n",
        )
        .says("    same     healthy: Nothing is wrong\n");
    let read = |name: &str| fs::read_to_string(desk.path("labs/connection-1").join(name)).unwrap();
    let (topology, scenario) = (read("topology.yaml"), read("healthy.yaml"));
    for part in ["eth0: 192.168.11.201/24", "eth0: 10.1.1.52/24", "net.ipv4.ip_default_ttl: 128"] {
        assert!(topology.contains(part), "{topology}");
    }
    for part in ["profile: ipip", "outer_source: client", "\"10.1.1.52:49\"", "vip: 172.16.4.99"] {
        assert!(scenario.contains(part), "{scenario}");
    }
    desk.labsim(&["validate", "labs/connection-1/healthy.yaml"]).exits(0);
}

#[test]
fn nothing_is_overwritten() {
    let desk = desk();
    fs::create_dir(desk.path("labs")).unwrap();
    fs::write(desk.path("labs/own.txt"), "mine").unwrap();
    let ended = desk.labsim(&["explain", "login.md", "--reproduce", "labs"]).exits(2);
    assert!(
        ended.stderr.contains("the folder is not empty, and nothing is overwritten"),
        "{ended:?}"
    );
    assert_eq!(fs::read_dir(desk.path("labs")).unwrap().count(), 1);
    desk.labsim(&["explain", "login.md", "--reproduce", "labs", "--redact"]).exits(2);
}

#[test]
fn the_causes_of_a_silent_server_are_tried_one_by_one() {
    let desk = desk();
    let capture = capture_of(&desk, "faults/vip-missing");
    let places = [("client:eth0", "c.pcap"), ("lb:eth0", "l.pcap"), ("rs1:eth0", "s.pcap")];
    for (point, file) in places {
        split(&desk, &capture, point, file, 0, 65_535);
    }
    let files = ["client=c.pcap", "load-balancer=l.pcap", "server=s.pcap"];
    let reproduce = ["explain", "--json", "--reproduce", "labs"];
    let ended = desk.labsim(&[&reproduce[..], &files].concat()).exits(0);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let connection = &document["reproduction"]["connections"][0];
    let reproduced = connection["reproduced"].as_array().unwrap();
    assert!(reproduced.contains(&"vip-missing".into()), "{connection}");
    let labs = connection["labs"].as_array().unwrap();
    let result = |cause: Value| {
        let lab = labs.iter().find(|lab| lab["cause"] == cause).unwrap();
        lab["result"].clone()
    };
    assert_eq!(result(Value::Null), "differs", "{connection}");
    assert_eq!(result("vip-missing".into()), "same", "{connection}");
    // The kernel answers what is in no tunnel of its own with an ICMP error, which was not captured.
    assert_eq!(result("tunnel-missing".into()), "differs", "{connection}");
    assert!(desk.path("labs/connection-1/vip-missing.yaml").exists());
}

#[test]
fn a_login_by_ipv6_has_the_packets_of_a_lab_without_a_fault() {
    let desk = Desk::new();
    let capture = capture_of(&desk, "ipv6/tacacs-6in4");
    let places = [("client:eth0", "c.pcap"), ("lb:eth0", "l.pcap"), ("rs1:eth0", "s.pcap")];
    for (point, file) in places {
        split(&desk, &capture, point, file, 0, 65_535);
    }
    let files = ["client=c.pcap", "load-balancer=l.pcap", "server=s.pcap"];
    let ended = desk.labsim(&[&["explain", "--reproduce", "labs"][..], &files].concat()).exits(0);
    ended.says("    same     healthy: Nothing is wrong\n");
    let read = |name: &str| fs::read_to_string(desk.path("labs/connection-1").join(name)).unwrap();
    let (topology, scenario) = (read("topology.yaml"), read("healthy.yaml"));
    for part in ["\"2001:db8:11::201/64\"", "10.1.1.51/24", "hop_limit: 128"] {
        assert!(topology.contains(part), "{topology}");
    }
    for part in ["profile: ipip", "\"10.1.1.51:49\"", "vip: \"2001:db8:4::99\""] {
        assert!(scenario.contains(part), "{scenario}");
    }
}

const BIGIP: &str = "net self s {\n    address 172.16.0.10/24\n}\n\
                     ltm profile fastl4 f {\n    defaults-from fastL4\n    idle-timeout 77\n}\n\
                     ltm pool p {\n    members { 10.1.1.51:49 { address 10.1.1.51 } 10.1.1.52:49 { address 10.1.1.52 } }\n    \
                     profiles { gre }\n    load-balancing-mode least-connections-member\n    monitor gateway_icmp\n}\n\
                     ltm virtual vs {\n    destination 172.16.4.99:49\n    ip-protocol tcp\n    pool p\n    \
                     profiles { f { } }\n    translate-address disabled\n    translate-port disabled\n}\n";

#[test]
fn what_packets_do_not_show_of_the_network_is_taken_from_a_configuration() {
    let desk = desk();
    let capture = capture_of(&desk, "tacacs-gre");
    split(&desk, &capture, "client:eth0", "c.pcap", 0, 65_535);
    desk.write("bigip.conf", BIGIP);
    let ended = desk.labsim(&["explain", "client=c.pcap", "--reproduce", "assumed"]).exits(0);
    ended.says("assumed: how packets come to the server is not shown: IPIP is assumed");
    let with = ["explain", "client=c.pcap", "--f5", "bigip.conf", "--reproduce", "labs"];
    let ended = desk.labsim(&with).exits(0);
    ended
        .says("the server is not shown: in GRE, as ltm virtual vs says (bigip.conf:10)")
        .says("the server's own address is not shown: the first member of ltm virtual vs is taken (bigip.conf:9)")
        .says("the load balancer's own address is not shown: the configuration's is taken (bigip.conf:1)")
        .says("the idle timeout is not shown: ltm virtual vs (bigip.conf:14) forgets a flow after 77 s")
        .says("    same     healthy: Nothing is wrong\n");
    let scenario = fs::read_to_string(desk.path("labs/connection-1/healthy.yaml")).unwrap();
    for part in [
        "profile: gre",
        "\"10.1.1.51:49\"",
        "idle_timeout: 77",
        "load_balancing_mode: least_connections",
        "monitor: {",
        "# Assumed: the pool has the monitor",
        "are set up as it is: server2 is 10.1.1.52:49 (bigip.conf:9)",
        "members: [\"10.1.1.51:49\", \"10.1.1.52:49\"]",
        "further: {nodes: [server2], tunnel: gre, vip: 172.16.4.99",
    ] {
        assert!(scenario.contains(part), "{scenario}");
    }
    let topology = fs::read_to_string(desk.path("labs/connection-1/topology.yaml")).unwrap();
    assert!(topology.contains("server2: {interfaces: {eth0: 10.1.1.52/24}"), "{topology}");
}

#[test]
fn a_fault_shows_at_the_server_although_the_pool_has_others_and_a_monitor() {
    let desk = desk();
    let capture = capture_of(&desk, "faults/vip-missing");
    let places = [("client:eth0", "c.pcap"), ("lb:eth0", "l.pcap"), ("rs1:eth0", "s.pcap")];
    for (point, file) in places {
        split(&desk, &capture, point, file, 0, 65_535);
    }
    desk.write("bigip.conf", BIGIP.replace("gre", "ipip").replace("monitor gateway_icmp", "monitor see_vip").replace(
        "ltm pool p",
        "ltm monitor tcp see_vip {\n    interval 5\n    timeout 16\n    transparent enabled\n}\nltm pool p",
    ));
    let files = ["client=c.pcap", "load-balancer=l.pcap", "server=s.pcap", "--f5", "bigip.conf"];
    let reproduce = ["explain", "--json", "--reproduce", "labs"];
    let ended = desk.labsim(&[&reproduce[..], &files].concat()).exits(0);
    let document: Value = serde_json::from_str(&ended.stdout).unwrap();
    let connection = &document["reproduction"]["connections"][0];
    let result = |name: &str| {
        let labs = connection["labs"].as_array().unwrap();
        labs.iter().find(|lab| lab["name"] == name).unwrap()["result"].clone()
    };
    assert_eq!(
        (result("healthy"), result("vip-missing")),
        ("differs".into(), "same".into()),
        "{connection}"
    );
    let read = |name: &str| fs::read_to_string(desk.path("labs/connection-1").join(name)).unwrap();
    assert!(read("healthy.yaml").contains("transparent: true"), "{connection}");
    assert!(read("vip-missing.yaml").contains("extends: one-server.yaml"), "{connection}");
    let alone = "members: [\"10.1.1.51:49\", {address: \"10.1.1.52:49\", state: forced_offline}], monitor: null";
    assert!(read("one-server.yaml").contains(alone), "{connection}");
}

/// Runs a lab without a fault, and waits until the pool's monitor finds all members up.
fn all_members_come_up(desk: &Desk, folder: &str, members: &[&str]) {
    let waits = members.iter().enumerate().map(|(number, member)| {
        format!("  up{number}: {{await_member: {{node: lb, pool: pool, member: \"{member}\", state: up}}}}\n")
    });
    let text = format!("extends: healthy.yaml\nsteps:\n{}", waits.collect::<String>());
    desk.write(&format!("{folder}/watched.yaml"), text);
    desk.labsim(&["run", &format!("{folder}/watched.yaml")]).exits(0);
}

#[test]
fn the_labs_servers_answer_monitors_of_tacacs_and_radius_and_transparent_ones() {
    let desk = desk();
    let capture = capture_of(&desk, "tacacs-ipip");
    split(&desk, &capture, "client:eth0", "t.pcap", 0, 65_535);
    let capture = capture_of(&desk, "radius-ipip");
    split(&desk, &capture, "client:eth0", "r.pcap", 0, 65_535);
    desk.write(
        "a10.txt",
        "health monitor m\n  interval 1\n  method tacplus username u password hunter2 secret hunter2\n\
         slb server a 10.1.1.51\n  port 49 tcp\nslb server b 10.1.1.52\n  port 49 tcp\n\
         slb service-group g tcp\n  health-check m\n  member a 49\n  member b 49\n\
         slb virtual-server v 172.16.4.99\n  port 49 tcp\n    service-group g\n    no-dest-nat\n    ipinip\n",
    );
    let udp = BIGIP
        .replace(":49", ":1812")
        .replace("ip-protocol tcp", "ip-protocol udp")
        .replace("gre", "ipip");
    let radius = "ltm monitor radius m {\n    interval 1\n    username u\n    password hunter2\n    secret hunter2\n}\n";
    desk.write("bigip.conf", format!("{radius}{}", udp.replace("gateway_icmp", "m")));
    let seen = "ltm monitor tcp m {\n    interval 1\n    transparent enabled\n}\n";
    desk.write(
        "seen.conf",
        format!("{seen}{}", BIGIP.replace("gre", "ipip").replace("gateway_icmp", "m")),
    );
    for (number, (file, option, configuration, port, monitor)) in [
        ("t.pcap", "--a10", "a10.txt", 49, "monitor: {tacacs: {interval: 1"),
        ("r.pcap", "--f5", "bigip.conf", 1812, "monitor: {radius: {interval: 1"),
        ("t.pcap", "--f5", "seen.conf", 49, "transparent: true"),
    ]
    .into_iter()
    .enumerate()
    {
        let (labs, client) = (format!("labs{number}"), format!("client={file}"));
        let ended = desk.labsim(&["explain", &client, option, configuration, "--reproduce", &labs]);
        let ended = ended.exits(0);
        ended.says("    same     healthy: Nothing is wrong\n").says("the pool has the monitor");
        assert!(!ended.stdout.contains("hunter2"), "{ended:?}");
        let folder = format!("{labs}/connection-1");
        let scenario = fs::read_to_string(desk.path(&format!("{folder}/healthy.yaml"))).unwrap();
        assert!(scenario.contains(monitor), "{scenario}");
        all_members_come_up(
            &desk,
            &folder,
            &[&format!("10.1.1.51:{port}"), &format!("10.1.1.52:{port}")],
        );
    }
}

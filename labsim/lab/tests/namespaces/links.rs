//! Links that fail and come back while a lab runs.

use crate::captures::{NONE, start};
use crate::hosts::{node, udp};
use crate::shape::{build, device, name, pair, route, scenario, shipped, userspace_mode};
use labsim_lab::{Lab, LabPlan, MarkerKind};
use labsim_test_support::{PATIENCE, soon, wait_for};
use std::time::{Duration, Instant};

labsim_test_support::tests![
    a_link_that_fails_carries_nothing_and_one_that_is_back_carries_at_once,
    both_ends_of_a_link_know_that_it_failed,
    routes_and_addresses_of_both_families_come_back,
    links_that_are_down_are_not_waited_for,
    a_marker_that_is_lost_is_sent_again,
    a_point_is_proven_alive_until_its_link_is_set_down,
    an_interface_that_is_not_there_is_refused,
];

fn set(lab: &Lab, of: &str, interface: &str, up: bool) {
    lab.set_link(&name(of), &device(interface), up).unwrap_or_else(|error| panic!("{error}"));
}

/// Whether the kernel has a device up and with a carrier (`IFF_RUNNING`, netdevice(7)).
fn runs(lab: &Lab, of: &str, interface: &str) -> bool {
    let flags = || {
        let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
        labsim_sys::device::flags_of(&socket, interface).unwrap()
    };
    node(lab, of).run(flags).unwrap() & libc::IFF_RUNNING != 0
}

fn a_link_that_fails_carries_nothing_and_one_that_is_back_carries_at_once() {
    let lab = shipped();
    let server = udp(node(&lab, "rs2"), "10.1.1.52:700");
    let client = udp(node(&lab, "client"), "0.0.0.0:0");
    let mut room = [0; 9];
    client.send_to(b"before", "10.1.1.52:700").unwrap();
    assert_eq!(server.recv_from(&mut room).unwrap().0, 6);
    let capture = start(&lab);
    capture.before_down(&name("rs2"), &device("eth0"), soon()).unwrap();
    set(&lab, "rs2", "eth0", false);
    client.send_to(b"meanwhile", "10.1.1.52:700").unwrap();
    // Whatever was on the other links has arrived: the datagram has gone to where it gets lost.
    assert_eq!(capture.flush(soon()).unwrap().silent, ["rs2:eth0"]);
    set(&lab, "rs2", "eth0", true);
    client.send_to(b"after", "10.1.1.52:700").unwrap();
    let (length, from) = server.recv_from(&mut room).unwrap();
    assert_eq!(room[..length], *b"after");
    // The way back leads over the default route.
    server.send_to(b"answer", from).unwrap();
    assert_eq!(client.recv_from(&mut room).unwrap().0, 6);
}

fn both_ends_of_a_link_know_that_it_failed() {
    let lab = shipped();
    let ends = |of, interface| (runs(&lab, of, interface), runs(&lab, "router", of));
    assert_eq!(ends("client", "eth0"), (true, true));
    set(&lab, "client", "eth0", false);
    assert_eq!(ends("client", "eth0"), (false, false));
    assert_eq!(ends("lb", "eth0"), (true, true), "another link's");
    set(&lab, "client", "eth0", true);
    assert_eq!(ends("client", "eth0"), (true, true));
}

fn routes_and_addresses_of_both_families_come_back() {
    let mut topology = pair();
    for (node, own) in topology.nodes.iter_mut().zip(["fd00::1/64", "fd00::2/64"]) {
        node.interfaces[0].addresses.push(own.parse().unwrap());
    }
    topology.nodes[0].routes.push(route("fd00:7::/64", "fd00::2", "eth0"));
    let mut scenario = scenario();
    scenario.real_servers.clear();
    scenario.topology = topology;
    let lab = build(&LabPlan::of(&scenario, userspace_mode()));
    set(&lab, "a", "eth0", false);
    let client = || node(&lab, "a").udp_socket("[::]:0".parse().unwrap()).unwrap();
    let routed = |to: &str| client().connect(to).is_ok();
    assert!(!routed("[fd00::2]:700") && !routed("[fd00:7::1]:700") && !routed("10.7.7.7:700"));
    set(&lab, "a", "eth0", true);
    assert!(routed("[fd00::2]:700") && routed("[fd00:7::1]:700"));
    let client = udp(node(&lab, "a"), "0.0.0.0:0");
    client.connect("10.7.7.7:700").unwrap();
    let server = udp(node(&lab, "b"), "[fd00::2]:700");
    let client = udp(node(&lab, "a"), "[fd00::1]:0");
    client.send_to(b"six", "[fd00::2]:700").unwrap();
    assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 3);
}

fn links_that_are_down_are_not_waited_for() {
    let lab = shipped();
    let capture = start(&lab);
    for down in ["rs1", "client"] {
        capture.before_down(&name(down), &device("eth0"), soon()).unwrap();
        set(&lab, down, "eth0", false);
    }
    let began = Instant::now();
    // The other end of the one link has no carrier, and takes nothing.
    let silent = ["client:eth0", "router:client", "rs1:eth0"];
    assert_eq!(capture.flush(soon()).unwrap().silent, silent);
    // On the segment, the frames of those that are up are still waited for.
    let server = udp(node(&lab, "rs2"), "10.1.1.52:700");
    let before = capture.frames();
    let neighbour = udp(node(&lab, "rs3"), "0.0.0.0:0");
    neighbour.send_to(b"hello", "10.1.1.52:700").unwrap();
    assert_eq!(capture.flush(soon()).unwrap().silent, silent);
    assert!(capture.frames() > before);
    assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 5);
    for up in ["rs1", "client"] {
        set(&lab, up, "eth0", true);
        capture.after_up(&name(up), &device("eth0"));
    }
    assert_eq!(capture.flush(soon()).unwrap().silent, NONE);
    assert!(began.elapsed() < PATIENCE, "some flush has waited to its end");
}

fn a_marker_that_is_lost_is_sent_again() {
    let lab = shipped();
    let capture = start(&lab);
    let began = Instant::now();
    // The segment's frames for rs1 are lost, for a while that the capture is not told of.
    set(&lab, "rs1", "eth0", false);
    let silent = std::thread::scope(|scope| {
        scope.spawn(|| {
            // Behind the first markers.
            wait_for("markers", || capture.markers() > 0);
            std::thread::sleep(Duration::from_millis(20));
            set(&lab, "rs1", "eth0", true);
        });
        capture.flush(soon()).unwrap().silent
    });
    assert_eq!(silent, ["rs1:eth0"], "none could be sent there at first");
    assert!(capture.markers() > 1, "all the others have arrived at once");
    assert!(began.elapsed() < PATIENCE, "the flush has waited to its end");
}

fn a_point_is_proven_alive_until_its_link_is_set_down() {
    let lab = shipped();
    let capture = start(&lab);
    capture.before_down(&name("client"), &device("eth0"), soon()).unwrap();
    set(&lab, "client", "eth0", false);
    let marked = capture.mark(MarkerKind::End, soon()).unwrap();
    assert_eq!(marked.silent, ["client:eth0", "router:client"]);
    let captured = capture.stop().unwrap();
    let ended = |of: &str, interface: &str| {
        let point = captured.find_point(&name(of), &device(interface)).unwrap();
        captured.points[point].ended_ns.unwrap()
    };
    let (client, router) = (ended("client", "eth0"), ended("router", "client"));
    assert!(client.max(router) < ended("router", "lb"));
}

fn an_interface_that_is_not_there_is_refused() {
    let lab = shipped();
    for (of, interface) in [("client", "eth7"), ("client", "lo"), ("rs9", "eth0")] {
        let refused = lab.set_link(&name(of), &device(interface), false).unwrap_err().to_string();
        assert!(refused.contains(&format!("{of}:{interface} down")), "{refused}");
    }
}

//! Routes, kernel settings, addresses and filters that change while a lab runs.

use crate::hosts::{node, udp};
use crate::shape::{build, device, name, userspace_mode};
use labsim_lab::{Lab, LabPlan};
use labsim_scenario::model::filter::Decided;
use labsim_scenario::model::{
    FilterName, NodeChange, Place, RouteMetrics, RouteTarget, Scope, Setting,
};
use std::io::ErrorKind;
use std::net::UdpSocket;

labsim_test_support::tests![
    a_route_is_replaced_and_removed_in_both_families,
    an_address_that_is_added_takes_packets_at_once_and_one_that_is_removed_takes_none,
    a_setting_is_written_and_what_the_kernel_rejects_is_named,
    a_filter_keeps_its_counters_while_it_is_out,
    a_link_that_comes_back_has_the_plans_routes,
    what_is_not_there_cannot_be_removed,
];

const LAB: &str = "\
nodes:
  a: {interfaces: {eth0: [10.0.0.1/24, 'fd00::1/64']}}
  router: {forward: true, interfaces: {left: [10.0.0.254/24, 'fd00::254/64'], right: [10.0.1.254/24, 'fd01::254/64']}}
  b: {interfaces: {eth0: [10.0.1.2/24, 'fd01::2/64']}}
links:
  - ['a:eth0', 'router:left']
  - ['router:right', 'b:eth0']
";

const CASE: &str = "\
topology: topology.yaml
filters: {f: {nodes: router, state: absent, forward: udp dport 700 drop}}
steps: {none: {send_packet: {from: a, source: 10.0.0.1, destination: 10.0.1.2, destination_port: 9}}}
expect: {none: {frames: {at: 'b:eth0', match: {ttl: 1}, count: 0}, pass: none, fail: some}}
";

fn lab() -> Lab {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("topology.yaml"), LAB).unwrap();
    let case = folder.path().join("case.yaml");
    std::fs::write(&case, CASE).unwrap();
    let loaded = labsim_scenario::load(&case);
    let scenario = loaded.unwrap_or_else(|error| panic!("{error}")).scenario;
    build(&LabPlan::of(&scenario, userspace_mode()))
}

fn change(lab: &Lab, change: &NodeChange) {
    lab.change_node(change).unwrap_or_else(|error| panic!("{error}"));
}

fn route(destination: &str, target: RouteTarget) -> NodeChange {
    NodeChange::Route { node: name("a"), destination: destination.parse().unwrap(), target }
}

fn via(address: &str) -> RouteTarget {
    RouteTarget::Via {
        via: address.parse().unwrap(),
        interface: device("eth0"),
        metrics: RouteMetrics { mtu: Some(1400), advmss: None },
    }
}

fn address(present: bool, text: &str) -> NodeChange {
    NodeChange::Address {
        node: name("b"),
        interface: device("eth0"),
        address: text.parse().unwrap(),
        scope: Scope::Global,
        present,
    }
}

/// What sending a datagram from `a` to that address ends with.
fn sent(lab: &Lab, to: &str) -> Result<usize, ErrorKind> {
    let any = if to.starts_with('[') { "[::]:0" } else { "0.0.0.0:0" };
    let socket: UdpSocket = udp(node(lab, "a"), any);
    socket.send_to(b"x", to).map_err(|error| error.kind())
}

fn a_route_is_replaced_and_removed_in_both_families() {
    let lab = lab();
    for (to, prefix, hop) in
        [("10.0.1.2:700", "10.0.1.0/24", "10.0.0.254"), ("[fd01::2]:700", "fd01::/64", "fd00::254")]
    {
        let taken = udp(node(&lab, "b"), to);
        change(&lab, &route(prefix, RouteTarget::Unreachable));
        assert_eq!(sent(&lab, to), Err(ErrorKind::HostUnreachable), "{to}");
        change(&lab, &route(prefix, RouteTarget::Blackhole));
        assert_eq!(sent(&lab, to), Err(ErrorKind::InvalidInput), "ip-route(8): EINVAL");
        change(&lab, &route(prefix, via(hop)));
        assert_eq!(sent(&lab, to), Ok(1));
        assert_eq!(taken.recv_from(&mut [0; 9]).unwrap().0, 1);
        change(&lab, &route(prefix, RouteTarget::Removed));
        // The default route is left.
        assert_eq!(sent(&lab, to), Ok(1));
        let everything = if to.starts_with('[') { "::/0" } else { "0.0.0.0/0" };
        change(&lab, &route(everything, RouteTarget::Removed));
        assert_eq!(sent(&lab, to), Err(ErrorKind::NetworkUnreachable));
        change(&lab, &route(everything, via(hop)));
        assert_eq!(sent(&lab, to), Ok(1));
    }
}

fn an_address_that_is_added_takes_packets_at_once_and_one_that_is_removed_takes_none() {
    let lab = lab();
    for (text, at) in [("10.0.1.9/24", "10.0.1.9:700"), ("fd01::9/64", "[fd01::9]:700")] {
        let bind = || UdpSocket::bind(at).map(drop).map_err(|error| error.kind());
        let bound = || node(&lab, "b").run(bind).unwrap();
        assert_eq!(bound(), Err(ErrorKind::AddrNotAvailable));
        change(&lab, &address(true, text));
        let taken = udp(node(&lab, "b"), at);
        assert_eq!(sent(&lab, at), Ok(1));
        assert_eq!(taken.recv_from(&mut [0; 9]).unwrap().0, 1);
        drop(taken);
        change(&lab, &address(false, text));
        assert_eq!(bound(), Err(ErrorKind::AddrNotAvailable));
    }
}

fn sysctl(key: &str, value: &str) -> NodeChange {
    let place = Place { file: "case.yaml".into(), line: 7 };
    let setting = Setting { value: value.into(), place };
    NodeChange::Sysctls { node: name("a"), sysctls: [(key.to_owned(), setting)].into() }
}

fn a_setting_is_written_and_what_the_kernel_rejects_is_named() {
    let lab = lab();
    change(&lab, &sysctl("net.ipv4.ip_default_ttl", "7"));
    let read = || std::fs::read_to_string("/proc/sys/net/ipv4/ip_default_ttl").unwrap();
    assert_eq!(node(&lab, "a").run(read).unwrap().trim(), "7");
    assert_ne!(node(&lab, "b").run(read).unwrap().trim(), "7");
    let refused = lab.change_node(&sysctl("net.ipv4.ip_default_ttl", "700")).unwrap_err();
    let refused = refused.to_string();
    assert!(refused.starts_with("case.yaml:7: a: sysctl net.ipv4.ip_default_ttl"), "{refused}");
}

fn a_filter_keeps_its_counters_while_it_is_out() {
    let lab = lab();
    let taken = udp(node(&lab, "b"), "10.0.1.2:700");
    let filter = |present| NodeChange::Filter { filter: FilterName::new("f").unwrap(), present };
    let dropped = || {
        let counted = node(&lab, "router").filtered().unwrap();
        let rule = counted.into_iter().find(|one| one.by == "udp dport 700 drop");
        rule.map(|Decided { packets, .. }| packets)
    };
    // A packet of its own, that comes after all others, shows that they were forwarded or not.
    let probe = udp(node(&lab, "b"), "10.0.1.2:701");
    let send = || {
        assert_eq!(sent(&lab, "10.0.1.2:700"), Ok(1));
        assert_eq!(sent(&lab, "10.0.1.2:701"), Ok(1));
        probe.recv_from(&mut [0; 9]).unwrap();
    };
    assert_eq!(dropped(), Some(0));
    send();
    assert_eq!(taken.recv_from(&mut [0; 9]).unwrap().0, 1);
    for number in 1..=2 {
        change(&lab, &filter(true));
        send();
        assert_eq!(dropped(), Some(number));
        change(&lab, &filter(false));
        assert_eq!(dropped(), Some(number));
    }
    send();
    assert_eq!(taken.recv_from(&mut [0; 9]).unwrap().0, 1);
}

fn a_link_that_comes_back_has_the_plans_routes() {
    let lab = lab();
    change(&lab, &route("0.0.0.0/0", RouteTarget::Blackhole));
    change(&lab, &route("::/0", RouteTarget::Blackhole));
    for up in [false, true] {
        lab.set_link(&name("a"), &device("eth0"), up).unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(sent(&lab, "10.0.1.2:700"), Ok(1));
    assert_eq!(sent(&lab, "[fd01::2]:700"), Ok(1));
}

fn what_is_not_there_cannot_be_removed() {
    let lab = lab();
    for wrong in [route("10.7.0.0/16", RouteTarget::Removed), address(false, "10.0.1.7/24")] {
        let refused = lab.change_node(&wrong).unwrap_err().to_string();
        assert!(refused.starts_with(&wrong.to_string()), "{refused}");
    }
}

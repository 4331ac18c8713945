//! What nodes are: connected, configured as asked, and like the kernel's defaults elsewhere.

use crate::shape::{build, device, name, pair, route, scenario, shipped, sysctls, userspace_mode};
use labsim_lab::{Lab, LabPlan, Node};
use labsim_scenario::model::{Route, RouteMetrics};
use labsim_test_support::PATIENCE;
use std::collections::BTreeSet;
use std::fs::read_to_string;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};

labsim_test_support::tests![
    the_kernels_route_has_all_next_hops_of_the_plans,
    udp_crosses_the_router_at_once,
    tcp_crosses_the_router_at_once,
    every_interface_is_in_its_node_and_no_other,
    sysctls_are_set,
    fresh_nodes_have_the_kernels_defaults,
    hosts_send_no_tail_loss_probes_unless_they_are_told_to,
    addresses_have_scope_and_label,
    routes_say_of_packet_sizes_what_the_server_says,
    ipv6_works_at_once_where_it_is_wanted,
    no_device_makes_an_ipv6_address_by_itself,
    counters_count_from_zero,
    the_plan_is_the_same_twice_and_shows_what_is_built,
];

pub(crate) fn node<'a>(lab: &'a Lab, text: &str) -> &'a Node {
    lab.node(&name(text)).unwrap()
}

/// A UDP socket that gives up after a while.
pub(crate) fn udp(node: &Node, address: &str) -> UdpSocket {
    let socket = node.udp_socket(address.parse().unwrap()).unwrap();
    socket.set_nonblocking(false).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    socket
}

fn file(node: &Node, path: &str) -> String {
    node.run(|| read_to_string(path)).unwrap().unwrap().trim().to_owned()
}

fn hosts_send_no_tail_loss_probes_unless_they_are_told_to() {
    let probes =
        |lab: &Lab, host: &str| file(node(lab, host), "/proc/sys/net/ipv4/tcp_early_retrans");
    let lab = shipped();
    assert_eq!((probes(&lab, "client").as_str(), probes(&lab, "rs2").as_str()), ("0", "0"));
    let mut scenario = scenario();
    let client = &mut scenario.topology.nodes[0];
    assert_eq!(client.name.as_str(), "client");
    client.sysctls = sysctls(&[("net.ipv4.tcp_early_retrans", "3")]);
    let lab = build(&LabPlan::of(&scenario, userspace_mode()));
    assert_eq!((probes(&lab, "client").as_str(), probes(&lab, "rs2").as_str()), ("3", "0"));
}

fn routes_say_of_packet_sizes_what_the_server_says() {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteMetric};
    let mut scenario = scenario();
    let server = scenario.real_servers.get_mut(&name("rs1")).unwrap();
    server.routes = RouteMetrics { mtu: Some(1480), advmss: Some(1400) };
    let lab = build(&LabPlan::of(&scenario, userspace_mode()));
    let metrics = |of: &str| {
        let all = || {
            let question = RouteNetlinkMessage::GetRoute(RouteMessage::default());
            labsim_sys::netlink::Socket::open().unwrap().dump(question).unwrap()
        };
        let all = node(&lab, of).run(all).unwrap().into_iter().filter_map(|it| match it {
            RouteNetlinkMessage::NewRoute(route) => Some(route),
            _ => None,
        });
        let of_default = |it: &RouteMessage| it.header.destination_prefix_length == 0;
        let attributes = all.filter(of_default).flat_map(|route| route.attributes);
        let metrics = attributes.filter_map(|it| match it {
            RouteAttribute::Metrics(metrics) => Some(metrics),
            _ => None,
        });
        metrics.flatten().collect::<Vec<_>>()
    };
    let mut found = metrics("rs1");
    found.retain(|it| !matches!(it, RouteMetric::Other(_)));
    assert_eq!(found, [RouteMetric::Mtu(1480), RouteMetric::Advmss(1400)]);
    assert_eq!(metrics("rs2"), []);
}

fn the_kernels_route_has_all_next_hops_of_the_plans() {
    use netlink_packet_route::RouteNetlinkMessage;
    use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
    let mut topology = pair();
    let hops = ["10.0.0.2", "10.0.0.3"];
    let via = hops.map(|hop| hop.parse().unwrap()).to_vec();
    topology.nodes[0].routes = vec![Route { via, ..route("10.7.0.0/24", hops[0], "eth0") }];
    let lab = build(&LabPlan::of_topology(&topology));
    let all = || {
        let question = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        labsim_sys::netlink::Socket::open().unwrap().dump(question).unwrap()
    };
    let all = node(&lab, "a").run(all).unwrap();
    let attributes = all.into_iter().filter_map(|it| match it {
        RouteNetlinkMessage::NewRoute(route) => Some(route.attributes),
        _ => None,
    });
    let found = attributes.flatten().filter_map(|it| match it {
        RouteAttribute::MultiPath(hops) => Some(hops),
        _ => None,
    });
    let gateways = found.flatten().flat_map(|hop| hop.attributes).filter_map(|it| match it {
        RouteAttribute::Gateway(RouteAddress::Inet(address)) => Some(address.to_string()),
        _ => None,
    });
    assert_eq!(gateways.collect::<Vec<_>>(), hops);
}

fn udp_crosses_the_router_at_once() {
    let lab = shipped();
    let server = udp(node(&lab, "rs2"), "10.1.1.52:700");
    let client = udp(node(&lab, "client"), "0.0.0.0:0");
    client.send_to(b"first", "10.1.1.52:700").unwrap();
    let (length, from) = server.recv_from(&mut [0; 9]).unwrap();
    assert_eq!((length, from.ip().to_string().as_str()), (5, "192.168.11.201"));
}

fn tcp_crosses_the_router_at_once() {
    let lab = shipped();
    let listener = node(&lab, "rs3").tcp_listener("10.1.1.53:49".parse().unwrap()).unwrap();
    listener.set_nonblocking(false).unwrap();
    let echo = std::thread::spawn(move || {
        let (mut stream, from) = listener.accept().unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        (from.ip().to_string(), text)
    });
    let connect = || TcpStream::connect_timeout(&"10.1.1.53:49".parse().unwrap(), PATIENCE);
    let mut stream = node(&lab, "client").run(connect).unwrap().unwrap();
    stream.write_all(b"login").unwrap();
    drop(stream);
    assert_eq!(echo.join().unwrap(), ("192.168.11.201".to_owned(), "login".to_owned()));
}

fn interfaces(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| Some(line.split_once(':')?.0.trim().to_owned())).collect()
}

fn every_interface_is_in_its_node_and_no_other() {
    let lab = shipped();
    for (text, expected) in [
        ("client", vec!["eth0", "lo"]),
        ("router", vec!["client", "lb", "lo", "servers"]),
        ("rs1", vec!["eth0", "lo", "tunl0"]),
    ] {
        let seen = interfaces(&file(node(&lab, text), "/proc/thread-self/net/dev"));
        // Kernels with tunnel modules put devices of their own into every namespace.
        let own = ["tunl0", "gre0", "gretap0", "erspan0", "sit0", "ip6tnl0", "ip6gre0", "ip_vti0"];
        let planned: BTreeSet<_> = expected.iter().map(|it| (*it).to_owned()).collect();
        let beyond = seen.difference(&planned).filter(|it| !own.contains(&it.as_str()));
        assert_eq!(beyond.collect::<Vec<_>>(), Vec::<&String>::new(), "{text}");
        assert!(planned.is_subset(&seen), "{text}: {seen:?}");
    }
}

fn sysctls_are_set() {
    let mut scenario = scenario();
    scenario.topology.nodes[0].sysctls =
        sysctls(&[("net.ipv4.conf.eth0.arp_notify", "1"), ("net.ipv4.tcp_syn_retries", "3")]);
    let lab = build(&LabPlan::of(&scenario, userspace_mode()));
    for (text, path, value) in [
        ("client", "conf/eth0/arp_notify", "1"),
        ("client", "tcp_syn_retries", "3"),
        ("client", "ip_forward", "0"),
        ("router", "ip_forward", "1"),
        ("lb", "ip_forward", "0"),
        ("rs1", "conf/all/rp_filter", "2"),
        ("rs1", "conf/all/arp_ignore", "3"),
        ("rs1", "conf/all/arp_announce", "2"),
        ("rs1", "conf/tunl0/rp_filter", "0"),
        ("lb", "conf/all/rp_filter", "0"),
    ] {
        let path = format!("/proc/sys/net/ipv4/{path}");
        assert_eq!(file(node(&lab, text), &path), value, "{text} {path}");
    }
}

fn fresh_nodes_have_the_kernels_defaults() {
    let lab = build(&LabPlan::of_topology(&pair()));
    for device in ["all", "default", "lo", "eth0"] {
        for (setting, value) in [
            ("rp_filter", "0"),
            ("arp_ignore", "0"),
            ("arp_announce", "0"),
            ("accept_redirects", "1"),
            ("send_redirects", "1"),
            ("accept_local", "0"),
            ("log_martians", "0"),
            ("route_localnet", "0"),
            ("medium_id", "0"),
        ] {
            let path = format!("/proc/sys/net/ipv4/conf/{device}/{setting}");
            assert_eq!(file(node(&lab, "a"), &path), value, "{path}");
        }
    }
}

fn addresses_have_scope_and_label() {
    let lab = shipped();
    let rs1 = node(&lab, "rs1");
    // An address of scope host is no source for other hosts: the server's own is.
    let source = rs1.run(|| {
        let socket = UdpSocket::bind("0.0.0.0:0")?;
        socket.connect("192.168.11.201:9")?;
        socket.local_addr()
    });
    assert_eq!(source.unwrap().unwrap().ip().to_string(), "10.1.1.51");
    // The interface list of ioctl shows labels (netdevice(7)).
    let labels = rs1.run(|| {
        nix::ifaddrs::getifaddrs()
            .unwrap()
            .filter(|it| it.address.is_some_and(|it| it.to_string().starts_with("172.16.4.99")))
            .map(|it| it.interface_name)
            .collect::<Vec<_>>()
    });
    assert_eq!(labels.unwrap(), ["lo:0"]);
}

fn ipv6_works_at_once_where_it_is_wanted() {
    let mut topology = pair();
    for (node, address) in topology.nodes.iter_mut().zip(["fd00::1/64", "fd00::2/64"]) {
        node.interfaces[0].addresses.push(address.parse().unwrap());
    }
    let lab = build(&LabPlan::of_topology(&topology));
    let server = udp(node(&lab, "b"), "[fd00::2]:700");
    let client = udp(node(&lab, "a"), "[fd00::1]:0");
    client.send_to(b"six", "[fd00::2]:700").unwrap();
    assert_eq!(server.recv_from(&mut [0; 9]).unwrap().0, 3);
}

fn no_device_makes_an_ipv6_address_by_itself() {
    let lab = shipped();
    for it in lab.nodes() {
        let addresses = file(it, "/proc/thread-self/net/if_inet6");
        let beyond = addresses.lines().filter(|line| !line.ends_with(" lo"));
        assert_eq!(beyond.collect::<Vec<_>>(), Vec::<&str>::new(), "{}", it.name());
    }
}

fn counters_count_from_zero() {
    let lab = build(&LabPlan::of_topology(&pair()));
    let (a, b) = (node(&lab, "a"), node(&lab, "b"));
    assert_eq!(b.counters().unwrap()["UdpNoPorts"], 0);
    let client = udp(a, "0.0.0.0:0");
    client.connect("10.0.0.2:9").unwrap();
    client.send(b"nobody").unwrap();
    // The refusal tells that the packet has been dealt with.
    assert!(client.recv(&mut [0; 9]).is_err());
    let counters = b.counters().unwrap();
    assert_eq!(counters["UdpNoPorts"], 1);
    assert!(counters.contains_key("TcpInCsumErrors"), "{counters:?}");
    assert!(counters.contains_key("IpInUnknownProtos"), "{counters:?}");
    assert!(counters.contains_key("TcpExtIPReversePathFilter"), "{counters:?}");
    assert!(b.interface_counters().unwrap()["eth0"].rx_packets >= 2);
}

fn the_plan_is_the_same_twice_and_shows_what_is_built() {
    let plan = LabPlan::of(&scenario(), userspace_mode());
    assert_eq!(plan, LabPlan::of(&scenario(), userspace_mode()));
    let text = plan.to_string();
    for line in [
        "node rs2",
        "  address 10.1.1.52/32 dev tunl0 scope host",
        "  address 172.16.4.99/32 dev lo scope host label lo:0",
        "  route 172.16.4.99/32 via 172.16.3.2 dev lb",
        "  sysctl net.ipv4.conf.tunl0.rp_filter = 0",
        "link client:eth0 -- router:client",
        "  port to rs3:eth0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line}\nis missing in\n{text}");
    }
    assert!(plan.node(&name("rs1")).is_some_and(|it| it.interfaces[0].name == device("eth0")));
}

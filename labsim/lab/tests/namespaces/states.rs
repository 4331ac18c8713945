//! What a node is set up with is read as it is.

use crate::hosts::{node, udp};
use crate::shape::{VIP, build, device, name, pair, scenario, shipped, userspace_mode};
use labsim_lab::{Lab, LabPlan, TunnelMode, probe};
use labsim_model::node_state::{
    AddressScope, Device, NeighbourState, OuterPacket, RouteKind, RouteQuery, SocketState,
    TunnelDeviceKind,
};
use labsim_model::{NodeState, StatePart};
use labsim_scenario::model::TunnelKind;
use std::net::IpAddr;
use std::process::Command;

labsim_test_support::tests![
    a_real_servers_addresses_settings_and_routes_are_read,
    a_device_that_stands_for_a_tunnel_is_that_tunnel,
    the_kernels_tunnel_is_read_or_its_absence_is_known,
    sockets_are_found_where_they_listen,
    neighbours_and_links_are_read_as_they_are,
    a_route_that_refuses_is_found,
    counters_are_read_again_once_something_came_in,
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn state(lab: &Lab, of: &str) -> NodeState {
    let state = node(lab, of).state().unwrap();
    let unread: Vec<_> = state.incomplete.iter().collect();
    assert_eq!(unread, [] as [(&StatePart, &String); 0]);
    state
}

fn a_real_servers_addresses_settings_and_routes_are_read() {
    let state = state(&shipped(), "rs1");
    let vip: Vec<_> = state
        .addresses_at(ip(VIP))
        .map(|one| (one.device.as_str(), one.address.prefix_len(), one.scope))
        .collect();
    assert_eq!(vip, [("lo", 32, AddressScope::Host)]);
    assert!(state.addresses_at(ip("10.1.1.51")).any(|one| one.device == "eth0"));
    assert!(state.addresses.iter().all(|one| one.is_usable()));
    assert_eq!(state.sysctls.rp_filter("tunl0"), Some(2), "the greater of 2 and 0");
    assert_eq!(state.sysctls.arp_ignore("eth0"), Some(3));
    assert_eq!(state.sysctls.forwards_ipv4("eth0"), Some(false));
    assert_eq!(state.sysctls.get("net.ipv4.ip_no_pmtu_disc"), Some("0"));
    let to_client = state.route(&RouteQuery::to(ip("192.168.11.201"))).unwrap();
    assert_eq!(to_client.next_hops[0].gateway, Some(ip("10.1.1.1")));
    assert_eq!(to_client.next_hops[0].device.as_deref(), Some("eth0"));
    let own = state.route(&RouteQuery::to(ip(VIP))).unwrap();
    assert_eq!((own.kind, own.table), (RouteKind::Local, 255));
    assert!(state.rules.iter().any(|rule| rule.ipv4 && rule.priority == 32766));
}

fn outer(protocol: u8) -> OuterPacket {
    let (source, destination) = (ip("172.16.3.2"), ip("10.1.1.51"));
    OuterPacket { source, destination, protocol, key: None }
}

fn takes(state: &NodeState, protocol: u8) -> Vec<&str> {
    state.tunnels_for(&outer(protocol)).into_iter().map(|device| device.name.as_str()).collect()
}

fn a_device_that_stands_for_a_tunnel_is_that_tunnel() {
    for mode in [userspace_mode(), TunnelMode::UserspaceVeth] {
        let state = state(&build(&LabPlan::of(&scenario(), mode)), "rs1");
        let device = state.device("tunl0").unwrap();
        let tunnel = device.tunnel.as_ref().unwrap();
        assert_eq!((tunnel.kind, tunnel.userspace), (TunnelDeviceKind::Ipip, true));
        assert!(device.up, "{device:?}");
        assert!(takes(&state, 4).contains(&"tunl0"));
        assert!(!takes(&state, 47).contains(&"tunl0"));
    }
}

fn the_kernels_tunnel_is_read_or_its_absence_is_known() {
    let built = Lab::build(&LabPlan::of(&scenario(), TunnelMode::Kernel));
    match (probe::kernel_tunnel(TunnelKind::Ipip), built) {
        (Ok(()), Ok(lab)) => {
            let state = state(&lab, "rs1");
            let device = state.device("tunl0").unwrap();
            let tunnel = device.tunnel.as_ref().unwrap();
            assert_eq!((tunnel.kind, tunnel.userspace), (TunnelDeviceKind::Ipip, false));
            assert_eq!(takes(&state, 4), ["tunl0"]);
        }
        (Err(_), Err(_)) => {
            // Without the module no namespace has its device.
            let mut scenario = scenario();
            scenario.real_servers.clear();
            let state = state(&build(&LabPlan::of(&scenario, userspace_mode())), "rs1");
            assert!(state.device("tunl0").is_none() && takes(&state, 4).is_empty());
        }
        (probed, built) => panic!("{probed:?} and {built:?}"),
    }
}

fn sockets_are_found_where_they_listen() {
    let lab = shipped();
    let rs1 = node(&lab, "rs1");
    let _tcp = rs1.tcp_listener("10.1.1.51:49".parse().unwrap()).unwrap();
    let _udp = udp(rs1, "0.0.0.0:1812");
    let _six = rs1.tcp_listener("[::]:50".parse().unwrap()).unwrap();
    let _raw = rs1.tunnel_sockets(TunnelKind::Ipip).unwrap();
    let state = state(&lab, "rs1");
    let to = |text: &str| text.parse().unwrap();
    assert_eq!(state.sockets_for(6, to("172.16.4.99:49")).count(), 0);
    assert_eq!(state.sockets_for(6, to("10.1.1.51:49")).count(), 1);
    let at_port: Vec<_> = state.sockets_at_port(6, 49).map(|one| (one.local, one.state)).collect();
    assert_eq!(at_port, [(to("10.1.1.51:49"), SocketState::Listening)]);
    assert_eq!(state.sockets_for(17, to("172.16.4.99:1812")).count(), 1);
    assert_eq!(state.sockets_for(6, to("[2001:db8::1]:50")).count(), 1);
    assert!(state.sockets.iter().any(|one| one.raw && one.protocol == 4));
}

fn neighbours_and_links_are_read_as_they_are() {
    let lab = build(&LabPlan::of_topology(&pair()));
    let (a, b) = (node(&lab, "a"), node(&lab, "b"));
    let (near, far) = (udp(a, "10.0.0.1:7"), udp(b, "10.0.0.2:7"));
    near.send_to(b"x", "10.0.0.2:7").unwrap();
    far.recv_from(&mut [0; 9]).unwrap();
    let before = state(&lab, "a");
    let known: Vec<_> = before.neighbours_at(ip("10.0.0.2")).collect();
    let [known] = &known[..] else { panic!("{known:?}") };
    assert_eq!((known.device.as_str(), known.state), ("eth0", NeighbourState::Reachable));
    assert_eq!(known.mac, state(&lab, "b").device("eth0").unwrap().mac);
    let eth0 = before.device("eth0").unwrap();
    assert_eq!((eth0.kind.as_deref(), eth0.up, eth0.carrier), (Some("veth"), true, true));
    assert_eq!((eth0.mtu, eth0.tunnel.is_none()), (1500, true));
    lab.set_link(&name("b"), &device("eth0"), false).unwrap();
    let after = state(&lab, "a");
    let is = |device: &Device| (device.up, device.carrier);
    assert_eq!(is(after.device("eth0").unwrap()), (true, false), "its other end is down");
    assert_eq!(is(state(&lab, "b").device("eth0").unwrap()), (false, false));
}

fn a_route_that_refuses_is_found() {
    let lab = build(&LabPlan::of_topology(&pair()));
    let mut ip_route = Command::new("ip");
    ip_route.args(["route", "add", "unreachable", "10.9.0.0/16"]);
    match node(&lab, "a").spawn(&mut ip_route) {
        Ok(mut child) => {
            let ended = child.wait().unwrap();
            assert!(ended.success(), "{ended:?}");
            let state = state(&lab, "a");
            let route = state.route(&RouteQuery::to(ip("10.9.1.1"))).unwrap();
            assert!(route.refuses() && route.kind == RouteKind::Unreachable, "{route:?}");
        }
        // A machine without iproute2.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
}

fn counters_are_read_again_once_something_came_in() {
    let lab = build(&LabPlan::of_topology(&pair()));
    let (a, b) = (node(&lab, "a"), node(&lab, "b"));
    let before = b.counter_text().unwrap();
    assert_eq!(b.counter_text_since(Some(&before)).unwrap(), before);
    let sender = udp(a, "10.0.0.1:7");
    sender.send_to(b"x", "10.0.0.2:9").unwrap();
    let deadline = labsim_test_support::soon();
    loop {
        let after = b.counter_text_since(Some(&before)).unwrap();
        if after.risen_since(&before).get("UdpNoPorts") == Some(&1) {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "{:?}", after.risen_since(&before));
    }
    let before = a.counter_text().unwrap();
    let unreachable = sender.send_to(b"x", "192.0.2.1:9");
    // The default route's next hop is b, so that it has a way; without one only a counter rises.
    let after = a.counter_text_since(Some(&before)).unwrap();
    assert!(unreachable.is_ok() && after.risen_since(&before).contains_key("UdpOutDatagrams"));
}

//! What is written is valid, whatever the network.

use crate::configured::Settings;
use crate::faults;
use crate::hops::Hops;
use crate::members::Members;
use crate::members::tests::{beside, configured};
use crate::network::{Carriage, Network};
use crate::scenario::{HEALTHY, ONE_SERVER, faulty, healthy, one_server, words};
use crate::service::Service;
use crate::topology::Topology;
use crate::wiring::Wiring;
use labsim_explain::Protocol;
use std::fs;
use std::path::Path;

/// IPv4 inside of tunnels, and outside.
type Families = (bool, bool);

const IPV4: Families = (true, true);

fn network(
    (inside, outside): Families,
    carriage: Carriage,
    service: Service,
    protocol: Protocol,
    hops: Hops,
) -> Network {
    let address =
        |is_ipv4: bool, [v4, v6]: [&str; 2]| if is_ipv4 { v4 } else { v6 }.parse().unwrap();
    // Who shares a segment with the servers has an address there.
    let balancer = if hops.between_balancer_and_server() == 0 {
        ["10.1.1.10", "2001:db8:1::10"]
    } else {
        ["172.16.0.10", "2001:db8:16::10"]
    };
    Network {
        protocol,
        client: address(inside, ["192.168.11.201", "2001:db8:11::201"]),
        vip: address(inside, ["172.16.4.99", "2001:db8:4::99"]),
        port: 49,
        server: address(outside, ["10.1.1.52", "2001:db8:1::52"]),
        balancer: address(outside, balancer),
        is_shown: (true, true),
        narrow_mtu: Some(1400),
        member_port: 49,
        carriage,
        outer_source_is_client: inside == outside,
        hops,
        client_ttl: 128,
        server_ttl: 64,
        has_timestamps: false,
        settings: None,
        members: Members::default(),
        client_mss: Some(1400),
        server_mss: Some(1440),
        service,
        assumptions: Vec::new(),
    }
}

fn is_valid(path: &Path) {
    if let Err(errors) = labsim_scenario::load(path) {
        panic!("{}\n{errors}", fs::read_to_string(path).unwrap());
    }
}

/// Writes the files of a network, and counts the faults.
fn check(network: &Network) -> usize {
    let dir = tempfile::tempdir().unwrap();
    let mut network = network.clone();
    let topology = Topology::new(&network).unwrap();
    network.settle_members(topology.unplaced());
    let network = &network;
    let write =
        |name: &str, text: &str| fs::write(dir.path().join(format!("{name}.yaml")), text).unwrap();
    let is_valid = |name: &str| is_valid(&dir.path().join(format!("{name}.yaml")));
    write("topology", &topology.text("# Test.\n", network, Wiring::Usual));
    write(HEALTHY, &healthy("# Test.\n", network));
    is_valid(HEALTHY);
    if let Some(text) = one_server("# Test.\n", network) {
        write(ONE_SERVER, &text);
        is_valid(ONE_SERVER);
    }
    let words = words(network, &topology);
    let mut count = 0;
    for fault in faults::all() {
        let Some(text) = faulty(("# Test.\n", network), fault, &words) else { continue };
        let wired = topology.wired(fault.wiring).unwrap();
        let topology = wired.text("# Test.\n", network, fault.wiring);
        write(fault.wiring.file(), &topology);
        write("fault", &text);
        is_valid("fault");
        count += 1;
    }
    count
}

const ROUTED: [(u8, u8, Option<u8>); 4] =
    [(1, 1, Some(1)), (2, 1, Some(2)), (2, 3, Some(4)), (1, 1, None)];

#[test]
fn every_fault_in_every_tunnel_is_a_valid_scenario() {
    for carriage in [Carriage::Ipip, Carriage::Gre, Carriage::Gue] {
        for (first, second, third) in ROUTED {
            let hops = Hops::new(first, second, third);
            let tcp = network(IPV4, carriage, Service::login(), Protocol::Tcp, hops);
            assert!(check(&tcp) > 25, "{hops:?}");
            let udp = network(IPV4, carriage, Service::radius(), Protocol::Udp, hops);
            assert!(check(&udp) > 20, "{hops:?}");
        }
    }
}

#[test]
fn every_fault_in_every_tunnel_of_ipv6_and_of_both_families_is_a_valid_scenario() {
    for families in [(false, false), (false, true), (true, false)] {
        for carriage in [Carriage::Ipip, Carriage::Gre, Carriage::Gue] {
            let hops = Hops::new(2, 1, Some(2));
            let tcp = network(families, carriage, Service::login(), Protocol::Tcp, hops);
            assert!(check(&tcp) > 20, "{families:?}");
            let udp = network(families, carriage, Service::radius(), Protocol::Udp, hops);
            assert!(check(&udp) > 15, "{families:?}");
        }
    }
}

#[test]
fn one_segment_and_translations_are_valid_scenarios() {
    for families in [IPV4, (false, false)] {
        let network =
            |carriage, hops| network(families, carriage, Service::login(), Protocol::Tcp, hops);
        for hops in [Hops::new(1, 0, Some(1)), Hops::new(2, 0, Some(2))] {
            assert!(check(&network(Carriage::Direct, hops)) > 3);
        }
        for source in [true, false] {
            let carriage = Carriage::Translated { source };
            assert!(check(&network(carriage, Hops::new(1, 1, None))) > 5);
        }
    }
}

/// A pool with members on the server's network, on others, and where a lab has no place for them.
fn pool() -> Members {
    let far = ["10.1.1.51", "10.1.1.53", "10.7.0.1", "10.7.0.2", "192.168.11.50", "10.1.1.255"];
    let all: Vec<_> = far.into_iter().map(|it| configured(it, 1)).collect();
    beside(&all, labsim_model::LoadBalancingMode::RoundRobin)
}

#[test]
fn every_fault_beside_further_members_and_a_monitor_is_a_valid_scenario() {
    let monitors = [
        (Protocol::Tcp, "{tacacs: {interval: 5, transparent: true}}"),
        (Protocol::Udp, "{radius: {interval: 5}}"),
        (Protocol::Tcp, "tcp"),
        (Protocol::Udp, "{icmp: {transparent: true}}"),
    ];
    for (protocol, monitor) in monitors {
        for hops in ROUTED.map(|(first, second, third)| Hops::new(first, second, third)) {
            let service = match protocol {
                Protocol::Tcp => Service::login(),
                Protocol::Udp => Service::radius(),
            };
            let settings = Settings { monitor: Some(monitor.to_owned()), ..Settings::default() };
            let alone = network(IPV4, Carriage::Ipip, service, protocol, hops);
            let network = Network { settings: Some(settings), members: pool(), ..alone };
            assert!(check(&network) > 20, "{hops:?}");
        }
    }
    let shared =
        network(IPV4, Carriage::Direct, Service::login(), Protocol::Tcp, Hops::new(1, 0, Some(1)));
    assert!(check(&Network { members: pool(), ..shared }) > 3);
    // Tunnels of IPv4 for a VIP of IPv6: each host has an address of both.
    let mixed = network(
        (false, true),
        Carriage::Ipip,
        Service::login(),
        Protocol::Tcp,
        Hops::new(2, 1, Some(2)),
    );
    assert!(check(&Network { members: pool(), ..mixed }) > 20);
}

#[test]
fn further_members_are_on_the_servers_network_or_behind_the_router_next_to_it() {
    let alone =
        network(IPV4, Carriage::Ipip, Service::login(), Protocol::Tcp, Hops::new(1, 1, Some(1)));
    let mut network = Network { members: pool(), ..alone };
    let topology = Topology::new(&network).unwrap();
    let text = topology.text("", &network, Wiring::Usual);
    for part in [
        "server2: {interfaces: {eth0: 10.1.1.51/24}, routes: {default: 10.1.1.1}",
        "server3: {interfaces: {eth0: 10.1.1.53/24}",
        "server4: {interfaces: {eth0: 10.7.0.1/24}, routes: {default: 10.7.0.3}",
        "server5: {interfaces: {eth0: 10.7.0.2/24}",
        "\"server:eth0\", \"server2:eth0\", \"server3:eth0\"]",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // The client's network has one, and the other is the address of a network's broadcasts.
    let unplaced: Vec<String> = topology.unplaced().iter().map(ToString::to_string).collect();
    assert_eq!(unplaced, ["192.168.11.50", "10.1.1.255"]);
    network.settle_members(topology.unplaced());
    let scenario = healthy("", &network);
    for part in [
        "\"10.1.1.52:49\", \"10.1.1.51:49\", \"10.1.1.53:49\", \"10.7.0.1:49\", \"10.7.0.2:49\"]",
        "further: {nodes: [server2, server3, server4, server5], tunnel: ipip, vip: 172.16.4.99",
        "further: {nodes: [server2, server3, server4, server5], port: 49",
    ] {
        assert!(scenario.contains(part), "{part}: {scenario}");
    }
    let said = network.assumptions.join("\n");
    assert!(
        said.contains("no network of the lab has room for its address: 192.168.11.50"),
        "{said}"
    );
    assert!(
        said.contains("in the labs with a fault the pool's further members are forced offline"),
        "{said}"
    );
}

//! What is written is valid, whatever the network.

use crate::faults;
use crate::hops::Hops;
use crate::network::{Carriage, Network};
use crate::scenario::{faulty, healthy, words};
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
    let topology = Topology::new(network).unwrap();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("topology.yaml", &topology.text("# Test.\n", network, Wiring::Usual));
    write("healthy.yaml", &healthy("# Test.\n", network));
    is_valid(&dir.path().join("healthy.yaml"));
    let words = words(network, &topology);
    let mut count = 0;
    for fault in faults::all() {
        let Some(text) = faulty("# Test.\n", fault, &words) else { continue };
        let wired = topology.wired(fault.wiring).unwrap();
        let topology = wired.text("# Test.\n", network, fault.wiring);
        write(&format!("{}.yaml", fault.wiring.file()), &topology);
        write("fault.yaml", &text);
        is_valid(&dir.path().join("fault.yaml"));
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

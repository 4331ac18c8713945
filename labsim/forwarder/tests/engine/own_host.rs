//! A load balancer whose host has the VIP on an interface, or is a member of a pool.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    CheckedConfig, Config, Engine, HostRoute, Instant, Kept, Outcome, Port, PortRange, Route,
    Service, SourceTranslation,
};
use labsim_wire::arp;
use labsim_wire::ethernet::Mac;
use std::net::IpAddr;

/// The host has this address too, on another interface.
fn port_with(elsewhere: IpAddr) -> Port {
    Port { elsewhere: vec![elsewhere], ..port() }
}

/// The host has the VIP, and is the pool's only member.
fn own_member() -> Config {
    let mut config = config();
    config.balancer.pools.get_mut("pool").unwrap().members = vec![member("10.9.9.2:49")];
    // The host does not have this one.
    config.balancer.virtual_servers.remove("near");
    config
}

fn bench(config: &Config, port: Port) -> Bench {
    let engine = Engine::new(config, port, &routes()).unwrap();
    let now = Instant::from_nanos(1_000_000_000_000);
    let mut bench = Bench { engine, now, sent: Vec::new() };
    bench.tick();
    bench.feed(&arp_reply());
    bench.sent.clear();
    bench
}

#[test]
fn what_no_virtual_server_takes_at_the_hosts_vip_is_left_to_the_host() {
    let mut bench = bench(&config(), port_with(VIP.into()));
    for frame in [
        Tcp { destination_port: 50, ..tcp(SYN) }.frame(),
        udp(1, 50, b"x"),
        frame(US, header_of(CLIENT, VIP, 89), b"another protocol"),
        frame(US, header_of(CLIENT, VIP, 4), &[0x45; 40]),
    ] {
        assert_eq!(bench.feed(&frame), Outcome::LeftToHost);
    }
    assert!(bench.take().is_empty());
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    // And at the other VIP, which the host has not, the forwarder answers.
    bench.take();
    let closed = Tcp { destination: NEAR_VIP, destination_port: 50, ..tcp(SYN) };
    assert_eq!(bench.feed(&closed.frame()), Outcome::NoVirtualServer);
}

#[test]
fn the_host_answers_arp_for_a_vip_of_its_own() {
    let asks = |bench: &mut Bench| {
        let request = arp::Packet {
            operation: arp::operation::REQUEST,
            sender_mac: ROUTER,
            sender_ip: ROUTER_IP,
            target_mac: labsim_wire::ethernet::Mac::default(),
            target_ip: NEAR_VIP,
        };
        bench.feed(&arp_frame(labsim_wire::ethernet::Mac::BROADCAST, &request))
    };
    assert_eq!(asks(&mut Bench::new(&config())), Outcome::ArpAnswered);
    assert_eq!(asks(&mut bench(&config(), port_with(NEAR_VIP.into()))), Outcome::ArpLearned);
}

#[test]
fn a_member_that_is_the_host_gets_whole_packets_at_the_interfaces_own_address() {
    let mut bench = bench(&own_member(), port_with(VIP.into()));
    let last_hop = Tcp { ttl: 1, ..tcp(SYN) }.frame();
    assert_eq!(bench.feed(&last_hop), Outcome::DeliveredToHost);
    let sent = bench.take_one();
    assert_eq!((&sent[..6], &sent[6..12]), (&US.0[..], &US.0[..]));
    assert_eq!(sent[14..], last_hop[14..], "nothing is changed in a packet that has arrived");
    assert_eq!(bench.counters().members["pool"]["10.9.9.2:49"].sent.packets, 1);
}

#[test]
fn a_filter_keeps_from_the_host_what_is_the_forwarders_alone() {
    let service = |protocol| Some(Service { protocol, ports: Some(49.into()) });
    let kept = |address: IpAddr, service| Kept { address, service };
    let (vip, near) = (IpAddr::from(VIP), IpAddr::from(NEAR_VIP));
    let engine = Engine::new(&config(), port_with(vip), &routes()).unwrap();
    let expected = [kept(near, None), kept(vip, service(6)), kept(vip, service(17))];
    assert_eq!(engine.rx_filter().kept_from_host, expected);
    assert_eq!(engine.rx_filter().owned, [near, vip]);
    let mut config = config();
    config.balancer.virtual_servers.remove("udp");
    let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    server.destination = "172.16.4.99:80,8000-8010".parse().unwrap();
    let engine = Engine::new(&config, port_with(vip), &routes()).unwrap();
    let ports = |first, last| Some(Service { protocol: 6, ports: Some(PortRange { first, last }) });
    let expected = [kept(near, None), kept(vip, ports(80, 80)), kept(vip, ports(8000, 8010))];
    assert_eq!(engine.rx_filter().kept_from_host, expected);
}

#[test]
fn a_member_that_is_the_host_needs_the_vip_there_and_no_translation() {
    let refusal = |config: &Config, port: Port| {
        let problems = Engine::new(config, port, &routes()).unwrap_err();
        assert!(!problems.is_empty());
        problems[0].to_string()
    };
    let without = refusal(&own_member(), port());
    assert!(without.contains("does not have the VIP 172.16.4.99"), "{without}");
    let mut config = own_member();
    let servers = &mut config.balancer.virtual_servers;
    servers.get_mut("tcp").unwrap().source_address_translation = SourceTranslation::Automap;
    let translated = refusal(&config, port_with(VIP.into()));
    assert!(translated.contains("could not be translated back"), "{translated}");
}

#[test]
fn what_asks_everybody_on_another_interface_is_not_dropped_but_the_kernels() {
    let mut bench = Bench::new(&config());
    let routed = |bench: &mut Bench, frame: &[u8]| {
        bench.engine.process_routed(bench.now, frame, &mut bench.sent)
    };
    assert_eq!(routed(&mut bench, &arp_request(NEAR_VIP)), Outcome::ArpIgnored);
    let mut solicitation = vec![0x33, 0x33, 0xff, 0, 0, 0x63];
    solicitation.extend(ROUTER.0);
    solicitation.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 24, 58, 255]);
    solicitation.extend([0; 32]);
    solicitation.extend([135, 0]);
    solicitation.extend([0; 22]);
    assert_eq!(routed(&mut bench, &solicitation), Outcome::NdpIgnored);
    let to_all = frame(Mac::BROADCAST, header_of(CLIENT, VIP, 17), b"to everybody");
    assert_eq!(routed(&mut bench, &to_all), Outcome::NotAddressedToUs);
    assert!(bench.take().is_empty());
}

#[test]
fn a_member_by_a_route_of_the_main_interface_needs_no_tunnel_beside_a_default_route_elsewhere() {
    let mut config = config();
    for server in config.balancer.virtual_servers.values_mut() {
        server.source_address_translation = SourceTranslation::Automap;
    }
    let all = HostRoute { destination: "0.0.0.0/0".parse().unwrap(), source: None };
    let port = Port { host_routes: vec![all], ..port() };
    let via = Some(ROUTER_IP.into());
    let near = Route { destination: "10.1.1.0/24".parse().unwrap(), via, mtu: None };
    let mut engine = Engine::new(&config, port.clone(), &[near]).unwrap();
    engine.reconfigure(Instant::ZERO, CheckedConfig::new(config.clone()).unwrap()).unwrap();
    let problems = Engine::new(&config, port, &[]).unwrap_err();
    let refused = problems[0].to_string();
    assert!(refused.contains("is behind another interface"), "{refused}");
}

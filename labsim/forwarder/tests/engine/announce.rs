//! Own addresses are announced on the segment when they begin to be answered for.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Announcements, CheckedConfig, Config, Instant, IpProtocol, VirtualServer};
use labsim_wire::arp;
use labsim_wire::ethernet::{self, Mac, ethertype};
use labsim_wire::{icmpv6, ipv6};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

/// On the interface's subnet, as the other VIP of [`config`] is not.
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 99);

fn announcing() -> Config {
    let mut config = config();
    config.balancer.faults.clear();
    config
}

/// What the frames announce, and as what: each is a broadcast or goes to all nodes.
fn announced(frames: &[Vec<u8>]) -> Vec<IpAddr> {
    let announcement = |frame: &Vec<u8>| -> Option<IpAddr> {
        let link = ethernet::View::new(frame).unwrap();
        if link.ethertype() == ethertype::ARP {
            let message = arp::Packet::parse(&arp::View::new(link.payload()).unwrap());
            let is_own = message.sender_ip == message.target_ip;
            return is_own.then(|| {
                assert_eq!(message.operation, arp::operation::REQUEST, "RFC 5227 2.3");
                assert_eq!((link.destination(), message.sender_mac), (Mac::BROADCAST, US));
                message.sender_ip.into()
            });
        }
        let ip = ipv6::View::new(link.payload()).ok()?;
        let message = icmpv6::View::new(ip.payload()).ok()?;
        match icmpv6::Message::parse(&message) {
            icmpv6::Message::NeighbourAdvertisement {
                target,
                link: mac,
                solicited: false,
                override_known: true,
                ..
            } => {
                assert_eq!((mac, ip.hop_limit()), (Some(US), 255));
                assert_eq!(ip.destination(), "ff02::1".parse::<std::net::Ipv6Addr>().unwrap());
                Some(target.into())
            }
            _ => None,
        }
    };
    frames.iter().filter_map(announcement).collect()
}

#[test]
fn a_vip_of_the_segment_is_announced_once_when_the_forwarder_starts() {
    let mut bench = Bench::unresolved(&announcing(), &routes());
    assert!(bench.engine.next_deadline().unwrap() <= bench.now);
    bench.tick();
    assert_eq!(announced(&bench.take()), [IpAddr::V4(NEAR)]);
    bench.tick();
    assert!(announced(&bench.take()).is_empty());
    assert_eq!(bench.counters().answers.announcement, 1);
}

#[test]
fn an_address_is_announced_as_often_as_the_configuration_says_and_that_far_apart() {
    let mut config = announcing();
    let interval = Duration::from_millis(100);
    config.balancer.announcements = Announcements { count: 3, interval };
    let mut bench = Bench::unresolved(&config, &routes());
    for _ in 0..3 {
        bench.tick();
        assert_eq!(announced(&bench.take()), [IpAddr::V4(NEAR)]);
        bench.tick();
        assert!(announced(&bench.take()).is_empty(), "before the interval is over");
        bench.now = bench.now.after(interval);
    }
    bench.tick();
    assert!(announced(&bench.take()).is_empty());
    assert_eq!(bench.counters().answers.announcement, 3);
}

#[test]
fn an_address_that_is_taken_away_is_not_announced_again() {
    let mut config = announcing();
    let interval = Duration::from_millis(100);
    config.balancer.announcements = Announcements { count: 3, interval };
    let mut bench = Bench::unresolved(&config, &routes());
    bench.tick();
    assert_eq!(announced(&bench.take()), [IpAddr::V4(NEAR)]);
    config.balancer.virtual_servers.retain(|_, server| server.destination.ip() != NEAR);
    bench.engine.reconfigure(bench.now, CheckedConfig::new(config).unwrap()).unwrap();
    bench.now = bench.now.after(interval);
    bench.tick();
    assert!(announced(&bench.take()).is_empty());
}

#[test]
fn an_ipv6_vip_is_announced_to_all_nodes() {
    let mut config = announcing();
    let vip: IpAddr = "2001:db8:9::99".parse().unwrap();
    let server = VirtualServer {
        ip_protocol: IpProtocol::Udp,
        ..VirtualServer::new(SocketAddr::from((vip, 49)), "pool")
    };
    config.balancer.virtual_servers = [("six".to_owned(), server)].into();
    let mut bench = Bench::unresolved(&config, &routes());
    bench.tick();
    assert_eq!(announced(&bench.take()), [vip]);
}

#[test]
fn a_vip_that_a_new_configuration_adds_is_announced_and_no_other_again() {
    let mut config = announcing();
    let mut bench = Bench::unresolved(&config, &routes());
    bench.tick();
    bench.take();
    let added: IpAddr = "10.9.9.98".parse().unwrap();
    let server = VirtualServer::new(SocketAddr::from((added, 49)), "pool");
    config.balancer.virtual_servers.insert("added".to_owned(), server);
    bench.engine.reconfigure(bench.now, CheckedConfig::new(config).unwrap()).unwrap();
    bench.tick();
    assert_eq!(announced(&bench.take()), [added]);
}

#[test]
fn what_finds_no_room_is_announced_later() {
    let mut bench = Bench::unresolved(&announcing(), &routes());
    bench.engine.tick(Instant::ZERO, &mut Full);
    assert_eq!(bench.engine.next_deadline(), Some(Instant::ZERO));
    bench.tick();
    assert_eq!(announced(&bench.take()), [IpAddr::V4(NEAR)]);
}

#[test]
fn a_forwarder_that_is_faulty_on_purpose_announces_nothing() {
    let mut bench = Bench::unresolved(&config(), &routes());
    bench.tick();
    assert!(announced(&bench.take()).is_empty());
}

#[test]
fn none_is_announced_where_the_configuration_says_zero_times() {
    let mut config = announcing();
    let read = labsim_yaml::read(&labsim_yaml::Source::new("test", "{count: 0}"));
    config.balancer.announcements = read.unwrap();
    assert_eq!(config.balancer.announcements.interval, Duration::from_secs(1), "the default");
    let mut bench = Bench::unresolved(&config, &routes());
    bench.tick();
    assert!(announced(&bench.take()).is_empty());
    assert_eq!(bench.counters().answers.announcement, 0);
}

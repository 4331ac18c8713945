//! Monitors' packets: to one member, the way of clients' packets, and counted nowhere.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::ipv6::{OUR_IP6, Tcp6, VIP6, config6, tcp6};
use crate::support::*;
use labsim_forwarder::{Outcome, OuterSource, Profile};
use labsim_wire::{ipv6, tcp as segment};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// A SYN of the load balancer's own kernel to the VIP.
fn syn() -> Tcp {
    Tcp { source: OUR_IP, source_port: 40_000, ttl: 64, ..tcp(SYN) }
}

fn probe(bench: &mut Bench, member: &str, packet: &[u8]) -> Outcome {
    let now = bench.now;
    bench.engine.probe(now, "pool", address(member), packet, &mut bench.sent)
}

fn sent(bench: &mut Bench, member: &str) -> Outcome {
    probe(bench, member, &syn().frame()[14..])
}

#[test]
fn a_probe_goes_through_the_tunnel_to_the_member_that_it_is_for() {
    for outer_source in [OuterSource::Egress, OuterSource::Client] {
        let mut config = config();
        config.balancer.outer_source = outer_source;
        let mut bench = Bench::new(&config);
        for last in [53, 51, 51] {
            assert_eq!(sent(&mut bench, &format!("10.1.1.{last}:49")), Outcome::Forwarded);
            let frame = bench.take_one();
            let (member, inner) = tunnelled(&frame);
            assert_eq!((member.octets()[3], inner.ttl()), (last, 63));
            assert_eq!((inner.source(), inner.destination()), (OUR_IP, VIP));
            assert_eq!(frame[26..30], OUR_IP.octets(), "the outer source is its own either way");
        }
        let counters = bench.counters();
        assert_eq!((counters.flows.opened, counters.flows.open), (0, 0));
        let packets: u64 = counters.outcomes.values().map(|tally| tally.packets).sum();
        assert_eq!(packets, 1, "the router's ARP reply");
        assert_eq!(counters.members["pool"]["10.1.1.51:49"].sent.packets, 0);
    }
}

#[test]
fn a_probe_meets_what_clients_meet() {
    let mut config = config();
    config.balancer.pools.get_mut("pool").unwrap().members[0] = member("10.1.1.51:4949");
    let mut bench = Bench::new(&config);
    assert_eq!(sent(&mut bench, "10.1.1.51:4949"), Outcome::Forwarded);
    let frame = bench.take_one();
    let inner = tunnelled(&frame).1;
    assert_eq!(segment::View::new(inner.payload()).unwrap().destination_port(), 4949);
    let long = Tcp { data: 1450, ..syn() }.frame();
    assert_eq!(probe(&mut bench, "10.1.1.52:49", &long[14..]), Outcome::FragmentationNeeded);
    let long = Tcp { data: 1450, dont_fragment: false, ..syn() }.frame();
    assert_eq!(probe(&mut bench, "10.1.1.52:49", &long[14..]), Outcome::ForwardedInFragments);
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::None;
    let mut bench = Bench::new(&config);
    assert_eq!(sent(&mut bench, "10.1.1.52:49"), Outcome::Forwarded);
    assert_eq!(bench.take_one()[..6], ROUTER.0, "to the member's next hop");
}

#[test]
fn a_probe_waits_for_its_next_hop_and_is_not_counted_whatever_becomes_of_it() {
    let mut bench = Bench::unresolved(&config(), &routes());
    let counted = |bench: &Bench| -> u64 {
        bench.counters().outcomes.values().map(|tally| tally.packets).sum()
    };
    for _ in 0..20 {
        assert_eq!(sent(&mut bench, "10.1.1.52:49"), Outcome::WaitingForNeighbour);
    }
    assert_eq!(bench.take_one(), our_request(labsim_wire::ethernet::Mac::BROADCAST));
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    let members: Vec<Ipv4Addr> = bench.take().iter().map(|frame| tunnelled(frame).0).collect();
    assert_eq!(members, [Ipv4Addr::new(10, 1, 1, 52); 8], "the queue has room for so many");
    assert_eq!(counted(&bench), 1);
    let mut bench = Bench::unresolved(&config(), &routes());
    assert_eq!(sent(&mut bench, "10.1.1.52:49"), Outcome::WaitingForNeighbour);
    bench.pass(Duration::from_secs(10));
    assert_eq!(counted(&bench), 0);
    assert_eq!(sent(&mut bench, "10.1.1.52:49"), Outcome::NeighbourUnreachable);
}

#[test]
fn what_is_no_packet_or_for_nobody_is_not_sent() {
    let mut bench = Bench::new(&config());
    assert_eq!(sent(&mut bench, "10.1.1.99:49"), Outcome::NoRoute);
    assert_eq!(probe(&mut bench, "10.1.1.51:49", &[]), Outcome::FrameTruncated);
    let spent = Tcp { ttl: 1, ..syn() }.frame();
    assert_eq!(probe(&mut bench, "10.1.1.51:49", &spent[14..]), Outcome::TtlExceeded);
    let mut bench = Bench::unresolved(&config(), &[]);
    assert_eq!(sent(&mut bench, "10.1.1.51:49"), Outcome::NoRoute);
    assert!(bench.take().is_empty());
}

#[test]
fn a_probe_of_ipv6_goes_the_way_of_ipv6() {
    let mut bench = Bench::resolved(&config6());
    let syn = Tcp6 { source: OUR_IP6, hop_limit: 64, ..tcp6(SYN) }.frame();
    let member = "[2001:db8:1::53]:49";
    assert_eq!(probe(&mut bench, member, &syn[14..]), Outcome::Forwarded);
    let frame = bench.take_one();
    let outer = ipv6::View::new(&frame[14..]).unwrap();
    assert_eq!(outer.destination(), "2001:db8:1::53".parse::<Ipv6Addr>().unwrap());
    let inner = ipv6::View::new(&frame[14 + 40..]).unwrap();
    assert_eq!((inner.source(), inner.destination(), inner.hop_limit()), (OUR_IP6, VIP6, 63));
    let counted: u64 = bench.counters().outcomes.values().map(|tally| tally.packets).sum();
    assert_eq!(counted, 2, "the router's two answers");
}

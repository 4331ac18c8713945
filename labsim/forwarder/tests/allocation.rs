//! No packet makes the engine allocate: a counting allocator proves it. The only test of its
//! program, because other threads' allocations would be counted too.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "engine/support/mod.rs"]
mod support;

use labsim_forwarder::{
    ActionOnDown, GreOptions, LoadBalancingMode, Maglev, Outcome, Persistence, Pool, Profile,
    SnatPorts, SourceAddress, SourceTranslation, Transmit,
};
use labsim_sys::testing::CountingAllocator;
use labsim_wire::icmpv6::Message;
use labsim_wire::{EmitError, icmpv4, ipv4, protocol};
use std::net::Ipv4Addr;
use std::time::Duration;
use support::ipv6::{
    CLIENT6, NEAR_VIP6, OUR_IP6, ROUTER_IP6, Tcp6, VIP6, config_of, frame6, header6, icmp6,
    router_advertises, router_solicits, tcp6, udp6,
};
use support::*;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator::new();

/// One buffer for every frame, as a data plane has it.
struct Buffer {
    bytes: [u8; 1514],
    frames: usize,
}

impl Transmit for Buffer {
    fn transmit(
        &mut self,
        length: usize,
        fill: impl FnOnce(&mut [u8]) -> Result<(), EmitError>,
    ) -> bool {
        let filled = fill(&mut self.bytes[..length]).is_ok();
        self.frames += usize::from(filled);
        filled
    }
}

#[test]
fn no_packet_makes_the_engine_allocate() {
    without_translation();
    while_members_are_down();
    with_translation();
    in_every_mode();
    fragments_and_errors(false);
    fragments_and_errors(true);
    under_a_flood();
    with_ipv6();
}

/// Every way through the engine that IPv6 has of its own: tunnels of both families, fragments,
/// errors, neighbours.
fn with_ipv6() {
    for members_v6 in [false, true] {
        let mut config = config_of(true, members_v6);
        config.limits.flows = 200;
        config.balancer.virtual_servers.values_mut().for_each(|server| {
            server.fastl4.reset_on_timeout = true;
        });
        let pool = config.balancer.pools.get_mut("pool").unwrap();
        pool.profile = Profile::Gre(GreOptions { key: Some(7), checksum: true });
        pool.members.truncate(1);
        let frames = ipv6_frames(members_v6);
        let mut bench = Bench::resolved(&config);
        bench.feed(&router_advertises());
        let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
        let before = ALLOCATOR.count();
        for (number, (frame, expected)) in frames.iter().enumerate() {
            bench.engine.prefetch([frame.as_slice()].into_iter());
            let outcome = bench.engine.process(bench.now, frame, &mut tx);
            assert_eq!(outcome, *expected, "{number}");
            bench.now = bench.now.after(Duration::from_micros(50));
        }
        for _ in 0..400 {
            bench.now = bench.now.after(Duration::from_secs(1));
            bench.engine.tick(bench.now, &mut tx);
        }
        assert_eq!(ALLOCATOR.count() - before, 0);
        assert!(tx.frames > 500);
        assert_eq!(bench.counters().flows.reset_on_timeout, 50);
    }
}

fn ipv6_frames(members_v6: bool) -> Vec<(Vec<u8>, Outcome)> {
    let mut frames: Vec<(Vec<u8>, Outcome)> = Vec::new();
    let long = |flags, data| Tcp6 { like: Tcp { data, ..tcp(flags) }, ..tcp6(flags) }.frame();
    if !members_v6 {
        // The client's router is asked for, and answers.
        let echo = Message::EchoRequest { id: 1, sequence: 1 };
        frames.push((icmp6(CLIENT6, VIP6, echo, b"x"), Outcome::EchoAnswered));
        frames.push((router_advertises(), Outcome::NdpLearned));
    }
    for port in 1..=50 {
        let like = Tcp { source_port: port, ..tcp(SYN) };
        frames.push((Tcp6 { like: like.clone(), ..tcp6(SYN) }.frame(), Outcome::Forwarded));
        let like = Tcp { flags: ACK, ..like };
        frames.push((Tcp6 { like, ..tcp6(ACK) }.frame(), Outcome::Forwarded));
        frames.push((router_solicits(NEAR_VIP6), Outcome::NdpAnswered));
        let closed = Tcp { destination_port: 50, ..tcp(SYN) };
        frames.push((Tcp6 { like: closed, ..tcp6(SYN) }.frame(), Outcome::NoVirtualServer));
        let aged = Tcp6 { hop_limit: 1, ..tcp6(SYN) };
        frames.push((aged.frame(), Outcome::TtlExceeded));
        frames.push((long(SYN, 1430), Outcome::PacketTooBig));
        let answer = Tcp6 {
            source: VIP6,
            destination: CLIENT6,
            like: Tcp { source_port: 49, destination_port: port, ..tcp(ACK) },
            ..tcp6(ACK)
        };
        let error = Message::PacketTooBig { mtu: 1280 };
        let error = icmp6(ROUTER_IP6, VIP6, error, &answer.frame()[14..]);
        frames.push((error, Outcome::IcmpErrorForwarded));
        let whole = udp6(port, 49, &[7; 1400]);
        let part = |offset: u16, more: bool| {
            let place = (offset | u16::from(more)).to_be_bytes();
            let header = [&[17, 0][..], &place, &[0, 0, 0, port as u8]].concat();
            let end = if more { 54 + 1200 } else { 54 + 1408 };
            let part = &whole[54 + usize::from(offset)..end];
            frame6(US, header6(CLIENT6, VIP6, 44), &[&header, part].concat())
        };
        frames.push((part(1200, false), Outcome::WaitingForFirstFragment));
        frames.push((part(0, true), Outcome::Forwarded));
        frames.push((part(1200, false), Outcome::Forwarded));
    }
    if members_v6 {
        let member = "2001:db8:1::51".parse().unwrap();
        let gre = [&[0xa0, 0, 0x86, 0xdd, 0, 0, 0, 0, 0, 0, 0, 7], &long(ACK, 1300)[14..]].concat();
        let tunnel = frame6(US, header6(OUR_IP6, member, protocol::GRE), &gre);
        let narrow = Message::PacketTooBig { mtu: 1280 };
        let error = |kind| icmp6(ROUTER_IP6, OUR_IP6, kind, &tunnel[14..14 + 1232]);
        frames.push((long(SYN, 1000), Outcome::Forwarded));
        frames.push((error(narrow), Outcome::TunnelMtuLearned));
        frames.push((error(Message::Unreachable { code: 3 }), Outcome::TunnelErrorReported));
        frames.push((long(RST, 1220), Outcome::ForwardedInFragments));
    }
    frames
}

/// More datagrams than the table holds, in order and not, and ways that become narrow.
/// By flows, or with each datagram balanced for itself.
fn fragments_and_errors(balanced: bool) {
    let mut config = config();
    config.limits.flows = 100;
    let server = config.balancer.virtual_servers.get_mut("udp").unwrap();
    server.datagram_load_balancing = balanced;
    let part = |id: u16, offset: usize, payload: &[u8]| {
        let ip = ipv4::Header {
            id,
            dont_fragment: false,
            more_fragments: true,
            fragment_offset: offset as u16,
            ..header_of(CLIENT, VIP, protocol::UDP)
        };
        frame(US, ip, payload)
    };
    let whole = udp(9, 49, &[7; 1400]);
    let sent = {
        let member = Ipv4Addr::new(10, 1, 1, 51);
        let ip = ipv4::Header { payload_length: 1428, ..header_of(OUR_IP, member, protocol::IPIP) };
        let mut outer = vec![0; 20];
        ip.emit(&mut outer).unwrap();
        [&outer, &whole[14..]].concat()
    };
    let error = |kind: icmpv4::Message| {
        let mut message = vec![0; 8];
        message.extend_from_slice(&sent[..540]);
        kind.emit(&mut message).unwrap();
        frame(US, header_of(ROUTER_IP, OUR_IP, protocol::ICMP), &message)
    };
    let mut frames: Vec<(Vec<u8>, Outcome)> = Vec::new();
    for id in 0..5000 {
        let first = part(id, 0, &whole[34..34 + 1008]);
        let second = part(id, 1008, &whole[34 + 1008..34 + 1400]);
        if id % 2 == 0 {
            frames.push((second.clone(), Outcome::WaitingForFirstFragment));
        }
        frames.push((first, Outcome::Forwarded));
        frames.push((second, Outcome::Forwarded));
        frames.push((part(id, 504, &whole[34..34 + 504]), Outcome::FragmentOverlap));
        frames.push((part(id + 5000, 1008, &[0; 8]), Outcome::WaitingForFirstFragment));
    }
    let needed = icmpv4::Message::FragmentationNeeded { mtu: 1400 };
    frames.push((error(needed), Outcome::TunnelMtuLearned));
    let unreachable = icmpv4::Message::Unreachable { code: 1 };
    frames.push((error(unreachable), Outcome::TunnelErrorReported));
    if !balanced {
        frames.push((whole, Outcome::FragmentationNeeded));
    }
    let mut bench = Bench::new(&config);
    let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
    let before = ALLOCATOR.count();
    for (frame, expected) in &frames {
        assert_eq!(bench.engine.process(bench.now, frame, &mut tx), *expected);
        bench.now = bench.now.after(Duration::from_micros(50));
    }
    bench.now = bench.now.after(Duration::from_secs(2));
    bench.engine.tick(bench.now, &mut tx);
    assert_eq!(ALLOCATOR.count() - before, 0);
    assert!(tx.frames > 10_000);
}

/// SYNs from random sources into a full table, and its flows' end.
fn under_a_flood() {
    let mut config = config();
    config.limits.flows = 4096;
    let mut bench = Bench::new(&config);
    let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
    let established: Vec<Vec<u8>> =
        (1..=1000).map(|source_port| Tcp { source_port, ..tcp(ACK) }.frame()).collect();
    let mut random = 1u32;
    let flood: Vec<Vec<u8>> = std::iter::repeat_with(|| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let source = Ipv4Addr::from_bits(0x2000_0000 | random >> 4);
        Tcp { source, source_port: (random >> 16) as u16 | 1, ..tcp(SYN) }.frame()
    })
    .take(20_000)
    .collect();
    let before = ALLOCATOR.count();
    for frame in established.iter().chain(&flood).chain(&established) {
        bench.engine.prefetch([frame.as_slice()].into_iter());
        assert_eq!(bench.engine.process(bench.now, frame, &mut tx), Outcome::Forwarded);
    }
    for _ in 0..400 {
        bench.now = bench.now.after(Duration::from_secs(1));
        bench.engine.tick(bench.now, &mut tx);
    }
    assert_eq!(ALLOCATOR.count() - before, 0);
    let flows = bench.engine.counters().flows;
    // 1000 once each, and never again.
    assert_eq!((flows.loosely_initiated, flows.timed_out, flows.open), (1000, 1000, 0));
    assert_eq!(flows.evicted + flows.handshake_timed_out, flows.opened - 1000);
    assert!(flows.evicted > 16_000, "{flows:?}");
}

/// Ports taken, kept, given back and exhausted; answers, errors about them, and strays.
fn with_translation() {
    let mut config = config();
    config.limits.flows = 1000;
    config.snat_ports = SnatPorts { first: 61_000, last: 61_009 };
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.profile = Profile::Gre(GreOptions { key: Some(7), checksum: true });
    pool.members.truncate(1);
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = SourceTranslation::Automap;
    }
    let mut frames: Vec<(Vec<u8>, Outcome)> = Vec::new();
    let answer = |port, flags| Tcp {
        source: Ipv4Addr::new(10, 1, 1, 51),
        destination: OUR_IP,
        source_port: 49,
        destination_port: port,
        ..tcp(flags)
    };
    for round in 0..300u16 {
        for source_port in 1..=10 {
            frames.push((Tcp { source_port, ..tcp(SYN) }.frame(), Outcome::Forwarded));
        }
        let eleventh = Tcp { source_port: 11, ..tcp(SYN) };
        frames.push((eleventh.frame(), Outcome::SnatPortsExhausted));
        for port in 61_000..61_010 {
            let back = answer(port, ACK);
            frames.push((back.frame(), Outcome::ForwardedToClient));
            let quoted = Tcp {
                source: OUR_IP,
                destination: back.source,
                source_port: port,
                destination_port: 49,
                ..tcp(SYN)
            };
            let mut message = vec![0; 8];
            message.extend_from_slice(&quoted.frame()[14..]);
            icmpv4::Message::Unreachable { code: 1 }.emit(&mut message).unwrap();
            let header = header_of(ROUTER_IP, OUR_IP, protocol::ICMP);
            frames.push((frame(US, header, &message), Outcome::IcmpErrorForwarded));
        }
        // Both sides end flows, in another order each time.
        for number in 0..10 {
            let source_port = (number + round) % 10 + 1;
            frames.push((Tcp { source_port, ..tcp(RST) }.frame(), Outcome::Forwarded));
        }
        frames.push((answer(61_000, ACK).frame(), Outcome::NoTranslatedFlow));
    }
    let mut bench = Bench::new(&config);
    let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
    let before = ALLOCATOR.count();
    for (frame, expected) in &frames {
        assert_eq!(bench.engine.process(bench.now, frame, &mut tx), *expected);
        bench.now = bench.now.after(Duration::from_micros(50));
    }
    assert_eq!(ALLOCATOR.count() - before, 0);
    assert!(tx.frames > 300 * 40);
}

/// Members chosen, clients remembered, pushed out and forgotten; a member fails and comes back.
fn in_every_mode() {
    for mode in [
        LoadBalancingMode::RoundRobin,
        LoadBalancingMode::Ratio,
        LoadBalancingMode::LeastConnections,
        LoadBalancingMode::RatioLeastConnections,
        LoadBalancingMode::Maglev(Maglev::default()),
    ] {
        let mut config = config();
        config.limits.flows = 100;
        config.limits.persistence_entries = 20;
        config.balancer.pools.get_mut("pool").unwrap().load_balancing_mode = mode;
        let rule = SourceAddress { timeout: 1, prefix_length: None };
        let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
        server.persistence = Persistence::SourceAddress(rule);
        let frames: Vec<Vec<u8>> = (0..2000u16)
            .map(|n| {
                // Ten that come again and again among a thousand that come once.
                let last = if n % 2 == 0 { n % 20 } else { n };
                let source = Ipv4Addr::from_bits(0xc0a8_0000 | u32::from(last));
                let destination = if n % 3 == 0 { NEAR_VIP } else { VIP };
                Tcp { source, source_port: n, destination, ..tcp(SYN) }.frame()
            })
            .collect();
        let reply = arp_reply();
        let mut bench = Bench::unresolved(&config, &routes());
        let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
        let before = ALLOCATOR.count();
        // Nobody answers for all members, and then somebody does.
        for _ in 0..6 {
            bench.engine.tick(bench.now, &mut tx);
            bench.engine.process(bench.now, &frames[1], &mut tx);
            bench.now = bench.now.after(Duration::from_secs(1));
        }
        bench.engine.process(bench.now, &reply, &mut tx);
        let mut forwarded = 0;
        for frame in &frames {
            let outcome = bench.engine.process(bench.now, frame, &mut tx);
            forwarded += usize::from(outcome == Outcome::Forwarded);
            bench.now = bench.now.after(Duration::from_millis(20));
            if bench.engine.next_deadline().is_some_and(|due| due <= bench.now) {
                bench.engine.process(bench.now, &reply, &mut tx);
                bench.engine.tick(bench.now, &mut tx);
            }
        }
        bench.now = bench.now.after(Duration::from_secs(2));
        bench.engine.tick(bench.now, &mut tx);
        assert_eq!(ALLOCATOR.count() - before, 0, "{mode:?}");
        assert_eq!(forwarded, frames.len(), "{mode:?}");
        let counters = bench.counters();
        assert!(counters.outcomes["no_member_reachable"].packets > 0);
        let clients = counters.persistence;
        assert!(clients.hits > 0 && clients.evicted > 0 && clients.expired > 0, "{clients:?}");
    }
}

fn without_translation() {
    let mut config = config();
    config.limits.flows = 1000;
    let mut bench = Bench::unresolved(&config, &routes());
    let mut frames: Vec<(Vec<u8>, Outcome)> = Vec::new();
    for source_port in 1..=3000 {
        frames.push((Tcp { source_port, ..tcp(SYN) }.frame(), Outcome::Forwarded));
        frames.push((Tcp { source_port, data: 900, ..tcp(ACK) }.frame(), Outcome::Forwarded));
        let big = Tcp { source_port, data: 1460, dont_fragment: false, ..tcp(ACK) };
        frames.push((big.frame(), Outcome::ForwardedInFragments));
        let big = Tcp { source_port, data: 1460, ..tcp(ACK) };
        frames.push((big.frame(), Outcome::FragmentationNeeded));
        let expiring = Tcp { source_port, ttl: 1, ..tcp(ACK) };
        frames.push((expiring.frame(), Outcome::TtlExceeded));
        let refused = Tcp { source_port, destination_port: 50, ..tcp(SYN) };
        frames.push((refused.frame(), Outcome::NoVirtualServer));
        frames.push((arp_request(NEAR_VIP), Outcome::ArpAnswered));
        frames.push((Tcp { source_port, ..tcp(RST) }.frame(), Outcome::Forwarded));
    }
    let waiting = Tcp { source_port: 9, ..tcp(SYN) }.frame();
    let reply = arp_reply();
    let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
    let before = ALLOCATOR.count();
    // Neighbours asked for, packets waiting, everything flushed.
    bench.engine.tick(bench.now, &mut tx);
    for _ in 0..20 {
        bench.engine.process(bench.now, &waiting, &mut tx);
    }
    bench.engine.process(bench.now, &reply, &mut tx);
    for (frame, expected) in &frames {
        assert_eq!(bench.engine.process(bench.now, frame, &mut tx), *expected);
        bench.now = bench.now.after(Duration::from_micros(50));
        if bench.engine.next_deadline().is_some_and(|due| due <= bench.now) {
            bench.engine.tick(bench.now, &mut tx);
        }
    }
    assert_eq!(ALLOCATOR.count() - before, 0);
    assert!(tx.frames > 4 * 3000);
}

/// Members go down and come up under flows, and monitors' packets go out meanwhile.
fn while_members_are_down() {
    for action in [ActionOnDown::Reset, ActionOnDown::Reselect] {
        let mut config = config();
        config.limits.flows = 3000;
        let pool = config.balancer.pools.get_mut("pool").unwrap();
        let text = r#"{"members":["10.1.1.51:49"],"monitor":"tcp"}"#;
        pool.monitor =
            labsim_yaml::read::<Pool>(&labsim_yaml::Source::new("test", text)).unwrap().monitor;
        pool.action_on_down = action;
        let mut bench = Bench::new(&config);
        let mut frames = Vec::new();
        for source_port in 1..=3000 {
            frames.push(Tcp { source_port, ..tcp(SYN) }.frame());
            frames.push(Tcp { source_port, ..tcp(ACK) }.frame());
        }
        let probe = Tcp { source: OUR_IP, ttl: 64, ..tcp(SYN) }.frame();
        let member = address("10.1.1.51:49");
        let mut tx = Buffer { bytes: [0; 1514], frames: 0 };
        let before = ALLOCATOR.count();
        // The second time each comes at another moment.
        for (number, frame) in frames.iter().chain(&frames[500..]).enumerate() {
            bench.engine.process(bench.now, frame, &mut tx);
            if number % 500 == 0 {
                assert!(bench.engine.set_down(bench.now, "pool", member, number % 1000 == 0));
                bench.engine.probe(bench.now, "pool", member, &probe[14..], &mut tx);
            }
            bench.engine.tick(bench.now, &mut tx);
        }
        assert_eq!(ALLOCATOR.count() - before, 0, "{action:?}");
        let flows = bench.counters().flows;
        assert!(flows.member_down + flows.reselected > 100, "{flows:?}");
    }
}

//! Whatever comes in: no panic, a name for it, and nothing malformed goes out.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Config, Outcome};
use labsim_wire::checksum::ChecksumState;
use labsim_wire::{arp, ethernet, icmpv4, ipv4, protocol, tcp as wire_tcp, udp as wire_udp};
use proptest::prelude::*;
use std::net::SocketAddr;
use std::time::Duration;

/// What a frame that goes out has to be.
fn check_output(frame: &[u8], input: Option<&[u8]>) {
    assert!(frame.len() <= 1514);
    let link = ethernet::View::new(frame).unwrap();
    assert_eq!(link.source(), US);
    if link.ethertype() == ethernet::ethertype::ARP {
        assert_eq!(arp::View::new(link.payload()).unwrap().sender_mac(), US);
        return;
    }
    let outer = ipv4::View::new(link.payload()).unwrap();
    assert!(outer.checksum_ok());
    assert_eq!(frame.len(), 14 + outer.total_length());
    match outer.protocol() {
        protocol::IPIP => {
            let (_, inner) = tunnelled(frame);
            if let Some(input) = input.filter(|_| !inner.is_fragment()) {
                let came = ipv4::View::new(&input[14..]).unwrap();
                assert_eq!(inner.ttl(), came.ttl() - 1);
                assert_eq!(inner.payload(), came.payload());
                assert_eq!(outer.total_length(), came.total_length() + 20);
            }
        }
        protocol::ICMP => assert!(icmpv4::View::new(outer.payload()).unwrap().checksum_ok()),
        protocol::TCP => {
            let segment = wire_tcp::View::new(outer.payload()).unwrap();
            assert_eq!(segment.checksum_state(&outer.addresses()), ChecksumState::Good);
        }
        other => panic!("protocol {other} goes out"),
    }
}

fn client_config() -> Config {
    crate::support::with_client_source(config())
}

/// A TCP packet of any shape to either VIP.
fn any_tcp() -> impl Strategy<Value = Vec<u8>> {
    let shape = (any::<u8>(), 0..6u16, 45..52u16, any::<u8>(), any::<bool>(), 0..1470usize);
    shape.prop_map(|(flags, source_port, destination_port, ttl, dont_fragment, data)| {
        let flags = labsim_wire::tcp::Flags(flags & 0x1f);
        Tcp { source_port, destination_port, ttl, dont_fragment, data, ..tcp(flags) }.frame()
    })
}

/// A good packet with some bytes changed, and its header summed anew or not.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((0..80usize, any::<u8>()), 0..4);
    let base = prop_oneof![
        any_tcp(),
        (0..80usize).prop_map(|length| udp(9, 49, &vec![7; length])),
        Just(arp_request(NEAR_VIP)),
        Just(arp_reply()),
    ];
    (base, changes, any::<bool>(), 0..80usize).prop_map(|(mut frame, changes, sum, cut)| {
        for (at, value) in changes {
            if let Some(byte) = frame.get_mut(at) {
                *byte = value;
            }
        }
        if sum && frame.len() > 14 + usize::from(frame[14] & 0xf) * 4 && frame[14] & 0xf >= 5 {
            resum(&mut frame);
        }
        if cut < 20 {
            frame.truncate(frame.len().saturating_sub(cut));
        }
        frame
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic_and_are_counted_once(
        frames in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..20),
    ) {
        let mut bench = Bench::new(&config());
        for frame in &frames {
            bench.feed(frame);
        }
        for frame in bench.take() {
            check_output(&frame, None);
        }
        let total: u64 = bench.counters().outcomes.values().map(|tally| tally.packets).sum();
        assert_eq!(total, 1 + frames.len() as u64);
    }

    #[test]
    fn nearly_right_packets_never_panic_and_only_right_ones_go_out(
        frames in prop::collection::vec((mutated(), 0..3000u64), 1..60),
        known in any::<bool>(),
    ) {
        let mut bench = if known {
            Bench::new(&client_config())
        } else {
            Bench::unresolved(&client_config(), &routes())
        };
        let mut fed = u64::from(known);
        for (frame, later) in &frames {
            bench.pass(Duration::from_millis(*later));
            for frame in bench.take() {
                check_output(&frame, None);
            }
            let outcome = bench.feed(frame);
            fed += 1;
            for sent in bench.take() {
                check_output(&sent, (outcome == Outcome::Forwarded).then_some(frame));
            }
        }
        let counters = bench.counters();
        let total: u64 = counters.outcomes.values().map(|tally| tally.packets).sum();
        // Answers wait too: of what waits, at least the rest are packets that came in.
        let waiting = counters.neighbours.waiting + counters.fragments.waiting;
        assert!(total <= fed && total + waiting >= fed);
        assert!(counters.flows.open <= 8);
        let open: u64 = counters.virtual_servers.values().map(|server| server.flows).sum();
        let held: u64 = counters.members["pool"].values().map(|member| member.flows).sum();
        assert_eq!((open, held), (counters.flows.open, counters.flows.open));
    }

    #[test]
    fn port_translation_keeps_every_checksum(data in 0..200usize, port in 1..=u16::MAX) {
        let mut config = config();
        config.balancer.pools.get_mut("pool").unwrap().members = vec![SocketAddr::from(([10, 1, 1, 51], port)).into()];
        let mut bench = Bench::new(&config);
        bench.feed(&Tcp { data, ..tcp(SYN) }.frame());
        bench.feed(&udp(9, 49, &vec![3; data]));
        for frame in bench.take() {
            let (_, inner) = tunnelled(&frame);
            let state = match inner.protocol() {
                protocol::TCP => {
                    let segment = wire_tcp::View::new(inner.payload()).unwrap();
                    assert_eq!(segment.destination_port(), port);
                    segment.checksum_state(&inner.addresses())
                }
                _ => {
                    let datagram = wire_udp::View::new(inner.payload()).unwrap();
                    assert_eq!(datagram.destination_port(), port);
                    datagram.checksum_state(&inner.addresses())
                }
            };
            assert_eq!(state, ChecksumState::Good);
        }
    }
}

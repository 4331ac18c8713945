//! Whatever is translated, there and back: every checksum stays right, every port comes back, and
//! nothing panics.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Config, GreOptions, Outcome, Profile, SnatPorts, SourceTranslation};
use labsim_wire::checksum::{AddressPair, ChecksumState};
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, ipv4, protocol, tcp as wire_tcp, udp as wire_udp};
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

/// A member far away, ports that change, and few of them.
fn translating(profile: Profile, source: SourceTranslation, address: bool) -> Config {
    let mut config = config();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.profile = profile;
    pool.members = ["10.1.1.51:4900", "10.1.1.52:49"].map(member).to_vec();
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = address;
        server.source_address_translation = source.clone();
    }
    config.snat_ports = SnatPorts { first: 61_000, last: 61_006 };
    config
}

fn any_config() -> impl Strategy<Value = Config> {
    let profile = prop_oneof![
        Just(Profile::None),
        Just(Profile::Ipip),
        (any::<Option<u32>>(), any::<bool>())
            .prop_map(|(key, checksum)| Profile::Gre(GreOptions { key, checksum })),
    ];
    let source = prop_oneof![
        Just(SourceTranslation::None),
        Just(SourceTranslation::Automap),
        Just(SourceTranslation::Snat(vec![[10, 9, 9, 50].into(), [172, 16, 5, 5].into()])),
        Just(SourceTranslation::Snat(vec![[10, 9, 9, 2].into(), [172, 16, 4, 99].into()])),
    ];
    (profile, source, any::<bool>())
        .prop_map(|(profile, source, address)| translating(profile, source, address))
}

/// What goes to a member or a client in this frame, out of its tunnel if it is in one.
fn innermost(frame: &[u8]) -> ipv4::View<'_> {
    let outer = ipv4::View::new(&frame[14..]).unwrap();
    assert!(outer.checksum_ok());
    assert_eq!(frame.len(), 14 + outer.total_length());
    match outer.protocol() {
        protocol::IPIP => ipv4::View::new(outer.payload()).unwrap(),
        protocol::GRE => {
            let gre = labsim_wire::gre::View::new(outer.payload()).unwrap();
            assert_ne!(gre.checksum_ok(), Some(false));
            ipv4::View::new(gre.payload()).unwrap()
        }
        _ => outer,
    }
}

/// Both ends of a whole packet whose every checksum is right.
fn ends(ip: &ipv4::View<'_>) -> (SocketAddrV4, SocketAddrV4, ChecksumState) {
    assert!(ip.checksum_ok());
    let (from, to, state) = if ip.protocol() == protocol::TCP {
        let view = wire_tcp::View::new(ip.payload()).unwrap();
        (view.source_port(), view.destination_port(), view.checksum_state(&ip.addresses()))
    } else {
        let view = wire_udp::View::new(ip.payload()).unwrap();
        (view.source_port(), view.destination_port(), view.checksum_state(&ip.addresses()))
    };
    (SocketAddrV4::new(ip.source(), from), SocketAddrV4::new(ip.destination(), to), state)
}

/// A whole packet between two ends, in a frame from the router.
fn packet(
    transport: u8,
    from: SocketAddrV4,
    to: SocketAddrV4,
    flags: Flags,
    data: &[u8],
) -> Vec<u8> {
    if transport == protocol::TCP {
        let source = Tcp {
            source: *from.ip(),
            destination: *to.ip(),
            source_port: from.port(),
            destination_port: to.port(),
            ..tcp(flags)
        };
        let mut bytes = Tcp { data: data.len(), ..source }.frame();
        bytes[54..].copy_from_slice(data);
        let pair = AddressPair::V4(*from.ip(), *to.ip());
        wire_tcp::ViewMut::new(&mut bytes[34..]).unwrap().fill_checksum(&pair);
        return bytes;
    }
    let header = wire_udp::Header {
        source_port: from.port(),
        destination_port: to.port(),
        payload_length: data.len(),
    };
    let mut datagram = vec![0; 8 + data.len()];
    datagram[8..].copy_from_slice(data);
    header.emit(&mut datagram).unwrap();
    let pair = AddressPair::V4(*from.ip(), *to.ip());
    wire_udp::ViewMut::new(&mut datagram).unwrap().fill_checksum(&pair);
    frame(US, header_of(*from.ip(), *to.ip(), protocol::UDP), &datagram)
}

proptest! {
    #[test]
    fn there_and_back_every_checksum_is_right(
        config in any_config(),
        is_tcp in any::<bool>(),
        summed in any::<bool>(),
        ip in any::<[u8; 3]>(),
        port in any::<u16>(),
        data in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let client = SocketAddrV4::new(Ipv4Addr::new(100, ip[0], ip[1], ip[2]), port);
        let vip = SocketAddrV4::new(VIP, 49);
        let transport = if is_tcp { protocol::TCP } else { protocol::UDP };
        let mut bench = Bench::new(&config);
        let mut asked = packet(transport, client, vip, SYN, &data);
        let absent = !is_tcp && !summed;
        let expected = if absent { ChecksumState::Absent } else { ChecksumState::Good };
        if absent {
            asked[40..42].fill(0);
        }
        prop_assert_eq!(bench.feed(&asked), Outcome::Forwarded);
        let sent = bench.take_one();
        let inner = innermost(&sent);
        let (stand, member, state) = ends(&inner);
        prop_assert_eq!(state, expected);
        prop_assert_eq!(&inner.payload()[inner.payload().len() - data.len()..], &data[..]);
        if config.balancer.virtual_servers["tcp"].source_address_translation == SourceTranslation::None {
            prop_assert_eq!(stand, client);
            return Ok(());
        }
        let mut answered = packet(transport, member, stand, ACK, &data);
        if absent {
            answered[40..42].fill(0);
        }
        prop_assert_eq!(bench.feed(&answered), Outcome::ForwardedToClient);
        let sent = bench.take_one();
        let (from, to, state) = ends(&ipv4::View::new(&sent[14..]).unwrap());
        prop_assert_eq!((from, to, state), (vip, client, expected));
    }

    #[test]
    fn whatever_comes_every_port_is_some_flows_and_every_frame_is_counted_once(
        config in any_config(),
        frames in prop::collection::vec(
            (0..4u8, 0..12u16, any::<u8>(), prop::collection::vec((20..80usize, any::<u8>()), 0..3),
             0..2000u64),
            1..80,
        ),
    ) {
        let mut bench = Bench::new(&config);
        let mut fed = 1;
        let mut seen: Vec<(u8, SocketAddrV4, SocketAddrV4)> = Vec::new();
        for (kind, port, flags, changes, later) in frames {
            bench.pass(Duration::from_millis(later));
            bench.feed(&arp_reply());
            fed += 1;
            bench.take();
            let flags = Flags(flags & 0x1f);
            let client = SocketAddrV4::new(CLIENT, 61_000 + port);
            let known = seen.get(usize::from(port) % seen.len().max(1)).copied();
            let mut bytes = match (kind, known) {
                (1, Some((transport, stand, member))) => {
                    packet(transport, member, stand, flags, b"answer")
                }
                (2, Some((transport, stand, member))) => {
                    let quoted = packet(transport, stand, member, flags, b"question");
                    let mut message = vec![0; 8];
                    message.extend_from_slice(&quoted[14..]);
                    icmpv4::Message::Unreachable { code: 1 }.emit(&mut message).unwrap();
                    frame(US, header_of(*member.ip(), *stand.ip(), protocol::ICMP), &message)
                }
                (3, _) => packet(protocol::UDP, client, SocketAddrV4::new(VIP, 49), flags, b"x"),
                _ => packet(protocol::TCP, client, SocketAddrV4::new(VIP, 49), flags, b"x"),
            };
            let changed = !changes.is_empty();
            for (at, value) in changes {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = value;
                }
            }
            if bytes.len() > 14 + usize::from(bytes[14] & 0xf) * 4 && bytes[14] & 0xf >= 5 {
                resum(&mut bytes);
            }
            let outcome = bench.feed(&bytes);
            fed += 1;
            let sent = bench.take();
            if outcome == Outcome::Forwarded && !changed {
                let inner = innermost(&sent[0]);
                let (stand, member, state) = ends(&inner);
                prop_assert_eq!(state, ChecksumState::Good);
                seen.push((inner.protocol(), stand, member));
            }
            let counters = bench.counters();
            if config.balancer.virtual_servers["tcp"].source_address_translation != SourceTranslation::None {
                prop_assert_eq!(counters.flows.open, counters.snat.ports);
            }
            prop_assert!(counters.flows.open <= 8);
        }
        let counters = bench.counters();
        let total: u64 = counters.outcomes.values().map(|tally| tally.packets).sum();
        let waiting = counters.neighbours.waiting + counters.fragments.waiting;
        prop_assert!(total <= fed && total + waiting >= fed);
        // Silence ends everything, and every port comes back.
        bench.pass(Duration::from_secs(1200));
        let counters = bench.counters();
        prop_assert_eq!((counters.flows.open, counters.snat.ports), (0, 0));
    }
}

//! Whatever goes into a tunnel comes out of it with one hop less and nothing else changed: every
//! packet's family in every tunnel's, taken apart by an independent decoder (etherparse).

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::ipv6::{OUR_IP6, Tcp6, config_of, tcp6};
use crate::support::judge::judge;
use crate::support::*;
use etherparse::{EtherType, IpHeaders, LaxSlicedPacket, UdpHeader};
use labsim_forwarder::{GreOptions, Outcome, Profile};
use labsim_model::GueOptions;
use labsim_wire::tcp::Flags;
use proptest::prelude::*;
use std::net::IpAddr;

/// What an outer header says, and what it carries.
struct Outer<'a> {
    source: IpAddr,
    destination: IpAddr,
    hops: u8,
    /// TOS or traffic class.
    class: u8,
    /// Don't fragment, and the identification, of IPv4; the flow label of IPv6.
    rest: (bool, u32),
    protocol: u8,
    payload: &'a [u8],
}

fn outer(frame: &[u8]) -> Outer<'_> {
    let ethertype =
        LaxSlicedPacket::from_ethernet(frame).unwrap().ether_payload().unwrap().ether_type;
    let (headers, payload) = IpHeaders::from_slice(&frame[14..]).unwrap();
    let (protocol, payload) = (payload.ip_number.0, payload.payload);
    match headers {
        IpHeaders::Ipv4(header, _) => {
            assert_eq!(ethertype, EtherType::IPV4);
            Outer {
                source: header.source.into(),
                destination: header.destination.into(),
                hops: header.time_to_live,
                class: header.dscp.value() << 2 | header.ecn.value(),
                rest: (header.dont_fragment, header.identification.into()),
                protocol,
                payload,
            }
        }
        IpHeaders::Ipv6(header, extensions) => {
            assert_eq!(ethertype, EtherType::IPV6);
            assert!(extensions.is_empty(), "no Tunnel Encapsulation Limit");
            Outer {
                source: header.source.into(),
                destination: header.destination.into(),
                hops: header.hop_limit,
                class: header.traffic_class,
                rest: (true, header.flow_label.value()),
                protocol,
                payload,
            }
        }
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_with_one_hop_less(
        (inner_v6, outer_v6) in any::<(bool, bool)>(),
        profile in prop_oneof![
            Just(Profile::Ipip),
            any::<(Option<u32>, bool)>().prop_map(|(key, checksum)| Profile::Gre(GreOptions { key, checksum })),
            (1..=u16::MAX, 0..=1u8).prop_map(|(port, variant)| Profile::Gue(GueOptions { port, variant })),
        ],
        flags in prop::sample::select(vec![SYN, ACK, FIN, Flags(0x18), Flags(0xc2)]),
        (hops, source_port, data) in (2..=255u8, any::<u16>(), 0..=1388usize),
        (class, set) in any::<(u8, Option<u8>)>(),
    ) {
        let mut config = config_of(inner_v6, outer_v6);
        config.balancer.pools.values_mut().for_each(|pool| pool.profile = profile);
        config.balancer.outer_tos = set;
        let like = Tcp { source_port, data, ttl: hops, ..tcp(flags) };
        let mut came = if inner_v6 {
            Tcp6 { hop_limit: hops, like, ..tcp6(flags) }.frame()
        } else {
            like.frame()
        };
        if inner_v6 {
            came[14] |= class >> 4;
            came[15] |= class << 4;
        } else {
            came[15] = class;
            resum(&mut came);
        }
        let mut bench = Bench::resolved(&config);
        for number in 1..=2u32 {
            assert_eq!(bench.feed(&came), Outcome::Forwarded);
            let sent = bench.take_one();
            judge(&sent, true);
            let outer = outer(&sent);
            let own: IpAddr = if outer_v6 { OUR_IP6.into() } else { OUR_IP.into() };
            let member: IpAddr = if outer_v6 { "2001:db8:1::51" } else { "10.1.1.51" }.parse().unwrap();
            assert_eq!((outer.source, outer.destination), (own, member));
            assert_eq!(outer.hops, 255, "not the inner header's");
            assert_eq!(outer.class, set.unwrap_or(class));
            assert_eq!(outer.rest, (true, if outer_v6 { 0 } else { number }));
            let (protocol, ethertype) = if inner_v6 { (41, [0x86, 0xdd]) } else { (4, [8, 0]) };
            let inner = match profile {
                Profile::None | Profile::Ipip => {
                    assert_eq!(outer.protocol, protocol);
                    outer.payload
                }
                Profile::Gue(GueOptions { port, variant }) => {
                    let (udp, payload) = UdpHeader::from_slice(outer.payload).unwrap();
                    assert_eq!((outer.protocol, udp.destination_port), (17, port));
                    assert!(udp.source_port >= 49152);
                    assert_eq!(usize::from(udp.length), outer.payload.len());
                    assert_eq!(udp.checksum != 0, outer_v6, "none over IPv4");
                    let header = if variant == 0 { &[0, protocol, 0, 0][..] } else { &[] };
                    assert!(payload.starts_with(header));
                    &payload[header.len()..]
                }
                Profile::Gre(GreOptions { key, checksum }) => {
                    assert_eq!((outer.protocol, &outer.payload[2..4]), (47, &ethertype[..]));
                    let options = usize::from(checksum) + usize::from(key.is_some());
                    if let Some(key) = key {
                        let at = 4 * options;
                        assert_eq!(outer.payload[at..at + 4], key.to_be_bytes());
                    }
                    &outer.payload[4 + 4 * options..]
                }
            };
            let mut expected = came.clone();
            if inner_v6 {
                expected[21] -= 1;
            } else {
                expected[22] -= 1;
                resum(&mut expected);
            }
            assert_eq!(inner, &expected[14..]);
        }
    }
}

#[test]
fn a_members_own_profile_is_used_in_place_of_the_pools() {
    let mut config = config();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.profile = Profile::Ipip;
    pool.members[1].profile = Some(Profile::Gre(GreOptions::default()));
    pool.members[2].profile = Some(Profile::Gue(GueOptions::default()));
    let mut bench = Bench::new(&config);
    let mut protocol_of_next = |source_port| {
        assert_eq!(bench.feed(&Tcp { source_port, ..tcp(SYN) }.frame()), Outcome::Forwarded);
        let sent = bench.take_one();
        judge(&sent, true);
        let outer = outer(&sent);
        (outer.destination.to_string(), outer.protocol)
    };
    let turns: Vec<_> = (1..4).map(&mut protocol_of_next).collect();
    let expected = [("10.1.1.51", 4), ("10.1.1.52", 47), ("10.1.1.53", 17)];
    assert_eq!(turns, expected.map(|(member, protocol)| (member.to_owned(), protocol)));
    bench.change_member(52, |member| member.profile = Some(Profile::Ipip));
    let ack = Tcp { source_port: 2, ..tcp(ACK) }.frame();
    assert_eq!(bench.feed(&ack), Outcome::Forwarded);
    let sent = bench.take_one();
    let changed = outer(&sent);
    assert_eq!((changed.destination.to_string(), changed.protocol), ("10.1.1.52".to_owned(), 4));
}

#[test]
fn a_member_without_a_tunnel_among_others_gets_the_packet_as_it_is() {
    let mut config = config();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.members.truncate(1);
    pool.members[0].profile = Some(Profile::None);
    let mut bench = Bench::new(&config);
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    let sent = bench.take_one();
    let plain = outer(&sent);
    assert_eq!((plain.destination, plain.protocol), (VIP.into(), 6));
}

/// A network card or a router spreads tunnel packets by the outer ports.
#[test]
fn a_gue_source_port_is_the_flows_and_all_fragments_have_one() {
    let mut config = config();
    let gue = Profile::Gue(GueOptions::default());
    config.balancer.pools.values_mut().for_each(|pool| pool.profile = gue);
    config.limits.flows = 128;
    let mut bench = Bench::new(&config);
    let source_port = |frame: &[u8]| {
        judge(frame, true);
        UdpHeader::from_slice(outer(frame).payload).unwrap().0.source_port
    };
    let mut ports = std::collections::BTreeSet::new();
    for client in 1000..1064 {
        let mut of_flow = [SYN, ACK].map(|flags| {
            let segment = Tcp { source_port: client, ..tcp(flags) };
            assert_eq!(bench.feed(&segment.frame()), Outcome::Forwarded);
            source_port(&bench.take_one())
        });
        of_flow.sort_unstable();
        assert_eq!(of_flow[0], of_flow[1], "one flow, one port");
        ports.insert(of_flow[0]);
    }
    assert!(ports.len() > 60 && ports.iter().all(|port| *port >= 49152), "{ports:?}");
    let mut long = udp(1000, 49, &[7; 1472]);
    long[20] = 0; // without DF
    resum(&mut long);
    assert_eq!(bench.feed(&long), Outcome::ForwardedInFragments);
    let parts: Vec<u16> = bench.take().iter().map(|frame| source_port(frame)).collect();
    assert_eq!(parts, [parts[0]; 2]);
}

#[test]
fn all_fragments_have_the_tos_of_the_packet() {
    // IPv4 that is cut before its tunnel, and IPv6 whose tunnel packet is cut.
    let mut long = udp(1000, 49, &[7; 1472]);
    (long[15], long[20]) = (0xb8, 0);
    resum(&mut long);
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&long), Outcome::ForwardedInFragments);
    let classes: Vec<u8> = bench.take().iter().map(|frame| outer(frame).class).collect();
    assert_eq!(classes, [0xb8; 2]);
}

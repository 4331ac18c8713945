//! Whatever goes into a tunnel comes out of it with one hop less and nothing else changed: every
//! packet's family in every tunnel's, taken apart by an independent decoder (etherparse).

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
#![allow(clippy::unwrap_used, clippy::panic)]

mod support;

use etherparse::{EtherType, IpHeaders, LaxSlicedPacket};
use labsim_forwarder::{Gre, Outcome, Profile};
use labsim_wire::tcp::Flags;
use proptest::prelude::*;
use std::net::IpAddr;
use support::ipv6::{OUR_IP6, Tcp6, config_of, tcp6};
use support::judge::judge;
use support::*;

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
        gre in any::<Option<(Option<u32>, bool)>>(),
        flags in prop::sample::select(vec![SYN, ACK, FIN, Flags(0x18), Flags(0xc2)]),
        (hops, source_port, data) in (2..=255u8, any::<u16>(), 0..=1388usize),
        class in any::<u8>(),
    ) {
        let mut config = config_of(inner_v6, outer_v6);
        let profile = gre.map_or(Profile::Ipip, |(key, checksum)| Profile::Gre(Gre { key, checksum }));
        config.pools.values_mut().for_each(|pool| pool.profile = profile);
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
            assert_eq!((outer.hops, outer.class), (255, 0), "nothing of the inner header's");
            assert_eq!(outer.rest, (true, if outer_v6 { 0 } else { number }));
            let (protocol, ethertype) = if inner_v6 { (41, [0x86, 0xdd]) } else { (4, [8, 0]) };
            let inner = match gre {
                None => {
                    assert_eq!(outer.protocol, protocol);
                    outer.payload
                }
                Some((key, checksum)) => {
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

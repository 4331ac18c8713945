//! Random packets through every kind of path: what leaves is what the engine sends.

use crate::support::arm::{Arm, arm};
use crate::support::bench::ipv6::{Tcp6, config_of, tcp6, udp6};
use crate::support::bench::{ACK, SYN, Tcp, resum, tcp, udp};
use crate::support::engine::{By, MEMBER, Pair, SERVER, ends};
use labsim_forwarder::{
    Config, GreOptions, OffloadCounters, Outcome, OuterSource, Profile, SourceTranslation, Tally,
};
use labsim_model::GueOptions;
use labsim_test_support::Completion;
use labsim_wire::checksum::AddressPair;
use labsim_wire::tcp::Flags;
use proptest::prelude::*;
use proptest::test_runner::{Config as Runs, TestRunner};
use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};

labsim_test_support::tests![
    what_the_program_sends_is_what_the_engine_sends,
    replies_go_back_to_the_client_as_the_engine_sends_them,
    a_frame_that_lies_goes_to_the_engine_or_leaves_as_the_engine_sends_it,
];

/// How packets reach members.
#[derive(Debug, Clone)]
struct Way {
    vip_v6: bool,
    member_v6: bool,
    profile: Profile,
    client_source: bool,
    tos: Option<u8>,
    translate: bool,
    snat: bool,
}

impl Way {
    fn config(&self) -> Config {
        let mut config = config_of(self.vip_v6, self.member_v6);
        config.balancer.pools.values_mut().for_each(|pool| pool.profile = self.profile);
        config.balancer.outer_tos = self.tos;
        if self.client_source {
            config.balancer.outer_source = OuterSource::Client;
        }
        for server in config.balancer.virtual_servers.values_mut() {
            server.translate_address = self.translate;
            if self.snat {
                server.source_address_translation = SourceTranslation::Automap;
            }
        }
        config
    }
}

/// A client's packet.
#[derive(Debug, Clone)]
struct Packet {
    is_udp: bool,
    flags: Flags,
    ttl: u8,
    class: u8,
    dont_fragment: bool,
    port: u16,
    data: usize,
    /// Zeros behind it, as a short frame has them.
    filled: usize,
}

impl Packet {
    fn frame(&self, v6: bool) -> Vec<u8> {
        let data = vec![0x5a; self.data];
        let like = Tcp {
            source_port: self.port,
            flags: self.flags,
            dont_fragment: self.dont_fragment,
            data: self.data,
            ..tcp(self.flags)
        };
        let mut frame = match (v6, self.is_udp) {
            (false, false) => like.frame(),
            (true, false) => Tcp6 { like, ..tcp6(self.flags) }.frame(),
            (false, true) => udp(self.port, 49, &data),
            (true, true) => udp6(self.port, 49, &data),
        };
        if v6 {
            frame[14] = 0x60 | self.class >> 4;
            frame[15] = frame[15] & 0xf | self.class << 4;
            frame[21] = self.ttl;
        } else {
            (frame[15], frame[22]) = (self.class, self.ttl);
            if !self.dont_fragment {
                frame[20] &= !0x40;
            }
            resum(&mut frame);
        }
        frame.resize(frame.len() + self.filled, 0);
        frame
    }
}

fn ways() -> impl Strategy<Value = Way> {
    let profiles = prop_oneof![
        Just(Profile::None),
        Just(Profile::Ipip),
        any::<(Option<u32>, bool)>()
            .prop_map(|(key, checksum)| Profile::Gre(GreOptions { key, checksum })),
        (1..=u16::MAX, 0..=1_u8)
            .prop_map(|(port, variant)| Profile::Gue(GueOptions { port, variant })),
    ];
    let switches = any::<(bool, bool, bool, Option<u8>, bool, bool)>();
    (profiles, switches).prop_map(
        |(profile, (vip_v6, member_v6, client_source, tos, translate, snat))| Way {
            vip_v6,
            member_v6,
            profile,
            client_source,
            tos,
            translate,
            snat,
        },
    )
}

fn packets() -> impl Strategy<Value = Packet> {
    let flags = prop::sample::select(vec![ACK, Flags(0x18), Flags(0x30), Flags(0xd0), Flags(0)]);
    let switches = any::<(bool, bool, u8)>();
    // Short ones too, in which a false length soon points beyond the end.
    let data = prop_oneof![0..=60_usize, 0..=1600_usize];
    (switches, flags, 2..=255_u8, 1024..=u16::MAX, data, 0..20_usize).prop_map(
        |((is_udp, dont_fragment, class), flags, ttl, port, data, filled)| Packet {
            is_udp,
            flags,
            ttl,
            class,
            dont_fragment,
            port,
            data,
            filled,
        },
    )
}

/// Runs a test for many cases, on one interface.
fn for_all<S: Strategy>(
    cases: u32,
    strategy: &S,
    test: impl Fn(&mut Arm, S::Value) -> Result<(), TestCaseError>,
) -> Completion {
    let arm = match arm() {
        Ok(arm) => RefCell::new(arm),
        Err(ignored) => return ignored,
    };
    let runs = Runs { cases, failure_persistence: None, ..Runs::default() };
    let mut runner = TestRunner::new(runs);
    let result = runner.run(strategy, |case| test(&mut arm.borrow_mut(), case));
    result.unwrap_or_else(|failure| panic!("{failure}"));
    Completion::Completed
}

/// A pair whose flow the packet's client has opened; `None` if there cannot be such a load balancer.
fn opened<'a>(arm: &'a mut Arm, way: &Way, packet: &Packet) -> Option<Pair<'a>> {
    let mut pair = Pair::new(arm, &way.config())?;
    let first =
        Packet { flags: SYN, ttl: 64, data: 0, filled: 0, dont_fragment: true, ..packet.clone() };
    pair.open(&first.frame(way.vip_v6));
    Some(pair)
}

fn what_the_program_sends_is_what_the_engine_sends() -> Completion {
    for_all(400, &(ways(), packets()), |arm, (way, packet)| {
        let Some(mut pair) = opened(arm, &way, &packet) else { return Ok(()) };
        let frame = packet.frame(way.vip_v6);
        let by = pair.pass(&frame);
        // By the longest outer headers that there are, it fits; by none, it does not.
        let header = if way.vip_v6 { 40 } else { 20 } + if packet.is_udp { 8 } else { 20 };
        let translated = way.translate || way.snat;
        let is_numbered = translated && !way.vip_v6 && !packet.dont_fragment;
        if header + packet.data > 1500 || is_numbered {
            assert_eq!(by, By::Engine, "{way:?} {packet:?}");
        } else if header + packet.data <= 1500 - 52 {
            assert_eq!(by, By::Program, "{way:?} {packet:?}");
        }
        Ok(())
    })
}

fn replies_go_back_to_the_client_as_the_engine_sends_them() -> Completion {
    for_all(200, &(any::<bool>(), packets()), |arm, (v6, packet)| {
        let way = Way {
            vip_v6: v6,
            member_v6: v6,
            profile: Profile::None,
            client_source: false,
            tos: None,
            translate: true,
            snat: true,
        };
        let mut pair = Pair::new(arm, &way.config()).unwrap();
        let first = Packet { flags: SYN, ttl: 64, data: 0, filled: 0, ..packet.clone() };
        let first = first.frame(v6);
        assert_eq!(pair.bench.feed(&first), Outcome::Forwarded);
        let left = pair.bench.take_one();
        // From the member, and to the address and the port that it was asked from.
        let (asked_from, member, ..) = ends(&left[14..]);
        let answer = |frame: Vec<u8>| between(frame, member, asked_from);
        let flags = if packet.is_udp { ACK } else { Flags(0x12) };
        pair.open_reply(&answer(Packet { flags, data: 3, filled: 0, ..packet.clone() }.frame(v6)));
        let before = pair.arm.fast_path.counters(SERVER + 1, MEMBER + 1).unwrap();
        let frame = answer(packet.frame(v6));
        let by = pair.pass(&frame);
        let after = pair.arm.fast_path.counters(SERVER + 1, MEMBER + 1).unwrap();
        let is_numbered = !v6 && !packet.dont_fragment;
        let is_long = frame.len() - packet.filled > 14 + 1500;
        assert_eq!(by, if is_numbered || is_long { By::Engine } else { By::Program });
        if by == By::Program {
            assert_eq!(after.forwarded_to_client.packets, before.forwarded_to_client.packets + 1);
            let replies = |counters: &OffloadCounters| {
                let server = counters.server_replies[usize::from(SERVER)];
                (server, counters.member_replies[usize::from(MEMBER)])
            };
            let bytes = (frame.len() - packet.filled - 14) as u64;
            let one_more =
                |tally: Tally| Tally { packets: tally.packets + 1, bytes: tally.bytes + bytes };
            let (server, member) = replies(&before);
            assert_eq!(replies(&after), (one_more(server), one_more(member)));
        }
        Ok(())
    })
}

/// The same packet between other ends of its family.
fn between(mut frame: Vec<u8>, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let (addresses, transport, protocol) =
        if from.is_ipv4() { (26, 34, frame[23]) } else { (22, 54, frame[20]) };
    let both = [octets(from.ip()), octets(to.ip())].concat();
    frame[addresses..][..both.len()].copy_from_slice(&both);
    frame[transport..][..2].copy_from_slice(&from.port().to_be_bytes());
    frame[transport + 2..][..2].copy_from_slice(&to.port().to_be_bytes());
    let pair = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => AddressPair::V4(from, to),
        (IpAddr::V6(from), IpAddr::V6(to)) => AddressPair::V6(from, to),
        _ => panic!("two families"),
    };
    let end = if from.is_ipv4() {
        resum(&mut frame);
        14 + usize::from(u16::from_be_bytes([frame[16], frame[17]]))
    } else {
        54 + usize::from(u16::from_be_bytes([frame[18], frame[19]]))
    };
    let segment = &mut frame[transport..end];
    if protocol == 6 {
        labsim_wire::tcp::ViewMut::new(segment).unwrap().fill_checksum(&pair);
    } else {
        labsim_wire::udp::ViewMut::new(segment).unwrap().fill_checksum(&pair);
    }
    frame
}

/// A byte of the headers, or one that says a length.
#[derive(Debug, Clone, Copy)]
enum Place {
    Any(prop::sample::Index),
    Length(usize),
}

/// Bytes that are changed, a new length, and whether the IPv4 header's checksum is made right again.
type Lie = (Vec<(Place, u8)>, Option<prop::sample::Index>, bool);

fn lies() -> impl Strategy<Value = Lie> {
    // IHL, lengths of IPv4 and IPv6, of UDP in both, and TCP's data offset in both.
    let lengths = vec![14, 16, 17, 18, 19, 38, 39, 58, 59, 46, 66];
    let place = prop_oneof![
        any::<prop::sample::Index>().prop_map(Place::Any),
        prop::sample::select(lengths).prop_map(Place::Length),
    ];
    let changes = prop::collection::vec((place, any::<u8>()), 0..3);
    (changes, prop::option::weighted(0.3, any::<prop::sample::Index>()), any::<bool>())
}

fn told(mut frame: Vec<u8>, (changes, length, summed): Lie) -> Vec<u8> {
    for (place, byte) in changes {
        let headers = frame.len().min(14 + 60);
        let at = match place {
            Place::Any(index) => index.index(headers),
            Place::Length(at) => at.min(headers - 1),
        };
        frame[at] = byte;
    }
    if let Some(length) = length {
        let length = 14 + length.index(frame.len() + 40);
        frame.resize(length, 0);
    }
    let header = frame.get(14).map_or(0, |byte| usize::from(byte & 0xf) * 4);
    if summed && header >= 20 && frame.len() >= 14 + header && frame[12..14] == [8, 0] {
        resum(&mut frame);
    }
    frame
}

fn a_frame_that_lies_goes_to_the_engine_or_leaves_as_the_engine_sends_it() -> Completion {
    for_all(2500, &(ways(), packets(), lies()), |arm, (way, packet, lie)| {
        let Some(mut pair) = opened(arm, &way, &packet) else { return Ok(()) };
        pair.pass(&told(packet.frame(way.vip_v6), lie));
        Ok(())
    })
}

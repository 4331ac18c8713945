//! Source and destination translation of IPv6: addresses, ports and checksums on the way to the member and
//! back, ICMPv6 errors about both, fragments, and who answers for SNAT addresses.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::ipv6::*;
use crate::support::{ACK, Bench, Tcp, US, tcp};
use labsim_forwarder::{Config, Outcome, Profile, SourceTranslation};
use labsim_wire::checksum::ChecksumState;
use labsim_wire::icmpv6::{self, Message};
use labsim_wire::tcp::Flags;
use labsim_wire::{ipv6, protocol, tcp as wire_tcp, udp as wire_udp};
use std::net::{Ipv6Addr, SocketAddr};

const MEMBER6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x51);
/// On the load balancer's own subnet, and not its own.
const STAND_IN6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x50);
const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);

/// One member, on port 4900; nothing tunnelled, everything translated as told.
fn translating(address: bool, source: SourceTranslation) -> Config {
    let mut config = config6();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.profile = Profile::None;
    pool.members = vec![SocketAddr::from((MEMBER6, 4900)).into()];
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = address;
        server.source_address_translation = source.clone();
    }
    config
}

fn snat() -> SourceTranslation {
    SourceTranslation::Snat(vec![STAND_IN6.into()])
}

/// The ends of a TCP or UDP packet, whose checksum is right.
fn ends(packet: &[u8]) -> (SocketAddr, SocketAddr) {
    let ip = ipv6::View::new(packet).unwrap();
    let (from, to, state) = match ip.next_header() {
        protocol::TCP => {
            let view = wire_tcp::View::new(ip.payload()).unwrap();
            (view.source_port(), view.destination_port(), view.checksum_state(&ip.addresses()))
        }
        _ => {
            let view = wire_udp::View::new(ip.payload()).unwrap();
            (view.source_port(), view.destination_port(), view.checksum_state(&ip.addresses()))
        }
    };
    assert_eq!(state, ChecksumState::Good);
    ((ip.source(), from).into(), (ip.destination(), to).into())
}

fn goes_on(bench: &mut Bench, frame: &[u8], expected: Outcome) -> Vec<u8> {
    assert_eq!(bench.feed(frame), expected);
    bench.take_one()[14..].to_vec()
}

/// A member's packet to whoever it saw.
fn answer(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let (SocketAddr::V6(from), SocketAddr::V6(to)) = (from, to) else { panic!("{from} {to}") };
    let (source_port, destination_port) = (from.port(), to.port());
    let like = Tcp { source_port, destination_port, data: 5, ..tcp(SYN_ACK) };
    Tcp6 { source: *from.ip(), destination: *to.ip(), hop_limit: 63, like }.frame()
}

fn client() -> SocketAddr {
    (CLIENT6, 61_067).into()
}

fn vip() -> SocketAddr {
    (VIP6, 49).into()
}

#[test]
fn both_addresses_are_translated_there_and_back() {
    for (source, stand_in) in [(SourceTranslation::Automap, OUR_IP6), (snat(), STAND_IN6)] {
        for (address, member) in [(true, MEMBER6), (false, VIP6)] {
            let mut bench = Bench::resolved(&translating(address, source.clone()));
            let request = goes_on(&mut bench, &syn6(61_067), Outcome::Forwarded);
            let (from, to) = ends(&request);
            assert_eq!((from.ip(), to), (stand_in.into(), (member, 4900).into()));
            assert_eq!(ipv6::View::new(&request).unwrap().hop_limit(), 126);
            let reply = goes_on(&mut bench, &answer(to, from), Outcome::ForwardedToClient);
            assert_eq!(ends(&reply), (vip(), client()));
            let more = Tcp6 { like: Tcp { data: 100, ..tcp(ACK) }, ..tcp6(ACK) }.frame();
            let more = goes_on(&mut bench, &more, Outcome::Forwarded);
            assert_eq!(ends(&more), (from, to));
        }
    }
}

#[test]
fn the_destination_alone_is_translated() {
    let mut bench = Bench::resolved(&translating(true, SourceTranslation::None));
    let request = goes_on(&mut bench, &syn6(61_067), Outcome::Forwarded);
    assert_eq!(ends(&request), (client(), (MEMBER6, 4900).into()));
    let request = goes_on(&mut bench, &udp6(40_000, 49, b"seven b"), Outcome::Forwarded);
    assert_eq!(ends(&request), ((CLIENT6, 40_000).into(), (MEMBER6, 4900).into()));
}

/// The message of an ICMPv6 packet, whose checksum is right, and the packet that it quotes.
fn error_in(packet: &[u8]) -> (Ipv6Addr, Ipv6Addr, Vec<u8>) {
    let ip = ipv6::View::new(packet).unwrap();
    let message = icmpv6::View::new(ip.payload()).unwrap();
    assert!(message.checksum_ok(ip.source(), ip.destination()));
    (ip.source(), ip.destination(), ip.payload()[icmpv6::HEADER_LEN..].to_vec())
}

#[test]
fn errors_about_translated_packets_name_the_ends_that_their_receiver_knows() {
    let mut bench = Bench::resolved(&translating(true, snat()));
    let request = goes_on(&mut bench, &syn6(61_067), Outcome::Forwarded);
    let (from, to) = ends(&request);
    let reply = goes_on(&mut bench, &answer(to, from), Outcome::ForwardedToClient);
    let kind = Message::Unreachable { code: icmpv6::unreachable::ADDRESS };
    // A router about the request: to the client, about what it sent.
    let error = icmp6(ROUTER_IP6, STAND_IN6, kind, &request);
    let sent = goes_on(&mut bench, &error, Outcome::IcmpErrorForwarded);
    let (source, destination, quoted) = error_in(&sent);
    assert_eq!((source, destination), (ROUTER_IP6, CLIENT6));
    assert_eq!(ends(&quoted), (client(), vip()));
    // The member itself: its address would tell the client nothing.
    let error = icmp6(MEMBER6, STAND_IN6, kind, &request);
    let sent = goes_on(&mut bench, &error, Outcome::IcmpErrorForwarded);
    assert_eq!(error_in(&sent).0, VIP6);
    // A router about the reply: to the member, about what that sent.
    let error = icmp6(ROUTER_IP6, VIP6, kind, &reply);
    let sent = goes_on(&mut bench, &error, Outcome::IcmpErrorForwarded);
    let (_, destination, quoted) = error_in(&sent);
    assert_eq!(destination, MEMBER6);
    assert_eq!(ends(&quoted), (to, from));
}

#[test]
fn fragments_are_translated_and_only_the_first_has_a_checksum() {
    let whole = udp6(40_000, 49, &[7; 1400]);
    let payload = &whole[54..];
    let fragment = |begin: usize, end: usize| {
        let more = u16::from(end < payload.len());
        let place = (begin as u16 | more).to_be_bytes();
        let header = [&[protocol::UDP, 0][..], &place, &[0, 0, 0, 9]].concat();
        frame6(US, header6(CLIENT6, VIP6, 44), &[&header, &payload[begin..end]].concat())
    };
    let mut bench = Bench::resolved(&translating(true, snat()));
    let first = goes_on(&mut bench, &fragment(0, 800), Outcome::Forwarded);
    let later = goes_on(&mut bench, &fragment(800, payload.len()), Outcome::Forwarded);
    let of = |packet: &[u8]| {
        let ip = ipv6::View::new(packet).unwrap();
        assert_eq!((ip.source(), ip.destination()), (STAND_IN6, MEMBER6));
        packet[48..].to_vec()
    };
    let datagram = [of(&first), of(&later)].concat();
    assert_eq!(datagram.len(), payload.len());
    let view = wire_udp::View::new(&datagram).unwrap();
    let addresses = labsim_wire::checksum::AddressPair::V6(STAND_IN6, MEMBER6);
    assert_eq!(view.checksum_state(&addresses), ChecksumState::Good);
    assert_eq!(view.payload(), &[7; 1400]);
}

#[test]
fn a_snat_address_of_the_subnet_is_answered_for() {
    let mut bench = Bench::resolved(&translating(true, snat()));
    assert_eq!(bench.feed(&router_solicits(STAND_IN6)), Outcome::NdpAnswered);
    let sent = bench.take_one();
    let ip = ipv6::View::new(&sent[14..]).unwrap();
    let message = icmpv6::View::new(ip.payload()).unwrap();
    assert_eq!(message.kind(), icmpv6::kind::NEIGHBOUR_ADVERTISEMENT);
    let filter = bench.engine.rx_filter();
    assert!(filter.owned.contains(&STAND_IN6.into()), "{filter:?}");
    let automap = Bench::resolved(&translating(true, SourceTranslation::Automap));
    assert_eq!(automap.engine.rx_filter().shared, [std::net::IpAddr::from(OUR_IP6)]);
}

#[test]
fn what_no_flow_is_bound_to_is_reset() {
    let mut bench = Bench::resolved(&translating(true, snat()));
    let stray = answer((MEMBER6, 4900).into(), (STAND_IN6, 61_000).into());
    assert_eq!(bench.feed(&stray), Outcome::NoTranslatedFlow);
    let (from, to) = ends(&bench.take_one()[14..]);
    assert_eq!((from, to), ((STAND_IN6, 61_000).into(), (MEMBER6, 4900).into()));
}

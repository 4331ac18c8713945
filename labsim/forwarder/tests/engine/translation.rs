//! GRE, address translation and plain routing on exact bytes, and how translated flows live.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    Config, GreOptions, Outcome, OuterSource, Profile, SnatPorts, SourceTranslation,
};
use labsim_wire::checksum::{AddressPair, ChecksumState};
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, ipv4, protocol, tcp as wire_tcp, udp as wire_udp};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

const MEMBER: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 51);
const STAND_IN: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 50);

fn end(ip: Ipv4Addr, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(ip, port)
}

/// One member, on port 4900; nothing tunnelled, everything translated as told.
fn translating(address: bool, source: SourceTranslation) -> Config {
    let mut config = config();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.profile = Profile::None;
    pool.members = vec![SocketAddr::from((MEMBER, 4900)).into()];
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = address;
        server.source_address_translation = source.clone();
    }
    config
}

fn snat() -> SourceTranslation {
    SourceTranslation::Snat(vec![STAND_IN.into()])
}

/// Ends, TTL and checksums of a packet that went out.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    from: SocketAddrV4,
    to: SocketAddrV4,
    ttl: u8,
}

fn read(bytes: &[u8]) -> Sent {
    let ip = ipv4::View::new(bytes).unwrap();
    assert!(ip.checksum_ok());
    let (from, to, state) = if ip.protocol() == protocol::TCP {
        let view = wire_tcp::View::new(ip.payload()).unwrap();
        (view.source_port(), view.destination_port(), view.checksum_state(&ip.addresses()))
    } else {
        let view = wire_udp::View::new(ip.payload()).unwrap();
        (view.source_port(), view.destination_port(), view.checksum_state(&ip.addresses()))
    };
    assert!(matches!(state, ChecksumState::Good | ChecksumState::Absent), "{state:?}");
    Sent { from: end(ip.source(), from), to: end(ip.destination(), to), ttl: ip.ttl() }
}

/// Feeds a frame that has to go on, and reads the one that goes out.
fn goes_on(bench: &mut Bench, frame: &[u8], expected: Outcome) -> Sent {
    assert_eq!(bench.feed(frame), expected);
    read(&bench.take_one()[14..])
}

/// A member's packet to whoever it saw.
fn answer(flags: Flags, from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    Tcp {
        source: *from.ip(),
        destination: *to.ip(),
        source_port: from.port(),
        destination_port: to.port(),
        ttl: 63,
        data: 5,
        ..tcp(flags)
    }
    .frame()
}

const SYN_ACK: Flags = Flags::SYN.with(Flags::ACK);

#[test]
fn every_way_has_its_bytes() {
    let gre = |key, checksum| Profile::Gre(GreOptions { key, checksum });
    let client = "c0a80bc9";
    let [vip, member, own] = ["ac100463", "0a010133", "0a090902"];
    // The client's SYN as it came in: addresses, ports, TCP checksum; then what follows from it.
    // Ethernet to the router: the same for all.
    let link = "02000000000102000000000b0800";
    // Identification 7056, DF, TTL 126, TCP.
    let inner = "450000281b9040007e06";
    let tcp_rest = "000003e8000007d050020201";
    let outer = |length: &str, protocol: &str, check: &str| {
        format!("4500{length}00014000ff{protocol}{check}{own}{member}")
    };
    for (name, profile, address, port, source, expected) in [
        (
            "plain routing (nPath)",
            Profile::None,
            false,
            49,
            SourceTranslation::None,
            format!("{link}{inner}645b{client}{vip}ee8b0031{tcp_rest}"),
        ),
        (
            "IPIP",
            Profile::Ipip,
            false,
            49,
            SourceTranslation::None,
            format!("{link}{}{inner}", outer("003c", "04", "5d7e")),
        ),
        (
            "GRE",
            gre(None, false),
            false,
            49,
            SourceTranslation::None,
            format!("{link}{}00000800{inner}", outer("0040", "2f", "5d4f")),
        ),
        (
            "GRE with a key",
            gre(Some(0x0102_0304), false),
            false,
            49,
            SourceTranslation::None,
            format!("{link}{}2000080001020304{inner}", outer("0044", "2f", "5d4b")),
        ),
        (
            "GRE with a checksum",
            gre(None, true),
            false,
            49,
            SourceTranslation::None,
            format!("{link}{}80000800", outer("0044", "2f", "5d4b")),
        ),
        (
            "destination",
            Profile::None,
            true,
            4900,
            SourceTranslation::None,
            format!("{link}{inner}099b{client}{member}ee8b1324{tcp_rest}"),
        ),
        (
            "both, as the interface's own",
            Profile::None,
            true,
            4900,
            SourceTranslation::Automap,
            format!("{link}{inner}c301{own}{member}ee8b1324{tcp_rest}"),
        ),
    ] {
        let mut config = translating(address, source);
        let pool = config.balancer.pools.get_mut("pool").unwrap();
        pool.profile = profile;
        pool.members = vec![SocketAddr::from((MEMBER, port)).into()];
        let mut bench = Bench::new(&config);
        assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded, "{name}");
        let sent = bench.take_one();
        let expected = hex(&expected);
        assert_eq!(hex_of(&sent[..expected.len()]), hex_of(&expected), "{name}");
        assert_eq!(check_whole(&sent), SYN, "{name}");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every layer's lengths and checksums; the TCP flags at the end.
fn check_whole(frame: &[u8]) -> Flags {
    let mut ip = ipv4::View::new(&frame[14..]).unwrap();
    assert!(ip.checksum_ok());
    assert_eq!(frame.len(), 14 + ip.total_length());
    loop {
        let carried = ip.payload();
        ip = match ip.protocol() {
            protocol::IPIP => ipv4::View::new(carried).unwrap(),
            protocol::GRE => {
                let gre = labsim_wire::gre::View::new(carried).unwrap();
                assert_ne!(gre.checksum_ok(), Some(false));
                ipv4::View::new(gre.payload()).unwrap()
            }
            _ => {
                let segment = wire_tcp::View::new(carried).unwrap();
                assert_eq!(segment.checksum_state(&ip.addresses()), ChecksumState::Good);
                return segment.flags();
            }
        };
        assert!(ip.checksum_ok());
    }
}

#[test]
fn gre_counts_in_the_mtu_and_in_fragments() {
    for (key, checksum, room) in
        [(None, false, 1476), (Some(1), false, 1472), (Some(1), true, 1468)]
    {
        let mut config = config();
        config.balancer.pools.get_mut("pool").unwrap().profile =
            Profile::Gre(GreOptions { key, checksum });
        let mut bench = Bench::new(&config);
        let of_length = |length: usize| Tcp { data: length - 40, ..tcp(ACK) };
        assert_eq!(bench.feed(&of_length(room).frame()), Outcome::Forwarded);
        assert_eq!(bench.take_one().len(), 1514);
        assert_eq!(bench.feed(&of_length(room + 1).frame()), Outcome::FragmentationNeeded);
        let error = bench.take_one();
        let error = icmpv4::View::new(&error[34..]).unwrap();
        assert_eq!(error.mtu(), Some(room as u16));
        let cut = Tcp { dont_fragment: false, ..of_length(room + 1) };
        assert_eq!(bench.feed(&cut.frame()), Outcome::ForwardedInFragments);
        for frame in bench.take() {
            let outer = ipv4::View::new(&frame[14..]).unwrap();
            assert!(outer.dont_fragment() && outer.total_length() <= 1500);
            let gre = labsim_wire::gre::View::new(outer.payload()).unwrap();
            assert_ne!(gre.checksum_ok(), Some(false));
            assert!(ipv4::View::new(gre.payload()).unwrap().is_fragment());
        }
    }
}

#[test]
fn a_tunnel_carries_the_translated_packet_and_its_source_may_be_the_translated_one() {
    let mut config = translating(true, SourceTranslation::Automap);
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::Ipip;
    config.balancer.outer_source = OuterSource::Client;
    for known in [true, false] {
        let mut bench =
            if known { Bench::new(&config) } else { Bench::unresolved(&config, &routes()) };
        if known {
            assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
        } else {
            assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::WaitingForNeighbour);
            bench.take();
            assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
        }
        let sent = bench.take_one();
        let outer = ipv4::View::new(&sent[14..]).unwrap();
        assert_eq!((outer.source(), outer.destination()), (OUR_IP, MEMBER));
        let inner = read(outer.payload());
        assert_eq!((inner.from, inner.to), (end(OUR_IP, 61_067), end(MEMBER, 4900)));
    }
}

#[test]
fn both_directions_of_a_translated_connection_are_rewritten() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    let (stand, member) = (end(OUR_IP, 61_000), end(MEMBER, 4900));
    let client = Tcp { source_port: 40_000, ..tcp(SYN) };
    let sent = goes_on(&mut bench, &client.frame(), Outcome::Forwarded);
    assert_eq!(sent, Sent { from: stand, to: member, ttl: 126 });
    let back = answer(SYN_ACK, member, stand);
    let sent = goes_on(&mut bench, &back, Outcome::ForwardedToClient);
    assert_eq!(sent, Sent { from: end(VIP, 49), to: end(CLIENT, 40_000), ttl: 62 });
    let more = Tcp { flags: ACK, data: 26, ..client };
    let sent = goes_on(&mut bench, &more.frame(), Outcome::Forwarded);
    assert_eq!((sent.from, sent.to), (stand, member));
    let counters = bench.counters();
    let (server, pool) = (&counters.virtual_servers["tcp"], &counters.members["pool"]);
    let counted = pool["10.1.1.51:4900"];
    assert_eq!((server.received.packets, server.replies.packets), (2, 1));
    assert_eq!((counted.sent.bytes, counted.replies.bytes), (40 + 66, 45));
    assert_eq!((counters.snat.ports, counters.snat.ports_changed), (1, 1));
}

#[test]
fn a_port_of_the_range_is_kept_and_any_port_on_an_address_of_our_own() {
    for (source, port, kept) in [
        (SourceTranslation::Automap, 61_067, true),
        (SourceTranslation::Automap, 60_999, false),
        (snat(), 61_067, true),
        (snat(), 1_023, true),
        (snat(), 0, false),
    ] {
        let mut bench = Bench::new(&translating(true, source));
        let syn = Tcp { source_port: port, ..tcp(SYN) };
        let first = goes_on(&mut bench, &syn.frame(), Outcome::Forwarded).from;
        assert_eq!(first.port() == port, kept, "{port}");
        // A second client with the same port cannot have it.
        let other = Tcp { source: Ipv4Addr::new(192, 168, 11, 9), ..syn };
        let second = goes_on(&mut bench, &other.frame(), Outcome::Forwarded).from;
        assert_ne!(first, second);
        assert!(SnatPorts::default().contains(second.port()));
        // Each one's answer is its own.
        for (stand, client) in [(first, CLIENT), (second, other.source)] {
            let back = answer(SYN_ACK, end(MEMBER, 4900), stand);
            let to = goes_on(&mut bench, &back, Outcome::ForwardedToClient).to;
            assert_eq!(to, end(client, port));
        }
    }
}

#[test]
fn snat_addresses_take_turns() {
    let addresses = ["10.9.9.50", "10.9.9.51", "172.16.5.1"].map(|text| text.parse().unwrap());
    let mut bench = Bench::new(&translating(true, SourceTranslation::Snat(addresses.to_vec())));
    let mut seen: Vec<std::net::IpAddr> = Vec::new();
    for source_port in 1..=4 {
        let syn = Tcp { source_port, ..tcp(SYN) };
        seen.push((*goes_on(&mut bench, &syn.frame(), Outcome::Forwarded).from.ip()).into());
    }
    assert_eq!(seen, [addresses[0], addresses[1], addresses[2], addresses[0]]);
}

#[test]
fn without_a_free_port_a_client_gets_a_reset_and_ports_come_back_with_their_flows() {
    let mut config = translating(true, SourceTranslation::Automap);
    config.snat_ports = SnatPorts { first: 61_000, last: 61_001 };
    let mut bench = Bench::new(&config);
    let syn = |source_port| Tcp { source_port, ..tcp(SYN) }.frame();
    let port = |bench: &mut Bench, source_port| {
        goes_on(bench, &syn(source_port), Outcome::Forwarded).from.port()
    };
    assert_eq!([port(&mut bench, 1), port(&mut bench, 2)], [61_000, 61_001]);
    assert_eq!(bench.feed(&syn(3)), Outcome::SnatPortsExhausted);
    assert_eq!(bench.take_one()[47], 0x14, "RST, ACK");
    // UDP has ports of its own.
    assert_eq!(bench.feed(&udp(4, 49, b"x")), Outcome::Forwarded);
    bench.take();
    assert_eq!(bench.feed(&Tcp { source_port: 2, ..tcp(RST) }.frame()), Outcome::Forwarded);
    bench.take();
    assert_eq!(port(&mut bench, 3), 61_001);
    // Half-open flows end after five seconds, and their ports with them.
    bench.pass(Duration::from_secs(6));
    bench.take();
    let snat = bench.counters().snat;
    assert_eq!((snat.ports, snat.exhausted), (1, 1));
    assert_eq!(port(&mut bench, 5), 61_000, "free for longest");
}

#[test]
fn answers_keep_a_flow_alive_and_silence_ends_it() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    let stand = goes_on(&mut bench, &tcp(SYN).frame(), Outcome::Forwarded).from;
    goes_on(&mut bench, &tcp(ACK).frame(), Outcome::Forwarded);
    let back = answer(ACK, end(MEMBER, 4900), stand);
    for _ in 0..5 {
        bench.pass(Duration::from_secs(290));
        bench.take();
        bench.feed(&arp_reply());
        goes_on(&mut bench, &back, Outcome::ForwardedToClient);
    }
    bench.pass(Duration::from_secs(302));
    let counters = bench.counters();
    assert_eq!((counters.flows.open, counters.flows.timed_out, counters.snat.ports), (0, 1, 0));
}

#[test]
fn an_answer_to_no_flow_is_refused_with_a_reset_and_other_ports_are_the_kernels() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    let stray = answer(ACK, end(MEMBER, 4900), end(OUR_IP, 61_000));
    assert_eq!(bench.feed(&stray), Outcome::NoTranslatedFlow);
    let reset = bench.take_one();
    assert_eq!(reset[47] & 4, 4);
    assert_eq!(read(&reset[14..]).to, end(MEMBER, 4900));
    // ssh to the load balancer, say.
    let own = answer(SYN, end(MEMBER, 4900), end(OUR_IP, 22));
    assert_eq!(bench.feed(&own), Outcome::NoVirtualAddress);
    // Another member's packet, or another port of the right member's.
    let stand = goes_on(&mut bench, &tcp(SYN).frame(), Outcome::Forwarded).from;
    for from in [end(Ipv4Addr::new(10, 1, 1, 52), 4900), end(MEMBER, 4901)] {
        assert_eq!(bench.feed(&answer(ACK, from, stand)), Outcome::NoTranslatedFlow);
    }
}

#[test]
fn both_fins_end_a_flow_without_loose_close_and_one_does_not() {
    let config = with_fastl4(translating(true, SourceTranslation::Automap), |fastl4| {
        fastl4.loose_close = false;
        fastl4.loose_initiation = false;
    });
    let mut bench = Bench::new(&config);
    let stand = goes_on(&mut bench, &tcp(SYN).frame(), Outcome::Forwarded).from;
    goes_on(&mut bench, &tcp(ACK).frame(), Outcome::Forwarded);
    let member = end(MEMBER, 4900);
    goes_on(&mut bench, &answer(FIN, member, stand), Outcome::ForwardedToClient);
    bench.pass(Duration::from_secs(20));
    bench.take();
    assert_eq!(bench.counters().flows.open, 1);
    goes_on(&mut bench, &tcp(FIN).frame(), Outcome::Forwarded);
    goes_on(&mut bench, &answer(ACK, member, stand), Outcome::ForwardedToClient);
    bench.pass(Duration::from_secs(6));
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.closed_by_fin), (0, 1));
}

#[test]
fn with_loose_close_the_members_fin_is_enough_and_a_reset_ends_at_once() {
    let member = end(MEMBER, 4900);
    for (flags, seconds) in [(FIN, 6), (RST, 0)] {
        let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
        let stand = goes_on(&mut bench, &tcp(SYN).frame(), Outcome::Forwarded).from;
        goes_on(&mut bench, &tcp(ACK).frame(), Outcome::Forwarded);
        goes_on(&mut bench, &answer(flags, member, stand), Outcome::ForwardedToClient);
        bench.pass(Duration::from_secs(seconds));
        let counters = bench.counters();
        assert_eq!((counters.flows.open, counters.snat.ports), (0, 0));
        let ended = (counters.flows.closed_by_fin, counters.flows.closed_by_reset);
        assert_eq!(ended, if flags == FIN { (1, 0) } else { (0, 1) });
    }
}

#[test]
fn a_new_connection_from_the_ports_of_a_closing_one_gets_another_port() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    let syn = Tcp { source_port: 5, ..tcp(SYN) };
    let first = goes_on(&mut bench, &syn.frame(), Outcome::Forwarded).from;
    let fin = Tcp { flags: FIN, ..syn.clone() };
    goes_on(&mut bench, &fin.frame(), Outcome::Forwarded);
    let second = goes_on(&mut bench, &syn.frame(), Outcome::Forwarded).from;
    assert_ne!(first, second);
    let counters = bench.counters();
    assert_eq!((counters.flows.replaced, counters.snat.ports), (1, 1));
    // The old connection's last packet finds nothing.
    let late = answer(ACK, end(MEMBER, 4900), first);
    assert_eq!(bench.feed(&late), Outcome::NoTranslatedFlow);
}

#[test]
fn a_half_open_flow_that_gives_way_gives_its_port_back() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    for source_port in 1..=20 {
        let syn = Tcp { source_port, ..tcp(SYN) };
        goes_on(&mut bench, &syn.frame(), Outcome::Forwarded);
    }
    let counters = bench.counters();
    assert_eq!((counters.flows.open, counters.flows.evicted, counters.snat.ports), (8, 12, 8));
}

#[test]
fn arp_is_answered_for_an_address_that_the_kernel_does_not_own() {
    let addresses = vec![STAND_IN.into(), OUR_IP.into(), "172.16.5.5".parse().unwrap()];
    let mut bench = Bench::new(&translating(true, SourceTranslation::Snat(addresses)));
    assert_eq!(bench.feed(&arp_request(STAND_IN)), Outcome::ArpAnswered);
    bench.take();
    assert_eq!(bench.feed(&arp_request(OUR_IP)), Outcome::ArpLearned, "the kernel answers");
    assert_eq!(bench.feed(&arp_request(Ipv4Addr::new(172, 16, 5, 5))), Outcome::ArpLearned);
    assert!(bench.sent.is_empty());
    let mut claim = arp_request(ROUTER_IP);
    claim[28..32].copy_from_slice(&STAND_IN.octets());
    assert_eq!(bench.feed(&claim), Outcome::ArpConflict);
}

#[test]
fn the_receive_filter_lists_what_the_engine_needs() {
    let addresses = vec![STAND_IN.into(), OUR_IP.into(), VIP.into()];
    let bench = Bench::new(&translating(true, SourceTranslation::Snat(addresses)));
    let rx_filter = bench.engine.rx_filter();
    let owned = [NEAR_VIP, STAND_IN, VIP].map(std::net::IpAddr::from);
    let mut owned = owned.to_vec();
    owned.sort();
    assert_eq!(rx_filter.owned, owned);
    assert_eq!(rx_filter.shared, [IpAddr::from(OUR_IP)]);
    assert_eq!(rx_filter.ports, SnatPorts::default());
}

#[test]
fn a_vip_may_stand_in_for_its_clients() {
    let source = SourceTranslation::Snat(vec![VIP.into()]);
    let mut bench = Bench::new(&translating(true, source));
    let stand = goes_on(&mut bench, &tcp(SYN).frame(), Outcome::Forwarded).from;
    assert_eq!(stand, end(VIP, 61_067));
    let back = answer(SYN_ACK, end(MEMBER, 4900), stand);
    goes_on(&mut bench, &back, Outcome::ForwardedToClient);
    let other = Tcp { destination_port: 50, ..tcp(SYN) };
    assert_eq!(bench.feed(&other.frame()), Outcome::NoVirtualServer);
}

#[test]
fn a_datagram_without_a_checksum_stays_without_one() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    let mut datagram = udp(9, 49, b"data");
    datagram[40..42].fill(0);
    assert_eq!(bench.feed(&datagram), Outcome::Forwarded);
    assert_eq!(bench.take_one()[40..42], [0, 0]);
}

#[test]
fn a_datagram_whose_translated_checksum_is_zero_carries_all_ones() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    let mut sum_of = |word: [u8; 2]| {
        assert_eq!(bench.feed(&udp(9, 49, &word)), Outcome::Forwarded);
        let sent = bench.take_one();
        [sent[40], sent[41]]
    };
    // The word that adds what is missing to zero.
    let missing = sum_of([0, 0]);
    assert_eq!(sum_of(missing), [0xff, 0xff]);
}

/// An ICMP error about a packet that went out, quoting all or 28 bytes of it.
fn error_about(frame: &[u8], from: Ipv4Addr, cut: bool) -> Vec<u8> {
    let quoted = &frame[14..];
    let quoted = if cut { &quoted[..28] } else { quoted };
    let to = ipv4::View::new_truncated(quoted).unwrap().source();
    let mut message = vec![0; 8];
    message.extend_from_slice(quoted);
    let needed = icmpv4::Message::FragmentationNeeded { mtu: 1400 };
    needed.emit(&mut message).unwrap();
    crate::support::frame(US, header_of(from, to, protocol::ICMP), &message)
}

/// Source and destination of a forwarded error, and of the packet that it quotes.
fn read_error(frame: &[u8]) -> (Ipv4Addr, Ipv4Addr, SocketAddrV4, SocketAddrV4) {
    let ip = ipv4::View::new(&frame[14..]).unwrap();
    assert!(ip.checksum_ok());
    assert_eq!(ip.ttl(), 126);
    let message = icmpv4::View::new(ip.payload()).unwrap();
    assert!(message.checksum_ok());
    assert_eq!(message.mtu(), Some(1400));
    let quoted = message.quoted().unwrap();
    let about = ipv4::View::new_truncated(quoted).unwrap();
    assert!(about.checksum_ok());
    if !about.is_truncated() {
        read(quoted);
    }
    let port = |at: usize| u16::from_be_bytes([about.payload()[at], about.payload()[at + 1]]);
    let (from, to) = (end(about.source(), port(0)), end(about.destination(), port(2)));
    (ip.source(), ip.destination(), from, to)
}

#[test]
fn an_error_about_a_translated_packet_reaches_the_client_in_its_own_words() {
    let far = Ipv4Addr::new(10, 1, 1, 1);
    for (reporter, seen, cut) in [(far, far, true), (MEMBER, VIP, false), (far, far, false)] {
        let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
        bench.feed(&Tcp { data: 9, ..tcp(SYN) }.frame());
        let error = error_about(&bench.take_one(), reporter, cut);
        assert_eq!(bench.feed(&error), Outcome::IcmpErrorForwarded);
        let (client, vip) = (end(CLIENT, 61_067), end(VIP, 49));
        assert_eq!(read_error(&bench.take_one()), (seen, CLIENT, client, vip));
    }
}

#[test]
fn an_error_about_an_answer_reaches_the_member_in_its_own_words() {
    let far = Ipv4Addr::new(192, 168, 11, 1);
    for (reporter, seen) in [(far, far), (CLIENT, OUR_IP)] {
        let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
        let stand = goes_on(&mut bench, &tcp(SYN).frame(), Outcome::Forwarded).from;
        let member = end(MEMBER, 4900);
        bench.feed(&answer(SYN_ACK, member, stand));
        let error = error_about(&bench.take_one(), reporter, false);
        assert_eq!(bench.feed(&error), Outcome::IcmpErrorForwarded);
        assert_eq!(read_error(&bench.take_one()), (seen, MEMBER, member, stand));
    }
}

#[test]
fn under_dsr_an_error_about_an_answer_goes_through_the_tunnel_unchanged() {
    let mut bench = Bench::new(&config());
    bench.feed(&tcp(SYN).frame());
    bench.take();
    let answered = answer(SYN_ACK, end(VIP, 49), end(CLIENT, 61_067));
    let error = error_about(&answered, Ipv4Addr::new(192, 168, 11, 1), false);
    assert_eq!(bench.feed(&error), Outcome::IcmpErrorForwarded);
    let sent = bench.take_one();
    let (member, inner) = tunnelled(&sent);
    assert_eq!((member, inner.destination(), inner.ttl()), (MEMBER, VIP, 126));
    assert_eq!(inner.payload(), &error[34..]);
}

#[test]
fn an_error_about_nothing_that_is_known_goes_nowhere() {
    let mut bench = Bench::new(&translating(true, SourceTranslation::Automap));
    bench.feed(&tcp(SYN).frame());
    let sent = bench.take_one();
    let mut good = error_about(&sent, MEMBER, false);
    // The quoted ports are another flow's.
    good[34 + 8 + 20] ^= 1;
    assert_eq!(bench.feed(&good), Outcome::IcmpMalformed, "its checksum is wrong");
    let unknown = Tcp { source: OUR_IP, destination: MEMBER, ..tcp(SYN) }.frame();
    let stray = error_about(&unknown, MEMBER, false);
    assert_eq!(bench.feed(&stray), Outcome::IcmpErrorUnmatched);
    // To another address than the quoted packet's source.
    let mut astray = error_about(&sent, MEMBER, false);
    astray[30..34].copy_from_slice(&VIP.octets());
    resum(&mut astray);
    assert_eq!(bench.feed(&astray), Outcome::IcmpErrorUnmatched);
    let redirect = icmpv4::Message::Other { kind: 5, code: 1, rest: [10, 9, 9, 3] };
    let mut message = vec![0; 8];
    message.extend_from_slice(&sent[14..]);
    redirect.emit(&mut message).unwrap();
    let redirect =
        crate::support::frame(US, header_of(ROUTER_IP, OUR_IP, protocol::ICMP), &message);
    assert_eq!(bench.feed(&redirect), Outcome::IcmpNotHandled);
    assert!(bench.sent.is_empty());
}

#[test]
fn a_fragmented_translation_has_one_right_checksum() {
    let mut config = translating(true, SourceTranslation::Automap);
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::Gre(GreOptions::default());
    let mut bench = Bench::new(&config);
    let big = Tcp { data: 1450, dont_fragment: false, ..tcp(SYN) };
    assert_eq!(bench.feed(&big.frame()), Outcome::ForwardedInFragments);
    let mut segment = Vec::new();
    for frame in bench.take() {
        let part = ipv4::View::new(&frame[14 + 24..]).unwrap();
        assert!(part.checksum_ok());
        assert_eq!((part.source(), part.destination()), (OUR_IP, MEMBER));
        segment.extend_from_slice(part.payload());
    }
    let view = wire_tcp::View::new(&segment).unwrap();
    let pair = AddressPair::V4(OUR_IP, MEMBER);
    assert_eq!(view.checksum_state(&pair), ChecksumState::Good);
    assert_eq!((view.source_port(), view.destination_port()), (61_067, 4900));
}

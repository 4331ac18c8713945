//! One frame, one outcome: what comes in, what it is called, and what is answered.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{Outcome, Profile, Route};
use labsim_wire::tcp::Flags;
use labsim_wire::{icmpv4, ipv4, protocol, tcp as wire_tcp};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Feeds frames to an engine that knows its router; each has its outcome, is counted once, and is
/// answered by nothing.
fn silent(rows: &[(&str, Vec<u8>, Outcome)]) {
    for (name, frame, outcome) in rows {
        let mut bench = Bench::new(&config());
        let before = bench.counters();
        assert_eq!(bench.feed(frame), *outcome, "{name}");
        assert!(bench.sent.is_empty(), "{name}");
        let mut expected = before;
        let tally = expected.outcomes.get_mut(outcome.name()).unwrap();
        tally.packets += 1;
        tally.bytes += frame.len() as u64;
        assert_eq!(bench.counters(), expected, "{name}");
    }
}

fn changed(mut frame: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    frame[at] = value;
    resum(&mut frame);
    frame
}

fn unsummed(mut frame: Vec<u8>, at: usize, value: u8) -> Vec<u8> {
    frame[at] = value;
    frame
}

#[test]
fn frames_for_others_and_of_other_kinds_have_their_names() {
    let syn = tcp(SYN).frame();
    let other = |mac: [u8; 6]| {
        let mut frame = syn.clone();
        frame[..6].copy_from_slice(&mac);
        frame
    };
    silent(&[
        ("another station", other([2, 0, 0, 0, 0, 0x77]), Outcome::NotAddressedToUs),
        ("everybody", other([0xff; 6]), Outcome::NotAddressedToUs),
        ("a group", other([1, 0, 0x5e, 0, 0, 1]), Outcome::NotAddressedToUs),
        (
            "IPv4 as IPv6",
            unsummed(unsummed(syn.clone(), 12, 0x86), 13, 0xdd),
            Outcome::Ipv6HeaderMalformed,
        ),
        ("a VLAN tag", unsummed(syn.clone(), 12, 0x81), Outcome::EthertypeNotHandled),
        ("no link header", syn[..13].to_vec(), Outcome::FrameTruncated),
        ("empty", Vec::new(), Outcome::FrameTruncated),
    ]);
}

#[test]
fn what_lies_in_its_header_is_dropped_by_the_lies_name() {
    let syn = tcp(SYN).frame();
    let mut padded = syn.clone();
    padded.resize(60, 0);
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&padded), Outcome::Forwarded, "padding is no lie");
    assert_eq!(bench.take_one().len(), 14 + 60);
    silent(&[
        ("cut in the header", syn[..33].to_vec(), Outcome::FrameTruncated),
        ("cut behind the header", syn[..50].to_vec(), Outcome::Ipv4LengthMismatch),
        ("longer than the frame", changed(syn.clone(), 17, 41), Outcome::Ipv4LengthMismatch),
        ("shorter than its header", changed(syn.clone(), 17, 19), Outcome::Ipv4LengthMismatch),
        ("version 5", changed(syn.clone(), 14, 0x55), Outcome::Ipv4HeaderMalformed),
        ("a header of 16 bytes", unsummed(syn.clone(), 14, 0x44), Outcome::Ipv4HeaderMalformed),
        ("a wrong sum", unsummed(syn.clone(), 22, 126), Outcome::Ipv4HeaderChecksum),
        ("from 127.0.0.1", changed(syn.clone(), 26, 127), Outcome::Ipv4SourceMartian),
        ("from a group", changed(syn.clone(), 26, 224), Outcome::Ipv4SourceMartian),
        ("from network 0", changed(syn.clone(), 26, 0), Outcome::Ipv4SourceMartian),
        (
            "half a TCP header",
            changed(syn[..48].to_vec(), 17, 34),
            Outcome::TransportHeaderMalformed,
        ),
        ("a TCP offset of 16", unsummed(syn.clone(), 46, 0x40), Outcome::TransportHeaderMalformed),
        ("a TCP offset beyond", unsummed(syn.clone(), 46, 0x60), Outcome::TransportHeaderMalformed),
        ("SYN and FIN", unsummed(syn.clone(), 47, 3), Outcome::TransportHeaderMalformed),
        ("SYN and RST", unsummed(syn.clone(), 47, 6), Outcome::TransportHeaderMalformed),
        ("UDP too long", unsummed(udp(5, 49, b"x"), 39, 10), Outcome::TransportHeaderMalformed),
        ("OSPF to the VIP", changed(syn.clone(), 23, 89), Outcome::ProtocolNotHandled),
        ("no VIP", changed(syn.clone(), 33, 98), Outcome::NoVirtualAddress),
        ("GRE to no VIP", changed(changed(syn.clone(), 23, 47), 33, 98), Outcome::NoVirtualAddress),
        ("a lie to no VIP", unsummed(changed(syn, 33, 98), 46, 0x40), Outcome::NoVirtualAddress),
    ]);
}

#[test]
fn source_routes_are_refused_and_other_options_are_not() {
    let with = |options| Tcp { options, ..tcp(SYN) }.frame();
    for options in [&[1, 131, 3, 4][..], &[137, 4, 4, 0], &[68, 4, 5, 0, 131, 3, 4, 0]] {
        let options: &'static [u8] = Box::leak(options.to_vec().into_boxed_slice());
        silent(&[("a source route", with(options), Outcome::Ipv4SourceRoute)]);
    }
    for options in [&[1, 1, 1, 1][..], &[0, 131, 3, 4], &[148, 4, 0, 0], &[68, 0, 131, 3]] {
        let options: &'static [u8] = Box::leak(options.to_vec().into_boxed_slice());
        let mut bench = Bench::new(&config());
        assert_eq!(bench.feed(&with(options)), Outcome::Forwarded);
        assert_eq!(tunnelled(&bench.take_one()).1.options(), options);
    }
}

#[test]
fn arp_that_is_none_of_ours_is_ignored() {
    let malformed = unsummed(arp_request(NEAR_VIP), 15, 6);
    let mut from_group = arp_request(NEAR_VIP);
    from_group[22] = 1;
    let mut from_us = arp_request(NEAR_VIP);
    from_us[28..32].copy_from_slice(&OUR_IP.octets());
    let mut from_vip = arp_request(NEAR_VIP);
    from_vip[28..32].copy_from_slice(&NEAR_VIP.octets());
    let mut echoed = arp_request(NEAR_VIP);
    echoed[22..28].copy_from_slice(&US.0);
    silent(&[
        ("for the interface's own address", arp_request(OUR_IP), Outcome::ArpLearned),
        ("another hardware", malformed, Outcome::ArpMalformed),
        ("cut", arp_request(NEAR_VIP)[..41].to_vec(), Outcome::ArpMalformed),
        ("from a group", from_group, Outcome::ArpMalformed),
        ("with our address", from_us, Outcome::ArpConflict),
        ("with the VIP's address", from_vip, Outcome::ArpConflict),
        ("our own", echoed, Outcome::ArpIgnored),
    ]);
    let mut stranger = arp_request(OUR_IP);
    stranger[28..32].copy_from_slice(&[10, 9, 9, 77]);
    silent(&[("from a stranger", stranger, Outcome::ArpIgnored)]);
}

#[test]
fn arp_for_a_vip_on_the_segment_is_answered_and_for_a_routed_vip_is_not() {
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&arp_request(NEAR_VIP)), Outcome::ArpAnswered);
    let expected = "02000000000102000000000b0806\
                    000108000604000202000000000b0a090963\
                    0200000000010a090901";
    assert_eq!(bench.take_one(), hex(&expected.replace(' ', "")));
    assert_eq!(bench.counters().answers.arp_reply, 1);
    assert_eq!(bench.feed(&arp_request(VIP)), Outcome::ArpLearned);
    assert!(bench.sent.is_empty());
}

/// The IP packet in a frame to the router.
fn to_router(frame: &[u8]) -> ipv4::View<'_> {
    assert_eq!((&frame[..6], &frame[6..12]), (&ROUTER.0[..], &US.0[..]));
    let ip = ipv4::View::new(&frame[14..]).unwrap();
    assert!(ip.checksum_ok());
    assert_eq!((ip.destination(), ip.ttl()), (CLIENT, 64));
    ip
}

/// An ICMP error to the client: its source, type and code, and what it quotes.
fn icmp_error(frame: &[u8]) -> (Ipv4Addr, u8, u8, Option<u16>, Vec<u8>) {
    let ip = to_router(frame);
    assert_eq!((ip.protocol(), ip.tos()), (protocol::ICMP, 0xc0));
    let icmp = icmpv4::View::new(ip.payload()).unwrap();
    assert!(icmp.checksum_ok());
    (ip.source(), icmp.kind(), icmp.code(), icmp.mtu(), icmp.quoted().unwrap().to_vec())
}

#[test]
fn a_ttl_that_runs_out_is_reported_from_the_interfaces_address() {
    for ttl in [0, 1] {
        let mut bench = Bench::new(&config());
        let frame = Tcp { ttl, ..tcp(SYN) }.frame();
        assert_eq!(bench.feed(&frame), Outcome::TtlExceeded);
        let expected = (OUR_IP, 11, 0, None, frame[14..].to_vec());
        assert_eq!(icmp_error(&bench.take_one()), expected);
        let counters = bench.counters();
        assert_eq!((counters.answers.icmp_time_exceeded, counters.flows.opened), (1, 0));
    }
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&Tcp { ttl: 2, ..tcp(SYN) }.frame()), Outcome::Forwarded);
    assert_eq!(tunnelled(&bench.take_one()).1.ttl(), 1);
}

#[test]
fn an_oversize_packet_with_df_is_reported_from_the_vip_with_the_mtu_less_the_tunnel_header() {
    let mut bench = Bench::new(&config());
    let frame = Tcp { data: 1441, ..tcp(ACK) }.frame();
    assert_eq!(frame.len(), 14 + 1481);
    assert_eq!(bench.feed(&frame), Outcome::FragmentationNeeded);
    let expected = (VIP, 3, 4, Some(1480), frame[14..14 + 548].to_vec());
    assert_eq!(icmp_error(&bench.take_one()), expected);
    assert_eq!(bench.counters().answers.icmp_fragmentation_needed, 1);
    assert_eq!(bench.counters().flows.opened, 0, "what is not passed on opens no flow");
    let fits = Tcp { data: 1440, ..tcp(ACK) }.frame();
    assert_eq!(bench.feed(&fits), Outcome::Forwarded);
    assert_eq!(bench.take_one().len(), 14 + 1500);
}

#[test]
fn on_a_link_that_is_shorter_than_an_error_the_quote_is_cut() {
    for (data, mtu) in [(141, 200), (400, 400)] {
        let mut bench = Bench::with_mtu(&config(), mtu);
        let frame = Tcp { data, ..tcp(ACK) }.frame();
        assert_eq!(bench.feed(&frame), Outcome::FragmentationNeeded);
        let next_mtu = u16::try_from(mtu - 20).unwrap();
        let expected = (VIP, 3, 4, Some(next_mtu), frame[14..14 + mtu - 28].to_vec());
        assert_eq!(icmp_error(&bench.take_one()), expected);
        let answers = bench.counters().answers;
        assert_eq!((answers.icmp_fragmentation_needed, answers.unsendable), (1, 0));
    }
}

#[test]
fn a_member_is_reached_by_packets_of_its_routes_mtu() {
    for (profile, overhead) in [(Profile::Ipip, 20), (Profile::None, 0)] {
        let mut config = config();
        config.balancer.pools.values_mut().for_each(|pool| pool.profile = profile);
        let mut routes = routes();
        routes.push(Route {
            destination: "10.1.0.0/16".parse().unwrap(),
            via: Some(ROUTER_IP.into()),
            mtu: Some(600),
        });
        let mut bench = Bench::unresolved(&config, &routes).with_router();
        let whole = Tcp { data: 560 - overhead, ..tcp(ACK) };
        assert_eq!(bench.feed(&whole.frame()), Outcome::Forwarded);
        assert_eq!(bench.take_one().len(), 14 + 600);
        let longer = Tcp { data: 561 - overhead, ..tcp(ACK) };
        assert_eq!(bench.feed(&longer.frame()), Outcome::FragmentationNeeded);
        let (_, kind, code, mtu, _) = icmp_error(&bench.take_one());
        let next_mtu = u16::try_from(600 - overhead).unwrap();
        assert_eq!((kind, code, mtu), (3, 4, Some(next_mtu)));
    }
}

#[test]
fn an_oversize_packet_without_df_goes_in_fragments_that_the_server_can_put_together() {
    let mut bench = Bench::new(&config());
    let options: &[u8] = &[7, 4, 4, 0, 148, 4, 0, 0];
    let big = Tcp { data: 1452, dont_fragment: false, options, ..tcp(ACK) };
    let frame = big.frame();
    assert_eq!(frame.len(), 14 + 1500);
    assert_eq!(bench.feed(&frame), Outcome::ForwardedInFragments);
    let sent = bench.take();
    let parts: Vec<_> = sent.iter().map(|frame| tunnelled(frame).1).collect();
    let seen: Vec<_> = parts
        .iter()
        .map(|part| (part.total_length(), part.fragment_offset(), part.more_fragments()))
        .collect();
    // 1480 less a header of 28, in units of eight: 1448.
    assert_eq!(seen, [(1476, 0, true), (52, 1448, false)]);
    let payload: Vec<u8> = parts.iter().flat_map(|part| part.payload().to_vec()).collect();
    assert_eq!(payload, frame[14 + 28..]);
    assert!(parts.iter().all(|part| (part.ttl(), part.id()) == (126, 7056)));
    assert_eq!(parts[0].options(), options);
    // "Record route" stays with the first fragment, "router alert" is in every one.
    assert_eq!(parts[1].options(), [1, 1, 1, 1, 148, 4, 0, 0]);
    let ids: Vec<_> =
        sent.iter().map(|frame| ipv4::View::new(&frame[14..]).unwrap().id()).collect();
    assert_eq!(ids, [1, 2], "every tunnel packet has an ID of its own");
    let counters = bench.counters();
    assert_eq!(counters.packets(Outcome::ForwardedInFragments), 1);
    assert_eq!(counters.members["pool"]["10.1.1.51:49"].sent.packets, 1);
}

/// The reset in a frame: ports, sequence, acknowledgement, flags.
fn reset(frame: &[u8]) -> (Ipv4Addr, u16, u16, u32, u32, Flags) {
    let ip = to_router(frame);
    assert_eq!((ip.protocol(), ip.total_length()), (protocol::TCP, 40));
    let tcp = wire_tcp::View::new(ip.payload()).unwrap();
    let state = tcp.checksum_state(&ip.addresses());
    assert_eq!(state, labsim_wire::checksum::ChecksumState::Good);
    let (from, to) = (tcp.source_port(), tcp.destination_port());
    (ip.source(), from, to, tcp.sequence(), tcp.acknowledgement(), tcp.flags())
}

#[test]
fn tcp_to_a_port_that_nothing_serves_gets_a_reset() {
    let mut bench = Bench::new(&config());
    let at = |flags, data| Tcp { destination_port: 50, data, ..tcp(flags) }.frame();
    assert_eq!(bench.feed(&at(SYN, 3)), Outcome::NoVirtualServer);
    assert_eq!(reset(&bench.take_one()), (VIP, 50, 61067, 0, 1004, RST));
    assert_eq!(bench.feed(&at(FIN, 5)), Outcome::NoVirtualServer);
    assert_eq!(reset(&bench.take_one()), (VIP, 50, 61067, 2000, 0, Flags::RST));
    assert_eq!(bench.feed(&at(RST, 0)), Outcome::NoVirtualServer);
    assert!(bench.sent.is_empty(), "a reset is not answered");
    let counters = bench.counters();
    assert_eq!((counters.answers.tcp_reset, counters.answers.forbidden), (2, 1));
    let wrong = unsummed(at(SYN, 3), 50, 0xee);
    assert_eq!(bench.feed(&wrong), Outcome::TransportChecksum);
    assert!(bench.sent.is_empty());
}

#[test]
fn udp_to_a_port_that_nothing_serves_is_told_so() {
    let mut bench = Bench::new(&config());
    let frame = udp(7000, 50, b"hello");
    assert_eq!(bench.feed(&frame), Outcome::NoVirtualServer);
    let expected = (VIP, 3, 3, None, frame[14..].to_vec());
    assert_eq!(icmp_error(&bench.take_one()), expected);
    assert_eq!(bench.counters().answers.icmp_port_unreachable, 1);
}

fn icmp(kind: u8, data: &[u8]) -> Vec<u8> {
    let mut message = vec![kind, 0, 0, 0, 0x12, 0x34, 0, 1];
    message.extend_from_slice(data);
    let sum = labsim_wire::checksum::of(&message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    frame(US, header_of(CLIENT, VIP, protocol::ICMP), &message)
}

#[test]
fn an_echo_is_answered_from_the_vip_with_what_it_carried() {
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&icmp(8, b"twelve bytes")), Outcome::EchoAnswered);
    let sent = bench.take_one();
    let ip = to_router(&sent);
    assert_eq!((ip.source(), ip.protocol()), (VIP, protocol::ICMP));
    let reply = icmpv4::View::new(ip.payload()).unwrap();
    assert!(reply.checksum_ok());
    assert_eq!((reply.kind(), reply.rest()), (0, [0x12, 0x34, 0, 1]));
    assert_eq!(reply.data(), b"twelve bytes");
    assert_eq!(bench.counters().answers.icmp_echo_reply, 1);
}

#[test]
fn other_icmp_is_counted_and_never_answered() {
    let mut wrong = icmp(8, b"x");
    wrong[36] ^= 1;
    silent(&[
        ("an echo reply", icmp(0, b""), Outcome::IcmpNotHandled),
        ("an error", icmp(3, &[0x45; 28]), Outcome::IcmpErrorUnmatched),
        ("a wrong sum", wrong, Outcome::IcmpMalformed),
        ("too short", changed(icmp(8, b"")[..38].to_vec(), 17, 24), Outcome::IcmpMalformed),
    ]);
}

#[test]
fn an_error_about_a_flow_whose_time_is_over_is_of_no_flow() {
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    let answer = Tcp {
        source: VIP,
        destination: CLIENT,
        source_port: 49,
        destination_port: 61067,
        ..tcp(ACK)
    };
    let error = icmp(11, &answer.frame()[14..]);
    assert_eq!(bench.feed(&error), Outcome::IcmpErrorForwarded);
    // Not ticked yet: the flow is still in the table.
    bench.now = bench.now.after(Duration::from_secs(5));
    assert_eq!(bench.feed(&error), Outcome::IcmpErrorUnmatched);
}

#[test]
fn a_later_fragment_of_a_syn_does_not_open_its_flow() {
    let mut bench = Bench::new(&config());
    let whole = Tcp { data: 60, ..tcp(SYN) }.frame();
    let part = |offset: usize, end: usize| {
        let ip = ipv4::Header {
            dont_fragment: false,
            more_fragments: end < 80,
            fragment_offset: offset as u16,
            ..header_of(CLIENT, VIP, protocol::TCP)
        };
        frame(US, ip, &whole[34 + offset..34 + end])
    };
    assert_eq!(bench.feed(&part(0, 40)), Outcome::Forwarded);
    assert_eq!(bench.feed(&part(40, 80)), Outcome::Forwarded);
    bench.pass(Duration::from_secs(5));
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.handshake_timed_out), (0, 1));
}

#[test]
fn icmp_errors_are_limited() {
    let mut bench = Bench::new(&config());
    for _ in 0..60 {
        assert_eq!(bench.feed(&Tcp { ttl: 1, ..tcp(SYN) }.frame()), Outcome::TtlExceeded);
    }
    assert_eq!(bench.take().len(), 50);
    let counters = bench.counters();
    assert_eq!(counters.packets(Outcome::TtlExceeded), 60);
    assert_eq!((counters.answers.icmp_time_exceeded, counters.answers.rate_limited), (50, 10));
}

#[test]
fn another_member_port_is_written_into_the_packet_and_its_checksum() {
    for (translate_port, expected) in [(true, 4949), (false, 49)] {
        let mut config = config();
        for server in config.balancer.virtual_servers.values_mut() {
            server.translate_port = translate_port;
        }
        config.balancer.pools.get_mut("pool").unwrap().members = vec![member("10.1.1.51:4949")];
        let mut bench = Bench::new(&config);
        assert_eq!(bench.feed(&Tcp { data: 7, ..tcp(SYN) }.frame()), Outcome::Forwarded);
        let sent = bench.take_one();
        let (_, inner) = tunnelled(&sent);
        let segment = wire_tcp::View::new(inner.payload()).unwrap();
        assert_eq!(segment.destination_port(), expected);
        let state = segment.checksum_state(&inner.addresses());
        assert_eq!(state, labsim_wire::checksum::ChecksumState::Good);
        assert_eq!(bench.feed(&udp(9, 49, b"payload")), Outcome::Forwarded);
        let sent = bench.take_one();
        let (_, inner) = tunnelled(&sent);
        let datagram = labsim_wire::udp::View::new(inner.payload()).unwrap();
        assert_eq!(datagram.destination_port(), expected);
        let state = datagram.checksum_state(&inner.addresses());
        assert_eq!(state, labsim_wire::checksum::ChecksumState::Good);
    }
}

#[test]
fn a_datagram_without_a_checksum_stays_without_one() {
    let mut config = config();
    config.balancer.pools.get_mut("pool").unwrap().members = vec![member("10.1.1.51:4949")];
    let mut bench = Bench::new(&config);
    let mut frame = udp(9, 49, b"payload");
    frame[40..42].fill(0);
    assert_eq!(bench.feed(&frame), Outcome::Forwarded);
    let sent = bench.take_one();
    assert_eq!(tunnelled(&sent).1.payload()[2..8], [0x13, 0x55, 0, 15, 0, 0]);
}

#[test]
fn a_pool_without_a_profile_sends_the_packet_as_it_is_to_the_members_next_hop() {
    let mut config = config();
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::None;
    let mut bench = Bench::new(&config);
    let frame = tcp(SYN).frame();
    assert_eq!(bench.feed(&frame), Outcome::Forwarded);
    let sent = bench.take_one();
    let inner = ipv4::View::new(&sent[14..]).unwrap();
    assert!(inner.checksum_ok());
    assert_eq!((&sent[..6], inner.destination(), inner.ttl()), (&ROUTER.0[..], VIP, 126));
    assert_eq!(inner.payload(), &frame[34..]);
}

#[test]
fn a_full_data_plane_is_counted_and_its_packet_has_no_id() {
    let mut bench = Bench::new(&config());
    let outcome = bench.engine.process(bench.now, &tcp(SYN).frame(), &mut Full);
    assert_eq!(outcome, Outcome::TransmitFull);
    assert_eq!(bench.engine.process(bench.now, &arp_request(NEAR_VIP), &mut Full), outcome);
    assert_eq!(bench.engine.process(bench.now, &icmp(8, b""), &mut Full), Outcome::EchoAnswered);
    let counters = bench.counters();
    assert_eq!((counters.answers.unsendable, counters.answers.icmp_echo_reply), (1, 0));
    assert_eq!(counters.members["pool"]["10.1.1.51:49"].sent.packets, 0);
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::Forwarded);
    assert_eq!(ipv4::View::new(&bench.take_one()[14..]).unwrap().id(), 1);
}

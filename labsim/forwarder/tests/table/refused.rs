//! What is wrong with a frame or for nobody here, and what its sender is told.

use crate::forwarded::{PORTS, RS1, datagram, syn, translating};
use crate::fragments::{error, resummed};
use crate::packet::{Ip, framed, ip, with};
use crate::support::{CLIENT, OUR_IP, ROUTER, US, VIP, config, with_fastl4};
use crate::{Row, row};
use etherparse::{EtherType, TcpHeader};
use labsim_forwarder::{Config, FailoverState, Limits, Outcome, Pool, SnatPorts};
use labsim_wire::ethernet::Mac;

/// The reset that answers a SYN.
fn reset(from: std::net::Ipv4Addr, ports: (u16, u16)) -> Ip {
    let answer = |tcp: &mut TcpHeader| {
        (tcp.rst, tcp.ack) = (true, true);
        (tcp.sequence_number, tcp.acknowledgment_number, tcp.window_size) = (0, 1001, 0);
    };
    ip(from, CLIENT, 64).id(1).tcp(ports, answer)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = frames();
    rows.extend(headers());
    rows.extend(transports());
    rows.extend(without_a_place());
    rows
}

fn frames() -> Vec<Row> {
    let to = |mac: [u8; 6]| syn().frame(ROUTER, Mac(mac));
    vec![
        row("to another station", to([2, 0, 0, 0, 0, 0x77]), Outcome::NotAddressedToUs),
        row("to everybody", to([0xff; 6]), Outcome::NotAddressedToUs),
        row(
            "a version that IPv6 has not",
            framed(ROUTER, US, EtherType::IPV6, &[0x50; 40]),
            Outcome::Ipv6HeaderMalformed,
        ),
        row(
            "a VLAN's",
            framed(ROUTER, US, EtherType(0x8100), &[0; 46]),
            Outcome::EthertypeNotHandled,
        ),
        row("half a link header", syn().comes()[..13].to_vec(), Outcome::FrameTruncated),
        row("half an IPv4 header", syn().comes()[..33].to_vec(), Outcome::FrameTruncated),
    ]
}

fn headers() -> Vec<Row> {
    let changed = |at: usize, bytes: &[u8]| resummed(with(syn().comes(), 14 + at, bytes));
    let with_options = |options: &[u8]| syn().options(options).comes();
    vec![
        row("version 5", changed(0, &[0x55]), Outcome::Ipv4HeaderMalformed),
        row("a header of 16 bytes", with(syn().comes(), 14, &[0x44]), Outcome::Ipv4HeaderMalformed),
        row("a wrong sum", with(syn().comes(), 14 + 8, &[126]), Outcome::Ipv4HeaderChecksum),
        row("longer than its frame", changed(2, &[0, 41]), Outcome::Ipv4LengthMismatch),
        row("shorter than its header", changed(2, &[0, 19]), Outcome::Ipv4LengthMismatch),
        row("from this host", changed(12, &[127, 0, 0, 1]), Outcome::Ipv4SourceMartian),
        row("from a group", changed(12, &[224, 0, 0, 1]), Outcome::Ipv4SourceMartian),
        row("a loose source route", with_options(&[131, 3, 4, 0]), Outcome::Ipv4SourceRoute),
        row("a strict one", with_options(&[1, 137, 3, 4]), Outcome::Ipv4SourceRoute),
        row("to no VIP", changed(16, &[172, 16, 4, 98]), Outcome::NoVirtualAddress),
        row(
            "OSPF to a VIP",
            ip(CLIENT, VIP, 127).carrying(89, vec![2; 44]).comes(),
            Outcome::ProtocolNotHandled,
        ),
        row(
            "SCTP to a VIP",
            ip(CLIENT, VIP, 127).carrying(132, vec![2; 44]).comes(),
            Outcome::ProtocolNotHandled,
        ),
        row("TTL 1", aged().comes(), Outcome::TtlExceeded).goes_out([error(
            (11, 0),
            OUR_IP,
            [0; 4],
            &aged().bytes(),
        )
        .goes()]),
        row(
            "too long for the tunnel, with DF",
            datagram(1453).df().comes(),
            Outcome::FragmentationNeeded,
        )
        .goes_out([error((3, 4), VIP, [0, 0, 0x05, 0xc8], &datagram(1453).df().bytes()).goes()]),
        row("just not too long", datagram(1452).df().comes(), Outcome::Forwarded)
            .goes_out([datagram(1452).df().hop().ipip(RS1, 1).goes()]),
        row("with no tunnel it may be longer", datagram(1472).df().comes(), Outcome::Forwarded)
            .on(crate::forwarded::with_profile(labsim_forwarder::Profile::None))
            .goes_out([datagram(1472).df().hop().goes()]),
    ]
}

fn transports() -> Vec<Row> {
    let segment = |length: usize| {
        let bytes = syn().bytes()[20..20 + length].to_vec();
        ip(CLIENT, VIP, 127).carrying(6, bytes).comes()
    };
    let both = ip(CLIENT, VIP, 127).tcp(PORTS, |tcp| (tcp.syn, tcp.fin) = (true, true));
    let ack = ip(CLIENT, VIP, 127).tcp(PORTS, |tcp| tcp.ack = true);
    let strict = with_fastl4(config(), |fastl4| fastl4.loose_initiation = false);
    let told = ip(VIP, CLIENT, 64).id(1).tcp((49, 40_000), |tcp| {
        (tcp.rst, tcp.sequence_number, tcp.window_size) = (true, 0, 0);
    });
    let closed = ip(CLIENT, VIP, 127).df().tcp((40_000, 50), |tcp| tcp.syn = true);
    let nobody = ip(CLIENT, VIP, 127).df().udp((40_000, 50), b"hello");
    vec![
        row("19 bytes of a TCP header", segment(19), Outcome::TransportHeaderMalformed),
        row(
            "an offset beyond the segment",
            with(syn().comes(), 14 + 20 + 12, &[0x60]),
            Outcome::TransportHeaderMalformed,
        ),
        row("SYN and FIN", both.comes(), Outcome::TransportHeaderMalformed),
        row(
            "a UDP length beyond the packet",
            with(datagram(5).comes(), 14 + 20 + 4, &[0, 14]),
            Outcome::TransportHeaderMalformed,
        ),
        row("a port that nobody serves", closed.comes(), Outcome::NoVirtualServer)
            .goes_out([reset(VIP, (50, 40_000)).goes()]),
        row(
            "and whose sum is wrong",
            with(closed.comes(), 14 + 20 + 16, &[0xba, 0xad]),
            Outcome::TransportChecksum,
        ),
        row("a UDP port that nobody serves", nobody.comes(), Outcome::NoVirtualServer)
            .goes_out([error((3, 3), VIP, [0; 4], &nobody.bytes()).goes()]),
        row("an ACK of no flow", ack.comes(), Outcome::NoFlow).on(strict).goes_out([told.goes()]),
        row(
            "a RST of no flow",
            ip(CLIENT, VIP, 127).tcp(PORTS, |tcp| tcp.rst = true).comes(),
            Outcome::ResetWithoutFlow,
        ),
    ]
}

fn without_a_place() -> Vec<Row> {
    let one = Limits { flows: 1, ..config().limits };
    let stray = ip(RS1, OUR_IP, 63).udp((49, 61_000), b"stray");
    let mut one_port = translating();
    one_port.snat_ports = SnatPorts { first: 61_000, last: 61_000 };
    let second = ip(CLIENT, VIP, 127).df().tcp((40_001, 49), |tcp| tcp.syn = true);
    let mut watched = config();
    let pool = watched.balancer.pools.get_mut("pool").unwrap();
    let text = r#"{"members":["10.1.1.51:49"],"monitor":"tcp","action_on_down":"reset"}"#;
    *pool = Pool {
        members: pool.members.clone(),
        ..labsim_yaml::read(&labsim_yaml::Source::new("test", text)).unwrap()
    };
    let mut waiting = config();
    waiting.balancer.failover_state = FailoverState::Standby;
    let spoke = ip(CLIENT, VIP, 127).df().tcp(PORTS, |tcp| {
        (tcp.ack, tcp.acknowledgment_number) = (true, 77);
    });
    let over = ip(VIP, CLIENT, 64).id(1).tcp((PORTS.1, PORTS.0), |tcp| {
        (tcp.rst, tcp.sequence_number, tcp.window_size) = (true, 77, 0);
    });
    vec![
        Row {
            down: Some("10.1.1.51:49"),
            ..row("a flow whose member is down", spoke.comes(), Outcome::MemberDown)
                .on(watched)
                .after([syn().comes()])
                .goes_out([over.goes()])
        },
        row("to one on standby", syn().comes(), Outcome::Standby).on(waiting),
        row("an answer to nobody", stray.comes(), Outcome::NoTranslatedFlow).on(translating()),
        row("no port to stand in", second.comes(), Outcome::SnatPortsExhausted)
            .on(one_port)
            .after([syn().comes()])
            .goes_out([reset(VIP, (49, 40_001)).goes()]),
        row("no place for a flow", second.comes(), Outcome::FlowTableFull)
            .on(Config { limits: one, ..config() })
            .after([datagram(1).comes(), datagram(2).comes()]),
    ]
}

/// A SYN that has come as far as it may.
fn aged() -> Ip {
    ip(CLIENT, VIP, 1).df().tcp(PORTS, |tcp| tcp.syn = true)
}

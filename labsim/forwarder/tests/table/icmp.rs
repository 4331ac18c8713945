//! ICMP to the forwarder: echoes, and errors about packets of flows, which go to the end that can
//! use them.

use crate::forwarded::{RS1, RS2, datagram, syn, translating, with_profile};
use crate::packet::{Ip, ip, with};
use crate::support::{CLIENT, OUR_IP, VIP, config};
use crate::{Row, row};
use labsim_forwarder::{Outcome, Profile};
use std::net::Ipv4Addr;

/// A router on the way to the client.
const HOP: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const NEEDS_FRAGMENTS: ((u8, u8), [u8; 4]) = ((3, 4), [0, 0, 0x02, 0x58]);

/// A server's answer, past the load balancer.
fn answer() -> Ip {
    ip(VIP, CLIENT, 63).df().tcp_with((49, 40_000), |tcp| tcp.ack = true, &[3; 700])
}

/// An error of that router's about a packet, quoting so many bytes of it.
fn error(to: Ipv4Addr, about: &Ip, quoted: usize) -> Ip {
    let (kind, rest) = NEEDS_FRAGMENTS;
    ip(HOP, to, 60).tos(0xc0).icmp(kind, rest, &about.bytes()[..quoted])
}

pub(crate) fn rows() -> Vec<Row> {
    let of_kind = |kind| ip(HOP, VIP, 60).icmp(kind, [0; 4], &answer().bytes()[..28]);
    let to_udp = ip(VIP, CLIENT, 63).df().udp((49, 40_000), &[3; 700]);
    let to_nobody = ip(VIP, CLIENT, 63).df().tcp((49, 40_009), |tcp| tcp.ack = true);
    let mut narrow = translating();
    narrow.balancer.pools = config().balancer.pools;
    let echo = ip(CLIENT, VIP, 127).tos(0x48).icmp((8, 0), [0x12, 0x34, 0, 1], b"twelve bytes");
    let aged = ip(HOP, VIP, 1).icmp((3, 4), [0; 4], &answer().bytes()[..28]);
    // What the router says about a packet to the member: the client knows it otherwise.
    let about_request = ip(OUR_IP, RS1, 126).df().tcp((61_000, 49), |tcp| tcp.syn = true);
    let clients_own = ip(CLIENT, VIP, 126).df().tcp((40_000, 49), |tcp| tcp.syn = true);
    let (kind, rest) = NEEDS_FRAGMENTS;
    let translated = error(OUR_IP, &about_request, 40);
    let retold = ip(HOP, CLIENT, 59).tos(0xc0).icmp(kind, rest, &clients_own.bytes());
    let about_answer = ip(VIP, CLIENT, 63).df().tcp((49, 40_000), |tcp| tcp.ack = true);
    let members_own = ip(RS1, OUR_IP, 63).df().tcp((49, 61_000), |tcp| tcp.ack = true);
    let to_member = ip(HOP, RS1, 59).tos(0xc0).icmp(kind, rest, &members_own.bytes());
    vec![
        row("an echo to a VIP", echo.comes(), Outcome::EchoAnswered).goes_out([{
            let reply = ip(VIP, CLIENT, 64).tos(0x48).id(1);
            reply.icmp((0, 0), [0x12, 0x34, 0, 1], b"twelve bytes").goes()
        }]),
        row(
            "an error about an answer goes to its server",
            error(VIP, &answer(), 548).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .after([datagram(1).comes(), syn().comes()])
        .goes_out([error(VIP, &answer(), 548).hop().ipip(RS2, 3).goes()]),
        row(
            "its tunnel packet is ours, not the reporting router's",
            error(VIP, &answer(), 548).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .on(crate::support::with_client_source(config()))
        .after([syn().comes()])
        .goes_out([error(VIP, &answer(), 548).hop().ipip(RS1, 2).goes()]),
        row(
            "the least that RFC 792 quotes is enough",
            error(VIP, &answer(), 28).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .after([syn().comes()])
        .goes_out([error(VIP, &answer(), 28).hop().ipip(RS1, 2).goes()]),
        row("about a datagram too", error(VIP, &to_udp, 28).comes(), Outcome::IcmpErrorForwarded)
            .after([syn().comes(), datagram(1).comes()])
            .goes_out([error(VIP, &to_udp, 28).hop().ipip(RS2, 3).goes()]),
        row(
            "about a fragmented datagram's first",
            error(VIP, &to_udp.part(0..480), 28).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .after([datagram(1).comes()])
        .goes_out([error(VIP, &to_udp.part(0..480), 28).hop().ipip(RS1, 2).goes()]),
        row("time exceeded", of_kind((11, 0)).comes(), Outcome::IcmpErrorForwarded)
            .after([syn().comes()])
            .goes_out([of_kind((11, 0)).hop().ipip(RS1, 2).goes()]),
        row("host unreachable, L2 DSR", of_kind((3, 1)).comes(), Outcome::IcmpErrorForwarded)
            .on(with_profile(Profile::None))
            .after([syn().comes()])
            .goes_out([of_kind((3, 1)).hop().goes()]),
        row(
            "about a translated request, to the client",
            translated.comes(),
            Outcome::IcmpErrorForwarded,
        )
        .on(translating())
        .after([syn().comes()])
        .goes_out([retold.goes()]),
        row(
            "about a translated answer, to the member",
            error(VIP, &about_answer, 40).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .on(translating())
        .after([syn().comes()])
        .goes_out([to_member.goes()]),
        row("of no flow", error(VIP, &to_nobody, 28).comes(), Outcome::IcmpErrorUnmatched)
            .after([syn().comes()]),
        row(
            "about a later fragment",
            error(VIP, &to_udp.part(480..708), 28).comes(),
            Outcome::IcmpErrorUnmatched,
        )
        .after([datagram(1).comes()]),
        row(
            "seven bytes of a header and no ports",
            error(VIP, &answer(), 23).comes(),
            Outcome::IcmpErrorUnmatched,
        )
        .after([syn().comes()]),
        row("quoting nothing", error(VIP, &answer(), 0).comes(), Outcome::IcmpErrorUnmatched),
        row(
            "about somebody else's packet",
            error(VIP, &members_own, 40).comes(),
            Outcome::IcmpErrorUnmatched,
        )
        .on(translating())
        .after([syn().comes()]),
        row(
            "of a flow that is over",
            error(VIP, &answer(), 28).comes(),
            Outcome::IcmpErrorUnmatched,
        )
        .after([syn().comes(), reset().comes()]),
        row(
            "longer than the tunnel takes",
            error(VIP, &long_answer(), 1460).comes(),
            Outcome::IcmpErrorTooLong,
        )
        .after([syn().comes()]),
        row("with TTL 1, and nobody is told", aged.comes(), Outcome::TtlExceeded)
            .after([syn().comes()]),
        row("source quench", of_kind((4, 0)).comes(), Outcome::IcmpNotHandled)
            .after([syn().comes()]),
        row("a redirect", of_kind((5, 1)).comes(), Outcome::IcmpNotHandled).after([syn().comes()]),
        row(
            "an echo reply",
            ip(CLIENT, VIP, 127).icmp((0, 0), [0; 4], b"").comes(),
            Outcome::IcmpNotHandled,
        ),
        row(
            "a timestamp request",
            ip(CLIENT, VIP, 127).icmp((13, 0), [0; 4], &[0; 12]).comes(),
            Outcome::IcmpNotHandled,
        ),
        row(
            "an echo to the interface is the kernel's",
            ip(CLIENT, OUR_IP, 127).icmp((8, 0), [0; 4], b"").comes(),
            Outcome::NoVirtualAddress,
        ),
        row("a wrong sum", with(echo.comes(), 14 + 20 + 8, b"T"), Outcome::IcmpMalformed),
        row(
            "seven bytes",
            ip(CLIENT, VIP, 127).carrying(1, vec![8, 0, 0xf7, 0xff, 0, 0, 0]).comes(),
            Outcome::IcmpMalformed,
        ),
    ]
}

fn long_answer() -> Ip {
    ip(VIP, CLIENT, 63).df().tcp_with((49, 40_000), |tcp| tcp.ack = true, &[3; 1448])
}

fn reset() -> Ip {
    ip(CLIENT, VIP, 127).df().tcp((40_000, 49), |tcp| tcp.rst = true)
}

//! ICMPv6 to a VIP: echoes, and errors about flows.

use crate::forwarded6::{RS6, RS6_2, datagram6, syn6, with};
use crate::packet6::{Ip6, ip6, over_v4, over_v6};
use crate::support::ipv6::{CLIENT6, OUR_IP6, VIP6, config_of, config6};
use crate::{Row, row};
use labsim_forwarder::{Outcome, Profile};
use std::net::Ipv6Addr;

/// A router on the way to the client.
const HOP: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x77, 0, 0, 0, 0, 1);

/// A server's answer, past the load balancer.
fn answer() -> Ip6 {
    ip6(VIP6, CLIENT6, 63).ack((49, 40_000), &[3; 1400])
}

/// That router says that a packet is too big, quoting so many bytes of it.
fn too_big(to: Ipv6Addr, about: &Ip6, quoted: usize) -> Ip6 {
    ip6(HOP, to, 60).icmp((2, 0), [0, 0, 5, 0], &about.bytes()[..quoted])
}

pub(crate) fn rows() -> Vec<Row> {
    let rows = echoes().into_iter().chain(errors()).chain(useless());
    rows.map(|row| if row.config == crate::support::config() { row.on(config6()) } else { row })
        .collect()
}

fn echoes() -> Vec<Row> {
    let echo = ip6(CLIENT6, VIP6, 127).class(0x48);
    let echo = echo.icmp((128, 0), [0x12, 0x34, 0, 1], b"twelve bytes");
    let wrong = crate::packet::with(echo.comes(), 14 + 40 + 8, b"T");
    vec![
        row("an echo to a VIP", echo.comes(), Outcome::EchoAnswered).goes_out([{
            let reply = ip6(VIP6, CLIENT6, 64).label(0).class(0x48);
            reply.icmp((129, 0), [0x12, 0x34, 0, 1], b"twelve bytes").goes()
        }]),
        row("a wrong sum", wrong, Outcome::IcmpMalformed),
        row(
            "seven bytes",
            ip6(CLIENT6, VIP6, 127).carrying(58, vec![128, 0, 0, 0, 0, 0, 0]).comes(),
            Outcome::IcmpMalformed,
        ),
        row(
            "an echo to the interface is the kernel's",
            ip6(CLIENT6, OUR_IP6, 127).icmp((128, 0), [0; 4], b"").comes(),
            Outcome::NoVirtualAddress,
        ),
        row(
            "IPv4's ICMP in IPv6",
            ip6(CLIENT6, VIP6, 127).carrying(1, vec![8, 0, 0xf7, 0xff, 0, 0, 0, 0]).comes(),
            Outcome::ProtocolNotHandled,
        ),
    ]
}

fn errors() -> Vec<Row> {
    let of_kind = |kind| ip6(HOP, VIP6, 60).icmp(kind, [0; 4], &answer().bytes()[..60]);
    let to_udp = ip6(VIP6, CLIENT6, 63).udp((49, 40_000), &[3; 700]);
    let behind = ip6(VIP6, CLIENT6, 63).behind(60, &[1, 4, 0, 0, 0, 0]);
    let behind = behind.tcp((49, 40_000), |tcp| tcp.ack = true);
    let too_big = |about: &Ip6, quoted| self::too_big(VIP6, about, quoted);
    let in_v6 = |error: &Ip6, member| over_v6(member, 41, error.clone().hop().bytes()).goes();
    vec![
        row(
            "packet too big about an answer goes to its server",
            too_big(&answer(), 1232).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .after([datagram6(1).comes(), syn6().comes()])
        .goes_out([in_v6(&too_big(&answer(), 1232), RS6_2)]),
        row(
            "over IPv4 to one of IPv4's",
            too_big(&answer(), 1232).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .on(config_of(true, false))
        .after([syn6().comes()])
        .goes_out([over_v4(
            crate::forwarded::RS1,
            2,
            41,
            too_big(&answer(), 1232).hop().bytes(),
        )]),
        row(
            "its tunnel packet is ours, not the reporting router's",
            too_big(&answer(), 60).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .on(crate::support::with_client_source(config6()))
        .after([syn6().comes()])
        .goes_out([in_v6(&too_big(&answer(), 60), RS6)]),
        row("about a datagram too", too_big(&to_udp, 48).comes(), Outcome::IcmpErrorForwarded)
            .after([syn6().comes(), datagram6(1).comes()])
            .goes_out([in_v6(&too_big(&to_udp, 48), RS6_2)]),
        row(
            "behind an extension header",
            too_big(&behind, 56).comes(),
            Outcome::IcmpErrorForwarded,
        )
        .after([syn6().comes()])
        .goes_out([in_v6(&too_big(&behind, 56), RS6)]),
        row("time exceeded", of_kind((3, 0)).comes(), Outcome::IcmpErrorForwarded)
            .after([syn6().comes()])
            .goes_out([in_v6(&of_kind((3, 0)), RS6)]),
        row("a parameter problem", of_kind((4, 1)).comes(), Outcome::IcmpErrorForwarded)
            .after([syn6().comes()])
            .goes_out([in_v6(&of_kind((4, 1)), RS6)]),
        row("address unreachable, L2 DSR", of_kind((1, 3)).comes(), Outcome::IcmpErrorForwarded)
            .on(with(config6(), Profile::None))
            .after([syn6().comes()])
            .goes_out([of_kind((1, 3)).hop().goes()]),
    ]
}

fn useless() -> Vec<Row> {
    let of_kind = |kind| ip6(HOP, VIP6, 60).icmp(kind, [0; 4], &answer().bytes()[..60]);
    let to_nobody = ip6(VIP6, CLIENT6, 63).tcp((49, 40_009), |tcp| tcp.ack = true);
    let later = ip6(VIP6, CLIENT6, 63).udp((49, 40_000), &[3; 1500]).part(1232..1508, 9);
    let aged = ip6(HOP, VIP6, 1).icmp((2, 0), [0, 0, 5, 0], &answer().bytes()[..60]);
    let mapped = |ip: std::net::Ipv4Addr| ip.to_ipv6_mapped();
    // Its addresses are those of an IPv4 flow, in IPv6's form.
    let disguised = ip6(mapped(crate::support::VIP), mapped(crate::support::CLIENT), 63);
    let disguised = disguised.tcp((49, 40_000), |tcp| tcp.ack = true);
    let unmatched = Outcome::IcmpErrorUnmatched;
    vec![
        row("of no flow", too_big(VIP6, &to_nobody, 60).comes(), unmatched).after([syn6().comes()]),
        row("about a later fragment", too_big(VIP6, &later, 60).comes(), unmatched)
            .after([datagram6(1).comes()]),
        row("three bytes and no ports", too_big(VIP6, &answer(), 43).comes(), unmatched)
            .after([syn6().comes()]),
        row("quoting nothing", too_big(VIP6, &answer(), 0).comes(), unmatched),
        row("IPv4's flow in disguise", too_big(VIP6, &disguised, 60).comes(), unmatched)
            .after([crate::forwarded::syn().comes()]),
        row("with hop limit 1, and nobody is told", aged.comes(), Outcome::TtlExceeded)
            .after([syn6().comes()]),
        row("an error that nobody knows", of_kind((100, 0)).comes(), Outcome::IcmpNotHandled)
            .after([syn6().comes()]),
        row("a redirect", of_kind((137, 0)).comes(), Outcome::IcmpNotHandled)
            .after([syn6().comes()]),
        row("an echo reply", of_kind((129, 0)).comes(), Outcome::IcmpNotHandled),
    ]
}

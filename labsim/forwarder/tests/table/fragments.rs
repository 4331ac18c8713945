//! Fragments: first and later, in order and not, true and false.

use crate::forwarded::{PORTS, RS1, RS2, datagram, syn, translating};
use crate::packet::{Ip, ip, with};
use crate::support::{CLIENT, OUR_IP, VIP, config};
use crate::{Row, row};
use labsim_forwarder::Outcome;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A datagram of 2000 bytes, as a client's MTU of 1000 cuts it.
fn parts() -> [Ip; 3] {
    let whole = datagram(1992);
    [whole.part(0..976), whole.part(976..1952), whole.part(1952..2000)]
}

fn in_tunnel(part: &Ip, id: u16) -> Vec<u8> {
    part.clone().hop().ipip(RS1, id).goes()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = in_order();
    rows.extend(out_of_order());
    rows.extend(false_ones());
    rows.extend(translated());
    rows
}

fn in_order() -> Vec<Row> {
    let [first, second, third] = parts();
    let options: &[u8] = &[148, 4, 0, 0];
    // 1500 bytes each, which a tunnel with 1480 cuts again.
    let long = datagram(2952);
    let (long_first, long_second) = (long.part(0..1480), long.part(1480..2960));
    let last = ip(CLIENT, VIP, 127).id(9).udp(PORTS, &[7; 1480]).part(8..1488);
    let begin = ip(CLIENT, VIP, 127).id(9).udp(PORTS, &[7; 1480]).part(0..8);
    vec![
        row("a first fragment chooses a member", first.comes(), Outcome::Forwarded)
            .goes_out([in_tunnel(&first, 1)]),
        row("a later one follows, MF and offset as they came", second.comes(), Outcome::Forwarded)
            .after([first.comes()])
            .goes_out([in_tunnel(&second, 2)]),
        row("the last one follows", third.comes(), Outcome::Forwarded)
            .after([first.comes(), second.comes()])
            .goes_out([in_tunnel(&third, 3)]),
        row("a later one comes twice", second.comes(), Outcome::Forwarded)
            .after([first.comes(), second.comes()])
            .goes_out([in_tunnel(&second, 3)]),
        row("it follows its own first, not the last flow", second.comes(), Outcome::Forwarded)
            .after([first.comes(), syn().comes()])
            .goes_out([in_tunnel(&second, 3)]),
        row(
            "options of a later one stay inside",
            second.clone().options(options).comes(),
            Outcome::Forwarded,
        )
        .after([first.comes()])
        .goes_out([in_tunnel(&second.clone().options(options), 2)]),
        row("too long a first is cut once more", long_first.comes(), Outcome::ForwardedInFragments)
            .goes_out([in_tunnel(&long.part(0..1456), 1), in_tunnel(&long.part(1456..1480), 2)]),
        row(
            "too long a later one is cut where it belongs",
            long_second.comes(),
            Outcome::ForwardedInFragments,
        )
        .after([long_first.comes()])
        .goes_out([in_tunnel(&long.part(1480..2936), 3), in_tunnel(&long.part(2936..2960), 4)]),
        row("the last of a cut one ends the datagram", last.comes(), Outcome::ForwardedInFragments)
            .after([begin.comes()])
            .goes_out([
                in_tunnel(&ip(CLIENT, VIP, 127).id(9).udp(PORTS, &[7; 1480]).part(8..1464), 2),
                in_tunnel(&ip(CLIENT, VIP, 127).id(9).udp(PORTS, &[7; 1480]).part(1464..1488), 3),
            ]),
        Row {
            wait: Duration::from_millis(29_999),
            ..row("followed for thirty seconds", second.comes(), Outcome::Forwarded)
                .after([first.comes()])
                .goes_out([in_tunnel(&second, 2)])
        },
        Row {
            wait: Duration::from_secs(30),
            ..row("and no longer", second.comes(), Outcome::WaitingForFirstFragment)
                .after([first.comes()])
        },
    ]
}

fn out_of_order() -> Vec<Row> {
    let [first, second, third] = parts();
    let other = |id: u16| second.clone().id(id).comes();
    let half = Duration::from_millis(500);
    vec![
        row("before its first, it waits", second.comes(), Outcome::WaitingForFirstFragment),
        row("the first lets those go that came before it", first.comes(), Outcome::Forwarded)
            .after([third.comes(), second.comes(), other(1)])
            .counted(&[Outcome::Forwarded; 3])
            .goes_out([in_tunnel(&first, 1), in_tunnel(&third, 2), in_tunnel(&second, 3)]),
        Row {
            then: Duration::from_secs(1),
            ..row("given up after a second", second.comes(), Outcome::WaitingForFirstFragment)
                .counted(&[Outcome::FragmentWithoutFirst])
        },
        Row {
            wait: half,
            then: half,
            ..row("each in its own time", second.comes(), Outcome::WaitingForFirstFragment)
                .after([third.comes()])
                .counted(&[Outcome::FragmentWithoutFirst])
        },
        row("a flood takes the oldest one's place", other(99), Outcome::WaitingForFirstFragment)
            .after((0..32).map(other))
            .counted(&[Outcome::FragmentQueueOverflow]),
        row("and leaves what comes in order alone", second.comes(), Outcome::Forwarded)
            .after((0..40).map(other).chain([first.comes()]))
            .goes_out([in_tunnel(&second, 2)]),
    ]
}

fn false_ones() -> Vec<Row> {
    let [first, second, third] = parts();
    let whole = datagram(1992);
    let segment = ip(CLIENT, VIP, 127).tcp_with(PORTS, |tcp| tcp.syn = true, &[7; 60]);
    let over = whole.part(968..976);
    let nobody = ip(CLIENT, VIP, 127).udp((40_000, 50), &[7; 60]);
    let reset = ip(CLIENT, VIP, 127).tcp_with((40_000, 50), |tcp| tcp.syn = true, &[7; 60]);
    let ping = ip(CLIENT, VIP, 127).icmp((8, 0), [0; 4], &[7; 60]);
    let far = with(whole.part(16..32).comes(), 14 + 6, &[0x1f, 0xff]);
    vec![
        row("nine bytes with more to come", whole.part(16..25).comes(), Outcome::FragmentMalformed),
        row("nothing in it", whole.part(16..16).comes(), Outcome::FragmentMalformed),
        row("beyond the longest packet", resummed(far), Outcome::FragmentMalformed),
        row("seven bytes of a UDP header", tiny_udp(), Outcome::FragmentMalformed),
        row("a TCP header cut at 16 bytes", segment.part(0..16).comes(), Outcome::FragmentTooSmall),
        row("and the rest of it", segment.part(16..80).comes(), Outcome::FragmentRefused)
            .after([segment.part(0..16).comes()]),
        row("over the first one's end", over.comes(), Outcome::FragmentOverlap)
            .after([first.comes()]),
        row("nothing follows an overlap", third.comes(), Outcome::FragmentRefused)
            .after([first.comes(), over.comes()]),
        row("over the TCP header, at 8", segment.part(8..32).comes(), Outcome::FragmentOverlap)
            .after([segment.part(0..24).comes()]),
        row("what waited is held against its first too", first.comes(), Outcome::Forwarded)
            .after([over.comes(), second.comes()])
            .counted(&[Outcome::Forwarded, Outcome::FragmentOverlap, Outcome::FragmentRefused])
            .goes_out([in_tunnel(&first, 1)]),
        row(
            "a port that nobody serves is not told",
            nobody.part(0..24).comes(),
            Outcome::NoVirtualServer,
        ),
        row("nor is a TCP client", reset.part(0..24).comes(), Outcome::NoVirtualServer),
        row(
            "the rest of what is not served",
            nobody.part(24..68).comes(),
            Outcome::FragmentRefused,
        )
        .after([nobody.part(0..24).comes()]),
        row("a first with TTL 1 is told", aged(&first).comes(), Outcome::TtlExceeded)
            .goes_out([error((11, 0), OUR_IP, [0; 4], &aged(&first).bytes()).goes()]),
        row("a later one with TTL 1 is not", aged(&second).comes(), Outcome::TtlExceeded)
            .after([first.comes()]),
        row(
            "a first that may not be cut is told",
            unbroken().part(0..1480).comes(),
            Outcome::FragmentationNeeded,
        )
        .goes_out([error(
            (3, 4),
            VIP,
            [0, 0, 0x05, 0xc8],
            &unbroken().part(0..1480).bytes(),
        )
        .goes()]),
        row(
            "and the others do not follow",
            unbroken().part(1480..2008).comes(),
            Outcome::FragmentRefused,
        )
        .after([unbroken().part(0..1480).comes()]),
        row("a fragmented ping", ping.part(0..32).comes(), Outcome::FragmentNotHandled),
        row("a later fragment to no VIP", elsewhere(&second).comes(), Outcome::NoVirtualAddress),
    ]
}

fn translated() -> Vec<Row> {
    let [first, second, _] = parts();
    let out = |id| {
        let data: Vec<u8> = (0..1992).map(|at| at as u8).collect();
        ip(OUR_IP, RS1, 126).id(id).udp((61_000, 49), &data)
    };
    let answer = ip(RS1, OUR_IP, 63).id(0x77).udp((49, 61_000), &[9; 1992]);
    let back = ip(VIP, CLIENT, 62).id(2).udp((49, 40_000), &[9; 1992]);
    let mut tunnelled = translating();
    tunnelled.balancer.pools = config().balancer.pools;
    let (big, long) = (datagram(1465), datagram(2952));
    let stands_in = |length: usize| {
        let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
        ip(OUR_IP, RS1, 126).id(1).udp((61_000, 49), &data)
    };
    vec![
        row("translated and cut", big.comes(), Outcome::ForwardedInFragments)
            .on(tunnelled.clone())
            .goes_out([
                stands_in(1465).part(0..1456).ipip(RS1, 1).goes(),
                stands_in(1465).part(1456..1473).ipip(RS1, 2).goes(),
            ]),
        row(
            "a later one, translated and cut, is cut and no more",
            long.part(1480..2960).comes(),
            Outcome::ForwardedInFragments,
        )
        .on(tunnelled.clone())
        .after([long.part(0..1480).comes()])
        .goes_out([
            stands_in(2952).part(1480..2936).ipip(RS1, 3).goes(),
            stands_in(2952).part(2936..2960).ipip(RS1, 4).goes(),
        ]),
        row(
            "a translated first has its checksum and an ID of ours",
            first.comes(),
            Outcome::Forwarded,
        )
        .on(translating())
        .goes_out([out(1).part(0..976).goes()]),
        row(
            "the others have the same ID, and no port of theirs is touched",
            second.comes(),
            Outcome::Forwarded,
        )
        .on(translating())
        .after([first.comes()])
        .goes_out([out(1).part(976..1952).goes()]),
        row("a first that comes twice keeps its ID", second.comes(), Outcome::Forwarded)
            .on(translating())
            .after([first.comes(), first.comes()])
            .goes_out([out(1).part(976..1952).goes()]),
        row("in a tunnel as well", second.comes(), Outcome::Forwarded)
            .on(tunnelled)
            .after([first.comes()])
            .goes_out([out(1).part(976..1952).ipip(RS1, 2).goes()]),
        row("a fragmented answer's first", answer.part(0..976).comes(), Outcome::ForwardedToClient)
            .on(translating())
            .after([datagram(5).id(5).comes()])
            .goes_out([back.part(0..976).goes()]),
        row("and its rest", answer.part(976..2000).comes(), Outcome::ForwardedToClient)
            .on(translating())
            .after([datagram(5).id(5).comes(), answer.part(0..976).comes()])
            .goes_out([back.part(976..2000).goes()]),
        row(
            "of an address that the kernel shares nothing waits",
            ip(RS2, OUR_IP, 63).udp((49, 61_000), &[9; 1992]).part(976..2000).comes(),
            Outcome::NoVirtualAddress,
        )
        .on(translating()),
    ]
}

/// A datagram that is in fragments though it says DF, as some hosts send.
fn unbroken() -> Ip {
    datagram(2000).df()
}

fn aged(part: &Ip) -> Ip {
    let mut part = part.clone();
    for _ in 1..127 {
        part = part.hop();
    }
    part
}

fn elsewhere(part: &Ip) -> Ip {
    let bytes = part.bytes()[20..].to_vec();
    let whole = [vec![0; 976], bytes, vec![0; 8]].concat();
    ip(CLIENT, [172, 16, 4, 98].into(), 127).carrying(17, whole).part(976..1952)
}

/// An error of the forwarder's about a packet, to the client.
pub(crate) fn error(kind: (u8, u8), from: Ipv4Addr, rest: [u8; 4], about: &[u8]) -> Ip {
    let quote = &about[..about.len().min(548)];
    ip(from, CLIENT, 64).tos(0xc0).id(1).icmp(kind, rest, quote)
}

/// Sums the IPv4 header of a frame anew.
pub(crate) fn resummed(mut frame: Vec<u8>) -> Vec<u8> {
    crate::support::resum(&mut frame);
    frame
}

fn tiny_udp() -> Vec<u8> {
    resummed(with(datagram(5).part(0..7).comes(), 14 + 6, &[0x20, 0]))
}

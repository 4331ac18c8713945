//! IPv6 fragments: first and later, in order and not, true and false.

use crate::forwarded::PORTS;
use crate::forwarded6::{RS6, RS6_2, datagram6, syn6};
use crate::packet::with;
use crate::packet6::{Ip6, ip6, over_v6};
use crate::support::ipv6::{CLIENT6, VIP6, config6};
use crate::{Row, row};
use labsim_forwarder::Outcome;
use std::time::Duration;

const ID: u32 = 0xdead_beef;

/// A datagram of 2000 bytes, as a client's MTU of 1280 cuts it.
fn parts() -> [Ip6; 2] {
    let whole = datagram6(1992);
    [whole.part(0..1232, ID), whole.part(1232..2000, ID)]
}

fn in_tunnel(part: &Ip6) -> Vec<u8> {
    over_v6(RS6, 41, part.clone().hop().bytes()).goes()
}

pub(crate) fn rows() -> Vec<Row> {
    let rows = good().into_iter().chain(false_ones());
    rows.map(|row| row.on(config6())).collect()
}

fn good() -> Vec<Row> {
    let [first, second] = parts();
    // Of another datagram: the upper half of the identification differs.
    let other = datagram6(1992).part(1232..2000, 0xbeef);
    let atomic = datagram6(9).part(0..17, ID);
    // More headers behind the fragment header: only the first fragment has them.
    let datagram = datagram6(1992).bytes()[40..].to_vec();
    let body = [&[17, 0, 1, 4, 0, 0, 0, 0], &datagram[..]].concat();
    let whole = ip6(CLIENT6, VIP6, 127).carrying(60, body);
    let (with_more, after) = (whole.part(0..1232, 7), whole.part(1232..2008, 7));
    // Another next header in the later one: only the first's counts.
    let as_tcp = with(second.comes(), 14 + 40, &[6]);
    let as_tcp_goes = with(in_tunnel(&second), 14 + 40 + 40, &[6]);
    vec![
        row("a first fragment chooses a member", first.comes(), Outcome::Forwarded)
            .goes_out([in_tunnel(&first)]),
        row("a later one follows", second.comes(), Outcome::Forwarded)
            .after([first.comes(), syn6().comes()])
            .goes_out([in_tunnel(&second)]),
        row("whatever its next header says", as_tcp, Outcome::Forwarded)
            .after([first.comes()])
            .goes_out([as_tcp_goes]),
        row("it waits for its first", second.comes(), Outcome::WaitingForFirstFragment),
        row("and goes with it", first.comes(), Outcome::Forwarded)
            .after([second.comes()])
            .counted(&[Outcome::Forwarded, Outcome::Forwarded])
            .goes_out([in_tunnel(&first), in_tunnel(&second)]),
        row("all 32 bits tell datagrams apart", other.comes(), Outcome::WaitingForFirstFragment)
            .after([first.comes()]),
        Row {
            then: Duration::from_secs(1),
            ..row("a first that does not come", second.comes(), Outcome::WaitingForFirstFragment)
                .counted(&[Outcome::FragmentWithoutFirst])
        },
        row("a fragment that is all of its datagram", atomic.comes(), Outcome::Forwarded)
            .after([syn6().comes()])
            .goes_out([over_v6(RS6_2, 41, atomic.clone().hop().bytes()).goes()]),
        row("headers behind the fragment header", with_more.comes(), Outcome::Forwarded)
            .goes_out([in_tunnel(&with_more)]),
        row("which later ones have not", after.comes(), Outcome::Forwarded)
            .after([with_more.comes()])
            .goes_out([in_tunnel(&after)]),
    ]
}

fn false_ones() -> Vec<Row> {
    let [first, second] = parts();
    let echo = ip6(CLIENT6, VIP6, 127).icmp((128, 0), [0; 4], &[0; 1992]);
    let over = datagram6(1992).part(1224..2000, ID);
    let odd = with(datagram6(1992).part(0..1233, ID).comes(), 14 + 40 + 2, &[0, 1]);
    let beyond = with(second.comes(), 14 + 40 + 2, &[0xff, 0xf8]);
    let small = ip6(CLIENT6, VIP6, 127).tcp(PORTS, |tcp| tcp.syn = true).part(0..16, ID);
    // The first fragment ends within a header of the chain (RFC 7112).
    let body = [&[17, 1, 1, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0][..], &[0; 64]].concat();
    let chain = ip6(CLIENT6, VIP6, 127).carrying(60, body).part(0..8, ID);
    let nobody = ip6(CLIENT6, VIP6, 127).udp((40_000, 50), &[0; 1992]);
    let nothing = ip6(CLIENT6, VIP6, 127).carrying(17, Vec::new()).part(0..0, ID);
    vec![
        row("of an echo", echo.part(0..1232, ID).comes(), Outcome::FragmentNotHandled),
        row("of an echo, later", echo.part(1232..2000, ID).comes(), Outcome::FragmentNotHandled),
        row("over the first", over.comes(), Outcome::FragmentOverlap).after([first.comes()]),
        row("and nothing more goes on", second.comes(), Outcome::FragmentRefused)
            .after([first.comes(), over.comes()]),
        row("no multiple of eight", odd, Outcome::FragmentMalformed),
        row("beyond the longest packet", beyond, Outcome::FragmentMalformed),
        row("half a TCP header", small.comes(), Outcome::FragmentTooSmall),
        row("half a chain of headers", chain.comes(), Outcome::FragmentTooSmall),
        row(
            "nobody serves it, and nobody is told",
            nobody.part(0..1232, ID).comes(),
            Outcome::NoVirtualServer,
        ),
        row(
            "nothing in it",
            with(nothing.comes(), 14 + 40 + 2, &[4, 0xd0]),
            Outcome::FragmentMalformed,
        ),
    ]
}

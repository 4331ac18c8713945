//! Neighbour discovery, and IPv6 packets that wait for a neighbour.

use crate::forwarded6::{RS6, syn6};
use crate::packet6::{Ip6, ip6, over_v6};
use crate::support::ipv6::{
    NEAR_VIP6, OUR_IP6, ROUTER_IP6, VIP6, config6, our_solicitation, router_advertises,
};
use crate::support::{ROUTER, US};
use crate::{Row, row};
use labsim_forwarder::{Outcome, Route};
use labsim_wire::ethernet::Mac;
use std::net::Ipv6Addr;
use std::time::Duration;

const ALL_NODES: (Mac, Ipv6Addr) =
    (Mac([0x33, 0x33, 0, 0, 0, 1]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
const STRANGER: (Mac, Ipv6Addr) =
    (Mac([2, 0, 0, 0, 0, 0x77]), Ipv6Addr::new(0x2001, 0xdb8, 9, 0, 0, 0, 0, 0x77));
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

/// The group of the near VIP.
const GROUP: (Mac, Ipv6Addr) =
    (Mac([0x33, 0x33, 0xff, 0, 0, 0x99]), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 0x99));

/// A message about `target`, with that option.
fn message(
    kind: u8,
    flags: u8,
    (source, destination): (Ipv6Addr, Ipv6Addr),
    target: Ipv6Addr,
    option: &[u8],
) -> Ip6 {
    let data = [&target.octets()[..], option].concat();
    ip6(source, destination, 255).label(0).icmp((kind, 0), [flags, 0, 0, 0], &data)
}

/// The sender's, or the target's, link-layer address.
fn option(kind: u8, mac: Mac) -> Vec<u8> {
    [&[kind, 1], &mac.0[..]].concat()
}

/// Who has `target`? To the near VIP's group.
fn asks(from: (Mac, Ipv6Addr), target: Ipv6Addr) -> Vec<u8> {
    message(135, 0, (from.1, GROUP.1), target, &option(1, from.0)).frame(from.0, GROUP.0)
}

/// `target` is here, to us.
fn says(flags: u8, from: (Mac, Ipv6Addr)) -> Vec<u8> {
    message(136, flags, (from.1, OUR_IP6), from.1, &option(2, from.0)).frame(from.0, US)
}

/// Our answer for the near VIP.
fn advertised(flags: u8, to: (Mac, Ipv6Addr)) -> Vec<u8> {
    message(136, flags, (NEAR_VIP6, to.1), NEAR_VIP6, &option(2, US)).frame(US, to.0)
}

const NEIGHBOUR: (Mac, Ipv6Addr) = (ROUTER, ROUTER_IP6);

pub(crate) fn rows() -> Vec<Row> {
    let rows = questions().into_iter().chain(answers()).chain(malformed()).chain(waiting());
    rows.map(|row| row.on(config6())).collect()
}

fn questions() -> Vec<Row> {
    let probe = message(135, 0, (Ipv6Addr::UNSPECIFIED, GROUP.1), NEAR_VIP6, &[]);
    let by_name = message(135, 0, (ROUTER_IP6, NEAR_VIP6), NEAR_VIP6, &[]);
    vec![
        row("a question for a VIP", asks(NEIGHBOUR, NEAR_VIP6), Outcome::NdpAnswered)
            .goes_out([advertised(SOLICITED | OVERRIDE, NEIGHBOUR)]),
        row("of a stranger", asks(STRANGER, NEAR_VIP6), Outcome::NdpAnswered)
            .goes_out([advertised(SOLICITED | OVERRIDE, STRANGER)]),
        row("whether it is still here", by_name.frame(ROUTER, US), Outcome::NdpAnswered)
            .goes_out([advertised(SOLICITED | OVERRIDE, NEIGHBOUR)]),
        row("a probe for its address", probe.frame(STRANGER.0, GROUP.0), Outcome::NdpAnswered)
            .goes_out([advertised(OVERRIDE, ALL_NODES)]),
        row("for a VIP of elsewhere", asks(NEIGHBOUR, VIP6), Outcome::NdpLearned),
        row("for the router's neighbour", asks(NEIGHBOUR, STRANGER.1), Outcome::NdpLearned),
        row("for the interface's own address", asks(STRANGER, OUR_IP6), Outcome::NdpIgnored),
        row("our own", asks((US, OUR_IP6), STRANGER.1), Outcome::NdpIgnored),
        row("as from us", asks((STRANGER.0, OUR_IP6), STRANGER.1), Outcome::NdpConflict),
        row("as from a VIP", asks((STRANGER.0, VIP6), STRANGER.1), Outcome::NdpConflict),
    ]
}

fn answers() -> Vec<Row> {
    let moved = (STRANGER.0, ROUTER_IP6);
    let goes_to = |mac| over_v6(RS6, 41, syn6().hop().bytes()).frame(US, mac);
    let bare = message(136, SOLICITED, (ROUTER_IP6, OUR_IP6), ROUTER_IP6, &[]);
    vec![
        row("the router's answer", says(SOLICITED | OVERRIDE, NEIGHBOUR), Outcome::NdpLearned),
        row("without the option", bare.frame(ROUTER, US), Outcome::NdpLearned),
        row("a stranger's", says(SOLICITED | OVERRIDE, STRANGER), Outcome::NdpIgnored),
        row("another address that does not override", says(0, moved), Outcome::NdpIgnored),
        row("so packets go where they went", syn6().comes(), Outcome::Forwarded)
            .after([says(0, moved)])
            .goes_out([goes_to(ROUTER)]),
        row("one that does is asked at its next use", syn6().comes(), Outcome::Forwarded)
            .after([says(OVERRIDE, moved)])
            .goes_out([goes_to(STRANGER.0), our_solicitation(Some(STRANGER.0))]),
        row("a VIP's other owner", says(OVERRIDE, (STRANGER.0, VIP6)), Outcome::NdpConflict),
        row("our address's", says(OVERRIDE, (STRANGER.0, OUR_IP6)), Outcome::NdpConflict),
    ]
}

fn malformed() -> Vec<Row> {
    let good = |options: &[u8]| message(135, 0, (ROUTER_IP6, GROUP.1), NEAR_VIP6, options);
    let to_group = |ip: Ip6| ip.frame(ROUTER, GROUP.0);
    let right = to_group(good(&option(1, ROUTER)));
    let routed = to_group(good(&option(1, ROUTER)).hop());
    let probe = |options: &[u8], destination| {
        to_group(message(135, 0, (Ipv6Addr::UNSPECIFIED, destination), NEAR_VIP6, options))
    };
    let code = {
        let data = NEAR_VIP6.octets();
        to_group(ip6(ROUTER_IP6, GROUP.1, 255).icmp((135, 1), [0; 4], &data))
    };
    let solicited = message(136, SOLICITED, (ROUTER_IP6, ALL_NODES.1), ROUTER_IP6, &[]);
    [
        ("came over a router", routed),
        ("a wrong sum", crate::packet::with(right.clone(), 14 + 40 + 20, &[7])),
        ("an option of length 0", to_group(good(&[1, 0, 0, 0, 0, 0, 0, 0]))),
        ("an option beyond its end", to_group(good(&[1, 2, 2, 0, 0, 0, 0, 1]))),
        ("half a target", to_group(ip6(ROUTER_IP6, GROUP.1, 255).icmp((135, 0), [0; 4], &[1; 8]))),
        ("about a group", asks(NEIGHBOUR, ALL_NODES.1)),
        ("another code", code),
        ("a probe with an address", probe(&option(1, ROUTER), GROUP.1)),
        ("a probe to all", probe(&[], ALL_NODES.1)),
        ("an answer to all", solicited.frame(ROUTER, ALL_NODES.0)),
        ("from a group's address", asks((Mac([0x33, 0x33, 0, 0, 0, 1]), ROUTER_IP6), NEAR_VIP6)),
    ]
    .map(|(name, frame)| row(name, frame, Outcome::NdpMalformed))
    .into()
}

fn waiting() -> Vec<Row> {
    let unresolved = |row: Row| Row { resolved: false, ..row };
    let echo = |source| ip6(source, NEAR_VIP6, 64).icmp((128, 0), [0; 4], b"").comes();
    let near = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
    vec![
        unresolved(row("for the router's address", syn6().comes(), Outcome::WaitingForNeighbour)),
        unresolved(
            row("an answer lets it go", router_advertises(), Outcome::NdpLearned)
                .after([syn6().comes()])
                .counted(&[Outcome::NdpLearned, Outcome::Forwarded])
                .goes_out([over_v6(RS6, 41, syn6().hop().bytes()).goes()]),
        ),
        Row {
            then: Duration::from_secs(3),
            ..unresolved(
                row("no answer", syn6().comes(), Outcome::WaitingForNeighbour)
                    .counted(&[Outcome::NeighbourUnreachable])
                    .goes_out([(); 3].map(|()| our_solicitation(None))),
            )
        },
        row("a host on its own link is asked from there", echo(near), Outcome::EchoAnswered)
            .goes_out([{
                let own = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0xb);
                let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, 7);
                let question = message(135, 0, (own, group), near, &option(1, US));
                question.frame(US, Mac([0x33, 0x33, 0xff, 0, 0, 7]))
            }]),
        Row {
            routes: Vec::<Route>::new(),
            resolved: false,
            ..row("no way to the members", syn6().comes(), Outcome::NoRoute)
        },
    ]
}

//! ARP, and packets that wait for a neighbour.

use crate::forwarded::{RS1, datagram, syn};
use crate::packet::{framed, ip, with};
use crate::support::{NEAR_VIP, OUR_IP, ROUTER, ROUTER_IP, US, arp_reply, config, our_request};
use crate::{Row, row};
use etherparse::{ArpEthIpv4Packet, ArpOperation, ArpPacket, EtherType};
use labsim_forwarder::{Config, Limits, Outcome, Profile};
use labsim_wire::ethernet::Mac;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// A member on the forwarder's own segment.
const MEMBER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 51);
const MEMBER_MAC: Mac = Mac([2, 0, 0, 0, 0, 0x51]);

/// An ARP message in a frame from its sender.
fn arp(operation: u16, from: (Mac, Ipv4Addr), to: (Mac, Ipv4Addr), frame_to: Mac) -> Vec<u8> {
    let message = ArpPacket::from(ArpEthIpv4Packet {
        operation: ArpOperation(operation),
        sender_mac: from.0.0,
        sender_ipv4: from.1.octets(),
        target_mac: to.0.0,
        target_ipv4: to.1.octets(),
    });
    framed(from.0, frame_to, EtherType::ARP, &message.to_bytes())
}

fn request(from: (Mac, Ipv4Addr), target: Ipv4Addr) -> Vec<u8> {
    arp(1, from, (Mac::default(), target), Mac::BROADCAST)
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = of_arp();
    rows.extend(of_packets_that_wait());
    rows
}

fn of_arp() -> Vec<Row> {
    let router = (ROUTER, ROUTER_IP);
    let stranger = (Mac([2, 0, 0, 0, 0, 0x77]), Ipv4Addr::new(10, 9, 9, 77));
    vec![
        row("a question for a VIP", request(router, NEAR_VIP), Outcome::ArpAnswered)
            .goes_out([arp(2, (US, NEAR_VIP), router, ROUTER)]),
        row("the router's own address", request(router, OUR_IP), Outcome::ArpLearned),
        row("a stranger's", request(stranger, OUR_IP), Outcome::ArpIgnored),
        row(
            "a VIP's other owner",
            request((stranger.0, NEAR_VIP), ROUTER_IP),
            Outcome::ArpConflict,
        ),
        row(
            "from a group",
            request((Mac([1, 0, 0x5e, 0, 0, 1]), ROUTER_IP), NEAR_VIP),
            Outcome::ArpMalformed,
        ),
        row(
            "of another hardware",
            with(request(router, NEAR_VIP), 15, &[6]),
            Outcome::ArpMalformed,
        ),
    ]
}

fn of_packets_that_wait() -> Vec<Row> {
    let unresolved = |row: Row| Row { resolved: false, ..row };
    let three_seconds = Duration::from_secs(3);
    let mut beside = config();
    beside.balancer.pools.get_mut("pool").unwrap().members =
        vec![SocketAddr::from((MEMBER, 49)).into()];
    // There is room for the member and for nobody else.
    let small = Config { limits: Limits { neighbours: 1, ..beside.limits }, ..beside.clone() };
    vec![
        unresolved(row("for the router's address", syn().comes(), Outcome::WaitingForNeighbour)),
        unresolved(
            row("an answer lets it go", arp_reply(), Outcome::ArpLearned)
                .after([syn().comes()])
                .counted(&[Outcome::ArpLearned, Outcome::Forwarded])
                .goes_out([syn().hop().ipip(RS1, 1).goes()]),
        ),
        unresolved(
            row("fragments wait in their order", arp_reply(), Outcome::ArpLearned)
                .after([
                    datagram(1992).part(0..976).comes(),
                    datagram(1992).part(976..2000).comes(),
                ])
                .counted(&[Outcome::ArpLearned, Outcome::Forwarded, Outcome::Forwarded])
                .goes_out([
                    datagram(1992).part(0..976).hop().ipip(RS1, 1).goes(),
                    datagram(1992).part(976..2000).hop().ipip(RS1, 2).goes(),
                ]),
        ),
        Row {
            then: three_seconds,
            ..unresolved(
                row("no answer", syn().comes(), Outcome::WaitingForNeighbour)
                    .counted(&[Outcome::NeighbourUnreachable])
                    .goes_out([(); 3].map(|()| our_request(Mac::BROADCAST))),
            )
        },
        unresolved(
            row("the oldest gives its place", syn().comes(), Outcome::WaitingForNeighbour)
                .after((0..8).map(|_| syn().comes()))
                .counted(&[Outcome::NeighbourQueueOverflow]),
        ),
        Row {
            wait: three_seconds,
            ..unresolved(row(
                "a datagram for a pool without a reachable member",
                datagram(1).comes(),
                Outcome::NoMemberReachable,
            ))
        },
        Row {
            routes: Vec::new(),
            resolved: false,
            ..row("no way to the members", datagram(1).comes(), Outcome::NoRoute)
        },
        unresolved(
            row("no place for the client's hop", translated_answer(), Outcome::NeighbourTableFull)
                .on(translating(small))
                .after([syn().comes(), arp(2, (MEMBER_MAC, MEMBER), (US, OUR_IP), US)]),
        ),
        Row {
            room: false,
            ..row("no room at the data plane", syn().comes(), Outcome::TransmitFull)
        },
    ]
}

/// An answer of the member beside us, to whoever stands in for the client.
fn translated_answer() -> Vec<u8> {
    ip(MEMBER, OUR_IP, 64).df().tcp((49, 61_000), |tcp| tcp.ack = true).comes()
}

fn translating(config: Config) -> Config {
    let translating = crate::forwarded::translating();
    let mut config = config;
    config.balancer.virtual_servers = translating.balancer.virtual_servers;
    config.balancer.pools.values_mut().for_each(|pool| pool.profile = Profile::None);
    config
}

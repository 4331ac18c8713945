//! ICMP errors about the forwarder's own tunnel packets, and packets out of others' tunnels.

use crate::forwarded::{PORTS, RS1, RS2, datagram, syn, translating, with_profile};
use crate::fragments::error;
use crate::packet::{Ip, ip};
use crate::support::{CLIENT, OUR_IP, ROUTER, VIP, arp_reply, config, our_request};
use crate::{Row, row};
use etherparse::UdpHeader;
use labsim_forwarder::{Config, GreOptions, Outcome, Profile};
use labsim_model::GueOptions;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A router within the tunnel.
const HOP: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);

/// The UDP source port of [`long`]'s flow in GUE.
const FLOW_PORT: u16 = 0xc597;

/// What that router says about a packet.
fn within(kind: (u8, u8), rest: [u8; 4], about: &Ip, quoted: usize) -> Ip {
    let bytes = about.bytes();
    ip(HOP, OUR_IP, 62).tos(0xc0).icmp(kind, rest, &bytes[..quoted.min(bytes.len())])
}

fn too_long(mtu: u16, about: &Ip, quoted: usize) -> Ip {
    let [high, low] = mtu.to_be_bytes();
    within((3, 4), [0, 0, high, low], about, quoted)
}

/// A client's packet of 1200 bytes.
fn long() -> Ip {
    ip(CLIENT, VIP, 127).df().tcp_with(PORTS, |tcp| tcp.ack = true, &[5; 1160])
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = mtus();
    rows.extend(other_errors());
    rows.extend(from_other_tunnels());
    rows
}

fn mtus() -> Vec<Row> {
    let sent = long().hop().ipip(RS1, 1);
    let lesson = too_long(1000, &sent, 548);
    let again = |mtu: u16| vec![long().comes(), too_long(mtu, &sent, 28).comes()];
    let fits = ip(CLIENT, VIP, 127).df().tcp_with(PORTS, |tcp| tcp.ack = true, &[5; 940]);
    let gre = with_profile(Profile::Gre(GreOptions::default()));
    let in_gre = {
        let inner = [&[0, 0, 8, 0], &long().hop().bytes()[..]].concat();
        ip(OUR_IP, RS1, 255).id(1).df().carrying(47, inner)
    };
    // UDP to port 6080 without a checksum from the flow's port; GUE's protocol, 4.
    let in_gue = |port: u16| {
        let udp = UdpHeader { source_port: 0, destination_port: port, length: 1212, checksum: 0 };
        let [_, _, rest @ ..] = udp.to_bytes();
        let inner = [&FLOW_PORT.to_be_bytes(), &rest[..], &[0, 4, 0, 0], &long().hop().bytes()];
        ip(OUR_IP, RS1, 255).id(1).df().carrying(17, inner.concat())
    };
    let gue = || with_profile(Profile::Gue(GueOptions::default()));
    vec![
        row("GUE", long().comes(), Outcome::Forwarded).on(gue()).goes_out([in_gue(6080).goes()]),
        row(
            "less UDP's header and GUE's too",
            too_long(1000, &in_gue(6080), 548).comes(),
            Outcome::TunnelMtuLearned,
        )
        .on(gue())
        .after([long().comes()])
        .goes_out([needs_fragments(968, &long().hop().bytes()[..516]).goes()]),
        row(
            "a quote of UDP's header teaches",
            too_long(1000, &in_gue(6080), 28).comes(),
            Outcome::TunnelMtuLearned,
        )
        .on(gue())
        .after([long().comes()]),
        row(
            "another UDP port is not the tunnel's",
            too_long(1000, &in_gue(6081), 548).comes(),
            Outcome::IcmpErrorUnmatched,
        )
        .on(gue())
        .after([long().comes()]),
        row(
            "a narrow way within a tunnel, told to the client",
            lesson.comes(),
            Outcome::TunnelMtuLearned,
        )
        .after([long().comes()])
        .goes_out([needs_fragments(980, &long().hop().bytes()[..528]).goes()]),
        row(
            "less GRE's header too",
            too_long(1000, &in_gre, 548).comes(),
            Outcome::TunnelMtuLearned,
        )
        .on(gre)
        .after([long().comes()])
        .goes_out([needs_fragments(976, &long().hop().bytes()[..524]).goes()]),
        row(
            "a client whose packet may be cut is not told",
            {
                let sent = datagram(1172).hop().ipip(RS1, 1);
                too_long(1000, &sent, 548).comes()
            },
            Outcome::TunnelMtuLearned,
        )
        .after([datagram(1172).comes()]),
        row(
            "a quote of eight bytes teaches, though whose it is cannot be said",
            too_long(1000, &sent, 28).comes(),
            Outcome::TunnelMtuLearned,
        )
        .after([long().comes()]),
        row(
            "the next long packet does not enter the tunnel",
            long().comes(),
            Outcome::FragmentationNeeded,
        )
        .after(again(1000))
        .goes_out([needs_fragments(980, &long().bytes()).goes()]),
        row("what fits goes on", fits.comes(), Outcome::Forwarded)
            .after(again(1000))
            .goes_out([fits.clone().hop().ipip(RS1, 2).goes()]),
        row(
            "what may be cut is cut to what fits",
            datagram(1172).comes(),
            Outcome::ForwardedInFragments,
        )
        .after([datagram(1).comes(), too_long(1000, &datagram(1).hop().ipip(RS1, 1), 28).comes()])
        .goes_out([
            datagram(1172).hop().part(0..960).ipip(RS1, 2).goes(),
            datagram(1172).hop().part(960..1180).ipip(RS1, 3).goes(),
        ]),
        row("another member's way is as wide as it was", long().id(7).comes(), Outcome::Forwarded)
            .after([datagram(1).comes(), too_long(1000, &sent, 28).comes()])
            .goes_out([long().id(7).hop().ipip(RS2, 2).goes()]),
        Row {
            wait: Duration::from_secs(600),
            ..row("after ten minutes it is tried again", long().comes(), Outcome::Forwarded)
                .on(alone())
                .after(again(1000))
                .goes_out([long().hop().ipip(RS1, 2).goes(), our_request(ROUTER)])
        },
        Row {
            wait: Duration::from_millis(599_999),
            ..row("and not before", long().comes(), Outcome::FragmentationNeeded)
                .on(alone())
                .after(again(1000))
                .goes_out([needs_fragments(980, &long().bytes()).goes(), our_request(ROUTER)])
        },
        Row {
            resolved: false,
            ..row("what waited is not cut against its will", arp_reply(), Outcome::ArpLearned)
                .after(again(1000))
                .counted(&[Outcome::ArpLearned, Outcome::FragmentationNeeded])
        },
        row("an error never makes it wider", long().comes(), Outcome::FragmentationNeeded)
            .after([again(1000), again(1400)].concat())
            .goes_out([needs_fragments(980, &long().bytes()).id(2).goes()]),
        row("nor narrower than 552 bytes", long().comes(), Outcome::FragmentationNeeded)
            .after(again(68))
            .goes_out([needs_fragments(532, &long().bytes()).goes()]),
        row("no MTU is told", too_long(0, &sent, 548).comes(), Outcome::IcmpNotHandled)
            .after([long().comes()]),
    ]
}

fn other_errors() -> Vec<Row> {
    let sent = syn().hop().ipip(RS1, 1);
    let about = |kind| within(kind, [0; 4], &sent, 548);
    let told = |code| error((3, code), VIP, [0; 4], &syn().hop().bytes());
    let mut translated = translating();
    translated.balancer.pools = config().balancer.pools;
    let stranger = ip(OUR_IP, Ipv4Addr::new(10, 1, 1, 77), 255).df().carrying(4, syn().bytes());
    let by_gre = ip(OUR_IP, RS1, 255).df().carrying(47, syn().bytes());
    let unknown = datagram(1).hop().ipip(RS1, 1);
    let client_source = crate::support::with_client_source(config());
    let row_after =
        |name, frame: Ip, outcome| row(name, frame.comes(), outcome).after([syn().comes()]);
    vec![
        row_after("no tunnel ends there", about((3, 2)), Outcome::TunnelErrorReported)
            .goes_out([told(1).goes()]),
        row_after("the member is down", about((3, 1)), Outcome::TunnelErrorReported)
            .goes_out([told(1).goes()]),
        row_after("its network is", about((3, 0)), Outcome::TunnelErrorReported)
            .goes_out([told(0).goes()]),
        row_after("a loop within the tunnel", about((11, 0)), Outcome::TunnelErrorReported)
            .goes_out([told(1).goes()]),
        row_after("forbidden on the way", about((3, 13)), Outcome::TunnelErrorReported)
            .goes_out([told(1).goes()]),
        row(
            "the client hears of its own packet, not of its translation",
            {
                let inner = ip(OUR_IP, RS1, 126).df().tcp((61_000, 49), |tcp| tcp.syn = true);
                within((3, 1), [0; 4], &inner.ipip(RS1, 1), 548).comes()
            },
            Outcome::TunnelErrorReported,
        )
        .on(translated)
        .after([syn().comes()])
        .goes_out([told(1).goes()]),
        row_after("port unreachable means nothing to it", about((3, 3)), Outcome::IcmpNotHandled),
        row_after("nor a failed source route", about((3, 5)), Outcome::IcmpNotHandled),
        row_after(
            "nor what is wrong with the outer header",
            about((12, 0)),
            Outcome::IcmpNotHandled,
        ),
        row_after(
            "whose packet it was is not quoted",
            within((3, 1), [0; 4], &sent, 28),
            Outcome::IcmpErrorUnmatched,
        ),
        row_after("of no flow", within((3, 1), [0; 4], &unknown, 548), Outcome::IcmpErrorUnmatched),
        row_after(
            "about a tunnel to no member",
            within((3, 1), [0; 4], &stranger, 548),
            Outcome::IcmpErrorUnmatched,
        ),
        row_after(
            "about another kind of tunnel",
            within((3, 1), [0; 4], &by_gre, 548),
            Outcome::IcmpErrorUnmatched,
        ),
        row_after("of another source than ours", about((3, 1)), Outcome::IcmpErrorUnmatched)
            .on(client_source),
    ]
}

fn from_other_tunnels() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, protocol) in [("IPIP to a VIP", 4), ("IPv6 in IP", 41), ("GRE", 47)] {
        let packet = ip(CLIENT, VIP, 127).carrying(protocol, syn().bytes());
        rows.push(row(name, packet.comes(), Outcome::AlreadyTunnelled));
        rows.push(row(name, packet.part(0..24).comes(), Outcome::AlreadyTunnelled));
    }
    rows
}

/// A frame with what the client is told about the way's MTU.
fn needs_fragments(mtu: u16, about: &[u8]) -> Ip {
    let [high, low] = mtu.to_be_bytes();
    error((3, 4), VIP, [0, 0, high, low], about)
}

/// One member, whom every flow goes to.
fn alone() -> Config {
    let mut config = config();
    config.balancer.pools.values_mut().for_each(|pool| pool.members.truncate(1));
    config
}

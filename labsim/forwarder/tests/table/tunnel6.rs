//! Errors about tunnel packets of which the outer or the inner header, or both, are IPv6's.

use crate::forwarded::{PORTS, RS1, datagram, syn};
use crate::forwarded6::{RS6, bare, datagram6, syn6, with};
use crate::packet::{Ip, ip};
use crate::packet6::{Ip6, ip6, over_v6};
use crate::support::ipv6::{CLIENT6, OUR_IP6, VIP6, config_of, config6, router_advertises};
use crate::support::{CLIENT, OUR_IP, ROUTER, VIP, arp_reply};
use crate::{Row, row};
use etherparse::UdpHeader;
use labsim_forwarder::{Config, GreOptions, Outcome, Profile};
use labsim_model::GueOptions;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

/// Routers within the tunnel.
const HOP6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0x88, 0, 0, 0, 0, 1);
const HOP: Ipv4Addr = Ipv4Addr::new(10, 8, 0, 1);

/// The UDP source port of the flow of [`least6`] in GUE.
const FLOW_PORT: u16 = 0xed80;

/// What the IPv6 router says about a tunnel packet.
fn within(kind: (u8, u8), rest: [u8; 4], about: &Ip6, quoted: usize) -> Ip6 {
    let bytes = about.bytes();
    ip6(HOP6, OUR_IP6, 62).icmp(kind, rest, &bytes[..quoted.min(bytes.len())])
}

fn too_big(mtu: u32, about: &Ip6, quoted: usize) -> Ip6 {
    within((2, 0), mtu.to_be_bytes(), about, quoted)
}

/// What the IPv4 router says about a tunnel packet.
fn within_v4(kind: (u8, u8), rest: [u8; 4], about: &Ip) -> Ip {
    ip(HOP, OUR_IP, 62).icmp(kind, rest, &about.bytes()[..about.bytes().len().min(548)])
}

fn around(inner: &Ip6) -> Ip {
    ip(OUR_IP, RS1, 255).id(1).df().carrying(41, inner.clone().hop().bytes())
}

/// A client's packet of 1400 bytes.
fn long6() -> Ip6 {
    ip6(CLIENT6, VIP6, 127).ack(PORTS, &[5; 1340])
}

fn long() -> Ip {
    ip(CLIENT, VIP, 127).df().tcp_with(PORTS, |tcp| tcp.ack = true, &[5; 1360])
}

/// As long as every link has to take.
fn least6() -> Ip6 {
    ip6(CLIENT6, VIP6, 127).ack(PORTS, &[5; 1220])
}

/// What the client is told about the way's MTU, from the VIP.
fn told_too_big(mtu: u32, about: &[u8]) -> Vec<u8> {
    told((2, 0), mtu.to_be_bytes(), about)
}

fn told(kind: (u8, u8), rest: [u8; 4], about: &[u8]) -> Vec<u8> {
    let quoted = &about[..about.len().min(1232)];
    ip6(VIP6, CLIENT6, 64).label(0).icmp(kind, rest, quoted).goes()
}

/// The clients' router becomes known, where members have another family's.
pub(crate) fn known() -> [Vec<u8>; 2] {
    [ip(CLIENT, VIP, 64).icmp((8, 0), [0; 4], b"").comes(), arp_reply()]
}

pub(crate) fn known6() -> [Vec<u8>; 2] {
    [ip6(CLIENT6, VIP6, 64).icmp((128, 0), [0; 4], b"").comes(), router_advertises()]
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = narrow();
    rows.extend(narrow_over_v4());
    rows.extend(cut());
    rows.extend(others());
    rows.extend(from_other_tunnels());
    rows
}

/// One member, whom every flow goes to.
fn alone(mut config: Config) -> Config {
    config.balancer.pools.values_mut().for_each(|pool| pool.members.truncate(1));
    config
}

fn narrow() -> Vec<Row> {
    let sent = over_v6(RS6, 41, long6().hop().bytes());
    let in_gre = over_v6(RS6, 47, bare(0x86dd, &long6().hop().bytes()));
    let sent_v4 = over_v6(RS6, 4, long().hop().bytes());
    let learned = Outcome::TunnelMtuLearned;
    let lesson = || vec![long6().comes(), too_big(1400, &sent, 1232).comes()];
    let fits = ip6(CLIENT6, VIP6, 127).ack(PORTS, &[5; 1300]);
    vec![
        row("a narrow way, told to the client", too_big(1400, &sent, 1232).comes(), learned)
            .on(config6())
            .after([long6().comes()])
            .goes_out([told_too_big(1360, &long6().hop().bytes()[..1192])]),
        row("less GRE's header too", too_big(1400, &in_gre, 1232).comes(), learned)
            .on(with(config6(), Profile::Gre(GreOptions::default())))
            .after([long6().comes()])
            .goes_out([told_too_big(1356, &long6().hop().bytes()[..1188])]),
        row("never below what every link takes", too_big(1290, &sent, 1232).comes(), learned)
            .on(config6())
            .after([long6().comes()])
            .goes_out([told_too_big(1280, &long6().hop().bytes()[..1192])]),
        row("told to an IPv4 client in its words", too_big(1400, &sent_v4, 1232).comes(), learned)
            .on(config_of(false, true))
            .after(known().into_iter().chain([long().comes()]))
            .goes_out([{
                let quoted = &long().hop().bytes()[..548];
                let message = ip(VIP, CLIENT, 64).tos(0xc0).id(2);
                message.icmp((3, 4), [0, 0, 0x05, 0x50], quoted).goes()
            }]),
        row("an MTU that no link has", too_big(1279, &sent, 1232).comes(), Outcome::IcmpNotHandled)
            .on(config6())
            .after([long6().comes()]),
        row("eight bytes of it teach", too_big(1400, &sent, 48).comes(), learned)
            .on(config6())
            .after([long6().comes()]),
        row("the next long packet does not enter", long6().comes(), Outcome::PacketTooBig)
            .on(alone(config6()))
            .after(lesson())
            .goes_out([told_too_big(1360, &long6().bytes())]),
        row("what fits goes on", fits.comes(), Outcome::Forwarded)
            .on(alone(config6()))
            .after(lesson())
            .goes_out([over_v6(RS6, 41, fits.clone().hop().bytes()).goes()]),
        row(
            "IPv4's too may be cut to what fits",
            datagram(1372).comes(),
            Outcome::ForwardedInFragments,
        )
        .on(alone(config_of(false, true)))
        .after([long().comes(), too_big(1300, &sent_v4, 48).comes()])
        .goes_out([
            over_v6(RS6, 4, datagram(1372).hop().part(0..1240).bytes()).goes(),
            over_v6(RS6, 4, datagram(1372).hop().part(1240..1380).bytes()).goes(),
        ]),
        Row {
            wait: Duration::from_secs(600),
            ..row("after ten minutes it is tried again", long6().comes(), Outcome::Forwarded)
                .on(alone(config6()))
                .after(lesson())
                .goes_out([
                    over_v6(RS6, 41, long6().hop().bytes()).goes(),
                    crate::support::ipv6::our_solicitation(Some(ROUTER)),
                ])
        },
    ]
}

fn narrow_over_v4() -> Vec<Row> {
    let config = || alone(config_of(true, false));
    let needed = |mtu: u16| {
        let [high, low] = mtu.to_be_bytes();
        within_v4((3, 4), [0, 0, high, low], &around(&long6())).comes()
    };
    let narrow = |mtu| [known6().to_vec(), vec![long6().comes(), needed(mtu)]].concat();
    vec![
        row("IPv4's narrow way, in IPv6's words", needed(1400), Outcome::TunnelMtuLearned)
            .on(config())
            .after(known6().into_iter().chain([long6().comes()]))
            .goes_out([told_too_big(1380, &long6().hop().bytes()[..528])]),
        row("and the next long packet", long6().comes(), Outcome::PacketTooBig)
            .on(config())
            .after(narrow(1290))
            .goes_out([told_too_big(1280, &long6().bytes())]),
        // RFC 4213 3.2: without DF, so that routers cut it.
        row("what every link takes goes all the same", least6().comes(), Outcome::Forwarded)
            .on(config())
            .after(narrow(1200))
            .goes_out([{
                let outer = ip(OUR_IP, RS1, 255).id(2);
                outer.carrying(41, least6().hop().bytes()).goes()
            }]),
    ]
}

/// Tunnel packets over IPv6 that are cut, for packets that every link has to take.
fn cut() -> Vec<Row> {
    let sent = over_v6(RS6, 41, long6().hop().bytes());
    let lesson = vec![long6().comes(), too_big(1280, &sent, 48).comes()];
    let whole = over_v6(RS6, 41, least6().hop().bytes());
    let gre = Profile::Gre(GreOptions { key: None, checksum: true });
    let sent_in_gre = over_v6(RS6, 47, bare(0x86dd, &long6().hop().bytes()));
    let mut in_gre = [&[0x80, 0, 0x86, 0xdd, 0, 0, 0, 0], &least6().hop().bytes()[..]].concat();
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&in_gre).ones_complement();
    in_gre[4..6].copy_from_slice(&sum.to_ne_bytes());
    let in_gre = over_v6(RS6, 47, in_gre);
    let gue = |inner: Vec<u8>| {
        let (from, to) = (OUR_IP6.octets(), RS6.octets());
        let header = UdpHeader::without_ipv4_checksum(FLOW_PORT, 7000, inner.len()).unwrap();
        let checksum = header.calc_checksum_ipv6_raw(from, to, &inner).unwrap();
        let header = UdpHeader { checksum, ..header };
        over_v6(RS6, 17, [&header.to_bytes()[..], &inner].concat())
    };
    let marked = || least6().class(0xb8);
    let whole_marked = over_v6(RS6, 41, marked().hop().bytes()).class(0xb8);
    let sent_in_gue = gue(long6().hop().bytes());
    let in_gue = gue(least6().hop().bytes());
    vec![
        row("the tunnel packet is cut", least6().comes(), Outcome::ForwardedInFragments)
            .on(alone(config6()))
            .after(lesson.clone())
            .goes_out([whole.part(0..1232, 1).goes(), whole.part(1232..1280, 1).goes()]),
        row("in units of eight bytes", least6().comes(), Outcome::ForwardedInFragments)
            .on(alone(config6()))
            .after([long6().comes(), too_big(1287, &sent, 48).comes()])
            .goes_out([whole.part(0..1232, 1).goes(), whole.part(1232..1280, 1).goes()]),
        row(
            "and its client is not told",
            too_big(1280, &whole, 1232).comes(),
            Outcome::TunnelMtuLearned,
        )
        .on(alone(config6()))
        .after([least6().comes()]),
        row(
            "each with an identification of its own",
            least6().comes(),
            Outcome::ForwardedInFragments,
        )
        .on(alone(config6()))
        .after(lesson.into_iter().chain([least6().comes()]))
        .goes_out([whole.part(0..1232, 2).goes(), whole.part(1232..1280, 2).goes()]),
        row("and with its traffic class", marked().comes(), Outcome::ForwardedInFragments)
            .on(alone(config6()))
            .after([long6().comes(), too_big(1280, &sent, 48).comes()])
            .goes_out([
                whole_marked.part(0..1232, 1).goes(),
                whole_marked.part(1232..1280, 1).goes(),
            ]),
        row("UDP's checksum is that of the whole", least6().comes(), Outcome::ForwardedInFragments)
            .on(alone(with(config6(), Profile::Gue(GueOptions { port: 7000, variant: 1 }))))
            .after([long6().comes(), too_big(1280, &sent_in_gue, 48).comes()])
            .goes_out([in_gue.part(0..1232, 1).goes(), in_gue.part(1232..1288, 1).goes()]),
        row("GRE's checksum is that of the whole", least6().comes(), Outcome::ForwardedInFragments)
            .on(alone(with(config6(), gre)))
            .after([long6().comes(), too_big(1280, &sent_in_gre, 48).comes()])
            .goes_out([in_gre.part(0..1232, 1).goes(), in_gre.part(1232..1288, 1).goes()]),
    ]
}

fn others() -> Vec<Row> {
    let sent = over_v6(RS6, 41, syn6().hop().bytes());
    let stranger =
        over_v6(Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x99), 41, syn6().hop().bytes());
    let by_gre = over_v6(RS6, 47, bare(0x86dd, &syn6().hop().bytes()));
    let unknown = over_v6(RS6, 41, {
        ip6(CLIENT6, VIP6, 126).tcp((40_009, 49), |tcp| tcp.syn = true).bytes()
    });
    let sent_v4 = over_v6(RS6, 4, syn().hop().bytes());
    let about = |kind| within(kind, [0; 4], &sent, 1232).comes();
    let after = |name, frame, outcome| row(name, frame, outcome).after([syn6().comes()]);
    let reported = Outcome::TunnelErrorReported;
    let address = || told((1, 3), [0; 4], &syn6().hop().bytes());
    let v4_told = |code| {
        let message = ip(VIP, CLIENT, 64).tos(0xc0).id(2);
        message.icmp((3, code), [0; 4], &syn().hop().bytes()).goes()
    };
    let rows = vec![
        after("the member does not answer", about((1, 3)), reported).goes_out([address()]),
        after("no route to it", about((1, 0)), reported)
            .goes_out([{ told((1, 0), [0; 4], &syn6().hop().bytes()) }]),
        after("a loop within", about((3, 0)), reported).goes_out([address()]),
        after("forbidden on the way", about((1, 1)), reported).goes_out([address()]),
        after("no decapsulator there", about((4, 1)), reported).goes_out([address()]),
        after("what is wrong with the outer header", about((4, 0)), Outcome::IcmpNotHandled),
        after("port unreachable means nothing", about((1, 4)), Outcome::IcmpNotHandled),
        after(
            "whose packet it was is not quoted",
            within((1, 3), [0; 4], &sent, 48).comes(),
            Outcome::IcmpErrorUnmatched,
        ),
        after(
            "of no flow",
            within((1, 3), [0; 4], &unknown, 1232).comes(),
            Outcome::IcmpErrorUnmatched,
        ),
        after(
            "about a tunnel to no member",
            within((1, 3), [0; 4], &stranger, 1232).comes(),
            Outcome::IcmpErrorUnmatched,
        ),
        after(
            "about another kind of tunnel",
            within((1, 3), [0; 4], &by_gre, 1232).comes(),
            Outcome::IcmpErrorUnmatched,
        ),
    ];
    let mut rows: Vec<Row> = rows.into_iter().map(|row| row.on(config6())).collect();
    // Its addresses are those of an IPv4 flow, in IPv6's form.
    let [from, to] = [CLIENT, VIP].map(|ip| ip.to_ipv6_mapped());
    let disguised = ip6(from, to, 126).tcp(PORTS, |tcp| tcp.syn = true);
    let disguised = over_v6(RS6, 41, disguised.bytes());
    let to_vip = ip6(HOP6, VIP6, 62).icmp((1, 3), [0; 4], &sent.bytes());
    rows.extend([
        row(
            "IPv4's flow in disguise",
            within((1, 3), [0; 4], &disguised, 1232).comes(),
            Outcome::IcmpErrorUnmatched,
        )
        .on(config_of(false, true))
        .after([syn().comes()]),
        after("told to another than its source", to_vip.comes(), Outcome::IcmpErrorUnmatched)
            .on(config6()),
        after("of another source than ours", about((1, 3)), Outcome::IcmpErrorUnmatched)
            .on(crate::support::with_client_source(config6())),
        row(
            "to an IPv4 client, in its words",
            within((1, 3), [0; 4], &sent_v4, 1232).comes(),
            reported,
        )
        .on(config_of(false, true))
        .after(known().into_iter().chain([syn().comes()]))
        .goes_out([v4_told(1)]),
        row(
            "of IPv4's way, to an IPv6 client",
            within_v4((3, 1), [0; 4], &around(&syn6())).comes(),
            reported,
        )
        .on(config_of(true, false))
        .after(known6().into_iter().chain([syn6().comes()]))
        .goes_out([address()]),
    ]);
    rows
}

fn from_other_tunnels() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, protocol) in [("IPv4 to a VIP", 4), ("IPv6", 41), ("GRE", 47)] {
        let packet = ip6(CLIENT6, VIP6, 127).carrying(protocol, datagram6(100).bytes());
        for frame in [packet.comes(), packet.part(0..64, 1).comes()] {
            rows.push(row(name, frame, Outcome::AlreadyTunnelled).on(config6()));
        }
    }
    rows
}

//! What is wrong with an IPv6 packet or for nobody here, and what its sender is told.

use crate::forwarded::PORTS;
use crate::forwarded6::{datagram6, syn6};
use crate::packet::{ip, with};
use crate::packet6::{Ip6, ip6};
use crate::support::ipv6::{CLIENT6, OUR_IP6, VIP6, config_of, config6};
use crate::support::{CLIENT, ROUTER, VIP, with_fastl4};
use crate::tunnel6::{known, known6};
use crate::{Row, row};
use labsim_forwarder::Outcome;
use labsim_wire::ethernet::Mac;
use std::net::Ipv6Addr;

/// What the client is told about a packet.
fn error(kind: (u8, u8), from: Ipv6Addr, rest: [u8; 4], about: &[u8]) -> Vec<u8> {
    let quoted = &about[..about.len().min(1232)];
    ip6(from, CLIENT6, 64).label(0).icmp(kind, rest, quoted).goes()
}

pub(crate) fn rows() -> Vec<Row> {
    let rows = headers().into_iter().chain(extensions()).chain(transports()).chain(too_long());
    rows.map(|row| if row.config == crate::support::config() { row.on(config6()) } else { row })
        .collect()
}

fn headers() -> Vec<Row> {
    let from = |source: &str| ip6(source.parse().unwrap(), VIP6, 127).udp(PORTS, b"x").comes();
    let aged = || ip6(CLIENT6, VIP6, 1).tcp(PORTS, |tcp| tcp.syn = true);
    let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
    let to_all = ip6(CLIENT6, group, 127).udp(PORTS, b"x");
    vec![
        row("half a header", syn6().comes()[..53].to_vec(), Outcome::FrameTruncated),
        row("version 4", with(syn6().comes(), 14, &[0x40]), Outcome::Ipv6HeaderMalformed),
        row(
            "longer than its frame",
            with(syn6().comes(), 18, &[0, 21]),
            Outcome::Ipv6LengthMismatch,
        ),
        row("cut", syn6().comes()[..60].to_vec(), Outcome::Ipv6LengthMismatch),
        row("from nobody", from("::"), Outcome::Ipv6SourceMartian),
        row("from this host", from("::1"), Outcome::Ipv6SourceMartian),
        row("from a group", from("ff02::1"), Outcome::Ipv6SourceMartian),
        row("from IPv4's address", from("::ffff:192.0.2.1"), Outcome::Ipv6SourceMartian),
        row("from its own link alone", from("fe80::7"), Outcome::Ipv6SourceMartian),
        row("to no VIP", with(syn6().comes(), 14 + 39, &[0x98]), Outcome::NoVirtualAddress),
        row(
            "to all on the segment",
            to_all.frame(ROUTER, Mac([0x33, 0x33, 0, 0, 0, 1])),
            Outcome::NotAddressedToUs,
        ),
        row(
            "a VIP's in a group's frame",
            syn6().frame(ROUTER, Mac([0x33, 0x33, 0, 0, 0, 1])),
            Outcome::NotAddressedToUs,
        ),
        row(
            "OSPF to a VIP",
            ip6(CLIENT6, VIP6, 127).carrying(89, vec![2; 44]).comes(),
            Outcome::ProtocolNotHandled,
        ),
        row(
            "nothing to a VIP",
            ip6(CLIENT6, VIP6, 127).carrying(59, Vec::new()).comes(),
            Outcome::ProtocolNotHandled,
        ),
        row("hop limit 1", aged().comes(), Outcome::TtlExceeded).goes_out([error(
            (3, 0),
            OUR_IP6,
            [0; 4],
            &aged().bytes(),
        )]),
    ]
}

fn extensions() -> Vec<Row> {
    let malformed = Outcome::Ipv6ExtensionMalformed;
    let padding = &[1, 4, 0, 0, 0, 0];
    let cut = ip6(CLIENT6, VIP6, 127).carrying(60, vec![6, 1, 0, 0, 0, 0, 0, 0]);
    let many = (0..9).fold(syn6(), |packet, _| packet.behind(60, padding));
    let jumbo = ip6(CLIENT6, VIP6, 127).carrying(0, Vec::new());
    let twice = {
        // A fragment header that is all of its datagram, and another in it.
        let inner = [&[6, 0, 0, 0, 0, 0, 0, 1][..], &syn6().bytes()[40..]].concat();
        let whole = ip6(CLIENT6, VIP6, 127).carrying(44, inner.clone());
        whole.part(0..inner.len(), 1)
    };
    vec![
        row("hop-by-hop options, not first", misplaced().comes(), malformed),
        row(
            "options beyond their header",
            syn6().behind(60, &[1, 5, 0, 0, 0, 0]).comes(),
            malformed,
        ),
        row("half an option", syn6().behind(0, &[0, 0, 0, 0, 0, 1]).comes(), malformed),
        row("a header beyond the packet", cut.comes(), malformed),
        row("nine headers", many.comes(), malformed),
        row("no payload, but options", jumbo.comes(), malformed),
        row("two fragment headers", twice.comes(), malformed),
        row(
            "a routing header of type 0",
            syn6().behind(43, &[0, 0, 0, 0, 0, 0]).comes(),
            Outcome::Ipv6SourceRoute,
        ),
        row(
            "one that leads elsewhere",
            syn6().behind(43, &[4, 1, 0, 0, 0, 0]).comes(),
            Outcome::Ipv6SourceRoute,
        ),
    ]
}

fn misplaced() -> Ip6 {
    syn6().behind(60, &[1, 4, 0, 0, 0, 0]).behind(0, &[1, 4, 0, 0, 0, 0])
}

fn transports() -> Vec<Row> {
    let ack = ip6(CLIENT6, VIP6, 127).tcp(PORTS, |tcp| tcp.ack = true);
    let strict = with_fastl4(config6(), |fastl4| fastl4.loose_initiation = false);
    let told = ip6(VIP6, CLIENT6, 64).label(0).tcp((49, 40_000), |tcp| {
        (tcp.rst, tcp.sequence_number, tcp.window_size) = (true, 0, 0);
    });
    let closed = ip6(CLIENT6, VIP6, 127).tcp((40_000, 50), |tcp| tcp.syn = true);
    let reset = ip6(VIP6, CLIENT6, 64).label(0).tcp((50, 40_000), |tcp| {
        (tcp.rst, tcp.ack) = (true, true);
        (tcp.sequence_number, tcp.acknowledgment_number, tcp.window_size) = (0, 1001, 0);
    });
    let nobody = ip6(CLIENT6, VIP6, 127).udp((40_000, 50), b"hello");
    let half = ip6(CLIENT6, VIP6, 127).carrying(6, syn6().bytes()[40..59].to_vec());
    vec![
        row("19 bytes of a TCP header", half.comes(), Outcome::TransportHeaderMalformed),
        row("a port that nobody serves", closed.comes(), Outcome::NoVirtualServer)
            .goes_out([reset.goes()]),
        row(
            "and whose sum is wrong",
            with(closed.comes(), 14 + 40 + 16, &[0xba, 0xad]),
            Outcome::TransportChecksum,
        ),
        row("a UDP port that nobody serves", nobody.comes(), Outcome::NoVirtualServer)
            .goes_out([error((1, 4), VIP6, [0; 4], &nobody.bytes())]),
        // RFC 8200 8.1: IPv6 has no datagram without a checksum.
        row(
            "without a sum",
            with(nobody.comes(), 14 + 40 + 6, &[0, 0]),
            Outcome::TransportChecksum,
        ),
        row("an ACK of no flow", ack.comes(), Outcome::NoFlow).on(strict).goes_out([told.goes()]),
    ]
}

fn too_long() -> Vec<Row> {
    let long = || datagram6(1413);
    vec![
        row("too long for the tunnel", long().comes(), Outcome::PacketTooBig).goes_out([error(
            (2, 0),
            VIP6,
            [0, 0, 0x05, 0xb4],
            &long().bytes(),
        )]),
        row("for one over IPv4", datagram6(1433).comes(), Outcome::PacketTooBig)
            .on(config_of(true, false))
            .after(known6())
            .goes_out([error((2, 0), VIP6, [0, 0, 0x05, 0xc8], &datagram6(1433).bytes())]),
        row("IPv4's, for one over IPv6", long_v4().comes(), Outcome::FragmentationNeeded)
            .on(config_of(false, true))
            .after(known())
            .goes_out([{
                let message = ip(VIP, CLIENT, 64).tos(0xc0).id(2);
                let quoted = &long_v4().bytes()[..548];
                message.icmp((3, 4), [0, 0, 0x05, 0xb4], quoted).goes()
            }]),
    ]
}

fn long_v4() -> crate::packet::Ip {
    crate::forwarded::datagram(1433).df()
}

//! Packets of flows: every way to a member and back.

use crate::packet::{Ip, ip, with};
use crate::support::{CLIENT, OUR_IP, VIP, config};
use crate::{Row, row};
use labsim_forwarder::{Config, GreOptions, Outcome, Profile, SourceTranslation};
use std::net::{Ipv4Addr, SocketAddr};

pub(crate) const RS1: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 51);
pub(crate) const RS2: Ipv4Addr = Ipv4Addr::new(10, 1, 1, 52);
pub(crate) const PORTS: (u16, u16) = (40_000, 49);

/// The first packet of a connection.
pub(crate) fn syn() -> Ip {
    ip(CLIENT, VIP, 127).df().tcp(PORTS, |tcp| tcp.syn = true)
}

/// A datagram of that many bytes behind its header.
pub(crate) fn datagram(length: usize) -> Ip {
    let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
    ip(CLIENT, VIP, 127).udp(PORTS, &data)
}

/// Every pool with that profile.
pub(crate) fn with_profile(profile: Profile) -> Config {
    let mut config = config();
    config.balancer.pools.values_mut().for_each(|pool| pool.profile = profile);
    config
}

/// SNAT and DNAT without a tunnel: members see the forwarder's own address.
pub(crate) fn translating() -> Config {
    let mut config = with_profile(Profile::None);
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = SourceTranslation::Automap;
    }
    config
}

/// GRE with key 7 and a checksum around a packet.
fn gre(inner: &Ip, id: u16) -> Ip {
    let inner = inner.bytes();
    // Flags C and K, protocol IPv4; checksum and reserved; key.
    let mut bytes = [&[0xa0, 0, 8, 0, 0, 0, 0, 0, 0, 0, 0, 7], &inner[..]].concat();
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&bytes).ones_complement();
    bytes[4..6].copy_from_slice(&sum.to_ne_bytes());
    ip(OUR_IP, RS1, 255).id(id).df().carrying(47, bytes)
}

pub(crate) fn rows() -> Vec<Row> {
    let keyed = with_profile(Profile::Gre(GreOptions { key: Some(7), checksum: true }));
    let mut other_port = config();
    other_port.balancer.pools.get_mut("pool").unwrap().members =
        vec![SocketAddr::from((RS1, 4949)).into()];
    let client_source = crate::support::with_client_source(config());
    let router_alert: &[u8] = &[148, 4, 0, 0];
    let with_options = syn().options(router_alert);
    let big = datagram(1465);
    let reply = ip(RS1, OUR_IP, 63).df().tcp((49, 61_000), |tcp| (tcp.syn, tcp.ack) = (true, true));
    vec![
        row("a SYN through IPIP", syn().comes(), Outcome::Forwarded)
            .goes_out([syn().hop().ipip(RS1, 1).goes()]),
        row("a datagram through IPIP", datagram(5).comes(), Outcome::Forwarded)
            .goes_out([datagram(5).hop().ipip(RS1, 1).goes()]),
        row("the second flow goes to the second member", datagram(5).comes(), Outcome::Forwarded)
            .after([syn().comes()])
            .goes_out([datagram(5).hop().ipip(RS2, 2).goes()]),
        row("padding is no part of the packet", padded(&datagram(1)), Outcome::Forwarded)
            .goes_out([datagram(1).hop().ipip(RS1, 1).goes()]),
        row("the client as outer source", syn().comes(), Outcome::Forwarded)
            .on(client_source)
            .goes_out([ip(CLIENT, RS1, 255).id(1).df().carrying(4, syn().hop().bytes()).goes()]),
        row("through GRE with key and checksum", syn().comes(), Outcome::Forwarded)
            .on(keyed)
            .goes_out([gre(&syn().hop(), 1).goes()]),
        row("L2 DSR", syn().comes(), Outcome::Forwarded)
            .on(with_profile(Profile::None))
            .goes_out([syn().hop().goes()]),
        row("options stay inside", with_options.comes(), Outcome::Forwarded)
            .goes_out([with_options.clone().hop().ipip(RS1, 1).goes()]),
        row("a wrong TCP checksum is the server's to judge", wrong_sum(&syn()), Outcome::Forwarded)
            .goes_out([within_ipip(&wrong_sum(&syn().hop()))]),
        row("another port, and the checksum with it", syn().comes(), Outcome::Forwarded)
            .on(other_port)
            .goes_out([{
                let syn = ip(CLIENT, VIP, 126).df().tcp((40_000, 4949), |tcp| tcp.syn = true);
                syn.ipip(RS1, 1).goes()
            }]),
        row("translated, both ends", syn().comes(), Outcome::Forwarded)
            .on(translating())
            .goes_out([ip(OUR_IP, RS1, 126).df().tcp((61_000, 49), |tcp| tcp.syn = true).goes()]),
        row(
            "a translated packet that may be cut has an ID of ours",
            datagram(5).comes(),
            Outcome::Forwarded,
        )
        .on(translating())
        .goes_out([ip(OUR_IP, RS1, 126).id(1).udp((61_000, 49), &[0, 1, 2, 3, 4]).goes()]),
        row("a member's answer, translated back", reply.comes(), Outcome::ForwardedToClient)
            .on(translating())
            .after([syn().comes()])
            .goes_out([{
                let flags = |tcp: &mut etherparse::TcpHeader| (tcp.syn, tcp.ack) = (true, true);
                ip(VIP, CLIENT, 62).df().tcp((49, 40_000), flags).goes()
            }]),
        row("too long for the tunnel, in fragments", big.comes(), Outcome::ForwardedInFragments)
            .goes_out([
                big.clone().hop().part(0..1456).ipip(RS1, 1).goes(),
                big.clone().hop().part(1456..1473).ipip(RS1, 2).goes(),
            ]),
    ]
}

/// In a frame of at least 60 bytes.
fn padded(ip: &Ip) -> Vec<u8> {
    let mut frame = ip.comes();
    frame.resize(60, 0);
    frame
}

fn wrong_sum(syn: &Ip) -> Vec<u8> {
    with(syn.comes(), 14 + 20 + 16, &[0xba, 0xad])
}

/// A frame's packet in IPIP to the first member.
fn within_ipip(frame: &[u8]) -> Vec<u8> {
    ip(OUR_IP, RS1, 255).id(1).df().carrying(4, frame[14..].to_vec()).goes()
}

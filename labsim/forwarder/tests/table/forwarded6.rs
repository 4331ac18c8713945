//! IPv6 packets of flows, and both families in tunnels of both.

use crate::forwarded::{PORTS, RS1, RS2, datagram, syn, with_profile};
use crate::packet::{Ip, ip};
use crate::packet6::{Ip6, ip6, over_v4, over_v6};
use crate::support::ipv6::{CLIENT6, VIP6, config_of, config6};
use crate::support::member;
use crate::{Row, row};
use labsim_forwarder::{Config, GreOptions, LoadBalancingMode, Maglev, Outcome, Profile};
use std::net::Ipv6Addr;
use std::time::Duration;

pub(crate) const RS6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x51);
pub(crate) const RS6_2: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x52);

/// The first packet of a connection.
pub(crate) fn syn6() -> Ip6 {
    ip6(CLIENT6, VIP6, 127).tcp(PORTS, |tcp| tcp.syn = true)
}

/// A datagram of that many bytes behind its header.
pub(crate) fn datagram6(length: usize) -> Ip6 {
    let data: Vec<u8> = (0..length).map(|at| at as u8).collect();
    ip6(CLIENT6, VIP6, 127).udp(PORTS, &data)
}

pub(crate) fn with(config: Config, profile: Profile) -> Config {
    let pools = with_profile(profile).balancer.pools;
    let mut config = config;
    for (name, pool) in &mut config.balancer.pools {
        pool.profile = pools[name].profile;
    }
    config
}

/// A GRE header for that ethertype with key 7 and a checksum, and what it carries.
fn keyed(ethertype: u16, inner: &[u8]) -> Vec<u8> {
    let [high, low] = ethertype.to_be_bytes();
    let mut bytes = [&[0xa0, 0, high, low, 0, 0, 0, 0, 0, 0, 0, 7], inner].concat();
    let sum = etherparse::checksum::Sum16BitWords::new().add_slice(&bytes).ones_complement();
    bytes[4..6].copy_from_slice(&sum.to_ne_bytes());
    bytes
}

/// A GRE header without options.
pub(crate) fn bare(ethertype: u16, inner: &[u8]) -> Vec<u8> {
    let [high, low] = ethertype.to_be_bytes();
    [&[0, 0, high, low], inner].concat()
}

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = in_ip();
    rows.extend(in_gre());
    rows.extend(as_they_are());
    rows.extend(chosen());
    rows.extend(cut());
    rows
}

fn in_ip() -> Vec<Row> {
    let client_source = crate::support::with_client_source(config6());
    // Destination options: padding of four bytes.
    let options = syn6().behind(60, &[1, 4, 0, 0, 0, 0]);
    // Segments left 0, of a type that is not 0.
    let visited = syn6().behind(0, &[5, 2, 0, 0, 1, 0]).behind(43, &[4, 0, 0, 0, 0, 0]);
    vec![
        row("IPv6 in IPv6", syn6().comes(), Outcome::Forwarded).on(config6()).goes_out([over_v6(
            RS6,
            41,
            syn6().hop().bytes(),
        )
        .goes()]),
        row("IPv6 in IPv4", syn6().comes(), Outcome::Forwarded)
            .on(config_of(true, false))
            .goes_out([over_v4(RS1, 1, 41, syn6().hop().bytes())]),
        row("IPv4 in IPv6", syn().comes(), Outcome::Forwarded)
            .on(config_of(false, true))
            .goes_out([over_v6(RS6, 4, syn().hop().bytes()).goes()]),
        row("a datagram", datagram6(5).comes(), Outcome::Forwarded)
            .on(config6())
            .goes_out([over_v6(RS6, 41, datagram6(5).hop().bytes()).goes()]),
        row(
            "the class is the inner one's, the label stays inside",
            syn6().class(0xb8).comes(),
            Outcome::Forwarded,
        )
        .on(config6())
        .goes_out([over_v6(RS6, 41, syn6().class(0xb8).hop().bytes()).class(0xb8).goes()]),
        row("the client as outer source", syn6().comes(), Outcome::Forwarded)
            .on(client_source)
            .goes_out([ip6(CLIENT6, RS6, 255).label(0).carrying(41, syn6().hop().bytes()).goes()]),
        row("extension headers stay inside", options.comes(), Outcome::Forwarded)
            .on(config6())
            .goes_out([over_v6(RS6, 41, options.clone().hop().bytes()).goes()]),
        row("a routing header that was followed", visited.comes(), Outcome::Forwarded)
            .on(config6())
            .goes_out([over_v6(RS6, 41, visited.clone().hop().bytes()).goes()]),
        row("IDs count tunnel packets over IPv4", syn6().comes(), Outcome::Forwarded)
            .on(mixed())
            .after([datagram6(1).comes(), datagram6(1).comes()])
            .goes_out([over_v4(RS1, 1, 41, syn6().hop().bytes())]),
        row("the second flow of a mixed pool", datagram6(1).comes(), Outcome::Forwarded)
            .on(mixed())
            .after([syn6().comes()])
            .goes_out([over_v4(RS1, 1, 41, datagram6(1).hop().bytes())]),
        row("IPv4's other port, over IPv6", syn().comes(), Outcome::Forwarded)
            .on(other_port())
            .goes_out([{
                let syn = ip(crate::support::CLIENT, crate::support::VIP, 126).df();
                over_v6(RS6, 4, syn.tcp((40_000, 4949), |tcp| tcp.syn = true).bytes()).goes()
            }]),
    ]
}

/// A member of each family, the IPv6 one first.
fn mixed() -> Config {
    let mut config = config_of(true, false);
    let members = ["[2001:db8:1::51]:49", "10.1.1.51:49"].map(member).to_vec();
    config.balancer.pools.get_mut("pool").unwrap().members = members;
    config
}

fn other_port() -> Config {
    let mut config = config_of(false, true);
    config.balancer.pools.get_mut("pool").unwrap().members = vec![member("[2001:db8:1::51]:4949")];
    config
}

fn in_gre() -> Vec<Row> {
    let options = Profile::Gre(GreOptions { key: Some(7), checksum: true });
    let plain = Profile::Gre(GreOptions::default());
    let (v4, v6) = (syn().hop().bytes(), syn6().hop().bytes());
    vec![
        row("IPv6 in GRE over IPv6", syn6().comes(), Outcome::Forwarded)
            .on(with(config6(), options))
            .goes_out([over_v6(RS6, 47, keyed(0x86dd, &v6)).goes()]),
        row("IPv6 in GRE over IPv4", syn6().comes(), Outcome::Forwarded)
            .on(with(config_of(true, false), options))
            .goes_out([over_v4(RS1, 1, 47, keyed(0x86dd, &v6))]),
        row("IPv4 in GRE over IPv6", syn().comes(), Outcome::Forwarded)
            .on(with(config_of(false, true), options))
            .goes_out([over_v6(RS6, 47, keyed(0x0800, &v4)).goes()]),
        row("without key and checksum", syn6().comes(), Outcome::Forwarded)
            .on(with(config6(), plain))
            .goes_out([over_v6(RS6, 47, bare(0x86dd, &v6)).goes()]),
    ]
}

fn as_they_are() -> Vec<Row> {
    let wrong = |packet: &Ip6| crate::packet::with(packet.comes(), 14 + 40 + 16, &[0xba, 0xad]);
    vec![
        row("L2 DSR", syn6().comes(), Outcome::Forwarded)
            .on(with(config6(), Profile::None))
            .goes_out([syn6().hop().goes()]),
        row("with no tunnel it may be longer", datagram6(1452).comes(), Outcome::Forwarded)
            .on(with(config6(), Profile::None))
            .goes_out([datagram6(1452).hop().goes()]),
        row("a wrong TCP checksum is the server's to judge", wrong(&syn6()), Outcome::Forwarded)
            .on(config6())
            .goes_out([over_v6(RS6, 41, wrong(&syn6().hop())[14..].to_vec()).goes()]),
    ]
}

fn chosen() -> Vec<Row> {
    let ack = ip6(CLIENT6, VIP6, 127).tcp(PORTS, |tcp| tcp.ack = true);
    let mut maglev = config6();
    let options = Maglev { table_size: 7, ..Maglev::default() };
    maglev.balancer.pools.get_mut("pool").unwrap().load_balancing_mode =
        LoadBalancingMode::Maglev(options);
    let told = |source, ports, numbers: (u32, u32)| {
        ip6(source, if source == VIP6 { CLIENT6 } else { VIP6 }, 64).label(0).tcp(ports, |tcp| {
            (tcp.rst, tcp.ack, tcp.window_size) = (true, true, 0);
            (tcp.sequence_number, tcp.acknowledgment_number) = numbers;
        })
    };
    let resets = crate::support::with_fastl4(config6(), |fastl4| {
        fastl4.reset_on_timeout = true;
        fastl4.idle_timeout = 20;
    });
    let answered = ip6(CLIENT6, VIP6, 127).tcp(PORTS, |tcp| {
        (tcp.ack, tcp.sequence_number, tcp.acknowledgment_number) = (true, 1001, 7001);
    });
    vec![
        row("a flow's packets go where its first went", ack.comes(), Outcome::Forwarded)
            .on(config6())
            .after([syn6().comes(), datagram6(1).comes()])
            .goes_out([over_v6(RS6, 41, ack.clone().hop().bytes()).goes()]),
        row("the second flow goes to the second member", datagram6(5).comes(), Outcome::Forwarded)
            .on(config6())
            .after([syn6().comes()])
            .goes_out([over_v6(RS6_2, 41, datagram6(5).hop().bytes()).goes()]),
        row("an IPv4 flow beside them has its own turn", datagram(5).comes(), Outcome::Forwarded)
            .on(both_vips())
            .after([syn6().comes()])
            .goes_out([over_v4(RS2, 2, 4, datagram(5).hop().bytes())]),
        Row {
            then: Duration::from_secs(22),
            ..row("both ends hear of an idle flow's end", answered.comes(), Outcome::Forwarded)
                .on(resets)
                .after([syn6().comes()])
                .goes_out([
                    over_v6(RS6, 41, answered.clone().hop().bytes()).goes(),
                    told(VIP6, (49, 40_000), (7001, 1001)).goes(),
                    over_v6(RS6, 41, told(CLIENT6, PORTS, (1001, 7001)).bytes()).goes(),
                ])
        },
        row("by Maglev, packet after packet", syn6().comes(), Outcome::Forwarded)
            .on(maglev)
            .after([datagram6(1).comes()])
            .goes_out([over_v6(MAGLEVS, 41, syn6().hop().bytes()).goes()]),
    ]
}

/// Whom Maglev chooses for the SYN's addresses and ports, today and in every other build.
const MAGLEVS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 1, 0, 0, 0, 0, 0x53);

/// A pool that serves VIPs of both families.
fn both_vips() -> Config {
    let mut config = config_of(false, false);
    let v6 = config_of(true, false);
    let servers =
        v6.balancer.virtual_servers.into_iter().map(|(name, server)| (name + "6", server));
    config.balancer.virtual_servers.extend(servers);
    config
}

/// What is longer than its way and may be cut.
fn cut() -> Vec<Row> {
    let big: Ip = datagram(1445);
    vec![
        row("IPv4 too long for IPv6's tunnel", big.comes(), Outcome::ForwardedInFragments)
            .on(config_of(false, true))
            .goes_out([
                over_v6(RS6, 4, big.clone().hop().part(0..1440).bytes()).goes(),
                over_v6(RS6, 4, big.clone().hop().part(1440..1453).bytes()).goes(),
            ]),
        row("as long as it may be", datagram6(1412).comes(), Outcome::Forwarded)
            .on(config6())
            .goes_out([over_v6(RS6, 41, datagram6(1412).hop().bytes()).goes()]),
    ]
}

//! IPv4 and IPv6 side by side: what a configuration may say, what an interface needs, and what a
//! data plane is told.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::ipv6::{
    CLIENT6, NEAR_VIP6, OUR_IP6, Tcp6, VIP6, config_of, config6, icmp6, router_solicits, syn6,
    tcp6, udp6,
};
use crate::support::*;
use labsim_forwarder::{
    Config, Engine, GreOptions, Outcome, OuterSource, Persistence, Port, Profile, SourceAddress,
    SourceTranslation,
};
use labsim_wire::icmpv6::Message;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

fn problems(config: &Config) -> Vec<String> {
    config.check().iter().map(ToString::to_string).collect()
}

fn on(config: &Config, port: Port) -> Vec<String> {
    let problems = Engine::new(config, port, &routes()).err().unwrap_or_default();
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn any_families_go_together_in_a_tunnel() {
    for (vips_v6, members_v6) in [(false, false), (false, true), (true, false), (true, true)] {
        for profile in [Profile::Ipip, Profile::Gre(GreOptions::default())] {
            let mut config = config_of(vips_v6, members_v6);
            config.balancer.pools.get_mut("pool").unwrap().profile = profile;
            assert_eq!(problems(&config), [""; 0]);
            assert_eq!(on(&config, port()), [""; 0]);
        }
    }
}

#[test]
fn without_a_tunnel_or_with_the_clients_address_outside_there_is_one_family() {
    let mut config = config_of(true, false);
    config.balancer.virtual_servers.retain(|name, _| name == "tcp");
    config.balancer.pools.get_mut("pool").unwrap().members.truncate(1);
    config.balancer.outer_source = OuterSource::Client;
    assert_eq!(
        problems(&config),
        ["pools.pool.members.0.address: tunnel packets to the member 10.1.1.51:49 are IPv4, and \
             their source would be the client of `tcp`, which is IPv6; write `outer_source: egress` \
             [address-family]"]
    );
    config.balancer.pools.get_mut("pool").unwrap().profile = Profile::None;
    assert_eq!(
        problems(&config),
        [
            "pools.pool.members.0.address: the member 10.1.1.51:49 is IPv4, `tcp` is IPv6, and only a \
             tunnel carries one in the other; write `profile: ipip` or `profile: gre` \
             [address-family]"
        ]
    );
    let one_family = crate::support::with_client_source(config6());
    assert_eq!(problems(&one_family), [""; 0]);
}

#[test]
fn translation_is_within_one_family() {
    let mut config = config6();
    config.balancer.virtual_servers.retain(|name, _| name == "tcp");
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.members =
        ["[2001:db8:1::51]:4949", "[2001:db8:1::52]:49", "[2001:db8:1::53]:0"].map(member).to_vec();
    let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    server.translate_address = true;
    server.source_address_translation = SourceTranslation::Automap;
    assert_eq!(problems(&config), [""; 0]);
    let at = "virtual_servers.tcp.source_address_translation";
    let mut both = config.clone();
    let server = both.balancer.virtual_servers.get_mut("tcp").unwrap();
    let pool = ["2001:db8:9::7", "10.9.9.7"].map(|text| text.parse().unwrap());
    server.source_address_translation = SourceTranslation::Snat(pool.to_vec());
    let other = format!(
        "{at}.snat.1: 10.9.9.7 is IPv4, and `tcp` is IPv6; write an IPv6 address [address-family]"
    );
    assert_eq!(problems(&both), [other]);
    // An IPv4 VIP with IPv6 members.
    config.balancer.virtual_servers = config_of(false, true).balancer.virtual_servers;
    config.balancer.virtual_servers.retain(|name, _| name == "tcp");
    assert_eq!(problems(&config), [""; 0], "ports are, also in a tunnel over IPv6");
    let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    server.source_address_translation = SourceTranslation::Automap;
    let source = format!(
        "{at}: source address translation is within one family, and `tcp` is IPv4 where member \
         [2001:db8:1::51]:4949 of `pool` is IPv6; remove it [address-family]"
    );
    assert_eq!(problems(&config), [source]);
    let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    server.translate_address = true;
    let member = |index: usize, member: &str| {
        format!(
            "pools.pool.members.{index}.address: the member {member} is IPv6, and `tcp`, which \
             translates addresses, is IPv4; write an IPv4 member [address-family]"
        )
    };
    assert_eq!(
        problems(&config),
        [
            member(0, "[2001:db8:1::51]:4949"),
            member(1, "[2001:db8:1::52]:49"),
            member(2, "[2001:db8:1::53]:0")
        ]
    );
}

#[test]
fn addresses_that_ipv6_has_beside_are_refused_with_advice() {
    let mut config = config6();
    config.balancer.virtual_servers.retain(|name, _| name == "tcp");
    for (address, what) in [
        ("[::]:49", "the unspecified address"),
        ("[::1]:49", "a loopback address"),
        ("[ff0e::1]:49", "a multicast address"),
        ("[fe80::7]:49", "a link-local address"),
        ("[::ffff:10.1.1.7]:49", "an IPv4-mapped address"),
        ("[2001:db8::7%3]:49", "an address with a zone"),
    ] {
        let address = crate::support::address(address);
        let mut vip = config.clone();
        vip.balancer.virtual_servers.get_mut("tcp").unwrap().destination = address.into();
        let at = "virtual_servers.tcp.destination";
        let expected = format!(
            "{at}: {} is {what}; write a global unicast address [unusable-address]",
            address.ip()
        );
        assert_eq!(problems(&vip), [expected]);
        let mut member = config.clone();
        member.balancer.pools.get_mut("pool").unwrap().members = vec![address.into()];
        let expected = format!(
            "pools.pool.members.0.address: {} is {what}; write a global unicast address [unusable-address]",
            address.ip()
        );
        assert_eq!(problems(&member), [expected]);
    }
}

#[test]
fn the_interface_needs_what_the_families_need() {
    let with = |mtu, addresses: &[&str]| {
        let addresses = addresses.iter().map(|text| text.parse().unwrap()).collect();
        Port { mtu, addresses, ..port() }
    };
    let no_v4 = "interface: `eth0` has no IPv4 address; add one [interface-unfit]";
    let no_v6 = "interface: `eth0` has no IPv6 address except link-local ones; add a global or \
                 unique local address [interface-unfit]";
    let (v4, v6, link) = ("10.9.9.2/24", "2001:db8:9::2/64", "fe80::b/64");
    for (vips_v6, members_v6, addresses, expected) in [
        (true, true, &[v6][..], &[][..]),
        (false, false, &[v4], &[]),
        (true, true, &[v4, link], &[no_v6]),
        (false, false, &[v6, link], &[no_v4]),
        (true, false, &[v6], &[no_v4]),
        (false, true, &[v4], &[no_v6]),
        (false, true, &[], &[no_v4, no_v6]),
    ] {
        let found = on(&config_of(vips_v6, members_v6), with(1500, addresses));
        assert_eq!(found, expected, "{vips_v6} {members_v6} {addresses:?}");
    }
    let all = [v4, v6];
    let too_small = |mtu: usize, overhead: usize| {
        format!(
            "interface: its MTU is {mtu}; IPv6 packets of 1280 bytes have to pass (RFC 8200 5), with \
             up to {overhead} bytes of outer headers: set it to {} or more [interface-unfit]",
            1280 + overhead
        )
    };
    let gre = Profile::Gre(GreOptions { key: Some(1), checksum: true });
    for (vips_v6, members_v6, profile, overhead) in [
        (true, true, Profile::Ipip, 40),
        (true, false, Profile::Ipip, 20),
        (true, true, gre, 52),
        (true, false, gre, 32),
        (true, true, Profile::None, 0),
        (false, true, gre, 0),
    ] {
        let mut config = config_of(vips_v6, members_v6);
        config.balancer.pools.get_mut("pool").unwrap().profile = profile;
        assert_eq!(on(&config, with(1280 + overhead, &all)), [""; 0]);
        let found = on(&config, with(1279 + overhead, &all));
        assert_eq!(found, [too_small(1279 + overhead, overhead)], "{profile:?}");
    }
    let mut own = config6();
    own.balancer.virtual_servers.get_mut("tcp").unwrap().destination =
        SocketAddr::from((OUR_IP6, 49)).into();
    assert_eq!(on(&own, port()), [""; 0], "the host may have the VIP itself");
}

#[test]
fn a_data_plane_is_told_of_both_families() {
    let rx_filter = |config: &Config| Bench::unresolved(config, &routes()).engine.rx_filter();
    let v6: Vec<IpAddr> = vec![VIP6.into(), NEAR_VIP6.into()];
    let ours = [IpAddr::from(OUR_IP), OUR_IP6.into()];
    let mixed = rx_filter(&config_of(true, false));
    assert_eq!((&mixed.owned, &mixed.tunnel_sources[..]), (&v6, &ours[..1]));
    assert_eq!(rx_filter(&config6()).tunnel_sources, ours[1..]);
    let mut both = config6();
    both.balancer.pools.get_mut("pool").unwrap().members.push(member("10.1.1.51:49"));
    both.balancer
        .virtual_servers
        .extend([("v4".to_owned(), config().balancer.virtual_servers["tcp"].clone())]);
    let both = rx_filter(&both);
    assert_eq!(both.tunnel_sources, ours);
    assert_eq!(both.owned, [&[IpAddr::from(VIP)][..], &v6].concat());
}

#[test]
fn clients_of_one_prefix_persist_together() {
    let rule = |prefix_length| {
        let rule = SourceAddress { timeout: 180, prefix_length: Some(prefix_length) };
        let mut config = config6();
        config.balancer.virtual_servers.get_mut("tcp").unwrap().persistence =
            Persistence::SourceAddress(rule);
        config
    };
    let range = |most| {
        let at = "virtual_servers.tcp.persistence.source_address.prefix_length";
        format!("{at}: a prefix of {most} bits; write 1 to 128 [out-of-range]")
    };
    assert_eq!(problems(&rule(128)), [""; 0]);
    assert_eq!(problems(&rule(0)), [range(0)]);
    assert_eq!(problems(&rule(129)), [range(129)]);
    let mut bench = Bench::resolved(&rule(56));
    let mut members = Vec::new();
    for source in ["2001:db8:11:0::1", "2001:db8:11:ff::2", "2001:db8:11:100::1", "2001:db8:11:1::"]
    {
        let source: Ipv6Addr = source.parse().unwrap();
        assert_eq!(bench.feed(&Tcp6 { source, ..tcp6(SYN) }.frame()), Outcome::Forwarded);
        members.push(bench.take_one()[14 + 39]);
    }
    assert_eq!(members, [0x51, 0x51, 0x52, 0x51]);
}

#[test]
fn what_the_forwarder_says_is_counted_by_what_it_is() {
    use labsim_forwarder::AnswerCounters;
    let mut bench = Bench::resolved(&config6());
    let closed = Tcp { destination_port: 50, ..tcp(SYN) };
    let echo = Message::EchoRequest { id: 1, sequence: 1 };
    for (frame, outcome) in [
        (icmp6(CLIENT6, VIP6, echo, b"x"), Outcome::EchoAnswered),
        (Tcp6 { hop_limit: 1, ..tcp6(SYN) }.frame(), Outcome::TtlExceeded),
        (udp6(7, 49, &[7; 1450]), Outcome::PacketTooBig),
        (udp6(7, 50, b"x"), Outcome::NoVirtualServer),
        (Tcp6 { like: closed, ..tcp6(SYN) }.frame(), Outcome::NoVirtualServer),
        (router_solicits(NEAR_VIP6), Outcome::NdpAnswered),
    ] {
        assert_eq!(bench.feed(&frame), outcome);
        bench.take_one();
    }
    let expected = AnswerCounters {
        icmp_echo_reply: 1,
        icmp_time_exceeded: 1,
        icmp_packet_too_big: 1,
        icmp_port_unreachable: 1,
        tcp_reset: 1,
        neighbour_advertisement: 1,
        ..AnswerCounters::default()
    };
    assert_eq!(bench.counters().answers, expected);
}

#[test]
fn errors_of_both_families_share_a_limit() {
    let mut bench = Bench::resolved(&config6());
    for _ in 0..60 {
        assert_eq!(bench.feed(&udp6(7, 50, b"x")), Outcome::NoVirtualServer);
    }
    assert_eq!(bench.take().len(), 50);
    assert_eq!(bench.counters().answers.rate_limited, 10);
}

#[test]
fn another_configuration_brings_ipv6_to_an_engine_at_work() {
    use labsim_forwarder::CheckedConfig;
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    let mut both = config();
    let v6 = config6();
    both.balancer
        .virtual_servers
        .insert("six".to_owned(), v6.balancer.virtual_servers["tcp"].clone());
    both.balancer
        .pools
        .get_mut("pool")
        .unwrap()
        .members
        .extend(v6.balancer.pools["pool"].members.clone());
    assert_eq!(bench.feed(&syn6(7)), Outcome::NoVirtualAddress);
    bench.engine.reconfigure(bench.now, CheckedConfig::new(both).unwrap()).unwrap();
    bench.tick();
    bench.feed(&crate::support::ipv6::router_advertises());
    bench.take();
    assert_eq!(bench.feed(&syn6(7)), Outcome::Forwarded);
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::Forwarded);
    let counters = bench.counters();
    assert_eq!((counters.flows.open, counters.virtual_servers["six"].flows), (2, 1));
}

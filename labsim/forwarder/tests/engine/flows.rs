//! fastL4's rules on a virtual clock: how flows begin, stay with their member, and end.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    Announcements, DeliberateFault, IpProtocol, Outcome, SnatPorts, SourceTranslation,
};
use std::net::Ipv4Addr;
use std::time::Duration;

fn member(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 1, 1, last)
}

/// Feeds a packet that has to be forwarded, and tells to whom it was.
fn goes_to(bench: &mut Bench, frame: &[u8]) -> Ipv4Addr {
    assert_eq!(bench.feed(frame), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0
}

fn from_port(source_port: u16, flags: labsim_wire::tcp::Flags) -> Vec<u8> {
    Tcp { source_port, ..tcp(flags) }.frame()
}

#[test]
fn new_flows_take_turns_and_each_stays_with_its_member() {
    let mut bench = Bench::new(&config());
    for (port, last) in [(1, 51), (2, 52), (3, 53), (4, 51)] {
        assert_eq!(goes_to(&mut bench, &from_port(port, SYN)), member(last));
    }
    for (port, last) in [(3, 53), (1, 51), (4, 51), (2, 52), (1, 51)] {
        assert_eq!(goes_to(&mut bench, &from_port(port, ACK)), member(last));
        assert_eq!(goes_to(&mut bench, &from_port(port, SYN)), member(last), "a SYN again");
    }
    let counters = bench.counters();
    assert_eq!((counters.flows.open, counters.flows.opened), (4, 4));
    let opened: Vec<u64> =
        counters.members["pool"].values().map(|member| member.flows_opened).collect();
    assert_eq!(opened, [2, 1, 1]);
}

#[test]
fn what_differs_in_any_of_the_five_is_another_flow() {
    let mut bench = Bench::new(&config());
    let syn = tcp(SYN);
    let mut members = vec![goes_to(&mut bench, &syn.frame())];
    let source = Tcp { source: Ipv4Addr::new(192, 168, 11, 202), ..syn.clone() };
    members.push(goes_to(&mut bench, &source.frame()));
    members.push(goes_to(&mut bench, &Tcp { source_port: 1, ..syn.clone() }.frame()));
    members.push(goes_to(&mut bench, &Tcp { destination: NEAR_VIP, ..syn }.frame()));
    members.push(goes_to(&mut bench, &udp(61067, 49, b"x")));
    assert_eq!(members, [51, 52, 53, 51, 52].map(member));
}

#[test]
fn without_loose_initiation_a_packet_without_a_flow_gets_a_reset() {
    let config = with_fastl4(config(), |fastl4| fastl4.loose_initiation = false);
    let mut bench = Bench::new(&config);
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::NoFlow);
    let reset = bench.take_one();
    assert_eq!(reset[47], 4, "RST alone: its sequence is what was acknowledged");
    assert_eq!(reset[38..42], 2000u32.to_be_bytes());
    assert_eq!(bench.counters().flows.opened, 0);
    goes_to(&mut bench, &tcp(SYN).frame());
    goes_to(&mut bench, &tcp(ACK).frame());
}

#[test]
fn with_loose_initiation_any_packet_but_a_reset_begins_a_flow() {
    let mut bench = Bench::new(&config());
    assert_eq!(bench.feed(&tcp(RST).frame()), Outcome::ResetWithoutFlow);
    assert!(bench.sent.is_empty());
    goes_to(&mut bench, &tcp(ACK).frame());
    let counters = bench.counters();
    assert_eq!((counters.flows.opened, counters.flows.loosely_initiated), (1, 1));
}

#[test]
fn a_reset_is_passed_on_and_ends_the_flow() {
    let mut bench = Bench::new(&config());
    assert_eq!(goes_to(&mut bench, &tcp(SYN).frame()), member(51));
    assert_eq!(goes_to(&mut bench, &tcp(RST).frame()), member(51));
    assert_eq!(bench.counters().flows.closed_by_reset, 1);
    assert_eq!(bench.counters().flows.open, 0);
    assert_eq!(goes_to(&mut bench, &tcp(SYN).frame()), member(52));
}

#[test]
fn with_loose_close_a_fin_leaves_the_last_packets_five_seconds() {
    let mut bench = Bench::new(&config());
    goes_to(&mut bench, &tcp(SYN).frame());
    goes_to(&mut bench, &tcp(FIN).frame());
    bench.pass(Duration::from_millis(4_900));
    bench.take();
    assert_eq!(goes_to(&mut bench, &tcp(ACK).frame()), member(51), "the last acknowledgement");
    bench.pass(Duration::from_secs(6));
    assert_eq!(bench.counters().flows.open, 0);
    assert_eq!(bench.counters().flows.closed_by_fin, 1);
}

#[test]
fn a_closing_flow_gives_way_to_a_new_connection_from_the_same_port() {
    let mut bench = Bench::new(&config());
    goes_to(&mut bench, &tcp(SYN).frame());
    goes_to(&mut bench, &tcp(FIN).frame());
    assert_eq!(goes_to(&mut bench, &tcp(SYN).frame()), member(52));
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.opened, flows.replaced), (1, 2, 1));
}

#[test]
fn without_loose_close_a_fin_changes_nothing() {
    let config = with_fastl4(config(), |fastl4| fastl4.loose_close = false);
    let mut bench = Bench::new(&config);
    goes_to(&mut bench, &tcp(SYN).frame());
    goes_to(&mut bench, &tcp(FIN).frame());
    bench.pass(Duration::from_secs(299));
    assert_eq!(bench.counters().flows.open, 1);
    bench.pass(Duration::from_secs(2));
    assert_eq!(bench.counters().flows.open, 0);
    assert_eq!(bench.counters().flows.timed_out, 1);
}

#[test]
fn the_idle_timeout_ends_a_flow_at_its_second_and_not_before() {
    let config = with_fastl4(config(), |fastl4| fastl4.idle_timeout = 60);
    let mut bench = Bench::new(&config);
    goes_to(&mut bench, &tcp(SYN).frame());
    assert_eq!(goes_to(&mut bench, &tcp(ACK).frame()), member(51));
    // Without a tick in between: the packet itself finds the flow's time over.
    bench.now = bench.now.after(Duration::from_nanos(59_999_999_999));
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::Forwarded);
    assert_eq!(bench.counters().flows.opened, 1);
    bench.now = bench.now.after(Duration::from_secs(60));
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::Forwarded);
    let flows = bench.counters().flows;
    assert_eq!((flows.opened, flows.timed_out, flows.open), (2, 1, 1));
}

#[test]
fn a_handshake_that_goes_no_further_is_forgotten_after_five_seconds() {
    let mut bench = Bench::new(&config());
    goes_to(&mut bench, &tcp(SYN).frame());
    bench.pass(Duration::from_millis(5_001));
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.handshake_timed_out), (0, 1));
    assert_eq!(bench.counters().virtual_servers["tcp"].flows, 0);
}

#[test]
fn a_repeated_syn_leaves_a_flow_half_open() {
    let mut bench = Bench::new(&config());
    goes_to(&mut bench, &tcp(SYN).frame());
    bench.pass(Duration::from_secs(4));
    goes_to(&mut bench, &tcp(SYN).frame());
    bench.pass(Duration::from_millis(1_001));
    assert_eq!(bench.counters().flows.handshake_timed_out, 1);
}

#[test]
fn a_flood_of_syns_pushes_out_only_half_open_flows() {
    let mut bench = Bench::new(&config());
    for port in 1..=3 {
        goes_to(&mut bench, &from_port(port, SYN));
        goes_to(&mut bench, &from_port(port, ACK));
    }
    for port in 100..1100 {
        goes_to(&mut bench, &from_port(port, SYN));
    }
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.evicted), (8, 1000 - 5));
    for (port, last) in [(1, 51), (2, 52), (3, 53)] {
        assert_eq!(goes_to(&mut bench, &from_port(port, ACK)), member(last));
    }
    assert_eq!(bench.counters().flows.opened, 1003);
}

#[test]
fn a_flood_of_single_packets_pushes_out_only_its_own() {
    let mut bench = Bench::new(&config());
    let mut members = Vec::new();
    for port in 1..=3 {
        members.push(goes_to(&mut bench, &udp(port, 49, b"a question")));
        assert_eq!(goes_to(&mut bench, &udp(port, 49, b"another")), members[members.len() - 1]);
    }
    for port in 100..1100 {
        // A datagram, and what is taken for a connection whose beginning was not seen.
        match port % 2 {
            0 => goes_to(&mut bench, &udp(port, 49, b"x")),
            _ => goes_to(&mut bench, &from_port(port, ACK)),
        };
    }
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.evicted), (8, 1000 - 5));
    for (port, member) in (1..=3).zip(members) {
        assert_eq!(goes_to(&mut bench, &udp(port, 49, b"a third")), member);
    }
    assert_eq!(bench.counters().flows.opened, 1003);
}

#[test]
fn a_table_full_of_established_flows_refuses_new_ones() {
    let mut bench = Bench::new(&config());
    for port in 1..=8 {
        goes_to(&mut bench, &from_port(port, ACK));
        goes_to(&mut bench, &from_port(port, ACK));
    }
    assert_eq!(bench.feed(&from_port(9, SYN)), Outcome::FlowTableFull);
    goes_to(&mut bench, &from_port(1, RST));
    goes_to(&mut bench, &from_port(9, SYN));
    assert_eq!(bench.counters().flows.open, 8);
}

#[test]
fn port_zero_takes_every_port_that_no_other_virtual_server_names() {
    let mut config = config();
    let mut any = config.balancer.virtual_servers["tcp"].clone();
    any.destination = address("172.16.4.99:0").into();
    config.balancer.virtual_servers.insert("any".to_owned(), any);
    let mut bench = Bench::new(&config);
    goes_to(&mut bench, &Tcp { destination_port: 8080, ..tcp(SYN) }.frame());
    goes_to(&mut bench, &tcp(SYN).frame());
    let counters = bench.counters();
    assert_eq!(counters.virtual_servers["any"].received.packets, 1);
    assert_eq!(counters.virtual_servers["tcp"].received.packets, 1);
}

#[test]
fn a_port_belongs_to_the_virtual_server_of_its_range_and_else_to_that_of_every_port() {
    let mut config = config();
    let taken = ["80,443", "1024-2047", "2048-65535", "any"];
    for ports in taken {
        let mut server = config.balancer.virtual_servers["tcp"].clone();
        server.destination = format!("172.16.4.99:{ports}").parse().unwrap();
        config.balancer.virtual_servers.insert(ports.to_owned(), server);
    }
    let mut bench = Bench::new(&config);
    let mut by_server = |port: u16| {
        let before = bench.counters();
        goes_to(&mut bench, &Tcp { destination_port: port, ..tcp(SYN) }.frame());
        // So that the table never is full.
        goes_to(&mut bench, &Tcp { destination_port: port, ..tcp(RST) }.frame());
        let after = bench.counters().virtual_servers;
        let received =
            |of: &str| after[of].received.packets - before.virtual_servers[of].received.packets;
        let by: Vec<&str> =
            after.keys().map(String::as_str).filter(|name| received(name) == 2).collect();
        assert_eq!(by.len(), 1, "{port}: {by:?}");
        by[0].to_owned()
    };
    for (port, name) in [
        (49, "tcp"),
        (80, "80,443"),
        (443, "80,443"),
        (1, "any"),
        (79, "any"),
        (81, "any"),
        (1023, "any"),
        (1024, "1024-2047"),
        (2047, "1024-2047"),
        (2048, "2048-65535"),
        (65535, "2048-65535"),
    ] {
        assert_eq!(by_server(port), name, "{port}");
    }
    config.balancer.virtual_servers.remove("any");
    let mut bench = Bench::new(&config);
    let outside = Tcp { destination_port: 1023, ..tcp(SYN) }.frame();
    assert_eq!(bench.feed(&outside), Outcome::NoVirtualServer);
}

#[test]
fn virtual_servers_with_a_port_in_common_are_refused_each_pair_once() {
    let problems = |destinations: &[(&str, &str)]| -> Vec<String> {
        let mut config = config();
        let server = config.balancer.virtual_servers["tcp"].clone();
        config.balancer.virtual_servers.clear();
        for (name, destination) in destinations {
            let destination = destination.parse().unwrap();
            let server = labsim_forwarder::VirtualServer { destination, ..server.clone() };
            config.balancer.virtual_servers.insert((*name).to_owned(), server);
        }
        config.check().iter().map(ToString::to_string).collect()
    };
    let common = |second: &str, first: &str, port: &str| {
        format!(
            "virtual_servers.{second}.destination: `{first}` takes port {port} of the same address \
             and protocol too; leave it to one of them [duplicate-value]"
        )
    };
    let (a, b, c) = ("172.16.4.99:8000-8010", "172.16.4.99:80,8010", "172.16.4.98:8000-8010");
    assert_eq!(problems(&[("a", a), ("b", b), ("c", c)]), [common("b", "a", "8010")]);
    let (d, e) = ("172.16.4.99:1-100,200-300", "172.16.4.99:50-60,250-260");
    assert_eq!(problems(&[("d", d), ("e", e)]), [common("e", "d", "50-60")]);
    // One that reaches over others has a port in common with each.
    let all = [("a", "172.16.4.99:1-9000"), ("b", "172.16.4.99:80"), ("c", "172.16.4.99:443")];
    assert_eq!(problems(&all), [common("b", "a", "80"), common("c", "a", "443")]);
    let any = ("x", "172.16.4.99:any");
    assert!(problems(&[("a", a), any]).is_empty(), "every port is what others leave");
    let twice = problems(&[("w", any.1), any]);
    assert!(
        matches!(&twice[..], [one] if one.contains("`w` has the same destination and protocol"))
    );
}

#[test]
fn what_cannot_work_is_refused_in_sentences() {
    let mut config = config();
    config.interface = "a/b".to_owned();
    config.limits.flows = 0;
    config.balancer.faults = vec![DeliberateFault::ForgetFlows; 2];
    let tcp = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    let snat = ["0.0.0.0", "2001:db8::7", "10.1.1.51", "10.9.9.7", "10.9.9.7"];
    let snat = snat.iter().map(|text| text.parse().unwrap()).collect();
    tcp.source_address_translation = SourceTranslation::Snat(snat);
    tcp.pool = "pols".to_owned();
    tcp.fastl4.idle_timeout = 0;
    config.balancer.announcements =
        Announcements { count: 101, interval: Duration::from_millis(9) };
    let udp = config.balancer.virtual_servers.get_mut("udp").unwrap();
    udp.ip_protocol = IpProtocol::Tcp;
    udp.source_address_translation = SourceTranslation::Snat(vec!["10.1.1.51".parse().unwrap()]);
    config.snat_ports = SnatPorts { first: 9, last: 8 };
    let near = config.balancer.virtual_servers.get_mut("near").unwrap();
    near.destination = address("[::ffff:10.9.9.99]:49").into();
    near.translate_port = false;
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.members =
        ["10.1.1.51:49", "10.1.1.51:49", "0.0.0.0:1"].map(crate::support::member).to_vec();
    let mut empty = pool.clone();
    empty.members.clear();
    config.balancer.pools.insert("empty".to_owned(), empty);
    let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
    for expected in [
        "interface: `a/b` is not an interface name",
        "limits.flows: 0 is out of range",
        "virtual_servers.near.destination: ::ffff:10.9.9.99 is an IPv4-mapped address",
        "virtual_servers.tcp.source_address_translation.snat.0: 0.0.0.0 is the unspecified address",
        "virtual_servers.tcp.source_address_translation.snat.4: 10.9.9.7 is there twice",
        "faults.1: `forget_flows` is there twice",
        "virtual_servers.tcp.source_address_translation: source address translation needs the flow table",
        "virtual_servers.udp.source_address_translation: source address translation needs the flow table",
        "virtual_servers.udp.source_address_translation.snat.0: 10.1.1.51 is a member's address",
        "snat_ports: 9 to 8 is not a range",
        "virtual_servers.tcp.pool: there is no pool `pols`; `pools` has `empty` and `pool`",
        "virtual_servers.tcp.fastl4.idle_timeout: an idle timeout of 0 s",
        "announcements.count: 101 announcements of an address; write 0 to 100",
        "announcements.interval: 9ms between two announcements",
        "virtual_servers.udp.destination: `tcp` has the same destination",
        "pools.empty.members: the pool `empty` has no members",
        "pools.pool.members.1.address: 10.1.1.51:49 is a member already",
        "pools.pool.members.2.address: 0.0.0.0 is the unspecified address",
    ] {
        let found = problems.iter().filter(|problem| problem.starts_with(expected)).count();
        assert_eq!(found, 1, "{expected}: {problems:#?}");
    }
    assert_eq!(problems.len(), 18, "{problems:#?}");
}

#[test]
fn what_does_not_fit_the_interface_is_refused_in_sentences() {
    use labsim_forwarder::Engine;
    let config = config();
    let mut port = port();
    port.mtu = 127;
    let problems = Engine::new(&config, port.clone(), &routes()).unwrap_err();
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    assert!(problems[0].starts_with("interface: its MTU is 127"));
    port.addresses.clear();
    let problems = Engine::new(&config, port, &routes()).unwrap_err();
    assert!(problems.iter().any(|problem| problem.message.contains("no IPv4 address")));
}

#[test]
fn a_configuration_is_read_with_its_defaults_and_no_unknown_key() {
    let text = r#"{
        "interface": "eth0",
        "outer_source": "client",
        "virtual_servers": {"vs": {
            "destination": "172.16.4.99:49", "pool": "p", "translate_address": false
        }},
        "pools": {"p": {"profile": "ipip", "members": ["10.1.1.51:49"]}}
    }"#;
    let config: labsim_forwarder::Config =
        labsim_yaml::read(&labsim_yaml::Source::new("test", text)).unwrap();
    assert_eq!(config.check(), []);
    let server = &config.balancer.virtual_servers["vs"];
    assert_eq!(server.ip_protocol, IpProtocol::Tcp);
    assert!(server.translate_port && !server.fastl4.loose_initiation && !server.fastl4.loose_close);
    assert_eq!((server.fastl4.idle_timeout, config.limits.flows), (300, 1_000_000));
    let unknown = text.replace("\"pool\"", "\"colour\": 1, \"pool\"");
    assert!(
        labsim_yaml::read::<labsim_forwarder::Config>(&labsim_yaml::Source::new(
            "test",
            unknown.as_str()
        ))
        .is_err()
    );
    let again = serde_json::to_string(&config).unwrap();
    assert_eq!(
        labsim_yaml::read::<labsim_forwarder::Config>(&labsim_yaml::Source::new(
            "test",
            again.as_str()
        ))
        .unwrap(),
        config
    );
}

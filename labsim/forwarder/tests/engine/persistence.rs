//! A client's flows on one member, beyond each flow: by source address, on a virtual clock.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    AdminState, Config, Outcome, Persistence, PersistenceCounters, Route, SourceAddress,
};
use std::net::Ipv4Addr;
use std::time::Duration;

/// Both TCP virtual servers persist, for ten seconds.
fn persisting() -> Config {
    let mut config = config();
    config.limits.flows = 100;
    for name in ["tcp", "near"] {
        let server = config.balancer.virtual_servers.get_mut(name).unwrap();
        let rule = SourceAddress { timeout: 10, prefix_length: None };
        server.persistence = Persistence::SourceAddress(rule);
    }
    config
}

/// Who gets a new flow from that client and port.
fn begins_at(bench: &mut Bench, last: u8, source_port: u16) -> u8 {
    let source = Ipv4Addr::new(192, 168, 11, last);
    assert_eq!(bench.feed(&Tcp { source, source_port, ..tcp(SYN) }.frame()), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0.octets()[3]
}

#[test]
fn a_clients_flows_stay_with_the_member_of_its_first_and_others_take_turns() {
    let mut bench = Bench::new(&persisting());
    assert_eq!(begins_at(&mut bench, 1, 1), 51);
    assert_eq!(begins_at(&mut bench, 1, 2), 51);
    assert_eq!(begins_at(&mut bench, 2, 1), 52, "a flow that persists takes no turn");
    assert_eq!(begins_at(&mut bench, 3, 1), 53);
    assert_eq!(begins_at(&mut bench, 2, 2), 52);
    let counters = bench.counters().persistence;
    let expected = PersistenceCounters { entries: 3, recorded: 3, hits: 2, ..Default::default() };
    assert_eq!(counters, expected);
}

#[test]
fn each_new_flow_begins_the_timeout_anew_and_a_flows_other_packets_do_not() {
    let mut bench = Bench::new(&persisting());
    assert_eq!(begins_at(&mut bench, 1, 1), 51);
    bench.pass(Duration::from_secs(9));
    assert_eq!(begins_at(&mut bench, 1, 2), 51);
    bench.pass(Duration::from_secs(9));
    assert_eq!(begins_at(&mut bench, 1, 3), 51);
    bench.pass(Duration::from_secs(4));
    let ack = Tcp { source: Ipv4Addr::new(192, 168, 11, 1), source_port: 3, ..tcp(ACK) };
    assert_eq!(bench.feed(&ack.frame()), Outcome::Forwarded);
    bench.take();
    bench.pass(Duration::from_secs(6));
    let counters = bench.counters().persistence;
    assert_eq!((counters.entries, counters.expired), (0, 1), "forgotten without a packet");
    assert_eq!(begins_at(&mut bench, 1, 4), 52);
}

#[test]
fn each_virtual_server_remembers_for_itself_and_udp_here_does_not() {
    let mut bench = Bench::new(&persisting());
    assert_eq!(begins_at(&mut bench, 201, 1), 51);
    let near = Tcp { destination: NEAR_VIP, ..tcp(SYN) };
    assert_eq!(bench.feed(&near.frame()), Outcome::Forwarded);
    assert_eq!(tunnelled(&bench.take_one()).0.octets()[3], 52);
    for (port, last) in [(7, 53), (8, 51)] {
        assert_eq!(bench.feed(&udp(port, 49, b"x")), Outcome::Forwarded);
        assert_eq!(tunnelled(&bench.take_one()).0.octets()[3], last);
    }
    assert_eq!(bench.counters().persistence.entries, 2);
}

#[test]
fn a_client_whose_member_fails_or_is_drained_gets_another_and_stays_there() {
    // 10.1.1.51 has a router of its own, which answers at first.
    let other = Ipv4Addr::new(10, 9, 9, 7);
    let mut table = routes();
    table.push(Route {
        destination: "10.1.1.51/32".parse().unwrap(),
        via: Some(other.into()),
        mtu: None,
    });
    let mut bench = Bench::unresolved(&persisting(), &table);
    bench.tick();
    bench.feed(&arp_reply());
    let message = labsim_wire::arp::Packet {
        operation: labsim_wire::arp::operation::REPLY,
        sender_mac: labsim_wire::ethernet::Mac([2, 0, 0, 0, 0, 7]),
        sender_ip: other,
        target_mac: US,
        target_ip: OUR_IP,
    };
    bench.feed(&arp_frame(US, &message));
    bench.take();
    assert_eq!(begins_at(&mut bench, 1, 1), 51);
    // Its next hop is asked again when it is used after its time, and does not answer any more.
    for second in 0..60u16 {
        bench.pass(Duration::from_secs(1));
        bench.feed(&arp_reply());
        let source = Ipv4Addr::new(192, 168, 11, 1);
        bench.feed(&Tcp { source, source_port: 100 + second, ..tcp(SYN) }.frame());
        bench.take();
    }
    let counters = bench.counters().persistence;
    assert_eq!((counters.entries, counters.moved), (1, 1), "{counters:?}");
    assert!(bench.counters().neighbours.failed > 0);
    let moved_to = begins_at(&mut bench, 1, 2);
    assert_ne!(moved_to, 51);
    bench.change_member(moved_to, |member| member.ratio = 0);
    let last = begins_at(&mut bench, 1, 3);
    assert!(last != 51 && last != moved_to);
    assert_eq!(bench.counters().persistence.moved, 2);
}

#[test]
fn a_disabled_member_takes_the_clients_that_have_a_record_for_it_and_no_others() {
    let mut bench = Bench::new(&persisting());
    assert_eq!([begins_at(&mut bench, 1, 1), begins_at(&mut bench, 2, 1)], [51, 52]);
    bench.change_member(51, |member| member.state = AdminState::Disabled);
    assert_eq!(begins_at(&mut bench, 1, 2), 51, "a client with a record");
    let strangers: Vec<u8> = (10..16).map(|last| begins_at(&mut bench, last, 1)).collect();
    assert!(!strangers.contains(&51), "{strangers:?}");
    let counters = bench.counters();
    let member = counters.members["pool"]["10.1.1.51:49"];
    assert_eq!((member.flows_opened, member.flows_by_persistence), (2, 1));
    assert_eq!((counters.persistence.hits, counters.persistence.moved), (1, 0));
    bench.pass(Duration::from_secs(11));
    assert_ne!(begins_at(&mut bench, 1, 3), 51, "its record is over");
}

#[test]
fn a_member_that_is_forced_offline_takes_no_client_and_its_flows_go_on() {
    let mut bench = Bench::new(&persisting());
    assert_eq!(begins_at(&mut bench, 1, 1), 51);
    bench.change_member(51, |member| member.state = AdminState::ForcedOffline);
    assert_ne!(begins_at(&mut bench, 1, 2), 51, "not even one with a record");
    assert_eq!(bench.counters().persistence.moved, 1);
    let ack = Tcp { source: Ipv4Addr::new(192, 168, 11, 1), source_port: 1, ..tcp(ACK) };
    assert_eq!(bench.feed(&ack.frame()), Outcome::Forwarded);
    assert_eq!(tunnelled(&bench.take_one()).0.octets()[3], 51, "a flow that it has");
}

#[test]
fn a_drained_member_takes_no_client_in_the_state_disabled_either() {
    let mut bench = Bench::new(&persisting());
    assert_eq!(begins_at(&mut bench, 1, 1), 51);
    bench.change_member(51, |member| {
        member.state = AdminState::Disabled;
        member.ratio = 0;
    });
    assert_ne!(begins_at(&mut bench, 1, 2), 51);
}

#[test]
fn a_flood_of_sources_pushes_out_the_oldest_and_takes_no_more_room() {
    let mut bench = Bench::new(&persisting());
    for last in 1..=200 {
        begins_at(&mut bench, last, 1);
    }
    let counters = bench.counters().persistence;
    assert_eq!((counters.entries, counters.evicted), (4, 196));
}

#[test]
fn a_flow_that_does_not_begin_is_not_remembered() {
    let mut bench = Bench::new(&persisting());
    assert_eq!(bench.feed(&Tcp { ttl: 1, ..tcp(SYN) }.frame()), Outcome::TtlExceeded);
    assert_eq!(bench.counters().persistence, PersistenceCounters::default());
}

#[test]
fn what_cannot_work_is_refused_in_sentences() {
    let mut config = persisting();
    let rule = |timeout, prefix_length| {
        Persistence::SourceAddress(SourceAddress { timeout, prefix_length })
    };
    config.balancer.virtual_servers.get_mut("tcp").unwrap().persistence = rule(0, Some(33));
    config.balancer.virtual_servers.get_mut("near").unwrap().persistence = rule(86_401, Some(0));
    config.limits.persistence_entries = 0;
    let problems: Vec<String> = config.check().iter().map(ToString::to_string).collect();
    let at = |server: &str, rest: &str| {
        format!("virtual_servers.{server}.persistence.source_address.{rest} [out-of-range]")
    };
    assert_eq!(
        problems,
        [
            "limits.persistence_entries: 0 is out of range; write 1 to 16777216 [out-of-range]"
                .to_owned(),
            at("near", "timeout: a persistence timeout of 86401 s; write 1 to 86400"),
            at("near", "prefix_length: a prefix of 0 bits; write 1 to 32"),
            at("tcp", "timeout: a persistence timeout of 0 s; write 1 to 86400"),
            at("tcp", "prefix_length: a prefix of 33 bits; write 1 to 32"),
        ]
    );
}

#[test]
fn a_configuration_says_it_by_a_word_or_with_options() {
    for (text, persistence) in [
        (r#""none""#, Persistence::None),
        (r#""source_address""#, Persistence::SourceAddress(SourceAddress::default())),
        (
            r#"{"source_address":{"timeout":7,"prefix_length":24}}"#,
            Persistence::SourceAddress(SourceAddress { timeout: 7, prefix_length: Some(24) }),
        ),
    ] {
        let read: Persistence = labsim_yaml::read(&labsim_yaml::Source::new("test", text)).unwrap();
        assert_eq!(read, persistence, "{text}");
        let written = serde_json::to_string(&persistence).unwrap();
        assert_eq!(
            labsim_yaml::read::<Persistence>(&labsim_yaml::Source::new("test", written.as_str()))
                .unwrap(),
            persistence
        );
    }
    for (text, named) in [(r#""cookie""#, "cookie"), (r#"{"source_address":{"mask":1}}"#, "mask")] {
        let error = labsim_yaml::read::<Persistence>(&labsim_yaml::Source::new("test", text))
            .unwrap_err()
            .to_string();
        assert!(error.contains(named), "{text}: {error}");
    }
}

//! Another configuration while flows are open, on a virtual clock: who stays, who goes, who comes.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    Changes, CheckedConfig, Config, LoadBalancingMode, Maglev, Member, Outcome, Persistence, Pool,
    Profile, SourceAddress, SourceTranslation,
};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

fn roomy() -> Config {
    let mut config = config();
    config.limits.flows = 1000;
    config.limits.persistence_entries = 1000;
    config
}

/// The pool's members with their ratios.
fn with(mut config: Config, mode: LoadBalancingMode, members: &[(u8, u16)]) -> Config {
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.load_balancing_mode = mode;
    let member = |(last, ratio): &(u8, u16)| Member {
        ratio: *ratio,
        ..Member::from(SocketAddr::from((Ipv4Addr::new(10, 1, 1, *last), 49)))
    };
    pool.members = members.iter().map(member).collect();
    config
}

fn turns(members: &[(u8, u16)]) -> Config {
    with(roomy(), LoadBalancingMode::Ratio, members)
}

fn change(bench: &mut Bench, config: &Config) -> Changes {
    bench.engine.reconfigure(bench.now, CheckedConfig::new(config.clone()).unwrap()).unwrap()
}

/// Feeds a packet that has to be forwarded, and tells to whom it was.
fn goes_to(bench: &mut Bench, source_port: u16, flags: labsim_wire::tcp::Flags) -> u8 {
    let frame = Tcp { source_port, ..tcp(flags) }.frame();
    assert_eq!(bench.feed(&frame), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0.octets()[3]
}

/// A flow whose handshake is over.
fn open(bench: &mut Bench, source_port: u16) -> u8 {
    let member = goes_to(bench, source_port, SYN);
    assert_eq!(goes_to(bench, source_port, ACK), member);
    member
}

#[test]
fn a_drained_member_keeps_its_flows_and_gets_no_other_until_its_ratio_is_back() {
    let mut bench = Bench::new(&turns(&[(51, 1), (52, 1), (53, 1)]));
    let before: Vec<u8> = (1..7).map(|port| open(&mut bench, port)).collect();
    assert_eq!(before, [51, 52, 53, 51, 52, 53]);
    let changes = change(&mut bench, &turns(&[(51, 0), (52, 1), (53, 1)]));
    assert_eq!((changes.members.changed, changes.members.added), (1, 0));
    for (port, member) in (1..7).zip(&before) {
        assert_eq!(goes_to(&mut bench, port, ACK), *member);
    }
    let new: Vec<u8> = (10..14).map(|port| open(&mut bench, port)).collect();
    assert!(!new.contains(&51), "{new:?}");
    change(&mut bench, &turns(&[(51, 1), (52, 1), (53, 1)]));
    let new: Vec<u8> = (20..23).map(|port| open(&mut bench, port)).collect();
    assert!(new.contains(&51), "{new:?}");
}

#[test]
fn a_member_that_is_taken_out_keeps_its_flows_until_they_end_and_has_them_again_if_it_comes_back() {
    let mut bench = Bench::new(&turns(&[(51, 1), (52, 1)]));
    assert_eq!((open(&mut bench, 1), open(&mut bench, 2)), (51, 52));
    let changes = change(&mut bench, &turns(&[(52, 1), (53, 1)]));
    assert_eq!((changes.members.added, changes.members.removed), (1, 1));
    assert_eq!((goes_to(&mut bench, 1, ACK), goes_to(&mut bench, 2, ACK)), (51, 52));
    let members = |bench: &Bench| bench.counters().members["pool"].clone();
    let names: Vec<String> = members(&bench).keys().cloned().collect();
    assert_eq!(names, ["10.1.1.52:49", "10.1.1.53:49"]);
    let new: Vec<u8> = (10..14).map(|port| open(&mut bench, port)).collect();
    assert_eq!(new.iter().filter(|member| **member == 53).count(), 2);
    change(&mut bench, &turns(&[(53, 1), (51, 1), (52, 1)]));
    let counted = members(&bench)["10.1.1.51:49"];
    assert_eq!((counted.flows, counted.flows_opened, counted.sent.packets), (1, 1, 3));
    assert_eq!(goes_to(&mut bench, 1, RST), 51);
    assert_eq!(members(&bench)["10.1.1.51:49"].flows, 0);
}

#[test]
fn the_number_of_a_member_that_is_gone_is_another_members_only_when_nothing_holds_it() {
    let mut bench = Bench::new(&turns(&[(51, 1)]));
    open(&mut bench, 1);
    for _ in 0..3 {
        change(&mut bench, &turns(&[(52, 1)]));
        bench.pass(Duration::from_secs(60));
        assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
        bench.take();
        change(&mut bench, &turns(&[(53, 1)]));
        assert_eq!(goes_to(&mut bench, 1, ACK), 51);
    }
    assert_eq!(open(&mut bench, 2), 53);
    assert_eq!(goes_to(&mut bench, 1, RST), 51);
    bench.pass(Duration::from_secs(11));
    change(&mut bench, &turns(&[(54, 1), (53, 1)]));
    assert_eq!((open(&mut bench, 3), goes_to(&mut bench, 2, ACK)), (54, 53));
}

#[test]
fn least_connections_goes_on_counting_from_the_flows_that_are_there() {
    let least = |members: &[(u8, u16)]| with(roomy(), LoadBalancingMode::LeastConnections, members);
    let mut bench = Bench::new(&least(&[(51, 1), (52, 1)]));
    for port in 1..5 {
        open(&mut bench, port);
    }
    change(&mut bench, &least(&[(51, 1), (52, 1), (53, 1)]));
    assert_eq!((open(&mut bench, 5), open(&mut bench, 6)), (53, 53), "it catches up first");
    for port in 1..7 {
        goes_to(&mut bench, port, RST);
    }
    assert_eq!(bench.counters().flows.open, 0);
}

#[test]
fn a_client_does_not_persist_with_a_member_that_is_gone_nor_with_who_has_its_number() {
    let persisting = |members: &[(u8, u16)]| {
        let mut config = turns(members);
        let rule = SourceAddress { timeout: 100, prefix_length: None };
        config.balancer.virtual_servers.get_mut("tcp").unwrap().persistence =
            Persistence::SourceAddress(rule);
        config
    };
    let mut bench = Bench::new(&persisting(&[(51, 1), (52, 1)]));
    assert_eq!((open(&mut bench, 1), open(&mut bench, 2)), (51, 51));
    (1..3).for_each(|port| assert_eq!(goes_to(&mut bench, port, RST), 51));
    change(&mut bench, &persisting(&[(52, 1)]));
    bench.pass(Duration::from_secs(20));
    assert_eq!(bench.feed(&arp_reply()), Outcome::ArpLearned);
    bench.take();
    change(&mut bench, &persisting(&[(52, 1), (53, 1)]));
    assert_eq!(open(&mut bench, 3), 52);
    assert_eq!((open(&mut bench, 4), bench.counters().persistence.moved), (52, 1));
}

#[test]
fn a_virtual_server_that_is_gone_takes_nothing_and_its_clients_are_told() {
    let mut bench = Bench::new(&roomy());
    open(&mut bench, 1);
    open(&mut bench, 2);
    let mut without = roomy();
    without.balancer.virtual_servers.remove("tcp");
    assert_eq!(change(&mut bench, &without).virtual_servers.removed, 1);
    let packet = Tcp { source_port: 1, ..tcp(ACK) }.frame();
    assert_eq!(bench.feed(&packet), Outcome::NoVirtualServer);
    assert_eq!(bench.take().len(), 1, "a reset");
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.taken_out), (1, 1));
    change(&mut bench, &roomy());
    assert_eq!(bench.counters().virtual_servers["tcp"].flows, 1);
    goes_to(&mut bench, 2, ACK);
}

#[test]
fn another_vip_is_taken_and_one_that_is_gone_is_not() {
    let mut bench = Bench::new(&roomy());
    let mut moved = roomy();
    moved.balancer.virtual_servers.get_mut("tcp").unwrap().destination =
        address("172.16.4.98:49").into();
    moved.balancer.virtual_servers.remove("udp");
    change(&mut bench, &moved);
    let owned = bench.engine.rx_filter().owned;
    let expected = ["10.9.9.99", "172.16.4.98"].map(|vip| vip.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(owned, expected);
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::NoVirtualAddress);
    let there = Tcp { destination: Ipv4Addr::new(172, 16, 4, 98), ..tcp(SYN) }.frame();
    assert_eq!(bench.feed(&there), Outcome::Forwarded);
}

#[test]
fn an_address_that_stands_in_is_kept_until_no_flow_has_a_port_of_it() {
    let snat = |addresses: &[&str]| {
        let mut config = roomy();
        let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
        server.translate_address = true;
        let addresses = addresses.iter().map(|one| one.parse().unwrap()).collect();
        server.source_address_translation = SourceTranslation::Snat(addresses);
        let plain = Pool { profile: Profile::None, ..config.balancer.pools["pool"].clone() };
        config.balancer.pools.insert("pool".to_owned(), plain);
        config
    };
    let source = |frame: &[u8]| {
        let source = labsim_wire::ipv4::View::new(&frame[14..]).unwrap().source();
        source.octets()[3]
    };
    let mut bench = Bench::new(&snat(&["10.9.9.7"]));
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    assert_eq!(source(&bench.take_one()), 7);
    change(&mut bench, &snat(&["10.9.9.8"]));
    let taken = |bench: &Bench| bench.engine.rx_filter().owned.len();
    assert_eq!(taken(&bench), 4, "two VIPs, the old address, the new");
    assert_eq!(bench.feed(&tcp(RST).frame()), Outcome::Forwarded);
    assert_eq!(source(&bench.take_one()), 7);
    assert_eq!(bench.feed(&Tcp { source_port: 2, ..tcp(SYN) }.frame()), Outcome::Forwarded);
    assert_eq!(source(&bench.take_one()), 8);
    change(&mut bench, &snat(&["10.9.9.8"]));
    assert_eq!(taken(&bench), 3);
}

#[test]
fn what_cannot_be_taken_over_is_refused_whole_with_every_reason() {
    let mut bench = Bench::new(&roomy());
    open(&mut bench, 1);
    let mut other = turns(&[(51, 1), (52, 7)]);
    other.interface = "eth9".to_owned();
    other.limits.flows = 2000;
    other.balancer.faults.clear();
    let checked = CheckedConfig::new(other).unwrap();
    let before = bench.counters();
    let problems = bench.engine.reconfigure(bench.now, checked).unwrap_err();
    let paths: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(paths, ["interface", "limits", "faults"]);
    assert_eq!(bench.engine.config(), &roomy());
    assert_eq!(bench.counters(), before);
    // More next hops than the neighbour table has room for.
    let mut near = roomy();
    let members = (20..30).map(|last| (Ipv4Addr::new(10, 9, 9, last), 49));
    near.balancer.pools.get_mut("pool").unwrap().members =
        members.map(|member| std::net::SocketAddr::from(member).into()).collect();
    let problems =
        bench.engine.reconfigure(bench.now, CheckedConfig::new(near).unwrap()).unwrap_err();
    let paths: Vec<String> = problems.iter().map(|problem| problem.path.to_string()).collect();
    assert_eq!(paths, ["limits.neighbours"]);
    assert!(bench.engine.next_deadline().unwrap() > bench.now, "nobody is asked");
    goes_to(&mut bench, 1, ACK);
    let mut empty = roomy();
    empty.balancer.virtual_servers.clear();
    assert_eq!(CheckedConfig::new(empty).unwrap_err().len(), 1);
}

#[derive(Debug, Clone)]
enum Action {
    Open(u16),
    Packet(u16),
    End(u16),
    Members(usize, Vec<(u8, u16)>),
    Server(bool),
    Pass(u64),
}

fn action() -> impl Strategy<Value = Action> {
    let members = prop::collection::btree_map(51..57u8, 0..4u16, 1..6);
    prop_oneof![
        4 => (1..40u16).prop_map(Action::Open),
        4 => (1..40u16).prop_map(Action::Packet),
        1 => (1..40u16).prop_map(Action::End),
        2 => (0..4usize, members).prop_map(|(mode, members)| {
            Action::Members(mode, members.into_iter().collect())
        }),
        1 => any::<bool>().prop_map(Action::Server),
        1 => (0..20_000u64).prop_map(Action::Pass),
    ]
}

const MODES: [LoadBalancingMode; 4] = [
    LoadBalancingMode::RoundRobin,
    LoadBalancingMode::Ratio,
    LoadBalancingMode::RatioLeastConnections,
    LoadBalancingMode::Maglev(Maglev {
        hash: labsim_forwarder::MaglevHash::FiveTuple,
        table_size: 251,
    }),
];

proptest! {
    #[test]
    fn flows_stay_on_their_member_whatever_changes_and_totals_never_fall(
        actions in prop::collection::vec(action(), 1..120),
    ) {
        let mut config = turns(&[(51, 1), (52, 1)]);
        config.balancer.virtual_servers.get_mut("tcp").unwrap().fastl4.idle_timeout = 86_400;
        let server = config.balancer.virtual_servers["tcp"].clone();
        let mut bench = Bench::new(&config);
        let mut flows: BTreeMap<u16, u8> = BTreeMap::new();
        let mut opened = 0;
        for action in actions {
            let serves = config.balancer.virtual_servers.contains_key("tcp");
            match action {
                Action::Open(port) if serves && !flows.contains_key(&port) => {
                    let packet = Tcp { source_port: port, ..tcp(SYN) }.frame();
                    let taking: Vec<u8> = config.balancer.pools["pool"].members.iter()
                        .filter(|member| member.ratio > 0)
                        .map(|member| match member.address.ip() {
                            std::net::IpAddr::V4(ip) => ip.octets()[3],
                            std::net::IpAddr::V6(_) => 0,
                        })
                        .collect();
                    let outcome = bench.feed(&packet);
                    let sent = bench.take();
                    if taking.is_empty() {
                        prop_assert_eq!(outcome, Outcome::NoMemberReachable);
                        continue;
                    }
                    prop_assert_eq!(outcome, Outcome::Forwarded);
                    let member = tunnelled(&sent[0]).0.octets()[3];
                    prop_assert!(taking.contains(&member), "{member} of {taking:?}");
                    prop_assert_eq!(goes_to(&mut bench, port, ACK), member);
                    flows.insert(port, member);
                    opened += 1;
                }
                Action::Open(_) => {}
                Action::Packet(port) => {
                    let Some(member) = flows.get(&port).copied() else { continue };
                    if serves {
                        prop_assert_eq!(goes_to(&mut bench, port, ACK), member);
                    } else {
                        let packet = Tcp { source_port: port, ..tcp(ACK) }.frame();
                        prop_assert_eq!(bench.feed(&packet), Outcome::NoVirtualServer);
                        bench.take();
                        flows.remove(&port);
                    }
                }
                Action::End(port) => {
                    if serves && let Some(member) = flows.remove(&port) {
                        prop_assert_eq!(goes_to(&mut bench, port, RST), member);
                    }
                }
                Action::Members(mode, members) => {
                    config = with(config, MODES[mode], &members);
                    change(&mut bench, &config);
                }
                Action::Server(there) => {
                    if there {
                        config.balancer.virtual_servers.insert("tcp".to_owned(), server.clone());
                    } else {
                        config.balancer.virtual_servers.remove("tcp");
                    }
                    change(&mut bench, &config);
                }
                Action::Pass(milliseconds) => {
                    bench.pass(Duration::from_millis(milliseconds));
                    bench.feed(&arp_reply());
                    bench.take();
                }
            }
            let counters = bench.counters();
            prop_assert_eq!(counters.flows.opened, opened);
            prop_assert_eq!(counters.flows.open, flows.len() as u64);
            let held: u64 = counters.members["pool"].values().map(|member| member.flows).sum();
            prop_assert!(held <= counters.flows.open);
        }
        for (port, member) in flows {
            if config.balancer.virtual_servers.contains_key("tcp") {
                prop_assert_eq!(goes_to(&mut bench, port, ACK), member);
            }
        }
    }
}

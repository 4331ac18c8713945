//! Members that are down, on a virtual clock: who gets new flows, and what becomes of open ones.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::ipv6::{Tcp6, config6, syn6, tcp6};
use crate::support::*;
use labsim_forwarder::{
    ActionOnDown, CheckedConfig, Config, LoadBalancingMode, Maglev, Outcome, Persistence,
    SourceAddress, SourceTranslation,
};
use labsim_wire::tcp::Flags;
use labsim_wire::{ipv4, tcp as segment};
use std::net::Ipv4Addr;
use std::time::Duration;

const MODES: [LoadBalancingMode; 5] = [
    LoadBalancingMode::RoundRobin,
    LoadBalancingMode::Ratio,
    LoadBalancingMode::LeastConnections,
    LoadBalancingMode::RatioLeastConnections,
    LoadBalancingMode::Maglev(Maglev {
        hash: labsim_forwarder::MaglevHash::FiveTuple,
        table_size: 251,
    }),
];

/// The pool is watched; its virtual servers want a SYN first.
fn watched(action: ActionOnDown) -> Config {
    let mut config = with_fastl4(config(), |fastl4| fastl4.loose_initiation = false);
    config.limits.flows = 3000;
    config.limits.persistence_entries = 100;
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    let text = r#"{"members":["10.1.1.51:49"],"monitor":"tcp"}"#;
    pool.monitor =
        labsim_yaml::read::<labsim_forwarder::Pool>(&labsim_yaml::Source::new("test", text))
            .unwrap()
            .monitor;
    pool.action_on_down = action;
    config
}

fn set(bench: &mut Bench, last: u8, down: bool) {
    let member = address(&format!("10.1.1.{last}:49"));
    assert!(bench.engine.set_down(bench.now, "pool", member, down));
}

/// Feeds a packet that has to be forwarded, and tells to whom it was.
fn goes_to(bench: &mut Bench, frame: &[u8]) -> u8 {
    assert_eq!(bench.feed(frame), Outcome::Forwarded);
    tunnelled(&bench.take_one()).0.octets()[3]
}

fn at(source_port: u16, flags: Flags) -> Vec<u8> {
    Tcp { source_port, ..tcp(flags) }.frame()
}

/// A flow whose handshake is over, and its member.
fn open(bench: &mut Bench, source_port: u16) -> u8 {
    let member = goes_to(bench, &at(source_port, SYN));
    assert_eq!(goes_to(bench, &at(source_port, ACK)), member);
    member
}

#[test]
fn a_member_that_is_down_gets_no_new_flow_in_any_mode_until_it_is_up() {
    for mode in MODES {
        let mut config = watched(ActionOnDown::None);
        config.balancer.pools.get_mut("pool").unwrap().load_balancing_mode = mode;
        let mut bench = Bench::new(&config);
        set(&mut bench, 52, true);
        let got: Vec<u8> = (1..61).map(|port| open(&mut bench, port)).collect();
        assert!(!got.contains(&52) && got.contains(&51) && got.contains(&53), "{mode:?} {got:?}");
        assert!(bench.counters().members["pool"]["10.1.1.52:49"].down);
        set(&mut bench, 52, false);
        let got: Vec<u8> = (100..160).map(|port| open(&mut bench, port)).collect();
        assert!(got.contains(&52), "{mode:?} {got:?}");
        [51, 52, 53].into_iter().for_each(|last| set(&mut bench, last, true));
        assert_eq!(bench.feed(&at(300, SYN)), Outcome::NoMemberReachable, "{mode:?}");
        assert_eq!(bench.take_one()[47], 0x14, "RST and ACK");
    }
}

#[test]
fn what_begins_anew_knows_its_configuration_and_members_that_are_down_alone() {
    let mut config = watched(ActionOnDown::None);
    let rule = SourceAddress { timeout: 100, prefix_length: None };
    config.balancer.virtual_servers.get_mut("tcp").unwrap().persistence =
        Persistence::SourceAddress(rule);
    let mut bench = Bench::new(&config);
    set(&mut bench, 51, true);
    let member = open(&mut bench, 1);
    assert_eq!(open(&mut bench, 2), member, "it persists");
    bench.engine.begin_anew().unwrap();
    let counters = bench.counters();
    assert!(
        counters.members["pool"]["10.1.1.51:49"].down
            && !counters.members["pool"]["10.1.1.52:49"].down
    );
    assert_eq!(bench.feed(&at(1, ACK)), Outcome::NoFlow, "the flow is forgotten");
    assert_eq!(bench.engine.config(), &config);
}

#[test]
fn a_client_that_persists_is_sent_to_another_member_while_its_own_is_down() {
    let mut config = watched(ActionOnDown::None);
    let rule = SourceAddress { timeout: 100, prefix_length: None };
    config.balancer.virtual_servers.get_mut("tcp").unwrap().persistence =
        Persistence::SourceAddress(rule);
    let mut bench = Bench::new(&config);
    assert_eq!((open(&mut bench, 1), open(&mut bench, 2)), (51, 51));
    set(&mut bench, 51, true);
    let other = open(&mut bench, 3);
    assert_ne!(other, 51);
    set(&mut bench, 51, false);
    assert_eq!(open(&mut bench, 4), other, "it stays there");
}

#[test]
fn only_members_of_a_watched_pool_can_be_down() {
    let mut bench = Bench::new(&watched(ActionOnDown::None));
    let mut down = |pool: &str, member: &str| {
        let now = bench.now;
        bench.engine.set_down(now, pool, address(member), true)
    };
    assert!(down("pool", "10.1.1.51:49"));
    assert!(!down("pool", "10.1.1.51:50") && !down("pols", "10.1.1.51:49"));
    let mut bench = Bench::new(&config());
    assert!(!bench.engine.set_down(bench.now, "pool", address("10.1.1.51:49"), true));
}

#[test]
fn without_an_action_an_open_flow_stays_with_its_member() {
    let mut bench = Bench::new(&watched(ActionOnDown::None));
    assert_eq!(open(&mut bench, 1), 51);
    set(&mut bench, 51, true);
    bench.pass(Duration::from_secs(1));
    assert!(bench.take().is_empty());
    assert_eq!(goes_to(&mut bench, &at(1, ACK)), 51);
}

/// A frame's RST: source, destination port, sequence number.
fn reset(frame: &[u8], start: usize) -> Option<(Ipv4Addr, u16, u32)> {
    let ip = ipv4::View::new(frame.get(start..)?).ok()?;
    let tcp = segment::View::new(ip.payload()).ok()?;
    let is_reset = tcp.flags().contains(Flags::RST);
    is_reset.then(|| (ip.source(), tcp.destination_port(), tcp.sequence()))
}

#[test]
fn with_reset_both_ends_of_each_open_flow_are_told_at_once_and_no_others() {
    let mut bench = Bench::new(&watched(ActionOnDown::Reset));
    let members: Vec<u8> = (1..7).map(|port| open(&mut bench, port)).collect();
    assert_eq!(members, [51, 52, 53, 51, 52, 53]);
    assert_eq!(goes_to(&mut bench, &at(7, SYN)), 51, "a half-open one");
    assert_eq!(goes_to(&mut bench, &udp(8, 49, b"x")), 52);
    assert_eq!(goes_to(&mut bench, &udp(9, 49, b"x")), 53);
    assert_eq!(goes_to(&mut bench, &udp(10, 49, b"x")), 51);
    set(&mut bench, 51, true);
    assert!(bench.take().is_empty(), "nothing is sent by who says so");
    assert!(bench.engine.next_deadline() <= Some(bench.now));
    bench.tick();
    let sent = bench.take();
    let told: Vec<_> = sent.iter().map(|one| reset(one, 14).or_else(|| reset(one, 34))).collect();
    let pairs = [1, 4].map(|port| [Some((VIP, port, 2000)), Some((CLIENT, 49, 1001))]);
    assert_eq!(told, pairs.concat());
    let flows = bench.counters().flows;
    assert_eq!((flows.member_down, flows.open), (4, 6));
    assert_eq!(goes_to(&mut bench, &at(2, ACK)), 52, "another member's flow goes on");
    assert_eq!(bench.feed(&at(1, ACK)), Outcome::NoFlow);
    bench.take();
    assert_ne!(goes_to(&mut bench, &udp(10, 49, b"x")), 51, "a datagram is scheduled anew");
}

#[test]
fn with_reset_a_packet_that_comes_before_its_flow_was_looked_for_meets_the_same_end() {
    let mut bench = Bench::new(&watched(ActionOnDown::Reset));
    assert_eq!([1, 2, 3, 4].map(|port| open(&mut bench, port)), [51, 52, 53, 51]);
    set(&mut bench, 51, true);
    assert_eq!(bench.feed(&at(1, ACK)), Outcome::MemberDown);
    assert_eq!(reset(&bench.take_one(), 14), Some((VIP, 1, 2000)));
    assert_ne!(goes_to(&mut bench, &at(4, SYN)), 51, "the client's port begins anew");
    assert_eq!(bench.counters().flows.member_down, 2);
    bench.tick();
    assert!(bench.take().is_empty(), "and nothing is left to be told");
}

#[test]
fn many_flows_end_a_few_at_a_time_and_all_in_the_end() {
    let mut config = watched(ActionOnDown::Reset);
    config.balancer.pools.get_mut("pool").unwrap().members.truncate(1);
    let mut bench = Bench::new(&config);
    for port in 1..=2500 {
        open(&mut bench, port);
    }
    set(&mut bench, 51, true);
    bench.tick();
    let first = bench.take().len();
    assert!((1..=64).contains(&first), "{first} frames in one turn");
    let mut turns = 1;
    while bench.counters().flows.open > 0 {
        // The same member, again and again, starts nothing over.
        set(&mut bench, 51, false);
        set(&mut bench, 51, true);
        assert!(bench.engine.next_deadline().is_some_and(|due| due <= bench.now));
        bench.tick();
        turns += 1;
        assert!(bench.take().len() <= 64 && turns <= 2500 / 32 + 10, "{turns} turns");
    }
    let flows = bench.counters().flows;
    assert_eq!((flows.member_down, flows.open), (2500, 0));
}

#[test]
fn with_reselect_the_next_packet_goes_to_another_member_and_the_flow_stays_there() {
    let mut bench = Bench::new(&watched(ActionOnDown::Reselect));
    assert_eq!([1, 2].map(|port| open(&mut bench, port)), [51, 52]);
    set(&mut bench, 51, true);
    bench.pass(Duration::from_secs(1));
    assert!(bench.take().is_empty());
    let other = goes_to(&mut bench, &at(1, ACK));
    assert_ne!(other, 51, "also without loose initiation");
    set(&mut bench, 51, false);
    assert_eq!(goes_to(&mut bench, &at(1, ACK)), other);
    let flows = bench.counters().flows;
    assert_eq!((flows.reselected, flows.open, flows.opened), (1, 2, 3));
    assert_eq!(flows.loosely_initiated, 0);
    [51, 52, 53].into_iter().for_each(|last| set(&mut bench, last, true));
    assert_eq!(bench.feed(&at(1, ACK)), Outcome::NoMemberReachable, "nobody is left");
    assert_eq!(reset(&bench.take_one(), 14), Some((VIP, 1, 2000)));
}

#[test]
fn a_translated_flows_answers_go_on_while_its_member_is_down() {
    let mut config = watched(ActionOnDown::Reselect);
    for server in config.balancer.virtual_servers.values_mut() {
        server.translate_address = true;
        server.source_address_translation = SourceTranslation::Automap;
    }
    config.balancer.pools.get_mut("pool").unwrap().profile = labsim_forwarder::Profile::None;
    config.snat_ports = labsim_forwarder::SnatPorts { first: 60_000, last: 64_999 };
    let mut bench = Bench::new(&config);
    assert_eq!(bench.feed(&at(61_067, SYN)), Outcome::Forwarded);
    set(&mut bench, 51, true);
    let answer = Tcp {
        source: Ipv4Addr::new(10, 1, 1, 51),
        destination: OUR_IP,
        source_port: 49,
        destination_port: 61_067,
        ..tcp(ACK)
    };
    assert_eq!(bench.feed(&answer.frame()), Outcome::ForwardedToClient);
    assert_eq!(bench.counters().flows.reselected, 0);
}

fn reconfigure(bench: &mut Bench, config: &Config) {
    bench.engine.reconfigure(bench.now, CheckedConfig::new(config.clone()).unwrap()).unwrap();
}

#[test]
fn another_configuration_keeps_who_is_down_as_long_as_it_is_watched() {
    let config = watched(ActionOnDown::None);
    let mut bench = Bench::new(&config);
    set(&mut bench, 51, true);
    let down = |bench: &Bench| bench.counters().members["pool"]["10.1.1.51:49"].down;
    let mut other = config.clone();
    other.balancer.pools.get_mut("pool").unwrap().members[0].ratio = 7;
    other.balancer.pools.get_mut("pool").unwrap().members.push(member("10.1.1.54:49"));
    reconfigure(&mut bench, &other);
    assert!(down(&bench));
    let got: Vec<u8> = (1..31).map(|port| open(&mut bench, port)).collect();
    assert!(!got.contains(&51) && got.contains(&54), "{got:?}");
    other.balancer.pools.get_mut("pool").unwrap().monitor = None;
    reconfigure(&mut bench, &other);
    assert!(!down(&bench));
    reconfigure(&mut bench, &config);
    assert!(!down(&bench), "it is watched anew, and nothing was found");
}

#[test]
fn an_action_that_comes_later_is_taken_for_members_that_are_down() {
    let mut bench = Bench::new(&watched(ActionOnDown::None));
    assert_eq!(open(&mut bench, 1), 51);
    set(&mut bench, 51, true);
    bench.tick();
    assert_eq!(bench.counters().flows.open, 1);
    reconfigure(&mut bench, &watched(ActionOnDown::Reset));
    bench.tick();
    assert_eq!((bench.take().len(), bench.counters().flows.member_down), (2, 1));
}

#[test]
fn a_flow_of_ipv6_ends_likewise() {
    let watched = watched(ActionOnDown::Reset);
    let mut config = config6();
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.monitor.clone_from(&watched.balancer.pools["pool"].monitor);
    pool.action_on_down = ActionOnDown::Reset;
    let mut bench = Bench::resolved(&config);
    assert_eq!(bench.feed(&syn6(1)), Outcome::Forwarded);
    let ack = Tcp6 { like: Tcp { source_port: 1, ..tcp(ACK) }, ..tcp6(ACK) }.frame();
    assert_eq!(bench.feed(&ack), Outcome::Forwarded);
    bench.take();
    let member = address("[2001:db8:1::51]:49");
    assert!(bench.engine.set_down(bench.now, "pool", member, true));
    bench.tick();
    assert_eq!((bench.take().len(), bench.counters().flows.member_down), (2, 1), "both ends");
    assert_eq!(bench.feed(&syn6(2)), Outcome::Forwarded);
    let members = bench.counters().members["pool"].clone();
    assert_eq!(members["[2001:db8:1::51]:49"].flows_opened, 1, "another has the new one");
}

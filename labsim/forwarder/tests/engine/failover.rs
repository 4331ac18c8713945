//! Active and standby, and flows that are mirrored from one load balancer to another.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::*;
use labsim_forwarder::{
    CheckedConfig, Config, FailoverState, Limits, MirroredFlows, Outcome, SourceTranslation,
};
use labsim_wire::arp;
use labsim_wire::ethernet::Mac;
use std::net::Ipv4Addr;
use std::time::Duration;

/// A VIP on the interface's subnet.
const NEAR: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 99);

/// Announcing, with virtual servers that mirror their flows.
fn mirroring() -> Config {
    let mut config = config();
    config.balancer.faults.clear();
    config.balancer.virtual_servers.values_mut().for_each(|server| server.mirror = true);
    with_fastl4(config, |fastl4| fastl4.loose_initiation = false)
}

fn in_state(config: &Config, state: FailoverState) -> Config {
    let mut config = config.clone();
    config.balancer.failover_state = state;
    config
}

fn change(bench: &mut Bench, state: FailoverState) {
    let config = in_state(bench.engine.config(), state);
    bench.engine.reconfigure(bench.now, CheckedConfig::new(config).unwrap()).unwrap();
}

fn standby(config: &Config) -> Bench {
    Bench::new(&in_state(config, FailoverState::Standby))
}

/// The flows of one engine in another, through the text that they travel in.
fn copy(from: &mut Bench, to: &mut Bench) -> u64 {
    let page = from.engine.mirrored_flows(from.now, 0);
    assert_eq!(page.next, None);
    let text = serde_json::to_string(&page).unwrap();
    let page: MirroredFlows = serde_json::from_str(&text).unwrap();
    to.engine.add_mirrored_flows(to.now, &page.flows)
}

fn from_port(source_port: u16, flags: labsim_wire::tcp::Flags) -> Vec<u8> {
    Tcp { source_port, ..tcp(flags) }.frame()
}

/// The member that the one frame goes to.
fn member(bench: &mut Bench) -> Ipv4Addr {
    tunnelled(&bench.take_one()).0
}

#[test]
fn one_on_standby_drops_packets_to_its_vips_and_answers_for_none() {
    let mut bench = standby(&mirroring());
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Standby);
    assert_eq!(bench.feed(&udp(50_000, 49, b"question")), Outcome::Standby);
    assert_eq!(bench.feed(&arp_request(NEAR)), Outcome::ArpLearned);
    assert!(bench.take().is_empty());
    bench.pass(Duration::from_secs(5));
    let announcement = bench.counters().answers.announcement;
    assert_eq!((announcement, bench.counters().flows.opened), (0, 0));
}

#[test]
fn one_on_standby_takes_the_active_ones_announcement_for_no_conflict() {
    let other = Mac([2, 0, 0, 0, 0, 0x55]);
    let announcement = arp_frame(
        Mac::BROADCAST,
        &arp::Packet {
            operation: arp::operation::REQUEST,
            sender_mac: other,
            sender_ip: NEAR,
            target_mac: Mac::default(),
            target_ip: NEAR,
        },
    );
    assert_eq!(standby(&mirroring()).feed(&announcement), Outcome::ArpIgnored);
    assert_eq!(Bench::new(&mirroring()).feed(&announcement), Outcome::ArpConflict);
}

#[test]
fn one_that_becomes_active_announces_its_vips_and_forwards() {
    let mut bench = standby(&mirroring());
    change(&mut bench, FailoverState::Active);
    bench.tick();
    let sent = bench.take();
    let announced = sent
        .iter()
        .filter(|frame| frame[..6] == Mac::BROADCAST.0 && frame[28..32] == NEAR.octets());
    assert_eq!(announced.count(), 1);
    assert_eq!(bench.counters().answers.announcement, 1);
    assert_eq!(bench.feed(&tcp(SYN).frame()), Outcome::Forwarded);
}

#[test]
fn one_that_goes_on_standby_forgets_its_flows_without_a_reset() {
    let config = with_fastl4(mirroring(), |fastl4| fastl4.reset_on_timeout = true);
    let mut bench = Bench::new(&config);
    for flags in [SYN, ACK] {
        assert_eq!(bench.feed(&tcp(flags).frame()), Outcome::Forwarded);
    }
    change(&mut bench, FailoverState::Standby);
    bench.take();
    let flows = bench.counters().flows;
    assert_eq!((flows.open, flows.on_standby), (0, 1));
    bench.pass(Duration::from_secs(600));
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::Standby);
    assert_eq!(bench.counters().answers.tcp_reset, 0);
    change(&mut bench, FailoverState::Active);
    assert_eq!(bench.feed(&tcp(ACK).frame()), Outcome::NoFlow, "what was forgotten stays so");
}

#[test]
fn a_mirrored_flow_goes_on_to_its_member() {
    let (mut active, mut next) = (Bench::new(&mirroring()), standby(&mirroring()));
    let mut members = Vec::new();
    for port in [40_001, 40_002] {
        active.feed(&from_port(port, SYN));
        members.push(member(&mut active));
        active.feed(&from_port(port, ACK));
        active.take();
    }
    assert_ne!(members[0], members[1], "in turn");
    assert_eq!(copy(&mut active, &mut next), 2);
    change(&mut next, FailoverState::Active);
    next.tick();
    next.take();
    for (port, before) in [40_002, 40_001].into_iter().zip(members.into_iter().rev()) {
        assert_eq!(next.feed(&from_port(port, ACK)), Outcome::Forwarded);
        assert_eq!(member(&mut next), before);
    }
    let counters = next.counters();
    assert_eq!((counters.flows.mirrored, counters.flows.opened, counters.flows.open), (2, 0, 2));
    assert_eq!(counters.virtual_servers["tcp"].flows, 2);
    for port in [40_001, 40_002] {
        assert_eq!(next.feed(&from_port(port, RST)), Outcome::Forwarded);
    }
    assert_eq!(next.counters().flows.open, 0);
    assert_eq!(next.counters().virtual_servers["tcp"].flows, 0);
}

#[test]
fn only_flows_of_virtual_servers_that_mirror_are_copied() {
    let mut config = mirroring();
    config.balancer.virtual_servers.get_mut("tcp").unwrap().mirror = false;
    let (mut active, mut next) = (Bench::new(&config), standby(&config));
    assert_eq!(active.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    assert_eq!(active.feed(&udp(50_000, 49, b"question")), Outcome::Forwarded);
    assert_eq!(copy(&mut active, &mut next), 1);
    change(&mut next, FailoverState::Active);
    assert_eq!(next.feed(&tcp(ACK).frame()), Outcome::NoFlow);
}

#[test]
fn a_copy_whose_member_or_port_the_other_does_not_have_is_left_out() {
    let mut without = mirroring();
    let pool = without.balancer.pools.get_mut("pool").unwrap();
    pool.members.remove(0);
    let mut elsewhere = mirroring();
    elsewhere.balancer.virtual_servers.get_mut("tcp").unwrap().destination =
        "172.16.4.99:50".parse().unwrap();
    let mut active = Bench::new(&mirroring());
    assert_eq!(active.feed(&tcp(SYN).frame()), Outcome::Forwarded);
    for config in [without, elsewhere] {
        let mut next = standby(&config);
        assert_eq!(copy(&mut active, &mut next), 0);
        assert_eq!(next.counters().flows.open, 0);
    }
}

#[test]
fn a_copy_of_a_translated_flow_has_its_address_and_port() {
    let mut config = mirroring();
    let stand_in = Ipv4Addr::new(10, 9, 9, 50);
    for server in config.balancer.virtual_servers.values_mut() {
        server.source_address_translation = SourceTranslation::Snat(vec![stand_in.into()]);
    }
    config.limits = Limits { flows: 8, ..config.limits };
    let (mut active, mut next) = (Bench::new(&config), standby(&config));
    active.feed(&tcp(SYN).frame());
    let before = translated(&active.take_one());
    active.feed(&tcp(ACK).frame());
    assert_eq!(copy(&mut active, &mut next), 1);
    assert_eq!(next.counters().snat.ports, 1);
    change(&mut next, FailoverState::Active);
    next.tick();
    next.take();
    assert_eq!(next.feed(&tcp(ACK).frame()), Outcome::Forwarded);
    assert_eq!(translated(&next.take_one()), before);
    // Its port is in use: a copy of another flow with the same one is left out.
    assert_eq!(copy(&mut active, &mut next), 1, "the same flow takes its own place");
    assert_eq!(next.counters().snat.ports, 1);
}

/// Source address and port of the packet in the tunnel.
fn translated(frame: &[u8]) -> (Ipv4Addr, [u8; 2]) {
    let (_, inner) = tunnelled(frame);
    (inner.source(), [inner.payload()[0], inner.payload()[1]])
}

#[test]
fn many_flows_are_copied_page_by_page() {
    const FLOWS: u16 = 20_500;
    let mut config = mirroring();
    config.limits.flows = FLOWS.into();
    let (mut active, mut next) = (Bench::new(&config), standby(&config));
    for port in 1..=FLOWS {
        active.feed(&from_port(port, SYN));
        active.sent.clear();
    }
    let (mut from, mut pages, mut added) = (Some(0), 0, 0);
    while let Some(place) = from {
        let page = active.engine.mirrored_flows(active.now, place);
        added += next.engine.add_mirrored_flows(next.now, &page.flows);
        (from, pages) = (page.next, pages + 1);
    }
    assert_eq!((added, pages), (u64::from(FLOWS), 3));
    assert_eq!(next.counters().flows.open, u64::from(FLOWS));
}

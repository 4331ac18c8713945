//! Established flows that something else forwards: when they are handed over and taken back, and that
//! nothing but speed depends on it.

// clippy.toml's exception for tests covers `#[test]` functions, and not their helpers.
use crate::support::drive::tcp_monitor;
use crate::support::offload::Accelerated;
use crate::support::*;
use labsim_forwarder::{
    ActionOnDown, CheckedConfig, Config, Counters, DeliberateFault, FailoverState, Outcome,
    PvaAcceleration, SourceTranslation,
};
use labsim_wire::ethernet::Mac;
use labsim_wire::tcp as wire_tcp;
use std::time::Duration;

fn accelerated(config: Config) -> Config {
    with_fastl4(config, |fastl4| fastl4.pva_acceleration = PvaAcceleration::Full)
}

/// One whose router is known.
fn balancer(config: Config) -> Accelerated {
    Accelerated::of(Bench::new(&accelerated(config)))
}

/// One with a flow of TCP that is handed over.
fn with_flow(config: Config) -> Accelerated {
    let mut balancer = balancer(config);
    assert_eq!(balancer.feed(&tcp(SYN).frame()), Some(Outcome::Forwarded));
    assert_eq!(balancer.handed_over(), 0);
    assert_eq!(balancer.feed(&tcp(ACK).frame()), Some(Outcome::Forwarded));
    assert_eq!(balancer.handed_over(), 1);
    balancer.bench.take();
    balancer
}

fn monitored(mut config: Config, action: ActionOnDown) -> Config {
    let pool = config.balancer.pools.get_mut("pool").unwrap();
    pool.action_on_down = action;
    pool.monitor = Some(tcp_monitor());
    config
}

/// The flow's member.
fn member_of_flow(balancer: &Accelerated) -> std::net::SocketAddr {
    let counters = balancer.bench.counters();
    let mut members = counters.members["pool"].iter().filter(|(_, member)| member.flows > 0);
    address(members.next().unwrap().0)
}

#[test]
fn a_flow_is_handed_over_with_its_clients_second_packet() {
    let mut balancer = with_flow(config());
    assert_eq!(balancer.feed(&tcp(ACK).frame()), None);
    assert_eq!(balancer.bench.counters().flows.offloaded, 1);
    // A datagram alone fills no table but the engine's.
    for (time, handed_over) in [(0, 1), (1, 2), (2, 2)] {
        let outcome = balancer.feed(&udp(9, 49, &[7; 20]));
        assert_eq!(outcome.is_none(), time == 2, "datagram {time}");
        assert_eq!(balancer.handed_over(), handed_over, "datagram {time}");
    }
    let loose = Tcp { source_port: 7, ..tcp(ACK) }.frame();
    for handed_over in [2, 3] {
        assert_eq!(balancer.feed(&loose), Some(Outcome::Forwarded));
        assert_eq!(balancer.handed_over(), handed_over);
    }
}

#[test]
fn what_is_not_accelerated_stays_with_the_engine() {
    let faulty = |fault| {
        let mut config = accelerated(config());
        config.balancer.faults.push(fault);
        config
    };
    let mut each = accelerated(config());
    let udp_server = each.balancer.virtual_servers.get_mut("udp").unwrap();
    udp_server.datagram_load_balancing = true;
    each.balancer.virtual_servers.get_mut("tcp").unwrap().fastl4.pva_acceleration =
        PvaAcceleration::None;
    for config in [
        config(),
        each,
        faulty(DeliberateFault::ForgetFlows),
        faulty(DeliberateFault::NoSizeCheck),
        faulty(DeliberateFault::RawChecksums),
    ] {
        let mut balancer = Accelerated::of(Bench::new(&config));
        for frame in [tcp(SYN).frame(), tcp(ACK).frame(), udp(9, 49, &[7]), udp(9, 49, &[7])] {
            assert_eq!(balancer.feed(&frame), Some(Outcome::Forwarded));
        }
        assert_eq!(balancer.model.borrow().inserted, 0);
    }
}

#[test]
fn a_full_table_leaves_flows_to_the_engine() {
    let mut balancer = balancer(config());
    balancer.model.borrow_mut().room = 0;
    for frame in [tcp(SYN), tcp(ACK), tcp(ACK)] {
        assert_eq!(balancer.feed(&frame.frame()), Some(Outcome::Forwarded));
    }
    assert_eq!(balancer.bench.counters().flows.offloaded, 0);
    // With room for one, a flow with a way back is handed over whole or not at all.
    let mut config = config();
    let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    server.source_address_translation = SourceTranslation::Automap;
    for (room, handed_over) in [(1, 0), (2, 2)] {
        let mut balancer = self::balancer(config.clone());
        balancer.model.borrow_mut().room = room;
        balancer.feed(&tcp(SYN).frame());
        balancer.feed(&tcp(ACK).frame());
        assert_eq!(balancer.handed_over(), handed_over, "room for {room}");
    }
}

#[test]
fn timeouts_count_from_the_last_packet_wherever_it_was_forwarded() {
    let mut balancer = with_flow(config());
    for _ in 0..3 {
        balancer.pass(Duration::from_secs(200));
        // It did not answer when it was asked.
        assert_eq!(balancer.feed(&arp_reply()), Some(Outcome::ArpLearned));
        assert_eq!(balancer.feed(&tcp(ACK).frame()), None);
    }
    balancer.pass(Duration::from_secs(299));
    assert_eq!(balancer.bench.counters().flows.open, 1);
    balancer.pass(Duration::from_secs(2));
    assert_eq!((balancer.bench.counters().flows.open, balancer.handed_over()), (0, 0));
    assert_eq!(balancer.bench.counters().flows.timed_out, 1);
}

#[test]
fn a_reset_on_timeout_has_the_numbers_of_the_last_packet() {
    let resets = |balancer: &mut Accelerated| {
        balancer.pass(Duration::from_secs(301));
        let sent = balancer.bench.take();
        let sent = sent.iter().filter(|frame| frame[12..14] == [8, 0]);
        sent.map(|frame| masked(frame.clone())).collect::<Vec<_>>()
    };
    let config = with_fastl4(config(), |fastl4| fastl4.reset_on_timeout = true);
    let mut with = with_flow(config.clone());
    let mut without = Accelerated::of(Bench::new(&config));
    without.feed(&tcp(SYN).frame());
    without.feed(&tcp(ACK).frame());
    let data = Tcp { data: 700, ..tcp(ACK) }.frame();
    assert_eq!(with.feed(&data), None);
    assert_eq!(without.feed(&data), Some(Outcome::Forwarded));
    without.bench.take();
    with.bench.take();
    let expected = resets(&mut without);
    assert_eq!(expected.len(), 2);
    assert_eq!(resets(&mut with), expected);
}

#[test]
fn a_flow_that_closes_is_taken_back() {
    for flags in [FIN, RST] {
        let mut balancer = with_flow(config());
        assert_eq!(balancer.feed(&tcp(flags).frame()), Some(Outcome::Forwarded));
        assert_eq!((balancer.handed_over(), balancer.bench.counters().flows.offloaded), (0, 0));
    }
    // Without loose close a client's FIN changes nothing.
    let mut balancer = with_flow(with_fastl4(config(), |fastl4| fastl4.loose_close = false));
    assert_eq!(balancer.feed(&tcp(FIN).frame()), Some(Outcome::Forwarded));
    assert_eq!(balancer.handed_over(), 1);
}

#[test]
fn packets_of_a_member_that_is_down_are_the_engines_where_its_flows_end_or_move() {
    for (action, expected) in [
        (ActionOnDown::None, None),
        (ActionOnDown::Reset, Some(Outcome::MemberDown)),
        (ActionOnDown::Reselect, Some(Outcome::Forwarded)),
    ] {
        let mut balancer = with_flow(monitored(config(), action));
        let (now, member) = (balancer.bench.now, member_of_flow(&balancer));
        assert!(balancer.bench.engine.set_down(now, "pool", member, true));
        assert_eq!(balancer.feed(&tcp(ACK).frame()), expected, "{action:?}");
        if action == ActionOnDown::Reset {
            assert_eq!(balancer.handed_over(), 0);
        }
    }
    // The search for such flows finds those that are handed over.
    let mut balancer = with_flow(monitored(config(), ActionOnDown::Reset));
    let (now, member) = (balancer.bench.now, member_of_flow(&balancer));
    assert!(balancer.bench.engine.set_down(now, "pool", member, true));
    balancer.bench.tick();
    assert_eq!((balancer.handed_over(), balancer.bench.counters().flows.member_down), (0, 1));
}

#[test]
fn a_next_hop_that_moves_or_fails_changes_the_path_at_once() {
    let mut balancer = with_flow(config());
    let moved = Mac([2, 0, 0, 0, 0, 0x77]);
    let mut reply = arp_reply();
    reply[6..12].copy_from_slice(&moved.0);
    reply[22..28].copy_from_slice(&moved.0);
    assert_eq!(balancer.feed(&reply), Some(Outcome::ArpLearned));
    balancer.bench.take();
    assert_eq!(balancer.feed(&tcp(ACK).frame()), None);
    assert_eq!(balancer.bench.take_one()[..6], moved.0);
    // It is asked again as long as it is used, though the engine sends nothing to it.
    for _ in 0..40 {
        balancer.pass(Duration::from_secs(1));
        balancer.feed(&tcp(ACK).frame());
    }
    assert!(balancer.model.borrow().paths.is_empty());
    assert_eq!(balancer.bench.counters().neighbours.failed, 1);
    assert_eq!(balancer.feed(&tcp(ACK).frame()), Some(Outcome::NeighbourUnreachable));
    assert_eq!(balancer.feed(&arp_reply()), Some(Outcome::ArpLearned));
    assert_eq!(balancer.feed(&tcp(ACK).frame()), None);
}

#[test]
fn a_new_configuration_takes_all_flows_back_and_they_are_handed_over_anew() {
    let mut balancer = with_flow(config());
    assert_eq!(balancer.feed(&tcp(ACK).frame()), None);
    balancer.bench.change_member(51, |member| member.ratio = 3);
    // Before the search was there, nothing is forwarded by the old configuration.
    assert!(balancer.model.borrow().paths.is_empty());
    assert_eq!(balancer.feed(&tcp(ACK).frame()), Some(Outcome::Forwarded));
    balancer.bench.tick();
    assert_eq!(balancer.handed_over(), 0);
    assert_eq!(balancer.feed(&tcp(ACK).frame()), Some(Outcome::Forwarded));
    assert_eq!((balancer.feed(&tcp(ACK).frame()), balancer.handed_over()), (None, 1));
    let counters = balancer.bench.counters();
    assert_eq!(counters.packets(Outcome::Forwarded), 6);
    assert_eq!(counters.virtual_servers["tcp"].received.packets, 6);
    // A virtual server that goes takes its flows with it.
    let mut config = balancer.bench.engine.config().clone();
    config.balancer.virtual_servers.remove("tcp");
    let now = balancer.bench.now;
    balancer.bench.engine.reconfigure(now, CheckedConfig::new(config).unwrap()).unwrap();
    assert_eq!(balancer.feed(&tcp(ACK).frame()), Some(Outcome::NoVirtualServer));
    assert_eq!(balancer.handed_over(), 0);
}

#[test]
fn standby_and_a_new_beginning_leave_no_flow() {
    let mut balancer = with_flow(config());
    let mut config = balancer.bench.engine.config().clone();
    config.balancer.failover_state = FailoverState::Standby;
    let now = balancer.bench.now;
    balancer.bench.engine.reconfigure(now, CheckedConfig::new(config).unwrap()).unwrap();
    assert_eq!(balancer.feed(&tcp(ACK).frame()), Some(Outcome::Standby));
    assert_eq!((balancer.handed_over(), balancer.bench.counters().flows.on_standby), (0, 1));

    let mut balancer = with_flow(self::config());
    balancer.feed(&tcp(ACK).frame());
    balancer.bench.engine.begin_anew().unwrap();
    assert!(balancer.model.borrow().paths.is_empty());
    let counters = balancer.bench.counters();
    assert_eq!((balancer.handed_over(), counters.flows.offloaded), (0, 0));
    assert_eq!(counters.packets(Outcome::Forwarded), 0);
    assert!(counters.members["pool"].values().all(|member| member.sent.packets == 0));
}

#[test]
fn a_copy_of_a_flow_stands_where_the_flow_does() {
    let copies = |with_model: bool| {
        let mut config = accelerated(config());
        config.balancer.virtual_servers.get_mut("tcp").unwrap().mirror = true;
        if !with_model {
            config = with_fastl4(config, |one| one.pva_acceleration = PvaAcceleration::None);
        }
        let mut balancer = Accelerated::of(Bench::new(&config));
        balancer.feed(&tcp(SYN).frame());
        balancer.feed(&tcp(ACK).frame());
        let last = balancer.feed(&Tcp { data: 900, ..tcp(ACK) }.frame());
        assert_eq!(last.is_none(), with_model);
        balancer.bench.engine.mirrored_flows(balancer.bench.now, 0)
    };
    assert_eq!(copies(true).flows.len(), 1);
    assert_eq!(copies(true), copies(false));
}

#[test]
fn replies_through_source_translation_are_handed_over_with_the_flow() {
    let mut config = config();
    let server = config.balancer.virtual_servers.get_mut("tcp").unwrap();
    server.source_address_translation = SourceTranslation::Automap;
    server.translate_address = true;
    let mut balancer = balancer(config);
    balancer.feed(&tcp(SYN).frame());
    balancer.feed(&tcp(ACK).frame());
    assert_eq!(balancer.handed_over(), 2);
    balancer.bench.take();
    assert_eq!(balancer.feed(&Tcp { data: 5, ..tcp(ACK) }.frame()), None);
    let sent = balancer.bench.take_one();
    let (_, inner) = tunnelled(&sent);
    let segment = wire_tcp::View::new(inner.payload()).unwrap();
    let answer = Tcp {
        source: inner.destination(),
        destination: inner.source(),
        source_port: segment.destination_port(),
        destination_port: segment.source_port(),
        ..tcp(ACK)
    };
    assert_eq!(balancer.feed(&answer.frame()), None);
    let sent = balancer.bench.take_one();
    assert_eq!((&sent[26..30], &sent[30..34]), (&VIP.octets()[..], &CLIENT.octets()[..]));
    let counters = balancer.bench.counters();
    assert_eq!(counters.packets(Outcome::ForwardedToClient), 1);
    assert_eq!(counters.virtual_servers["tcp"].replies.packets, 1);
    // Both sides' FINs end it.
    balancer.feed(&Tcp { flags: FIN, ..answer }.frame());
    balancer.feed(&tcp(FIN).frame());
    assert_eq!(balancer.handed_over(), 0);
}

/// A frame without what an outer header's own ID leads to.
fn masked(mut frame: Vec<u8>) -> Vec<u8> {
    if frame.len() > 34 && frame[12..14] == [8, 0] && matches!(frame[23], 4 | 17 | 41 | 47) {
        frame[18..20].fill(0);
        frame[24..26].fill(0);
    }
    frame
}

/// Without what says where packets were forwarded, and when a neighbour was asked.
fn comparable(mut counters: Counters) -> Counters {
    counters.flows.offloaded = 0;
    counters.neighbours.requests = 0;
    counters
}

mod side_by_side {
    use super::*;
    use crate::support::drive::{Bytes, config_of, template};
    use crate::support::ipv6::router_advertises;
    use proptest::prelude::*;

    /// A packet of one of a few flows, of either family, that goes by the fast path; or any other frame.
    fn event() -> impl Strategy<Value = Vec<u8>> {
        // Shapes whose flags are ACK, for one in four otherwise.
        let usual = (0..4u8, prop::bool::weighted(0.3), 0..1473u16).prop_map(
            |(port, fragmentable, length)| (4 | port | u8::from(fragmentable) << 4, length),
        );
        let data = (prop_oneof![Just(0u8), Just(1), Just(2), Just(64), Just(65)], usual).prop_map(
            |(what, (shape, length))| {
                let [high, low] = length.to_be_bytes();
                vec![what, shape, high, low, 0]
            },
        );
        let other = (prop_oneof![8..16u8, 64..72u8], prop::collection::vec(any::<u8>(), 8))
            .prop_map(|(what, rest)| [vec![what], rest].concat());
        let time = any::<u16>().prop_map(|time| [&[254][..], &time.to_be_bytes()].concat());
        let down = any::<u8>().prop_map(|what| vec![255, what]);
        prop_oneof![12 => data, 4 => other, 1 => time, 1 => down]
    }

    /// Both get the same events; whatever is seen from outside is the same.
    fn compare(kind: u8, families: u8, events: &[Vec<u8>]) -> u64 {
        let config = config_of(kind, families);
        let mut alone = Bench::unresolved(&config, &routes());
        let mut with = Accelerated::of(Bench::unresolved(&accelerated(config), &routes()));
        alone.tick();
        with.bench.tick();
        let learn = |alone: &mut Bench, with: &mut Accelerated| {
            for frame in [arp_reply(), router_advertises()] {
                alone.feed(&frame);
                with.feed(&frame);
            }
        };
        learn(&mut alone, &mut with);
        for event in events {
            let mut bytes = Bytes(event);
            match bytes.byte() {
                254 => {
                    // Neighbours answer in time: when they are asked may differ by a second. No timeout is
                    // within a second of so many: only the engine looks at timeouts, and where it sees no
                    // packet of a flow it takes up to a turn of its wheel to look.
                    for _ in 0..bytes.word() % 11 * 64 {
                        alone.pass(Duration::from_secs(1));
                        with.pass(Duration::from_secs(1));
                        learn(&mut alone, &mut with);
                    }
                }
                255 => {
                    let what = bytes.byte();
                    let members = &alone.engine.config().balancer.pools["pool"].members;
                    let member = members[usize::from(what & 3) % members.len()].address;
                    for bench in [&mut alone, &mut with.bench] {
                        let now = bench.now;
                        let _ = bench.engine.set_down(now, "pool", member, what & 4 == 0);
                    }
                }
                what => {
                    let (frame, _) = template(what, &mut bytes);
                    let outcome = alone.feed(&frame);
                    match with.feed(&frame) {
                        Some(same) => assert_eq!(same, outcome),
                        None => assert!(matches!(
                            outcome,
                            Outcome::Forwarded | Outcome::ForwardedToClient
                        )),
                    }
                }
            }
            let frames = |sent: Vec<Vec<u8>>| -> Vec<_> {
                let asks = |frame: &Vec<u8>| {
                    frame[12..14] == [8, 6] || (frame[12..14] == [0x86, 0xdd] && frame[20] == 58)
                };
                sent.into_iter().filter(|frame| !asks(frame)).map(masked).collect()
            };
            assert_eq!(frames(with.bench.take()), frames(alone.take()));
            assert_eq!(comparable(with.bench.counters()), comparable(alone.counters()));
        }
        let now = alone.now;
        let copies = alone.engine.mirrored_flows(now, 0);
        assert_eq!(with.bench.engine.mirrored_flows(now, 0), copies);
        with.model.borrow().inserted
    }

    proptest! {
        #[test]
        fn the_same_frames_go_out_and_the_same_is_counted(
            kind in any::<u8>(),
            families in any::<u8>(),
            events in prop::collection::vec(event(), 0..80),
        ) {
            compare(kind, families, &events);
        }
    }

    #[test]
    fn the_comparison_is_about_flows_that_are_handed_over() {
        let segment = |port: u8| vec![0u8, 4 | port, 0, 100, 0];
        let events: Vec<_> = (0..12).map(|number| segment(number % 3)).collect();
        for (kind, families) in [(0, 0), (2, 0), (4, 0), (6, 0), (0x40, 0), (0x70, 0)] {
            assert!(compare(kind, families, &events) >= 3, "kind {kind}");
        }
    }
}

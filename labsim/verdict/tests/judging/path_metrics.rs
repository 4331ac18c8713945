//! Passages: times, losses, copies and order between two points, believed only as far as proven.

use crate::scenario::{interface, node, scenario};
use crate::wire;
use labsim_scenario::model::{
    Attachment, Check, Count, DelayBounds, Direction, FrameMatch, PathCheck, PathPoint, Scenario,
};
use labsim_verdict::{
    Capture, ExpectationResult, LinkCounters, Liveness, Observations, RunDefect, judge,
};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::ethertype;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

const MS: u64 = 1_000_000;
const CLIENT: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), 4000);
const SERVER: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 2), 1812);

/// A packet's identification, when it left, and when it arrived: never, once or more often.
type Course<'a> = (u16, u64, &'a [u64]);

fn observed(courses: &[Course<'_>]) -> Observations {
    let mut capture = Capture::new();
    let liveness = Liveness { started_ns: Some(0), ended_ns: Some(u64::MAX) };
    let [here, there] = [("client", "eth0"), ("router", "client")].map(|(at, dev)| {
        let point = capture.add_point(node(at), interface(dev), LinkType::Ethernet);
        capture.set_liveness(point, liveness);
        point
    });
    for (id, sent, arrived) in courses {
        let frame = |ttl| {
            let packet = wire::datagram(CLIENT, SERVER, *id, ttl, b"question");
            wire::ethernet(&packet, ethertype::IPV4)
        };
        let (leaving, coming) = (frame(64), frame(63));
        let length = u32::try_from(leaving.len()).unwrap();
        capture.push(*sent, here, Direction::Out, length, &leaving);
        // The other way, and so not meant.
        capture.push(*sent, here, Direction::In, length, &leaving);
        for at in *arrived {
            capture.push(*at, there, Direction::In, length, &coming);
        }
    }
    capture.sort();
    Observations { capture, settled_ns: Some(u64::MAX), ..Observations::default() }
}

fn path_point(at: &str, dev: &str, direction: Direction) -> PathPoint {
    PathPoint { node: node(at), interface: interface(dev), direction }
}

/// Of UDP, from the client's wire to the router's; nothing is asked yet.
fn path_check() -> PathCheck {
    PathCheck {
        from: path_point("client", "eth0", Direction::Out),
        to: path_point("router", "client", Direction::In),
        matching: FrameMatch { protocol: Some(17), ..FrameMatch::default() },
        delay: None,
        lost: None,
        duplicates: None,
        reordered: None,
    }
}

fn judged(path_check: PathCheck, seen: &Observations) -> ExpectationResult {
    let scenario = scenario(vec![Check::Path(Box::new(path_check))]);
    judge(&scenario, seen).expectations.remove(0)
}

fn at_least(ms: u64) -> Option<DelayBounds> {
    Some(DelayBounds { at_least: Some(Duration::from_millis(ms)), at_most: None })
}

fn at_most(ms: u64) -> Option<DelayBounds> {
    Some(DelayBounds { at_least: None, at_most: Some(Duration::from_millis(ms)) })
}

#[test]
fn a_lower_bound_holds_for_every_packet_or_fails_with_the_frames() {
    let seen = observed(&[(1, 100 * MS, &[120 * MS]), (2, 200 * MS, &[225 * MS])]);
    assert!(judged(PathCheck { delay: at_least(20), ..path_check() }, &seen).passed);
    let judgement = judged(PathCheck { delay: at_least(21), ..path_check() }, &seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.frames.len(), 2);
    assert_eq!(judgement.seen[1], "delay: 20.000 ms to 25.000 ms (2 times)");
    assert!(judged(PathCheck { delay: at_most(25), ..path_check() }, &seen).passed);
    assert!(!judged(PathCheck { delay: at_most(24), ..path_check() }, &seen).passed);
}

#[test]
fn packets_that_look_the_same_are_believed_to_be_no_better_than_they_may_be() {
    // Sent again after 10 ms; one of the two arrived, and nobody knows which.
    let seen = observed(&[(0, 100 * MS, &[]), (0, 110 * MS, &[130 * MS])]);
    assert!(judged(PathCheck { delay: at_least(20), ..path_check() }, &seen).passed);
    assert!(!judged(PathCheck { delay: at_least(21), ..path_check() }, &seen).passed);
    assert!(judged(PathCheck { delay: at_most(30), ..path_check() }, &seen).passed);
    assert!(!judged(PathCheck { delay: at_most(29), ..path_check() }, &seen).passed);
    assert!(judged(PathCheck { lost: Some(Count::Exactly(1)), ..path_check() }, &seen).passed);
}

#[test]
fn without_a_packet_or_an_arrival_nothing_holds() {
    let nothing = observed(&[]);
    let judgement = judged(PathCheck { lost: Some(Count::Exactly(0)), ..path_check() }, &nothing);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen, ["no such packet was seen at client:eth0 out"]);
    let all_lost = observed(&[(1, 100 * MS, &[])]);
    let judgement = judged(PathCheck { delay: at_least(1), ..path_check() }, &all_lost);
    assert!(!judgement.passed);
    assert_eq!(judgement.seen[1], "none arrived, so there is no delay");
}

#[test]
fn losses_and_copies_are_counted_apart() {
    let seen = observed(&[(1, MS, &[2 * MS, 3 * MS]), (2, 2 * MS, &[]), (3, 3 * MS, &[4 * MS])]);
    let (lost, duplicates) = (Some(Count::Exactly(1)), Some(Count::Exactly(1)));
    assert!(judged(PathCheck { lost, duplicates, ..path_check() }, &seen).passed);
    for (count, passed) in [
        (Count::Exactly(0), false),
        (Count::AtLeast(1), true),
        (Count::AtLeast(2), false),
        (Count::Between(0, 1), true),
        (Count::Between(2, 3), false),
        (Count::Between(0, 0), false),
    ] {
        assert_eq!(judged(PathCheck { lost: Some(count), ..path_check() }, &seen).passed, passed);
        let duplicates = Some(count);
        assert_eq!(judged(PathCheck { duplicates, ..path_check() }, &seen).passed, passed);
    }
}

#[test]
fn a_packet_is_reordered_if_one_that_left_later_arrives_first() {
    let in_order = observed(&[(1, MS, &[10 * MS]), (2, 2 * MS, &[11 * MS])]);
    let reordered = |number| PathCheck { reordered: Some(Count::Exactly(number)), ..path_check() };
    assert!(judged(reordered(0), &in_order).passed);
    let turned = observed(&[(1, MS, &[10 * MS]), (2, 2 * MS, &[10 * MS]), (3, 3 * MS, &[5 * MS])]);
    assert!(judged(reordered(2), &turned).passed);
    assert!(!judged(reordered(0), &turned).passed);
}

#[test]
fn what_left_after_the_lab_had_come_to_rest_is_not_lost() {
    let mut seen = observed(&[(1, MS, &[2 * MS]), (2, 50 * MS, &[])]);
    let lost = PathCheck { lost: Some(Count::Exactly(0)), ..path_check() };
    assert!(!judged(lost.clone(), &seen).passed);
    seen.settled_ns = Some(20 * MS);
    assert!(judged(lost.clone(), &seen).passed);
    seen.settled_ns = None;
    let judgement = judged(lost, &seen);
    assert!(!judgement.passed && judgement.seen[0].contains("still in flight at the end"));
}

#[test]
fn a_point_that_was_not_proven_alive_proves_no_loss() {
    let mut seen = observed(&[(1, MS, &[2 * MS])]);
    let there = seen.capture.find_point(&node("router"), &interface("client")).unwrap();
    seen.capture.set_liveness(there, Liveness::default());
    let judgement = judged(PathCheck { lost: Some(Count::Exactly(0)), ..path_check() }, &seen);
    assert!(!judgement.passed);
    assert!(judgement.seen.iter().any(|it| it.contains("not verified: router:client")));
}

#[test]
fn only_packets_that_match_are_meant() {
    let seen = observed(&[(1, MS, &[])]);
    let matching = FrameMatch { protocol: Some(6), ..FrameMatch::default() };
    let judgement =
        judged(PathCheck { matching, lost: Some(Count::AtLeast(1)), ..path_check() }, &seen);
    assert_eq!(judgement.seen, ["no such packet was seen at client:eth0 out"]);
}

#[test]
fn a_relay_that_had_no_room_fails_the_run_and_a_loss_that_was_asked_for_does_not() {
    let mut seen = observed(&[(1, MS, &[2 * MS])]);
    let end = Attachment { node: node("client"), interface: interface("eth0") };
    let counted = |name: &str| LinkCounters {
        dropped: 3,
        by_name: [(name.to_owned(), 3)].into_iter().collect(),
    };
    let scenario = Scenario { steps: Vec::new(), ..scenario(Vec::new()) };
    let verdict = |seen: &Observations| judge(&scenario, seen);
    seen.link_counters.insert(end.clone(), counted("lost"));
    assert!(verdict(&seen).passed());
    seen.link_counters.insert(end.clone(), counted("receive_dropped"));
    assert_eq!(verdict(&seen).defects, [RunDefect::RelayDropped { sender: end, frames: 3 }]);
    assert!(!verdict(&seen).passed());
}

//! Counts of frames: none, exactly, at least; and what proves them.

use crate::lab::{Lab, VIP, reaches};
use crate::scenario::{at, at_real_server, node, scenario};
use crate::wire;
use labsim_scenario::model::{
    CapturePoint, Check, Count, Direction, FrameMatch, IcmpMatch, TcpFlags,
};
use labsim_verdict::{ExpectationResult, Liveness, Observations, RunDefect, judge};
use labsim_wire::icmpv4::{Message, unreachable};
use labsim_wire::tcp::Flags;
use std::net::IpAddr;

fn count(
    at: CapturePoint,
    matching: FrameMatch,
    count: Count,
    seen: &Observations,
) -> ExpectationResult {
    let check = Check::Frames { at, matching, count };
    judge(&scenario(vec![check]), seen).expectations.remove(0)
}

fn from_vip() -> FrameMatch {
    FrameMatch { source: Some(IpAddr::from(*VIP.ip()).into()), ..FrameMatch::default() }
}

#[test]
fn no_frame_of_the_vip_at_the_load_balancer_holds() {
    let lab = Lab::with_login();
    let judgement = count(at("lb", "eth0"), from_vip(), Count::Exactly(0), &lab.seen);
    assert!(judgement.passed);
    assert_eq!(
        judgement.seen,
        ["0 of 12 frames at lb:eth0 matched; the capture point was verified before and after"]
    );
}

#[test]
fn a_frame_that_was_to_be_absent_is_shown() {
    let mut lab = Lab::with_login();
    let stray = lab.server(Flags::ACK, 1, 27, 0);
    let frame = wire::ethernet(&stray.packet(63), 0x0800);
    lab.push("lb", "eth0", Direction::In, &frame);
    let judgement = count(at("lb", "eth0"), from_vip(), Count::Exactly(0), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.expected, ["no frame at lb:eth0 with: source 172.16.4.99"]);
    assert_eq!(judgement.seen, ["1 of 13 frames at lb:eth0 matched"]);
    assert_eq!(judgement.frames.len(), 1);
    assert!(judgement.frames[0].contains("lb:eth0 in  IP 172.16.4.99.49 > 192.168"));
}

#[test]
fn an_upper_bound_is_believed_only_if_both_markers_were_seen() {
    let mut lab = Lab::with_login();
    let half = Liveness { started_ns: Some(1), ended_ns: None };
    lab.seen.capture.set_liveness(lab.point("lb", "eth0"), half);
    let tunnelled = FrameMatch { direction: Some(Direction::Out), ..FrameMatch::default() };
    for exactly in [(from_vip(), 0), (tunnelled.clone(), 6)] {
        let judgement = count(at("lb", "eth0"), exactly.0, Count::Exactly(exactly.1), &lab.seen);
        assert!(!judgement.passed);
        assert!(judgement.seen[1].starts_with("this capture point is not verified: lb:eth0"));
    }
    assert!(count(at("lb", "eth0"), tunnelled, Count::AtLeast(6), &lab.seen).passed);
}

#[test]
fn exact_counts_and_lower_bounds_are_bounds() {
    let lab = Lab::with_login();
    let client = FrameMatch { source_port: Some(61067), ..FrameMatch::default() };
    let passed = |wanted| count(at("client", "eth0"), client.clone(), wanted, &lab.seen).passed;
    assert!(!passed(Count::Exactly(5)));
    assert!(passed(Count::Exactly(6)));
    assert!(!passed(Count::Exactly(7)));
    assert!(passed(Count::AtLeast(6)));
    assert!(!passed(Count::AtLeast(7)));
}

#[test]
fn too_few_frames_show_the_closest_ones() {
    let lab = Lab::with_login();
    let wanted = FrameMatch {
        flags: Some(TcpFlags::parse("S").unwrap()),
        ttl: Some(125),
        direction: Some(Direction::In),
        ..FrameMatch::default()
    };
    let judgement = count(at_real_server("tunl0"), wanted, Count::AtLeast(1), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.expected, ["at least 1 frame at rs2:tunl0 with: in, ttl 125, flags S"]);
    assert!(judgement.seen[1].starts_with("close, but not it: frame "));
    assert!(judgement.seen[1].ends_with(": ttl: expected 125, seen 126"));
    assert_eq!(judgement.frames.len(), 3);
}

#[test]
fn icmp_errors_are_counted_by_type_and_code() {
    let mut lab = Lab::new();
    let syn = lab.client(Flags::SYN, 0, 0, 0);
    lab.client_sends(syn, reaches::RS_ETH);
    lab.server_reports(Message::Unreachable { code: unreachable::PROTOCOL }, &syn, 4);
    let of =
        |kind, code| FrameMatch { icmp: Some(IcmpMatch { kind, code }), ..FrameMatch::default() };
    let passed = |wanted| count(at("client", "eth0"), wanted, Count::Exactly(1), &lab.seen).passed;
    assert!(passed(of(3, Some(2))));
    assert!(passed(of(3, None)));
    assert!(!passed(of(3, Some(3))));
    assert!(!passed(of(11, None)));
}

#[test]
fn markers_take_no_part() {
    let lab = Lab::new();
    assert_eq!(lab.seen.capture.len(), 8);
    for (name, interface) in [("client", "eth0"), ("rs2", "tunl0")] {
        let any = FrameMatch::default();
        let judgement = count(at(name, interface), any, Count::Exactly(0), &lab.seen);
        assert!(judgement.passed, "{:?}", judgement.seen);
    }
}

#[test]
fn frames_without_ip_match_only_what_says_nothing_about_ip() {
    let mut lab = Lab::new();
    let arp = wire::arp(1, *VIP.ip(), *VIP.ip());
    lab.push("client", "eth0", Direction::In, &arp);
    let point = || at("client", "eth0");
    assert!(count(point(), FrameMatch::default(), Count::Exactly(1), &lab.seen).passed);
    assert!(count(point(), from_vip(), Count::Exactly(0), &lab.seen).passed);
}

#[test]
fn more_frames_than_can_be_shown_are_counted() {
    let mut lab = Lab::new();
    for _ in 0..50 {
        let syn = lab.client(Flags::SYN, 0, 0, 0);
        lab.client_sends(syn, 1);
    }
    let any = FrameMatch::default();
    let judgement = count(at("client", "eth0"), any, Count::Exactly(0), &lab.seen);
    assert_eq!(judgement.frames.len(), 41);
    assert!(judgement.frames[40].starts_with("and 10 more"), "{judgement:?}");
}

#[test]
fn frames_that_a_capture_lost_fail_the_run() {
    let mut lab = Lab::with_login();
    lab.seen.capture_drops.insert(node("client"), 0);
    assert!(judge(&scenario(Vec::new()), &lab.seen).passed());
    lab.seen.capture_drops.insert(node("lb"), 3);
    let verdict = judge(&scenario(Vec::new()), &lab.seen);
    assert!(!verdict.passed());
    assert_eq!(verdict.defects, [RunDefect::CaptureDropped { node: node("lb"), frames: 3 }]);
    assert_eq!(
        verdict.defects[0].to_string(),
        "the capture on lb had no room for 3 frames: what was not seen there proves nothing"
    );
}

#[test]
fn a_full_neighbour_table_is_named_where_a_run_does_not_pass() {
    let mut lab = Lab::with_login();
    lab.seen.refused_neighbours = 7;
    assert!(judge(&scenario(Vec::new()), &lab.seen).passed());
    lab.seen.capture_drops.insert(node("lb"), 3);
    let verdict = judge(&scenario(Vec::new()), &lab.seen);
    let full = RunDefect::NeighbourTableFull { refused: 7 };
    assert_eq!(verdict.defects.first(), Some(&full));
    assert_eq!(full.code().name(), "neighbour-table-full");
    lab.seen.refused_neighbours = 0;
    assert_eq!(judge(&scenario(Vec::new()), &lab.seen).defects.len(), 1);
}

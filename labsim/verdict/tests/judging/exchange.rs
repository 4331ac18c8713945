//! Exchanges: the document's tables hold, and every field that is changed is named.

use crate::lab::{Lab, RS2, reaches};
use crate::scenario::{at, at_real_server, row, scenario, step};
use labsim_scenario::model::Direction::{In, Out};
use labsim_scenario::model::{
    CapturePoint, Check, Direction, FrameMatch, IcmpMatch, OuterMatch, TcpFlags,
};
use labsim_verdict::{ExpectationResult, Liveness, Observations, judge};
use labsim_wire::tcp::Flags;
use std::net::IpAddr;

pub(crate) fn exchange(
    at: CapturePoint,
    direction: Option<Direction>,
    frames: Vec<FrameMatch>,
) -> Check {
    Check::Exchange { at, step: step("login"), direction, frames }
}

pub(crate) fn judge_one(check: Check, seen: &Observations) -> ExpectationResult {
    judge(&scenario(vec![check]), seen).expectations.remove(0)
}

/// The eleven frames at the client.
pub(crate) fn at_client() -> Vec<FrameMatch> {
    vec![
        row(Out, "S", 0, None, 0),
        row(In, "S.", 0, Some(1), 0),
        row(Out, ".", 1, Some(1), 0),
        row(Out, "P.", 1, Some(1), 26),
        row(In, ".", 1, Some(27), 0),
        row(In, "P.", 1, Some(27), 28),
        row(Out, "P.", 27, Some(29), 23),
        row(In, "P.", 29, Some(50), 18),
        row(In, "F.", 47, Some(50), 0),
        row(Out, ".", 50, Some(48), 0),
        row(Out, "R.", 50, Some(48), 0),
    ]
}

/// The six tunnel packets out of the load balancer, or into the server: all that can be said.
pub(crate) fn tunnelled(direction: Direction, outer_ttl: u8) -> Vec<FrameMatch> {
    let client: IpAddr = "192.168.11.201".parse().unwrap();
    let vip: IpAddr = "172.16.4.99".parse().unwrap();
    [("S", 0, None, 0, 72), (".", 1, Some(1), 0, 60), ("P.", 1, Some(1), 26, 86)]
        .into_iter()
        .chain([("P.", 27, Some(29), 23, 83), (".", 50, Some(48), 0, 60)])
        .chain([("R.", 50, Some(48), 0, 60)])
        .map(|(flags, sequence, acknowledgement, payload, length)| FrameMatch {
            source: Some(client.into()),
            destination: Some(vip.into()),
            protocol: Some(6),
            source_port: Some(61067),
            destination_port: Some(49),
            ttl: Some(126),
            length: Some(length - 20),
            tos: Some(0),
            dont_fragment: Some(true),
            outer: Some(Some(OuterMatch {
                source: Some(client.into()),
                destination: Some(IpAddr::from(RS2).into()),
                protocol: Some(4),
                ttl: Some(outer_ttl),
                length: Some(length),
                tos: Some(0),
                dont_fragment: Some(true),
            })),
            ..row(direction, flags, sequence, acknowledgement, payload)
        })
        .collect()
}

#[test]
fn the_documents_exchange_holds_at_all_three_places() {
    let lab = Lab::with_login();
    let checks = vec![
        exchange(at("client", "eth0"), None, at_client()),
        exchange(at("lb", "eth0"), Some(Out), tunnelled(Out, 255)),
        exchange(at_real_server("eth0"), Some(In), tunnelled(In, 254)),
    ];
    let verdict = judge(&scenario(checks), &lab.seen);
    for judgement in &verdict.expectations {
        assert!(judgement.passed, "{judgement:#?}");
        assert_eq!(judgement.sentence, "holds");
        assert!(judgement.expected.is_empty() && judgement.frames.is_empty());
    }
    assert!(verdict.passed() && verdict.diagnoses.is_empty());
    assert!(verdict.expectations[0].seen[0].starts_with(
        "11 frames of 192.168.11.201:61067 > 172.16.4.99:49 seen at client:eth0, all as expected"
    ));
}

#[test]
fn at_the_load_balancer_the_other_points_tell_where_the_server_began_counting() {
    // No frame of the server passes there, and the acknowledgements are relative all the same.
    let lab = Lab::with_login();
    let rows = tunnelled(Out, 255);
    assert!(rows.iter().any(|row| row.acknowledgement == Some(48)));
    assert!(judge_one(exchange(at("lb", "eth0"), Some(Out), rows), &lab.seen).passed);
}

#[test]
fn an_acknowledgement_that_data_overtook_is_in_its_place_and_data_that_data_overtook_is_not() {
    let judged = |payload, by| {
        let mut lab = Lab::with_login();
        lab.delay_at_balancer(payload, by);
        let plain = |row| FrameMatch { outer: Some(None), ttl: Some(127), ..row };
        let rows = tunnelled(In, 127).into_iter().map(plain).collect();
        judge_one(exchange(at("lb", "eth0"), Some(In), rows), &lab.seen)
    };
    assert!(judged(0, 0).passed, "{:#?}", judged(0, 0));
    assert!(judged(0, 12_000).passed, "{:#?}", judged(0, 12_000));
    assert!(!judged(26, 30_000).passed);
}

#[test]
fn every_field_that_is_changed_makes_the_exchange_fail_and_is_named() {
    let lab = Lab::with_login();
    let elsewhere = || Some(IpAddr::from([9, 9, 9, 9]).into());
    fn outer(row: &mut FrameMatch) -> &mut OuterMatch {
        row.outer.as_mut().unwrap().as_mut().unwrap()
    }
    type Change<'a> = Box<dyn Fn(&mut FrameMatch) + 'a>;
    let changes: Vec<(&str, Change<'_>)> = vec![
        ("direction: expected in, seen out", Box::new(|row| row.direction = Some(In))),
        ("source: expected 9.9.9.9, seen 192.168.11.201", Box::new(|row| row.source = elsewhere())),
        (
            "destination: expected 9.9.9.9, seen 172.16.4.99",
            Box::new(|row| row.destination = elsewhere()),
        ),
        ("protocol: expected 17, seen 6", Box::new(|row| row.protocol = Some(17))),
        ("source_port: expected 1, seen 61067", Box::new(|row| row.source_port = Some(1))),
        ("destination_port: expected 1, seen 49", Box::new(|row| row.destination_port = Some(1))),
        ("ttl: expected 127, seen 126", Box::new(|row| row.ttl = Some(127))),
        ("length: expected 67, seen 66", Box::new(|row| row.length = Some(67))),
        ("tos: expected 1, seen 0", Box::new(|row| row.tos = Some(1))),
        (
            "dont_fragment: expected false, seen true",
            Box::new(|row| row.dont_fragment = Some(false)),
        ),
        ("flags: expected ., seen P.", Box::new(|row| row.flags = Some(TcpFlags(0x10)))),
        ("sequence: expected 2, seen 1", Box::new(|row| row.sequence = Some(2))),
        ("acknowledgement: expected 2, seen 1", Box::new(|row| row.acknowledgement = Some(2))),
        ("payload: expected 27, seen 26", Box::new(|row| row.payload = Some(27))),
        (
            "icmp.type: expected 3, seen none",
            Box::new(|row| row.icmp = Some(IcmpMatch { kind: 3, code: None })),
        ),
        ("outer: expected none, seen IPIP", Box::new(|row| row.outer = Some(None))),
        ("outer.source: expected 9.9.9.9", Box::new(|row| outer(row).source = elsewhere())),
        (
            "outer.destination: expected 9.9.9.9, seen 10.1.1.52",
            Box::new(|row| outer(row).destination = elsewhere()),
        ),
        ("outer.protocol: expected 47, seen 4", Box::new(|row| outer(row).protocol = Some(47))),
        ("outer.ttl: expected 254, seen 255", Box::new(|row| outer(row).ttl = Some(254))),
        ("outer.length: expected 87, seen 86", Box::new(|row| outer(row).length = Some(87))),
        ("outer.tos: expected 1, seen 0", Box::new(|row| outer(row).tos = Some(1))),
        (
            "outer.dont_fragment: expected false, seen true",
            Box::new(|row| outer(row).dont_fragment = Some(false)),
        ),
    ];
    for (words, change) in changes {
        let mut rows = tunnelled(Out, 255);
        change(&mut rows[2]);
        let judgement = judge_one(exchange(at("lb", "eth0"), Some(Out), rows), &lab.seen);
        assert!(!judgement.passed, "{words}");
        assert_eq!(judgement.sentence, "fails");
        assert!(judgement.seen[0].ends_with("seen at lb:eth0 outwards, 6 expected"), "{words}");
        assert!(judgement.seen[1].starts_with("row 3 differs (frame "), "{:#?}", judgement.seen);
        assert!(judgement.seen[1].contains(words), "{words}: {:#?}", judgement.seen);
        assert_eq!(judgement.seen.len(), 2, "no other row differs: {:#?}", judgement.seen);
        assert_eq!((judgement.expected.len(), judgement.frames.len()), (6, 6));
    }
}

#[test]
fn an_outer_header_that_is_demanded_and_absent_is_named() {
    let lab = Lab::with_login();
    let mut rows = at_client();
    rows[0].outer = Some(Some(OuterMatch::default()));
    let judgement = judge_one(exchange(at("client", "eth0"), None, rows), &lab.seen);
    assert!(judgement.seen[1].ends_with("outer: expected an outer header, seen none"));
}

#[test]
fn a_missing_row_and_an_extra_frame_are_told_apart_from_wrong_ones() {
    let lab = Lab::with_login();
    let mut rows = at_client();
    rows.remove(4);
    let judgement = judge_one(exchange(at("client", "eth0"), None, rows), &lab.seen);
    assert_eq!(judgement.seen.len(), 2, "{:#?}", judgement.seen);
    assert!(judgement.seen[1].starts_with("not expected after row 4 (frame "));
    assert!(judgement.seen[1].contains("client:eth0 in  IP 172.16.4.99.49 > "));

    let mut rows = at_client();
    rows.insert(7, row(In, "R", 1000, Some(1), 7));
    let judgement = judge_one(exchange(at("client", "eth0"), None, rows), &lab.seen);
    assert_eq!(judgement.seen.len(), 2, "{:#?}", judgement.seen);
    assert_eq!(judgement.seen[1], "row 8 is missing: in, flags R, seq 1000, ack 1, payload 7");
}

#[test]
fn a_retransmission_is_an_extra_frame() {
    let mut lab = Lab::with_login();
    let again = lab.client(Flags::PSH.with(Flags::ACK), 27, 29, 23);
    lab.client_sends(again, reaches::RS_TUNNEL);
    let judgement =
        judge_one(exchange(at("lb", "eth0"), Some(Out), tunnelled(Out, 255)), &lab.seen);
    assert!(!judgement.passed);
    assert!(judgement.seen[1].starts_with("not expected after row 6"), "{:#?}", judgement.seen);
}

#[test]
fn frames_of_other_flows_take_no_part() {
    let mut lab = Lab::with_login();
    let mut other = lab.client(Flags::SYN, 0, 0, 0);
    other.source.set_port(61068);
    lab.client_sends(other, reaches::RS_TUNNEL);
    assert!(judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen).passed);
}

#[test]
fn an_exchange_at_a_point_that_was_not_proven_alive_is_not_believed() {
    for (liveness, words) in [
        (Liveness { started_ns: Some(1), ended_ns: None }, "its last marker was not captured"),
        (Liveness { started_ns: None, ended_ns: Some(1) }, "its first marker was not captured"),
        (Liveness::default(), "neither its first nor its last marker was captured"),
        (
            Liveness { started_ns: Some(2), ended_ns: Some(1) },
            "its last marker was captured before its first",
        ),
    ] {
        let mut lab = Lab::with_login();
        lab.seen.capture.set_liveness(lab.point("client", "eth0"), liveness);
        let judgement = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
        assert!(!judgement.passed);
        assert_eq!(
            judgement.seen[1],
            format!("this capture point is not verified: client:eth0, {words}")
        );
    }
}

#[test]
fn without_an_answer_there_is_no_real_server_to_look_at() {
    let mut lab = Lab::with_login();
    lab.seen.server_log.clear();
    let check = exchange(at_real_server("eth0"), Some(In), tunnelled(In, 254));
    let judgement = judge_one(check, &lab.seen);
    assert_eq!(judgement.seen, ["no server's log has an entry for the step `login`"]);
    let mut lab = Lab::with_login();
    lab.logs("rs1", crate::lab::CLIENT);
    let check = exchange(at_real_server("eth0"), Some(In), tunnelled(In, 254));
    let judgement = judge_one(check, &lab.seen);
    assert_eq!(judgement.seen, ["both rs2 and rs1 have log entries for the step `login`"]);
}

#[test]
fn what_cannot_be_looked_at_fails_and_is_said() {
    let lab = Lab::with_login();
    let judgement = judge_one(exchange(at("rs1", "tunl0"), None, Vec::new()), &lab.seen);
    assert_eq!(judgement.seen, ["rs1:tunl0 was not captured"]);
    let mut lab = Lab::with_login();
    lab.attempt().local = None;
    let judgement = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
    assert_eq!(judgement.seen, ["the client of the step `login` had no address and port"]);
    lab.seen.steps.clear();
    let judgement = judge_one(exchange(at("client", "eth0"), None, at_client()), &lab.seen);
    assert_eq!(judgement.seen, ["the step `login` was not done"]);
}

#[test]
fn an_empty_table_demands_that_nothing_was_seen() {
    let lab = Lab::with_login();
    assert!(judge_one(exchange(at("rs1", "eth0"), None, Vec::new()), &lab.seen).passed);
    let judgement = judge_one(exchange(at("client", "eth0"), None, Vec::new()), &lab.seen);
    assert!(!judgement.passed);
    assert_eq!(judgement.expected, ["no frame at all"]);
    assert_eq!(judgement.seen.len(), 12);
}

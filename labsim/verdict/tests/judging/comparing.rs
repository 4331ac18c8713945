//! Two runs beside each other: what may differ, and that everything else is told.

use crate::lab::{CLIENT, Lab, RS2, VIP, reaches};
use crate::scenario::{interface, node};
use crate::wire;
use labsim_scenario::model::Direction::{In, Out};
use labsim_verdict::compare::{Comparison, Difference, SavedRun, Side, compare, compare_others};
use labsim_verdict::{Capture, FrameView, Observations, PointId};
use labsim_wire::decode::LinkType;
use labsim_wire::ethernet::ethertype;
use labsim_wire::tcp::Flags;
use labsim_wire::{arp, protocol};
use std::net::{Ipv4Addr, SocketAddrV4};

fn kept(observations: Observations) -> SavedRun {
    SavedRun { outcome: "passed".to_owned(), observations, ..SavedRun::default() }
}

fn login() -> SavedRun {
    kept(Lab::with_login().seen)
}

/// A capture with frames left out, changed, or sent again so many nanoseconds later.
fn changed(
    mut run: SavedRun,
    mut change: impl FnMut(&FrameView<'_>, &mut Vec<u8>) -> Vec<u64>,
) -> SavedRun {
    let mut capture = Capture::new();
    for point in run.observations.capture.points() {
        capture.add_point(point.node.clone(), point.interface.clone(), point.link);
    }
    for frame in run.observations.capture.frames() {
        let mut bytes = frame.bytes.to_vec();
        for later in change(&frame, &mut bytes) {
            let (record, length) = (frame.record, u32::try_from(bytes.len()).unwrap());
            capture.push(record.time_ns + later, record.point, record.direction, length, &bytes);
        }
    }
    capture.sort();
    run.observations.capture = capture;
    run
}

/// Whether it is the only thing that both runs have not in common.
fn only(comparison: &Comparison) -> &Difference {
    let [only] = comparison.differences.as_slice() else { panic!("{comparison:?}") };
    only
}

fn same(comparison: &Comparison) {
    assert_eq!(comparison.differences, [], "{comparison:?}");
}

fn point(run: &SavedRun, node_name: &str, interface_name: &str) -> PointId {
    let capture = &run.observations.capture;
    capture.find_point(&node(node_name), &interface(interface_name)).unwrap()
}

/// Whether a frame is a segment of these flags, with so much payload.
fn is(frame: &FrameView<'_>, source: SocketAddrV4, flags: Flags, payload: u32) -> bool {
    let decoded = frame.decode();
    let from = decoded.flow().is_some_and(|flow| flow.source == source.into());
    from && decoded.tcp().is_some_and(|tcp| tcp.flags == flags && tcp.payload == payload)
}

#[test]
fn a_run_is_the_same_at_another_time_with_other_identifications() {
    let later = kept(Lab::login_with_ids_from(100).seen);
    let later = changed(later, |_, _| vec![3_600_000_000_000]);
    let comparison = compare(&login(), &later);
    same(&comparison);
    assert!(comparison.frames[0] > 50, "{comparison:?}");
    assert_eq!(comparison.points, 8);
}

#[test]
fn a_changed_byte_is_told_with_its_frame() {
    let mut number = 0;
    let other = changed(login(), |frame, bytes| {
        let here = frame.record.point == point(&login(), "rs2", "tunl0");
        if here && is(frame, CLIENT, Flags::PSH.with(Flags::ACK), 26) {
            *bytes.last_mut().unwrap() ^= 1;
            number = frame.index + 1;
        }
        vec![0]
    });
    let comparison = compare(&login(), &other);
    let Difference::Frames { point, rows, more: 0 } = only(&comparison) else {
        panic!("{comparison:?}")
    };
    assert_eq!(point, "rs2:tunl0");
    let [row] = rows.as_slice() else { panic!("{rows:?}") };
    assert!(row.frames.iter().all(|frame| frame.as_ref().unwrap().number == number));
    assert!(row.frames[1].as_ref().unwrap().line.contains("P. seq 1 ack 1 len 26"), "{row:?}");
    let fields: Vec<&str> = row.fields.iter().map(|(field, _)| field.as_str()).collect();
    assert_eq!(fields, ["checksum", "payload bytes"]);
}

#[test]
fn every_field_of_a_header_is_compared() {
    for (place, field) in
        [(1, "tos"), (8, "ttl"), (9, "protocol"), (15, "source"), (19, "destination")]
    {
        let other = changed(login(), |frame, bytes| {
            let here = frame.record.point == point(&login(), "rs2", "tunl0");
            if here && is(frame, CLIENT, Flags::SYN, 0) {
                bytes[place] ^= 1;
            }
            vec![0]
        });
        let comparison = compare(&login(), &other);
        assert!(!comparison.differences.is_empty(), "{field}");
    }
}

#[test]
fn a_missing_frame_is_told_from_either_side() {
    let other = changed(login(), |frame, _| {
        let here = frame.record.point == point(&login(), "rs2", "tunl0");
        if here && is(frame, CLIENT, Flags::SYN, 0) { vec![] } else { vec![0] }
    });
    for (runs, missing) in [([&login(), &other], 1), ([&other, &login()], 0)] {
        let comparison = compare(runs[0], runs[1]);
        let Difference::Frames { point, rows, .. } = only(&comparison) else {
            panic!("{comparison:?}")
        };
        assert_eq!((point.as_str(), rows.len()), ("rs2:tunl0", 1));
        assert!(rows[0].frames[missing].is_none());
        let line = &rows[0].frames[1 - missing].as_ref().unwrap().line;
        assert!(line.contains("rs2:tunl0 in ") && line.contains("S seq 0"), "{line}");
    }
}

#[test]
fn a_missing_point_is_told_with_who_has_it() {
    let mut other = login();
    let mut capture = Capture::new();
    for point in other.observations.capture.points().iter().take(7) {
        capture.add_point(point.node.clone(), point.interface.clone(), point.link);
    }
    for frame in other.observations.capture.frames().filter(|it| it.record.point.0 < 7) {
        let FrameView { record, bytes, .. } = frame;
        let length = record.original_length;
        capture.push(record.time_ns, record.point, record.direction, length, bytes);
    }
    other.observations.capture = capture;
    let comparison = compare(&login(), &other);
    let expected = Difference::Point { point: "rs2:tunl0".to_owned(), only: Side::First };
    assert_eq!(only(&comparison), &expected);
}

#[test]
fn outcomes_verdicts_and_lost_frames_are_compared() {
    let (mut first, mut second) = (login(), login());
    first.expectations.extend([("a".to_owned(), true), ("b".to_owned(), true)]);
    second.expectations.extend([("a".to_owned(), false), ("c".to_owned(), true)]);
    second.outcome = "failed".to_owned();
    second.observations.capture_drops.insert(node("rs1"), 4);
    let held = |name: &str, held| Difference::Expectation { name: name.to_owned(), held };
    assert_eq!(
        compare(&first, &second).differences,
        [
            Difference::Outcome(["passed".to_owned(), "failed".to_owned()]),
            held("a", [Some(true), Some(false)]),
            held("b", [Some(true), None]),
            held("c", [None, Some(true)]),
            Difference::Lost { node: node("rs1"), frames: [0, 4] },
        ]
    );
}

#[test]
fn counters_of_errors_and_of_tunnel_devices_are_compared_and_those_of_traffic_are_not() {
    let mut other = login();
    let count = |counters: &[(&str, u64)]| {
        counters.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let counters = count(&[("IpInUnknownProtos", 2), ("TcpInSegs", 7), ("IpReasmFails", 1)]);
    other.observations.kernel_counters.insert(node("rs1"), counters);
    let device = [(interface("tunl0"), count(&[("rx_errors", 1), ("rx_packets", 3)]))];
    other.observations.device_counters.insert(node("rs1"), device.into());
    let told = |device: Option<&str>, counter: &str, rose| Difference::Counter {
        node: node("rs1"),
        device: device.map(interface),
        counter: counter.to_owned(),
        rose: [0, rose],
    };
    assert_eq!(
        compare(&login(), &other).differences,
        [
            told(None, "IpInUnknownProtos", 2),
            told(None, "IpReasmFails", 1),
            told(Some("tunl0"), "rx_errors", 1),
            told(Some("tunl0"), "rx_packets", 3),
        ]
    );
}

#[test]
fn an_acknowledgement_that_another_packet_makes_as_well_is_a_timers() {
    let server = SocketAddrV4::new(*VIP.ip(), VIP.port());
    let other = changed(
        login(),
        |frame, _| {
            if is(frame, server, Flags::ACK, 0) { vec![] } else { vec![0] }
        },
    );
    let comparison = compare(&login(), &other);
    same(&comparison);
    assert!(comparison.set_aside > 0);
    // The handshake's end is none of them.
    let mut first = true;
    let other = changed(login(), |frame, _| {
        let here = frame.record.point == point(&login(), "client", "eth0");
        let end = here && is(frame, CLIENT, Flags::ACK, 0) && std::mem::take(&mut first);
        if end { vec![] } else { vec![0] }
    });
    assert_eq!(compare(&login(), &other).differences.len(), 1);
}

#[test]
fn data_that_overtakes_the_acknowledgement_before_it_is_timing_and_other_orders_are_not() {
    let late = |payload, by| {
        let mut lab = Lab::with_login();
        lab.delay_at_balancer(payload, by);
        kept(lab.seen)
    };
    let order = |run: &SavedRun| {
        let lb = point(run, "lb", "eth0");
        let frames = run.observations.capture.frames();
        let here = frames.filter(|it| it.record.point == lb && it.record.direction == In);
        here.map(|it| it.bytes.to_vec()).collect::<Vec<_>>()
    };
    let overtaken = late(0, 12_000);
    assert_ne!(order(&overtaken), order(&login()));
    same(&compare(&login(), &overtaken));
    let data = late(26, 30_000);
    assert_ne!(order(&data), order(&login()));
    assert!(!compare(&login(), &data).differences.is_empty());
}

#[test]
fn what_is_sent_again_later_is_a_timers_and_a_copy_at_once_is_a_difference() {
    let again =
        |later| {
            changed(login(), move |frame, _| {
                if is(frame, CLIENT, Flags::SYN, 0) { vec![0, later] } else { vec![0] }
            })
        };
    same(&compare(&login(), &again(1_000_000_000)));
    let comparison = compare(&login(), &again(1_000));
    assert!(!comparison.differences.is_empty());
}

#[test]
fn data_and_fin_sent_again_in_one_segment_are_a_timers_and_so_is_the_reset_that_answers() {
    let together = Flags::FIN.with(Flags::PSH).with(Flags::ACK);
    let other = |wait, resets: bool, payload: u8| {
        let mut lab = Lab::with_login();
        lab.wait(wait);
        lab.server_sends(lab.server(together, 47 - u32::from(payload), 50, payload.into()), 4);
        if resets {
            lab.client_sends(lab.client(Flags::RST, 50, 0, 0), reaches::RS_TUNNEL);
        }
        kept(lab.seen)
    };
    let comparison = compare(&login(), &other(200_000_000, true, 18));
    same(&comparison);
    assert!(comparison.set_aside > 0);
    // Earlier data too, which was in a segment of its own.
    same(&compare(&login(), &other(200_000_000, true, 46)));
    // At once no timer sends it again, and a reset needs something that it answers.
    assert!(!compare(&login(), &other(0, false, 18)).differences.is_empty());
    let mut reset = Lab::with_login();
    reset.wait(200_000_000);
    reset.client_sends(reset.client(Flags::RST, 50, 0, 0), reaches::RS_TUNNEL);
    assert!(!compare(&login(), &kept(reset.seen)).differences.is_empty());
    // Data that was not sent before is a difference at any time.
    let mut more = Lab::with_login();
    more.wait(200_000_000);
    more.server_sends(more.server(together, 29, 50, 30), 4);
    assert!(!compare(&login(), &kept(more.seen)).differences.is_empty());
}

#[test]
fn a_copy_that_was_held_up_until_the_next_came_is_a_timers_where_the_sender_waited_for_it() {
    let held_up = |waits: &'static [&str]| {
        changed(login(), move |frame, _| {
            let point = login().observations.capture.points()[frame.record.point.0].clone();
            let later = if waits.contains(&point.node.as_str()) { 200_000_000 } else { 1_000 };
            if is(frame, CLIENT, Flags::SYN, 0) { vec![0, later] } else { vec![0] }
        })
    };
    same(&compare(&login(), &held_up(&["client", "router", "lb"])));
    assert!(!compare(&login(), &held_up(&[])).differences.is_empty());
}

#[test]
fn two_packets_alike_are_the_same_whatever_the_time_between_them() {
    let last = Flags::RST.with(Flags::ACK);
    let twice = |later| {
        changed(
            login(),
            move |frame, _| {
                if is(frame, CLIENT, last, 0) { vec![0, later] } else { vec![0] }
            },
        )
    };
    same(&compare(&twice(1_000), &twice(1_000_000_000)));
}

#[test]
fn where_packets_were_sent_again_a_counter_has_to_be_zero_or_not_in_both() {
    let counted = |mut run: SavedRun, count| {
        let counters = [("IpInAddrErrors".to_owned(), count)].into();
        run.observations.kernel_counters.insert(node("rs2"), counters);
        run
    };
    let again = || {
        changed(login(), |frame, _| {
            if is(frame, CLIENT, Flags::SYN, 0) { vec![0, 1_000_000_000] } else { vec![0] }
        })
    };
    same(&compare(&counted(login(), 1), &counted(again(), 2)));
    assert_eq!(compare(&counted(login(), 1), &counted(again(), 0)).differences.len(), 1);
    assert_eq!(compare(&counted(login(), 1), &counted(login(), 2)).differences.len(), 1);
    same(&compare_others(&counted(login(), 1), &counted(again(), 2)));
    assert_eq!(compare_others(&counted(login(), 1), &counted(again(), 0)).differences.len(), 1);
    assert_eq!(compare_others(&counted(login(), 1), &counted(login(), 2)).differences.len(), 1);
}

/// Runs of a load balancer's wire: requests of two clients that overlap or not, and the server
/// that each is sent on to.
fn wire_of(servers: [Ipv4Addr; 2], overlap: bool) -> SavedRun {
    let mut observations = Observations::default();
    let capture = &mut observations.capture;
    let lb = capture.add_point(node("lb"), interface("eth0"), LinkType::Raw);
    let mut time = 0;
    let mut push = |direction, bytes: Vec<u8>| {
        time += 1000;
        capture.push(time, lb, direction, u32::try_from(bytes.len()).unwrap(), &bytes);
    };
    let client = |last| SocketAddrV4::new(Ipv4Addr::new(192, 168, 11, last), 5000);
    let asks = |last| wire::datagram(client(last), VIP, 1, 64, b"hello");
    let sent_on =
        |last, server| wire::ip(*client(last).ip(), server, protocol::IPIP, 64, 1, &asks(last));
    let steps: [u8; 4] = if overlap { [1, 2, 1, 2] } else { [1, 1, 2, 2] };
    let mut asked = [false; 2];
    for step in steps {
        let place = usize::from(step) - 1;
        if std::mem::replace(&mut asked[place], true) {
            push(Out, sent_on(step, servers[place]));
        } else {
            push(In, asks(step));
        }
    }
    kept(observations)
}

#[test]
fn who_met_whom_is_timing_only_where_clients_asked_at_the_same_time() {
    let [one, other] = [Ipv4Addr::new(10, 1, 1, 51), RS2];
    let comparison = compare(&wire_of([one, other], true), &wire_of([other, one], true));
    same(&comparison);
    assert_eq!(comparison.who_met_whom, 1);
    let apart = compare(&wire_of([one, other], false), &wire_of([other, one], false));
    assert_eq!(apart.differences.len(), 1);
    // Not even then may a server get more than its share.
    let unfair = compare(&wire_of([one, other], true), &wire_of([one, one], true));
    assert_eq!(unfair.differences.len(), 1);
}

#[test]
fn arp_that_confirms_a_neighbour_is_a_timers_and_arp_that_looks_for_one_is_not() {
    let run = |operation, to_all: bool, target: u8| {
        let mut observations = Observations::default();
        let capture = &mut observations.capture;
        let lb = capture.add_point(node("lb"), interface("eth0"), LinkType::Ethernet);
        let sender = Ipv4Addr::new(172, 16, 0, 10);
        let mut frame = wire::arp(operation, sender, Ipv4Addr::new(172, 16, 0, target));
        assert_eq!(frame[12..14], ethertype::ARP.to_be_bytes());
        if to_all {
            frame[..6].fill(0xff);
        }
        capture.push(1, lb, Out, u32::try_from(frame.len()).unwrap(), &frame);
        kept(observations)
    };
    let nothing = || {
        let mut run = run(arp::operation::REQUEST, false, 1);
        run.observations.capture = Capture::new();
        run.observations.capture.add_point(node("lb"), interface("eth0"), LinkType::Ethernet);
        run
    };
    same(&compare(&nothing(), &run(arp::operation::REQUEST, false, 1)));
    same(&compare(&nothing(), &run(arp::operation::REPLY, false, 1)));
    let looks = compare(&nothing(), &run(arp::operation::REQUEST, true, 1));
    assert_eq!(looks.differences.len(), 1);
    let first = run(arp::operation::REQUEST, true, 1);
    let second = run(arp::operation::REQUEST, true, 2);
    assert_eq!(compare(&first, &second).differences.len(), 1);
}

//! Captures of some points, of some frames, and of the beginnings of frames.

use crate::captures::{NONE, frames, stop};
use crate::hosts::{node, udp};
use crate::shape::shipped;
use labsim_lab::{Capture, Captured, Lab, MarkerKind, Scope};
use labsim_scenario::model::{Captures, Direction, FrameMatch, PointPattern};
use labsim_test_support::soon;
use labsim_wire::decode::Decoded;

labsim_test_support::tests![
    points_that_are_left_out_are_not_in_the_result_and_count_as_traffic_all_the_same,
    without_points_nothing_is_captured_and_a_flush_still_empties_the_links,
    a_filter_keeps_what_agrees_with_it_and_the_markers,
    a_snaplen_cuts_frames_and_their_lengths_stay_known,
];

/// Compares destination ports alone.
fn has_port(wanted: &FrameMatch, _: Direction, decoded: &Decoded) -> bool {
    decoded.flow().map(|flow| flow.destination.port()) == wanted.destination_port
}

fn start(lab: &Lab, captures: Captures) -> Capture {
    let capture = Capture::start_of(lab, Scope::new(captures, has_port)).unwrap();
    assert_eq!(capture.mark(MarkerKind::Start, soon()).unwrap().silent, NONE);
    capture
}

/// The client sends a datagram of `length` bytes to a server's port, which receives it.
fn send(lab: &Lab, port: u16, length: usize) {
    let server = udp(node(lab, "rs2"), &format!("10.1.1.52:{port}"));
    let client = udp(node(lab, "client"), "0.0.0.0:0");
    client.send_to(&vec![7; length], ("10.1.1.52", port)).unwrap();
    assert_eq!(server.recv(&mut vec![0; length]).unwrap(), length);
}

fn points(captured: &Captured) -> Vec<String> {
    captured.points.iter().map(|it| format!("{}:{}", it.node, it.interface)).collect()
}

fn points_that_are_left_out_are_not_in_the_result_and_count_as_traffic_all_the_same() {
    let lab = shipped();
    let points_of = ["client:eth0", "rs*:tunl0"].map(PointPattern::parse);
    let capture = start(&lab, Captures { points: Some(points_of.into()), ..Captures::default() });
    assert_eq!(capture.taken_points(), 4);
    send(&lab, 700, 10);
    assert_eq!(capture.flush(soon()).unwrap().silent, NONE);
    // At least out of the client, into the router and out of it, and into the server.
    assert!(capture.frames() >= 4, "{}", capture.frames());
    let captured = stop(capture);
    assert_eq!(points(&captured), ["client:eth0", "rs1:tunl0", "rs2:tunl0", "rs3:tunl0"]);
    assert!(captured.points.iter().all(|it| it.started_ns < it.ended_ns && it.ended_ns.is_some()));
    let seen = frames(&captured, "client", "eth0");
    assert_eq!(seen.iter().filter(|(_, it)| it.flow().is_some()).count(), 1);
    assert!(captured.frames().all(|frame| frame.point < 4));
}

fn without_points_nothing_is_captured_and_a_flush_still_empties_the_links() {
    let lab = shipped();
    let capture = start(&lab, Captures { points: Some(Vec::new()), ..Captures::default() });
    send(&lab, 700, 10);
    assert_eq!(capture.flush(soon()).unwrap().silent, NONE);
    let passed = capture.frames();
    assert!(passed >= 4, "{passed}");
    assert_eq!(capture.flush(soon()).unwrap().silent, NONE);
    assert_eq!((capture.frames(), capture.taken_points()), (passed, 0), "markers are no traffic");
    let captured = stop(capture);
    assert_eq!((points(&captured), captured.frames().count()), (Vec::new(), 0));
}

fn a_filter_keeps_what_agrees_with_it_and_the_markers() {
    let lab = shipped();
    let wanted = FrameMatch { destination_port: Some(701), ..FrameMatch::default() };
    let capture = start(&lab, Captures { filter: vec![wanted], ..Captures::default() });
    send(&lab, 700, 10);
    send(&lab, 701, 10);
    let captured = stop(capture);
    let seen = frames(&captured, "rs2", "eth0");
    let ports = seen.iter().map(|(_, it)| it.flow().unwrap().destination.port());
    assert_eq!(ports.collect::<Vec<_>>(), [701]);
    assert!(captured.points.iter().all(|it| it.started_ns < it.ended_ns));
}

fn a_snaplen_cuts_frames_and_their_lengths_stay_known() {
    let lab = shipped();
    let capture = start(&lab, Captures { snaplen: Some(256), ..Captures::default() });
    send(&lab, 700, 1000);
    let captured = stop(capture);
    let seen = frames(&captured, "rs2", "eth0");
    let seen = seen.iter().find(|(frame, _)| frame.original_length > 1000).unwrap();
    assert_eq!((seen.0.bytes.len(), seen.0.original_length), (256, 14 + 20 + 8 + 1000));
}

//! What captures show, what they prove, and what they do not.

use crate::hosts::{node, udp};
use crate::shape::{build, device, name, pair, shipped};
use labsim_lab::{Capture, Captured, Frame, Lab, LabPlan, MarkerKind};
use labsim_scenario::model::Direction;
use labsim_test_support::soon;
use labsim_wire::checksum::ChecksumState;
use labsim_wire::decode::{Decoded, Transport};
use std::io::{Read, Write};
use std::net::TcpStream;

labsim_test_support::tests![
    every_point_sees_its_own_markers,
    a_point_that_is_down_is_not_proven_alive,
    silence_on_one_server_is_proven_while_another_is_busy,
    frames_are_in_times_order_with_their_direction,
    an_idle_lab_is_silent,
    ipv6_sends_no_duplicate_address_detection,
    without_offloads_every_checksum_is_finished_and_no_frame_is_too_long,
    with_offloads_frames_are_as_the_kernel_hands_them_over,
    a_flush_brings_in_what_was_on_the_links,
];

pub(crate) const NONE: Vec<String> = Vec::new();

pub(crate) fn start(lab: &Lab) -> Capture {
    let capture = Capture::start(lab).unwrap();
    assert_eq!(capture.mark(MarkerKind::Start, soon()).unwrap().silent, NONE);
    capture
}

pub(crate) fn stop(capture: Capture) -> Captured {
    assert_eq!(capture.mark(MarkerKind::End, soon()).unwrap().silent, NONE);
    let captured = capture.stop().unwrap();
    assert!(captured.drops.is_empty(), "{:?}", captured.drops);
    captured
}

pub(crate) fn frames<'a>(captured: &'a Captured, at: &str, dev: &str) -> Vec<(Frame<'a>, Decoded)> {
    let point = captured.find_point(&name(at), &device(dev)).unwrap();
    let link = captured.points[point].link;
    captured
        .frames()
        .filter(|frame| frame.point == point && frame.marker.is_none())
        .map(|frame| (frame, labsim_wire::decode(link, frame.bytes, frame.bytes.len())))
        .collect()
}

fn every_point_sees_its_own_markers() {
    let lab = shipped();
    let captured = stop(start(&lab));
    let names: Vec<_> =
        captured.points.iter().map(|it| format!("{}:{}", it.node, it.interface)).collect();
    assert_eq!(
        names,
        [
            "client:lo",
            "client:eth0",
            "router:lo",
            "router:client",
            "router:lb",
            "router:servers",
            "lb:lo",
            "lb:eth0",
            "rs1:lo",
            "rs1:eth0",
            "rs1:tunl0",
            "rs2:lo",
            "rs2:eth0",
            "rs2:tunl0",
            "rs3:lo",
            "rs3:eth0",
            "rs3:tunl0",
        ]
    );
    for (point, name) in captured.points.iter().zip(names) {
        let (start, end) = (point.started_ns.unwrap(), point.ended_ns.unwrap());
        assert!(start < end, "{name}");
    }
}

fn a_point_that_is_down_is_not_proven_alive() {
    let lab = shipped();
    let capture = Capture::start(&lab).unwrap();
    node(&lab, "rs3").run(|| set_down("eth0")).unwrap();
    let marked = capture.mark(MarkerKind::Start, std::time::Instant::now()).unwrap();
    assert!(marked.silent.contains(&"rs3:eth0".to_owned()), "{:?}", marked.silent);
    let captured = capture.stop().unwrap();
    let point = captured.find_point(&name("rs3"), &device("eth0")).unwrap();
    assert_eq!(captured.points[point].started_ns, None);
}

fn set_down(name: &str) {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    labsim_sys::device::set_down(&socket, name).unwrap();
}

fn silence_on_one_server_is_proven_while_another_is_busy() {
    let lab = shipped();
    let capture = start(&lab);
    let server = udp(node(&lab, "rs2"), "10.1.1.52:700");
    let client = udp(node(&lab, "client"), "0.0.0.0:0");
    for _ in 0..20 {
        client.send_to(b"hello", "10.1.1.52:700").unwrap();
        server.recv(&mut [0; 9]).unwrap();
    }
    let captured = stop(capture);
    let udp = |at| {
        let frames = frames(&captured, at, "eth0");
        frames.iter().filter(|(_, it)| it.flow().is_some_and(|it| it.protocol == 17)).count()
    };
    assert_eq!((udp("rs1"), udp("rs2"), udp("rs3")), (0, 20, 0));
    let silent = captured.find_point(&name("rs1"), &device("eth0")).unwrap();
    let busy = captured.find_point(&name("rs2"), &device("eth0")).unwrap();
    let traffic = captured.frames().filter(|it| it.point == busy && it.marker.is_none());
    let last = traffic.map(|it| it.time_ns).max().unwrap();
    assert!(captured.points[silent].ended_ns.unwrap() > last);
}

fn frames_are_in_times_order_with_their_direction() {
    let lab = shipped();
    let capture = start(&lab);
    let server = udp(node(&lab, "rs1"), "10.1.1.51:700");
    let client = udp(node(&lab, "client"), "192.168.11.201:5000");
    client.send_to(b"hello", "10.1.1.51:700").unwrap();
    let (_, from) = server.recv_from(&mut [0; 9]).unwrap();
    server.send_to(b"back", from).unwrap();
    client.recv(&mut [0; 9]).unwrap();
    let captured = stop(capture);
    let times: Vec<_> = captured.frames().map(|it| it.time_ns).collect();
    assert!(times.is_sorted());
    let way = |at, dev| {
        frames(&captured, at, dev)
            .iter()
            .filter_map(|(frame, it)| Some((frame.direction, it.innermost()?.ttl)))
            .collect::<Vec<_>>()
    };
    assert_eq!(way("client", "eth0"), [(Direction::Out, 64), (Direction::In, 63)]);
    assert_eq!(way("router", "client"), [(Direction::In, 64), (Direction::Out, 63)]);
    assert_eq!(way("router", "servers"), [(Direction::Out, 63), (Direction::In, 64)]);
    assert_eq!(way("rs1", "eth0"), [(Direction::In, 63), (Direction::Out, 64)]);
}

fn an_idle_lab_is_silent() {
    let lab = shipped();
    let captured = stop(start(&lab));
    let noise: Vec<_> = captured.frames().filter(|it| it.marker.is_none()).collect();
    assert!(noise.is_empty(), "{noise:?}");
}

fn ipv6_sends_no_duplicate_address_detection() {
    let mut topology = pair();
    for (node, address) in topology.nodes.iter_mut().zip(["fd00::1/64", "fd00::2/64"]) {
        node.interfaces[0].addresses.push(address.parse().unwrap());
    }
    let lab = build(&LabPlan::of_topology(&topology));
    let capture = start(&lab);
    let server = udp(node(&lab, "b"), "[fd00::2]:700");
    let client = udp(node(&lab, "a"), "[fd00::1]:0");
    client.send_to(b"six", "[fd00::2]:700").unwrap();
    server.recv(&mut [0; 9]).unwrap();
    let captured = stop(capture);
    for (_, decoded) in frames(&captured, "b", "eth0") {
        // Duplicate address detection and router solicitation have the unspecified source
        // (RFC 4862, RFC 4861).
        let source = decoded.innermost().map(|it| it.source.to_string());
        let kind = decoded.icmp().map(|it| it.kind);
        assert!(kind != Some(133), "{decoded:?}");
        assert!(kind != Some(135) || source.as_deref() != Some("::"), "{decoded:?}");
    }
}

/// Sends 200 kB from `a` to `b`; how the frames of `a` look.
fn bulk(offloads: bool) -> (u32, Vec<ChecksumState>) {
    let mut topology = pair();
    topology.nodes.iter_mut().for_each(|node| node.interfaces[0].offloads = offloads);
    let lab = build(&LabPlan::of_topology(&topology));
    let capture = start(&lab);
    let listener = node(&lab, "b").tcp_listener("10.0.0.2:700".parse().unwrap()).unwrap();
    listener.set_nonblocking(false).unwrap();
    let sink = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut bytes).unwrap();
        bytes.len()
    });
    let mut stream = node(&lab, "a").run(|| TcpStream::connect("10.0.0.2:700")).unwrap().unwrap();
    stream.write_all(&vec![7; 200_000]).unwrap();
    drop(stream);
    assert_eq!(sink.join().unwrap(), 200_000);
    let captured = stop(capture);
    let sent = frames(&captured, "a", "eth0");
    let sent = sent.iter().filter(|(frame, _)| frame.direction == Direction::Out);
    let sent: Vec<_> = sent.collect();
    let longest = sent.iter().map(|(frame, _)| frame.original_length).max().unwrap();
    let whole = |it: &&&(Frame, Decoded)| it.0.original_length as usize == it.0.bytes.len();
    assert_eq!(sent.iter().filter(whole).count(), sent.len());
    let checksum = |decoded: &Decoded| match &decoded.packet()?.transport {
        Transport::Tcp(tcp) => Some(tcp.checksum),
        _ => None,
    };
    (longest, sent.iter().filter_map(|(_, decoded)| checksum(decoded)).collect())
}

fn without_offloads_every_checksum_is_finished_and_no_frame_is_too_long() {
    let (longest, checksums) = bulk(false);
    assert_eq!(longest, 1514);
    assert!(checksums.len() > 100, "{}", checksums.len());
    assert!(checksums.iter().all(|it| *it == ChecksumState::Good), "{checksums:?}");
}

fn with_offloads_frames_are_as_the_kernel_hands_them_over() {
    let (longest, checksums) = bulk(true);
    assert!(longest > 1514, "{longest}");
    assert!(checksums.contains(&ChecksumState::HalfMade), "{checksums:?}");
}

fn a_flush_brings_in_what_was_on_the_links() {
    let lab = shipped();
    let capture = start(&lab);
    let client = udp(node(&lab, "client"), "0.0.0.0:0");
    let server = udp(node(&lab, "rs1"), "10.1.1.51:700");
    client.send_to(b"x", "10.1.1.51:700").unwrap();
    server.recv(&mut [0; 9]).unwrap();
    let before = capture.frames();
    assert_eq!(capture.flush(soon()).unwrap().silent, NONE);
    let after = capture.frames();
    assert!(before <= after);
    // Once more, and nothing has been under way: markers are not counted.
    assert_eq!(capture.flush(soon()).unwrap().silent, NONE);
    assert_eq!(capture.frames(), after);
    let captured = stop(capture);
    let kept = captured.frames().filter(|it| it.marker.is_none()).count();
    assert_eq!(kept as u64, after);
}

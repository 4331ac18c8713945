//! Captures of several places, merged: of a lab whose captures were taken apart, of texts, and of what is none.

use crate::support::captures::{capture_of, frames, pcap, split};
use crate::support::{Desk, shipped};
use labsim_captures::{Frame, Known, Reader};
use labsim_explain::Segment;
use std::collections::BTreeMap;
use std::fs::{self, File};

const SECOND: u64 = 1_000_000_000;
const TUNNEL: u16 = 101;

/// What stays the same of a TCP packet on its way.
fn segment(frame: &Frame) -> Option<Segment> {
    Segment::of(&Known::of(&frame.decode()))
}

/// Which points each segment was seen at, in the order of time.
fn ways(frames: &[(String, Frame)]) -> BTreeMap<Segment, Vec<String>> {
    let mut ways: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (point, frame) in frames {
        if let Some(segment) = segment(frame) {
            ways.entry(segment).or_default().push(point.clone());
        }
    }
    ways
}

/// The SYN and the segments with data in the order in which they were first seen: each waits for the one before.
fn exchange(frames: &[(String, Frame)]) -> Vec<Segment> {
    let mut exchange = Vec::new();
    for segment in frames.iter().filter_map(|(_, frame)| segment(frame)) {
        if (segment.payload > 0 || segment.flags & 2 != 0) && !exchange.contains(&segment) {
            exchange.push(segment);
        }
    }
    exchange
}

fn of_point<'a>(frames: &'a [(String, Frame)], point: &str) -> Vec<&'a Frame> {
    frames.iter().filter(|(name, _)| name == point).map(|(_, frame)| frame).collect()
}

#[test]
fn a_login_that_was_taken_apart_and_moved_in_time_is_in_its_order_again() {
    let desk = Desk::new();
    let capture = capture_of(&desk, "tacacs-ipip");
    let mut original = frames(&desk, &capture);
    let server = original
        .iter()
        .find(|(name, frame)| name.starts_with("rs") && segment(frame).is_some())
        .unwrap();
    let server = format!("{}:eth0", server.0.split(':').next().unwrap());
    let points =
        [(server.as_str(), "server", -12), ("lb:eth0", "lb", 3600), ("client:eth0", "client", 0)];
    original.retain(|(name, _)| points.iter().any(|it| it.0 == name));
    for (name, _) in &mut original[..] {
        *name = points.iter().find(|it| it.0 == name).unwrap().1.to_owned();
    }
    original.sort_by_key(|(_, frame)| frame.time_ns);
    for (point, name, ahead) in points {
        split(&desk, &capture, point, &format!("{name}.pcap"), ahead, 65_535);
    }

    let args = ["server=server.pcap", "lb=lb.pcap", "client=client.pcap", "-o", "all.pcapng"];
    let ended = desk.labsim(&[&["merge-captures"], &args[..]].concat()).exits(0);
    ended
        .says(&format!("{} packets written to all.pcapng\n", original.len()))
        .says("times are those of server's clock\n")
        .says("packets of server.pcap; its clock is the time axis\n")
        .says("packets of lb.pcap; its clock is ahead of that of server by +36")
        .says("packets of client.pcap; its clock is ahead of that of server by +1");
    assert_eq!(ended.stdout.matches(" s was subtracted\n").count(), 2, "{ended:?}");
    assert_eq!(ended.stderr, "");
    let merged = frames(&desk, "all.pcapng");
    assert!(merged.is_sorted_by_key(|(_, frame)| frame.time_ns));
    assert_eq!(ways(&merged), ways(&original));
    assert_eq!(exchange(&merged), exchange(&original));
    assert!(exchange(&merged).len() > 4, "{merged:?}");
    for (_, name, _) in points {
        let (now, then) = (of_point(&merged, name), of_point(&original, name));
        let bytes = |frames: &[&Frame]| -> Vec<_> {
            frames.iter().map(|it| (it.bytes.clone(), it.original_length)).collect()
        };
        assert_eq!(bytes(&now), bytes(&then), "{name}");
        // One offset a point.
        let apart =
            |place: usize| then[place].time_ns.unwrap().abs_diff(now[place].time_ns.unwrap());
        assert!((0..now.len()).all(|place| apart(place) == apart(0)), "{name}");
    }
    // What was said is in the file as well: of the section, and of each interface.
    let file = fs::read(desk.path("all.pcapng")).unwrap();
    let text = String::from_utf8_lossy(&file);
    for line in ended.stdout.lines().skip(1) {
        let count = text.matches(line.trim_start()).count();
        assert_eq!(count, if line.starts_with(' ') { 2 } else { 1 }, "{line}");
    }
    desk.labsim(&["explain", "all.pcapng"]).exits(0).says("HEALTHY ");
}

/// An IPv4 packet with a TCP header: 192.0.2.7:40000 to 198.51.100.9:49.
fn syn(identification: u8) -> Vec<u8> {
    let ip =
        [0x45, 0, 0, 40, 0, identification, 0x40, 0, 64, 6, 0, 0, 192, 0, 2, 7, 198, 51, 100, 9];
    let tcp = [0x9c, 0x40, 0, 49, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0, 1, 0, 0, 0, 0];
    [ip, tcp].concat()
}

const SYN: &str =
    "10:00:00.000000 IP 192.0.2.7.40000 > 198.51.100.9.49: Flags [S], seq 1, win 1, length 0\n";

/// [`SYN`] with its bytes.
fn syn_with_bytes() -> String {
    let mut text = SYN.to_owned();
    for (line, bytes) in syn(7).chunks(16).enumerate() {
        text.push_str(&format!("\t0x{:04x}:  ", line * 16));
        for pair in bytes.chunks(2) {
            text.push_str(&format!("{:02x}{:02x} ", pair[0], pair[1]));
        }
        text.push('\n');
    }
    text
}

/// A capture of the SYN on Ethernet.
fn syn_capture(time_ns: u64) -> Vec<u8> {
    let frame = [&[2; 12][..], &[8, 0], &syn(7)].concat();
    pcap([(time_ns, 54, frame.as_slice())])
}

#[test]
fn of_a_text_the_packets_are_taken_whose_bytes_it_shows() {
    let desk = Desk::new();
    let again = SYN.replace("10:00:00", "10:00:01");
    desk.write("shown.txt", syn_with_bytes() + &again);
    desk.write("words.txt", SYN);
    desk.write("a.pcap", syn_capture(1_700_000_000 * SECOND));
    let args = ["merge-captures", "t=shown.txt", "w=words.txt", "a.pcap", "-o", "out.pcapng"];
    desk.labsim(&args)
        .exits(0)
        .says("1 packet written to out.pcapng\n")
        .says("times are those of t's clock; it shows no date, and its midnight is written as 1970-01-02")
        .says("t: 1 packet of shown.txt; its clock is the time axis; left out: 1 packet whose bytes the text does")
        .says("w: left out: 1 packet whose bytes the text does not show (`tcpdump -x` does)\n")
        .says("a: left out: its times are not counted from what those of t are");
    let mut reader = Reader::new(File::open(desk.path("out.pcapng")).unwrap()).unwrap();
    let frame = reader.next_frame().unwrap().unwrap();
    assert_eq!((frame.bytes, frame.original_length), (syn(7), 40));
    assert_eq!(frame.time_ns, Some((24 + 10) * 3600 * SECOND));
    assert_eq!(reader.points()[0].link, u32::from(TUNNEL));
    assert_eq!(reader.next_frame().unwrap(), None);
}

#[test]
fn an_output_is_replaced_only_if_that_is_asked_for() {
    let desk = Desk::new();
    desk.write("a.pcap", syn_capture(SECOND));
    desk.write("out.pcapng", "mine");
    let args = ["merge-captures", "a.pcap", "-o", "out.pcapng"];
    desk.labsim(&args)
        .exits(2)
        .says("out.pcapng: it exists already; name another file, or replace it with --force");
    assert_eq!(fs::read(desk.path("out.pcapng")).unwrap(), b"mine");
    desk.labsim(&[&args[..], &["--force"]].concat()).exits(0);
    // A file may replace one that it is made of.
    let args = ["merge-captures", "out.pcapng", "-o", "out.pcapng", "--force"];
    desk.labsim(&args).exits(0).says("1 packet written");
    assert_eq!(frames(&desk, "out.pcapng").len(), 1);
}

#[test]
fn what_cannot_be_merged_is_told_and_nothing_is_written() {
    let desk = Desk::new();
    fs::copy(shipped().join("labsim/captures/tests/data/login.md"), desk.path("login.md")).unwrap();
    desk.write("a.pcap", syn_capture(SECOND));
    desk.write("shot.png", b"\x89PNG\r\n\x1a\nand more");
    desk.write("other.txt", SYN.replace(".40000", ".40001"));
    desk.write(
        "udp.txt",
        "10:00:00.000000 IP 192.0.2.7.40000 > 198.51.100.9.1812: UDP, length 4\n",
    );
    let merge = |files: &[&str]| {
        let ended =
            desk.labsim(&[&["merge-captures", "-o", "new/out.pcapng"], files].concat()).exits(2);
        let left: Vec<_> = fs::read_dir(desk.path("new")).unwrap().collect();
        assert!(left.is_empty() && ended.stdout.is_empty(), "{left:?} {ended:?}");
        ended
    };
    merge(&["a.pcap", "shot.png", "gone.pcap"])
        .says("labsim: shot.png: this is a picture: send the capture file")
        .says("labsim: gone.pcap: no such file; check its name");
    merge(&["a.pcap", "other.txt"])
        .says("no connection was seen by more than one of these captures");
    merge(&["udp.txt"]).says("no TCP connection in these captures");
    merge(&["-", "client=-"]).says("standard input (`-`) is named twice");
    merge(&["login.md"])
        .says("labsim: adc: left out: 18 packets whose bytes the text does not show")
        .says("labsim: there is nothing to write: send the files that `tcpdump -w` writes");
}

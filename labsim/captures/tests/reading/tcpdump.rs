//! What the real tcpdump prints of labsim's own captures is read back as what the bytes say.

use crate::support::{TIME, ethernet, ipv4, packet};
use labsim_captures::{
    Frame, Header, Icmp, Known, Number, Reader, Tcp, TextFrame, TextReader, Transport,
};
use labsim_wire::decode::LinkType;
use labsim_wire::pcap::Writer;
use std::io::Write;
use std::process::{Command, Stdio};

/// What tcpdump prints of a capture, its banner first.
fn tcpdump(file: &[u8], options: &[&str]) -> String {
    let mut child = Command::new("tcpdump")
        .args(["-n", "-r", "-"])
        .args(options)
        .env("TZ", "UTC")
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("tcpdump has to be installed (ci/install): {error}"));
    let mut input = child.stdin.take().unwrap();
    let file = file.to_vec();
    let writer = std::thread::spawn(move || input.write_all(&file));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let banner = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{banner}");
    banner + &String::from_utf8_lossy(&output.stdout)
}

/// Frames of each point of a shipped capture that have an IP packet, as classic files of one link type.
fn shipped() -> Vec<(LinkType, Vec<Frame>)> {
    let files: [&[u8]; 2] = [
        include_bytes!("../../../fuzz/seeds/pcapng/tacacs-ipip.pcapng"),
        include_bytes!("../../../fuzz/seeds/pcapng/tacacs-gre-key.pcapng"),
    ];
    let mut points = Vec::new();
    for file in files {
        let mut reader = Reader::new(file).unwrap();
        let mut frames: Vec<Vec<Frame>> = Vec::new();
        while let Some(frame) = reader.next_frame().unwrap() {
            frames.resize(frames.len().max(frame.point.0 + 1), Vec::new());
            // Markers are labsim's own, and have no words of tcpdump's.
            if frame.decode().to_string().contains("labsim marker") {
                continue;
            }
            frames[frame.point.0].push(frame);
        }
        for (point, frames) in reader.points().iter().zip(frames) {
            let link = if point.link == 1 { LinkType::Ethernet } else { LinkType::Raw };
            points.push((link, frames));
        }
    }
    points.retain(|(_, frames)| !frames.is_empty());
    points
}

/// Frames that the shipped captures do not have.
fn others() -> (LinkType, Vec<Frame>) {
    let icmp = |kind: u8, code: u8, rest: [u8; 4], quoted: &[u8]| {
        let message = [&[kind, code, 0, 0][..], &rest, quoted].concat();
        ethernet(0x0800, &ipv4(1, &message))
    };
    let mut udp6 = vec![0x60, 0, 0, 0, 0, 12, 17, 64];
    udp6.extend("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets());
    udp6.extend("2001:db8::2".parse::<std::net::Ipv6Addr>().unwrap().octets());
    udp6.extend([0x13, 0x88, 0x13, 0x89, 0, 12, 0x12, 0x34, 1, 2, 3, 4]);
    let arp = |operation: u8| {
        let mut arp = vec![0, 1, 8, 0, 6, 4, 0, operation, 2, 0, 0, 0, 0, 2, 192, 0, 2, 2];
        arp.extend([0, 0, 0, 0, 0, 0, 192, 0, 2, 1]);
        ethernet(0x0806, &arp)
    };
    let frames = vec![
        ethernet(0x0800, &packet()),
        ethernet(0x8100, &[&[0, 5, 8, 0][..], &packet()].concat()),
        ethernet(0x0800, &ipv4(4, &packet())),
        ethernet(0x0800, &ipv4(47, &[&[0x20, 0, 8, 0, 0, 0, 0, 7][..], &packet()].concat())),
        ethernet(0x0800, &ipv4(17, &[0x13, 0x88, 0x13, 0x89, 0, 12, 0, 0, 1, 2, 3, 4])),
        ethernet(0x86dd, &udp6),
        icmp(8, 0, [0, 7, 0, 3], &[]),
        icmp(0, 0, [0, 7, 0, 3], &[]),
        icmp(3, 3, [0; 4], &packet()),
        icmp(3, 2, [0; 4], &ipv4(4, &packet())),
        icmp(3, 4, [0, 0, 5, 0xa0], &packet()),
        icmp(3, 1, [0; 4], &packet()),
        icmp(11, 0, [0; 4], &packet()),
        arp(1),
        arp(2),
    ];
    let mut file = Vec::new();
    write(&mut file, LinkType::Ethernet, &frames);
    (LinkType::Ethernet, crate::support::read(&file).unwrap())
}

fn write(file: &mut Vec<u8>, link: LinkType, frames: &[Vec<u8>]) {
    let mut writer = Writer::new(file, link, 262_144).unwrap();
    for (index, frame) in (0..).zip(frames) {
        let length = u32::try_from(frame.len()).unwrap();
        writer.packet(TIME + index * 1_000_000, length, frame).unwrap();
    }
    writer.finish().unwrap();
}

const VERBOSITIES: [&[&str]; 18] = [
    &["-t"],
    &["-t", "-vv"],
    &["-t", "-e", "-v"],
    &["-ttttt"],
    &[],
    &["-v"],
    &["-vv"],
    &["-vvv"],
    &["-e"],
    &["-e", "-vvv"],
    &["-q"],
    &["-S"],
    &["-S", "-vv"],
    &["-tt"],
    &["-tttt", "-v"],
    &["-x"],
    &["-X", "-vv"],
    &["-xx", "-e"],
];

#[test]
fn what_tcpdump_prints_is_read_back_in_every_verbosity() {
    let mut points = shipped();
    points.push(others());
    let mut compared = 0;
    for (link, frames) in &points {
        let mut file = Vec::new();
        let bytes: Vec<_> = frames.iter().map(|frame| frame.bytes.clone()).collect();
        write(&mut file, *link, &bytes);
        for options in VERBOSITIES {
            let text = tcpdump(&file, options);
            let mut reader = TextReader::new(text.as_bytes());
            let mut read = Vec::new();
            while let Some(frame) = reader.next_frame().unwrap() {
                read.push(frame);
            }
            let notices = reader.notices();
            assert_eq!(notices.unread, 0, "{options:?}: {notices:?}\n{text}");
            assert_eq!(read.len(), frames.len(), "{options:?}\n{text}");
            for (index, (text_frame, frame)) in (0..).zip(read.iter().zip(frames)) {
                let context =
                    format!("{options:?}, frame {index}: {text_frame:?}\n{}", frame.decode());
                compare(text_frame, frame, options, &context);
                time(text_frame, TIME + index * 1_000_000, options, &context);
                compared += 1;
            }
        }
    }
    assert!(compared > 300, "{compared}");
}

/// First fragments whose others were not captured: of datagrams and segments, and of tunnels.
fn first_fragments() -> Vec<Vec<u8>> {
    let address = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let ipv6 = |next: u8, payload: &[u8]| {
        let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
        let fixed = [&[0x60, 0, 0, 0, length[0], length[1], next, 64][..], payload].concat();
        let (fixed, payload) = fixed.split_at(8);
        [fixed, &address("2001:db8::1"), &address("2001:db8::2"), payload].concat()
    };
    let fragment = |next: u8, payload: &[u8]| {
        let payload = &payload[..payload.len().min(1448)];
        ethernet(0x86dd, &ipv6(44, &[&[next, 0, 0, 1, 0, 0, 0, 7][..], payload].concat()))
    };
    let udp = [&[0x13, 0x88, 0x13, 0x89, 7, 0xd8, 0x12, 0x34][..], &[1; 2000]].concat();
    let tcp = [
        &[0xc0, 0, 0, 49, 0, 0, 3, 0xe8, 0, 0, 7, 0xd0, 0x50, 0x18, 1, 0xf6, 0, 0, 0, 0][..],
        &[1; 2000],
    ]
    .concat();
    let mut v4 = ipv4(17, &udp[..1480]);
    v4[6] = 0x20;
    vec![
        ethernet(0x0800, &v4),
        fragment(17, &udp),
        fragment(6, &tcp),
        fragment(4, &ipv4(6, &tcp)),
        fragment(41, &ipv6(6, &tcp)),
    ]
}

#[test]
fn first_fragments_have_their_ports_in_every_verbosity() {
    let frames = first_fragments();
    let mut file = Vec::new();
    write(&mut file, LinkType::Ethernet, &frames);
    let read = crate::support::read(&file).unwrap();
    for options in
        VERBOSITIES.iter().filter(|it| !it.iter().any(|it| it.to_lowercase().starts_with("-x")))
    {
        let text = tcpdump(&file, options);
        let mut reader = TextReader::new(text.as_bytes());
        for frame in &read {
            let words = reader.next_frame().unwrap().map(|it| it.known);
            let (Some(Known::Ip(words)), Known::Ip(bytes)) = (words, frame.known()) else {
                panic!("{options:?}\n{text}")
            };
            let ports = |packet: &labsim_captures::Packet| match &packet.transport {
                Transport::Tcp(tcp) => tcp.ports,
                Transport::Udp { ports, .. } => *ports,
                other => panic!("{other:?}: {options:?}\n{text}"),
            };
            assert_eq!(ports(&words), ports(&bytes), "{options:?}\n{text}");
            assert_eq!(words.headers().count(), bytes.headers().count(), "{options:?}\n{text}");
        }
        assert_eq!((reader.next_frame().unwrap(), reader.notices().unread), (None, 0), "{text}");
    }
}

/// The `-i any` form, with devices and directions.
#[test]
fn devices_and_directions_of_cooked_captures_are_read_back() {
    let cooked = |kind: u8, inside: &[u8]| {
        let mut frame = vec![8, 0, 0, 0, 0, 0, 0, 1, 0, 1, kind, 6, 2, 0, 0, 0, 0, 1, 0, 0];
        frame.extend(inside);
        frame
    };
    let frames = [cooked(0, &ipv4(4, &packet())), cooked(4, &packet()), cooked(3, &packet())];
    let file = crate::support::pcap(276, &frames);
    let bytes = crate::support::read(&file).unwrap();
    for options in [&[][..], &["-v"], &["-e"], &["-e", "-vvv"], &["-xx"]] {
        let text = tcpdump(&file, options);
        let mut reader = TextReader::new(text.as_bytes());
        for frame in &bytes {
            let read =
                reader.next_frame().unwrap().unwrap_or_else(|| panic!("{options:?}\n{text}"));
            compare(&read, frame, options, &text);
            assert_eq!(read.direction, frame.direction, "{options:?}\n{text}");
            assert!(read.device.is_some(), "{options:?}\n{text}");
        }
        assert_eq!(reader.next_frame().unwrap(), None);
    }
}

fn time(text: &TextFrame, time_ns: u64, options: &[&str], context: &str) {
    // tcpdump prints microseconds, unless it is asked for more.
    let micros = time_ns / 1000 * 1000;
    if options.contains(&"-t") {
        assert_eq!(text.time, None, "{context}");
        return;
    }
    if options.contains(&"-ttttt") {
        // Without its command the text may be one of -ttt.
        assert_eq!(text.time, None, "{context}");
        return;
    }
    let expected = if options.iter().any(|it| it.starts_with("-tt")) {
        micros
    } else {
        micros % 86_400_000_000_000
    };
    assert_eq!(text.time.unwrap().ns, expected, "{context}");
}

/// Whatever the text shows is what the bytes say, and it shows what its options promise.
fn compare(text: &TextFrame, frame: &Frame, options: &[&str], context: &str) {
    let is_verbose = options.iter().any(|it| it.starts_with("-v"));
    let has_bytes = options.iter().any(|it| it.to_lowercase().starts_with("-x"));
    let whole = frame.known();
    if has_bytes && matches!(whole, Known::Ip(_)) {
        assert!(frame.network_layer().starts_with(text.bytes.as_deref().unwrap()), "{context}");
        assert_eq!(text.known, whole, "{context}");
        return;
    }
    let (Known::Ip(words), Known::Ip(bytes)) = (&text.known, &whole) else {
        assert_eq!(text.known, whole, "{context}");
        return;
    };
    let headers: Vec<_> = words.headers().collect();
    assert_eq!(headers.len(), bytes.headers().count(), "{context}");
    for (shown, header) in headers.into_iter().zip(bytes.headers()) {
        let expected = if is_verbose {
            *header
        } else {
            Header::of_addresses(header.source, header.destination)
        };
        assert_eq!(*shown, expected, "{context}");
    }
    match (&words.transport, &bytes.transport) {
        (Transport::Tcp(words), Transport::Tcp(bytes)) => {
            assert_eq!(*words, shown(bytes, words, options), "{context}");
        }
        (Transport::Udp { ports, .. }, Transport::Udp { ports: others, payload, .. }) => {
            assert_eq!(ports, others, "{context}");
            assert!(payload.is_some());
        }
        (Transport::Icmp(words), Transport::Icmp(bytes)) => {
            assert_eq!(*words, Icmp { about: None, ..*bytes }, "{context}");
        }
        (words, bytes) => assert_eq!(words, bytes, "{context}"),
    }
}

/// What a segment is where the options hide a part of it.
fn shown(bytes: &Tcp, words: &Tcp, options: &[&str]) -> Tcp {
    let mut tcp = bytes.clone();
    if options.contains(&"-q") {
        return Tcp {
            flags: None,
            sequence: None,
            acknowledgement: None,
            window: None,
            mss: None,
            ..tcp
        };
    }
    let is_bare = bytes.payload == Some(0) && bytes.flags.unwrap().to_string() == ".";
    let is_very_verbose = options.iter().any(|it| it.starts_with("-vv"));
    if is_bare && !is_very_verbose {
        tcp.sequence = None;
    }
    // The first bare acknowledgement of a connection without -vv has no sequence number, so that those
    // after it stay relative.
    if let (Some(Number::Relative(_)), Some(_)) = (words.sequence, tcp.sequence) {
        assert!(!is_very_verbose);
        tcp.sequence = words.sequence;
    }
    tcp
}
